/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a DICOM file says of itself, from its first few kilobytes: bytes in, a
 * fixed struct out. Nothing is allocated, nothing is trusted.
 *
 * The reader walks over the elements (PS3.5, section 7) as the caller brings
 * it bytes, and jumps over what it does not want, so a large element before
 * the ones that it looks for costs no reading. It understands implicit and
 * explicit VR, both byte orders, files without preamble or meta group
 * (PS3.10, 7.1), and sequences of defined and undefined length. The deflated
 * syntax is recognised and not read: such a file has no study here.
 */
#ifndef MERSEY_DICOM_DICOM_H
#define MERSEY_DICOM_DICOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DICOM_UID_SIZE 65

struct dicom_header {
	char study[DICOM_UID_SIZE];  /* StudyInstanceUID; "" = no DICOM file,
					or one that belongs to no study */
	char series[DICOM_UID_SIZE]; /* SeriesInstanceUID */
	char patient[65]; /* PatientID, in the bytes of the file's character
			     set; "" = none, or longer than allowed */
	char modality[17];
	uint32_t date;		/* StudyDate as the number yyyymmdd, or 0 */
	uint32_t series_number; /* 0 = none, as for the next */
	uint32_t instance_number;
	bool compressed; /* by its transfer syntax: nothing is gained by
			    compressing it again */
};

#define DICOM_WINDOW_MIN 512	   /* bytes that the reader wants at once */
#define DICOM_WINDOW	 8192	   /* bytes that are enough for most files */
#define DICOM_READ_MAX	 (1 << 20) /* bytes that are looked at, at most */

struct dicom_reader {
	struct dicom_header h;
	uint64_t off; /* where in the file it goes on */

	/* the reader's own */
	uint64_t size;
	uint64_t seen;	/* bytes, for DICOM_READ_MAX */
	uint32_t last;	/* tag at depth 0 */
	unsigned depth; /* odd: in a sequence, even: in an item */
	unsigned un;	/* depth of an UN sequence, whose inside is implicit */
	bool started, meta, bare, deflated;
	bool implicit, big; /* of the data set */
	bool told_big;	    /* by the transfer syntax */
};

/* A file of so many bytes. */
void dicom_begin(struct dicom_reader *r, uint64_t size);
/*
 * Takes the file's bytes from r->off on: n >= DICOM_WINDOW_MIN, unless the
 * file ends before. 1: wants those at the new r->off; 0: it is done, and r->h
 * is what there was.
 */
int dicom_feed(struct dicom_reader *r, const void *bytes, size_t n);

#endif
