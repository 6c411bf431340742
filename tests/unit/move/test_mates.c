/* SPDX-License-Identifier: Apache-2.0 */
/* What comes along with a file: a study's files, and those behind a file of
 * a directory that is read in order (S26). */
#include "tests/unit/move/slow.h"

#include "tests/dicom.h"

#define FILES 64
#define SLICE (64 * KIB)

static uint64_t slice[FILES];
static size_t slice_len;

static void make_image(uint64_t parent, unsigned i, size_t bytes)
{
	char name[16], number[16];
	struct dcm_image im = { .study = "1.2.3",
				.series = "1.2.3.1",
				.number = number,
				.modality = "CT",
				.bytes = bytes };
	struct cache_file *f;
	struct dcm d = { 0 };

	snprintf(name, sizeof(name), "%u", i);
	snprintf(number, sizeof(number), "%u", 1000 + i);
	dcm_file(&d, &im);
	slice[i] = new_file_in(parent, name, S_IFREG | 0644);
	f = file_open(slice[i], true);
	assert_int_equal(cache_pwrite(f, d.b.data, d.b.len, 0), d.b.len);
	file_close(f, true);
	slice_len = d.b.len;
	dcm_done(&d);
}

static void make_slice(uint64_t parent, unsigned i)
{
	make_image(parent, i, SLICE);
}

static void make_document(uint64_t parent, unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", i);
	slice[i] = new_file_in(parent, name, S_IFREG | 0644);
	write_file(slice[i], i, SLICE);
	slice_len = SLICE;
}

/* All protected in packs of `object` bytes, and evicted. */
static void make_files(void (*make)(uint64_t parent, unsigned i), size_t object)
{
	uint64_t dir_ino = new_file_in(META_ROOT_INO, "d", S_IFDIR | 0755);
	unsigned i;

	stop_move();
	mopts.object_size = object;
	mopts.streams = 1;
	for (i = 0; i < FILES; i++)
		make(dir_ino, i);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(start_move(), 0);
	for (i = 0; i < FILES; i++)
		assert_true(wait_state(slice[i], META_LOCAL));
	for (i = 0; i < FILES; i++)
		evict_file(slice[i]);
}

static bool slice_here(unsigned i)
{
	struct cache_file *f = file_open(slice[i], false);
	bool here = is_here(f, 0, slice_len);

	file_close(f, false);
	return here;
}

/* As a program opens, reads and closes. */
static int read_slice(unsigned i)
{
	struct cache_file *f = file_open(slice[i], false);
	int rc;

	move_opened(mv, slice[i]);
	rc = read_at(f, 0, slice_len, 0);
	move_asked(mv, slice_len);
	file_close(f, false);
	return rc;
}

static unsigned count_here(void)
{
	unsigned i, n = 0;

	for (i = 0; i < FILES; i++)
		n += slice_here(i);
	return n;
}

/* Until nothing is under way. */
static void wait_still(void)
{
	LOCK_SCOPE(&mv->fetcher.lock);
	while (mv->fetcher.list) {
		pthread_mutex_unlock(&mv->fetcher.lock);
		clock_sleep_ns(2000000);
		pthread_mutex_lock(&mv->fetcher.lock);
	}
}

/* The first touch, of whichever file, is one GET of all. */
static void test_study(void **state)
{
	struct store_counts n;
	unsigned i;

	make_files(make_slice, 16 * MIB);
	assert_int_equal(count_packs(META_PACK_STORED), 1);
	assert_int_equal(read_slice(FILES / 2), 0);
	wait_still();
	assert_int_equal(count_here(), FILES);
	for (i = 0; i < FILES; i++)
		assert_int_equal(read_slice(i), 0);
	n = read_counts();
	assert_int_equal(n.gets, 1);
	cache_settle(c);
	for (i = 0; i < FILES; i++)
		assert_int_equal(state_of(slice[i]), META_LOCAL);
}

/* Read in order, the packs to come are fetched before they are needed. */
static void test_study_in_order(void **state)
{
	struct move_recall_stats r;
	int packs;
	unsigned i;

	make_files(make_slice, 8 * SLICE);
	packs = count_packs(META_PACK_STORED);
	assert_in_range(packs, 8, 12);
	for (i = 0; i < FILES; i++) {
		assert_int_equal(read_slice(i), 0);
		wait_still();
		if (i == 1)
			assert_true(count_here() >= 10);
	}
	assert_int_equal(read_counts().gets, packs);
	move_recall_stats(mv, &r);
	assert_int_equal(r.requests, packs);
	assert_int_equal(r.fetched, read_counts().in_bytes);
	assert_true(r.asked >= FILES * slice_len);
}

/* A pack that has no bytes is none of those to come. */
static void test_study_of_large(void **state)
{
	struct meta_instance at;
	struct meta_pack pack[8];
	META_TXN(t);

	stop_move();
	mopts.object_size = 4 * SLICE;
	make_image(META_ROOT_INO, 0, 10 * SLICE);
	assert_int_equal(start_move(), 0);
	protect_all(slice[0]);
	assert_int_equal(count_packs(META_PACK_STORED), 4);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_instance_get(&t, slice[0], &at), 0);
	assert_int_equal(meta_pack_study(&t, at.study, 0, pack, 8), 3);
}

/* Who jumps gets the packs that he touches, and no more. */
static void test_study_jumps(void **state)
{
	make_files(make_slice, 8 * SLICE);
	assert_int_equal(read_slice(40), 0);
	assert_int_equal(read_slice(3), 0);
	assert_int_equal(read_slice(60), 0);
	wait_still();
	assert_int_equal(read_counts().gets, 3);
}

/* The list covers mates, too: whoever comes meanwhile shares. */
static void test_study_shared(void **state)
{
	struct cache_file *f;

	make_files(make_slice, 16 * MIB);
	slow_set(4 * SLICE, true);
	assert_int_equal(read_slice(0), 0); /* it has arrived */
	slow_wait(1);
	f = file_open(slice[2], false);
	assert_int_equal(read_at(f, 0, slice_len, 0), 0);
	file_close(f, false);
	assert_false(slice_here(FILES - 1));
	slow_set(SIZE_MAX, false);
	wait_still();
	assert_int_equal(read_counts().gets, 1);
	assert_int_equal(count_here(), FILES);
}

/* A bad mate spoils itself only. */
static void test_study_bad_mate(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	struct meta_extent e;
	struct meta_pack p;
	META_TXN(t);

	make_files(make_slice, 16 * MIB);
	pack_of(slice[5], &p);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_extent_brief(&t, slice[5], 0, &e, 1), 1);
	meta_abort(&t);
	object_get(p.object, &b);
	b.data[e.pack_off + 40] ^= 1;
	object_put(p.object, &b);
	assert_int_equal(read_slice(4), 0);
	wait_still();
	assert_false(slice_here(5));
	assert_true(slice_here(6));
	assert_int_equal(read_slice(5), -EIO);
	b.data[e.pack_off + 40] ^= 1;
	object_put(p.object, &b);
	assert_int_equal(read_slice(5), 0);
}

/* A mate that became another version meanwhile is left alone. */
static void test_study_changed_mate(void **state)
{
	struct cache_file *f, *changed;

	make_files(make_slice, 16 * MIB);
	changed = file_open(slice[7], true);
	f = file_open(slice[0], false);
	slow_set(0, true);
	move_ahead(mv, f, 0, slice_len); /* with all its mates */
	slow_wait(1);
	assert_int_equal(cache_truncate(changed, 0), 0);
	write_at(changed, 9, 0, 100);
	slow_set(SIZE_MAX, false);
	wait_still();
	assert_int_equal(cache_size(changed), 100);
	expect_at(changed, 9, 0, 100);
	file_close(changed, true);
	assert_int_equal(count_here(), FILES);
	file_close(f, false);
}

/* Without room nothing comes along. */
static void test_study_no_room(void **state)
{
	uint64_t warm;

	make_files(make_slice, 16 * MIB);
	stop_move();
	opts.size = 4 * MIB;
	reopen();
	assert_int_equal(start_move(), 0);
	warm = make_file("warm", 1, 3500 * KIB);
	protect_all(warm);
	assert_int_equal(read_slice(0), 0);
	wait_still();
	assert_true(slice_here(0));
	assert_true(count_here() < 8);
	assert_int_equal(state_of(warm), META_LOCAL);
}

/* All of the pack would take longer than anybody waits, and more than that is
 * lost: as much comes along as the line brings in time. */
static void test_slow_line(void **state)
{
	uint64_t large;
	unsigned i;

	large = protected_file("large", 1, MIB);
	make_files(make_slice, 16 * MIB);
	slow.step_ns = 8000000; /* all of it: 2 s, at least */
	stop_move();
	mopts.read_wait_ns = NSEC_PER_SEC;
	assert_int_equal(start_move(), 0);
	recall(large, 0, MIB); /* the line is known from now on */
	wait_still();
	for (i = 0; i < FILES; i++) {
		assert_int_equal(read_slice(FILES - 1 - i), 0);
		wait_still();
	}
	assert_true(read_counts().gets < FILES);
	slow.step_ns = 0;
}

/* Of a directory's pack: its own frames, until the next one follows. */
static void test_directory(void **state)
{
	struct store_counts n;
	unsigned i;

	make_files(make_document, 16 * MIB);
	assert_int_equal(count_packs(META_PACK_STORED), 1);
	assert_int_equal(read_slice(10), 0);
	assert_int_equal(read_slice(30), 0);
	assert_int_equal(read_slice(20), 0);
	wait_still();
	assert_int_equal(count_here(), 3);
	n = read_counts();
	assert_int_equal(n.gets, 3);
	assert_int_equal(n.in_bytes, sealed(slice[10], 0, SLICE) +
					     sealed(slice[30], 0, SLICE) +
					     sealed(slice[20], 0, SLICE));
	assert_int_equal(read_slice(21), 0); /* follows 20 */
	wait_still();
	assert_true(slice_here(22));
	assert_false(slice_here(9));
	assert_int_equal(read_counts().gets, 4);
	for (i = 31; i < FILES; i++)
		assert_int_equal(read_slice(i), 0);
	assert_true(read_counts().gets <= 8);
}

/* What nobody opened is not brought for ever. */
static void test_waste(void **state)
{
	uint64_t before;

	make_files(make_slice, 16 * MIB);
	mv->mates.brought = 1ULL << 30;
	mv->mates.opened = 1ULL << 20;
	mv->mates.waste_ns = clock_boot_ns();
	assert_int_equal(read_slice(0), 0);
	wait_still();
	assert_int_equal(count_here(), 1);
	mv->mates.brought = 0;
	before = read_counts().gets;
	assert_int_equal(read_slice(8), 0);
	wait_still();
	assert_int_equal(count_here(), FILES);
	assert_true(read_counts().gets <= before + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLOW_TEST(test_study),
		SLOW_TEST(test_study_in_order),
		SLOW_TEST(test_study_of_large),
		SLOW_TEST(test_study_jumps),
		SLOW_TEST(test_study_shared),
		SLOW_TEST(test_study_bad_mate),
		SLOW_TEST(test_study_changed_mate),
		SLOW_TEST(test_study_no_room),
		SLOW_TEST(test_slow_line),
		SLOW_TEST(test_directory),
		SLOW_TEST(test_waste),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
