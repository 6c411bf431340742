/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE mounts, made and unmade without ever asking the filesystem behind
 * them: a worker that does not answer would hang the supervisor.
 */
#include "super/super.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "super/mountinfo.h"
#include "super/mount.h"

/* A pile of mounts that many supervisors left; more is somebody's game. */
#define STALE_MAX 16

#ifndef MOVE_MOUNT_BENEATH /* Linux 6.5 */
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#define ATTACH_WAIT_NS	(10 * NSEC_PER_SEC)
#define ATTACH_PAUSE_NS 1000000

static int unmount_one(const char *mountpoint, bool force)
{
	/* EBUSY is normal: files are open. The connection is aborted. */
	if (force && umount2(mountpoint, MNT_FORCE | UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	return errno == EINVAL || errno == ENOENT ? 0 : -errno;
}

int super_unmount(const char *mountpoint, bool force)
{
	struct mount_entry e;
	int rc = mountinfo_lookup(mountpoint, &e, NULL);

	if (rc <= 0)
		return rc;
	if (strcmp(e.fstype, MOUNT_FSTYPE) != 0)
		return 0;
	return unmount_one(mountpoint, force);
}

/* Takes away what a killed supervisor left mounted for this trust. */
static int clear_stale(const char *source, const char *mountpoint,
		       struct err *err)
{
	struct mount_entry e;

	for (int i = 0; i < STALE_MAX; i++) {
		int rc = mountinfo_lookup(mountpoint, &e, err);

		if (rc <= 0)
			return rc;
		if (strcmp(e.fstype, MOUNT_FSTYPE) != 0 ||
		    strcmp(e.source, source) != 0) {
			fail(err, -EBUSY, "'%s' (%s) is mounted on '%s'",
			     e.source, e.fstype, mountpoint);
			return fail_hint(err, -EBUSY, "umount '%s'",
					 mountpoint);
		}
		rc = unmount_one(mountpoint, true);
		if (rc < 0)
			return fail(err, rc,
				    "cannot unmount the stale '%s': %m",
				    mountpoint);
	}
	return fail(err, -EBUSY, "too many stale mounts on '%s'", mountpoint);
}

/* Files below a mount point would be hidden, and missed, for ever. */
static int must_be_empty(int fd, const char *path, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	bool empty = true;
	struct dirent *e;

	if (!d) {
		int rc = -errno;

		if (copy >= 0)
			close(copy);
		return fail(err, rc, "cannot list '%s': %m", path);
	}
	while (empty && (e = readdir(d)))
		empty = strcmp(e->d_name, ".") == 0 ||
			strcmp(e->d_name, "..") == 0;
	closedir(d);
	if (empty)
		return 0;
	fail(err, -ENOTEMPTY, "mount point '%s' is not empty", path);
	return fail_hint(err, -ENOTEMPTY, "move away what lies in it");
}

static int make_parents(const char *path, struct err *err)
{
	CLEANUP_FREE char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int rc;

	if (!dir)
		return fail(err, -ENOMEM, "%m");
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	rc = io_mkdir_p(dir, 0755);
	return rc < 0 ? fail(err, rc, "cannot make '%s': %m", dir) : 0;
}

static int prepare_dir(const char *path, struct err *err)
{
	CLEANUP_CLOSE int fd = -1;
	int rc;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(err, -errno, "cannot make '%s': %m", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(err, -errno, "cannot open mount point '%s': %m",
			    path);
	rc = must_be_empty(fd, path, err);
	if (rc < 0)
		return rc;
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0700) < 0)
		return fail(err, -errno, "cannot close off '%s': %m", path);
	return 0;
}

static int mount_fuse(const char *source, const char *path,
		      const struct super_mount_opts *o, struct err *err)
{
	CLEANUP_CLOSE int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	CLEANUP_FREE char *data = NULL;

	if (fd < 0) {
		int rc = fail(err, -errno, "cannot open /dev/fuse: %m");

		return fail_hint(err, rc, "modprobe fuse");
	}
	data = io_path("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,"
		       "default_permissions%s%s",
		       fd, o->data ? "," : "", o->data ? o->data : "");
	if (!data)
		return fail(err, -ENOMEM, "%m");
	if (mount(source, path, MOUNT_FSTYPE, o->flags, data) < 0)
		return fail(err, -errno, "cannot mount on '%s': %m", path);
	return take_fd(fd);
}

int super_mount(const char *trust, const char *mountpoint,
		const struct super_mount_opts *o, struct err *err)
{
	static const struct super_mount_opts usual = SUPER_MOUNT_USUAL;
	CLEANUP_FREE char *source = io_path(MOUNT_SOURCE "%s", trust);
	int rc;

	if (!source)
		return fail(err, -ENOMEM, "%m");
	rc = make_parents(mountpoint, err);
	if (rc == 0)
		rc = clear_stale(source, mountpoint, err);
	if (rc == 0)
		rc = prepare_dir(mountpoint, err);
	return rc < 0 ? rc
		      : mount_fuse(source, mountpoint, o ? o : &usual, err);
}

/*
 * Beneath the mount that is there, which then goes away: nobody sees the bare
 * directory between the two.
 */
static int attach(const char *mountpoint, const char *from)
{
	int fd = open_tree(AT_FDCWD, from,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				   AT_SYMLINK_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (move_mount(fd, "", AT_FDCWD, mountpoint,
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_BENEATH) < 0)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	return umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno
								     : 0;
}

/* How the process ended: 0 or -errno. One that hangs in the filesystem ends
 * with its connection. */
static int attach_wait(pid_t pid)
{
	int64_t end = clock_boot_ns() + ATTACH_WAIT_NS;
	int status;
	pid_t got;

	while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
		if (clock_boot_ns() > end) {
			kill(pid, SIGKILL);
			return -ETIMEDOUT;
		}
		clock_sleep_ns(ATTACH_PAUSE_NS);
	}
	if (got < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

bool super_can_attach(const char *release)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (!release && uname(&u) < 0)
		return false;
	if (sscanf(release ? release : u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 5);
}

int super_attach(const char *mountpoint, const char *name, struct err *err)
{
	CLEANUP_FREE char *from = io_path("%s/%s", mountpoint, name);
	pid_t pid;
	int rc;

	if (!from)
		return fail(err, -ENOMEM, "%m");
	pid = fork();
	if (pid < 0)
		return fail(err, -errno, "cannot start a process: %m");
	if (pid == 0)
		_exit(-attach(mountpoint, from));
	rc = attach_wait(pid);
	if (rc == -EOPNOTSUPP) { /* slower for some, but it serves */
		log_warn("'%s' stays as it was mounted: the kernel mounts "
			 "nothing beneath it",
			 mountpoint);
		return 0;
	}
	return rc < 0 ? fail(err, rc, "cannot attach the mount '%s': %m",
			     mountpoint)
		      : 0;
}

int super_remount(const char *mountpoint, const struct super_mount_opts *o,
		  struct err *err)
{
	struct mount_entry e;
	int rc = mountinfo_lookup(mountpoint, &e, err);

	if (rc < 0)
		return rc;
	if (rc == 0 || strcmp(e.fstype, MOUNT_FSTYPE) != 0)
		return fail(err, -EINVAL, "no trust is mounted on '%s'",
			    mountpoint);
	if (mount(NULL, mountpoint, NULL, MS_REMOUNT | o->flags, NULL) < 0)
		return fail(err, -errno, "cannot remount '%s': %m", mountpoint);
	return 0;
}

int mount_connection(const char *mountpoint)
{
	struct mount_entry e;
	int rc = mountinfo_lookup(mountpoint, &e, NULL);

	if (rc <= 0)
		return rc < 0 ? rc : -ENOENT;
	return strcmp(e.fstype, MOUNT_FSTYPE) == 0 ? (int)e.minor : -ENOENT;
}

int super_read_ahead(const char *mountpoint)
{
	int connection = mount_connection(mountpoint);
	CLEANUP_FREE char *path =
		io_path("/sys/class/bdi/0:%d/read_ahead_kb", connection);
	CLEANUP_CLOSE int fd = -1;
	char kib[16];
	int n = snprintf(kib, sizeof(kib), "%d", SUPER_READ_AHEAD_KIB);

	if (connection < 0 || !path)
		return connection < 0 ? connection : -ENOMEM;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : io_write(fd, kib, (size_t)n);
}

int mount_abort(int connection)
{
	CLEANUP_FREE char *path =
		io_path("/sys/fs/fuse/connections/%d/abort", connection);
	CLEANUP_CLOSE int fd = -1;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : io_write(fd, "1", 1);
}
