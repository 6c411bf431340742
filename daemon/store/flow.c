/* SPDX-License-Identifier: Apache-2.0 */
#include "store/flow.h"

void store_flow_init(struct store_flow *f, unsigned in_flight,
		     int64_t pause_max_ns)
{
	store_budget_init(&f->budget);
	store_limiter_init(&f->limiter, in_flight);
	store_breaker_init(&f->breaker, pause_max_ns);
}

void store_flow_done(struct store_flow *f)
{
	store_breaker_done(&f->breaker);
	store_limiter_done(&f->limiter);
	store_budget_done(&f->budget);
}

void store_flow_stop(struct store_flow *f)
{
	store_budget_stop(&f->budget);
	store_limiter_stop(&f->limiter);
}
