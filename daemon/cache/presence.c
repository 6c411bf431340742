/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which frames of an incomplete file are in the cache, and filling.
 *
 * The bits in memory say what may be read; they are written to the database
 * only after the bytes were synced (S12), so what a crash leaves behind
 * counts as absent and is fetched again. A fill writes only absent frames of
 * the version it was fetched for; a change of the version first stops fills
 * (frozen) and waits for those that are under way.
 */
#include "cache/impl.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

static uint64_t presence_frames(uint64_t size)
{
	return (size + META_FRAME_SIZE - 1) / META_FRAME_SIZE;
}

uint64_t presence_chunks(const struct presence *p)
{
	return (p->frames + META_PRESENCE_FRAMES - 1) / META_PRESENCE_FRAMES;
}

static bool presence_has(const struct presence *p, uint64_t frame)
{
	return p->bits[frame / 8] >> (frame % 8) & 1;
}

static void presence_add(struct presence *p, uint64_t frame)
{
	if (presence_has(p, frame))
		return;
	p->bits[frame / 8] |= (uint8_t)(1U << (frame % 8));
	p->present++;
	p->unsaved[frame / META_PRESENCE_FRAMES] = true;
}

void presence_done(struct presence *p)
{
	free(p->bits);
	free(p->unsaved);
	*p = (struct presence){ 0 };
}

static int presence_init(struct presence *p, uint64_t size)
{
	p->frames = presence_frames(size);
	p->bits = calloc(presence_chunks(p), PRESENCE_CHUNK);
	p->unsaved = calloc(presence_chunks(p), sizeof(*p->unsaved));
	if (p->bits && p->unsaved)
		return 0;
	presence_done(p);
	return -ENOMEM;
}

static int presence_read(struct cache_file *f)
{
	struct presence *p = &f->have;
	uint64_t i;
	META_TXN(t);
	int rc = meta_read(f->c->m, &t);

	for (i = 0; rc == 0 && i < presence_chunks(p); i++)
		rc = meta_presence_get(&t, f->ino, i,
				       p->bits + i * PRESENCE_CHUNK);
	meta_abort(&t);
	if (rc < 0)
		return rc;
	for (i = p->frames; i < presence_chunks(p) * META_PRESENCE_FRAMES; i++)
		p->bits[i / 8] &= (uint8_t) ~(1U << (i % 8));
	for (i = 0; i < p->frames; i++)
		p->present += presence_has(p, i);
	return 0;
}

int presence_load_locked(struct cache_file *f)
{
	int rc;

	if (f->have.bits)
		return 0;
	rc = presence_init(&f->have, f->size);
	if (rc == 0 && f->state == META_PARTIAL)
		rc = presence_read(f);
	if (rc < 0)
		presence_done(&f->have);
	return rc;
}

bool presence_unsaved_locked(const struct cache_file *f)
{
	uint64_t i;

	if (!f->have.bits)
		return false;
	for (i = 0; i < presence_chunks(&f->have); i++)
		if (f->have.unsaved[i])
			return true;
	return false;
}

bool presence_full_locked(const struct cache_file *f)
{
	return f->have.bits && f->have.present == f->have.frames;
}

/* The first run of absent frames in [from, to). False: none. */
static bool presence_hole(const struct presence *p, uint64_t from, uint64_t to,
			  uint64_t *first, uint64_t *end)
{
	while (from < to && presence_has(p, from))
		from++;
	if (from == to)
		return false;
	*first = from;
	while (from < to && !presence_has(p, from))
		from++;
	*end = from;
	return true;
}

int cache_missing(struct cache_file *f, uint64_t off, uint64_t len,
		  uint64_t *moff, uint64_t *mlen)
{
	uint64_t first, end;
	int rc;

	LOCK_SCOPE(&f->lock);
	if (!cache_incomplete_locked(f) || off >= f->size || len == 0)
		return 0;
	rc = presence_load_locked(f);
	if (rc < 0)
		return rc;
	len = MIN(len, f->size - off);
	if (!presence_hole(&f->have, off / META_FRAME_SIZE,
			   presence_frames(off + len), &first, &end))
		return 0;
	*moff = first * META_FRAME_SIZE;
	*mlen = MIN(end * META_FRAME_SIZE, f->size) - *moff;
	return 1;
}

/* ---- filling -------------------------------------------------------- */

/* A row that a power cut could undo may still call the left-over whole. */
static int fill_empty(struct cache_file *f, int fd)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	rc = st.st_size > 0 ? meta_durable(f->c->m, 0) : 0;
	if (rc < 0)
		return rc;
	return ftruncate(fd, 0) < 0 ? -errno : 0;
}

/*
 * Opens the file to fill. Nothing that a REMOTE file's left-over holds is
 * vouched for by anybody: it is emptied first.
 */
static int fill_open_locked(struct cache_file *f)
{
	CLEANUP_CLOSE int fd = -1;
	int rc;

	if (f->ffd >= 0)
		return 0;
	fd = cache_create_locked(f);
	if (fd < 0)
		return fd;
	rc = f->have.present > 0 ? 0 : fill_empty(f, fd);
	if (rc < 0)
		return rc;
	if (ftruncate(fd, (off_t)f->size) < 0)
		return -errno;
	f->ffd = take_fd(fd);
	return 0;
}

static int fill_write(int fd, const void *data, uint64_t off, uint64_t len)
{
	static const uint8_t zero[META_FRAME_SIZE];
	int rc = 0;

	if (data)
		return io_pwrite(fd, data, len, (off_t)off);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)off, (off_t)len) == 0)
		return 0;
	while (rc == 0 && len > 0) { /* the filesystem has no holes */
		uint64_t n = MIN(len, (uint64_t)sizeof(zero));

		rc = io_pwrite(fd, zero, n, (off_t)off);
		off += n;
		len -= n;
	}
	return rc;
}

/* Writes one run of absent frames, outside the lock. */
static int fill_run_locked(struct cache_file *f, uint64_t off, const void *data,
			   uint64_t len)
{
	int fd = f->ffd, rc;

	f->filling++;
	pthread_mutex_unlock(&f->lock);
	rc = fill_write(fd, data, off, len);
	if (rc == 0 && data) /* a late fdatasync has less to wait for */
		sync_file_range(fd, (off_t)off, (off_t)len,
				SYNC_FILE_RANGE_WRITE);
	pthread_mutex_lock(&f->lock);
	f->filling--;
	if (f->filling == 0 && !cache_incomplete_locked(f))
		cache_close_fd(&f->ffd);
	pthread_cond_broadcast(&f->cond);
	return rc;
}

static bool fill_range_ok(const struct cache_file *f, uint64_t off,
			  uint64_t len)
{
	return off % META_FRAME_SIZE == 0 && len > 0 && off < f->size &&
	       len <= f->size - off &&
	       (len % META_FRAME_SIZE == 0 || off + len == f->size);
}

/* Is the file still the one that was fetched for? 1: nothing to do. */
static int fill_check_locked(struct cache_file *f, uint64_t version,
			     uint64_t off, uint64_t len)
{
	if (f->dropped || f->frozen || f->version != version)
		return -ESTALE;
	if (!fill_range_ok(f, off, len))
		return -EINVAL;
	return !cache_incomplete_locked(f);
}

static int fill_frames_locked(struct cache_file *f, uint64_t version,
			      uint64_t off, const uint8_t *data, uint64_t len)
{
	uint64_t to = presence_frames(off + len), first, end, i, at;
	int rc;

	for (;;) {
		rc = fill_check_locked(f, version, off, len);
		if (rc == 0)
			rc = presence_load_locked(f);
		if (rc == 0)
			rc = fill_open_locked(f);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		if (!presence_hole(&f->have, off / META_FRAME_SIZE, to, &first,
				   &end))
			return 0;
		at = first * META_FRAME_SIZE;
		rc = fill_run_locked(f, at, data ? data + (at - off) : NULL,
				     MIN(end * META_FRAME_SIZE, off + len) -
					     at);
		if (rc < 0)
			return rc;
		/* The version waited for us, and complete means have.bits is
		 * gone: then another fill of the same bytes was faster. */
		if (!f->have.bits)
			return 0;
		for (i = first; i < end; i++)
			presence_add(&f->have, i);
	}
}

static int fill_now(struct cache_file *f, uint64_t version, uint64_t off,
		    const void *data, uint64_t len)
{
	int rc;

	LOCK_SCOPE(&f->lock);
	cache_wait_busy_locked(f);
	rc = fill_frames_locked(f, version, off, data, len);
	if (f->ffd >= 0)
		space_update_fd(f, f->ffd);
	return rc;
}

int cache_fill(struct cache_file *f, uint64_t version, uint64_t off,
	       const void *data, uint64_t len)
{
	int rc = data ? space_wait(f->c, len, true) : 0;

	return rc < 0 ? rc : fill_now(f, version, off, data, len);
}

int cache_fill_spare(struct cache_file *f, uint64_t version, uint64_t off,
		     const void *data, uint64_t len, bool soon)
{
	struct cache_usage u;

	cache_usage(f->c, &u);
	if (u.disk_free < u.free_goal + len ||
	    (soon ? !space_to_fill(f->c, len, false) : u.used + len > u.high))
		return -ENOSPC;
	if (u.used + len > u.high)
		cache_hook_run(f->c, &f->c->on_pressure);
	return fill_now(f, version, off, data, len);
}

int cache_fill_begin(struct cache_file *f)
{
	int rc;

	LOCK_SCOPE(&f->lock);
	cache_wait_busy_locked(f);
	if (f->dropped)
		return -ENOENT;
	rc = cache_examine_locked(f);
	if (rc == 0)
		f->fillers++;
	return rc;
}

void cache_fill_end(struct cache_file *f)
{
	bool last;

	pthread_mutex_lock(&f->lock);
	f->fillers--;
	last = !cache_in_use_locked(f);
	if (last)
		cache_close_fd(&f->rfd);
	pthread_mutex_unlock(&f->lock);
	if (last)
		settle_queue(f);
}
