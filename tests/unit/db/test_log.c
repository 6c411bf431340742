/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log as it is on disk after each commit: a copy of the files, taken as
 * kill -9 would leave them, opens with everything that was committed. Other
 * processes copy: a descriptor closed here would drop SQLite's locks.
 */
#include "tests/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "db/db.h"

static char dir[] = "/tmp/mersey-test-log-XXXXXX";
static char path[64], wal[80], copy[64];
static struct db *db;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

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
	snprintf(wal, sizeof(wal), "%s-wal", path);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	assert_int_equal(db_open(path, DB_CREATE, &db, &err), 0);
	assert_int_equal(
		db_exec(db, "CREATE TABLE a (k INTEGER PRIMARY KEY, v INTEGER,"
			    " b BLOB); CREATE INDEX a_v ON a (v)"),
		0);
	return 0;
}

static int test_teardown(void **state)
{
	db_close(db);
	db = NULL;
	return test_rm_below(dir);
}

static int64_t number(struct db *at, const char *sql)
{
	struct db_stmt *st;
	int64_t n;

	assert_int_equal(db_prepare(at, sql, &st), 0);
	assert_int_equal(db_step(st), 1);
	n = db_int(st, 0);
	db_finish(st);
	return n;
}

static int64_t sum(struct db *at)
{
	return number(at, "SELECT COALESCE(SUM(k * 7 + v * 3), 0) FROM a");
}

/* What a killed process leaves is what was committed. */
static void check_clone(void)
{
	struct err err = ERR_INIT;
	struct db *c;

	assert_sh("rm -f %s*; cp %s %s && cp %s %s-wal", copy, path, copy, wal,
		  copy);
	assert_int_equal(db_open(copy, DB_OPEN, &c, &err), 0);
	assert_int_equal(sum(c), sum(db));
	assert_int_equal(db_check(c, &err), 0);
	db_close(c);
}

static void set(struct db_stmt *st, int64_t k, int64_t v)
{
	static const char block[600];

	db_bind_int(st, 1, k);
	db_bind_int(st, 2, v);
	db_bind_blob(st, 3, block, sizeof(block));
	assert_true(db_run(st) > 0);
}

/*
 * Transactions of all sizes on a page cache of sixteen pages: the large ones
 * spill, and change frames again that they have already written.
 */
static void test_commits(void **state)
{
	struct db_stmt *st;
	unsigned seed = 5;
	int i, j, n;

	assert_int_equal(db_set_cache(db, 65536), 0);
	assert_int_equal(db_prepare(db,
				    "INSERT INTO a VALUES (?1, ?2, ?3)"
				    " ON CONFLICT (k) DO UPDATE SET"
				    " v = excluded.v, b = excluded.b",
				    &st),
			 0);
	for (i = 0; i < 40; i++) {
		n = i % 3 ? 1 + i % 5 : 600;
		assert_int_equal(db_begin(db), 0);
		for (j = 0; j < n; j++) {
			seed = seed * 1103515245u + 12345u;
			set(st, (seed >> 8) % 800, i * 1000 + j);
		}
		if (i % 7 == 6)
			db_rollback(db);
		else
			assert_int_equal(db_commit(db), 0);
		if (i % 10 == 9)
			assert_int_equal(db_checkpoint(db, &lock), 0);
		check_clone();
	}
	db_finish(st);
}

static off_t size_of_log(void)
{
	struct stat st;

	assert_int_equal(stat(wal, &st), 0);
	return st.st_size;
}

/* An emptied log keeps its blocks, within limits, and holds nothing. */
static void test_emptied(void **state)
{
	off_t before;

	assert_int_equal(db_exec(db, "INSERT INTO a VALUES (1, 2, x'00')"), 0);
	before = size_of_log();
	assert_int_equal(db_checkpoint(db, &lock), 0);
	assert_int_equal(size_of_log(), before);
	assert_int_equal(db_log_bytes(db), 0);
	assert_sh("test $(head -c 32 %s | tr -d '\\0' | wc -c) = 0", wal);
	check_clone();
	assert_int_equal(db_exec(db, "INSERT INTO a VALUES (2, 2, x'00')"), 0);
	assert_int_equal(size_of_log(), before);
	check_clone();
	/* Not without end. */
	assert_sh("truncate -s 200M %s", wal);
	assert_int_equal(db_checkpoint(db, &lock), 0);
	assert_int_equal(size_of_log(), 0);
	assert_int_equal(db_exec(db, "INSERT INTO a VALUES (3, 2, x'00')"), 0);
	check_clone();
	assert_int_equal(number(db, "SELECT COUNT(*) FROM a"), 3);
}

/* A log of before is replayed by no accident into what came later. */
static void test_old_header(void **state)
{
	struct err err = ERR_INIT;
	struct db *c;

	assert_int_equal(db_exec(db, "INSERT INTO a VALUES (1, 2, x'00')"), 0);
	assert_sh("cp %s %s/old-wal", wal, dir);
	assert_int_equal(db_checkpoint(db, &lock), 0);
	/* A power cut that brings the old log back: the same rows. */
	assert_sh("cp %s %s && cp %s/old-wal %s-wal", path, copy, dir, copy);
	assert_int_equal(db_open(copy, DB_OPEN, &c, &err), 0);
	assert_int_equal(sum(c), sum(db));
	assert_int_equal(db_check(c, &err), 0);
	db_close(c);
}

/* Two connections that write in turn share one log. */
static void test_two_writers(void **state)
{
	char sql[64];
	struct db *b;
	int i;

	assert_int_equal(db_open_again(db, &b), 0);
	for (i = 0; i < 20; i++) {
		snprintf(sql, sizeof(sql), "INSERT INTO a VALUES (%d, 1, x'')",
			 i);
		assert_int_equal(db_exec(i % 2 ? b : db, sql), 0);
		if (i % 7 == 3)
			assert_int_equal(db_checkpoint(db, &lock), 0);
		if (i % 3 == 0)
			check_clone();
	}
	assert_int_equal(number(b, "SELECT COUNT(*) FROM a"), 20);
	db_close(b);
}

#define LOG_TEST(f) \
	cmocka_unit_test_setup_teardown(f, test_setup, test_teardown)

static _Atomic bool reader_stops;
static _Atomic unsigned reader_rounds;

/* As a checkpoint's pin does: opens, reads, lets go. */
static void *reader_main(void *arg)
{
	struct db *b = arg;

	while (!atomic_load(&reader_stops)) {
		assert_int_equal(
			db_exec(b, "BEGIN; SELECT COUNT(*) FROM sqlite_schema"),
			0);
		db_rollback(b);
		atomic_fetch_add(&reader_rounds, 1);
	}
	return NULL;
}

/*
 * SQLite's readers take the writer's lock for a moment when they meet a
 * commit; a transaction that begins just then must not fail.
 */
static void test_begin_beside_reader(void **state)
{
	int64_t end = clock_boot_ns() + NSEC_PER_SEC;
	struct db_stmt *st;
	struct db *b;
	pthread_t thread;
	int64_t k = 0;
	int rc = 0;

	atomic_store(&reader_stops, false);
	assert_int_equal(db_open_again(db, &b), 0);
	assert_int_equal(
		db_prepare(db, "INSERT INTO a VALUES (?1, ?2, ?3)", &st), 0);
	assert_int_equal(pthread_create(&thread, NULL, reader_main, b), 0);
	while (rc == 0 && clock_boot_ns() < end) {
		rc = db_begin(db);
		if (rc < 0)
			break;
		set(st, k++, 1);
		rc = db_commit(db);
	}
	atomic_store(&reader_stops, true);
	pthread_join(thread, NULL);
	db_finish(st);
	db_close(b);
	assert_int_equal(rc, 0);
	assert_true(atomic_load(&reader_rounds) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_commits),
		LOG_TEST(test_emptied),
		LOG_TEST(test_old_header),
		LOG_TEST(test_two_writers),
		LOG_TEST(test_begin_beside_reader),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
