/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the cache of one trust. */
#include "cache/impl.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "base/io.h"
#include "base/log.h"

static int cache_open_dir(const char *state_dir, const char *name, int *out,
			  struct err *err)
{
	CLEANUP_FREE char *path = io_path("%s/%s", state_dir, name);
	int fd;

	if (!path)
		return fail(err, -ENOMEM, "no memory");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(err, -errno, "cannot make '%s': %m", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, -errno, "cannot open '%s': %m", path);
	*out = fd;
	return 0;
}

static int cache_try_xattr(struct cache *c, struct err *err)
{
	if (fsetxattr(c->root_fd, "user.mersey.test", "1", 1, 0) < 0)
		return fail_hint(
			err,
			fail(err, -errno,
			     "the filesystem of '%s' takes no user xattrs: %m",
			     c->o.dir),
			"put the state directory on ext4 or XFS");
	return 0;
}

static int cache_open_dirs(struct cache *c, struct err *err)
{
	struct statvfs st;
	int rc;

	rc = cache_open_dir(c->o.dir, "cache", &c->root_fd, err);
	if (rc == 0)
		rc = cache_open_dir(c->o.dir, "lost+found", &c->lost_fd, err);
	if (rc == 0)
		rc = cache_try_xattr(c, err);
	if (rc == 0 && fstatvfs(c->root_fd, &st) < 0)
		rc = fail(err, -errno, "cannot examine '%s': %m", c->o.dir);
	c->no_atime = rc == 0 && st.f_flag & ST_NOATIME;
	if (rc == 0 && (rc = io_sync_dir(c->o.dir)) < 0)
		rc = fail(err, rc, "cannot sync '%s': %m", c->o.dir);
	return rc;
}

/* What the files took when their rows were last written. */
static int cache_count(struct cache *c, struct err *err)
{
	struct meta_totals totals;
	META_TXN(t);
	int rc = meta_read(c->m, &t);

	if (rc == 0)
		rc = meta_totals(&t, &totals);
	if (rc < 0)
		return fail(err, rc, "cannot read the totals: %m");
	atomic_store(&c->used, totals.cached_bytes);
	return 0;
}

static struct cache *cache_new(const struct cache_opts *o, struct meta *m,
			       const uint8_t volume[16])
{
	struct cache *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (!c)
		return NULL;
	c->o = *o;
	c->m = m;
	memcpy(c->volume, volume, sizeof(c->volume));
	c->root_fd = c->lost_fd = -1;
	atomic_init(&c->ghost_ns, INT64_MIN);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->room_lock, NULL);
	pthread_mutex_init(&c->flush_lock, NULL);
	pthread_mutex_init(&c->backing_lock, NULL);
	pthread_mutex_init(&c->watch_lock, NULL);
	pthread_mutex_init(&c->hook_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->room_cond, &attr);
	pthread_condattr_destroy(&attr);
	return c;
}

int cache_open(const struct cache_opts *o, struct meta *m,
	       const uint8_t volume[16], struct cache **out, struct err *err)
{
	CLEANUP(cache_close_guard) struct cache *c = cache_new(o, m, volume);
	int rc;

	if (!c)
		return fail(err, -ENOMEM, "no memory");
	rc = cache_open_dirs(c, err);
	if (rc == 0 && (rc = pool_init(c)) < 0)
		rc = fail(err, rc, "no memory");
	if (rc == 0)
		rc = recover_opened(c, err);
	if (rc == 0)
		rc = cache_count(c, err);
	if (rc < 0)
		return rc;
	c->flusher = job_start("flush", flush_run, c);
	c->passer = job_start("passthrough", backing_run, c);
	if (!c->flusher || !c->passer)
		return fail(err, -errno, "cannot start a thread: %m");
	*out = take(c);
	return 0;
}

void cache_close(struct cache *c)
{
	int rc;

	if (!c)
		return;
	job_stop(c->passer);
	c->passer = NULL; /* job_wake(NULL) is fine */
	job_stop(c->flusher);
	c->flusher = NULL;
	if (c->pool)
		cache_set_backing(c, NULL);
	watch_forget(c);
	cache_on_dirty(c, NULL, NULL);
	rc = cache_flush(c);
	if (rc < 0) /* the next start takes those files up */
		log_err("closing the cache: %s", errno_name(-rc));
	flush_forget(c);
	pool_done(c);
	assert(!c->table);
	cache_close_fd(&c->root_fd);
	cache_close_fd(&c->lost_fd);
	buf_done(&c->left_held);
	pthread_cond_destroy(&c->room_cond);
	pthread_mutex_destroy(&c->room_lock);
	pthread_mutex_destroy(&c->flush_lock);
	pthread_mutex_destroy(&c->backing_lock);
	pthread_mutex_destroy(&c->watch_lock);
	pthread_mutex_destroy(&c->hook_lock);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- hooks ---------------------------------------------------------- */

void cache_hook_run(struct cache *c, const struct cache_hook *hook)
{
	LOCK_SCOPE(&c->hook_lock);
	if (hook->fn)
		hook->fn(hook->arg);
}

void cache_on_pressure(struct cache *c, void (*fn)(void *arg), void *arg)
{
	LOCK_SCOPE(&c->hook_lock);
	c->on_pressure = (struct cache_hook){ .fn = fn, .arg = arg };
}

void cache_on_dirty(struct cache *c, void (*fn)(void *arg), void *arg)
{
	LOCK_SCOPE(&c->hook_lock);
	c->on_dirty = (struct cache_hook){ .fn = fn, .arg = arg };
}

void cache_job(struct cache *c, struct job_info *out)
{
	job_get(c->flusher, out);
}
