/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the store is. What lies at its path may change: a share that is not
 * mounted yet shows an empty directory, or none. So the path is looked at
 * again for each call until an object was seen; from then on the store is that
 * directory, whatever is mounted or unmounted at its path. Who may store
 * something before that is for the marker in it to say.
 *
 * The lock is held while the directory is opened, made and claimed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/dir.h"

/* Does the path lead to another directory than the one that is open? */
static bool root_moved(const struct dir_root *r)
{
	CLEANUP_FREE char *path = io_path("%s/%s", r->endpoint, r->path);
	struct stat open, now;

	return path && fstat(r->fd, &open) == 0 &&
	       (stat(path, &now) < 0 || now.st_dev != open.st_dev ||
		now.st_ino != open.st_ino);
}

static void root_drop(struct dir_root *r)
{
	dir_unclaim(r->fd, r->claim);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = r->claim = -1;
}

/* Opens the directory, and claims it. 0 or -errno of the kernel; -EBUSY:
 * another gateway has it. */
static int root_find(struct dir_root *r, bool make, struct err *err)
{
	CLEANUP_FREE char *where = io_path("%s/%s", r->endpoint, r->path);
	CLEANUP_CLOSE int fd = -1;
	int at = open(r->endpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (at < 0)
		return fail(err, -errno, "cannot open directory '%s': %m",
			    r->endpoint);
	fd = dir_walk(at, r->path, strlen(r->path), make);
	if (fd < 0 || !where)
		return fail(err, where ? fd : -ENOMEM,
			    "cannot open directory '%s': %m",
			    where ? where : r->path);
	if (!r->beside) {
		rc = dir_claim(fd, where, &r->claim, err);
		if (rc == 0)
			dir_clean(fd);
	}
	if (rc == 0)
		r->fd = take_fd(fd);
	return rc;
}

int dir_root_open(struct dir_root *r, const struct store_opts *o,
		  struct err *err)
{
	size_t n;
	int rc;

	*r = (struct dir_root){ .fd = -1, .claim = -1, .beside = o->beside };
	pthread_mutex_init(&r->lock, NULL);
	r->endpoint = strdup(o->endpoint);
	r->path = io_path("%s/%s", o->bucket, o->prefix);
	if (!r->endpoint || !r->path)
		return fail(err, -ENOMEM, "no memory");
	n = strlen(r->path);
	if (r->path[n - 1] == '/')
		r->path[n - 1] = '\0';
	if (!store_key_ok(r->path))
		return fail(err, -EINVAL,
			    "bucket '%s' and prefix '%s' do not name a "
			    "directory",
			    o->bucket, o->prefix);
	rc = root_find(r, false, err);
	/* The bucket may be made later, or mounted. */
	return rc == -ENOENT && access(r->endpoint, F_OK) == 0 ? 0 : rc;
}

void dir_root_close(struct dir_root *r)
{
	root_drop(r);
	free(r->endpoint);
	free(r->path);
	pthread_mutex_destroy(&r->lock);
}

int dir_root_get(struct dir_root *r, bool make)
{
	struct err err = ERR_INIT;
	int rc = 0, fd;

	LOCK_SCOPE(&r->lock);
	if (r->fd >= 0 && !r->settled && root_moved(r))
		root_drop(r);
	if (r->fd < 0)
		rc = root_find(r, make, &err);
	if (rc == -ENOENT)
		return store_explain(-EAGAIN, "%s: is it mounted?", err.msg);
	if (rc < 0)
		return store_explain(rc == -EACCES || rc == -ENOSPC ? rc
								    : -EAGAIN,
				     "%s", err.msg);
	fd = openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? store_explain(-EAGAIN, "%s", strerrordesc_np(errno))
		      : fd;
}
