/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "base/io.h"

#define NAME_MAX_BYTES 255

bool extract_path_ok(const void *path, size_t len)
{
	const char *p = path, *end = p + len;

	if (!len || memchr(p, '\0', len))
		return false;
	for (;;) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t n = (size_t)((slash ? slash : end) - p);

		if (n == 0 || n > NAME_MAX_BYTES || (n == 1 && p[0] == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!slash)
			return true;
		p = slash + 1;
	}
}

/* A descriptor below `dir`, through no symlink at all. Or -errno. */
static int open_beneath(int dir, const char *path, uint64_t flags, mode_t mode)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
				.mode = mode,
				.resolve = RESOLVE_BENEATH |
					   RESOLVE_NO_SYMLINKS |
					   RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Step by step, so that a longer path than PATH_MAX works too. */
static int open_parent(int dir, char *path, const char **name)
{
	CLEANUP_CLOSE int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	char *slash;

	if (at < 0)
		return -errno;
	while ((slash = strchr(path, '/')) != NULL) {
		int next;

		*slash = '\0';
		if (mkdirat(at, path, 0777) < 0 && errno != EEXIST)
			return -errno;
		next = open_beneath(at, path, O_RDONLY | O_DIRECTORY, 0);
		if (next < 0)
			return next;
		close(at);
		at = next;
		path = slash + 1;
	}
	*name = path;
	return take_fd(at);
}

/* ---- bytes ---------------------------------------------------------- */

static int write_run(const struct extract *x, int fd,
		     const struct pack_run *run, void *plain)
{
	uint64_t off = run->file_off, end = off + run->len;
	uint32_t i;

	for (i = 0; i < run->frames; i++) {
		ssize_t n = pack_reader_read(x->reader, run->first_frame + i,
					     plain);
		int rc;

		if (n < 0)
			return (int)n;
		if (off + (uint64_t)n > end)
			return -EBADMSG;
		rc = io_pwrite(fd, plain, (size_t)n, (off_t)off);
		if (rc < 0)
			return rc;
		off += (uint64_t)n;
	}
	return off == end ? 0 : -EBADMSG;
}

static int write_bytes(const struct extract *x, int fd,
		       const struct pack_entry *e)
{
	CLEANUP_FREE void *plain = malloc(PACK_FRAME_MAX);
	size_t i;
	int rc = 0;

	if (!plain)
		return -ENOMEM;
	if (e->m.size > INT64_MAX)
		return -EFBIG;
	if (ftruncate(fd, (off_t)e->m.size) < 0)
		return -errno;
	for (i = 0; i < e->runs && rc == 0; i++)
		rc = write_run(x, fd, &e->run[i], plain);
	return rc;
}

/* ---- attributes ----------------------------------------------------- */

/* Only the user's namespace: others could grant rights. */
static bool set_xattrs(int fd, const struct pack_member *m)
{
	bool all = true;
	size_t i;

	for (i = 0; i < m->xattrs; i++) {
		const struct pack_xattr *x = &m->xattr[i];

		if (strncmp(x->name, "user.", 5) != 0 ||
		    fsetxattr(fd, x->name, x->value, x->len, 0) < 0)
			all = false;
	}
	return all;
}

/* Without set-uid and set-gid: the owner is another one here. */
static bool set_attrs(int fd, const struct pack_member *m)
{
	const struct timespec times[2] = { clock_timespec(m->atime_ns),
					   clock_timespec(m->mtime_ns) };
	bool all = set_xattrs(fd, m);

	if (fchmod(fd, m->mode & 0777) < 0)
		all = false;
	if (futimens(fd, times) < 0) /* last: the others move ctime only */
		all = false;
	return all;
}

/* ---- one member ----------------------------------------------------- */

/* The part of the same file that another pack gave: to be completed. */
static int open_rest(int parent, const char *name, const struct pack_member *m)
{
	CLEANUP_CLOSE int fd = open_beneath(
		parent, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_nlink != 1 || (uint64_t)st.st_size != m->size ||
	    clock_ns(st.st_mtim) != m->mtime_ns)
		return -ESTALE;
	return take_fd(fd);
}

static int open_file(const struct extract *x, int parent, const char *name,
		     const struct pack_member *m, bool *made)
{
	uint64_t flags = O_WRONLY | O_CREAT | O_EXCL;
	int fd = open_beneath(parent, name, flags, 0600);

	*made = true;
	if (fd != -EEXIST || !x->force)
		return fd;
	fd = open_rest(parent, name, m);
	if (fd >= 0) {
		*made = false;
		return fd;
	}
	if (unlinkat(parent, name, 0) < 0)
		return -errno;
	return open_beneath(parent, name, flags, 0600);
}

static int extract_open(const struct extract *x, const struct pack_entry *e,
			int parent, const char *name, bool *attrs_lost)
{
	bool made;
	CLEANUP_CLOSE int fd = open_file(x, parent, name, &e->m, &made);
	int rc;

	if (fd < 0)
		return fd;
	rc = write_bytes(x, fd, e);
	if (rc == 0) {
		*attrs_lost = !set_attrs(fd, &e->m);
		rc = close(take_fd(fd)) < 0 ? -errno : 0;
	}
	if (rc < 0 && made)
		unlinkat(parent, name, 0);
	return rc;
}

int extract_member(const struct extract *x, size_t i, bool *attrs_lost,
		   struct err *err)
{
	const struct pack_entry *e = pack_reader_member(x->reader, i);
	CLEANUP_FREE char *path = NULL;
	CLEANUP_CLOSE int parent = -1;
	const char *name = "";
	int rc;

	*attrs_lost = false;
	if (!extract_path_ok(e->m.path, e->m.path_len))
		return fail(err, -EBADMSG, "its path would lead elsewhere");
	if (e->m.mode & S_IFMT && !S_ISREG(e->m.mode))
		return fail(err, -ENOTSUP, "not a regular file");
	path = strndup(e->m.path, e->m.path_len);
	if (!path)
		return fail(err, -ENOMEM, "%m");
	parent = open_parent(x->dir, path, &name);
	if (parent < 0)
		return fail(err, parent, "cannot make its directory: %m");
	rc = extract_open(x, e, parent, name, attrs_lost);
	if (rc == -EEXIST) {
		fail(err, rc, "exists already");
		return fail_hint(err, rc, "--force replaces it");
	}
	return rc < 0 ? fail(err, rc, "cannot write it: %m") : 0;
}
