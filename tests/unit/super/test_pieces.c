/* SPDX-License-Identifier: Apache-2.0 */
/* Mount table, pid file, notification. */
#include "tests/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/io.h"
#include "super/mountinfo.h"
#include "super/pidfile.h"
#include "super/super.h"

static char dir[] = "/tmp/mersey-test-pieces-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return test_rm(dir);
}

static const char table[] =
	"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	"30 22 0:41 / /srv/mersey/rem rw,nosuid shared:7 master:2 - "
	"fuse.mersey mersey:rem rw,user_id=0\n"
	"31 22 0:42 / /srv/a\\040b rw - tmpfs a\\134b rw\n"
	"32 30 0:43 / /srv/mersey/rem rw - tmpfs on-top rw\n"
	"33 22 0:44 / /srv/mersey/rbq rw - fuse.mersey mersey:rbq rw\n"
	"34 22 0:45 / /broken rw\n"
	"35\n";

static void test_mountinfo(void **state)
{
	struct mount_entry e;

	assert_true(mountinfo_find(table, "/srv/mersey/rbq", &e));
	assert_string_equal(e.fstype, MOUNT_FSTYPE);
	assert_string_equal(e.source, "mersey:rbq");
	assert_int_equal(e.minor, 44);
	/* The uppermost one counts. */
	assert_true(mountinfo_find(table, "/srv/mersey/rem", &e));
	assert_string_equal(e.source, "on-top");
	assert_true(mountinfo_find(table, "/srv/a b", &e));
	assert_string_equal(e.source, "a\\b");
	assert_false(mountinfo_find(table, "/srv/mersey", &e));
	assert_false(mountinfo_find(table, "/broken", &e));
	assert_false(mountinfo_find("", "/", &e));
}

static void test_lookup(void **state)
{
	CLEANUP_FREE char *link = io_path("%s/link", dir);
	struct mount_entry e;

	assert_int_equal(symlink("/", link), 0);
	CLEANUP_FREE char *proc = io_path("%s/proc", link);
	CLEANUP_FREE char *none = io_path("%s/none/x", dir);

	assert_int_equal(mountinfo_lookup("/proc", &e, NULL), 1);
	assert_string_equal(e.fstype, "proc");
	assert_int_equal(mountinfo_lookup(proc, &e, NULL), 1);
	assert_int_equal(mountinfo_lookup(none, &e, NULL), 0);
	assert_int_equal(mountinfo_lookup("relative", &e, NULL), -EINVAL);
}

static void test_pidfile(void **state)
{
	CLEANUP_FREE char *path = io_path("%s/pid", dir);
	CLEANUP_BUF struct buf b = { 0 };
	struct err err = ERR_INIT;
	char want[16];
	int fd, second;

	fd = pidfile_take(path, &err);
	assert_true(fd >= 0);
	snprintf(want, sizeof(want), "%d\n", getpid());
	assert_int_equal(io_read_file(path, 100, &b), 0);
	assert_string_equal(buf_str(&b), want);

	assert_int_equal(pidfile_take(path, &err), -EEXIST);
	want[strlen(want) - 1] = '\0';
	assert_non_null(strstr(err.msg, want));

	pidfile_release(fd);
	buf_done(&b);
	assert_int_equal(io_read_file(path, 100, &b), 0);
	assert_int_equal(b.len, 0);
	second = pidfile_take(path, &err);
	assert_true(second >= 0);
	pidfile_release(second);
	pidfile_release(-1);
}

static void test_notify(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[128];
	ssize_t n;

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(super_notify("READY=1"), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	assert_int_equal(super_notify("READY=%d\nSTATUS=%s", 1, "fine"), 0);
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "READY=1\nSTATUS=fine");
	close(fd);
	assert_int_equal(super_notify("READY=1"), -ECONNREFUSED);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(super_notify("READY=1"), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
}

static void test_can_attach(void **state)
{
	assert_false(super_can_attach("6.1.0-28-amd64"));
	assert_false(super_can_attach("6.4.16"));
	assert_false(super_can_attach("5.10.0"));
	assert_true(super_can_attach("6.5.0"));
	assert_true(super_can_attach("6.12.57+deb13-amd64"));
	assert_true(super_can_attach("7.0-rc1"));
	assert_false(super_can_attach("unknown"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_can_attach),
		cmocka_unit_test(test_mountinfo),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_pidfile),
		cmocka_unit_test(test_notify),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
