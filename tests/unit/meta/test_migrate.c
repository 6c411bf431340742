/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases of older versions, kept in tests/data as meta-vN.db, are brought
 * to this one: nothing is lost, a copy stays, and who dies or fails at any
 * write or sync in between leaves something that the next start takes up.
 * Usage: test-meta-migrate DATA-DIR | --make FILE
 */
#include "tests/unit/meta/old_db.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "meta/internal.h" /* META_SCHEMA */

static const char *data_dir;

/* FILE as this version makes it. */
static int make(const char *file)
{
	group_setup(NULL);
	util_create_at("db");
	m = util_open_at("db");
	old_fill();
	util_close(); /* moves the log into the database */
	assert_sh("test ! -e %s/db-wal && cp %s/db '%s'", dir, dir, file);
	return group_teardown(NULL);
}

/* ---- dying and failing ---------------------------------------------- */

enum { NOTHING, KILL, NO_SPACE };

static _Thread_local int fault, countdown;

/* Does this call fail? Or nobody lives to see that it does. */
static bool strike(bool takes_space)
{
	if (fault == NOTHING || (fault == NO_SPACE && !takes_space) ||
	    countdown == 0 || --countdown > 0)
		return false;
	if (fault == KILL)
		kill(getpid(), SIGKILL);
	errno = ENOSPC;
	return true;
}

/* ---- what came before what ------------------------------------------ */

enum { UNTOLD, SYNCED, NAMED, DURABLE };

static _Thread_local int copy_is;    /* the copy, as the disk has it */
static _Thread_local bool too_early; /* the database was written before */

static bool is_file(int fd, const char *end)
{
	char link_path[64], path[4096];
	ssize_t n;

	snprintf(link_path, sizeof(link_path), "/proc/self/fd/%d", fd);
	n = readlink(link_path, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return (size_t)n >= strlen(end) &&
	       strcmp(path + n - strlen(end), end) == 0;
}

/* SQLite calls this by the name of the 64-bit interface. */
ssize_t fault_pwrite(int fd, const void *p, size_t n,
		     off_t off) __asm__("pwrite64");

ssize_t fault_pwrite(int fd, const void *p, size_t n, off_t off)
{
	if (copy_is != DURABLE && is_file(fd, "/db-wal"))
		too_early = true;
	return strike(true) ? -1 : syscall(SYS_pwrite64, fd, p, n, off);
}

/* Nobody cuts the power of this test: nothing is synced, so that it is quick
 * beside others that write. */
int fsync(int fd)
{
	if (copy_is == UNTOLD && is_file(fd, ".part"))
		copy_is = SYNCED;
	if (copy_is == NAMED && is_file(fd, dir))
		copy_is = DURABLE;
	return strike(false) ? -1 : 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int renameat2(int fd, const char *from, int to_fd, const char *to,
	      unsigned flags)
{
	if (copy_is == SYNCED)
		copy_is = NAMED;
	return strike(true) ? -1
			    : (int)syscall(SYS_renameat2, fd, from, to_fd, to,
					   flags);
}

int unlink(const char *path)
{
	return strike(false) ? -1
			     : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static int open_db(void)
{
	CLEANUP_FREE char *path = util_path("db");
	struct err err = ERR_INIT;
	uint8_t volume[16];
	int rc = meta_open(path, &m, volume, &err);

	if (rc < 0)
		assert_true(err.msg[0]);
	return rc;
}

/* true when it was killed at call n. */
static bool open_and_die(int n)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fault = KILL;
		countdown = n;
		_exit(open_db() == 0 && countdown > 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0
				      : WTERMSIG(status) == SIGKILL);
	return WIFSIGNALED(status);
}

/* ---- the files ------------------------------------------------------ */

static void put_old(int version)
{
	assert_sh("rm -rf %s/*; cp %s/meta-v%d.db %s/db", dir, data_dir,
		  version, dir);
}

static bool have(const char *pattern)
{
	CLEANUP_FREE char *path = util_path(pattern);
	glob_t g;
	bool found = glob(path, GLOB_NOSORT, NULL, &g) == 0;

	if (found)
		globfree(&g);
	return found;
}

/* It is whole, of that version, and holds the same. */
static void check_copy_sql(int version)
{
	assert_sh("test \"$(sqlite3 %s/db.schema%d 'PRAGMA integrity_check;"
		  " SELECT version FROM schema_version')\" = \"ok\n%d\"",
		  dir, version, version);
	assert_sh("sqlite3 %s/db.schema%d .dump >%s/a &&"
		  " sqlite3 %s/meta-v%d.db .dump >%s/b && cmp %s/a %s/b",
		  dir, version, dir, data_dir, version, dir, dir, dir);
}

/* The pages are the same each time: so one look by SQL will do. */
static void check_copy(int version)
{
	static struct buf good;
	static int good_version;
	CLEANUP_FREE char *name = io_path("db.schema%d", version);
	CLEANUP_FREE char *path = util_path(name);
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(io_read_file(path, 1 << 20, &b), 0);
	if (good_version != version) {
		check_copy_sql(version);
		buf_done(&good);
		assert_int_equal(buf_add(&good, b.data, b.len), 0);
		good_version = version;
	}
	assert_int_equal(b.len, good.len);
	assert_memory_equal(b.data, good.data, b.len);
}

/* Every version that tests/data has: a new one is only dropped in. */
static void each_old(void (*fn)(int version))
{
	CLEANUP_FREE char *pattern = io_path("%s/meta-v*.db", data_dir);
	glob_t g;
	size_t i;

	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (i = 0; i < g.gl_pathc; i++) {
		const char *v = strstr(g.gl_pathv[i], "meta-v") + 6;

		fn(atoi(v));
	}
	assert_true(g.gl_pathc > 0);
	globfree(&g);
}

static void one_opens(int version)
{
	put_old(version);
	m = util_open_at("db");
	old_check();
	util_reopen();
	util_verify(m);
	util_close();
	if (version == META_SCHEMA) {
		assert_false(have("db.schema*"));
		return;
	}
	check_copy(version);
	assert_false(have("db.schema*.part"));
}

static void test_opens(void **state)
{
	each_old(one_opens);
}

/* What was committed and is only in the log yet is in the copy too. */
static void test_log_is_copied(void **state)
{
	put_old(1);
	assert_sh("sqlite3 %s/db '.dbconfig no_ckpt_on_close on'"
		  " \"INSERT INTO value VALUES ('in-log', 'x')\" >/dev/null",
		  dir);
	assert_sh("test -s %s/db-wal", dir);
	m = util_open_at("db");
	util_close();
	assert_sh("test $(sqlite3 %s/db.schema1"
		  " \"SELECT COUNT(*) FROM value WHERE name = 'in-log'\") = 1",
		  dir);
}

/* The copy and its name are on the disk before the database changes. */
static void test_copy_is_durable_first(void **state)
{
	put_old(1);
	copy_is = UNTOLD;
	too_early = false;
	m = util_open_at("db");
	assert_int_equal(copy_is, DURABLE);
	assert_false(too_early);
	util_close();
}

static void one_dies(int version)
{
	CLEANUP_FREE char *copy = NULL;
	bool killed = true;
	int i;

	if (version == META_SCHEMA)
		return;
	copy = io_path("db.schema%d", version);
	for (i = 1; killed; i++) {
		assert_true(i < 1000);
		put_old(version);
		killed = open_and_die(i);
		/* Old or new as a whole: the tables work as one of them. */
		assert_sh("cp %s/db %s/c; ! test -e %s/db-wal ||"
			  " cp %s/db-wal %s/c-wal; v=$(sqlite3 %s/c 'SELECT"
			  " version FROM schema_version') &&"
			  " { test $v = %d || test $v = %d; }",
			  dir, dir, dir, dir, dir, dir, version, META_SCHEMA);
		if (have(copy))
			check_copy(version);
		m = util_open_at("db");
		old_check();
		util_close();
		check_copy(version);
		assert_false(have("db.schema*.part"));
	}
	assert_true(i > 30); /* pages of the copy alone are as many */
}

static void test_dies(void **state)
{
	each_old(one_dies);
}

static void one_is_full(int version)
{
	bool struck = true;
	int i, rc;

	if (version == META_SCHEMA)
		return;
	for (i = 1; struck; i++) {
		assert_true(i < 1000);
		put_old(version);
		fault = NO_SPACE;
		countdown = i;
		rc = open_db();
		struck = countdown == 0;
		fault = NOTHING;
		assert_int_equal(rc, struck ? -ENOSPC : 0);
		assert_false(have("db.schema*.part"));
		if (struck)
			m = util_open_at("db");
		old_check();
		util_close();
		check_copy(version);
	}
	assert_true(i > 30);
}

static void test_is_full(void **state)
{
	each_old(one_is_full);
}

/* A start that failed behind the copy does not make another one. */
static void test_copy_serves_again(void **state)
{
	put_old(1);
	assert_sh("cp %s/db %s/db.schema1 && echo junk >%s/db.schema1.part",
		  dir, dir, dir);
	assert_sh("ln %s/db.schema1 %s/same", dir, dir);
	m = util_open_at("db");
	util_close();
	assert_sh("test %s/same -ef %s/db.schema1", dir, dir);
	check_copy_sql(1);
}

/* A copy of another time is kept beside the new one. */
static void test_copy_set_aside(void **state)
{
	put_old(1);
	assert_sh("cp %s/db %s/db.schema1 && sqlite3 %s/db.schema1"
		  " 'UPDATE idblock SET upper = upper - 1'",
		  dir, dir, dir);
	assert_sh("touch -d 2026-01-02T03:04:05Z %s/db.schema1", dir);
	m = util_open_at("db");
	util_close();
	check_copy_sql(1);
	assert_true(have("db.schema1-20260102T030405Z"));
	/* Neither is a file that is no database at all. */
	put_old(1);
	assert_sh("echo junk >%s/db.schema1", dir);
	m = util_open_at("db");
	util_close();
	check_copy_sql(1);
	assert_sh("grep -q junk %s/db.schema1-*", dir);
}

static void test_fill(void **state)
{
	util_create_at("db");
	m = util_open_at("db");
	old_fill();
	old_check();
	util_close();
}

static int each_teardown(void **state)
{
	(void)state;
	util_close();
	return test_rm_below(dir);
}

#define MIGRATE_TEST(f) cmocka_unit_test_teardown(f, each_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		MIGRATE_TEST(test_fill),
		MIGRATE_TEST(test_opens),
		MIGRATE_TEST(test_log_is_copied),
		MIGRATE_TEST(test_copy_is_durable_first),
		MIGRATE_TEST(test_dies),
		MIGRATE_TEST(test_is_full),
		MIGRATE_TEST(test_copy_serves_again),
		MIGRATE_TEST(test_copy_set_aside),
	};

	if (argc == 3 && strcmp(argv[1], "--make") == 0)
		return make(argv[2]);
	if (argc != 2)
		return 2;
	log_setup("test-meta-migrate", LOG_LEVEL_WARN);
	data_dir = argv[1];
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
