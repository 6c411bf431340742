/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store between the fetches and the bucket: it counts, tells how far a GET
 * has come, and holds GETs up until the test lets them go.
 */
#ifndef MERSEY_TESTS_MOVE_SLOW_H
#define MERSEY_TESTS_MOVE_SLOW_H

#include "store/call.h"
#include "tests/unit/move/util.h"

#define SLOW_STEP (16 * KIB)

static struct slow {
	struct store base;
	struct store *inner;
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	size_t stop_at;	  /* bytes after which a GET is held up */
	bool held;	  /* are they? */
	unsigned again;	  /* GETs that begin once more after that */
	unsigned waiting; /* GETs that are held up */
	unsigned gets;	  /* under way */
	unsigned most;	  /* at once */
	uint64_t bytes;	  /* of those under way */
	uint64_t most_bytes;
	_Atomic unsigned flips; /* GETs of which a bit is wrong */
	int64_t takes_ns;	/* each GET */
	int64_t step_ns;	/* and each SLOW_STEP of it: a slow line */
} slow;

static inline void slow_hold_at(struct slow *s, size_t done)
{
	LOCK_SCOPE(&s->lock);
	if (done < s->stop_at)
		return;
	s->waiting++;
	pthread_cond_broadcast(&s->changed);
	while (s->held)
		pthread_cond_wait(&s->changed, &s->lock);
	s->waiting--;
}

static inline bool slow_again(struct slow *s)
{
	LOCK_SCOPE(&s->lock);
	if (s->again == 0)
		return false;
	s->again--;
	return true;
}

/* As one attempt over the network. */
static inline void slow_arrive(struct slow *s, uint8_t *dst, const uint8_t *src,
			       size_t n)
{
	size_t at, k;

	if (store_call.progress)
		store_call.progress(store_call.progress_arg, 0);
	for (at = 0; at < n; at += k) {
		slow_hold_at(s, at);
		k = MIN(n - at, (size_t)SLOW_STEP);
		if (s->step_ns)
			clock_sleep_ns(s->step_ns);
		memcpy(dst + at, src + at, k);
		if (store_call.progress)
			store_call.progress(store_call.progress_arg, at + k);
	}
	slow_hold_at(s, n);
}

static inline ssize_t slow_get(struct store *st, const char *key, uint64_t off,
			       void *dst, size_t len)
{
	struct slow *s = container_of(st, struct slow, base);
	CLEANUP_FREE uint8_t *all = malloc(len);
	ssize_t n;

	pthread_mutex_lock(&s->lock);
	s->gets++;
	s->bytes += len;
	s->most = MAX(s->most, s->gets);
	s->most_bytes = MAX(s->most_bytes, s->bytes);
	pthread_mutex_unlock(&s->lock);
	assert_non_null(all);
	if (s->takes_ns)
		clock_sleep_ns(s->takes_ns);
	n = store_get(s->inner, key, off, all, len);
	if (n > 0 && atomic_load(&s->flips) > 0) {
		atomic_fetch_sub(&s->flips, 1);
		all[n / 2] ^= 1;
	}
	if (n > 0)
		do {
			slow_arrive(s, dst, all, (size_t)n);
		} while (slow_again(s));
	LOCK_SCOPE(&s->lock);
	s->gets--;
	s->bytes -= len;
	return n;
}

static inline int slow_put(struct store *st, const char *key, const void *data,
			   size_t len, const struct store_put_opts *o)
{
	return store_put(container_of(st, struct slow, base)->inner, key, data,
			 len, o);
}

static inline void slow_caps(struct store *st, struct store_caps *out)
{
	store_caps(container_of(st, struct slow, base)->inner, out);
}

static inline int slow_skew(struct store *st, int64_t *ahead_ns)
{
	return store_skew(container_of(st, struct slow, base)->inner, ahead_ns);
}

static inline void slow_free(struct store *st)
{
	store_free(container_of(st, struct slow, base)->inner);
}

static const struct store_ops slow_ops = {
	.put = slow_put,
	.get = slow_get,
	.caps = slow_caps,
	.skew = slow_skew,
	.free = slow_free,
};

static inline void slow_set(size_t stop_at, bool held)
{
	LOCK_SCOPE(&slow.lock);
	slow.stop_at = stop_at;
	slow.held = held;
	pthread_cond_broadcast(&slow.changed);
}

/* Until so many GETs are held up. */
static inline void slow_wait(unsigned waiting)
{
	LOCK_SCOPE(&slow.lock);
	while (slow.waiting < waiting)
		pthread_cond_wait(&slow.changed, &slow.lock);
}

static inline unsigned slow_waiting(void)
{
	LOCK_SCOPE(&slow.lock);
	return slow.waiting;
}

/* Reads of programs and recalls go through it. */
static inline int slow_setup(void **state)
{
	int rc = move_setup(state);

	if (rc < 0)
		return rc;
	stop_move();
	slow = (struct slow){ .base = { .ops = &slow_ops },
			      .stop_at = SIZE_MAX };
	pthread_mutex_init(&slow.lock, NULL);
	pthread_cond_init(&slow.changed, NULL);
	slow.inner = take(stores.cause[STORE_CAUSE_READ]);
	stores.cause[STORE_CAUSE_READ] = &slow.base;
	mopts.object_size = 16 * MIB;
	mopts.recall_bytes = 64 * MIB;
	return start_move();
}

static inline int slow_teardown(void **state)
{
	int rc;

	slow_set(SIZE_MAX, false);
	rc = move_teardown(state);
	pthread_cond_destroy(&slow.changed);
	pthread_mutex_destroy(&slow.lock);
	return rc;
}

#define SLOW_TEST(f) \
	cmocka_unit_test_setup_teardown(f, slow_setup, slow_teardown)

static inline struct store_counts read_counts(void)
{
	struct store_counts n;

	store_meter_read(&counts[STORE_CAUSE_READ], &n);
	return n;
}

/* Bytes in packs of the frames that [off, off+len) touches. */
static inline uint64_t sealed(uint64_t ino, uint64_t off, uint64_t len)
{
	struct meta_extent e[64];
	uint64_t sum = 0, at;
	uint32_t k;
	META_TXN(t);
	int n, i;

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_extent_list(&t, ino, off, len, e, 64);
	assert_in_range(n, 1, 63);
	for (i = 0; i < n; i++) {
		for (k = 0; k < e[i].frames; k++) {
			at = e[i].off + k * META_FRAME_SIZE;
			if (at < off + len && at + META_FRAME_SIZE > off)
				sum += e[i].table[k] & PACK_TABLE_LEN;
		}
		meta_extent_done(&e[i]);
	}
	return sum;
}

static inline bool is_here(struct cache_file *f, uint64_t off, uint64_t len)
{
	uint64_t moff, mlen;

	return cache_missing(f, off, len, &moff, &mlen) == 0;
}

static inline bool wait_here(struct cache_file *f, uint64_t off, uint64_t len)
{
	int i;

	for (i = 0; i < 2000 && !is_here(f, off, len); i++)
		clock_sleep_ns(5000000);
	return is_here(f, off, len);
}

/* As a program reads. */
static inline int read_at(struct cache_file *f, uint64_t off, uint64_t len,
			  uint64_t ahead)
{
	return move_read(mv, f, off, len, ahead, &(struct move_patience){ 0 });
}

#endif
