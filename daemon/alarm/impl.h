/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of daemon/alarm share. */
#ifndef MERSEY_ALARM_IMPL_H
#define MERSEY_ALARM_IMPL_H

#include "alarm/alarm.h"

#define ALARM_SIGNALS  64
#define ALARM_RESTARTS 3 /* within an hour */

/* What somebody says of one code and subject. */
struct alarm_signal {
	enum alarm_code code;
	char subject[32], message[256];
	bool on;
	bool loaded;	  /* nobody has said anything since the start */
	int64_t since_ns; /* boot time */
};

/* An alarm, active until it has a time when it was cleared. */
struct alarm_record {
	struct alarm a;
	bool told_raised, told_cleared;
};

struct alarm_book {
	uint64_t next_id;
	struct alarm_record rec[ALARMS_MAX]; /* by id */
	size_t n;
	int64_t restart[ALARM_RESTARTS]; /* wall times; the latest */
};

/* The book as text, and back: a line for each, fields between tabs. What is
 * not understood is left out. */
int book_write(const struct alarm_book *b, struct buf *out);
void book_read(struct alarm_book *b, char *text);

#endif
