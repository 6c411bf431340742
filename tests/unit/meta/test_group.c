/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that share a transaction, rows in memory, and looks beside. */
#include "tests/unit/meta/util.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define THREADS 8
#define ROUNDS	400

struct making {
	char name[32];
	uint64_t ino;
	int fail;	/* returned after the rows were written */
	unsigned times; /* it ran */
};

static int make_run(struct meta_txn *t, void *arg)
{
	struct meta_inode in = { .mode = S_IFREG | 0600, .nlink = 1 };
	struct making *a = arg;
	int rc;

	a->times++;
	rc = meta_new_ino(t, &in.ino);
	if (rc == 0)
		rc = meta_dirent_insert(t, META_ROOT_INO, a->name,
					strlen(a->name), in.ino);
	if (rc == 0)
		rc = meta_inode_insert(t, &in);
	a->ino = in.ino;
	return rc < 0 ? rc : a->fail;
}

static void test_alone(void **state)
{
	struct making a = { .name = "a" }, same = { .name = "a" };
	struct meta_inode in;
	uint64_t seq = 0;

	assert_int_equal(meta_run(m, make_run, &a, &seq), 0);
	assert_true(seq > 0);
	assert_int_equal(meta_durable(m, seq), 0);
	assert_int_equal(meta_inode_find(m, a.ino, &in), 0);
	assert_int_equal(meta_run(m, make_run, &same, NULL), -EEXIST);
	assert_int_equal(meta_inode_find(m, same.ino, &in), -ENOENT);
	a.fail = -EDQUOT;
	strcpy(a.name, "b");
	assert_int_equal(meta_run(m, make_run, &a, NULL), -EDQUOT);
	assert_int_equal(meta_inode_find(m, a.ino, &in), -ENOENT);
	assert_false(util_exists(m, "b"));
	a.fail = 7; /* what is no error is handed on, and kept */
	assert_int_equal(meta_run(m, make_run, &a, NULL), 7);
	assert_true(util_exists(m, "b"));
	util_verify(m);
}

static int nested_run(struct meta_txn *t, void *arg)
{
	struct making a = { .name = "nested" };

	return meta_run(m, make_run, &a, NULL);
}

static void test_inside_a_transaction(void **state)
{
	META_TXN(t);
	struct making a = { .name = "inside" };

	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_run(m, make_run, &a, NULL), -EDEADLK);
	meta_abort(&t);
	assert_int_equal(a.times, 0);
	assert_int_equal(meta_run(m, nested_run, NULL, NULL), -EDEADLK);
	assert_int_equal(meta_run(m, make_run, &a, NULL), 0);
	util_verify(m);
}

static _Atomic unsigned failed, kept;

static void *many(void *arg)
{
	unsigned i, who = (unsigned)(uintptr_t)arg;

	for (i = 0; i < ROUNDS; i++) {
		struct making a = { .fail = (i * 7 + who) % 5 ? 0 : -EDQUOT };
		struct meta_inode in;
		int rc;

		snprintf(a.name, sizeof(a.name), "m%u-%u", who, i);
		rc = meta_run(m, make_run, &a, NULL);
		assert_int_equal(rc, a.fail);
		/* What was answered is seen, what failed is not. */
		rc = meta_inode_find(m, a.ino, &in);
		assert_int_equal(rc, a.fail ? -ENOENT : 0);
		assert_true(util_exists(m, a.name) == !a.fail);
		*(a.fail ? &failed : &kept) += 1;
	}
	return NULL;
}

/* One that fails takes nothing of its neighbours along. */
static void test_together(void **state)
{
	struct meta_totals before, after;
	pthread_t thread[THREADS];
	uintptr_t i;
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals(&t, &before), 0);
	meta_abort(&t);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, many, (void *)i), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(failed + kept, THREADS * ROUNDS);
	assert_true(failed > 0);
	assert_int_equal(meta_read(m, &t), 0);
	assert_int_equal(meta_totals(&t, &after), 0);
	meta_abort(&t);
	assert_int_equal(after.files - before.files, kept);
	util_verify(m);
}

/* While the mutex is held, several gather; they are one commit. */
static void *one_more(void *arg)
{
	struct making *a = arg;
	uint64_t seq;

	assert_int_equal(meta_run(m, make_run, a, &seq), a->fail);
	a->ino = a->fail ? 0 : seq;
	return NULL;
}

static void gather(struct making *a, pthread_t *thread)
{
	META_TXN(t);
	int i;

	assert_int_equal(meta_begin(m, &t), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, one_more, &a[i]), 0);
	clock_sleep_ns(200000000); /* longer than it takes them to queue */
	meta_abort(&t);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void test_share_a_commit(void **state)
{
	struct making a[THREADS] = { 0 };
	pthread_t thread[THREADS];
	unsigned groups = 0;
	int i, k;

	for (i = 0; i < THREADS; i++)
		snprintf(a[i].name, sizeof(a[i].name), "g%d", i);
	gather(a, thread);
	for (i = 0; i < THREADS; i++) {
		for (k = 0; k < i && a[k].ino != a[i].ino; k++)
			;
		groups += k == i;
		assert_int_equal(a[i].times, 1);
	}
	assert_true(groups < THREADS);
	for (i = 0; i < THREADS; i++) {
		a[i] = (struct making){ .fail = i == 3 ? -EDQUOT : 0 };
		snprintf(a[i].name, sizeof(a[i].name), "h%d", i);
	}
	gather(a, thread);
	for (i = 0; i < THREADS; i++)
		assert_true(util_exists(m, a[i].name) == (i != 3));
	util_verify(m);
}

static uint64_t new_file(const char *name)
{
	struct making a = { 0 };

	strcpy(a.name, name);
	assert_int_equal(meta_run(m, make_run, &a, NULL), 0);
	return a.ino;
}

static uint64_t size_of(uint64_t ino)
{
	struct meta_inode in;

	assert_int_equal(meta_inode_find(m, ino, &in), 0);
	return in.size;
}

static void resize_in(struct meta_txn *t, uint64_t ino, uint64_t size)
{
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	in.size = size;
	assert_int_equal(meta_inode_update(t, &in), 0);
	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	assert_int_equal(in.size, size);
}

/* Rows in memory are what is committed, also when a transaction changes more
 * of them than it remembers. */
static void test_rows(void **state)
{
	enum { N = 200 };
	uint64_t ino[N];
	char name[32];
	META_TXN(t);
	int i, pass;

	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		ino[i] = new_file(name);
	}
	for (pass = 0; pass < 2; pass++) {
		assert_int_equal(meta_begin(m, &t), 0);
		for (i = 0; i < N; i++)
			resize_in(&t, ino[i], 100 + i);
		for (i = 0; i < N; i++)
			resize_in(&t, ino[i], 1000 + i);
		if (pass == 0)
			meta_abort(&t);
		else
			assert_int_equal(meta_commit(&t, NULL), 0);
		for (i = 0; i < N; i++)
			assert_int_equal(size_of(ino[i]), pass ? 1000 + i : 0);
	}
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_inode_delete(&t, ino[0]), 0);
	meta_abort(&t);
	assert_int_equal(size_of(ino[0]), 1000);
}

/* A memory of few rows forgets the right ones. */
static void test_few_rows(void **state)
{
	enum { N = 3000 };
	uint64_t first = 0, ino;
	char name[32];
	int i;

	util_reopen();
	assert_int_equal(meta_set_memory(m, 64 << 10), 0);
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ino = new_file(name);
		first = first ? first : ino;
		assert_int_equal(size_of(first), 0);
		assert_int_equal(size_of(ino), 0);
	}
	util_verify(m);
}

/* A look sees the state of its beginning, and holds nobody up. */
static void test_look(void **state)
{
	uint64_t ino = new_file("look");
	struct meta_inode in;
	META_TXN(look);
	META_TXN(t);

	assert_int_equal(meta_look(m, &look), 0);
	assert_int_equal(meta_inode_get(&look, ino, &in), 0);
	assert_int_equal(meta_begin(m, &t), 0);
	resize_in(&t, ino, 5);
	assert_int_equal(meta_commit(&t, NULL), 0);
	assert_int_equal(meta_inode_get(&look, ino, &in), 0);
	assert_int_equal(in.size, 0);
	assert_int_equal(meta_inode_update(&look, &in), -EROFS);
	meta_abort(&look);
	assert_int_equal(size_of(ino), 5);
	assert_int_equal(meta_look(m, &look), 0);
	assert_int_equal(meta_inode_get(&look, ino, &in), 0);
	assert_int_equal(in.size, 5);
	meta_abort(&look);
	assert_int_equal(meta_checkpoint_now(m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_alone),	  META_TEST(test_inside_a_transaction),
		META_TEST(test_together), META_TEST(test_share_a_commit),
		META_TEST(test_rows),	  META_TEST(test_few_rows),
		META_TEST(test_look),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
