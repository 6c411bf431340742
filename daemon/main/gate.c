/* SPDX-License-Identifier: Apache-2.0 */
#include "main/gate.h"

#include "base/clock.h"
#include "store/around.h"
#include "store/call.h"

/* How long after the fence said yes a delete may leave. */
#define GATE_DELETE_NS (30 * NSEC_PER_SEC)

void gate_open(struct gate *g)
{
	__atomic_store_n(&g->open, true, __ATOMIC_RELEASE);
}

bool gate_is_open(const struct gate *g)
{
	return __atomic_load_n(&g->open, __ATOMIC_ACQUIRE);
}

/* May it be written? Where there is nothing in why, the store said it. */
static int gate_fence(struct fence *f, const struct store_pass *p)
{
	char why[FENCE_WHY_SIZE] = "";
	int rc = p->does == STORE_PUTS ? fence_put(f, p->keys[0], why)
				       : fence_del(f, p->keys, p->n_keys, why);

	return rc < 0 && *why ? store_explain(rc, "%s", why) : rc;
}

/* What was allowed now leaves soon or not at all, also when it has to wait for
 * its turn. */
static void gate_hurry(struct store_pass *p)
{
	int64_t until = clock_boot_ns() + GATE_DELETE_NS;

	p->marked = true;
	p->kept_ns = store_call.deadline_ns;
	if (!p->kept_ns || p->kept_ns > until)
		store_call.deadline_ns = until;
}

static int gate_begin(void *arg, struct store_pass *p)
{
	const struct gate *g = arg;
	int rc = 0;

	if (!gate_is_open(g))
		return -EAGAIN;
	if (p->does != STORE_READS && g->fence)
		rc = gate_fence(g->fence, p);
	if (rc == 0 && p->does == STORE_DELETES)
		gate_hurry(p);
	return rc;
}

static void gate_end(void *arg, struct store_pass *p, ssize_t rc)
{
	if (p->marked)
		store_call.deadline_ns = p->kept_ns;
}

struct store *gate_store_new(struct store *inner, struct gate *g)
{
	static const struct store_hooks hooks = { .begin = gate_begin,
						  .end = gate_end };

	return store_around_new(inner, &hooks, g);
}
