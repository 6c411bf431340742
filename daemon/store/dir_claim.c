/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two gateways on one directory would each believe that what the other one
 * stored is left over. Claims of generations keep them apart in the end; this
 * says it at once, and who the other one is.
 *
 * The lock is one of fcntl(2) on a small file, which NFS passes on to the
 * server; the kernel gives it back when its holder dies. The text in the file
 * is for people. Files that were removed may still be locked by somebody:
 * whoever has the lock looks whether it is that of the name.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/dir.h"

/* So long nothing is written to a file that a put still works on. */
#define LEFT_S 3600

static int claim_lock(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

/* The first line of a small file, without its end; "?" when there is none. */
static const char *first_line(int fd, const char *path, struct buf *b)
{
	int rc = path ? io_read_file(path, 4096, b) : io_read_fd(fd, 4096, b);

	if (rc < 0 || b->len == 0 || !buf_str(b))
		return "?";
	b->data[strcspn((char *)b->data, "\n")] = '\0';
	return (char *)b->data;
}

/* Who we are, for the other one. */
static void claim_sign(int fd)
{
	CLEANUP_BUF struct buf boot = { 0 };
	char host[HOST_NAME_MAX + 1] = "?";
	char text[HOST_NAME_MAX + 128];
	int n;

	gethostname(host, sizeof(host) - 1);
	n = snprintf(text, sizeof(text), "process %d on %s (boot %s)\n",
		     (int)getpid(), host,
		     first_line(-1, "/proc/sys/kernel/random/boot_id", &boot));
	/* Without it the lock is as good, only nobody knows whose it is. */
	if (ftruncate(fd, 0) == 0)
		(void)io_pwrite(fd, text, (size_t)n, 0);
}

static bool claim_is_current(int root, int fd)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
	       fstatat(root, DIR_CLAIM, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static int claim_taken(int fd, const char *where, struct err *err)
{
	CLEANUP_BUF struct buf holder = { 0 };
	int rc = fail(err, -EBUSY, "the directory '%s' is used by %s", where,
		      first_line(fd, NULL, &holder));

	return fail_hint(err, rc,
			 "end that one, or give this trust a bucket or prefix "
			 "of its own");
}

int dir_claim(int root, const char *where, int *out, struct err *err)
{
	for (;;) {
		CLEANUP_CLOSE int fd =
			openat(root, DIR_CLAIM,
			       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		int rc = fd < 0 ? -errno : claim_lock(fd);

		*out = -1;
		if (rc == -EAGAIN || rc == -EACCES) {
			if (fd >= 0)
				return claim_taken(fd, where, err);
			return 0;
		}
		if (rc < 0)
			return 0;
		if (!claim_is_current(root, fd))
			continue;
		claim_sign(fd);
		*out = take_fd(fd);
		return 0;
	}
}

void dir_unclaim(int root, int claim)
{
	if (claim < 0)
		return;
	unlinkat(root, DIR_CLAIM, 0);
	close(claim);
}

/* Now, by the clock of who keeps the times of the files: a NAS has its own. */
static time_t dir_clock(int tmp)
{
	static const char name[] = "clock~";
	CLEANUP_CLOSE int fd =
		openat(tmp, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || unlinkat(tmp, name, 0) < 0 || fstat(fd, &st) < 0)
		return 0;
	return st.st_mtim.tv_sec;
}

static void clean_entry(int at, const char *name, time_t now)
{
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_mtim.tv_sec < now - LEFT_S)
		unlinkat(at, name, 0);
}

/* What cannot be removed costs room, and is tried again by the next start. */
void dir_clean(int root)
{
	int fd = dir_open_sub(root, DIR_TMP);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	time_t now;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	now = dir_clock(fd);
	while ((e = readdir(d)) != NULL)
		clean_entry(fd, e->d_name, now);
	closedir(d);
}
