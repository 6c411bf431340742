/* SPDX-License-Identifier: Apache-2.0 */
/* Bad objects, stores that are away, writers that come between, no room. */
#include "tests/unit/move/util.h"

#include <pthread.h>

#define SIZE (3 * 65536 + 100)

/* P5: what does not authenticate is EIO, never bytes. */
static void expect_eio(uint64_t ino, uint64_t off)
{
	struct cache_file *f = file_open(ino, false);
	uint64_t before = gets();
	uint8_t b;

	assert_int_equal(state_of(ino), META_REMOTE);
	assert_int_equal(move_recall(mv, f, off, 1, STORE_CAUSE_READ, NULL),
			 -EIO);
	assert_true(gets() > before);
	assert_int_equal(cache_pread(f, &b, 1, off), -EAGAIN);
	file_close(f, false);
}

static void test_flipped(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	CLEANUP_BUF struct buf b = { 0 };
	struct meta_pack p;

	pack_of(ino, &p);
	object_get(p.object, &b);
	b.data[PACK_HEADER_SIZE + 70000] ^= 4; /* in the second frame */
	object_put(p.object, &b);
	expect_eio(ino, 65536);
	/* One bad frame spoils only itself. */
	assert_int_equal(recall(ino, 0, 65536), 0);
	assert_int_equal(recall(ino, 2 * 65536, 0), 0);
	assert_int_equal(recall(ino, 0, 0), -EIO);
	/* And is read again when it is mended. */
	b.data[PACK_HEADER_SIZE + 70000] ^= 4;
	object_put(p.object, &b);
	expect_file(ino, 1, SIZE);
}

static void test_truncated(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	CLEANUP_BUF struct buf b = { 0 };
	struct meta_pack p;

	pack_of(ino, &p);
	object_get(p.object, &b);
	b.len = PACK_HEADER_SIZE + 1000;
	object_put(p.object, &b);
	expect_eio(ino, 0);
	b.len = 10;
	object_put(p.object, &b);
	expect_eio(ino, 0);
}

static void test_missing(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	struct meta_pack p;

	pack_of(ino, &p);
	assert_int_equal(store_del1(bucket, p.object), 0);
	expect_eio(ino, 0);
}

static void test_swapped(void **state)
{
	uint64_t a = protected_file("a", 1, SIZE);
	uint64_t b = protected_file("b", 2, SIZE);
	CLEANUP_BUF struct buf ba = { 0 };
	CLEANUP_BUF struct buf bb = { 0 };
	struct meta_pack pa, pb;

	pack_of(a, &pa);
	pack_of(b, &pb);
	assert_int_not_equal(pa.row, pb.row);
	object_get(pa.object, &ba);
	object_get(pb.object, &bb);
	object_put(pa.object, &bb);
	object_put(pb.object, &ba);
	expect_eio(a, 0);
	expect_eio(b, 65536);
}

/* An older pack of the same file under the new one's key. */
static void test_replayed(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	CLEANUP_BUF struct buf old = { 0 };
	struct cache_file *f;
	struct meta_pack p;

	pack_of(ino, &p);
	object_get(p.object, &old);
	f = file_open(ino, true);
	assert_int_equal(cache_truncate(f, 0), 0);
	file_close(f, true);
	write_file(ino, 2, SIZE);
	protect_all(ino);
	evict_file(ino);
	pack_of(ino, &p);
	object_put(p.object, &old);
	expect_eio(ino, 0);
}

/* What the decorators do to answers: nothing wrong ever gets through. */
static void test_bad_answers(void **state)
{
	uint64_t ino = protected_file("a", 1, 8 * OBJECT);
	int i;

	SET(flip_percent, 50);
	SET(truncate_percent, 20);
	for (i = 0; i < 30; i++)
		recall(ino, 0, 0);
	SET(flip_percent, 0);
	SET(truncate_percent, 0);
	expect_file(ino, 1, 8 * OBJECT);
}

/* Until protect waits for the store; what it says. */
static const char *wait_waiting(void)
{
	static struct job_info job[8];
	int i, k;

	for (i = 0; i < 500; i++) {
		move_jobs(mv, job, 8);
		for (k = 0; k < 2; k++)
			if (job[k].waiting_for[0])
				return job[k].waiting_for;
		clock_sleep_ns(10000000);
	}
	assert_true(false);
	return "";
}

/* ---- away (P6, P10) --------------------------------------------------- */

static void test_down(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	uint64_t cached = make_file("b", 2, SIZE);
	int64_t start = clock_boot_ns(), took;
	uint64_t dirty;

	protect_all(cached);
	SET(down, true);
	assert_int_equal(recall(ino, 0, 1), -ETIMEDOUT);
	took = clock_boot_ns() - start;
	assert_true(took >= mopts.read_wait_ns);
	assert_true(took < 3 * mopts.read_wait_ns);
	expect_file(cached, 2, SIZE);
	dirty = make_file("c", 3, SIZE);
	move_protect_now(mv, 0);
	assert_non_null(
		strstr(wait_waiting(), "tier 'near': Connection refused"));
	assert_int_equal(state_of(dirty), META_DIRTY);
	SET(down, false);
	assert_true(wait_state(dirty, META_LOCAL));
	expect_file(ino, 1, SIZE);
}

/* What is no word about the object is "not now": a refusal, an archive class,
 * the page of a proxy. */
static void test_not_now(void **state)
{
	static const int error[] = { -EACCES, -ENOMEDIUM, -ENOTSUP, -EPROTO };
	uint64_t ino = protected_file("a", 1, SIZE);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(error); i++) {
		SET(error, error[i]);
		SET(fail_percent, 100);
		assert_int_equal(recall(ino, 0, 1), -ETIMEDOUT);
	}
	SET(fail_percent, 0);
	expect_file(ino, 1, SIZE);
}

static void *come_back(void *arg)
{
	clock_sleep_ns(NSEC_PER_SEC / 3);
	__atomic_store_n(&plan.down, false, __ATOMIC_RELAXED);
	return NULL;
}

static void test_back_in_time(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	pthread_t t;

	SET(down, true);
	pthread_create(&t, NULL, come_back, NULL);
	expect_file(ino, 1, SIZE);
	pthread_join(t, NULL);
}

static void test_cancel(void **state)
{
	uint64_t ino = protected_file("a", 1, SIZE);
	struct cache_file *f = file_open(ino, false);
	volatile bool cancel = true;

	SET(down, true);
	assert_int_equal(move_recall(mv, f, 0, 0, STORE_CAUSE_READ, &cancel),
			 -EINTR);
	file_close(f, false);
	SET(down, false);
}

/* S25: the answer was lost, the object is there: it counts, once. */
static void test_lost_answers(void **state)
{
	uint64_t ino;

	SET(lose_percent, 100);
	ino = make_file("a", 1, SIZE);
	move_protect_now(mv, 0);
	wait_waiting();
	assert_int_equal(state_of(ino), META_DIRTY);
	SET(lose_percent, 0);
	assert_true(wait_state(ino, META_LOCAL));
	assert_int_equal(count_packs(META_PACK_STORED), 1);
	evict_file(ino);
	expect_file(ino, 1, SIZE);
}

/* The one pack that is on its way. */
static void intent_get(struct meta_pack *out)
{
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(
		meta_pack_list(&t, META_PACK_INTENT, 0, INT64_MAX, out, 1), 1);
}

/* A store that refuses, or is full, is waited for: the same bytes are sent when
 * it takes them. */
static void test_refused(void **state)
{
	static const struct {
		int error;
		const char *text;
	} refusal[] = { { -ENOSPC, "No space left" },
			{ -EACCES, "Permission denied" } };
	struct meta_pack sent, stored;
	char name[8];
	uint64_t ino;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusal); i++) {
		snprintf(name, sizeof(name), "%zu", i);
		SET(error, refusal[i].error);
		SET(fail_percent, 100);
		ino = make_file(name, 1, SIZE);
		move_protect_now(mv, 0);
		assert_non_null(strstr(wait_waiting(), refusal[i].text));
		assert_int_equal(state_of(ino), META_DIRTY);
		intent_get(&sent);
		SET(fail_percent, 0);
		assert_true(wait_state(ino, META_LOCAL));
		assert_int_equal(count_packs(META_PACK_INTENT), 0);
		assert_int_equal(count_packs(META_PACK_CONDEMNED), 0);
		pack_of(ino, &stored);
		assert_string_equal(stored.object, sent.object);
	}
	/* P6: a refusal says nothing about the object. */
	evict_file(ino);
	SET(fail_percent, 100);
	assert_int_equal(recall(ino, 0, 1), -ETIMEDOUT);
	SET(fail_percent, 0);
}

/* An answer that nobody understands is shown, and tried again with a new
 * pack. */
static void test_nonsense(void **state)
{
	struct job_info job[8];
	uint64_t ino;
	int i;

	SET(fail_percent, 100);
	SET(error, -EPROTO);
	ino = make_file("a", 1, SIZE);
	move_protect_now(mv, 0);
	for (i = 0; i < 1000; i++) {
		move_jobs(mv, job, 8);
		if (job[0].last_error[0] || job[1].last_error[0])
			break;
		clock_sleep_ns(10000000);
	}
	assert_non_null(strstr(job[job[0].last_error[0] ? 0 : 1].last_error,
			       "Protocol error"));
	assert_int_equal(state_of(ino), META_DIRTY);
	assert_true(count_packs(META_PACK_CONDEMNED) > 0);
	SET(fail_percent, 0);
	assert_true(wait_state(ino, META_LOCAL));
	assert_int_equal(count_packs(META_PACK_INTENT), 0);
}

/* A file that is shorter on the disk than it was: it is damaged, and its turn
 * does not come for ever. */
static void test_cut_short(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE), other;
	struct cache_file *f = file_open(ino, false); /* it was looked at */
	CLEANUP_FREE char *path = local_of(ino);
	struct meta_inode row;
	int i;

	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(truncate(path, SIZE / 2), 0);
	other = make_file("b", 2, SIZE);
	protect_all(other);
	for (i = 0; i < 1000; i++) {
		row_get(ino, &row);
		if (row.damaged)
			break;
		clock_sleep_ns(10000000);
	}
	file_close(f, false);
	assert_true(row.damaged);
	assert_int_equal(row.state, META_DIRTY);
	evict_file(other);
	expect_file(other, 2, SIZE);
}

/* ---- writers that come between ---------------------------------------- */

static void test_write_while_sent(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);

	SET(down, true); /* the pack is built, its PUT waits */
	move_protect_now(mv, 0);
	wait_waiting();
	write_file(ino, 2, 1000);
	SET(down, false);
	protect_all(ino);
	evict_file(ino);
	assert_int_equal(recall(ino, 0, 0), 0);
	{
		struct cache_file *f = file_open(ino, false);

		expect_at(f, 2, 0, 1000);
		expect_at(f, 1, 1000, SIZE - 1000);
		file_close(f, false);
	}
	/* The one with the old bytes is not named by anybody. */
	assert_int_equal(count_packs(META_PACK_STORED), 1);
	assert_true(count_packs(META_PACK_CONDEMNED) >= 1);
}

static void test_unlink_while_sent(void **state)
{
	uint64_t ino = make_file("a", 1, SIZE);
	uint64_t other = make_file("b", 2, SIZE / 3);

	SET(down, true);
	move_protect_now(mv, 0);
	wait_waiting();
	unlink_file(ino, "a");
	move_reap_soon(mv);
	SET(down, false);
	protect_all(other);
	evict_file(other);
	expect_file(other, 2, SIZE / 3);
}

/* ---- no room (P9) ----------------------------------------------------- */

/* Much more than the cache holds goes through it, in and out. */
static void test_small_cache(void **state)
{
	uint64_t ino[24];
	struct cache_usage u;
	char name[16];
	int i;

	stop_move();
	opts.size = 2 * MIB;
	opts.room_wait_ns = 20 * NSEC_PER_SEC;
	reopen();
	assert_int_equal(start_move(), 0);
	for (i = 0; i < 24; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ino[i] = make_file(name, i, 400 * KIB);
		cache_usage(c, &u);
		assert_true(u.used <= opts.size);
	}
	move_protect_now(mv, 0);
	for (i = 0; i < 24; i++)
		expect_file(ino[i], i, 400 * KIB);
	for (i = 0; i < 24; i++)
		expect_file(ino[i], i, 400 * KIB);
}

/* Full of what is not protected, and the store away: ENOSPC, nothing lost. */
static void test_full(void **state)
{
	CLEANUP_FREE uint8_t *p = calloc(1, 512 * KIB);
	struct cache_file *f;
	uint64_t ino;

	stop_move();
	opts.size = 1 * MIB;
	reopen();
	assert_int_equal(start_move(), 0);
	SET(down, true);
	ino = make_file("a", 1, 800 * KIB);
	f = file_open(new_file("b"), true);
	assert_int_equal(cache_pwrite(f, p, 512 * KIB, 0), -ENOSPC);
	file_close(f, true);
	expect_file(ino, 1, 800 * KIB);
	SET(down, false);
	assert_true(wait_state(ino, META_LOCAL));
}

/* Streams that have more work than one pack each do not spur each other on. */
static void test_error_rests(void **state)
{
	uint64_t ino[12];
	char name[8];
	unsigned i;

	SET(fail_percent, 100);
	SET(error, -EPROTO);
	for (i = 0; i < ARRAY_SIZE(ino); i++) {
		snprintf(name, sizeof(name), "%u", i);
		ino[i] = make_file(name, i, OBJECT);
	}
	move_protect_now(mv, 0);
	clock_sleep_ns(3 * NSEC_PER_SEC);
	/* At once, and each stream after 1 s, and after 2. */
	assert_in_range(count_packs(META_PACK_CONDEMNED), 1, 4 * mopts.streams);
	SET(fail_percent, 0);
	for (i = 0; i < ARRAY_SIZE(ino); i++)
		assert_true(wait_state(ino[i], META_LOCAL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOVE_TEST(test_flipped),
		MOVE_TEST(test_truncated),
		MOVE_TEST(test_missing),
		MOVE_TEST(test_swapped),
		MOVE_TEST(test_replayed),
		MOVE_TEST(test_bad_answers),
		MOVE_TEST(test_down),
		MOVE_TEST(test_not_now),
		MOVE_TEST(test_back_in_time),
		MOVE_TEST(test_cancel),
		MOVE_TEST(test_lost_answers),
		MOVE_TEST(test_refused),
		MOVE_TEST(test_nonsense),
		MOVE_TEST(test_error_rests),
		MOVE_TEST(test_cut_short),
		MOVE_TEST(test_write_while_sent),
		MOVE_TEST(test_unlink_while_sent),
		MOVE_TEST(test_small_cache),
		MOVE_TEST(test_full),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
