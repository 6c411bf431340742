/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only what changed is sent (S27), and a file can be rebuilt from packs alone
 * all the same (rebuild.h).
 *
 * First argument: rounds of random changes; 600 when MERSEY_FULL is set.
 */
#include "tests/unit/move/rebuild.h"

#include "meta/internal.h"

#define PACK_BYTES (4 * MIB)

static unsigned rounds = 60;

/* Nobody cuts the power of this test: nothing is synced, so that it is quick
 * beside others that write. */
int fsync(int fd)
{
	return 0;
}

int fdatasync(int fd)
{
	return 0;
}

static int setup(void **state)
{
	if (move_setup(state) < 0)
		return -1;
	stop_move();
	mopts.object_size = PACK_BYTES;
	mopts.settle_ns = 3600 * NSEC_PER_SEC;
	return start_move();
}

static void restart_move(void)
{
	stop_move();
	assert_int_equal(start_move(), 0);
}

static struct store_counts sent(void)
{
	struct store_counts n;

	store_meter_read(&counts[STORE_CAUSE_PROTECT], &n);
	return n;
}

/* Each extent names a stored pack, and each pack knows how many name it. */
static void check_counts(uint64_t ino)
{
	struct meta_extent e[512];
	struct meta_pack p;
	uint64_t end = 0;
	int i, k, n;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_extent_checked(&t, ino, 0, UINT64_MAX, e, ARRAY_SIZE(e));
	assert_true(n >= 0 && n < (int)ARRAY_SIZE(e));
	for (i = 0; i < n; i++) {
		uint64_t names = 0;

		for (k = 0; k < n; k++)
			names += e[k].pack == e[i].pack;
		assert_int_equal(meta_pack_get(&t, e[i].pack, &p), 0);
		assert_int_equal(p.state, META_PACK_STORED);
		assert_true(p.extents >= names);
		assert_true(e[i].off >= end);
		assert_non_null(e[i].check);
		end = e[i].off + e[i].len;
	}
	while (n > 0)
		meta_extent_done(&e[--n]);
}

static void all_right(struct bytes *b)
{
	protect_it(b->ino);
	check_counts(b->ino);
	rebuild_check(b);
	if (b->size)
		evict_file(b->ino);
	bytes_check(b);
}

/* ---- one change after the other --------------------------------------- */

#define LARGE (6 * PACK_BYTES + 12345)

/* What changed costs one PUT of a block; all else stays where it is. */
static void test_small_change(void **state)
{
	CLEANUP(bytes_done) struct bytes b;
	struct store_counts before, after;

	bytes_init(&b, "large", LARGE + 8 * MIB);
	bytes_write(&b, 1, 0, LARGE);
	protect_it(b.ino);
	before = sent();
	bytes_write(&b, 2, 3 * PACK_BYTES + 5 * FRAME + 17, 4096);
	all_right(&b);
	after = sent();
	assert_int_equal(after.puts - before.puts, 1);
	assert_true(after.out_bytes - before.out_bytes < 1100 * KIB);
	/* Once more in the same block, and at the very end. */
	bytes_write(&b, 3, 3 * PACK_BYTES + 6 * FRAME, 1);
	bytes_write(&b, 4, LARGE - 1, 1);
	all_right(&b);
	assert_int_equal(sent().puts - after.puts, 1);
	/* What was sent for the two before, and what named the first. */
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 3);
	/* It grows. */
	before = sent();
	bytes_write(&b, 5, LARGE, 3 * MIB);
	all_right(&b);
	after = sent();
	assert_int_equal(after.puts - before.puts, 1);
	assert_true(after.out_bytes - before.out_bytes < 5 * MIB);
}

/* Opened for writing, and closed as it was: nothing is sent. */
static void test_unchanged(void **state)
{
	static const size_t size[] = { 1,	  4096,	       FRAME,
				       FRAME + 1, 3 * MIB + 5, LARGE };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		CLEANUP(bytes_done) struct bytes b;
		struct store_counts before;
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		bytes_init(&b, name, size[i]);
		bytes_write(&b, i, 0, size[i]);
		protect_it(b.ino);
		before = sent();
		bytes_touch(&b, size[i] / 2);
		assert_int_equal(state_of(b.ino), META_DIRTY);
		all_right(&b);
		assert_int_equal(sent().puts, before.puts);
	}
	assert_int_equal(count_packs(META_PACK_CONDEMNED), 0);
}

/* Shorter, longer, with holes and without: each is another file. */
static void test_shapes(void **state)
{
	CLEANUP(bytes_done) struct bytes b;
	struct store_counts before;

	bytes_init(&b, "shape", 40 * MIB);
	bytes_write(&b, 1, 0, 20 * MIB);
	all_right(&b);
	before = sent();
	bytes_cut(&b, 15 * MIB); /* between frames: no byte is new */
	all_right(&b);
	assert_int_equal(sent().puts - before.puts, 1);
	assert_true(sent().out_bytes - before.out_bytes < 10 * KIB);
	bytes_cut(&b, 14 * MIB + 7);
	all_right(&b);
	bytes_cut(&b, 30 * MIB); /* what was cut off does not come back */
	all_right(&b);
	before = sent();
	bytes_punch(&b, 2 * MIB, 5 * MIB);
	all_right(&b);
	assert_true(sent().out_bytes - before.out_bytes < 10 * KIB);
	bytes_write(&b, 9, 3 * MIB, 10);
	all_right(&b);
	bytes_cut(&b, 0);
	all_right(&b);
	bytes_cut(&b, 25 * MIB);
	all_right(&b);
	bytes_cut(&b, 24 * MIB);
	all_right(&b);
	bytes_write(&b, 10, 0, 24 * MIB);
	all_right(&b);
}

/* Many changes here and there: a region in pieces is sent as a whole. */
static void test_fragments(void **state)
{
	CLEANUP(bytes_done) struct bytes b;
	struct meta_extent e[512];
	unsigned i;
	META_TXN(t);
	int n;

	stop_move();
	mopts.object_size = 16 * MIB;
	assert_int_equal(start_move(), 0);
	bytes_init(&b, "busy", 40 * MIB);
	bytes_write(&b, 1, 0, 40 * MIB);
	protect_it(b.ino);
	for (i = 0; i < rounds / 3; i++) {
		bytes_write(&b, i + 2, (i * 7 % 40) * MIB + 99, 100);
		protect_it(b.ino);
		check_counts(b.ino);
	}
	assert_int_equal(meta_read(m, &t), 0);
	n = meta_extent_brief(&t, b.ino, 0, e, ARRAY_SIZE(e));
	meta_abort(&t);
	assert_true(n <= 3 * 9);
	rebuild_check(&b);
	evict_file(b.ino);
	bytes_check(&b);
}

/* Small files share packs; a change of one leaves the others' alone. */
static void test_shared_pack(void **state)
{
	struct bytes b[5];
	char name[8];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(b); i++) {
		snprintf(name, sizeof(name), "%u", i);
		bytes_init(&b[i], name, 3 * MIB);
		bytes_write(&b[i], i, 0, 600 * KIB);
	}
	bytes_write(&b[2], 2, 0, 2500 * KIB);
	move_protect_now(mv, 0);
	for (i = 0; i < ARRAY_SIZE(b); i++)
		assert_true(wait_state(b[i].ino, META_LOCAL));
	bytes_write(&b[2], 7, 100, 100);
	bytes_touch(&b[3], 5);
	for (i = 0; i < ARRAY_SIZE(b); i++) {
		all_right(&b[i]);
		bytes_done(&b[i]);
	}
}

/* Extents of a database from before there were checks. */
static void test_no_checks(void **state)
{
	CLEANUP(bytes_done) struct bytes b;
	struct store_counts before;

	bytes_init(&b, "old", LARGE);
	bytes_write(&b, 1, 0, LARGE);
	protect_it(b.ino);
	assert_int_equal(
		db_exec(m->conn.db, "UPDATE extent SET frame_check = NULL"), 0);
	before = sent();
	bytes_touch(&b, 0);
	all_right(&b);
	assert_int_equal(sent().puts - before.puts, 8);
	bytes_touch(&b, 0);
	all_right(&b);
	assert_int_equal(sent().puts - before.puts, 8);
}

/* ---- anything, in any order ------------------------------------------- */

static uint64_t rnd_state = 1;

static uint32_t rnd(uint32_t n)
{
	rnd_state = rnd_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rnd_state >> 33) % n;
}

#define SPACE (11 * MIB)

static void change(struct bytes *b)
{
	size_t off = rnd(SPACE), n = 1 + rnd(rnd(2) ? 5000 : 2 * MIB);

	if (rnd(2))
		off &= ~(FRAME - 1);
	n = MIN(n, SPACE - off);
	switch (rnd(6)) {
	case 0:
		bytes_cut(b, off);
		break;
	case 1:
		bytes_punch(b, off, n);
		break;
	case 2:
		if (b->size)
			bytes_touch(b, rnd((uint32_t)b->size));
		break;
	default:
		bytes_write(b, rnd(1000), off, n);
	}
}

static void test_random(void **state)
{
	struct bytes b[3];
	unsigned i, k;
	char name[8];
	META_TXN(t);

	for (k = 0; k < ARRAY_SIZE(b); k++) {
		snprintf(name, sizeof(name), "%u", k);
		bytes_init(&b[k], name, SPACE);
	}
	faults = 3;
	SET(fail_percent, faults);
	SET(lose_percent, faults);
	for (i = 0; i < rounds; i++) {
		k = rnd(ARRAY_SIZE(b));
		change(&b[k]);
		if (rnd(3) == 0)
			continue;
		protect_it(b[k].ino);
		check_counts(b[k].ino);
		if (rnd(4) == 0)
			rebuild_check(&b[k]);
		if (rnd(3) == 0 && b[k].size)
			evict_file(b[k].ino);
		if (rnd(12) == 0)
			restart();
		if (rnd(3) == 0)
			bytes_check(&b[k]);
	}
	faults = 0;
	SET(fail_percent, 0);
	SET(lose_percent, 0);
	for (k = 0; k < ARRAY_SIZE(b); k++) {
		all_right(&b[k]);
		bytes_done(&b[k]);
	}
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals_verify(&t, NULL), 0);
}

/* ---- what fails ------------------------------------------------------- */

/* The store is away in the middle: packs of the attempt are condemned, those
 * that the old version has are not, and the next attempt does it. */
static void test_interrupted(void **state)
{
	CLEANUP(bytes_done) struct bytes b;
	int stored, i;

	bytes_init(&b, "large", LARGE);
	bytes_write(&b, 1, 0, LARGE);
	protect_it(b.ino);
	stored = count_packs(META_PACK_STORED);
	for (i = 0; i < 3; i++) {
		bytes_write(&b, 2, i * MIB, 6 * MIB);
		SET(down, true);
		while (count_packs(META_PACK_INTENT) == 0) {
			move_protect_now(mv, b.ino);
			clock_sleep_ns(10000000);
		}
		restart_move();
		assert_int_equal(count_packs(META_PACK_STORED), stored);
		assert_int_equal(state_of(b.ino), META_DIRTY);
		SET(down, false);
		all_right(&b);
		check_counts(b.ino);
		stored = count_packs(META_PACK_STORED);
	}
}

/* What was to stay is gone when the new version is named, as when a copy of
 * the open file was named meanwhile: all is done again, and right. */
static void test_replaced(void **state)
{
	CLEANUP(bytes_done) struct bytes b;

	bytes_init(&b, "large", LARGE);
	bytes_write(&b, 1, 0, LARGE);
	protect_it(b.ino);
	bytes_write(&b, 2, 5, 5);
	SET(down, true);
	while (count_packs(META_PACK_INTENT) == 0) {
		move_protect_now(mv, b.ino);
		clock_sleep_ns(10000000);
	}
	{
		META_TXN(t);

		assert_int_equal(meta_begin(m, &t), 0);
		assert_int_equal(meta_extent_clear(&t, b.ino, NULL, 0, 1), 0);
		assert_int_equal(meta_commit(&t, NULL), 0);
	}
	SET(down, false);
	all_right(&b);
}

static void check_no_idle_packs(void)
{
	struct meta_pack p[16];
	int i, n;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_pack_list(&t, META_PACK_STORED, 0, INT64_MAX, p,
			   ARRAY_SIZE(p));
	assert_in_range(n, 1, ARRAY_SIZE(p) - 1);
	for (i = 0; i < n; i++)
		assert_true(p[i].extents > 0);
}

/* A pack whose one file with bytes changes while it is sent, beside one that
 * needs none of them: nothing names it, so it goes. */
static void test_idle_pack(void **state)
{
	CLEANUP(bytes_done) struct bytes same, other;

	bytes_init(&same, "same", FRAME);
	bytes_init(&other, "other", FRAME);
	bytes_write(&same, 1, 0, FRAME);
	bytes_write(&other, 1, 0, FRAME);
	protect_it(same.ino);
	protect_it(other.ino);
	bytes_touch(&same, 5);
	bytes_write(&other, 2, 0, FRAME);
	SET(down, true);
	while (count_packs(META_PACK_INTENT) == 0) {
		move_protect_now(mv, 0);
		clock_sleep_ns(10000000);
	}
	bytes_write(&other, 3, 0, FRAME);
	SET(down, false);
	assert_true(wait_state(same.ino, META_LOCAL));
	all_right(&same);
	all_right(&other);
	check_no_idle_packs();
}

/* A writer comes while it is sent: neither version is mixed up. */
static void test_overtaken(void **state)
{
	CLEANUP(bytes_done) struct bytes b;
	unsigned i;

	bytes_init(&b, "large", LARGE);
	bytes_write(&b, 1, 0, LARGE);
	protect_it(b.ino);
	for (i = 0; i < 12; i++) {
		bytes_write(&b, 2 + i, i * 2 * MIB, MIB + 1);
		move_protect_now(mv, 0);
		clock_sleep_ns(rnd(20000000));
	}
	all_right(&b);
}

#define CHANGED_TEST(f) cmocka_unit_test_setup_teardown(f, setup, move_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CHANGED_TEST(test_small_change), CHANGED_TEST(test_unchanged),
		CHANGED_TEST(test_shapes),	 CHANGED_TEST(test_fragments),
		CHANGED_TEST(test_shared_pack),	 CHANGED_TEST(test_no_checks),
		CHANGED_TEST(test_random),	 CHANGED_TEST(test_interrupted),
		CHANGED_TEST(test_overtaken),	 CHANGED_TEST(test_replaced),
		CHANGED_TEST(test_idle_pack),
	};

	const char *full = getenv("MERSEY_FULL");

	if (argc > 1)
		rounds = (unsigned)atoi(argv[1]);
	if (full && *full)
		rounds = 600;
	return RUN_TESTS(tests, NULL, NULL);
}
