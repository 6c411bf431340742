/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a timetable: what is taken is in range, and reads back the same. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct when w, again;
	char text[WHEN_SIZE], *copy = malloc(size + 1);
	unsigned minutes = 0;
	int rc;

	must(copy != NULL);
	memcpy(copy, data, size);
	copy[size] = '\0';
	rc = when_parse(copy, &w);
	free(copy);
	must(rc == 0 || rc == -EINVAL);
	if (rc < 0)
		return 0;
	must(w.days && w.days <= WHEN_ALL_DAYS);
	must(w.from < WHEN_DAY && w.to <= WHEN_DAY && w.from != w.to);
	must(when_parse(when_format(&w, text), &again) == 0);
	must(again.days == w.days && again.from == w.from && again.to == w.to);
	for (unsigned day = 0; day < 7; day++)
		for (unsigned m = 0; m < WHEN_DAY; m++)
			minutes += when_contains(&w, day, m);
	must(minutes ==
	     (unsigned)__builtin_popcount(w.days) *
		     ((w.to - w.from + WHEN_DAY - 1U) % WHEN_DAY + 1U));
	return 0;
}
