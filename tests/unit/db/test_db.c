/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <pthread.h>
#include <sys/resource.h>
#include <signal.h>

#include "base/io.h"
#include "db/db.h"

static char dir[] = "/tmp/mersey-test-db-XXXXXX";
static char path[64], other[64];
static struct db *db;

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(dir);
}

static int test_setup(void **state)
{
	struct err err = ERR_INIT;

	snprintf(path, sizeof(path), "%s/db", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(db_open(path, DB_CREATE, &db, &err), 0);
	assert_int_equal(db_exec(db, "CREATE TABLE a (k INTEGER PRIMARY KEY,"
				     " b BLOB, t TEXT)"),
			 0);
	return 0;
}

static int test_teardown(void **state)
{
	db_close(db);
	db = NULL;
	return test_rm_below(dir);
}

static int insert(struct db *at, int64_t k, const void *b, size_t n)
{
	struct db_stmt *st;
	int rc;

	assert_int_equal(
		db_prepare(at, "INSERT INTO a VALUES (?1, ?2, ?3)", &st), 0);
	db_bind_int(st, 1, k);
	db_bind_blob(st, 2, b, n);
	db_bind_text(st, 3, "text");
	rc = db_run(st);
	db_finish(st);
	return rc;
}

static int64_t count(struct db *at)
{
	struct db_stmt *st;
	int64_t n;

	assert_int_equal(db_prepare(at, "SELECT COUNT(*) FROM a", &st), 0);
	assert_int_equal(db_step(st), 1);
	n = db_int(st, 0);
	db_finish(st);
	return n;
}

static void test_statement(void **state)
{
	struct db_stmt *st;
	const void *p;
	size_t n;

	assert_int_equal(insert(db, 1, "a\0b", 3), 1);
	assert_int_equal(insert(db, 1, "", 0), -EEXIST);
	assert_int_equal(insert(db, -5, NULL, 0), 1);
	assert_int_equal(db_prepare(db, "SELECT * FROM a ORDER BY k", &st), 0);
	assert_int_equal(db_step(st), 1);
	assert_int_equal(db_int(st, 0), -5);
	p = db_blob(st, 1, &n);
	assert_non_null(p);
	assert_int_equal(n, 0);
	assert_false(db_is_null(st, 1));
	assert_int_equal(db_step(st), 1);
	p = db_blob(st, 1, &n);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "a\0b", 3);
	assert_string_equal(db_text(st, 2), "text");
	assert_int_equal(db_step(st), 0);
	/* It was reset: from the start again. */
	assert_int_equal(db_step(st), 1);
	assert_int_equal(db_int(st, 0), -5);
	db_finish(st);
	db_finish(NULL);
}

static void test_bindings(void **state)
{
	struct db_stmt *st;

	assert_int_equal(db_prepare(db, "SELECT ?1, ?2", &st), 0);
	db_bind_int(st, 1, INT64_MIN);
	db_bind_null(st, 2);
	assert_int_equal(db_step(st), 1);
	assert_int_equal(db_int(st, 0), INT64_MIN);
	assert_true(db_is_null(st, 1));
	/* A reset forgets them. */
	db_reset(st);
	assert_int_equal(db_step(st), 1);
	assert_true(db_is_null(st, 0));
	db_reset(st);
	/* One that cannot be bound fails the step, once. */
	db_bind_int(st, 3, 1);
	assert_int_equal(db_step(st), -EINVAL);
	assert_int_equal(db_step(st), 1);
	db_finish(st);
	assert_int_equal(db_prepare(db, "SELECT nonsense", &st), -EINVAL);
	assert_int_equal(db_exec(db, "nonsense"), -EINVAL);
}

static void test_changes(void **state)
{
	struct db_stmt *st;

	insert(db, 1, "", 0);
	insert(db, 2, "", 0);
	assert_int_equal(
		db_prepare(db, "UPDATE a SET t = 'x' WHERE k > ?1", &st), 0);
	db_bind_int(st, 1, 0);
	assert_int_equal(db_run(st), 2);
	db_bind_int(st, 1, 5);
	assert_int_equal(db_run(st), 0);
	db_finish(st);
}

static void test_transaction(void **state)
{
	struct db *reader;

	assert_int_equal(db_open_again(db, &reader), 0);
	assert_int_equal(db_begin(db), 0);
	insert(db, 1, "", 0);
	assert_int_equal(count(reader), 0);
	db_rollback(db);
	db_rollback(db);
	assert_int_equal(count(db), 0);
	assert_int_equal(db_begin(db), 0);
	assert_int_equal(insert(db, 1, "", 0), 1);
	/* A constraint undoes its statement only. */
	assert_int_equal(insert(db, 1, "", 0), -EEXIST);
	assert_int_equal(db_begin(reader), -EBUSY);
	assert_int_equal(db_commit(db), 0);
	assert_int_equal(count(reader), 1);
	assert_int_equal(db_begin(reader), 0);
	insert(reader, 2, "", 0);
	assert_int_equal(db_commit(reader), 0);
	assert_int_equal(count(db), 2);
	db_close(reader);
}

static void test_open(void **state)
{
	struct err err = ERR_INIT;
	struct db *d = NULL;

	assert_int_equal(db_open(path, DB_CREATE, &d, &err), -EEXIST);
	assert_int_equal(db_open(other, DB_OPEN, &d, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "No such file"));
	assert_int_equal(io_write_file(other, 0600, "junk junk junk", 14, true),
			 0);
	assert_int_equal(db_open(other, DB_OPEN, &d, &err), -EUCLEAN);
	assert_null(d);
	db_close(NULL);
}

static void test_sync_and_checkpoint(void **state)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct err err = ERR_INIT;
	struct db_stmt *st;
	struct db *reader;
	int64_t bytes;
	int i;

	for (i = 0; i < 100; i++)
		insert(db, i, "x", 1);
	assert_int_equal(db_sync(db), 0);
	bytes = db_log_bytes(db);
	assert_true(bytes > 100 * 4096);
	assert_int_equal(db_checkpoint(db, &lock), 0);
	assert_int_equal(db_log_bytes(db), 0);
	insert(db, 1000, "x", 1);
	assert_in_range(db_log_bytes(db), 1, bytes / 2);
	/* A reader keeps the log from being emptied, and nothing else. */
	assert_int_equal(db_open_again(db, &reader), 0);
	assert_int_equal(db_prepare(reader, "SELECT k FROM a", &st), 0);
	assert_int_equal(db_step(st), 1);
	assert_int_equal(db_checkpoint(db, &lock), -EBUSY);
	assert_true(db_log_bytes(db) > 0);
	assert_int_equal(insert(db, 1001, "x", 1), 1);
	db_finish(st);
	assert_int_equal(db_checkpoint(db, &lock), 0);
	assert_int_equal(db_log_bytes(db), 0);
	assert_int_equal(count(reader), 102);
	db_close(reader);
	assert_int_equal(db_check(db, &err), 0);
	assert_int_equal(db_sync(db), 0);
	assert_int_equal(pthread_mutex_trylock(&lock), 0);
}

/* The log counts again after the database was opened with one. */
static void test_log_kept(void **state)
{
	struct db *d;

	insert(db, 1, "x", 1);
	assert_sh("cp %s %s && cp %s-wal %s-wal", path, other, path, other);
	assert_int_equal(db_open(other, DB_OPEN, &d, NULL), 0);
	assert_true(db_log_bytes(d) > 4096);
	assert_int_equal(count(d), 1);
	db_close(d);
	assert_sh("test ! -e %s-wal", other);
}

/*
 * No space: the transaction fails as a whole, later ones work. RLIMIT_FSIZE
 * makes the kernel refuse the log's growth.
 */
static void test_no_space(void **state)
{
	struct rlimit old, low = { 0 };
	char block[4096] = "x";
	int i, rc = 1;

	signal(SIGXFSZ, SIG_IGN);
	insert(db, 0, "x", 1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)db_log_bytes(db) + 40960;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(db_begin(db), 0);
	for (i = 1; rc > 0 && i < 100; i++)
		rc = insert(db, i, block, sizeof(block));
	if (rc > 0)
		rc = db_commit(db);
	assert_true(rc < 0);
	db_rollback(db);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(count(db), 1);
	assert_int_equal(db_begin(db), 0);
	assert_int_equal(insert(db, 7, block, sizeof(block)), 1);
	assert_int_equal(db_commit(db), 0);
	assert_int_equal(count(db), 2);
	assert_int_equal(db_check(db, NULL), 0);
}

/* A transaction that SQLite has given up is not continued by accident. */
static void test_lost_transaction(void **state)
{
	assert_int_equal(db_begin(db), 0);
	insert(db, 1, "x", 1);
	/* As some errors do. */
	assert_int_equal(db_exec(db, "ROLLBACK"), 0);
	assert_int_equal(insert(db, 2, "x", 1), -EIO);
	assert_int_equal(db_commit(db), -EIO);
	assert_int_equal(count(db), 0);
}

#define DB_TEST(f) cmocka_unit_test_setup_teardown(f, test_setup, test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(test_statement),
		DB_TEST(test_bindings),
		DB_TEST(test_changes),
		DB_TEST(test_transaction),
		DB_TEST(test_open),
		DB_TEST(test_sync_and_checkpoint),
		DB_TEST(test_log_kept),
		DB_TEST(test_no_space),
		DB_TEST(test_lost_transaction),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
