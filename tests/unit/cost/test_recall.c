/* SPDX-License-Identifier: Apache-2.0 */
/* What it would cost to bring objects back, by hand. */
#include "tests/test.h"

#include <string.h>

#include "cost/cost.h"

#define FIGURE(x)                                               \
	{                                                       \
		.known = true, .confirmed = true, .amount = (x) \
	}
#define E(x) ((money_t)((x)*10000000000.0 + 0.5))

static struct price_class classes[] = {
	{ .name = "STANDARD",
	  .storage_gb_month = FIGURE(E(0.024)),
	  .get_1000 = FIGURE(E(0.00042)),
	  .retrieval_gb = FIGURE(0) },
	{ .name = "DEEP_ARCHIVE",
	  .storage_gb_month = FIGURE(E(0.0018)),
	  .get_1000 = FIGURE(E(0.00042)),
	  .recall = { [PRICE_BULK] = { .known = true,
				       .gb = FIGURE(E(0.0025)),
				       .request_1000 = FIGURE(E(0.025)) } } },
};
static const struct price_table table = { .name = "aws",
					  .currency = "USD",
					  .classes = classes,
					  .n_classes = 2,
					  .egress_gb = FIGURE(E(0.09)) };
static struct price_rate rate = { "USD", E(0.79) };
static struct price_exchange exchange = { .currency = "GBP",
					  .rates = &rate,
					  .n_rates = 1 };
static const struct cost_tier tiers[] = {
	{ .tier = "cold", .storage_class = "DEEP_ARCHIVE", .prices = &table },
	{ .tier = "own", .storage_class = "" },
};
static const struct cost_opts opts = { .tiers = tiers,
				       .n_tiers = 2,
				       .exchange = &exchange };

/*
 *   restored        3 GiB x 0.0025           0.0075
 *   requests        2 / 1000 x 0.025         0.00005
 *   copies, 7 d     3 x 168 / 730 x 0.024    0.0165698630
 *   10 GETs         10 / 1000 x 0.00042      0.0000042
 *   out of the net  3 x 0.09                 0.27
 *                                    USD     0.2941240630
 *   x 0.79                           GBP     0.2323580098
 */
static const struct cost_recall bulk = { .tier = "cold",
					 .speed = PRICE_BULK,
					 .restores = 2,
					 .restored_bytes = 3ULL << 30,
					 .days = 7,
					 .gets = 10,
					 .bytes = 3ULL << 30 };

static void test_by_hand(void **state)
{
	const struct cost_recall two[] = { bulk, bulk };
	struct cost_recalled out;

	assert_int_equal(cost_recall(&opts, &bulk, 1, &out, NULL), 0);
	assert_true(out.amount == 2323580098);
	assert_true(out.priced && out.confirmed);
	assert_int_equal(cost_recall(&opts, two, 2, &out, NULL), 0);
	assert_true(out.amount == 2 * 2323580098);
}

/* A speed without a figure, a tier without prices: that is said. */
static void test_doubts(void **state)
{
	struct cost_recall r = bulk;
	struct cost_recalled out;
	struct err err = ERR_INIT;

	r.speed = PRICE_EXPEDITED;
	assert_int_equal(cost_recall(&opts, &r, 1, &out, NULL), 0);
	assert_true(out.priced && !out.confirmed);
	r.tier = "own";
	assert_int_equal(cost_recall(&opts, &r, 1, &out, NULL), 0);
	assert_false(out.priced);
	r = (struct cost_recall){ .tier = "own", .days = 7 };
	assert_int_equal(cost_recall(&opts, &r, 1, &out, NULL), 0);
	assert_true(out.priced && out.amount == 0); /* nothing of it */
	exchange.n_rates = 0;
	assert_int_equal(cost_recall(&opts, &bulk, 1, &out, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "no rate from USD to GBP"));
	exchange.n_rates = 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_doubts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
