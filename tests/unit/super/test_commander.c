/* SPDX-License-Identifier: Apache-2.0 */
/* alarm_command: real processes, with what they printed in a file. */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "super/super.h"

#define MS 1000000LL

static char base[] = "/tmp/mersey-test-commander-XXXXXX";
static char script[512];
static char *const sh[] = { (char *)"/bin/sh", (char *)"-c", script, NULL };
static struct super_command command;
static struct super_commander cm;
static int old_stderr;

/* What a command writes with "> out", and what the process logs. */
static const char *in_file(const char *name)
{
	static struct buf b;
	CLEANUP_FREE char *path = io_path("%s/%s", base, name);

	buf_done(&b);
	if (io_read_file(path, 1 << 20, &b) < 0 || !b.len)
		return "";
	return buf_str(&b);
}

static void wait_text(const char *name, const char *text)
{
	for (int i = 0; i < 2000 && !strstr(in_file(name), text); i++)
		clock_sleep_ns(10 * MS);
	if (!strstr(in_file(name), text))
		print_error("'%s' is not in: %s\n", text, in_file(name));
	assert_non_null(strstr(in_file(name), text));
}

static int setup(void **state)
{
	CLEANUP_FREE char *log = NULL;
	int fd;

	strcpy(base + strlen(base) - 6, "XXXXXX");
	if (!mkdtemp(base) || chmod(base, 0777) < 0)
		return -1;
	log = io_path("%s/log", base);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	old_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO); /* the process has it as its own */
	close(fd);
	command = (struct super_command){ .argv = sh };
	return 0;
}

static void start(const char *text)
{
	struct err err = ERR_INIT;

	snprintf(script, sizeof(script), "cd %s; %s", base, text);
	assert_int_equal(super_commander_start(&cm, &command, &err), 0);
	dup2(old_stderr, STDERR_FILENO);
}

static void tell(const char *text)
{
	assert_int_equal(super_commander_tell(&cm, text, strlen(text)), 0);
}

static int teardown(void **state)
{
	pid_t pid = cm.pid;
	int status = 1;

	super_commander_leave(&cm);
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	for (int i = 0; i < 1000 && pid > 0; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		clock_sleep_ns(10 * MS);
	}
	in_file("none");
	return test_rm(base) || status;
}

static void test_told(void **state)
{
	start("cat >> out");
	tell("{\"id\": 1}\n");
	tell("{\"id\": 2}\n");
	tell("{\"id\": 3}\n");
	wait_text("out", "{\"id\": 1}\n{\"id\": 2}\n{\"id\": 3}\n");
	assert_string_equal(in_file("log"), "");
}

/* Nothing of who started it: no user, no variable, no descriptor. */
static void test_has_nothing(void **state)
{
	assert_int_equal(setenv("SECRET", "s", 1), 0);
	start("{ id -u; id -G; pwd -P; ls -l /proc/self/fd; "
	      "tr '\\0' '\\n' < /proc/$$/environ; "
	      "grep NoNewPrivs /proc/self/status; } > out; "
	      "mv out done");
	tell("x");
	wait_text("done", "PATH=");
	assert_null(strstr(in_file("done"), "SECRET"));
	assert_non_null(strstr(in_file("done"), " 0 -> /memfd:alarm"));
	assert_null(strstr(in_file("done"), "socket:"));
	if (geteuid() == 0) {
		assert_int_equal(strncmp(in_file("done"), "65534\n65534\n", 12),
				 0);
		wait_text("done", "NoNewPrivs:\t1");
	}
	unsetenv("SECRET");
}

static void test_fails(void **state)
{
	start("read x; case $x in 1) echo 'no such\tpager' >&2; exit 3;; "
	      "2) kill -9 $$;; *) echo told $x > out;; esac");
	tell("1\n");
	tell("2\n");
	tell("3\n");
	wait_text("out", "told 3");
	assert_non_null(
		strstr(in_file("log"), "ended with status 3: no such pager\n"));
	assert_non_null(strstr(in_file("log"), "was killed by signal 9"));
}

static void test_is_not_there(void **state)
{
	static char *const none[] = { (char *)"/nowhere/page-ops", NULL };

	command.argv = none;
	start("");
	tell("1\n");
	wait_text("log", "'/nowhere/page-ops' ended with status 127: cannot "
			 "run it: No such file or directory");
}

/* It and all that it started are ended, and the next one is told. */
static void test_takes_too_long(void **state)
{
	pid_t left;

	command.limit_ns = 400 * MS;
	start("read x; if test $x = 1; then sleep 1000 & echo $! > pid; "
	      "yes; fi; echo told $x > out");
	tell("1\n");
	tell("2\n");
	wait_text("out", "told 2");
	wait_text("log", "took too long and was killed: y\n");
	left = atoi(in_file("pid"));
	assert_true(left > 1);
	for (int i = 0; i < 500 && kill(left, 0) == 0; i++) {
		CLEANUP_FREE char *path = io_path("/proc/%d/stat", left);
		CLEANUP_BUF struct buf b = { 0 };

		if (io_read_file(path, 4096, &b) < 0 ||
		    strstr(buf_str(&b), ") Z "))
			return; /* nobody may be there to reap it */
		clock_sleep_ns(10 * MS);
	}
	assert_int_equal(kill(left, 0), -1);
}

/* What it leaves in the background does not keep it. */
static void test_leaves_nothing(void **state)
{
	start("read x; sleep 1000 & echo told $x >> out");
	tell("1\n");
	tell("2\n");
	wait_text("out", "told 1\ntold 2\n");
}

/* Who tells never waits: too many are refused. */
static void test_flood(void **state)
{
	int rc = 0, n;

	start("exec sleep 0.01");
	for (n = 0; rc == 0 && n < 1000000; n++)
		rc = super_commander_tell(&cm, script, sizeof(script));
	assert_int_equal(rc, -EAGAIN);
	assert_true(n > 10);
	assert_int_equal(
		super_commander_tell(&cm, script, SUPER_COMMAND_TEXT + 1),
		-EMSGSIZE);
	kill(cm.pid, SIGKILL);
	for (n = 0; rc == -EAGAIN && n < 1000; n++) {
		clock_sleep_ns(10 * MS);
		rc = super_commander_tell(&cm, "x", 1);
	}
	assert_int_equal(rc, -EPIPE);
	assert_int_equal(waitpid(cm.pid, NULL, 0), cm.pid);
	close(cm.fd);
	cm.pid = 0;
	assert_int_equal(super_commander_tell(&cm, "x", 1), -EPIPE);
}

static int flood_teardown(void **state)
{
	teardown(state);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_told),
		TEST(test_has_nothing),
		TEST(test_fails),
		TEST(test_is_not_there),
		TEST(test_takes_too_long),
		TEST(test_leaves_nothing),
		cmocka_unit_test_setup_teardown(test_flood, setup,
						flood_teardown),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
