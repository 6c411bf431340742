/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process serves a trust. It may still be busy closing its database when
 * its mount is gone already: umount(8) does not wait for it, so the next one
 * does.
 */
#ifndef MERSEY_MAIN_TURN_H
#define MERSEY_MAIN_TURN_H

#include "main/conf.h"

/*
 * Takes the trust for this process until it ends, before its socket or
 * database is touched: locks config_lock_file() and writes pid and mount point
 * into it. Waits up to a minute for a holder that ends. -EBUSY: it does not,
 * or the trust is mounted by it, so that nobody waits; with `mounted` a mount
 * at `mountpoint` is the caller's own. The descriptor, or -errno.
 */
int turn_take(const struct conf_trust *ct, const char *mountpoint, bool mounted,
	      struct err *err);

#endif
