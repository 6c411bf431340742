/* SPDX-License-Identifier: Apache-2.0 */
/* The retries that a store may be asked for; counted in thousandths. */
#include "base/clock.h"
#include "store/flow.h"

#define RETRY	   1000
#define BUDGET_MAX ((int64_t)STORE_BUDGET_MAX * RETRY)
#define MILLI_NS   (NSEC_PER_SEC / (STORE_BUDGET_FLOOR * RETRY))

void store_budget_init(struct store_budget *b)
{
	*b = (struct store_budget){ .milli = BUDGET_MAX,
				    .filled_ns = clock_boot_ns() };
	pthread_mutex_init(&b->lock, NULL);
}

void store_budget_done(struct store_budget *b)
{
	pthread_mutex_destroy(&b->lock);
}

static void add_locked(struct store_budget *b, int64_t milli)
{
	b->milli = MIN(b->milli + milli, BUDGET_MAX);
}

/* What time has brought. */
static void fill_locked(struct store_budget *b)
{
	int64_t milli = (clock_boot_ns() - b->filled_ns) / MILLI_NS;

	if (milli <= 0)
		return;
	b->filled_ns += milli * MILLI_NS;
	add_locked(b, milli);
}

void store_budget_earn(struct store_budget *b)
{
	LOCK_SCOPE(&b->lock);
	add_locked(b, RETRY * STORE_BUDGET_PERCENT / 100);
}

bool store_budget_take(struct store_budget *b)
{
	LOCK_SCOPE(&b->lock);
	fill_locked(b);
	if (b->milli < RETRY)
		return false;
	b->milli -= RETRY;
	return true;
}

void store_budget_return(struct store_budget *b)
{
	LOCK_SCOPE(&b->lock);
	add_locked(b, RETRY);
}

unsigned store_budget_left(struct store_budget *b)
{
	LOCK_SCOPE(&b->lock);
	fill_locked(b);
	return (unsigned)(b->milli / RETRY);
}

void store_budget_stop(struct store_budget *b)
{
	__atomic_store_n(&b->stopped, true, __ATOMIC_RELAXED);
}

bool store_budget_stopped(const struct store_budget *b)
{
	return __atomic_load_n(&b->stopped, __ATOMIC_RELAXED);
}
