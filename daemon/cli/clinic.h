/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of patients and their appointments, and times as people write them. */
#ifndef MERSEY_CLI_CLINIC_H
#define MERSEY_CLI_CLINIC_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define CLINIC_MAX 5000 /* appointments in one list */

struct clinic_row {
	char patient[65]; /* PatientID: UTF-8, at most 64 bytes */
	int64_t at_ns;	  /* wall */
	size_t line;
};

struct clinic_list {
	struct clinic_row *row;
	size_t n, room;
};
/* Frees the rows. */
void clinic_done(struct clinic_list *l);

/*
 * Reads comma-separated values (base/csv.h). The titles say which columns
 * count: patient_id; and appointment_time, or a date and a time, in whatever
 * case and with blanks. Without titles they are the first two. 0, or -EINVAL
 * with err that names the line.
 */
int clinic_read(FILE *in, struct clinic_list *out, struct err *err);

/*
 * "2026-11-30 09:00", "2026-11-30T09:00:00Z", "30/11/2026 09:00", with seconds
 * or without; of the local time zone where none is said. 0 or -EINVAL.
 */
int clinic_time(const char *s, int64_t *wall_ns);
/* The same, and "09:00": the next one after now_ns. */
int clinic_next(const char *s, int64_t now_ns, int64_t *wall_ns);
/* The same, and "2026-12-31": the end of that day. */
int clinic_until(const char *s, int64_t now_ns, int64_t *wall_ns);

#endif
