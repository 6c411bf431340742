/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Injects faults by a plan that the test may change while calls run. Which
 * calls fail follows from the seed and the number of the call alone.
 */
#include <stdatomic.h>

#include "store/call.h"
#include "store/drivers.h"

struct fault_store {
	struct store base;
	struct store *inner;
	struct store_fault_plan *plan;
	_Atomic uint64_t calls;
};

/* What happens to one call. */
struct dice {
	uint64_t x;
	int error;
};

static struct fault_store *fault(struct store *s)
{
	return container_of(s, struct fault_store, base);
}

/* splitmix64 */
static uint64_t roll(struct dice *d)
{
	uint64_t z = (d->x += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool hit(struct dice *d, const unsigned *percent)
{
	return roll(d) % 100 < __atomic_load_n(percent, __ATOMIC_RELAXED);
}

/* Starts a call: 0, or the error that it gets instead of being made. */
static int begin(struct fault_store *f, struct dice *d)
{
	uint64_t n = atomic_fetch_add(&f->calls, 1);

	d->x = __atomic_load_n(&f->plan->seed, __ATOMIC_RELAXED) + (n << 8);
	d->error = __atomic_load_n(&f->plan->error, __ATOMIC_RELAXED);
	if (d->error == 0)
		d->error = -EAGAIN;
	if (__atomic_load_n(&f->plan->down, __ATOMIC_RELAXED)) {
		store_call.sent = 0;
		return store_explain(-ECONNREFUSED, "injected: store is down");
	}
	if (hit(d, &f->plan->fail_percent))
		return store_explain(d->error, "injected: failed");
	return 0;
}

/* Ends a call that was made, with rc: its answer may get lost. */
static int end(struct fault_store *f, struct dice *d, int rc)
{
	if (hit(d, &f->plan->lose_percent))
		return store_explain(d->error, "injected: answer lost");
	return rc;
}

static int fault_put(struct store *s, const char *key, const void *data,
		     size_t len, const struct store_put_opts *opts)
{
	struct fault_store *f = fault(s);
	struct dice d;
	int rc = begin(f, &d);

	if (rc < 0)
		return rc;
	return end(f, &d, store_put(f->inner, key, data, len, opts));
}

static ssize_t fault_get(struct store *s, const char *key, uint64_t off,
			 void *dst, size_t len)
{
	struct fault_store *f = fault(s);
	struct dice d;
	ssize_t n = begin(f, &d);
	int rc;

	if (n < 0)
		return n;
	n = store_get(f->inner, key, off, dst, len);
	rc = end(f, &d, n < 0 ? (int)n : 0);
	if (rc < 0)
		return rc;
	if (hit(&d, &f->plan->truncate_percent))
		n = (ssize_t)(roll(&d) % (uint64_t)n);
	if (n > 0 && hit(&d, &f->plan->flip_percent)) {
		uint64_t bit = roll(&d) % ((uint64_t)n * 8);

		((uint8_t *)dst)[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	return n;
}

static int fault_head(struct store *s, const char *key, struct store_info *out)
{
	struct fault_store *f = fault(s);
	struct dice d;
	int rc = begin(f, &d);

	return rc < 0 ? rc : end(f, &d, store_head(f->inner, key, out));
}

static int fault_del1(struct fault_store *f, const char *key)
{
	struct dice d;
	int rc;

	store_begin(1);
	rc = begin(f, &d);
	return rc < 0 ? rc : end(f, &d, store_del1(f->inner, key));
}

/* Each key has its own luck. */
static int fault_del(struct store *s, const char *const *keys, size_t n,
		     int *rc)
{
	struct fault_store *f = fault(s);
	size_t sent = 0;
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		rc[i] = fault_del1(f, keys[i]);
		first = first ? first : rc[i];
		sent += store_call.sent;
	}
	store_call.sent = sent;
	return first;
}

static int fault_list(struct store *s, const char *prefix, const char *after,
		      size_t max, struct store_list *out)
{
	struct fault_store *f = fault(s);
	struct dice d;
	int rc = begin(f, &d);

	if (rc < 0)
		return rc;
	return end(f, &d, store_list(f->inner, prefix, after, max, out));
}

static int fault_copy(struct store *s, const char *from, const char *to,
		      const struct store_put_opts *opts)
{
	struct fault_store *f = fault(s);
	struct dice d;
	int rc = begin(f, &d);

	return rc < 0 ? rc : end(f, &d, store_copy(f->inner, from, to, opts));
}

static int fault_restore(struct store *s, const char *key, unsigned days,
			 enum store_speed speed)
{
	struct fault_store *f = fault(s);
	struct dice d;
	int rc = begin(f, &d);

	return rc < 0 ? rc
		      : end(f, &d, store_restore(f->inner, key, days, speed));
}

static int fault_del_version(struct store *s, const char *key,
			     const char *version)
{
	struct fault_store *f = fault(s);
	struct dice d;
	int rc = begin(f, &d);

	return rc < 0 ? rc
		      : end(f, &d, store_del_version(f->inner, key, version));
}

static int fault_probe(struct store *s, struct store_caps *out)
{
	struct fault_store *f = fault(s);
	struct dice d;
	int rc = begin(f, &d);

	return rc < 0 ? rc : end(f, &d, store_probe(f->inner, out));
}

static void fault_caps(struct store *s, struct store_caps *out)
{
	store_caps(fault(s)->inner, out);
}

static int fault_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(fault(s)->inner, ahead_ns);
}

static void fault_free(struct store *s)
{
	store_free(fault(s)->inner);
	free(fault(s));
}

static const struct store_ops fault_ops = {
	.put = fault_put,
	.get = fault_get,
	.head = fault_head,
	.del = fault_del,
	.list = fault_list,
	.copy = fault_copy,
	.restore = fault_restore,
	.del_version = fault_del_version,
	.caps = fault_caps,
	.probe = fault_probe,
	.skew = fault_skew,
	.free = fault_free,
};

struct store *store_fault_new(struct store *inner,
			      struct store_fault_plan *plan)
{
	struct fault_store *f = calloc(1, sizeof(*f));

	if (!f || !inner) {
		free(f);
		store_free(inner);
		return NULL;
	}
	f->base.ops = &fault_ops;
	f->inner = inner;
	f->plan = plan;
	atomic_init(&f->calls, 0);
	return &f->base;
}
