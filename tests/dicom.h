/* SPDX-License-Identifier: Apache-2.0 */
/* Writes DICOM files, element by element, for tests: as the standard wants
 * them and in ways that it does not. */
#ifndef MERSEY_TESTS_DICOM_H
#define MERSEY_TESTS_DICOM_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"

#define DCM_IMPLICIT   "1.2.840.10008.1.2"
#define DCM_EXPLICIT   "1.2.840.10008.1.2.1"
#define DCM_DEFLATED   "1.2.840.10008.1.2.1.99"
#define DCM_BIG_ENDIAN "1.2.840.10008.1.2.2"
#define DCM_JPEG2000   "1.2.840.10008.1.2.4.90"
#define DCM_RLE	       "1.2.840.10008.1.2.5"

#define DCM_UNDEFINED UINT32_MAX

struct dcm {
	struct buf b;
	bool implicit, big;
};

static inline void dcm_add(struct dcm *d, const void *p, size_t n)
{
	if (buf_add(&d->b, p, n) < 0)
		abort();
}

static inline void dcm_zero(struct dcm *d, size_t n)
{
	while (n--)
		dcm_add(d, "", 1);
}

/* The low `n` bytes of v. */
static inline void dcm_int(struct dcm *d, uint32_t v, unsigned n)
{
	uint8_t p[4];
	unsigned i;

	for (i = 0; i < n; i++)
		p[d->big ? n - 1 - i : i] = (uint8_t)(v >> 8 * i);
	dcm_add(d, p, n);
}

/* The head of an element; vr NULL: an item or its end. */
static inline void dcm_head(struct dcm *d, uint32_t tag, const char *vr,
			    uint32_t len)
{
	bool wide = vr && strstr("OB OD OF OL OV OW SQ SV UC UN UR UT UV", vr);

	dcm_int(d, tag >> 16, 2);
	dcm_int(d, tag & 0xffff, 2);
	if (!vr || d->implicit) {
		dcm_int(d, len, 4);
		return;
	}
	dcm_add(d, vr, 2);
	if (wide)
		dcm_zero(d, 2);
	dcm_int(d, len, wide ? 4 : 2);
}

/* Text, padded to an even length as the VR wants it. */
static inline void dcm_text(struct dcm *d, uint32_t tag, const char *vr,
			    const char *text)
{
	size_t n = strlen(text);

	dcm_head(d, tag, vr, (uint32_t)(n + n % 2));
	dcm_add(d, text, n);
	if (n % 2)
		dcm_add(d, strcmp(vr, "UI") == 0 ? "" : " ", 1);
}

/* Preamble and meta group; the data set follows as the syntax says. */
static inline void dcm_begin(struct dcm *d, const char *syntax)
{
	dcm_zero(d, 128);
	dcm_add(d, "DICM", 4);
	dcm_head(d, 0x00020000, "UL", 4);
	dcm_int(d, (uint32_t)(8 + strlen(syntax) + strlen(syntax) % 2), 4);
	dcm_text(d, 0x00020010, "UI", syntax);
	d->implicit = strcmp(syntax, DCM_IMPLICIT) == 0;
	d->big = strcmp(syntax, DCM_BIG_ENDIAN) == 0;
}

struct dcm_image {
	const char *study, *series, *number; /* NULL: left out */
	const char *modality;
	size_t bytes; /* of its pixels */
};

/* The elements of an image up to its number. */
static inline void dcm_elements(struct dcm *d, const struct dcm_image *im)
{
	dcm_text(d, 0x00080005, "CS", "ISO_IR 100");
	dcm_text(d, 0x00080020, "DA", "20261129");
	dcm_text(d, 0x00080060, "CS", im->modality ? im->modality : "CT");
	dcm_text(d, 0x00100010, "PN", "TEST^PATIENT");
	dcm_text(d, 0x00100020, "LO", "9434765919");
	if (im->study)
		dcm_text(d, 0x0020000d, "UI", im->study);
	if (im->series)
		dcm_text(d, 0x0020000e, "UI", im->series);
	dcm_text(d, 0x00200010, "SH", "1");
	if (im->series)
		dcm_text(d, 0x00200011, "IS", strrchr(im->series, '.') + 1);
	if (im->number)
		dcm_text(d, 0x00200013, "IS", im->number);
}

static inline void dcm_pixels(struct dcm *d, size_t n)
{
	uint32_t x = (uint32_t)n;
	uint8_t noise; /* does not become smaller */

	dcm_head(d, 0x7fe00010, "OW", (uint32_t)n);
	while (n-- > 0) {
		x = x * 1664525 + 1013904223;
		noise = (uint8_t)(x >> 24);
		dcm_add(d, &noise, 1);
	}
}

/* A whole file of explicit VR. */
static inline void dcm_file(struct dcm *d, const struct dcm_image *im)
{
	dcm_begin(d, DCM_EXPLICIT);
	dcm_elements(d, im);
	dcm_pixels(d, im->bytes);
}

static inline void dcm_done(struct dcm *d)
{
	buf_done(&d->b);
}

#endif
