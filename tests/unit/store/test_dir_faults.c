/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory as a store, on a filesystem that fails: full, served by a NAS
 * whose answers get lost, not mounted, or used by somebody else. Some system
 * calls of the store go through here (--wrap).
 */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "store/drivers.h"

static char top[] = "/tmp/mersey-test-dirf-XXXXXX";

/* --- the system calls --------------------------------------------------- */

/* What happens to a call: it fails with `error`, done all the same or not. */
struct fault {
	int error;
	bool done;
};

static struct fault on_link, on_rename, on_rename2, on_sync;
static bool dribble;  /* write(2) takes little, and is interrupted */
static char seen[64]; /* s: fsync, n: a name was given */

static void see(char c)
{
	size_t n = strlen(seen);

	if (n + 1 < sizeof(seen))
		seen[n] = c;
}

int __real_linkat(int from, const char *old, int to, const char *new, int f);
int __real_renameat(int from, const char *old, int to, const char *new);
int __real_renameat2(int from, const char *old, int to, const char *new,
		     unsigned f);
int __real_fsync(int fd);
ssize_t __real_write(int fd, const void *p, size_t n);

int __wrap_linkat(int from, const char *old, int to, const char *new, int f);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat2(int from, const char *old, int to, const char *new,
		     unsigned f);
int __wrap_fsync(int fd);
ssize_t __wrap_write(int fd, const void *p, size_t n);

static int fault(const struct fault *f, int rc)
{
	if (!f->error)
		return rc;
	errno = f->error;
	return -1;
}

#define SKIPPED(f) ((f).error && !(f).done)

int __wrap_linkat(int from, const char *old, int to, const char *new, int f)
{
	see('n');
	return fault(&on_link, SKIPPED(on_link)
				       ? -1
				       : __real_linkat(from, old, to, new, f));
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	see('n');
	return fault(&on_rename, SKIPPED(on_rename)
					 ? -1
					 : __real_renameat(from, old, to, new));
}

int __wrap_renameat2(int from, const char *old, int to, const char *new,
		     unsigned f)
{
	see('n');
	return fault(&on_rename2,
		     SKIPPED(on_rename2)
			     ? -1
			     : __real_renameat2(from, old, to, new, f));
}

int __wrap_fsync(int fd)
{
	see('s');
	return fault(&on_sync, SKIPPED(on_sync) ? -1 : __real_fsync(fd));
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	static unsigned calls;

	if (!dribble)
		return __real_write(fd, p, n);
	if (calls++ % 3 == 0) {
		errno = EINTR;
		return -1;
	}
	return __real_write(fd, p, MIN(n, (size_t)7));
}

/* --- the store ---------------------------------------------------------- */

static int open_at(const char *endpoint, bool beside, struct store **out,
		   struct err *err)
{
	struct store_opts o = { .kind = STORE_DIR,
				.name = "dir",
				.endpoint = endpoint,
				.beside = beside,
				.bucket = "bucket",
				.prefix = "" };

	*out = NULL;
	return store_open(&o, out, err);
}

/* A store in a directory of its own. */
struct rig {
	char *path; /* the endpoint */
	char *tmp;  /* where its temporary files are */
	struct store *store;
};

static void rig_init(struct rig *r, const char *name)
{
	r->path = io_path("%s/%s", top, name);
	r->tmp = io_path("%s/bucket/.tmp~", r->path);
	assert_int_equal(mkdir(r->path, 0700), 0);
	assert_int_equal(open_at(r->path, false, &r->store, NULL), 0);
}

static void rig_done(struct rig *r)
{
	store_free(r->store);
	free(r->path);
	free(r->tmp);
	on_link = on_rename = on_rename2 = on_sync = (struct fault){ 0 };
	dribble = false;
}

#define RIG(r, name)                     \
	CLEANUP(rig_done) struct rig(r); \
	rig_init(&(r), name)

static int put(struct rig *r, const char *key, const char *text)
{
	return store_put(r->store, key, text, strlen(text), NULL);
}

static int put_new(struct rig *r, const char *key, const char *text)
{
	struct store_put_opts o = { .if_absent = true };

	return store_put(r->store, key, text, strlen(text), &o);
}

static void assert_content(struct rig *r, const char *key, const char *text)
{
	char got[64] = "";

	assert_int_equal(store_get(r->store, key, 0, got, sizeof(got) - 1),
			 strlen(text));
	assert_string_equal(got, text);
}

static void assert_missing(struct rig *r, const char *key)
{
	struct store_info info;

	assert_int_equal(store_head(r->store, key, &info), -ENOENT);
}

static int setup(void **state)
{
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(top);
}

/* --- order -------------------------------------------------------------- */

/* Data before its name, the name before the answer; and of each new directory
 * the name as well. */
static void test_sync_order(void **state)
{
	RIG(r, "order");

	assert_int_equal(put(&r, "first", "1"), 0);
	memset(seen, 0, sizeof(seen));
	assert_int_equal(put(&r, "a/b/c", "1"), 0);
	assert_string_equal(seen, "sssns"); /* bucket, a, then the object */
	memset(seen, 0, sizeof(seen));
	assert_int_equal(put(&r, "a/b/c", "2"), 0);
	assert_int_equal(put_new(&r, "a/b/d", "2"), 0);
	assert_string_equal(seen, "snssns");
	assert_content(&r, "a/b/c", "2");
}

static void test_short_writes(void **state)
{
	RIG(r, "short");

	dribble = true;
	assert_int_equal(put(&r, "k", "more than seven bytes at once"), 0);
	dribble = false;
	assert_content(&r, "k", "more than seven bytes at once");
}

/* --- a NAS whose answers get lost --------------------------------------- */

static void test_lost_answers(void **state)
{
	RIG(r, "lost");

	on_link = (struct fault){ .error = EEXIST, .done = true };
	assert_int_equal(put_new(&r, "k", "mine"), 0);
	on_link = (struct fault){ 0 };
	assert_int_equal(put_new(&r, "k", "yours"), -EEXIST);
	assert_content(&r, "k", "mine");
	on_rename = (struct fault){ .error = ENOENT, .done = true };
	assert_int_equal(put(&r, "k", "newer"), 0);
	assert_content(&r, "k", "newer");
	/* And one that was not done is not believed to be. */
	on_rename = (struct fault){ .error = EIO };
	assert_int_equal(put(&r, "k", "newest"), -EIO);
	assert_content(&r, "k", "newer");
	assert_int_equal(test_count_names(r.tmp), 0);
}

static void test_no_hard_links(void **state)
{
	RIG(r, "nolinks");

	on_link = (struct fault){ .error = EPERM };
	assert_int_equal(put_new(&r, "k", "mine"), 0);
	assert_int_equal(put_new(&r, "k", "yours"), -EEXIST);
	assert_content(&r, "k", "mine");
	on_rename2 = (struct fault){ .error = EINVAL };
	assert_int_equal(put_new(&r, "l", "x"), -ENOTSUP);
	assert_non_null(strstr(store_detail(), "hard links"));
	assert_missing(&r, "l");
	assert_int_equal(test_count_names(r.tmp), 0);
}

/* --- errors ------------------------------------------------------------- */

/* A full NAS says so when it syncs. */
static void test_sync_fails(void **state)
{
	static const struct {
		int error, rc;
	} cases[] = {
		{ ENOSPC, -ENOSPC }, { EDQUOT, -ENOSPC },	{ EIO, -EIO },
		{ ESTALE, -EAGAIN }, { ETIMEDOUT, -ETIMEDOUT },
	};
	RIG(r, "syncfails");

	assert_int_equal(put(&r, "k", "old"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		on_sync = (struct fault){ .error = cases[i].error };
		assert_int_equal(put(&r, "k", "new"), cases[i].rc);
		assert_int_equal(put_new(&r, "l", "new"), cases[i].rc);
		on_sync = (struct fault){ 0 };
		assert_content(&r, "k", "old");
		assert_missing(&r, "l");
		assert_int_equal(test_count_names(r.tmp), 0);
	}
}

/* Mounts; without the right to do so the test is none. */
static void mount_or_skip(const char *what, const char *at, const char *type,
			  unsigned long flags, const char *data)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(mount(what, at, type, flags, data), 0);
}

static void fill(struct rig *r, size_t size)
{
	CLEANUP_FREE char *data = calloc(1, size + 1);
	char key[32];
	size_t n = 0;
	int rc;

	assert_non_null(data);
	do {
		snprintf(key, sizeof(key), "k%zu", n++);
		rc = store_put(r->store, key, data, size, NULL);
	} while (rc == 0);
	assert_int_equal(rc, -ENOSPC);
	assert_true(n > 2);
	assert_missing(r, key);
	assert_int_equal(test_count_names(r->tmp), 0);
	/* Room again. */
	assert_int_equal(store_del1(r->store, "k0"), 0);
	assert_int_equal(store_put(r->store, "k0", data, size, NULL), 0);
}

static void test_full(void **state)
{
	static const struct {
		const char *limit;
		size_t size;
	} cases[] = { { "size=1m", 100000 }, { "size=1m,nr_inodes=16", 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP_FREE char *at = io_path("%s/full%zu", top, i);
		struct rig r = { .path = at,
				 .tmp = io_path("%s/bucket/.tmp~", at) };

		assert_int_equal(mkdir(at, 0700), 0);
		mount_or_skip("tmpfs", at, "tmpfs", 0, cases[i].limit);
		assert_int_equal(open_at(at, false, &r.store, NULL), 0);
		fill(&r, cases[i].size);
		store_free(r.store);
		free(r.tmp);
		assert_int_equal(umount(at), 0);
	}
}

/* --- what is there when it is opened ------------------------------------ */

static void test_not_mounted(void **state)
{
	CLEANUP_FREE char *nas = io_path("%s/nas", top);
	CLEANUP_FREE char *object = io_path("%s/nas/bucket/k", top);
	CLEANUP_FREE char *dir = io_path("%s/nas/bucket", top);
	CLEANUP_FREE char *litter = io_path("%s/later/bucket", top);
	RIG(r, "later");
	struct store_list l = { 0 };
	char c;

	assert_int_equal(store_get(r.store, "k", 0, &c, 1), -EAGAIN);
	assert_non_null(strstr(store_detail(), "is it mounted?"));
	assert_int_equal(store_list(r.store, "", "", 10, &l), -EAGAIN);
	assert_int_equal(access(litter, F_OK), -1);
	/* An empty directory in its place is no better. */
	assert_int_equal(mkdir(litter, 0700), 0);
	assert_missing(&r, "k");

	assert_int_equal(mkdir(nas, 0700), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(io_write_file(object, 0600, "x", 1, true), 0);
	mount_or_skip(nas, r.path, NULL, MS_BIND, NULL);
	assert_content(&r, "k", "x");
	assert_int_equal(umount2(r.path, MNT_DETACH), 0);
	/* From now on it is that one. */
	assert_content(&r, "k", "x");
	assert_int_equal(put(&r, "l", "y"), 0);
	assert_int_equal(test_count_names(litter), 0);
}

static void test_leftovers(void **state)
{
	CLEANUP_FREE char *old = io_path("%s/left/bucket/.tmp~/old", top);
	CLEANUP_FREE char *young = io_path("%s/left/bucket/.tmp~/young", top);
	struct timespec hours_ago[2];
	RIG(r, "left");

	hours_ago[0] = hours_ago[1] =
		clock_timespec(clock_wall_ns() - 7200 * NSEC_PER_SEC);
	assert_int_equal(put(&r, "k", "1"), 0);
	assert_int_equal(io_write_file(old, 0600, "cut", 3, true), 0);
	assert_int_equal(io_write_file(young, 0600, "cut", 3, true), 0);
	assert_int_equal(utimensat(AT_FDCWD, old, hours_ago, 0), 0);
	store_free(take(r.store));
	assert_int_equal(open_at(r.path, false, &r.store, NULL), 0);
	assert_int_equal(access(old, F_OK), -1);
	assert_int_equal(access(young, F_OK), 0);
	assert_int_equal(test_count_names(r.tmp), 1);
	assert_content(&r, "k", "1");
}

/* --- two gateways ------------------------------------------------------- */

static void test_two(void **state)
{
	CLEANUP_FREE char *lock = io_path("%s/two/bucket/.lock~", top);
	char host[128] = "", me[32];
	struct err err = ERR_INIT;
	struct store *second;
	RIG(r, "two");

	/* Both before there is a bucket: the second one learns it later. */
	assert_int_equal(open_at(r.path, false, &second, NULL), 0);
	assert_int_equal(put(&r, "k", "1"), 0);
	assert_int_equal(store_put(second, "l", "2", 1, NULL), -EAGAIN);
	assert_non_null(strstr(store_detail(), "is used by process"));
	store_free(second);

	assert_int_equal(open_at(r.path, false, &second, &err), -EBUSY);
	gethostname(host, sizeof(host) - 1);
	snprintf(me, sizeof(me), "process %d on ", (int)getpid());
	assert_non_null(strstr(err.msg, me));
	assert_non_null(strstr(err.msg, host));
	assert_non_null(strstr(err.msg, r.path));
	assert_true(err.hint[0]);
	/* The same gateway, for a moment. */
	assert_int_equal(open_at(r.path, true, &second, &err), 0);
	assert_int_equal(store_put(second, "l", "2", 1, NULL), 0);
	store_free(second);
	assert_int_equal(open_at(r.path, false, &second, &err), -EBUSY);

	store_free(take(r.store));
	assert_int_equal(access(lock, F_OK), -1);
	assert_int_equal(open_at(r.path, false, &r.store, NULL), 0);
	assert_content(&r, "l", "2");
}

static void serve_until_killed(const char *path, int ready)
{
	struct store *s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (open_at(path, false, &s, NULL) == 0)
		(void)__real_write(ready, "x", 1);
	pause();
	_exit(1);
}

static void test_holder_dies(void **state)
{
	struct err err = ERR_INIT;
	int ready[2];
	char c;
	RIG(r, "dies");
	pid_t pid;

	assert_int_equal(put(&r, "k", "1"), 0);
	store_free(take(r.store));
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		serve_until_killed(r.path, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	assert_int_equal(open_at(r.path, false, &r.store, &err), -EBUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(open_at(r.path, false, &r.store, NULL), 0);
	assert_content(&r, "k", "1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sync_order),
		cmocka_unit_test(test_short_writes),
		cmocka_unit_test(test_lost_answers),
		cmocka_unit_test(test_no_hard_links),
		cmocka_unit_test(test_sync_fails),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_not_mounted),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_holder_dies),
	};

	return RUN_TESTS(tests, setup, teardown);
}
