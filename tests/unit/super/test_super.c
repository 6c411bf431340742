/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real supervisor with real mounts and workers that only pretend. In a
 * mount namespace of its own, so that nothing is left mounted.
 */
#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "super/super.h"

#ifndef DUMMY_WORKER
#error "DUMMY_WORKER names the program"
#endif

#define MS 1000000LL

static char base[] = "/tmp/mersey-test-super-XXXXXX";
static char *key, *config;

/* One run of a supervisor. */
struct run {
	struct super_trust trust[3];
	struct super_opts o;
	char *mount[3];
	char *pid_file;
	pid_t pid;
	int ready; /* readable when ready, end of file when it is gone */
};

static int setup(void **state)
{
	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(base))
		return -1;
	key = io_path("%s/key", base);
	config = io_path("%s/config", base);
	return io_write_file(key, 0600, "key\n", 4, false);
}

static int teardown(void **state)
{
	if (geteuid() != 0)
		return 0;
	free(key);
	free(config);
	return test_rm(base);
}

static void run_init(struct run *r, const char *const *names, size_t n)
{
	CLEANUP_FREE char *log = io_path("%s.log", config);

	memset(r, 0, sizeof(*r));
	unlink(log);
	for (size_t i = 0; i < n; i++) {
		r->mount[i] = io_path("%s/mnt/%s", base, names[i]);
		r->trust[i] = (struct super_trust){
			.name = names[i],
			.uid = 61901,
			.gid = 61901,
			.mountpoint = r->mount[i],
			.key_file = key,
		};
	}
	r->pid_file = io_path("%s/run/merseyd.pid", base);
	r->o = (struct super_opts){
		.config_path = config,
		.pid_file = r->pid_file,
		.runtime_dir = io_path("%s/run", base),
		.trusts = r->trust,
		.n_trusts = n,
		.stop_wait_ns = 700 * MS,
		.worker_path = DUMMY_WORKER,
	};
}

static void run_done(struct run *r)
{
	for (size_t i = 0; i < r->o.n_trusts; i++)
		free(r->mount[i]);
	free(r->pid_file);
	free((char *)r->o.runtime_dir);
	if (r->ready > 0)
		close(r->ready);
}

/* Starts the supervisor; returns when it is ready or gone. */
static void run_start(struct run *r)
{
	int p[2];
	char c;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		close(p[0]);
		r->o.ready_fd = p[1];
		_exit(-super_run(&r->o, NULL));
	}
	close(p[1]);
	r->ready = p[0];
	assert_true(read(r->ready, &c, 1) >= 0);
}

/* Waits for the end of a process, at most `ms`; its exit status. */
static int wait_exit(pid_t pid, int ms)
{
	int status;

	for (; ms > 0; ms -= 10) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
		clock_sleep_ns(10 * MS);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 1001;
}

static int run_stop(struct run *r, int ms)
{
	kill(r->pid, SIGTERM);
	return wait_exit(r->pid, ms);
}

/* How often a trust's worker was started; *pid of the last one. */
static int starts(const char *trust, pid_t *pid, int *restarts)
{
	CLEANUP_FREE char *path = io_path("%s.log", config);
	char name[64];
	int n = 0, p, count;
	FILE *f = fopen(path, "re");

	while (f && fscanf(f, "%63s %d %d\n", name, &p, &count) == 3) {
		if (strcmp(name, trust) != 0)
			continue;
		n++;
		if (pid)
			*pid = p;
		if (restarts)
			*restarts = count;
	}
	if (f)
		fclose(f);
	return n;
}

static void wait_starts(const char *trust, int n, int ms)
{
	for (; ms > 0 && starts(trust, NULL, NULL) < n; ms -= 10)
		clock_sleep_ns(10 * MS);
	assert_true(starts(trust, NULL, NULL) >= n);
}

static bool is_mounted(const char *path)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(io_read_file("/proc/self/mountinfo", 1 << 20, &b), 0);
	return strstr(buf_str(&b), path) != NULL;
}

static void test_backoff(void **state)
{
	const char *const names[] = { "serve", "die" };
	struct run r;
	struct stat st;
	int n, restarts = 0;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 2);
	run_start(&r);
	clock_sleep_ns(1200 * MS);
	/* 0, 0.1, 0.3 and 0.7 s; slow machines make fewer, never more. */
	n = starts("die", NULL, &restarts);
	assert_in_range(n, 2, 5);
	assert_int_equal(restarts, n - 1);
	assert_int_equal(starts("serve", NULL, NULL), 1);
	/* The neighbour is served meanwhile. */
	assert_int_equal(stat(r.mount[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(run_stop(&r, 5000), 0);
	assert_false(is_mounted(r.mount[0]));
	assert_false(is_mounted(r.mount[1]));
	/* Nobody can write below what is not mounted. */
	assert_int_equal(stat(r.mount[0], &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	run_done(&r);
}

/* ---- alarms ---------------------------------------------------------- */

static int said(void *arg, const char *trust, const void *p, size_t n,
		struct buf *out)
{
	return n ? buf_addf(out, "%s: %.*s", trust, (int)n, (const char *)p)
		 : -EINVAL;
}

static int down(void *arg, const char *trust, int64_t raised_ns,
		int64_t cleared_ns, struct buf *out)
{
	return buf_addf(out, "%s %s\n", trust, cleared_ns ? "up" : "down");
}

/* How often a line was told. */
static int told(const char *line)
{
	CLEANUP_FREE char *path = io_path("%s/told", base);
	CLEANUP_BUF struct buf b = { 0 };
	const char *s;
	int n = 0;

	if (io_read_file(path, 1 << 20, &b) < 0)
		return 0;
	for (s = buf_str(&b); (s = strstr(s, line)); s++)
		n++;
	return n;
}

/* Workers are listened to, but not for ever; the supervisor speaks of those
 * that cannot speak, once. */
static void test_alarms(void **state)
{
	const char *const names[] = { "tell", "die", "liar" };
	char script[256];
	char *const argv[] = { (char *)"/bin/sh", (char *)"-c", script, NULL };
	struct super_alarms alarms = { .command.argv = argv,
				       .text = said,
				       .down = down };
	CLEANUP_FREE char *path = io_path("%s/told", base);
	struct run r;
	int i;

	if (geteuid() != 0)
		skip();
	snprintf(script, sizeof(script), "cat >> %s", path);
	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(io_write_file(path, 0666, "", 0, false), 0);
	assert_int_equal(chmod(path, 0666), 0);
	run_init(&r, names, 3);
	r.o.alarms = &alarms;
	run_start(&r);
	wait_starts("die", 4, 20000);
	wait_starts("liar", 2, 20000);
	for (i = 0;
	     i < 2000 && !(told("tell: fire\n") >= 60 && told("die down\n"));
	     i++)
		clock_sleep_ns(10 * MS);
	assert_int_equal(told("tell: fire\n"), 60);
	assert_int_equal(told("die down\n"), 1);
	assert_int_equal(told("die up\n"), 0);
	assert_int_equal(starts("tell", NULL, NULL), 1);
	assert_int_equal(run_stop(&r, 5000), 0);
	run_done(&r);
}

static void test_none_starts(void **state)
{
	const char *const names[] = { "die1", "die2" };
	struct run r;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 2);
	run_start(&r);
	assert_int_equal(wait_exit(r.pid, 5000), ECHILD);
	assert_false(is_mounted(r.mount[0]));
	run_done(&r);
}

static void test_rogue(void **state)
{
	const char *const names[] = { "rogue", "serve" };
	struct run r;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 2);
	run_start(&r);
	wait_starts("rogue", 2, 5000);
	assert_int_equal(starts("serve", NULL, NULL), 1);
	assert_int_equal(run_stop(&r, 5000), 0);
	run_done(&r);
}

/* A client in a process of its own, for it may hang. */
static pid_t client_stat(const char *path)
{
	pid_t pid = fork();
	struct stat st;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(stat(path, &st) < 0 ? errno : 0);
	return pid;
}

static void test_hanging_client(void **state)
{
	const char *const names[] = { "hang" };
	struct run r;
	pid_t client, worker = 0;
	int status, rc;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 1);
	run_start(&r);
	client = client_stat(r.mount[0]);
	clock_sleep_ns(300 * MS);
	/* The control: it does hang. */
	assert_int_equal(waitpid(client, &status, WNOHANG), 0);
	assert_int_equal(starts("hang", &worker, NULL), 1);
	kill(worker, SIGKILL);
	rc = wait_exit(client, 3000);
	assert_true(rc == ENOTCONN || rc == ECONNABORTED);
	wait_starts("hang", 2, 3000);
	assert_true(is_mounted(r.mount[0]));
	assert_int_equal(run_stop(&r, 5000), 0);
	run_done(&r);
}

/* SIGTERM: the path is free at once, an open file is served until the last
 * close, and then the supervisor ends. */
static void test_term_waits(void **state)
{
	const char *const names[] = { "serve" };
	struct run r;
	struct stat st;
	int fd;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 1);
	r.o.stop_wait_ns = 20000 * MS;
	run_start(&r);
	fd = open(r.mount[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	kill(r.pid, SIGTERM);
	for (int i = 0; i < 300 && is_mounted(r.mount[0]); i++)
		clock_sleep_ns(10 * MS);
	assert_false(is_mounted(r.mount[0]));
	clock_sleep_ns(200 * MS);
	assert_int_equal(waitpid(r.pid, NULL, WNOHANG), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	close(fd);
	assert_int_equal(wait_exit(r.pid, 5000), 0);
	run_done(&r);
}

/* An open file that is never closed: its connection ends after the wait. */
static void test_term_forces(void **state)
{
	const char *const names[] = { "serve" };
	struct run r;
	struct stat st;
	int fd;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 1);
	run_start(&r);
	fd = open(r.mount[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(run_stop(&r, 5000), 0);
	assert_int_equal(fstat(fd, &st), -1);
	assert_true(errno == ENOTCONN || errno == ECONNABORTED);
	close(fd);
	run_done(&r);
}

static void test_second_supervisor(void **state)
{
	const char *const names[] = { "serve" };
	struct run r;
	struct err err = ERR_INIT;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 1);
	run_start(&r);
	assert_int_equal(super_run(&r.o, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "another merseyd"));
	/* The first one did not notice. */
	assert_true(is_mounted(r.mount[0]));
	assert_int_equal(starts("serve", NULL, NULL), 1);
	assert_int_equal(run_stop(&r, 5000), 0);
	run_done(&r);
}

/* kill -9 of the supervisor: workers die, and the next one cleans up. */
static void test_stale_mount(void **state)
{
	const char *const names[] = { "serve" };
	struct run r;
	pid_t worker = 0;
	struct stat st;
	char c;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 1);
	run_start(&r);
	starts("serve", &worker, NULL);
	kill(r.pid, SIGKILL);
	waitpid(r.pid, NULL, 0);
	/* The connection ends with the last process that holds it. */
	for (int i = 0; i < 300 && stat(r.mount[0], &st) == 0; i++)
		clock_sleep_ns(10 * MS);
	assert_int_equal(stat(r.mount[0], &st), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(read(r.ready, &c, 1), 0);
	close(r.ready);
	run_start(&r);
	assert_int_equal(stat(r.mount[0], &st), 0);
	assert_int_equal(run_stop(&r, 5000), 0);
	assert_false(is_mounted(r.mount[0]));
	run_done(&r);
}

/* The supervisor's child that is no worker; 0: none. */
static pid_t broker_of(const struct run *r, pid_t worker)
{
	CLEANUP_FREE char *path =
		io_path("/proc/%d/task/%d/children", r->pid, r->pid);
	FILE *f = fopen(path, "re");
	pid_t found = 0;
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		if (pid != worker)
			found = pid;
	if (f)
		fclose(f);
	return found;
}

static pid_t wait_broker(const struct run *r, pid_t worker)
{
	pid_t pid = broker_of(r, worker);

	for (int i = 0; i < 500 && !pid; i++) {
		clock_sleep_ns(10 * MS);
		pid = broker_of(r, worker);
	}
	return pid;
}

/* Not there any more, also not as a zombie. */
static void wait_gone(pid_t pid)
{
	for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
		clock_sleep_ns(10 * MS);
	assert_int_equal(kill(pid, 0), -1);
}

/* A worker does without its broker, though it gets some more; a broker never
 * without its worker. */
static void test_broker(void **state)
{
	const char *const names[] = { "serve" };
	pid_t worker = 0, broker, second;
	struct run r;
	struct stat st;

	if (geteuid() != 0)
		skip();
	run_init(&r, names, 1);
	r.trust[0].passthrough = true;
	r.trust[0].state_dir = base;
	run_start(&r);
	starts("serve", &worker, NULL);
	broker = broker_of(&r, worker);
	assert_true(broker > 0);
	for (int i = 0; i < 4; i++, broker = second) {
		kill(broker, SIGKILL);
		wait_gone(broker); /* reaped, and replaced in one go */
		second = wait_broker(&r, worker);
		assert_true(second > 0 && second != broker);
	}
	kill(broker, SIGKILL); /* that is enough */
	wait_gone(broker);
	assert_int_equal(broker_of(&r, worker), 0);
	assert_int_equal(stat(r.mount[0], &st), 0);
	assert_int_equal(starts("serve", NULL, NULL), 1);

	kill(worker, SIGKILL); /* the next one has its own */
	wait_starts("serve", 2, 5000);
	starts("serve", &worker, NULL);
	broker = broker_of(&r, worker);
	assert_true(broker > 0);
	kill(worker, SIGKILL);
	wait_gone(broker);
	wait_starts("serve", 3, 5000);
	starts("serve", &worker, NULL);
	second = broker_of(&r, worker);
	assert_true(second > 0 && second != broker);
	assert_int_equal(run_stop(&r, 5000), 0);
	wait_gone(second);
	assert_false(is_mounted(r.mount[0]));
	run_done(&r);
}

/* Mount points with something in them, or on them, are left alone. */
static void test_mount_refused(void **state)
{
	CLEANUP_FREE char *full = io_path("%s/full", base);
	CLEANUP_FREE char *file = io_path("%s/file", full);
	CLEANUP_FREE char *other = io_path("%s/other", base);
	struct err err = ERR_INIT;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(full, 0755), 0);
	assert_int_equal(io_write_file(file, 0600, "x", 1, false), 0);
	assert_int_equal(super_mount("rem", full, NULL, &err), -ENOTEMPTY);

	assert_int_equal(mkdir(other, 0755), 0);
	assert_int_equal(mount("t", other, "tmpfs", 0, NULL), 0);
	assert_int_equal(super_mount("rem", other, NULL, &err), -EBUSY);
	assert_int_equal(super_unmount(other, true), 0);
	assert_true(is_mounted(other));
	umount(other);
	assert_int_equal(super_unmount(other, true), 0);
}

/* What is not there is not attached, and the mount stays as it is. */
static void test_attach(void **state)
{
	CLEANUP_FREE char *dir = io_path("%s/attach", base);
	CLEANUP_FREE char *sub = io_path("%s/sub", dir);
	CLEANUP_FREE char *below = io_path("%s/below", sub);
	struct err err = ERR_INIT;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(mount("t", dir, "tmpfs", 0, NULL), 0);
	assert_int_equal(super_attach(dir, "sub", &err), -ENOENT);
	assert_true(is_mounted(dir));
	assert_int_equal(mkdir(sub, 0755), 0);
	assert_int_equal(mkdir(below, 0755), 0);
	assert_int_equal(super_attach(dir, "sub", &err), 0);
	assert_true(is_mounted(dir));
	free(below);
	below = io_path("%s/below", dir);
	assert_int_equal(access(below, F_OK), 0);
	assert_int_equal(umount(dir), 0);
	assert_false(is_mounted(dir)); /* one mount, not two */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_alarms),
		cmocka_unit_test(test_none_starts),
		cmocka_unit_test(test_rogue),
		cmocka_unit_test(test_hanging_client),
		cmocka_unit_test(test_term_waits),
		cmocka_unit_test(test_term_forces),
		cmocka_unit_test(test_second_supervisor),
		cmocka_unit_test(test_stale_mount),
		cmocka_unit_test(test_broker),
		cmocka_unit_test(test_mount_refused),
		cmocka_unit_test(test_attach),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
