/* SPDX-License-Identifier: Apache-2.0 */
/* What survives a power cut (S1, S3, S4). */
#include "tests/unit/meta/powercut.h"

static uint64_t create(const char *name, uint64_t *seq)
{
	META_TXN(t);
	uint64_t ino;

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, name);
	assert_int_equal(meta_commit(&t, seq), 0);
	return ino;
}

static uint64_t draw(struct meta *at)
{
	META_TXN(t);
	uint64_t ino;

	assert_int_equal(meta_begin(at, &t), 0);
	assert_int_equal(meta_new_ino(&t, &ino), 0);
	return ino;
}

static void check_durable(bool pages, uint64_t last)
{
	struct meta *clone;

	cut_make(pages);
	clone = util_open_at("cut");
	assert_true(util_exists(clone, "durable"));
	if (!pages)
		assert_false(util_exists(clone, "lost"));
	assert_true(draw(clone) > last);
	util_verify(clone);
	meta_close(clone);
}

static void test_durable(void **state)
{
	uint64_t seq, last;

	create("durable", &seq);
	assert_int_equal(meta_durable(m, seq), 0);
	create("lost", NULL);
	last = create("lost too", NULL);
	check_durable(false, last);
	check_durable(true, last);
}

/* The control: with the barrier off the first test would fail. */
static void test_without_barrier(void **state)
{
	struct meta *clone;
	uint64_t seq;

	assert_int_equal(meta_durable(m, 0), 0);
	meta_set_barrier(m, false);
	create("durable", &seq);
	assert_int_equal(meta_durable(m, seq), 0);
	cut_make(false);
	clone = util_open_at("cut");
	assert_false(util_exists(clone, "durable"));
	meta_close(clone);
}

/* Ids that were given out do not come back, whatever was lost. */
static void test_ids(void **state)
{
	uint64_t last = 0, n;
	struct meta *clone;
	META_TXN(t);
	int i, j;

	for (i = 0; i < 40; i++) {
		begin(&t);
		for (j = 0; j < META_TXN_IDS; j++) {
			assert_int_equal(meta_new_ino(&t, &n), 0);
			assert_true(n > last);
			last = n;
		}
		meta_abort(&t);
		if (i % 8)
			continue;
		cut_make(i % 16);
		clone = util_open_at("cut");
		assert_true(draw(clone) > last);
		meta_close(clone);
	}
}

/* The checkpoint never makes the disk worse than the log was. */
static void test_checkpoint(void **state)
{
	char name[32];
	struct meta *clone;
	int i, j;

	for (i = 0; i < 30; i++) {
		for (j = 0; j < 10; j++) {
			snprintf(name, sizeof(name), "%d-%d", i, j);
			create(name, NULL);
		}
		assert_int_equal(meta_durable(m, 0), 0);
		meta_checkpoint_now(m);
		cut_make(i % 2);
		clone = util_open_at("cut");
		snprintf(name, sizeof(name), "%d-9", i);
		assert_true(util_exists(clone, name));
		if (i % 10 == 9)
			util_verify(clone);
		meta_close(clone);
	}
}

static void lost(void *arg, int rc)
{
	int *seen = arg;

	*seen = rc;
}

/* Opens it after a failed fsync: all of its log goes to the disk again, as
 * the kernel takes for clean what it has not written. */
static void open_lost(void)
{
	CLEANUP_FREE char *path = io_path("%s/db-wal", dir);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 0);
	atomic_store(&cut_written, 0);
	m = util_open_at("db");
	assert_true(atomic_load(&cut_written) >= st.st_size);
}

/* After a failed fsync nothing is called durable any more (S4). */
static void test_sync_fails(void **state)
{
	int seen = 0, later = 0;
	uint64_t seq;

	meta_on_lost(m, lost, &seen);

	create("before", &seq);
	assert_int_equal(meta_durable(m, seq), 0);
	create("after", &seq);
	cut_fail = EIO;
	assert_int_equal(seen, 0);
	assert_int_equal(meta_durable(m, seq), -EIO);
	assert_int_equal(seen, -EIO);
	cut_fail = 0;
	assert_int_equal(meta_durable(m, seq), -EIO);
	assert_int_equal(meta_durable(m, 0), -EIO);
	/* What was durable before stays so; the namespace goes on. */
	assert_int_equal(meta_durable(m, seq - 1), 0);
	create("later", NULL);
	/* Who asks late is told at once. */
	meta_on_lost(m, lost, &later);
	assert_int_equal(later, -EIO);
	/* The log is not emptied by the close: it is all there is. */
	util_close();
	open_lost();
	assert_true(util_exists(m, "later"));
	assert_int_equal(meta_durable(m, 0), 0);
}

struct waiter {
	pthread_t thread;
	uint64_t seq;
	int rc;
};

static void *wait_durable(void *arg)
{
	struct waiter *w = arg;

	w->rc = meta_durable(m, w->seq);
	return NULL;
}

/* Many who ask together share a few fsyncs. */
static void test_shared(void **state)
{
	struct waiter w[32];
	size_t i;
	int before;

	for (i = 0; i < ARRAY_SIZE(w); i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%zu", i);
		create(name, &w[i].seq);
	}
	pthread_mutex_lock(&cut_lock); /* holds up the first one */
	before = cut_syncs;
	for (i = 0; i < ARRAY_SIZE(w); i++)
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, wait_durable, &w[i]),
			0);
	clock_sleep_ns(50 * 1000000);
	pthread_mutex_unlock(&cut_lock);
	for (i = 0; i < ARRAY_SIZE(w); i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].rc, 0);
	}
	/* One of ours, at most one more, and what the checkpoint did. */
	assert_in_range(cut_syncs - before, 1, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CUT_TEST(test_durable),	   CUT_TEST(test_without_barrier),
		CUT_TEST(test_ids),	   CUT_TEST(test_checkpoint),
		CUT_TEST(test_sync_fails), CUT_TEST(test_shared),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
