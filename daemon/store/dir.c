/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory as a store: the object with key "a/b" is the file
 * <endpoint>/<bucket>/<prefix>a/b.
 *
 * Acknowledged means: the file was written under a temporary name and
 * fsynced, then renamed (or, create-only, linked) to its own, then its
 * directory was fsynced, and so was, by this process, each directory above
 * it up to the endpoint. Temporary files lie in a directory of their own; what
 * a crash leaves there is removed by a later start.
 *
 * Everything is opened relative to the root's descriptor, one part of the
 * key after the other and never through a symbolic link.
 *
 * On NFS an answer may get lost, and the kernel asks again: a rename or link
 * that was done then fails. So one that failed looks whether the name leads to
 * the file. Nothing is exclusive there but link(2).
 *
 * dirs_lock is held while directories are made and fsynced: a second writer
 * must not be answered before the directory that the first one made is
 * durable. That happens once for each directory and process.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"
#include "store/dir.h"

/* More than these are not remembered, only fsynced each time. */
#define DIR_KNOWN_MAX 256

struct dir_store {
	struct store base;
	struct dir_root root;
	pthread_mutex_t dirs_lock;  /* guards what follows */
	char *known[DIR_KNOWN_MAX]; /* directories that are durable */
	size_t n_known;
};

static struct dir_store *dir(struct store *s)
{
	return container_of(s, struct dir_store, base);
}

/* What the kernel says -> the errors of store.h, while storing. */
static int dir_error(int err)
{
	switch (err) {
	case 0:
	case ENOENT:
	case EEXIST:
	case ENOMEM:
	case EAGAIN: /* explained, mostly */
	case ETIMEDOUT:
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return -err;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return store_explain(-ENOSPC, "%s", strerrordesc_np(err));
	case EACCES:
	case EPERM:
	case EROFS:
		return store_explain(-EACCES, "%s", strerrordesc_np(err));
	case ENOTDIR:
	case EISDIR:
	case ENOTEMPTY:
	case ENAMETOOLONG:
		return store_explain(-ENOTSUP,
				     "the key collides with a directory, or "
				     "a part of it is too long");
	case EXDEV:
		return store_explain(-ENOTSUP,
				     "a directory in it is another filesystem");
	case EOPNOTSUPP:
		return store_explain(-ENOTSUP,
				     "this filesystem has neither hard links "
				     "nor renames that do not replace");
	case EMFILE:
	case ENFILE:
	case EBUSY:
	case EINTR:
	case ESTALE: /* of NFS: somebody replaced it, the next look finds it */
	case EHOSTDOWN:
	case ENETDOWN:
	case ENOTCONN: /* whoever serves it has ended */
		return store_explain(-EAGAIN, "%s", strerrordesc_np(err));
	default: /* among them ELOOP: a symbolic link is no object */
		return store_explain(-EIO, "%s", strerrordesc_np(err));
	}
}

/* The same while looking for an object: a directory, or a file in place of
 * a directory, means that there is none. */
static int dir_find_error(int err)
{
	if (err == ENOTDIR || err == EISDIR)
		return -ENOENT;
	return dir_error(err);
}

/* The directory that path[0..len) names. Descriptor or -errno; what the root
 * said is a transient error of store.h already. */
static int dir_go(struct dir_store *d, const char *path, size_t len, bool make)
{
	int root = dir_root_get(&d->root, make);

	return root < 0 ? root : dir_walk(root, path, len, make);
}

static bool dir_known_locked(const struct dir_store *d, const char *path,
			     size_t len)
{
	size_t i;

	for (i = 0; i < d->n_known; i++)
		if (strncmp(d->known[i], path, len) == 0 &&
		    d->known[i][len] == '\0')
			return true;
	return false;
}

static void dir_remember_locked(struct dir_store *d, const char *path,
				size_t len)
{
	char *copy;

	if (d->n_known == DIR_KNOWN_MAX || dir_known_locked(d, path, len))
		return;
	copy = strndup(path, len);
	if (copy) /* without memory it is only slower */
		d->known[d->n_known++] = copy;
}

/* The directory of `key`, made and durable. Descriptor or -errno. */
static int dir_parent_made(struct dir_store *d, const char *key, size_t len)
{
	int fd;

	LOCK_SCOPE(&d->dirs_lock);
	if (dir_known_locked(d, key, len)) {
		fd = dir_go(d, key, len, false);
		if (fd != -ENOENT)
			return fd;
	}
	fd = dir_go(d, key, len, true);
	if (fd >= 0)
		dir_remember_locked(d, key, len);
	return fd;
}

/* Splits a key: how long its directory is, and the name in it. */
static size_t dir_split(const char *key, const char **name)
{
	const char *slash = strrchr(key, '/');

	*name = slash ? slash + 1 : key;
	return slash ? (size_t)(slash - key) : 0;
}

/* Writes a new file; its descriptor or -errno. */
static int dir_write_tmp(int at, const char *tmp, const void *data, size_t len)
{
	CLEANUP_CLOSE int fd = openat(
		at, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = io_write(fd, data, len);
	if (rc < 0)
		return rc;
	return fsync(fd) < 0 ? -errno : take_fd(fd);
}

/* Is that file what the name leads to, as the server of the files sees it? */
static bool dir_is_named(int fd, int at, const char *name)
{
	struct statx file, named;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_INO,
		     &file) == 0 &&
	       statx(at, name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
		     STATX_INO, &named) == 0 &&
	       file.stx_ino == named.stx_ino &&
	       file.stx_dev_major == named.stx_dev_major &&
	       file.stx_dev_minor == named.stx_dev_minor;
}

/* Filesystems without hard links have this instead, mostly. */
static int dir_move_new(int from, const char *tmp, int at, const char *name)
{
	if (renameat2(from, tmp, at, name, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL || errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

/* The file `fd`, which is `tmp` in `from`, becomes `name` in `at`. */
static int dir_name_it(int fd, int from, const char *tmp, int at,
		       const char *name, bool if_absent)
{
	int rc = if_absent ? linkat(from, tmp, at, name, 0)
			   : renameat(from, tmp, at, name);

	rc = rc < 0 ? -errno : 0;
	if (if_absent && (rc == -EPERM || rc == -EOPNOTSUPP || rc == -ENOSYS))
		rc = dir_move_new(from, tmp, at, name);
	return rc < 0 && dir_is_named(fd, at, name) ? 0 : rc;
}

/* The directory of temporary files in `root`, which it closes; made if need
 * be: it does not have to be durable. */
static int dir_open_tmp(int root)
{
	CLEANUP_CLOSE int at = root;
	int fd;

	if (at < 0)
		return at;
	fd = dir_open_sub(at, DIR_TMP);
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(at, DIR_TMP, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = dir_open_sub(at, DIR_TMP);
	}
	return fd < 0 ? -errno : fd;
}

static int dir_put_at(struct dir_store *d, int at, const char *name,
		      const void *data, size_t len, bool if_absent)
{
	CLEANUP_CLOSE int from = dir_open_tmp(dir_root_get(&d->root, true));
	CLEANUP_CLOSE int fd = -1;
	char tmp[33];
	uint8_t rnd[16];
	int rc = io_random(rnd, sizeof(rnd));

	if (rc < 0 || from < 0)
		return rc < 0 ? rc : from;
	hex_encode(rnd, sizeof(rnd), tmp);
	fd = dir_write_tmp(from, tmp, data, len);
	rc = fd < 0 ? fd : dir_name_it(fd, from, tmp, at, name, if_absent);
	if (rc < 0 || if_absent)
		unlinkat(from, tmp, 0);
	if (rc < 0)
		return rc;
	d->root.settled = true;
	/* Also what a NAS says of the bytes when the file is closed. */
	return close(take_fd(fd)) < 0 ? -errno : dir_sync(at);
}

static int dir_put(struct store *s, const char *key, const void *data,
		   size_t len, const struct store_put_opts *opts)
{
	struct dir_store *d = dir(s);
	const char *name;
	size_t n = dir_split(key, &name);
	CLEANUP_CLOSE int at = -1;

	if (opts->storage_class && strcmp(opts->storage_class, "STANDARD") != 0)
		return store_explain(-ENOTSUP, "no storage class '%s' here",
				     opts->storage_class);
	if (opts->lock != STORE_UNLOCKED)
		return store_explain(-ENOTSUP, "no locks here");
	at = dir_parent_made(d, key, n);
	if (at < 0)
		return dir_error(-at);
	return dir_error(-dir_put_at(d, at, name, data, len, opts->if_absent));
}

/* Opens an object for reading. Descriptor or an error of store.h. */
static int dir_open_object(struct dir_store *d, const char *key,
			   struct stat *st)
{
	const char *name;
	size_t n = dir_split(key, &name);
	CLEANUP_CLOSE int at = dir_go(d, key, n, false);
	CLEANUP_CLOSE int fd = -1;

	if (at < 0)
		return dir_find_error(-at);
	fd = openat(at, name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, st) < 0)
		return dir_find_error(errno);
	if (S_ISDIR(st->st_mode))
		return -ENOENT;
	if (!S_ISREG(st->st_mode))
		return store_explain(-EIO, "not a regular file");
	d->root.settled = true;
	return take_fd(fd);
}

static ssize_t dir_get(struct store *s, const char *key, uint64_t off,
		       void *dst, size_t len)
{
	struct stat st = { 0 };
	CLEANUP_CLOSE int fd = dir_open_object(dir(s), key, &st);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (off >= (uint64_t)st.st_size)
		return -ERANGE;
	n = io_pread(fd, dst, len, (off_t)off);
	return n < 0 ? dir_error((int)-n) : n;
}

static int dir_head(struct store *s, const char *key, struct store_info *out)
{
	struct stat st = { 0 };
	CLEANUP_CLOSE int fd = dir_open_object(dir(s), key, &st);

	if (fd < 0)
		return fd;
	*out = (struct store_info){ .size = (uint64_t)st.st_size,
				    .modified_ns = clock_ns(st.st_mtim),
				    .storage_class = "STANDARD" };
	return 0;
}

/* Deletes those of keys[0..n) that lie in the same directory as the first;
 * returns how many that were. */
static size_t dir_del_run(struct dir_store *d, const char *const *keys,
			  size_t n, int *rc)
{
	const char *name;
	size_t i, len = dir_split(keys[0], &name);
	CLEANUP_CLOSE int at = dir_go(d, keys[0], len, false);
	int err = 0;

	for (i = 0; i < n; i++) {
		if (dir_split(keys[i], &name) != len ||
		    strncmp(keys[i], keys[0], len) != 0)
			break;
		rc[i] = at < 0 ? dir_find_error(-at) : 0;
		if (at >= 0 && unlinkat(at, name, 0) < 0)
			rc[i] = dir_find_error(errno);
		if (rc[i] == -ENOENT)
			rc[i] = 0;
	}
	n = i;
	if (at >= 0)
		err = dir_error(-dir_sync(at));
	for (i = 0; i < n; i++)
		rc[i] = rc[i] ? rc[i] : err;
	return n;
}

static int dir_del(struct store *s, const char *const *keys, size_t n, int *rc)
{
	size_t i;

	for (i = 0; i < n;)
		i += dir_del_run(dir(s), keys + i, n - i, rc + i);
	for (i = 0; i < n; i++)
		if (rc[i] < 0)
			return rc[i];
	return 0;
}

static int dir_list(struct store *s, const char *prefix, const char *after,
		    size_t max, struct store_list *out)
{
	const char *slash = strrchr(prefix, '/');
	size_t len = slash ? (size_t)(slash - prefix) : 0;
	CLEANUP_CLOSE int at = dir_go(dir(s), prefix, len, false);
	int rc;

	if (at < 0) {
		rc = dir_find_error(-at);
		return rc == -ENOENT ? 0 : rc;
	}
	rc = dir_list_tree(at, prefix, slash ? len + 1 : 0, after, max, out);
	if (out->n)
		dir(s)->root.settled = true;
	return rc < 0 ? dir_error(-rc) : 0;
}

static void dir_caps(struct store *s, struct store_caps *out)
{
	(void)s;
	*out = (struct store_caps){ .create_only = true };
}

/* A directory's clock is this machine's. */
static int dir_skew(struct store *s, int64_t *ahead_ns)
{
	(void)s;
	*ahead_ns = 0;
	return 0;
}

static void dir_free(struct store *s)
{
	struct dir_store *d = dir(s);

	while (d->n_known)
		free(d->known[--d->n_known]);
	dir_root_close(&d->root);
	pthread_mutex_destroy(&d->dirs_lock);
	free(d);
}

static const struct store_ops dir_ops = {
	.put = dir_put,
	.get = dir_get,
	.head = dir_head,
	.del = dir_del,
	.list = dir_list,
	.caps = dir_caps,
	.skew = dir_skew,
	.free = dir_free,
};

int store_dir_open(const struct store_opts *opts, struct store **out,
		   struct err *err)
{
	struct dir_store *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	d->base.ops = &dir_ops;
	pthread_mutex_init(&d->dirs_lock, NULL);
	rc = dir_root_open(&d->root, opts, err);
	if (rc < 0)
		store_free(&d->base);
	else
		*out = &d->base;
	return rc;
}
