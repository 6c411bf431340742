/* SPDX-License-Identifier: Apache-2.0 */
/* How a mount begins and ends. */
#include "tests/unit/fuse/mnt.h"

#include <pthread.h>
#include <sys/mount.h>

static void test_unmount_ends_it(void **state)
{
	struct mnt *m = *state;

	mnt_data(m, "f", 10);
	mnt_umount(m);
	assert_ok(fuse_server_wait(m->s));
	assert_ok(fuse_server_wait(m->s)); /* again */
}

static void *wait_thread(void *arg)
{
	struct mnt *m = arg;

	assert_ok(fuse_server_wait(m->s));
	return NULL;
}

static void test_stop_ends_it(void **state)
{
	struct mnt *m = *state;
	pthread_t thread;
	struct stat st, below;

	assert_ok(pthread_create(&thread, NULL, wait_thread, m));
	mnt_data(m, "f", 10);
	fuse_server_stop(m->s);
	fuse_server_stop(m->s); /* again */
	pthread_join(thread, NULL);
	fuse_server_free(take(m->s)); /* unmounts */
	sys(stat(m->dir, &st));
	sys(stat(m->e->dir, &below));
	assert_int_equal(st.st_dev, below.st_dev);
}

static void test_stop_with_open_files(void **state)
{
	struct mnt *m = *state;
	int fd;

	mnt_data(m, "f", 10);
	fd = sys(open(at(m, "f"), O_RDWR));
	assert_int_equal(write(fd, "x", 1), 1);
	fuse_server_free(take(m->s));
	sys_errno(write(fd, "x", 1), ENOTCONN);
	close(fd);
}

static void *stuck_reader(void *arg)
{
	struct mnt *m = arg;
	int fd = open(at(m, "f"), O_RDONLY | O_DIRECT);
	char c;

	errno = 0;
	assert_int_equal(pread(fd, &c, 1, 0), -1);
	assert_true(errno == EINTR || errno == ETIMEDOUT);
	close(fd);
	return NULL;
}

/* What waits for the store does not hold up the end. */
static void test_stop_while_waiting(void **state)
{
	struct mnt *m = *state;
	int64_t start;
	pthread_t thread;

	mnt_remote(m, mnt_data(m, "f", 1000));
	env_store_down(m->e, true);
	assert_ok(pthread_create(&thread, NULL, stuck_reader, m));
	clock_sleep_ns(100000000);
	start = clock_boot_ns();
	fuse_server_stop(m->s);
	assert_ok(fuse_server_wait(m->s));
	assert_true(clock_boot_ns() - start < MNT_READ_WAIT - 500000000);
	fuse_server_free(take(m->s)); /* the reader's close needs nobody */
	pthread_join(thread, NULL);
	env_store_down(m->e, false);
}

static void test_refuses(void **state)
{
	struct mnt *m = *state;
	struct fuse_server_opts o = { .threads = 2,
				      .fuse_fd = -1,
				      .mountpoint = "/nonexistent/dir",
				      .fsname = "mersey:x" };
	struct err err = ERR_INIT;
	struct fuse_server *s = NULL;

	assert_errno(fuse_server_start(&o, m->e->v, &s, &err), EIO);
	assert_non_null(strstr(err.msg, "/nonexistent/dir"));
	assert_true(err.hint[0] != '\0');
	o.fsname = "a,suid";
	assert_errno(fuse_server_start(&o, m->e->v, &s, &err), EINVAL);
	o.fsname = "mersey:x";
	o.fuse_fd = open("/dev/null", O_RDWR);
	assert_true(fuse_server_start(&o, m->e->v, &s, &err) < 0);
	assert_null(s);
}

/* As a worker gets it: mounted by somebody else. */
static void test_given_descriptor(void **state)
{
	struct mnt *m = *state;
	struct fuse_server_opts o = { .threads = 3, .fsname = "mersey:x" };
	struct err err = ERR_INIT;
	char options[128], dir[128];
	int fd = sys(open("/dev/fuse", O_RDWR | O_CLOEXEC));

	fuse_server_free(take(m->s));
	snprintf(dir, sizeof(dir), "%s/given", m->e->dir);
	sys(mkdir(dir, 0755));
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,"
		 "default_permissions",
		 fd);
	sys(mount("mersey:x", dir, "fuse.mersey", MS_NOSUID | MS_NODEV,
		  options));
	o.fuse_fd = fd;
	assert_ok(fuse_server_start(&o, m->e->v, &m->s, &err));
	strcpy(m->dir, dir);
	mnt_data(m, "f", 100000);
	mnt_check(m, "f", 100000);
	sys(umount2(dir, 0));
	assert_ok(fuse_server_wait(m->s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MNT_TEST(test_unmount_ends_it),
		MNT_TEST(test_stop_ends_it),
		MNT_TEST(test_stop_with_open_files),
		MNT_TEST(test_stop_while_waiting),
		MNT_TEST(test_refuses),
	};
	const struct CMUnitTest root_tests[] = {
		MNT_TEST(test_given_descriptor),
	};
	int rc;

	mnt_namespace();
	rc = RUN_TESTS(tests, NULL, NULL);
	if (geteuid() == 0)
		rc |= RUN_TESTS(root_tests, NULL, NULL);
	return rc;
}
