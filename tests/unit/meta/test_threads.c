/* SPDX-License-Identifier: Apache-2.0 */
/* Commits, reads, barriers and checkpoints at once; for ThreadSanitizer. */
#include "tests/unit/meta/util.h"

#include <stdatomic.h>

#define WRITERS 4
#define EACH	300

static _Atomic bool stop;

struct writer {
	pthread_t thread;
	int n;
};

static void *write_some(void *arg)
{
	struct writer *w = arg;
	char name[32];
	uint64_t seq, ino;
	int i;

	for (i = 0; i < EACH; i++) {
		META_TXN(t);

		begin(&t);
		snprintf(name, sizeof(name), "%d-%d", w->n, i);
		ino = make_file(&t, META_ROOT_INO, name);
		if (i % 3 == 0) {
			meta_abort(&t);
			continue;
		}
		assert_int_equal(meta_commit(&t, &seq), 0);
		if (i % 50 == 1)
			assert_int_equal(meta_durable(m, seq), 0);
		begin(&t);
		if (i % 3 == 1) {
			assert_int_equal(meta_dirent_remove(&t, META_ROOT_INO,
							    name, strlen(name)),
					 0);
			assert_int_equal(meta_inode_delete(&t, ino), 0);
		}
		assert_int_equal(meta_commit(&t, NULL), 0);
	}
	return NULL;
}

static void *read_some(void *arg)
{
	struct meta_dirent d[64];
	struct meta_totals n;

	while (!atomic_load(&stop)) {
		META_TXN(t);

		reading(&t);
		assert_true(meta_dirent_list(&t, META_ROOT_INO, 0, d, 64) >= 0);
		assert_int_equal(meta_totals(&t, &n), 0);
		/* Files and the root: each commit is seen whole. */
		assert_int_equal(n.files, n.dirty_files + 1);
		assert_true(meta_log_bytes(m) >= 0);
		commit(&t);
	}
	return NULL;
}

static void *checkpoint_always(void *arg)
{
	int *done = arg;

	while (!atomic_load(&stop)) {
		assert_int_equal(meta_checkpoint_now(m), 0);
		++*done;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct writer w[WRITERS];
	pthread_t reader, pointer;
	int i, checkpoints = 0;
	struct meta_totals n;
	META_TXN(t);

	atomic_store(&stop, false);
	for (i = 0; i < WRITERS; i++) {
		w[i].n = i;
		assert_int_equal(
			pthread_create(&w[i].thread, NULL, write_some, &w[i]),
			0);
	}
	assert_int_equal(pthread_create(&reader, NULL, read_some, NULL), 0);
	assert_int_equal(
		pthread_create(&pointer, NULL, checkpoint_always, &checkpoints),
		0);
	for (i = 0; i < WRITERS; i++)
		pthread_join(w[i].thread, NULL);
	atomic_store(&stop, true);
	pthread_join(reader, NULL);
	pthread_join(pointer, NULL);
	assert_true(checkpoints > 1);
	util_reopen();
	reading(&t);
	assert_int_equal(meta_totals(&t, &n), 0);
	assert_int_equal(n.files, 1 + WRITERS * EACH / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { META_TEST(test_threads) };

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
