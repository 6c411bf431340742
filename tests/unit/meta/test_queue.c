/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/meta/util.h"

#define ALL INT64_MAX

/* A dirty file in `parent`, dirty since `dirty`, settled at `settle`. */
static uint64_t dirty_file(struct meta_txn *t, uint64_t parent,
			   const char *name, int64_t dirty, int64_t settle)
{
	uint64_t ino = make_file(t, parent, name);
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	in.dirty_ns = dirty;
	in.settle_ns = settle;
	assert_int_equal(meta_inode_update(t, &in), 0);
	return ino;
}

static void change(struct meta_txn *t, uint64_t ino, enum meta_state s,
		   bool opened, bool damaged, uint32_t nlink)
{
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	in.state = s;
	in.opened_for_write = opened;
	in.damaged = damaged;
	in.nlink = nlink;
	assert_int_equal(meta_inode_update(t, &in), 0);
}

static void test_protectable(void **state)
{
	struct meta_todo td[8], after;
	uint64_t a, b, f[5];
	int64_t ns;
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_next_settle(&t, &ns), -ENOENT);
	assert_int_equal(meta_protectable(&t, 0, ALL, NULL, td, 8), 0);
	a = make_dir(&t, META_ROOT_INO, "a");
	b = make_dir(&t, META_ROOT_INO, "b");
	f[0] = dirty_file(&t, a, "0", 50, 100);
	f[1] = dirty_file(&t, b, "1", 40, 200);
	f[2] = dirty_file(&t, a, "2", 30, 300);
	f[3] = dirty_file(&t, b, "3", 20, 400);
	f[4] = dirty_file(&t, a, "4", 10, 500);
	assert_int_equal(meta_protectable(&t, 0, ALL, NULL, td, 8), 5);
	assert_int_equal(td[0].ino, f[4]);
	assert_int_equal(td[0].parent, a);
	assert_int_equal(td[0].size, 10);
	assert_int_equal(td[0].dirty_ns, 10);
	assert_int_equal(td[0].settle_ns, 500);
	assert_int_equal(td[1].ino, f[3]);
	assert_int_equal(td[1].parent, b);
	assert_int_equal(td[4].ino, f[0]);
	after = td[2];
	assert_int_equal(meta_protectable(&t, 0, ALL, &after, td, 8), 2);
	assert_int_equal(td[0].ino, f[1]);
	assert_int_equal(meta_protectable(&t, 0, ALL, NULL, td, 2), 2);
	assert_int_equal(meta_protectable(&t, 0, 300, NULL, td, 8), 2);
	assert_int_equal(td[0].ino, f[1]);
	assert_int_equal(meta_protectable(&t, a, ALL, NULL, td, 8), 3);
	assert_int_equal(td[0].ino, f[4]);
	assert_int_equal(td[1].ino, f[2]);
	assert_int_equal(td[2].ino, f[0]);
	after = td[0];
	assert_int_equal(meta_protectable(&t, a, ALL, &after, td, 8), 2);
	assert_int_equal(td[0].ino, f[2]);
	assert_int_equal(meta_next_settle(&t, &ns), 0);
	assert_int_equal(ns, 100);
	/* Each reason not to protect. */
	change(&t, f[0], META_DIRTY, true, false, 1);
	change(&t, f[1], META_DIRTY, false, true, 1);
	change(&t, f[2], META_DIRTY, false, false, 0);
	change(&t, f[3], META_LOCAL, false, false, 1);
	assert_int_equal(meta_protectable(&t, 0, ALL, NULL, td, 8), 1);
	assert_int_equal(td[0].ino, f[4]);
	assert_int_equal(meta_next_settle(&t, &ns), 0);
	assert_int_equal(ns, 500);
	commit(&t);
}

static void test_directory_fills(void **state)
{
	uint64_t a, b, f;
	META_TXN(t);

	begin(&t);
	a = make_dir(&t, META_ROOT_INO, "a");
	b = make_dir(&t, META_ROOT_INO, "b");
	assert_int_equal(meta_directory_fills(&t, a, 300, 1000, 10), 0);
	dirty_file(&t, a, "0", 50, 100); /* settled before 300 */
	assert_int_equal(meta_directory_fills(&t, a, 300, 1000, 10), 0);
	f = dirty_file(&t, b, "1", 70, 400); /* another directory's */
	assert_int_equal(meta_directory_fills(&t, a, 300, 1000, 10), 0);
	dirty_file(&t, a, "2", 60, 300); /* closed just now */
	assert_int_equal(meta_directory_fills(&t, a, 300, 1000, 10), 1);
	assert_int_equal(meta_directory_fills(&t, a, 301, 1000, 10), 0);
	/* The settled one holds 10 bytes: enough for a pack of 10. */
	assert_int_equal(meta_directory_fills(&t, a, 300, 10, 10), 0);
	assert_int_equal(meta_directory_fills(&t, a, 300, 11, 10), 1);
	/* It is one file: enough for a pack of one. */
	assert_int_equal(meta_directory_fills(&t, a, 300, 1000, 1), 0);
	/* Nothing is new, but one is being written. */
	assert_int_equal(meta_directory_fills(&t, b, 500, 1000, 10), 0);
	change(&t, f, META_DIRTY, true, false, 1);
	assert_int_equal(meta_directory_fills(&t, b, 500, 1000, 10), 1);
}

/* However many were closed elsewhere since: what was begun is ended first. */
static void test_many_are_recent(void **state)
{
	uint64_t a, b;
	char name[16];
	int i;
	META_TXN(t);

	begin(&t);
	a = make_dir(&t, META_ROOT_INO, "a");
	b = make_dir(&t, META_ROOT_INO, "b");
	dirty_file(&t, a, "settled", 1, 100);
	dirty_file(&t, a, "not", 1, 300);
	for (i = 0; i < 3000; i++) {
		/* Fewer ids than one transaction may have. */
		if (i % 500 == 0) {
			commit(&t);
			begin(&t);
		}
		snprintf(name, sizeof(name), "%d", i);
		dirty_file(&t, b, name, 1, 400 + i);
	}
	assert_int_equal(meta_directory_fills(&t, a, 300, 1000, 10), 1);
	dirty_file(&t, META_ROOT_INO, "latest", 1, 9000);
	assert_int_equal(meta_directory_fills(&t, META_ROOT_INO, 300, 1000, 10),
			 1);
	commit(&t);
}

static void test_hard_link(void **state)
{
	struct meta_todo td[8];
	uint64_t a, b, f;
	META_TXN(t);

	begin(&t);
	a = make_dir(&t, META_ROOT_INO, "a");
	b = make_dir(&t, META_ROOT_INO, "b");
	f = make_file(&t, b, "f");
	assert_int_equal(meta_dirent_insert(&t, a, "g", 1, f), 0);
	assert_int_equal(meta_protectable(&t, a, ALL, NULL, td, 8), 1);
	assert_int_equal(td[0].parent, a);
	assert_int_equal(meta_protectable(&t, b, ALL, NULL, td, 8), 1);
	assert_int_equal(td[0].parent, b);
	assert_int_equal(meta_protectable(&t, 0, ALL, NULL, td, 8), 1);
	assert_true(td[0].parent == a || td[0].parent == b);
}

static void test_orphans_and_opened(void **state)
{
	uint64_t f[3], out[4];
	META_TXN(t);
	int i;

	begin(&t);
	for (i = 0; i < 3; i++)
		f[i] = make_inode(&t, S_IFREG | 0600, 1);
	assert_int_equal(meta_orphans(&t, 0, out, 4), 0);
	assert_int_equal(meta_opened(&t, 0, out, 4), 0);
	for (i = 0; i < 3; i++)
		change(&t, f[i], META_DIRTY, true, false, 0);
	assert_int_equal(meta_orphans(&t, 0, out, 4), 3);
	assert_int_equal(out[0], f[0]);
	assert_int_equal(meta_orphans(&t, f[0], out, 1), 1);
	assert_int_equal(out[0], f[1]);
	assert_int_equal(meta_opened(&t, 0, out, 4), 3);
	assert_int_equal(meta_opened(&t, f[1], out, 4), 1);
	assert_int_equal(out[0], f[2]);
	change(&t, f[2], META_DIRTY, false, false, 0);
	assert_int_equal(meta_opened(&t, f[1], out, 4), 0);
	assert_int_equal(meta_inode_delete(&t, f[0]), 0);
	assert_int_equal(meta_orphans(&t, 0, out, 4), 2);
	commit(&t);
}

static uint64_t cached(struct meta_txn *t, enum meta_state s, int64_t access,
		       uint64_t bytes)
{
	uint64_t ino = make_inode(t, S_IFREG | 0600, bytes);
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	in.state = s;
	in.access_ns = access;
	in.cached_bytes = bytes;
	assert_int_equal(meta_inode_update(t, &in), 0);
	return ino;
}

static void test_evictable(void **state)
{
	struct meta_victim v[8];
	uint64_t a, b, c;
	META_TXN(t);

	begin(&t);
	cached(&t, META_DIRTY, 1, 5);
	cached(&t, META_REMOTE, 1, 5);
	cached(&t, META_LOCAL, 1, 0);
	change(&t, cached(&t, META_LOCAL, 1, 5), META_LOCAL, false, true, 1);
	assert_int_equal(meta_evictable(&t, 0, 0, INT64_MAX, v, 8), 0);
	a = cached(&t, META_LOCAL, 20, 7);
	b = cached(&t, META_PARTIAL, 10, 8);
	c = cached(&t, META_LOCAL, 10, 9);
	assert_int_equal(meta_evictable(&t, 0, 0, INT64_MAX, v, 8), 3);
	assert_int_equal(v[0].ino, b);
	assert_int_equal(v[0].cached_bytes, 8);
	assert_int_equal(v[1].ino, c);
	assert_int_equal(v[2].ino, a);
	assert_int_equal(v[2].access_ns, 20);
	assert_int_equal(meta_evictable(&t, 10, b, INT64_MAX, v, 8), 2);
	assert_int_equal(v[0].ino, c);
	assert_int_equal(meta_evictable(&t, 10, c, INT64_MAX, v, 1), 1);
	assert_int_equal(v[0].ino, a);
	assert_int_equal(meta_evictable(&t, 20, a, INT64_MAX, v, 8), 0);
	commit(&t);
}

static void test_totals(void **state)
{
	struct meta_totals n;
	META_TXN(t);
	uint64_t f;

	begin(&t);
	assert_int_equal(meta_totals(&t, &n), 0);
	assert_int_equal(n.files, 1); /* the root */
	assert_int_equal(n.oldest_dirty_ns, 0);
	make_dir(&t, META_ROOT_INO, "d");
	f = dirty_file(&t, META_ROOT_INO, "f", 70, 80);
	cached(&t, META_LOCAL, 1, 100);
	assert_int_equal(meta_totals(&t, &n), 0);
	assert_int_equal(n.files, 4);
	assert_int_equal(n.logical_bytes, 110);
	assert_int_equal(n.by_state[META_LOCAL].files, 1);
	assert_int_equal(n.by_state[META_LOCAL].bytes, 100);
	assert_int_equal(n.cached_bytes, 100);
	assert_int_equal(n.dirty_files, 1);
	assert_int_equal(n.dirty_bytes, 10);
	assert_int_equal(n.oldest_dirty_ns, 70);
	commit(&t);
	/* Unlinked: gone from what waits; undone: back. */
	begin(&t);
	change(&t, f, META_DIRTY, false, true, 0);
	assert_int_equal(meta_totals(&t, &n), 0);
	assert_int_equal(n.dirty_files, 0);
	assert_int_equal(n.damaged, 0);
	assert_int_equal(n.oldest_dirty_ns, 0);
	meta_abort(&t);
	util_reopen();
	begin(&t);
	assert_int_equal(meta_totals(&t, &n), 0);
	assert_int_equal(n.dirty_files, 1);
	change(&t, f, META_DIRTY, false, true, 1);
	assert_int_equal(meta_totals(&t, &n), 0);
	assert_int_equal(n.damaged, 1);
	commit(&t);
}

/* What a program that counts wrong would leave is found. */
static void test_verify_finds(void **state)
{
	struct err err = ERR_INIT;
	META_TXN(t);

	begin(&t);
	make_file(&t, META_ROOT_INO, "f");
	commit(&t);
	util_close();
	assert_sh(
		"sqlite3 %s/db 'UPDATE inode SET size = size + 1 WHERE ino > 1'",
		dir);
	m = util_open_at("db");
	reading(&t);
	assert_int_equal(meta_totals_verify(&t, &err), -EUCLEAN);
	meta_abort(&t);
	util_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_protectable),
		META_TEST(test_directory_fills),
		META_TEST(test_many_are_recent),
		META_TEST(test_hard_link),
		META_TEST(test_orphans_and_opened),
		META_TEST(test_evictable),
		META_TEST(test_totals),
		META_TEST(test_verify_finds),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
