/* SPDX-License-Identifier: Apache-2.0 */
/* What programs see: real system calls on a real mount. */
#include "tests/unit/fuse/mnt.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static struct stat stat_of(const char *path)
{
	struct stat st;

	sys(lstat(path, &st));
	return st;
}

static void test_files(void **state)
{
	struct mnt *m = *state;
	char b[64];
	int fd;

	fd = sys(open(at(m, "f"), O_RDWR | O_CREAT, 0640));
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(pwrite(fd, "X", 1, 100000), 1);
	assert_int_equal(pread(fd, b, 10, 3), 10);
	assert_memory_equal(b, "lo\0\0\0\0\0\0\0\0", 10);
	sys(fsync(fd));
	sys(fdatasync(fd));
	sys(close(fd));
	assert_int_equal(stat_of(at(m, "f")).st_size, 100001);
	assert_int_equal(stat_of(at(m, "f")).st_mode, S_IFREG | 0640);
	assert_int_equal(stat_of(at(m, "f")).st_uid, geteuid());
	sys_errno(open(at(m, "f"), O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	sys_errno(open(at(m, "g"), O_RDWR), ENOENT);

	fd = sys(open(at(m, "f"), O_WRONLY | O_APPEND));
	assert_int_equal(write(fd, "end", 3), 3);
	assert_int_equal(write(fd, "!", 1), 1);
	sys(close(fd));
	assert_int_equal(stat_of(at(m, "f")).st_size, 100005);
	fd = sys(open(at(m, "f"), O_RDWR | O_TRUNC));
	assert_int_equal(stat_of(at(m, "f")).st_size, 0);
	assert_int_equal(read(fd, b, 10), 0);
	assert_int_equal(write(fd, "abcdef", 6), 6);
	sys(ftruncate(fd, 3));
	sys(ftruncate(fd, 8));
	assert_int_equal(pread(fd, b, 10, 0), 8);
	assert_memory_equal(b, "abc\0\0\0\0\0", 8);
	sys(close(fd));
	sys(truncate(at(m, "f"), 2));
	assert_int_equal(stat_of(at(m, "f")).st_size, 2);
}

static void test_big_requests(void **state)
{
	struct mnt *m = *state;

	mnt_data(m, "big", (5 << 20) + 7);
	mnt_check(m, "big", (5 << 20) + 7);
}

static void test_mmap(void **state)
{
	struct mnt *m = *state;
	uint8_t *p, b[3];
	int fd;

	mnt_data(m, "f", 20000);
	fd = sys(open(at(m, "f"), O_RDWR));
	p = mmap(NULL, 20000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(p[19999], env_byte(19999));
	sys(close(fd)); /* the mapping lives on */
	memcpy(p + 8191, "map", 3);
	sys(msync(p, 20000, MS_SYNC));
	fd = sys(open(at(m, "f"), O_RDONLY));
	assert_int_equal(pread(fd, b, 3, 8191), 3);
	assert_memory_equal(b, "map", 3);
	sys(munmap(p, 20000));
	sys(close(fd));
	assert_int_equal(stat_of(at(m, "f")).st_size, 20000);
}

static void test_names(void **state)
{
	struct mnt *m = *state;
	struct stat st;
	char b[64];
	int fd;

	sys(mkdir(at(m, "d"), 0755));
	sys(mkdir(at(m, "d/sub"), 0700));
	assert_int_equal(stat_of(at(m, "d")).st_nlink, 3);
	mnt_data(m, "d/\xff\n", 5);
	sys(link(at(m, "d/\xff\n"), at(m, "l")));
	assert_int_equal(stat_of(at(m, "l")).st_nlink, 2);
	assert_int_equal(stat_of(at(m, "d/\xff\n")).st_nlink, 2);
	sys(symlink("d/sub", at(m, "s")));
	assert_int_equal(readlink(at(m, "s"), b, sizeof(b)), 5);
	assert_memory_equal(b, "d/sub", 5);
	sys(stat(at(m, "s"), &st));
	assert_true(S_ISDIR(st.st_mode));
	sys(mkfifo(at(m, "p"), 0600));
	assert_true(S_ISFIFO(stat_of(at(m, "p")).st_mode));

	sys_errno(rmdir(at(m, "d")), ENOTEMPTY);
	sys_errno(unlink(at(m, "d")), EISDIR);
	sys_errno(rename(at(m, "d"), at(m, "d/sub/x")), EINVAL);
	sys_errno(renameat2(AT_FDCWD, at(m, "l"), AT_FDCWD, at(m, "p"),
			    RENAME_NOREPLACE),
		  EEXIST);
	sys(renameat2(AT_FDCWD, at(m, "l"), AT_FDCWD, at(m, "p"),
		      RENAME_EXCHANGE));
	assert_true(S_ISFIFO(stat_of(at(m, "l")).st_mode));
	sys(renameat2(AT_FDCWD, at(m, "l"), AT_FDCWD, at(m, "p"),
		      RENAME_EXCHANGE));
	assert_true(S_ISREG(stat_of(at(m, "l")).st_mode));
	sys(rename(at(m, "l"), at(m, "p")));
	sys_errno(lstat(at(m, "l"), &st), ENOENT);
	assert_true(S_ISREG(stat_of(at(m, "p")).st_mode));
	sys(rename(at(m, "d/sub"), at(m, "sub")));
	assert_int_equal(stat_of(at(m, "d")).st_nlink, 2);
	sys(unlink(at(m, "p")));
	assert_int_equal(stat_of(at(m, "d/\xff\n")).st_nlink, 1);
	fd = sys(open(at(m, "d"), O_RDONLY | O_DIRECTORY));
	sys(fsync(fd));
	sys(close(fd));
	sys(rmdir(at(m, "sub")));
	sys_errno(rmdir(at(m, "sub")), ENOENT);
	/* What the kernel remembers as missing can be made. */
	sys_errno(lstat(at(m, "new"), &st), ENOENT);
	mnt_data(m, "new", 1);
	sys(lstat(at(m, "new"), &st));
}

static void test_unlinked_open(void **state)
{
	struct mnt *m = *state;
	uint64_t ino = mnt_data(m, "f", 1000);
	int fd = sys(open(at(m, "f"), O_RDWR)), i;
	struct stat st;
	uint8_t b[10];

	sys(unlink(at(m, "f")));
	sys(fstat(fd, &st));
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(pread(fd, b, 10, 990), 10);
	assert_int_equal(b[9], env_byte(999));
	assert_int_equal(pwrite(fd, "x", 1, 5000), 1);
	sys(ftruncate(fd, 2000));
	sys(fchmod(fd, 0600));
	sys(fstat(fd, &st));
	assert_int_equal(st.st_size, 2000);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_true(env_has_row(m->e, ino));
	sys(close(fd));
	for (i = 0; i < 1000 && env_has_row(m->e, ino); i++)
		clock_sleep_ns(5000000); /* RELEASE comes behind close */
	assert_false(env_has_row(m->e, ino));
}

static void test_attributes(void **state)
{
	struct timespec ts[2] = { { 1000, 1 }, { 2000, 2 } };
	struct mnt *m = *state;
	struct stat st;
	int fd;

	mnt_data(m, "f", 10);
	sys(chmod(at(m, "f"), 04711));
	assert_int_equal(stat_of(at(m, "f")).st_mode, S_IFREG | 04711);
	sys(utimensat(AT_FDCWD, at(m, "f"), ts, 0));
	st = stat_of(at(m, "f"));
	assert_int_equal(clock_ns(st.st_mtim), 2000 * NSEC_PER_SEC + 2);
	assert_int_equal(clock_ns(st.st_atim), 1000 * NSEC_PER_SEC + 1);
	/* As cp -p does: while it is open for writing. */
	fd = sys(open(at(m, "f"), O_WRONLY));
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true(stat_of(at(m, "f")).st_mtim.tv_sec > 2000);
	sys(futimens(fd, ts));
	sys(close(fd));
	clock_sleep_ns(100000000);
	st = stat_of(at(m, "f"));
	assert_int_equal(clock_ns(st.st_mtim), 2000 * NSEC_PER_SEC + 2);
}

/* u:rw g:r o:r, as setfacl sends it. */
static const uint8_t acl[] = { 2,   0,	 0, 0, 1,   0,	 6,   0,   255, 255,
			       255, 255, 4, 0, 4,   0,	 255, 255, 255, 255,
			       32,  0,	 4, 0, 255, 255, 255, 255 };

static void test_xattrs(void **state)
{
	struct mnt *m = *state;
	char b[100];

	mnt_data(m, "f", 10);
	sys(setxattr(at(m, "f"), "user.a", "value", 5, XATTR_CREATE));
	assert_int_equal(getxattr(at(m, "f"), "user.a", NULL, 0), 5);
	assert_int_equal(getxattr(at(m, "f"), "user.a", b, 100), 5);
	assert_memory_equal(b, "value", 5);
	sys_errno(getxattr(at(m, "f"), "user.a", b, 4), ERANGE);
	sys_errno(getxattr(at(m, "f"), "user.b", b, 100), ENODATA);
	sys_errno(setxattr(at(m, "f"), "user.a", "x", 1, XATTR_CREATE), EEXIST);
	assert_int_equal(listxattr(at(m, "f"), NULL, 0), 7);
	assert_int_equal(listxattr(at(m, "f"), b, 100), 7);
	assert_string_equal(b, "user.a");
	sys(removexattr(at(m, "f"), "user.a"));
	assert_int_equal(listxattr(at(m, "f"), b, 100), 0);
	assert_int_equal(getxattr(at(m, "f"), "user.mersey.state", b, 100), 5);
	assert_memory_equal(b, "dirty", 5);
	sys_errno(setxattr(at(m, "f"), "user.mersey.state", "x", 1, 0), EPERM);
	sys(chmod(at(m, "f"), 0600));
	sys(setxattr(at(m, "f"), "system.posix_acl_access", acl, sizeof(acl),
		     0));
	assert_int_equal(stat_of(at(m, "f")).st_mode & 07777, 0644);
	assert_int_equal(listxattr(at(m, "f"), b, 100), 0); /* mode is all */
}

#define MANY 10000

static unsigned list(struct mnt *m, uint8_t seen[MANY], bool stats)
{
	DIR *d = opendir(at(m, "many"));
	struct dirent *e;
	struct stat st;
	unsigned n = 0, i;

	assert_non_null(d);
	while ((e = readdir(d))) {
		n++;
		if (stats)
			sys(fstatat(dirfd(d), e->d_name, &st,
				    AT_SYMLINK_NOFOLLOW));
		if (sscanf(e->d_name, "k%u", &i) == 1) {
			assert_int_equal(e->d_type, DT_FIFO);
			seen[i]++;
		}
	}
	closedir(d);
	return n;
}

static void test_many_names(void **state)
{
	uint8_t *seen = calloc(2, MANY);
	struct mnt *m = *state;
	int i;

	assert_non_null(seen);
	sys(mkdir(at(m, "many"), 0755));
	for (i = 0; i < MANY; i++)
		sys(mkfifo(at(m, "many/k%d", i), 0644));
	assert_int_equal(list(m, seen, false), MANY + 2);
	assert_int_equal(list(m, seen + MANY, true), MANY + 2); /* ls -l */
	for (i = 0; i < 2 * MANY && seen[i] == 1; i++)
		;
	assert_int_equal(i, 2 * MANY);
	free(seen);
}

static void test_statvfs(void **state)
{
	struct mnt *m = *state;
	struct statvfs st;

	sys(statvfs(m->dir, &st));
	assert_int_equal(st.f_frsize, 4096);
	assert_true(st.f_bavail > 0);
}

/* In a child without rights: the exit status says what happened. */
static int as_user(uid_t uid, int (*fn)(struct mnt *m), struct mnt *m)
{
	int status;
	pid_t pid = sys(fork());

	if (pid == 0) {
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(99);
		_exit(fn(m));
	}
	sys(waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int write_setid(struct mnt *m)
{
	int fd = open(at(m, "f"), O_WRONLY);

	return fd < 0 || write(fd, "x", 1) != 1 ? errno : 0;
}

static int truncate_setid(struct mnt *m)
{
	return truncate(at(m, "f"), 5) < 0 ? errno : 0;
}

static int make_there(struct mnt *m)
{
	return mkdir(at(m, "there/d"), 0755) < 0 ? errno : 0;
}

static int unlink_there(struct mnt *m)
{
	return unlink(at(m, "there/f")) < 0 ? errno : 0;
}

static int open_private(struct mnt *m)
{
	return open(at(m, "private"), O_RDONLY) < 0 ? errno : 0;
}

/* What the kernel checks for us (default_permissions). Root only: a plain
 * user's mount is his alone. */
static void test_other_users(void **state)
{
	struct mnt *m = *state;

	sys(chmod(m->e->dir, 0755));
	mnt_data(m, "f", 10);
	sys(chmod(at(m, "f"), 06777));
	assert_int_equal(as_user(61001, write_setid, m), 0);
	assert_int_equal(stat_of(at(m, "f")).st_mode, S_IFREG | 0777);
	sys(chmod(at(m, "f"), 06777));
	assert_int_equal(as_user(61001, truncate_setid, m), 0);
	assert_int_equal(stat_of(at(m, "f")).st_mode, S_IFREG | 0777);

	sys(mkdir(at(m, "there"), 0755));
	mnt_data(m, "there/f", 1);
	assert_int_equal(as_user(61001, make_there, m), EACCES);
	sys(chmod(at(m, "there"), 01777));
	assert_int_equal(as_user(61001, make_there, m), 0);
	assert_int_equal(stat_of(at(m, "there/d")).st_uid, 61001);
	assert_int_equal(stat_of(at(m, "there/d")).st_gid, 61001);
	assert_int_equal(as_user(61001, unlink_there, m), EPERM); /* sticky */
	mnt_data(m, "private", 1);
	sys(chmod(at(m, "private"), 0600));
	assert_int_equal(as_user(61001, open_private, m), EACCES);
}

static uint64_t gets(struct mnt *m)
{
	struct store_counts c;

	store_meter_read(&m->e->counts, &c);
	return c.gets;
}

static void test_evict_and_recall(void **state)
{
	static const size_t n = (2 << 20) + 17;
	struct mnt *m = *state;
	uint64_t f = mnt_data(m, "f", n), before;
	char b[100];
	int fd;

	mnt_check(m, "f", n); /* now the kernel has its pages */
	mnt_remote(m, f);
	assert_int_equal(stat_of(at(m, "f")).st_size, n);
	assert_int_equal(getxattr(at(m, "f"), "user.mersey.state", b, 100), 6);
	assert_memory_equal(b, "remote", 6);
	before = gets(m);
	mnt_check(m, "f", n);
	assert_true(gets(m) > before);
	env_evict(m->e, f);
	fd = sys(open(at(m, "f"), O_RDWR));
	assert_int_equal(pwrite(fd, "change", 6, 1 << 20), 6);
	assert_int_equal(pread(fd, b, 8, (1 << 20) - 1), 8);
	assert_memory_equal(b + 1, "change", 6);
	assert_int_equal((uint8_t)b[0], env_byte((1 << 20) - 1));
	assert_int_equal((uint8_t)b[7], env_byte((1 << 20) + 6));
	sys(close(fd));
}

/* ---- the store is away ---------------------------------------------- */

#define READERS (3 * MNT_THREADS)

struct reader {
	struct mnt *m;
	pthread_t thread;
	int i, error;
};

/* Not on a stack: they may outlive the test that failed. */
static struct reader readers[READERS];
static _Atomic int finished;

static void *read_one(void *arg)
{
	struct reader *r = arg;
	char c;
	int fd = open(at(r->m, "r%d", r->i), O_RDONLY | O_DIRECT);

	r->error = fd < 0 || pread(fd, &c, 1, 0) < 0 ? errno : 0;
	close(fd);
	finished++;
	return NULL;
}

static void read_all(struct mnt *m)
{
	int i;

	finished = 0;
	for (i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .m = m, .i = i, .error = -1 };
		assert_ok(pthread_create(&readers[i].thread, NULL, read_one,
					 &readers[i]));
	}
}

static void join_all(int error)
{
	int i;

	for (i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	for (i = 0; i < READERS; i++)
		assert_int_equal(readers[i].error, error);
}

/* More readers wait than there are threads: the rest goes on (P10), and
 * nobody waits for ever (P6). */
static void test_store_away(void **state)
{
	struct mnt *m = *state;
	uint64_t ino[READERS];
	int64_t start;
	char name[16];
	int i;

	for (i = 0; i < READERS; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		ino[i] = mnt_data(m, name, 1000);
	}
	mnt_data(m, "here", 1000);
	env_protect(m->e);
	for (i = 0; i < READERS; i++)
		env_evict(m->e, ino[i]);
	env_store_down(m->e, true);
	start = clock_boot_ns();
	read_all(m);
	clock_sleep_ns(200000000);
	mnt_check(m, "here", 1000);
	sys(mkdir(at(m, "d"), 0755));
	mnt_data(m, "d/new", 10);
	assert_int_equal(finished, 0); /* all that while they wait */
	join_all(ETIMEDOUT);
	assert_true(clock_boot_ns() - start < 3 * MNT_READ_WAIT);
	env_store_down(m->e, false);
	read_all(m);
	join_all(0);
}

/* ---- the cache is full ---------------------------------------------- */

static void *write_one(void *arg)
{
	static const char data[1 << 20];
	struct reader *r = arg;
	int fd = open(at(r->m, "w%d", r->i), O_WRONLY | O_CREAT, 0644), i;

	r->error = fd < 0 ? errno : 0;
	for (i = 0; i < 8 && r->error == 0; i++)
		if (write(fd, data, sizeof(data)) < 0)
			r->error = errno;
	close(fd);
	finished++;
	return NULL;
}

static int small_setup(void **state)
{
	env_cache_size = 8 << 20;
	return mnt_setup(state);
}

/* Writers wait for room and then get ENOSPC (P9); the rest goes on. */
static void test_cache_full(void **state)
{
	struct mnt *m = *state;
	int i;

	env_store_down(m->e, true);
	mnt_data(m, "here", 1000); /* not protected, so it stays */
	finished = 0;
	for (i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .m = m, .i = i, .error = -1 };
		assert_ok(pthread_create(&readers[i].thread, NULL, write_one,
					 &readers[i]));
	}
	clock_sleep_ns(500000000);
	mnt_check(m, "here", 1000);
	sys(mkdir(at(m, "d"), 0755));
	assert_int_equal(finished, 0); /* all that while they wait */
	join_all(ENOSPC);
	env_store_down(m->e, false);
}

/* ---- many at once --------------------------------------------------- */

struct worker {
	struct mnt *m;
	pthread_t thread;
	int i;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	char name[32], b[16];
	int fd, k;

	for (k = 0; k < 100; k++) {
		snprintf(name, sizeof(name), "w%d-%d", w->i, k);
		fd = sys(open(at(w->m, "%s", name), O_RDWR | O_CREAT, 0644));
		assert_int_equal(write(fd, name, strlen(name)), strlen(name));
		assert_int_equal(pread(fd, b, sizeof(b), 0), strlen(name));
		sys(rename(at(w->m, "%s", name), at(w->m, "x%d", w->i)));
		sys(close(fd));
		if (k % 2)
			sys(unlink(at(w->m, "x%d", w->i)));
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct mnt *m = *state;
	struct worker w[6];
	int i;

	for (i = 0; i < 6; i++) {
		w[i] = (struct worker){ .m = m, .i = i };
		assert_ok(pthread_create(&w[i].thread, NULL, work, &w[i]));
	}
	for (i = 0; i < 6; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(stat_of(m->dir).st_nlink, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MNT_TEST(test_files),
		MNT_TEST(test_big_requests),
		MNT_TEST(test_mmap),
		MNT_TEST(test_names),
		MNT_TEST(test_unlinked_open),
		MNT_TEST(test_attributes),
		MNT_TEST(test_xattrs),
		MNT_TEST(test_many_names),
		MNT_TEST(test_statvfs),
		MNT_TEST(test_evict_and_recall),
		MNT_TEST(test_store_away),
		cmocka_unit_test_setup_teardown(test_cache_full, small_setup,
						mnt_teardown),
		MNT_TEST(test_threads),
	};
	const struct CMUnitTest root_tests[] = {
		MNT_TEST(test_other_users),
	};
	int rc;

	mnt_namespace();
	rc = RUN_TESTS(tests, NULL, NULL);
	if (geteuid() == 0)
		rc |= RUN_TESTS(root_tests, NULL, NULL);
	return rc;
}
