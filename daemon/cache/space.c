/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trust's share of the cache disk (P9).
 *
 * `used` is the sum of what each file was last seen to take on disk. Room ends
 * where the share does, or the disk but for free_min, whichever comes first.
 *
 *   0 ......... line ......... high ............ end
 *   fetched bytes | only new writes | writers slow down
 *
 * Fetched bytes stop at the line, which leaves the reserve to new writes.
 * Writers are slowed from the high mark on, more and more, so that the room
 * that is left lasts for seconds and protect and evict can keep up; who finds
 * no room at all waits a little and then gets -ENOSPC.
 *
 * A share may be full of what is not protected. Reads of other files must go
 * on: fetched bytes may take SPACE_FILL_SLACK beyond all that, and as much
 * again as is evicted.
 */
#include "cache/impl.h"

#include <sys/statvfs.h>

#define SPACE_WAIT_NS	 (5 * NSEC_PER_SEC)
#define SPACE_SLICE_NS	 (50 * 1000000LL)
#define SPACE_STAT_NS	 (100 * 1000000LL) /* age of a disk_free figure */
#define SPACE_STAT_BYTES (16ULL << 20)	   /* written since */
#define SPACE_CALL_NS	 (20 * 1000000LL)  /* between two pressure calls */
#define SPACE_FILL_SLACK (64ULL << 20)
#define SPACE_PACE_ZONE	 10U	/* per cent, at most */
#define SPACE_PACE_MIN	 200000 /* ns: a shorter sleep is none */

void space_changed(struct cache *c)
{
	atomic_store(&c->disk_free_ns, 0);
	LOCK_SCOPE(&c->room_lock);
	pthread_cond_broadcast(&c->room_cond);
}

/* What fetched bytes took beyond the line is free again. */
static void space_over_less(struct cache *c, uint64_t bytes)
{
	uint64_t over = atomic_load(&c->over);

	while (!atomic_compare_exchange_weak(&c->over, &over,
					     over > bytes ? over - bytes : 0))
		;
}

void space_update(struct cache_file *f, uint64_t bytes)
{
	uint64_t old = atomic_exchange(&f->blocks, bytes);

	atomic_fetch_add(&f->c->used, bytes - old);
	if (bytes < old) {
		space_over_less(f->c, old - bytes);
		space_changed(f->c);
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

/* Where room ends. */
static uint64_t space_end(struct cache *c)
{
	uint64_t used = atomic_load(&c->used), room = space_disk_free(c);

	room -= MIN(room, c->o.free_min);
	return MIN(c->o.size, used + room);
}

static uint64_t space_line(struct cache *c, uint64_t end)
{
	return end - end / 100 * MIN(c->o.reserve, 100U);
}

void cache_usage(struct cache *c, struct cache_usage *out)
{
	const struct cache_opts *o = &c->o;
	uint64_t wanted = atomic_load(&c->wanted);
	uint64_t end = space_end(c), line = space_line(c, end);
	struct cache_usage u = {
		.used = atomic_load(&c->used),
		.size = o->size,
		.high = MIN(end / 100 * o->high, line),
		.disk_free = space_disk_free(c),
	};

	u.low = MIN(end / 100 * o->low, u.high / MAX(o->high, 1U) * o->low);
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

/* Is there room on the disk at all? */
static bool space_on_disk(struct cache *c, uint64_t n)
{
	uint64_t free_now = space_disk_free(c);

	return free_now >= c->o.free_min && free_now - c->o.free_min >= n;
}

bool space_to_fill(struct cache *c, uint64_t n, bool wanted)
{
	uint64_t share = MAX(c->o.size / 16, 1ULL << 20);
	uint64_t slack = wanted ? MIN(SPACE_FILL_SLACK, share) : 0;

	if (!space_on_disk(c, n))
		return false;
	if (atomic_load(&c->used) + n <= space_line(c, space_end(c))) {
		atomic_store(&c->over, 0);
		return true;
	}
	if (atomic_load(&c->over) + n > slack)
		return false;
	atomic_fetch_add(&c->over, n);
	return true;
}

static bool space_there(struct cache *c, uint64_t n, bool fill)
{
	if (fill)
		return space_to_fill(c, n, true);
	return atomic_load(&c->used) + n <= c->o.size && space_on_disk(c, n);
}

/* Until somebody gives room back, but not for long. */
static void space_slice(struct cache *c, int64_t ns)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts = clock_timespec(clock_ns(ts) + MIN(ns, SPACE_SLICE_NS));
	LOCK_SCOPE(&c->room_lock);
	pthread_cond_timedwait(&c->room_cond, &c->room_lock, &ts);
}

static int64_t space_patience(const struct cache *c)
{
	return c->o.room_wait_ns ? c->o.room_wait_ns : SPACE_WAIT_NS;
}

/*
 * How long `n` more bytes should take: nothing at the start of the last tenth
 * (or of what is above the high mark), and then so that what is left of it
 * would last half as long as a writer waits for room.
 */
static int64_t space_pace(struct cache *c, uint64_t n)
{
	uint64_t end = space_end(c), used = atomic_load(&c->used);
	unsigned above = c->o.high < 99 ? 100 - c->o.high : 1;
	uint64_t zone = end / 100 * MIN(above, SPACE_PACE_ZONE);
	uint64_t room = end - MIN(end, used + n);
	double pace;

	if (room >= zone)
		return 0;
	pace = (double)n / (double)MAX(room, n) - (double)n / (double)zone;
	return pace <= 0 ? 0
			 : (int64_t)(MIN(pace, 1.0) *
				     (double)space_patience(c) / 2);
}

/* Writers stand in line, so that many are as slow as one. */
static void space_slow(struct cache *c, uint64_t n)
{
	int64_t now = clock_boot_ns(), pace = space_pace(c, n), at, until;

	if (pace < SPACE_PACE_MIN)
		return;
	at = atomic_load(&c->pace_ns);
	do
		until = MIN(MAX(at, now) + pace, now + space_patience(c));
	while (!atomic_compare_exchange_weak(&c->pace_ns, &at, until));
	space_press(c);
	while (clock_boot_ns() < until && space_pace(c, n) > 0)
		space_slice(c, until - clock_boot_ns());
}

int space_wait(struct cache *c, uint64_t n, bool fill)
{
	int64_t end = clock_boot_ns() + space_patience(c);
	bool there = space_there(c, n, fill);
	struct cache_usage u;

	if (there && !fill)
		space_slow(c, n);
	if (there) {
		cache_usage(c, &u);
		if (u.used + n > u.high)
			space_press(c);
		return 0;
	}
	atomic_fetch_add(&c->wanted, n);
	while (!there && clock_boot_ns() < end) {
		space_press(c);
		space_slice(c, SPACE_SLICE_NS);
		there = space_there(c, n, fill);
	}
	atomic_fetch_sub(&c->wanted, n);
	return there ? 0 : -ENOSPC;
}
