/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in which pack: studies by themselves, in their order, wherever
 * their files are; documents by directory. When a file was closed is set in
 * its row, so that nothing here depends on how fast it runs.
 */
#include "tests/unit/move/util.h"

#include "tests/dicom.h"

#define HOUR	 (3600 * NSEC_PER_SEC)
#define UID_SIZE 65

struct one {
	unsigned study, series, number;
	uint64_t ino;
};

static void write_dcm(uint64_t ino, const struct dcm *d)
{
	struct cache_file *f = file_open(ino, true);

	assert_int_equal(cache_truncate(f, 0), 0);
	assert_int_equal(cache_pwrite(f, d->b.data, d->b.len, 0), d->b.len);
	file_close(f, true);
}

static void study_uid(unsigned study, char out[UID_SIZE])
{
	snprintf(out, UID_SIZE, "1.2.826.0.1.3680043.8.498.%u", study);
}

static void write_image(const struct one *o, size_t bytes)
{
	char study[UID_SIZE], series[2 * UID_SIZE], number[16];
	struct dcm_image im = { .study = study,
				.series = series,
				.number = number,
				.modality = o->series > 90 ? "SR" : "MR",
				.bytes = bytes };
	struct dcm d = { 0 };

	study_uid(o->study, study);
	snprintf(series, sizeof(series), "%s.%u", study, o->series);
	snprintf(number, sizeof(number), "%u", o->number);
	dcm_file(&d, &im);
	write_dcm(o->ino, &d);
	dcm_done(&d);
}

static void add_image(uint64_t parent, struct one *o, size_t bytes)
{
	char name[64];

	/* Names that say nothing. */
	snprintf(name, sizeof(name), "%08x",
		 (o->study * 1000 + o->series * 100 + o->number) * 2654435761u);
	o->ino = new_file_in(parent, name, S_IFREG | 0644);
	write_image(o, bytes);
}

static uint64_t add_document(uint64_t parent, unsigned n, size_t bytes)
{
	char name[64];
	uint64_t ino;

	snprintf(name, sizeof(name), "letter%u.pdf", n);
	ino = new_file_in(parent, name, S_IFREG | 0644);
	write_file(ino, n, bytes);
	return ino;
}

static uint64_t add_dir(const char *name)
{
	return new_file_in(META_ROOT_INO, name, S_IFDIR | 0755);
}

/* As if the last close had been so long ago. */
static void closed_ago(uint64_t ino, int64_t ns)
{
	struct meta_inode row;

	row_get(ino, &row);
	row.settle_ns = clock_wall_ns() - ns;
	row_put(&row);
}

/* With one stream packs are made in the order of their rows. */
static void start_with(int64_t settle_ns)
{
	assert_int_equal(cache_flush(c), 0);
	mopts.settle_ns = settle_ns;
	mopts.streams = 1;
	assert_int_equal(start_move(), 0);
}

static int setup(void **state)
{
	int rc = move_setup(state);

	if (rc == 0)
		stop_move();
	return rc;
}

static void all_local(const struct one *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(wait_state(o[i].ino, META_LOCAL));
}

static uint64_t study_row(unsigned study)
{
	char uid[UID_SIZE];
	struct meta_study s;
	META_TXN(t);

	study_uid(study, uid);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_study_find(&t, uid, &s), 0);
	assert_string_equal(s.patient, "9434765919");
	assert_int_equal(s.date, 20261129);
	return s.row;
}

/* The files of a pack in the order of its bytes. */
static int members(uint64_t pack, uint64_t *ino, int max)
{
	CLEANUP_FREE struct meta_extent *e = calloc((size_t)max, sizeof(*e));
	META_TXN(t);
	int n, i;

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_pack_members(&t, pack, 0, e, (size_t)max);
	assert_true(n > 0 && n < max);
	for (i = 0; i < n; i++) {
		ino[i] = e[i].ino;
		meta_extent_done(&e[i]);
	}
	return n;
}

static const struct one *find(const struct one *o, size_t n, uint64_t ino)
{
	size_t i;

	for (i = 0; i < n && o[i].ino != ino; i++)
		;
	return i < n ? &o[i] : NULL;
}

static bool comes_after(const struct one *a, const struct one *b)
{
	return a->series != b->series ? a->series > b->series
				      : a->number > b->number;
}

/* All packs of a study hold its files and no others, in order: how many. */
static int check_study(unsigned study, const struct one *o, size_t n)
{
	struct meta_pack p[50];
	uint64_t row = study_row(study), ino[200];
	const struct one *last = NULL;
	size_t files = 0, want = 0, i;
	int packs, k, got;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	packs = meta_pack_study(&t, row, 0, p, 50);
	meta_abort(&t);
	assert_true(packs > 0 && packs < 50);
	for (k = 0; k < packs; k++) {
		got = members(p[k].row, ino, 200);
		for (i = 0; i < (size_t)got; i++, files++) {
			const struct one *at = find(o, n, ino[i]);

			assert_non_null(at);
			assert_int_equal(at->study, study);
			assert_true(!last || comes_after(at, last));
			last = at;
		}
	}
	for (i = 0; i < n; i++)
		want += o[i].study == study;
	assert_int_equal(files, want);
	return packs;
}

/* ---- grouping ------------------------------------------------------- */

/* Two studies and letters arrive at once, in three directories, backwards. */
static void test_interleaved(void **state)
{
	struct one o[48];
	uint64_t d[3], letter[12];
	struct meta_pack p, q;
	char name[16];
	unsigned i;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		d[i] = add_dir(name);
	}
	for (i = 0; i < 48; i++) {
		o[i] = (struct one){ .study = 1 + i % 2,
				     .series = 2 - i / 2 % 2,
				     .number = 48 - i };
		add_image(d[i % 3], &o[i], 5000);
		if (i % 4 == 0)
			letter[i / 4] = add_document(d[i % 3], i, 3000);
	}
	start_with(0);
	all_local(o, 48);
	assert_int_equal(check_study(1, o, 48), 1);
	assert_int_equal(check_study(2, o, 48), 1);
	for (i = 0; i < 12; i++)
		assert_true(wait_state(letter[i], META_LOCAL));
	pack_of(letter[0], &p);
	assert_int_equal(p.study, 0);
	for (i = 1; i < 12; i++) {
		pack_of(letter[i], &q);
		assert_int_equal(q.row, p.row);
	}
	assert_int_equal(count_packs(META_PACK_STORED), 3);
}

/* One that needs more packs than one: each as full as can be. */
static void test_large_study(void **state)
{
	struct one o[60];
	uint64_t d = add_dir("d");
	unsigned i;

	for (i = 0; i < 60; i++) {
		o[i] = (struct one){ .study = 1,
				     .series = 1 + i * 7 % 5,
				     .number = 1 + i };
		add_image(i % 2 ? d : META_ROOT_INO, &o[i], 20000);
	}
	start_with(0);
	all_local(o, 60);
	assert_true(check_study(1, o, 60) <=
		    60 * 20500 / (int)(OBJECT - 20500));
}

/* A file that is larger than a pack is of its study too; the pack that only
 * names it has nothing for who reads the study. */
static void test_large_file(void **state)
{
	struct one o[4];
	struct meta_pack p[8];
	unsigned i;
	int all;
	META_TXN(t);

	for (i = 0; i < 4; i++) {
		o[i] = (struct one){ .study = 1, .series = 1, .number = 1 + i };
		add_image(META_ROOT_INO, &o[i], i == 1 ? 3 * OBJECT : 1000);
	}
	start_with(0);
	all_local(o, 4);
	all = count_packs(META_PACK_STORED);
	assert_true(all >= 4);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_pack_study(&t, 1, 0, p, 8), all - 1);
}

/* Many small directories do not become an object each. */
static void test_small_directories(void **state)
{
	uint64_t ino[240];
	char name[16];
	unsigned i, dirs = 0;
	uint64_t d = 0;

	for (i = 0; i < 240; i++) {
		if (i % 4 == 0) {
			snprintf(name, sizeof(name), "patient%u", dirs++);
			d = add_dir(name);
		}
		ino[i] = add_document(d, i, 8192);
	}
	start_with(0);
	for (i = 0; i < 240; i++)
		assert_true(wait_state(ino[i], META_LOCAL));
	assert_true(count_packs(META_PACK_STORED) <=
		    1 + (int)(240 * 8192 / (OBJECT / 2)));
}

/* Asked for one by one, in no order, and all at once. */
static void test_wishes(void **state)
{
	struct one o[12];
	unsigned i;

	for (i = 0; i < 12; i++) {
		o[i] = (struct one){ .study = 1 + i % 2,
				     .series = 1 + i % 3,
				     .number = 12 - i };
		add_image(META_ROOT_INO, &o[i], 1000);
	}
	start_with(HOUR);
	for (i = 0; i < 11; i++)
		move_protect_wish(mv, o[i].ino);
	move_protect_now(mv, o[11].ino);
	all_local(o, 12);
	assert_int_equal(check_study(1, o, 12), 1);
	assert_int_equal(check_study(2, o, 12), 1);
	assert_int_equal(count_packs(META_PACK_STORED), 2);
}

/* Zeros and a text: what any frame of it that is tried is made smaller. */
static uint64_t add_shrinking(const char *name, const char *syntax)
{
	uint64_t ino = new_file(name);
	struct dcm d = { 0 };

	dcm_begin(&d, syntax);
	dcm_elements(&d, &(struct dcm_image){ .study = "1.2.3" });
	dcm_head(&d, 0x7fe00010, "OW", 150000);
	dcm_zero(&d, 150000);
	memset(d.b.data + d.b.len - 140000, 'x', 140000);
	write_dcm(ino, &d);
	dcm_done(&d);
	return ino;
}

static bool is_compressed(uint64_t ino)
{
	struct meta_extent e;
	bool compressed;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_extent_list(&t, ino, 0, 1, &e, 1), 1);
	compressed = e.table[0] & PACK_TABLE_COMPRESSED;
	meta_extent_done(&e);
	return compressed;
}

/* What its transfer syntax has compressed is not compressed again; that is
 * said for one file and not for the next. */
static void test_compressed_syntax(void **state)
{
	uint64_t ino[3] = { add_shrinking("a", DCM_EXPLICIT),
			    add_shrinking("b", DCM_JPEG2000),
			    add_shrinking("c", DCM_IMPLICIT) };
	unsigned i;

	start_with(0);
	for (i = 0; i < 3; i++) {
		assert_true(wait_state(ino[i], META_LOCAL));
		assert_int_equal(is_compressed(ino[i]), i != 1);
	}
}

/* ---- when ----------------------------------------------------------- */

/* A letter that settled long ago shows that protect has come by. */
static void protect_came_by(void)
{
	static unsigned n;
	uint64_t ino = add_document(META_ROOT_INO, 1000 + n++, 100);

	assert_int_equal(cache_flush(c), 0);
	closed_ago(ino, 9 * HOUR);
	stop_move();
	start_with(HOUR);
	assert_true(wait_state(ino, META_LOCAL));
}

/* The study is open until a settle time after its last file. */
static void test_settle_holds(void **state)
{
	struct one o[3];
	uint64_t d = add_dir("d");
	unsigned i;

	for (i = 0; i < 3; i++) {
		o[i] = (struct one){ .study = 1, .series = 1, .number = 1 + i };
		add_image(i ? d : META_ROOT_INO, &o[i], 1000);
	}
	assert_int_equal(cache_flush(c), 0);
	closed_ago(o[0].ino, 3 * HOUR);
	closed_ago(o[1].ino, 2 * HOUR);
	closed_ago(o[2].ino, HOUR / 2);
	protect_came_by();
	for (i = 0; i < 3; i++)
		assert_int_equal(state_of(o[i].ino), META_DIRTY);
	closed_ago(o[2].ino, 2 * HOUR);
	protect_came_by();
	all_local(o, 3);
	assert_int_equal(check_study(1, o, 3), 1);
}

/* What fills a pack does not wait, what has waited for long neither; but
 * once only in a while. */
static void test_endless_study(void **state)
{
	struct one o[16];
	uint64_t letter;
	unsigned i;

	for (i = 0; i < 16; i++) {
		o[i] = (struct one){ .study = 1, .series = 1, .number = 1 + i };
		add_image(META_ROOT_INO, &o[i], 25000);
	}
	assert_int_equal(cache_flush(c), 0);
	for (i = 0; i < 15; i++)
		closed_ago(o[i].ino, 2 * HOUR);
	closed_ago(o[15].ino, 0);
	protect_came_by(); /* one pack, and some are left */
	all_local(o, 10);
	assert_int_equal(state_of(o[14].ino), META_DIRTY);
	closed_ago(o[14].ino, 6 * HOUR);
	protect_came_by();
	all_local(o + 10, 5);
	assert_int_equal(state_of(o[15].ino), META_DIRTY);
	o[0] = (struct one){ .study = 1, .series = 1, .number = 99 };
	add_image(META_ROOT_INO, &o[0], 100);
	assert_int_equal(cache_flush(c), 0);
	closed_ago(o[0].ino, 6 * HOUR);
	letter = add_document(add_dir("d"), 1, 100);
	assert_int_equal(cache_flush(c), 0);
	closed_ago(letter, 6 * HOUR);
	move_wake(mv, &mv->stream[0].job);
	assert_true(wait_state(letter, META_LOCAL));
	assert_int_equal(state_of(o[0].ino), META_DIRTY);
}

/* Where a file belongs is known from its row after a restart, and read again
 * when it has changed. */
static void test_restart(void **state)
{
	struct one o[4];
	struct meta_instance at;
	unsigned i;
	META_TXN(t);

	for (i = 0; i < 4; i++) {
		o[i] = (struct one){ .study = 1, .series = 1, .number = 1 + i };
		add_image(META_ROOT_INO, &o[i], 1000);
	}
	assert_int_equal(cache_flush(c), 0);
	closed_ago(o[0].ino, 2 * HOUR);
	protect_came_by();
	stop_move();
	reopen();
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_instance_get(&t, o[3].ino, &at), 0);
	meta_abort(&t);
	assert_int_equal(at.study, study_row(1));
	assert_int_equal(at.number, 4);
	o[3].study = 2;
	write_image(&o[3], 2000);
	start_with(0);
	all_local(o, 4);
	assert_int_equal(check_study(1, o, 4), 1);
	assert_int_equal(check_study(2, o, 4), 1);
}

/* Neither is DICOM, whatever it says; both are protected. */
static void test_no_dicom(void **state)
{
	struct dcm d = { 0 };
	uint64_t ino[2] = { new_file("a.dcm"), new_file("empty.dcm") };
	struct meta_instance at;
	struct meta_pack p;
	META_TXN(t);

	dcm_begin(&d, DCM_EXPLICIT);
	dcm_head(&d, 0x00080005, "CS", 60000);
	write_dcm(ino[0], &d);
	dcm_done(&d);
	start_with(0);
	assert_true(wait_state(ino[0], META_LOCAL));
	assert_true(wait_state(ino[1], META_LOCAL));
	pack_of(ino[0], &p);
	assert_int_equal(p.study, 0);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_instance_get(&t, ino[1], &at), 0);
	assert_int_equal(at.study, 0);
}

#define STUDY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, move_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STUDY_TEST(test_interleaved),
		STUDY_TEST(test_large_study),
		STUDY_TEST(test_large_file),
		STUDY_TEST(test_wishes),
		STUDY_TEST(test_small_directories),
		STUDY_TEST(test_compressed_syntax),
		STUDY_TEST(test_settle_holds),
		STUDY_TEST(test_endless_study),
		STUDY_TEST(test_restart),
		STUDY_TEST(test_no_dicom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
