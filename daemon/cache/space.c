/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trust's share of the cache disk (P9).
 *
 * `used` is the sum of what each file was last seen to take on disk. Who
 * wants more than there is waits a few seconds for eviction and then gets
 * -ENOSPC. Fetched bytes may go over the share by SPACE_FILL_SLACK, so that
 * reads go on while a share is full of unprotected files.
 */
#include "cache/impl.h"

#include <sys/statvfs.h>

#define SPACE_WAIT_NS	 (5 * NSEC_PER_SEC)
#define SPACE_SLICE_NS	 (50 * 1000000LL)
#define SPACE_STAT_NS	 (100 * 1000000LL) /* age of a disk_free figure */
#define SPACE_STAT_BYTES (16ULL << 20)	   /* written since */
#define SPACE_CALL_NS	 (20 * 1000000LL)  /* between two pressure calls */
#define SPACE_FILL_SLACK (64ULL << 20)

static void space_freed(struct cache *c)
{
	LOCK_SCOPE(&c->room_lock);
	pthread_cond_broadcast(&c->room_cond);
}

void space_update(struct cache_file *f, uint64_t bytes)
{
	uint64_t old = atomic_exchange(&f->blocks, bytes);

	atomic_fetch_add(&f->c->used, bytes - old);
	if (bytes < old) {
		/* the disk has more room too: look again */
		atomic_store(&f->c->disk_free_ns, 0);
		space_freed(f->c);
	}
}

void space_update_fd(struct cache_file *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		space_update(f, (uint64_t)st.st_blocks * 512);
}

/* Room for other users than root on the filesystem, at most 100 ms old. */
static uint64_t space_disk_free(struct cache *c)
{
	int64_t now = clock_boot_ns();
	uint64_t used = atomic_load(&c->used);
	struct statvfs st;

	if (now - atomic_load(&c->disk_free_ns) < SPACE_STAT_NS &&
	    used - atomic_load(&c->disk_free_used) < SPACE_STAT_BYTES)
		return atomic_load(&c->disk_free);
	if (fstatvfs(c->root_fd, &st) == 0)
		atomic_store(&c->disk_free,
			     (uint64_t)st.f_bavail * st.f_frsize);
	atomic_store(&c->disk_free_used, used);
	atomic_store(&c->disk_free_ns, now);
	return atomic_load(&c->disk_free);
}

void cache_usage(struct cache *c, struct cache_usage *out)
{
	const struct cache_opts *o = &c->o;
	uint64_t wanted = atomic_load(&c->wanted);
	struct cache_usage u = {
		.used = atomic_load(&c->used),
		.size = o->size,
		.high = o->size / 100 * o->high,
		.low = o->size / 100 * o->low,
		.disk_free = space_disk_free(c),
	};

	u.over_high = u.used > u.high || u.used + wanted > u.size ||
		      u.disk_free < o->free_min + wanted;
	u.goal = MIN(u.low, wanted < u.size ? u.size - wanted : 0);
	u.free_goal = o->free_min + o->free_min / 8 + wanted;
	*out = u;
}

static void space_press(struct cache *c)
{
	int64_t now = clock_boot_ns();
	int64_t last = atomic_load(&c->pressure_ns);

	if (now - last >= SPACE_CALL_NS &&
	    atomic_compare_exchange_strong(&c->pressure_ns, &last, now))
		cache_hook_run(c, &c->on_pressure);
}

static bool space_there(struct cache *c, uint64_t n, uint64_t slack)
{
	uint64_t free_now = space_disk_free(c);

	return atomic_load(&c->used) + n <= c->o.size + slack &&
	       free_now >= c->o.free_min && free_now - c->o.free_min >= n;
}

static void space_slice(struct cache *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + SPACE_SLICE_NS);
	LOCK_SCOPE(&c->room_lock);
	pthread_cond_timedwait(&c->room_cond, &c->room_lock, &ts);
}

int space_wait(struct cache *c, uint64_t n, bool fill)
{
	int64_t end = clock_boot_ns() +
		      (c->o.room_wait_ns ? c->o.room_wait_ns : SPACE_WAIT_NS);
	uint64_t slack = fill ? SPACE_FILL_SLACK : 0;
	bool there = space_there(c, n, slack);

	if (there) {
		if (atomic_load(&c->used) + n > c->o.size / 100 * c->o.high)
			space_press(c);
		return 0;
	}
	atomic_fetch_add(&c->wanted, n);
	while (!there && clock_boot_ns() < end) {
		space_press(c);
		space_slice(c);
		there = space_there(c, n, slack);
	}
	atomic_fetch_sub(&c->wanted, n);
	return there ? 0 : -ENOSPC;
}
