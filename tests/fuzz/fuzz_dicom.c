/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file as its clients bring it. The first byte chooses how much is read at
 * once and whether the file claims to be longer than it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "dicom/dicom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_be_text(const char *s, size_t size, const char *of)
{
	size_t n = strnlen(s, size);

	must(n < size);
	must(!of || strspn(s, of) == n);
}

static void check(const struct dicom_header *h)
{
	must_be_text(h->study, sizeof(h->study), "0123456789.");
	must_be_text(h->series, sizeof(h->series), "0123456789.");
	must_be_text(h->patient, sizeof(h->patient), NULL);
	must_be_text(h->modality, sizeof(h->modality),
		     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _");
	must(h->date <= 99991231);
	must(h->series_number <= INT32_MAX && h->instance_number <= INT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dicom_reader r;
	uint64_t seen = 0, claims;
	size_t window, n;
	int rc;

	if (size-- == 0)
		return 0;
	window = DICOM_WINDOW_MIN + 16 * (size_t)(*data & 0x7f);
	claims = *data++ & 0x80 ? (uint64_t)size << 20 : size;
	dicom_begin(&r, claims);
	do {
		uint8_t *p; /* ends where it may not be read any more */

		n = (size_t)MIN((uint64_t)window, claims - r.off);
		p = calloc(1, n + 1);
		must(p != NULL);
		if (r.off < size)
			memcpy(p + 1, data + r.off,
			       MIN(n, size - (size_t)r.off));
		rc = dicom_feed(&r, p + 1, n);
		free(p);
		check(&r.h);
		must(rc == 0 || (rc == 1 && r.off < claims));
		seen += n;
		must(rc == 0 || seen < DICOM_READ_MAX);
	} while (rc == 1);
	return 0;
}
