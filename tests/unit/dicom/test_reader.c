/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every file is read in windows of three sizes, each of which lies at the end
 * of an allocation of its own, so that a look beyond it is seen.
 */
#include "tests/test.h"

#include "base/guard.h"
#include "dicom/dicom.h"
#include "tests/dicom.h"

#define STUDY  "1.2.826.0.1.3680043.8.498.7"
#define SERIES STUDY ".2"

static const struct dcm_image image = {
	.study = STUDY,
	.series = SERIES,
	.number = "42",
	.bytes = 100,
};

struct looked {
	unsigned reads;
	uint64_t bytes;
};

/* How the file begins is in d; `size` >= that is how long it claims to be,
 * with zeros behind. */
static struct dicom_header look_in(const struct dcm *d, uint64_t size,
				   size_t window, struct looked *l)
{
	struct dicom_reader r;
	int rc;

	*l = (struct looked){ 0 };
	dicom_begin(&r, size);
	do {
		size_t n = (size_t)MIN((uint64_t)window, size - r.off), have;
		uint8_t *p = calloc(1, n + 1);

		assert_non_null(p);
		have = r.off < d->b.len ? MIN(n, d->b.len - (size_t)r.off) : 0;
		if (have)
			memcpy(p + 1, d->b.data + r.off, have);
		l->reads++;
		l->bytes += n;
		rc = dicom_feed(&r, p + 1, n);
		free(p);
		assert_true(rc == 0 || (rc == 1 && r.off < size));
	} while (rc == 1);
	return r.h;
}

static struct dicom_header look_sized(const struct dcm *d, uint64_t size,
				      struct looked *l)
{
	struct looked small;
	struct dicom_header a = look_in(d, size, DICOM_WINDOW_MIN, &small);
	struct dicom_header b = look_in(d, size, 777, l);

	assert_memory_equal(&a, &b, sizeof(a));
	b = look_in(d, size, DICOM_WINDOW, l);
	assert_memory_equal(&a, &b, sizeof(a));
	return a;
}

/* Looks, and ends the file. */
static struct dicom_header look(struct dcm *d)
{
	struct looked l;
	struct dicom_header h = look_sized(d, d->b.len, &l);

	dcm_done(d);
	return h;
}

static void check_image(const struct dicom_header *h)
{
	assert_string_equal(h->study, STUDY);
	assert_string_equal(h->series, SERIES);
	assert_string_equal(h->patient, "9434765919");
	assert_string_equal(h->modality, "CT");
	assert_int_equal(h->date, 20261129);
	assert_int_equal(h->series_number, 2);
	assert_int_equal(h->instance_number, 42);
}

static void check_none(struct dcm *d)
{
	struct dicom_header h = look(d);

	assert_string_equal(h.study, "");
}

/* ---- how it may be written ------------------------------------------ */

static void test_syntaxes(void **state)
{
	static const struct {
		const char *uid;
		bool compressed;
	} syntax[] = {
		{ DCM_IMPLICIT, false },
		{ DCM_EXPLICIT, false },
		{ DCM_BIG_ENDIAN, false },
		{ DCM_JPEG2000, true },
		{ DCM_RLE, true },
		{ "1.2.840.113619.5.2", false },
		{ "1.2.840.10008.1.2.1.98", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(syntax); i++) {
		struct dcm d = { 0 };
		struct dicom_header h;

		dcm_begin(&d, syntax[i].uid);
		dcm_elements(&d, &image);
		dcm_pixels(&d, 100);
		h = look(&d);
		check_image(&h);
		assert_int_equal(h.compressed, syntax[i].compressed);
	}
}

/* The rest of it is a stream that nobody here reads. */
static void test_deflated(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;

	dcm_begin(&d, DCM_DEFLATED);
	dcm_add(&d, "\x02\x00\x4b\x4c\x4a", 5);
	h = look(&d);
	assert_string_equal(h.study, "");
	assert_true(h.compressed);
}

static void test_without_preamble(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;
	unsigned i;

	for (i = 0; i < 4; i++) { /* no meta group either */
		d = (struct dcm){ .implicit = i & 1, .big = i & 2 };
		dcm_elements(&d, &image);
		h = look(&d);
		check_image(&h);
	}
	d = (struct dcm){ 0 };
	dcm_text(&d, 0x00020010, "UI", DCM_JPEG2000);
	dcm_elements(&d, &image);
	h = look(&d);
	check_image(&h);
	assert_true(h.compressed);
}

/* Its meta group says one thing, its data set is another. */
static void test_wrong_syntax(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;

	dcm_begin(&d, DCM_EXPLICIT);
	d.implicit = true;
	dcm_elements(&d, &image);
	h = look(&d);
	check_image(&h);
	d = (struct dcm){ 0 };
	dcm_begin(&d, DCM_IMPLICIT);
	d.implicit = false;
	dcm_elements(&d, &image);
	h = look(&d);
	check_image(&h);
}

/* A group length that lies; a syntax that is too long to be one. */
static void test_lying_meta(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;

	dcm_zero(&d, 128);
	dcm_add(&d, "DICM", 4);
	dcm_head(&d, 0x00020000, "UL", 4);
	dcm_int(&d, 0xfffffff0, 4);
	dcm_head(&d, 0x00020001, "OB", 2);
	dcm_int(&d, 1, 2);
	dcm_head(&d, 0x00020010, "UI", 4000);
	dcm_zero(&d, 4000);
	dcm_elements(&d, &image);
	h = look(&d);
	check_image(&h);
	assert_false(h.compressed);
}

/* ---- what may come before ------------------------------------------- */

/* A sequence with nested ones, in which other studies are named. */
static void add_sequence(struct dcm *d, bool undefined, unsigned nested)
{
	struct dcm in = { .implicit = d->implicit, .big = d->big };

	dcm_text(&in, 0x0020000d, "UI", "9.9.9");
	if (nested)
		add_sequence(&in, undefined, nested - 1);
	dcm_head(d, 0x00081110, "SQ",
		 undefined ? DCM_UNDEFINED : (uint32_t)in.b.len + 8);
	dcm_head(d, 0xfffee000, NULL,
		 undefined ? DCM_UNDEFINED : (uint32_t)in.b.len);
	dcm_add(d, in.b.data, in.b.len);
	if (undefined) {
		dcm_head(d, 0xfffee00d, NULL, 0);
		dcm_head(d, 0xfffee0dd, NULL, 0);
	}
	dcm_done(&in);
}

static void test_sequences(void **state)
{
	static const char *const syntax[] = { DCM_IMPLICIT, DCM_EXPLICIT,
					      DCM_BIG_ENDIAN };
	unsigned i;

	for (i = 0; i < 6; i++) {
		struct dcm d = { 0 };
		struct dicom_header h;

		dcm_begin(&d, syntax[i / 2]);
		add_sequence(&d, i % 2, 20);
		/* Empty ones. */
		dcm_head(&d, 0x00081111, "SQ", 0);
		dcm_head(&d, 0x00081112, "SQ", DCM_UNDEFINED);
		dcm_head(&d, 0xfffee0dd, NULL, 0);
		dcm_elements(&d, &image);
		h = look(&d);
		check_image(&h);
	}
}

/* UN of undefined length is implicit inside, whatever is around (PS3.5,
 * 6.2.2). */
static void test_unknown_sequence(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;

	dcm_begin(&d, DCM_EXPLICIT);
	dcm_head(&d, 0x00091001, "UN", DCM_UNDEFINED);
	d.implicit = true;
	dcm_head(&d, 0xfffee000, NULL, DCM_UNDEFINED);
	add_sequence(&d, true, 2);
	dcm_text(&d, 0x00091002, "LO", "x");
	dcm_head(&d, 0xfffee00d, NULL, 0);
	dcm_head(&d, 0xfffee0dd, NULL, 0);
	d.implicit = false;
	dcm_elements(&d, &image);
	h = look(&d);
	check_image(&h);
}

/* Fragments, as of a thumbnail in a private element. */
static void test_fragments(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;

	dcm_begin(&d, DCM_JPEG2000);
	dcm_head(&d, 0x00091010, "OB", DCM_UNDEFINED);
	dcm_head(&d, 0xfffee000, NULL, 0);
	dcm_head(&d, 0xfffee000, NULL, 3000);
	dcm_zero(&d, 3000);
	dcm_head(&d, 0xfffee0dd, NULL, 0);
	dcm_elements(&d, &image);
	h = look(&d);
	check_image(&h);
}

/* It is jumped over: nothing of it is read. */
static void test_large_private(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;
	struct looked l;

	dcm_begin(&d, DCM_EXPLICIT);
	dcm_text(&d, 0x00090010, "LO", "SIEMENS CSA HEADER");
	dcm_head(&d, 0x00091010, "OB", 5000000);
	dcm_zero(&d, 5000000);
	dcm_elements(&d, &image);
	h = look_sized(&d, d.b.len, &l);
	check_image(&h);
	assert_int_equal(l.reads, 2);
	assert_true(l.bytes <= 2 * DICOM_WINDOW);
	dcm_done(&d);
}

/* An ordinary file is one read. */
static void test_one_read(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;
	struct looked l;

	dcm_file(&d, &(struct dcm_image){ .study = STUDY,
					  .series = SERIES,
					  .number = "42",
					  .bytes = 50000 });
	h = look_sized(&d, d.b.len, &l);
	check_image(&h);
	assert_int_equal(l.reads, 1);
	dcm_done(&d);
}

/* ---- what is not as it should be ------------------------------------ */

/* Cut anywhere: the file ends, or only claims to go on. */
static void test_cut(void **state)
{
	struct dcm d = { 0 };
	struct looked l;
	size_t whole;

	dcm_begin(&d, DCM_EXPLICIT);
	add_sequence(&d, true, 2);
	dcm_elements(&d, &image);
	whole = d.b.len;
	for (; d.b.len > 0; d.b.len--) {
		struct dicom_header h = look_sized(&d, d.b.len, &l);

		if (d.b.len == whole)
			check_image(&h);
		else
			assert_int_equal(h.instance_number, 0);
		look_sized(&d, 100000, &l);
	}
	dcm_done(&d);
}

static void test_odd_length(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;

	dcm_begin(&d, DCM_EXPLICIT);
	dcm_head(&d, 0x00080050, "SH", 3);
	dcm_add(&d, "abc", 3);
	dcm_elements(&d, &image);
	h = look(&d);
	check_image(&h);
}

/* Lengths beyond the file, and the longest there are. */
static void test_lying_lengths(void **state)
{
	static const uint32_t len[] = { 1000000, 0xfffffffe, 0x7fffffff };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(len); i++) {
		struct dcm d = { 0 };

		dcm_begin(&d, DCM_EXPLICIT);
		dcm_head(&d, 0x00091010, "OB", len[i]);
		dcm_elements(&d, &image);
		check_none(&d);
		d = (struct dcm){ 0 };
		dcm_begin(&d, DCM_IMPLICIT);
		dcm_head(&d, 0x0020000d, "UI", len[i]);
		dcm_elements(&d, &image);
		check_none(&d);
	}
}

/* Deeper than anybody's, and without an end. */
static void test_depth(void **state)
{
	struct dcm d = { 0 };
	struct looked l;
	unsigned i;

	dcm_begin(&d, DCM_EXPLICIT);
	for (i = 0; i < 100000; i++) {
		dcm_head(&d, 0x00081110, "SQ", DCM_UNDEFINED);
		dcm_head(&d, 0xfffee000, NULL, DCM_UNDEFINED);
	}
	dcm_elements(&d, &image);
	look_sized(&d, d.b.len, &l);
	assert_int_equal(l.reads, 1);
	check_none(&d);
}

/* Elements without a value, as many as one likes: it gives up. */
static void test_endless(void **state)
{
	struct dcm d = { 0 };
	struct looked l;
	unsigned i;

	dcm_begin(&d, DCM_IMPLICIT);
	for (i = 0; i < 2 * DICOM_READ_MAX / 8; i++)
		dcm_head(&d, 0x00080000, "UL", 0);
	dcm_elements(&d, &image);
	look_sized(&d, d.b.len, &l);
	assert_int_equal(l.bytes, DICOM_READ_MAX);
	check_none(&d);
}

static void test_wrong_ends(void **state)
{
	static const uint32_t tag[] = { 0xfffee0dd, 0xfffee00d, 0xfffee000,
					0x00081115, 0xfffe0001 };
	size_t i;

	for (i = 0; i < 3 * ARRAY_SIZE(tag); i++) {
		struct dcm d = { 0 };

		if (i == 3)
			continue; /* an element where it may be */
		dcm_begin(&d, DCM_IMPLICIT);
		if (i >= ARRAY_SIZE(tag))
			dcm_head(&d, 0x00081110, "SQ", DCM_UNDEFINED);
		if (i >= 2 * ARRAY_SIZE(tag))
			dcm_head(&d, 0xfffee000, NULL, DCM_UNDEFINED);
		/* With a length, that of an end is wrong too. */
		dcm_head(&d, tag[i % ARRAY_SIZE(tag)], NULL, 4);
		dcm_zero(&d, 4);
		dcm_elements(&d, &image);
		check_none(&d);
	}
}

/* The study of the whole, never that of something inside. */
static void test_values(void **state)
{
	struct dcm d = { 0 };
	struct dicom_header h;
	char longer[200];

	dcm_begin(&d, DCM_EXPLICIT);
	add_sequence(&d, true, 0);
	dcm_text(&d, 0x00080020, "DA", "1995.06.26");
	dcm_text(&d, 0x00080060, "CS", "MR\\CT");
	memset(longer, 'x', sizeof(longer));
	longer[66] = '\0';
	dcm_text(&d, 0x00100020, "LO", longer);
	dcm_text(&d, 0x0020000e, "UI", "1.2.3.");
	dcm_text(&d, 0x00200011, "IS", "-3");
	h = look(&d);
	assert_string_equal(h.study, "");
	assert_string_equal(h.series, "1.2.3.");
	assert_string_equal(h.patient, "");
	assert_string_equal(h.modality, "MR");
	assert_int_equal(h.date, 19950626);
	assert_int_equal(h.series_number, 0);
}

static void test_no_dicom(void **state)
{
	static const char *const begins[] = {
		"", "\x08", "%PDF-1.7\n", "PK\x03\x04", "\x08\x00\x05\x00",
	};
	struct dcm d = { 0 };
	struct dicom_header h;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(begins); i++) {
		dcm_add(&d, begins[i], strlen(begins[i]));
		look(&d);
		dcm_add(&d, begins[i], strlen(begins[i]));
		dcm_zero(&d, 20000);
		check_none(&d);
	}
	/* Tags that go back: bytes that only look like it. */
	dcm_text(&d, 0x00080060, "CS", "CT");
	dcm_text(&d, 0x00080005, "CS", "");
	dcm_elements(&d, &image);
	h = look(&d);
	assert_string_equal(h.study, "");
	assert_string_equal(h.modality, "");
}

/* A caller that gives less than it should does not make it run for ever. */
static void test_starved(void **state)
{
	struct dicom_reader r;

	dicom_begin(&r, 100000);
	assert_int_equal(dicom_feed(&r, NULL, 0), 0);
	dicom_begin(&r, 100000);
	assert_int_equal(dicom_feed(&r, "\x08\0\x05\0CS\x04\0", 8), 1);
	assert_int_equal(r.off, 12);
	assert_int_equal(dicom_feed(&r, "\x08\0", 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntaxes),
		cmocka_unit_test(test_deflated),
		cmocka_unit_test(test_without_preamble),
		cmocka_unit_test(test_wrong_syntax),
		cmocka_unit_test(test_lying_meta),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_unknown_sequence),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_large_private),
		cmocka_unit_test(test_one_read),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_odd_length),
		cmocka_unit_test(test_lying_lengths),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_wrong_ends),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_dicom),
		cmocka_unit_test(test_starved),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
