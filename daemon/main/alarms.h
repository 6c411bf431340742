/* SPDX-License-Identifier: Apache-2.0 */
/* From the config's alarm_command to who runs it, and what it is told. */
#ifndef MERSEY_MAIN_ALARMS_H
#define MERSEY_MAIN_ALARMS_H

#include "alarm/alarm.h"
#include "config/config.h"
#include "super/super.h"

struct alarm_out {
	char **argv; /* ended by NULL; the words are the config's */
	const char *gateway;
	struct super_alarms super;
};

/* 1, 0 when the config has no command, or -ENOMEM. alarm_out_done() in any
 * case. */
int alarm_out_init(struct alarm_out *o, const struct config *c);
void alarm_out_done(struct alarm_out *o);

#endif
