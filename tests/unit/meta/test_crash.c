/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 in the middle of transactions: what was acknowledged is there, the
 * database is whole, its totals are exact. The child is another program, as
 * a worker is. Argument: number of kills (5).
 */
#include "tests/unit/meta/util.h"

#include <signal.h>
#include <sys/wait.h>

#define ITEM "f%06d"

static int kills = 5;

/* The child: creates, changes and removes files; writes each acknowledged
 * number to stdout. */
static int child(const char *path, int from)
{
	struct err err = ERR_INIT;
	uint8_t volume[16];
	char name[32];
	int i;

	if (meta_open(path, &m, volume, &err) < 0)
		return 1;
	for (i = from;; i++) {
		META_TXN(t);
		struct meta_inode in;
		uint64_t ino;

		begin(&t);
		snprintf(name, sizeof(name), ITEM, i);
		ino = make_file(&t, META_ROOT_INO, name);
		/* More than one row: both names or none. */
		snprintf(name, sizeof(name), ITEM ".twin", i);
		assert_int_equal(meta_dirent_insert(&t, META_ROOT_INO, name,
						    strlen(name), ino),
				 0);
		assert_int_equal(meta_inode_get(&t, ino, &in), 0);
		in.nlink = 2;
		in.size = (uint64_t)i;
		assert_int_equal(meta_inode_update(&t, &in), 0);
		if (meta_commit(&t, NULL) < 0)
			return 1;
		if (io_write(1, &i, sizeof(i)) < 0)
			return 1;
	}
}

/* Both names of i: 1, 0; fails on a half. */
static bool whole(struct meta_txn *t, int i)
{
	struct meta_inode in;
	uint64_t a = 0, b = 0;
	char name[32];
	int ra, rb;

	snprintf(name, sizeof(name), ITEM, i);
	ra = meta_dirent_get(t, META_ROOT_INO, name, strlen(name), &a);
	snprintf(name, sizeof(name), ITEM ".twin", i);
	rb = meta_dirent_get(t, META_ROOT_INO, name, strlen(name), &b);
	assert_int_equal(ra, rb);
	assert_int_equal(a, b);
	if (ra < 0)
		return false;
	assert_int_equal(meta_inode_get(t, a, &in), 0);
	assert_int_equal(in.size, i);
	assert_int_equal(in.nlink, 2);
	return true;
}

/* Starts the child, kills it after a while. The last acknowledged number. */
static int run_and_kill(int from)
{
	CLEANUP_FREE char *path = util_path("db");
	char number[16];
	int fds[2], got, last = from - 1;
	unsigned ms;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(io_random(&ms, sizeof(ms)), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		snprintf(number, sizeof(number), "%d", from);
		execl("/proc/self/exe", "child", "--child", path, number, NULL);
		_exit(127);
	}
	close(fds[1]);
	/* It works before it is killed. */
	assert_int_equal(io_read(fds[0], &last, sizeof(last)), sizeof(last));
	clock_sleep_ns((int64_t)(ms % 150) * 1000000);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (io_read(fds[0], &got, sizeof(got)) == sizeof(got))
		last = got;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	return last;
}

static void test_kill(void **state)
{
	int i, k, last = -1, next;

	util_close();
	for (k = 0; k < kills; k++) {
		META_TXN(t);

		next = last + 1;
		last = run_and_kill(next);
		assert_true(last >= next);
		m = util_open_at("db");
		util_verify(m);
		reading(&t);
		for (i = 0; i <= last; i++)
			assert_true(whole(&t, i));
		/* The one in flight: all or nothing. */
		if (whole(&t, last + 1))
			last++;
		assert_false(whole(&t, last + 1));
		meta_abort(&t);
		util_close();
	}
	printf("%d acknowledged\n", last + 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { META_TEST(test_kill) };

	if (argc == 4 && strcmp(argv[1], "--child") == 0)
		return child(argv[2], atoi(argv[3]));
	if (argc > 1)
		kills = atoi(argv[1]);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
