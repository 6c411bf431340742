/* SPDX-License-Identifier: Apache-2.0 */
#include "main/gate.h"

#include "store/around.h"

void gate_open(struct gate *g)
{
	__atomic_store_n(&g->open, true, __ATOMIC_RELEASE);
}

static int gate_begin(void *arg, struct store_pass *p)
{
	const struct gate *g = arg;

	(void)p;
	return __atomic_load_n(&g->open, __ATOMIC_ACQUIRE) ? 0 : -EAGAIN;
}

struct store *gate_store_new(struct store *inner, struct gate *g)
{
	static const struct store_hooks hooks = { .begin = gate_begin };

	return store_around_new(inner, &hooks, g);
}
