/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: bands of 2^62 ns, so times to 2116. TWICE lies where a plain time is,
 * for rows that are older than this. The two lowest bits of the time say that
 * the file has had its second round, and that one which was brought ahead had
 * left lately.
 */
#include "cache/value.h"

#include <string.h>

#include "base/guard.h"

#define VALUE_BAND  (INT64_C(1) << 62)
#define VALUE_ROUND INT64_C(1)
#define VALUE_KNOWN INT64_C(2)

static const int64_t value_weight[VALUE_CLASSES] = {
	[VALUE_FETCHED] = 1,
	[VALUE_ONCE] = 2,
	[VALUE_TWICE] = 16,
	[VALUE_OFTEN] = 64,
};

int64_t value_first(enum value_class class)
{
	return class == VALUE_CLASSES
		       ? INT64_MAX
		       : ((int64_t) class - VALUE_TWICE) * VALUE_BAND;
}

int64_t value_key(enum value_class class, int64_t wall_ns)
{
	int64_t ns = MIN(MAX(wall_ns, 0), VALUE_BAND - 1);

	return value_first(class) + (ns & ~(VALUE_ROUND | VALUE_KNOWN));
}

enum value_class value_class(int64_t key)
{
	return (enum value_class)(
		VALUE_TWICE +
		(key < 0 ? -(-(key + 1) / VALUE_BAND) - 1 : key / VALUE_BAND));
}

int64_t value_time(int64_t key)
{
	return key - value_first(value_class(key));
}

static enum value_class value_next(enum value_class class)
{
	return class < VALUE_OFTEN ? class + 1 : VALUE_OFTEN;
}

int64_t value_touched(int64_t key, bool here, int64_t ghost_ns, int64_t now_ns)
{
	enum value_class class = value_class(key);
	int64_t last = value_time(key);

	/* Not only while it is here: that is recorded late. */
	if (class != VALUE_FETCHED && now_ns >= last &&
	    now_ns - last < VALUE_STEP_NS)
		return key;
	if (last == 0 || (!here && last <= ghost_ns))
		class = VALUE_FETCHED;
	else if (class == VALUE_FETCHED && last & VALUE_KNOWN)
		class = VALUE_ONCE;
	return value_key(value_next(class), now_ns);
}

int64_t value_written(int64_t key, int64_t now_ns)
{
	int64_t last = value_time(key);

	if (last == 0) /* a new file's row */
		return value_key(VALUE_ONCE, now_ns);
	return MAX(key, value_key(value_class(key), now_ns));
}

int64_t value_fetched(int64_t key, int64_t ghost_ns, int64_t now_ns)
{
	int64_t last = value_time(key), age = now_ns - last;

	if (age >= 0 && age < VALUE_STEP_NS)
		return key;
	return value_key(VALUE_FETCHED, now_ns) |
	       (last > ghost_ns && value_class(key) != VALUE_FETCHED
			? VALUE_KNOWN
			: last & VALUE_KNOWN);
}

/* In steps of a microsecond: times a weight it stays within 64 bits. */
static int64_t value_age(int64_t key, int64_t now_ns)
{
	return MAX(now_ns - value_time(key), 0) / 1000 + 1;
}

/* The analyzer does not see that 64 bits are four bands, from VALUE_FETCHED to
 * VALUE_OFTEN. */
static int64_t value_weight_of(int64_t key)
{
	enum value_class class = value_class(key);

	return class < VALUE_CLASSES ? value_weight[class] : 0;
}

bool value_less(int64_t a, int64_t b, int64_t now_ns)
{
	return value_age(a, now_ns) * value_weight_of(b) >
	       value_age(b, now_ns) * value_weight_of(a);
}

bool value_again(int64_t key, int64_t now_ns, int64_t *out)
{
	int64_t last = value_time(key);

	if (last & VALUE_ROUND)
		return false;
	*out = value_key(value_class(key), last + MAX(now_ns - last, 0) / 2) |
	       VALUE_ROUND | (last & VALUE_KNOWN);
	return true;
}

bool value_ghost_note(struct value_ghost *g, int64_t key, uint64_t bytes,
		      uint64_t cache_size)
{
	int64_t last = value_time(key);

	if (value_class(key) > VALUE_ONCE)
		return false; /* of another age than those around it */
	g->bytes += bytes;
	if (g->bytes < cache_size / VALUE_GHOSTS)
		return false;
	g->bytes = 0;
	memmove(g->time, g->time + 1, (VALUE_GHOSTS - 1) * sizeof(g->time[0]));
	g->time[VALUE_GHOSTS - 1] = last;
	return true;
}

int64_t value_ghost_since(const struct value_ghost *g)
{
	return g->time[0];
}
