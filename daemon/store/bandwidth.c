/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trust's transfers may take of the line, in each direction, by its
 * timetable. A transfer begins when what went before is paid for, and may
 * then be as fast as the whole rate (store_call.max_rate), so that a large one
 * takes as long as it costs. Together that is smooth without a hand in each
 * driver's transfer; one that cannot slow a transfer down sends an object at
 * once, and rests afterwards. A transfer ends at the speed at which it began,
 * the next one looks at the timetable.
 */
#include "base/clock.h"
#include "store/around.h"
#include "store/call.h"
#include "store/flow.h"

/* So much of a second may be saved up. */
#define SAVED_PER_SEC 4

struct store_rates store_pace_now(const struct store_pace *p)
{
	return store_rates_at(p->table, clock_wall_ns());
}

static uint64_t rate_of(const struct store_way *w)
{
	struct store_rates r = store_pace_now(w->pace);

	return w->is_up ? r.up : r.down;
}

static void way_init(struct store_way *w, struct store_pace *p, bool is_up)
{
	*w = (struct store_way){ .pace = p,
				 .is_up = is_up,
				 .filled_ns = clock_boot_ns() };
	store_queue_init(&w->queue);
}

void store_pace_init(struct store_pace *p, const struct store_bandwidth *table)
{
	*p = (struct store_pace){ .table = table };
	pthread_mutex_init(&p->lock, NULL);
	way_init(&p->up, p, true);
	way_init(&p->down, p, false);
}

void store_pace_done(struct store_pace *p)
{
	store_queue_done(&p->up.queue);
	store_queue_done(&p->down.queue);
	pthread_mutex_destroy(&p->lock);
}

void store_pace_stop(struct store_pace *p)
{
	LOCK_SCOPE(&p->lock);
	store_queue_stop_locked(&p->up.queue);
	store_queue_stop_locked(&p->down.queue);
}

/* What time has brought, at the rate that was in force until now; then at the
 * one that is. Without a limit nothing is owed or saved. */
static void fill_locked(struct store_way *w)
{
	int64_t now = clock_boot_ns(), ns = MAX(now - w->filled_ns, 0);
	int64_t bytes =
		(int64_t)MIN((unsigned __int128)ns * w->rate / NSEC_PER_SEC,
			     (unsigned __int128)INT64_MAX / 2);

	if (bytes > 0 || w->rate == 0) { /* or it would lose what is less */
		w->level = w->rate ? w->level + bytes : 0;
		w->filled_ns = now;
	}
	w->rate = rate_of(w);
	w->level = MIN(w->level, (int64_t)(w->rate / SAVED_PER_SEC));
	if (w->rate == 0)
		w->level = 0;
}

/* Nanoseconds until all is paid for. */
static int64_t owed_locked(void *arg)
{
	struct store_way *w = arg;

	fill_locked(w);
	if (w->level >= 0)
		return 0;
	return (int64_t)MIN(
		(unsigned __int128)-w->level * NSEC_PER_SEC / w->rate + 1,
		(unsigned __int128)INT64_MAX);
}

static struct store_way *way(struct store_pace *p, const struct store_pass *c)
{
	return c->up ? &p->up : c->down ? &p->down : NULL;
}

static int pace_enter(struct store_pace *p, const struct store_pass *c,
		      bool urgent)
{
	struct store_way *w = way(p, c);
	int rc;

	if (!w)
		return 0;
	LOCK_SCOPE(&p->lock);
	rc = store_queue_wait_locked(&w->queue, &p->lock, urgent, owed_locked,
				     w);
	if (rc < 0)
		return store_explain(rc, "waited for bandwidth: %llu bytes/s",
				     (unsigned long long)w->rate);
	w->level -= (int64_t)(c->up + c->down);
	store_call.max_rate = w->rate;
	return 0;
}

static int pace_begin(void *arg, struct store_pass *c)
{
	return pace_enter(arg, c, false);
}

static int pace_begin_urgent(void *arg, struct store_pass *c)
{
	return pace_enter(arg, c, true);
}

/* What went over the line, as far as that is known. */
static uint64_t carried(const struct store_pass *c, ssize_t rc)
{
	if (c->up)
		return (store_call.in_parts ? 0 : store_call.sent * c->up) +
		       store_call.besides.out_bytes;
	if (rc >= 0)
		return (uint64_t)rc;
	return store_reached() && store_is_transient((int)rc) ? c->down : 0;
}

static void pace_end(void *arg, struct store_pass *c, ssize_t rc)
{
	struct store_pace *p = arg;
	struct store_way *w = way(p, c);

	store_call.max_rate = 0;
	if (!w)
		return;
	LOCK_SCOPE(&p->lock);
	w->level += (int64_t)(c->up + c->down) - (int64_t)carried(c, rc);
	store_queue_wake_locked(&w->queue);
}

struct store *store_pace_new(struct store *inner, struct store_pace *p,
			     bool urgent)
{
	static const struct store_hooks hooks = { .begin = pace_begin,
						  .end = pace_end };
	static const struct store_hooks urgent_hooks = {
		.begin = pace_begin_urgent, .end = pace_end
	};

	return store_around_new(inner, urgent ? &urgent_hooks : &hooks, p);
}
