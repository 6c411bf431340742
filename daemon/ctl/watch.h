/* SPDX-License-Identifier: Apache-2.0 */
/* What of a trust's state is wrong: said to its alarms. */
#ifndef MERSEY_CTL_WATCH_H
#define MERSEY_CTL_WATCH_H

#include "ctl/ctl.h"

/* One look, which w->alarms is told of. `arg` is the ctl_worker. 0 or -errno.
 */
int ctl_watch(void *arg);

#endif
