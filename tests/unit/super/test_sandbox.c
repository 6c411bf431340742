/* SPDX-License-Identifier: Apache-2.0 */
/* What a process is after it gave up its privileges, as the kernel tells. */
#include "tests/test.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "super/super.h"

#define UID 61901
#define GID 61902

static const struct super_sandbox sandbox = {
	.uid = UID,
	.gid = GID,
	.descriptors = 123,
};

/* The value of a line of /proc/self/status, without white space around. */
static void status_line(const char *key, char *out, size_t size)
{
	CLEANUP_BUF struct buf b = { 0 };
	const char *p;

	assert_int_equal(io_read_file("/proc/self/status", 65536, &b), 0);
	p = strstr(buf_str(&b), key);
	assert_non_null(p);
	p += strlen(key);
	p += strspn(p, ": \t");
	snprintf(out, size, "%.*s", (int)strcspn(p, "\n"), p);
	for (size_t n = strlen(out); n && strchr(" \t", out[n - 1]);)
		out[--n] = '\0';
}

static void assert_status(const char *key, const char *want)
{
	char have[256];

	status_line(key, have, sizeof(have));
	assert_string_equal(have, want);
}

/* Runs fn in a child of its own; it fails by not exiting with 0. */
static void in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void child_drop(void)
{
	const gid_t groups[] = { 4, 27, 61999 };
	struct err err = ERR_INIT;
	struct rlimit lim;
	char text[64];

	assert_int_equal(setgroups(ARRAY_SIZE(groups), groups), 0);
	assert_status("Groups", "4 27 61999"); /* the control */
	assert_int_equal(super_drop_privileges(&sandbox, &err), 0);

	snprintf(text, sizeof(text), "%d\t%d\t%d\t%d", UID, UID, UID, UID);
	assert_status("Uid", text);
	snprintf(text, sizeof(text), "%d\t%d\t%d\t%d", GID, GID, GID, GID);
	assert_status("Gid", text);
	assert_status("Groups", "");
	assert_status("CapInh", "0000000000000000");
	assert_status("CapPrm", "0000000000000000");
	assert_status("CapEff", "0000000000000000");
	assert_status("CapAmb", "0000000000000000");
	assert_status("NoNewPrivs", "1");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	assert_int_equal(lim.rlim_cur, 123);
	assert_int_equal(lim.rlim_max, 123);
	assert_int_equal(getrlimit(RLIMIT_CORE, &lim), 0);
	assert_int_equal(lim.rlim_max, 0);
	assert_int_equal(setuid(0), -1);
}

static void test_drop(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(child_drop);
}

static void child_root_user(void)
{
	struct super_sandbox s = { .uid = 0, .gid = GID };
	struct err err = ERR_INIT;

	assert_int_equal(super_drop_privileges(&s, &err), -EINVAL);
	s = (struct super_sandbox){ .uid = UID, .gid = 0 };
	assert_int_equal(super_drop_privileges(&s, &err), -EINVAL);
}

static void test_root_user(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(child_root_user);
}

/* The user stays, and so does the way to gain rights (fusermount3). */
static void child_plain(void)
{
	struct super_sandbox s = { .descriptors = 50 };
	struct err err = ERR_INIT;
	struct rlimit lim;

	if (geteuid() == 0)
		assert_int_equal(setresuid(UID, UID, UID), 0);
	assert_int_equal(super_drop_privileges(&s, &err), 0);
	assert_status("NoNewPrivs", "0");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
	assert_int_equal(lim.rlim_cur, 50);
}

static void test_plain(void **state)
{
	in_child(child_plain);
}

static void child_wrong_parent(void)
{
	struct super_sandbox s = sandbox;
	struct err err = ERR_INIT;

	s.parent = getpid();
	assert_int_equal(super_drop_privileges(&s, &err), -ESRCH);
}

static void test_wrong_parent(void **state)
{
	if (geteuid() != 0)
		skip();
	in_child(child_wrong_parent);
}

/* A grandchild that gave up its privileges dies when its parent does. */
static void test_dies_with_parent(void **state)
{
	int alive[2], status;
	pid_t parent;
	char c;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(alive), 0);
	parent = fork();
	if (parent == 0) {
		pid_t me = getpid();

		if (fork() == 0) {
			struct super_sandbox s = sandbox;

			s.parent = me;
			if (super_drop_privileges(&s, NULL) < 0)
				_exit(1);
			c = 'r';
			if (write(alive[1], &c, 1) != 1)
				_exit(1);
			pause();
		}
		pause();
		_exit(0);
	}
	close(alive[1]);
	assert_int_equal(read(alive[0], &c, 1), 1);
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	/* The grandchild held the last end of the pipe. */
	assert_int_equal(read(alive[0], &c, 1), 0);
	close(alive[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_root_user),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_wrong_parent),
		cmocka_unit_test(test_dies_with_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
