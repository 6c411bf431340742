/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions, ids, the barrier, opening and refusing. */
#include "tests/unit/meta/util.h"

static void test_rollback(void **state)
{
	struct meta_totals before, after;
	struct meta_inode root, in;
	META_TXN(t);
	uint64_t ino;

	begin(&t);
	make_file(&t, META_ROOT_INO, "stays");
	commit(&t);
	reading(&t);
	assert_int_equal(meta_inode_get(&t, META_ROOT_INO, &root), 0);
	assert_int_equal(meta_totals(&t, &before), 0);
	commit(&t);
	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "goes");
	in = root;
	in.mode = S_IFDIR | 0777;
	in.nlink = 9;
	assert_int_equal(meta_inode_update(&t, &in), 0);
	assert_int_equal(meta_xattr_set(&t, 1, "user.x", "y", 1), 0);
	assert_int_equal(meta_value_set(&t, "v", "1", 1), 0);
	meta_abort(&t);
	meta_abort(&t); /* fine on one that has ended */
	reading(&t);
	assert_int_equal(meta_dirent_get(&t, 1, "goes", 4, &ino), -ENOENT);
	assert_int_equal(meta_dirent_get(&t, 1, "stays", 5, &ino), 0);
	assert_int_equal(meta_inode_get(&t, 1, &in), 0);
	assert_int_equal(in.mode, root.mode);
	assert_int_equal(in.nlink, root.nlink);
	assert_int_equal(meta_totals(&t, &after), 0);
	assert_memory_equal(&before, &after, sizeof(after));
}

static void leave_open(void)
{
	META_TXN(t);

	begin(&t);
	make_file(&t, META_ROOT_INO, "forgotten");
}

static void test_guard(void **state)
{
	META_TXN(t);
	META_TXN(inner);
	uint64_t ino;

	leave_open();
	begin(&t);
	assert_int_equal(meta_dirent_get(&t, 1, "forgotten", 9, &ino), -ENOENT);
	assert_int_equal(meta_begin(m, &inner), -EDEADLK);
	assert_int_equal(meta_read(m, &inner), -EDEADLK);
	assert_null(inner.m);
	commit(&t);
	assert_null(t.m);
}

static void test_sequence(void **state)
{
	META_TXN(t);
	uint64_t a, b, c;

	begin(&t);
	assert_int_equal(meta_commit(&t, &a), 0);
	begin(&t);
	assert_int_equal(meta_commit(&t, &b), 0);
	assert_true(b > a);
	reading(&t);
	assert_int_equal(meta_commit(&t, &c), 0);
	assert_int_equal(c, b);
	assert_int_equal(meta_durable(m, b), 0);
	assert_int_equal(meta_durable(m, a), 0);
	assert_int_equal(meta_durable(m, 0), 0);
	assert_int_equal(meta_durable(m, b + 1000000), -EINVAL);
	meta_set_barrier(m, false);
	assert_int_equal(meta_durable(m, 0), 0);
	meta_set_barrier(m, true);
}

static void test_ids_ascend(void **state)
{
	uint64_t last = META_ROOT_INO, version = 0, n, v;
	META_TXN(t);
	int i, j;

	/* More than several blocks hold. */
	for (i = 0; i < 50; i++) {
		begin(&t);
		for (j = 0; j < META_TXN_IDS; j++) {
			assert_int_equal(meta_new_ino(&t, &n), 0);
			assert_true(n > last);
			last = n;
			assert_int_equal(meta_new_version(&t, &v), 0);
			assert_true(v > version);
			version = v;
		}
		if (i % 2)
			commit(&t);
		else
			meta_abort(&t); /* does not give them back */
	}
	reading(&t);
	assert_int_equal(meta_new_ino(&t, &n), -EROFS);
	meta_abort(&t);
	for (i = 0; i < 3; i++) {
		util_reopen();
		begin(&t);
		assert_int_equal(meta_new_ino(&t, &n), 0);
		assert_true(n > last);
		last = n;
		meta_abort(&t);
	}
}

static void test_ids_bounded(void **state)
{
	META_TXN(t);
	uint64_t n;
	int i, rc = 0;

	begin(&t);
	for (i = 0; rc == 0; i++)
		rc = meta_new_version(&t, &n);
	assert_int_equal(rc, -ENOBUFS);
	assert_true(i > META_TXN_IDS);
	assert_int_equal(meta_commit(&t, NULL), -ENOBUFS);
}

static uint64_t create(const char *name)
{
	META_TXN(t);
	uint64_t ino;

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, name);
	commit(&t);
	return ino;
}

static int open_as(const char *name, struct err *err)
{
	CLEANUP_FREE char *path = util_path(name);
	struct meta *out = NULL;
	uint8_t volume[16];
	int rc = meta_open(path, &out, volume, err);

	meta_close(out);
	return rc;
}

static void test_second_opener(void **state)
{
	create("f");
	/* Run again as another program: a fork would share SQLite's memory. */
	assert_sh("/proc/%d/exe --open %s/db 2>%s/said", getpid(), dir, dir);
	assert_sh("grep -q 'in use by another process' %s/said", dir);
	/* A stranger's tool, too. */
	assert_sh("! sqlite3 %s/db 'SELECT * FROM inode' 2>%s/said", dir, dir);
	assert_sh("grep -q locked %s/said", dir);
	assert_true(util_exists(m, "f"));
}

static void test_create_refuses(void **state)
{
	CLEANUP_FREE char *path = util_path("db");
	CLEANUP_FREE char *deep = util_path("no/such/db");
	struct meta_opts o = { .path = path };
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(meta_create(&o, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "exists"));
	o.path = deep;
	assert_int_equal(meta_create(&o, &err), -ENOENT);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* What a crash inside meta_create() leaves does no harm. */
	util_close();
	assert_sh(
		"rm %s/db && echo junk >%s/db.new && echo junk >%s/db.new-wal",
		dir, dir, dir);
	util_create_at("db");
	m = util_open_at("db");
	assert_sh("test ! -e %s/db.new -a ! -e %s/db.new-wal", dir, dir);
}

static void test_open_refuses(void **state)
{
	struct err err = ERR_INIT;

	util_close();
	assert_int_equal(open_as("none", &err), -ENOENT);
	assert_sh("head -c 8192 /dev/urandom >%s/junk", dir);
	assert_int_equal(open_as("junk", &err), -EUCLEAN);
	assert_sh("sqlite3 %s/other 'CREATE TABLE a (b)'", dir);
	assert_int_equal(open_as("other", &err), -EUCLEAN);
	assert_non_null(strstr(err.msg, "not the database of a trust"));
	assert_sh("sqlite3 %s/db 'UPDATE schema_version SET version = 8'", dir);
	assert_int_equal(open_as("db", &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.msg, "schema 8"));
	assert_true(err.hint[0]);
	/* And is not changed by that. */
	assert_sh(
		"test $(sqlite3 %s/db 'SELECT version FROM schema_version') = 8",
		dir);
	assert_sh("sqlite3 %s/db 'UPDATE schema_version SET version = 1'", dir);
	assert_sh("sqlite3 %s/db 'DELETE FROM idblock WHERE kind = 1'", dir);
	assert_int_equal(open_as("db", &err), -EUCLEAN);
}

static void test_check_finds(void **state)
{
	struct err err = ERR_INIT;
	int i;
	META_TXN(t);

	begin(&t);
	for (i = 0; i < 2000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "some name %d", i);
		make_file(&t, META_ROOT_INO, name);
		if (i % 500 == 499) {
			commit(&t);
			begin(&t);
		}
	}
	commit(&t);
	assert_int_equal(meta_check(m, &err), 0);
	util_close();
	assert_sh("dd if=/dev/urandom of=%s/db bs=4096 seek=80 count=20 "
		  "conv=notrunc 2>/dev/null",
		  dir);
	m = util_open_at("db");
	assert_int_equal(meta_check(m, &err), -EUCLEAN);
	util_close();
}

static void test_checkpoint_job(void **state)
{
	struct job_info info;
	int i;

	meta_job(m, &info);
	assert_string_equal(info.name, "checkpoint");
	for (i = 0; i < 200; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%d", i);
		create(name);
	}
	assert_true(meta_log_bytes(m) > 0);
	util_reopen(); /* the close emptied the log */
	assert_true(util_exists(m, "f199"));
	assert_int_equal(info.last_error[0], 0);
}

/* The second opener: 0 when it was refused as it should be. */
static int second(const char *path)
{
	struct err err = ERR_INIT;
	struct meta *out = NULL;
	uint8_t volume[16];
	int rc = meta_open(path, &out, volume, &err);

	fprintf(stderr, "%s\n%s\n", err.msg, err.hint);
	meta_close(out);
	return rc == -EBUSY && err.hint[0] ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_rollback),	META_TEST(test_guard),
		META_TEST(test_sequence),	META_TEST(test_ids_ascend),
		META_TEST(test_ids_bounded),	META_TEST(test_second_opener),
		META_TEST(test_create_refuses), META_TEST(test_open_refuses),
		META_TEST(test_check_finds),	META_TEST(test_checkpoint_job),
	};

	if (argc == 3 && strcmp(argv[1], "--open") == 0)
		return second(argv[2]);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
