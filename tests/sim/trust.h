/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generated trust: its studies by modality mix and size, and who reads them
 * again, from published figures (300,000 studies a year; X-ray 55 %, US 24 %,
 * CT 12.5 %, MR 6.5 %, MG 2 %; re-reads fall by half a year). Thinned: few of
 * the studies, and a two-hundredth of each one's bytes. Deterministic.
 */
#ifndef MERSEY_TESTS_SIM_TRUST_H
#define MERSEY_TESTS_SIM_TRUST_H

#include "tests/dicom.h"
#include "tests/unit/move/util.h"

#define TRUST_STUDIES_A_YEAR 300000
#define STUDY_FILES_MAX	     6

struct modality {
	const char *name;
	unsigned per_mille;  /* of studies */
	unsigned files, kib; /* of one; of each file */
};

static const struct modality modalities[] = {
	{ "CR", 550, 2, 75 }, { "US", 240, 3, 50 }, { "CT", 125, 6, 256 },
	{ "MR", 65, 3, 100 }, { "MG", 20, 4, 150 },
};

struct study {
	int64_t made_ns, read_ns; /* wall */
	uint64_t ino[STUDY_FILES_MAX];
	char name[STUDY_FILES_MAX][24];
	unsigned n, kib;
	bool gone, waits; /* deleted; a reader waits for it */
};

struct trust {
	struct study *study;
	size_t n, max;
	uint64_t random;
	unsigned owed; /* studies of a day, in 1/365 that are not made yet */
};

/* 0 <= result < n. */
static inline unsigned trust_random(struct trust *tr, unsigned n)
{
	tr->random ^= tr->random << 13;
	tr->random ^= tr->random >> 7;
	tr->random ^= tr->random << 17;
	return (unsigned)((tr->random >> 11) % n);
}

static inline const struct modality *trust_modality(struct trust *tr)
{
	unsigned at = trust_random(tr, 1000);
	const struct modality *mo = modalities;

	while (at >= mo->per_mille) {
		at -= mo->per_mille;
		mo++;
	}
	return mo;
}

/* Pixels are noise, which no compressor makes smaller. */
static inline void trust_image(struct trust *tr, struct dcm *d,
			       const struct dcm_image *im, size_t bytes)
{
	uint64_t *noise;
	size_t i;

	bytes &= ~(size_t)7;
	dcm_begin(d, DCM_EXPLICIT);
	dcm_elements(d, im);
	dcm_head(d, 0x7fe00010, "OW", (uint32_t)bytes);
	noise = malloc(bytes);
	assert_non_null(noise);
	for (i = 0; i < bytes / 8; i++) {
		trust_random(tr, 1);
		noise[i] = tr->random;
	}
	dcm_add(d, noise, bytes);
	free(noise);
}

static inline void trust_file(struct trust *tr, struct study *s, unsigned i,
			      const struct dcm_image *im)
{
	struct dcm d = { 0 };
	struct cache_file *f;

	trust_image(tr, &d, im, s->kib * KIB);
	snprintf(s->name[i], sizeof(s->name[i]), "%zu-%u.dcm", tr->n, i);
	s->ino[i] = new_file(s->name[i]);
	f = file_open(s->ino[i], true);
	assert_int_equal(cache_pwrite(f, d.b.data, d.b.len, 0), d.b.len);
	file_close(f, true);
	dcm_done(&d);
}

static inline void trust_study(struct trust *tr)
{
	const struct modality *mo = trust_modality(tr);
	struct study *s = &tr->study[tr->n];
	char uid[64], series[80], number[16];
	struct dcm_image im = { .study = uid,
				.series = series,
				.number = number,
				.modality = mo->name };
	unsigned i;

	assert_true(tr->n < tr->max);
	*s = (struct study){ .made_ns = clock_wall_ns(),
			     .read_ns = clock_wall_ns(),
			     .n = mo->files,
			     .kib = mo->kib };
	snprintf(uid, sizeof(uid), "1.2.826.0.1.3680043.8.498.%zu", tr->n + 1);
	snprintf(series, sizeof(series), "%s.1", uid);
	for (i = 0; i < s->n; i++) {
		snprintf(number, sizeof(number), "%u", i + 1);
		trust_file(tr, s, i, &im);
	}
	tr->n++;
}

/* What a day brings. `thin`: one of so many. */
static inline void trust_day(struct trust *tr, unsigned thin)
{
	tr->owed += TRUST_STUDIES_A_YEAR / thin;
	for (; tr->owed >= 365; tr->owed -= 365)
		trust_study(tr);
}

/*
 * A study that is read again: of ten, six are younger than a month, two
 * younger than a year, and the others are older, half as many for each year.
 * NULL: it is gone.
 */
static inline struct study *trust_reread(struct trust *tr)
{
	unsigned at = trust_random(tr, 10);
	int64_t age = trust_random(tr, 30);
	struct study *s = NULL;
	size_t i;

	if (at >= 6)
		age = 30 + trust_random(tr, 335);
	for (at = at >= 8 ? 1 : 0; at && age < 3650; at = trust_random(tr, 2))
		age += 365;
	age = clock_wall_ns() - age * SEC_PER_DAY * NSEC_PER_SEC;
	for (i = 0; i < tr->n && tr->study[i].made_ns <= age; i++)
		s = &tr->study[i];
	if (!s) /* the trust is younger */
		s = &tr->study[trust_random(tr, (unsigned)tr->n)];
	return s->gone ? NULL : s;
}

static inline void trust_delete(struct study *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		unlink_file(s->ino[i], s->name[i]);
	s->gone = true;
}

#endif
