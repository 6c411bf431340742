/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed, open after failures in a row, half open while one call probes. A
 * probe may take long: another one is sent when the next is due, and any
 * answer closes the breaker, also of a call that began before it opened.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "store/around.h"
#include "store/call.h"
#include "store/flow.h"

/* Who is refused while a probe is under way asks again so soon. */
#define LOOK_NS (NSEC_PER_SEC / 5)

const char *store_breaker_name(enum store_breaker_state s)
{
	static const char *const names[STORE_BREAKER_STATES] = {
		[STORE_CLOSED] = "closed",
		[STORE_OPEN] = "open",
		[STORE_HALF_OPEN] = "half_open",
	};

	return (unsigned)s < STORE_BREAKER_STATES ? names[s] : "?";
}

void store_breaker_init(struct store_breaker *b, int64_t pause_max_ns)
{
	*b = (struct store_breaker){
		.state = STORE_CLOSED,
		.pause_max_ns = pause_max_ns > 0 ? pause_max_ns
						 : STORE_BREAKER_PAUSE_MAX_NS
	};
	pthread_mutex_init(&b->lock, NULL);
}

void store_breaker_done(struct store_breaker *b)
{
	pthread_mutex_destroy(&b->lock);
}

void store_breaker_read(struct store_breaker *b, struct store_breaker_info *out)
{
	LOCK_SCOPE(&b->lock);
	*out = (struct store_breaker_info){ .state = b->state };
	if (b->state == STORE_CLOSED)
		return;
	out->since_ns = b->since_ns;
	out->probe_ns = clock_wall_ns() + (b->probe_ns - clock_boot_ns());
}

static int refuse_locked(struct store_breaker *b, int64_t now)
{
	char since[CLOCK_ISO_SIZE], next[UNITS_SIZE];

	store_call.not_before_ns = b->state == STORE_OPEN ? b->probe_ns
							  : now + LOOK_NS;
	clock_iso(b->since_ns, since);
	if (b->state == STORE_HALF_OPEN)
		return store_explain(-EAGAIN,
				     "no answer since %s (%s), being asked now",
				     since, b->detail);
	return store_explain(-EAGAIN, "no answer since %s (%s), asked in %s",
			     since, b->detail,
			     units_format_duration(b->probe_ns - now, next));
}

static int breaker_begin(void *arg, struct store_pass *p)
{
	struct store_breaker *b = arg;
	int64_t now = clock_boot_ns();

	LOCK_SCOPE(&b->lock);
	if (b->state == STORE_CLOSED)
		return 0;
	if (now < b->probe_ns)
		return refuse_locked(b, now);
	p->marked = true;
	b->state = STORE_HALF_OPEN;
	b->probe_ns = now + b->pause_ns;
	return 0;
}

static void open_locked(struct store_breaker *b, int64_t pause_ns)
{
	b->state = STORE_OPEN;
	b->pause_ns = MIN(pause_ns, b->pause_max_ns);
	b->probe_ns = clock_boot_ns() + clock_jitter(b->pause_ns);
}

static void failed_locked(struct store_breaker *b, const struct store_pass *p,
			  int rc)
{
	if (b->failures == 0) {
		b->first_ns = p->began_ns;
		b->since_ns = clock_wall_ns();
	}
	b->failures = MIN(b->failures + 1, 1000000U);
	snprintf(b->detail, sizeof(b->detail), "%s",
		 *store_detail() ? store_detail() : strerrordesc_np(-rc));
	if (b->state != STORE_CLOSED) {
		if (p->marked) /* others began before it opened */
			open_locked(b, 2 * b->pause_ns);
	} else if (b->failures >= STORE_BREAKER_FAILURES &&
		   clock_boot_ns() - b->first_ns >= STORE_BREAKER_TIME_NS) {
		open_locked(b, STORE_BREAKER_PAUSE_NS);
	}
}

static void breaker_end(void *arg, struct store_pass *p, ssize_t rc)
{
	struct store_breaker *b = arg;
	bool failed = rc < 0 && store_is_transient((int)rc) &&
		      !store_call.throttled;

	if (rc == -ENOMEM || rc == -EINVAL)
		return;
	LOCK_SCOPE(&b->lock);
	if (!failed) {
		b->state = STORE_CLOSED;
		b->failures = 0;
	} else if (!store_cut_short((int)rc, p->began_ns)) {
		failed_locked(b, p, (int)rc);
	}
}

struct store *store_breaker_new(struct store *inner, struct store_breaker *b)
{
	static const struct store_hooks hooks = { .begin = breaker_begin,
						  .end = breaker_end };

	return store_around_new(inner, &hooks, b);
}
