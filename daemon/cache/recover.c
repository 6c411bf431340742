/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: files that were open for writing when the last process ended
 * (S10), and, later in the background, cache files that nobody owns (S3).
 */
#include "cache/impl.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define RECOVER_BATCH 64

struct recover {
	uint64_t ino;
	int rc;	     /* of the file: 0, -ENOENT, -EUCLEAN */
	bool mapped; /* a client of the dead process can still store into it */
	struct stat st;
};

/*
 * What the dead process wrote is in the page cache at best. A row without
 * opened_for_write promises that it is durable, so it is synced first.
 */
static int recover_file(struct cache *c, struct recover *r)
{
	CLEANUP_CLOSE int fd = local_open(c, r->ino, O_RDONLY);
	int rc;

	r->rc = MIN(fd, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -EUCLEAN ? 0 : fd;
	brake_left(c, r->ino, fd);
	/* Closing it gives the lease back. */
	r->mapped = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
	rc = fsync(fd) < 0 ? -EIO : local_sync_entry(c, r->ino);
	if (rc == -EIO) {
		r->rc = rc;
		rc = 0;
	}
	return rc < 0 || fstat(fd, &r->st) == 0 ? rc : -errno;
}

static void recover_damaged(struct meta_inode *row, int why)
{
	row->damaged = true;
	log_err("inode %llu is damaged: its cache file, which was being "
		"written, is %s; it is not protected",
		(unsigned long long)row->ino,
		why == -ENOENT	  ? "missing"
		: why == -EUCLEAN ? "another inode's"
				  : "not readable");
}

static int recover_row(struct meta_txn *t, const struct recover *r)
{
	struct meta_inode row;
	uint64_t size;
	int rc = meta_inode_get(t, r->ino, &row);

	if (rc < 0)
		return rc;
	size = row.size;
	if (r->rc == 0) {
		cache_row_from_stat(&row, &r->st);
		/* Whatever was told of it died with the process. */
		meta_grown(t->m, (int64_t)(row.size - size));
		row.cached_bytes = (uint64_t)r->st.st_blocks * 512;
	} else if (row.size > 0 || r->rc == -EIO) {
		recover_damaged(&row, r->rc);
	}
	row.opened_for_write = r->mapped;
	row.settle_ns = clock_wall_ns();
	return meta_inode_update(t, &row);
}

/* The flush asks again until the mapping is gone. */
static int recover_mapped(struct cache *c, uint64_t ino)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	int rc = cache_get(c, ino, &f);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&f->lock);
	rc = cache_rfd_locked(f);
	unseen_set_locked(f, rc == 0);
	pthread_mutex_unlock(&f->lock);
	if (rc == 0)
		flush_queue(f);
	return rc;
}

/* One page of inodes. How many there were, or -errno. */
static int recover_page(struct cache *c, uint64_t *after)
{
	struct recover r[RECOVER_BATCH] = { 0 };
	uint64_t ino[RECOVER_BATCH];
	int i, n, rc = 0;
	META_TXN(t);

	n = meta_read(c->m, &t);
	if (n < 0)
		return n;
	n = meta_opened(&t, *after, ino, RECOVER_BATCH);
	meta_abort(&t);
	if (n <= 0)
		return n;
	for (i = 0; rc == 0 && i < n; i++) {
		r[i].ino = ino[i];
		rc = recover_file(c, &r[i]);
	}
	if (rc == 0)
		rc = meta_begin(c->m, &t);
	for (i = 0; rc == 0 && i < n; i++)
		rc = recover_row(&t, &r[i]);
	if (rc == 0)
		rc = meta_commit(&t, NULL);
	for (i = 0; rc == 0 && i < n; i++)
		if (r[i].mapped)
			rc = recover_mapped(c, ino[i]);
	*after = ino[n - 1];
	return rc < 0 ? rc : n;
}

int recover_opened(struct cache *c, struct err *err)
{
	uint64_t after = 0;
	unsigned total = 0;
	int n;

	while ((n = recover_page(c, &after)) > 0) {
		if (total == 0 && syncfs(c->root_fd) < 0)
			log_debug("syncfs: %s", errno_name(errno));
		total += (unsigned)n;
	}
	if (n < 0)
		return fail(err, n,
			    "cannot take up files that were open "
			    "when the last process ended: %m");
	if (total > 0)
		log_info("took up %u files that were open for writing", total);
	return 0;
}

/* ---- lost+found ----------------------------------------------------- */

struct scan {
	struct cache *c;
	bool (*stop)(void *arg);
	void *arg;
	int lost;
};

/* The inode of a cache file's name, 0 when it is none. */
static uint64_t scan_ino(const char *path)
{
	char want[CACHE_PATH_SIZE];
	const char *name = strrchr(path, '/') + 1;
	char *end;
	uint64_t ino = strtoull(name, &end, 16);

	local_path(ino, want);
	return *end == '\0' && strcmp(want, path) == 0 ? ino : 0;
}

/* A left-over of an eviction that a crash cut short: its row says away, so
 * nobody reads it, but it takes room. */
static int scan_leftover(struct cache *c, uint64_t ino)
{
	CLEANUP(cache_put_guard) struct cache_file *f = NULL;
	int rc = cache_get(c, ino, &f);

	if (rc == -ENOENT || rc == -EINVAL)
		return 0;
	if (rc == 0) /* a row that a power cut could undo proves nothing */
		rc = meta_durable(c->m, 0);
	if (rc < 0)
		return rc;
	LOCK_SCOPE(&f->lock);
	if (f->busy || f->dropped || cache_in_use_locked(f) ||
	    !cache_is_away(f->state) || f->have.present > 0)
		return 0;
	cache_close_fd(&f->rfd);
	cache_close_fd(&f->ffd); /* a fill that failed left it open */
	return local_unlink(c, ino);
}

/* Made beforehand by a process that was killed (pool.c): there is nothing in
 * it to lose. */
static bool scan_empty(struct cache *c, const char *path)
{
	struct stat st;

	return fstatat(c->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == 0;
}

static int scan_orphan(struct scan *s, const char *path, uint64_t ino)
{
	int rc;

	if (ino && scan_empty(s->c, path))
		return local_unlink(s->c, ino);
	rc = local_lose(s->c, path);
	if (rc == -ENOENT) /* it was being dropped */
		return 0;
	if (rc < 0)
		return rc;
	log_warn("cache file '%s' belongs to nobody: moved to lost+found",
		 path);
	s->lost++;
	return 0;
}

static int scan_file(struct scan *s, const char *path)
{
	uint64_t ino = scan_ino(path);
	struct meta_inode row;
	int rc;

	/* Before its row: one that leaves the pool after this has one by
	 * then, and one that left before has had it since. */
	if (ino && pool_has(s->c, ino))
		return 0;
	rc = ino ? meta_inode_find(s->c->m, ino, &row) : -ENOENT;
	if (rc == 0)
		return S_ISREG(row.mode) && cache_is_away(row.state)
			       ? scan_leftover(s->c, ino)
			       : 0;
	return rc == -ENOENT ? scan_orphan(s, path, ino) : rc;
}

static int scan_dir(struct scan *s, const char *path)
{
	int fd =
		openat(s->c->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[CACHE_PATH_SIZE + NAME_MAX + 2];
	struct dirent *d;
	DIR *dir;
	int rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		rc = -errno;
		close(fd);
		return rc;
	}
	while (rc == 0 && (d = readdir(dir))) {
		if (s->stop && s->stop(s->arg))
			rc = -EINTR;
		if (rc < 0 || d->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		rc = scan_file(s, name);
	}
	closedir(dir);
	return rc;
}

/* The 256 directories below one of the 256. */
static int scan_top(struct scan *s, unsigned top)
{
	char path[CACHE_PATH_SIZE];
	unsigned i;
	int rc = 0;

	snprintf(path, sizeof(path), "%02x", top);
	if (faccessat(s->c->root_fd, path, F_OK, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	for (i = 0; rc == 0 && i < 256; i++) {
		snprintf(path, sizeof(path), "%02x/%02x", top, i);
		rc = scan_dir(s, path);
	}
	return rc;
}

int cache_scan_lost(struct cache *c, bool (*stop)(void *arg), void *arg)
{
	struct scan s = { .c = c, .stop = stop, .arg = arg };
	unsigned i;
	int rc = 0;

	for (i = 0; rc == 0 && i < 256; i++)
		rc = scan_top(&s, i);
	return rc < 0 ? rc : s.lost;
}
