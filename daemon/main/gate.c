/* SPDX-License-Identifier: Apache-2.0 */
#include "main/gate.h"

#include "store/around.h"
#include "store/call.h"

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

static int gate_begin(void *arg, struct store_pass *p)
{
	const struct gate *g = arg;

	if (!gate_is_open(g))
		return -EAGAIN;
	return p->does == STORE_READS || !g->fence ? 0
						   : gate_fence(g->fence, p);
}

struct store *gate_store_new(struct store *inner, struct gate *g)
{
	static const struct store_hooks hooks = { .begin = gate_begin };

	return store_around_new(inner, &hooks, g);
}
