/* SPDX-License-Identifier: Apache-2.0 */
/* Every file that is shipped loads without a problem. */
#include "tests/test.h"

#include "base/clock.h"
#include "base/io.h"
#include "config/config.h"

static const char *source_root;

static void print_problems(const struct config_problems *ps)
{
	size_t i;

	for (i = 0; i < ps->n; i++) {
		CLEANUP_BUF struct buf b = { 0 };

		assert_int_equal(config_problem_format(&ps->p[i], &b), 0);
		print_error("%s\n", buf_str(&b));
	}
}

static struct config *load(const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/config/%s", source_root, name);
	struct config_problems ps = { 0 };
	struct err err = ERR_INIT;
	struct config *c = NULL;
	int rc = config_load(path, &c, &ps, &err);

	print_problems(&ps);
	assert_string_equal(err.msg, "");
	assert_int_equal(rc, 0);
	assert_int_equal(ps.n, 0);
	config_problems_done(&ps);
	return c;
}

static void test_demo(void **state)
{
	CLEANUP(config_free_guard) struct config *c = load("demo.yaml");
	CLEANUP_FREE char *mnt = io_path("%s/config/mnt/rem", source_root);
	const struct config_trust *t = config_trust_find(c, "rem");

	assert_int_equal(c->n_trusts, 2);
	assert_non_null(t);
	assert_string_equal(t->user, "mersey-rem");
	assert_string_equal(t->mount, mnt);
	assert_string_equal(t->root_owner, "61001");
	assert_int_equal(t->root_mode, 0770);
	assert_int_equal(t->settle_ns, 2000000000);
	assert_int_equal(t->tiers[0].store->kind, STORE_DIR);
	assert_string_equal(t->tiers[0].prefix, "mersey/rem/");
	assert_string_equal(config_trust_find(c, "rbq")->user, "mersey-rbq");
	assert_non_null(config_prices_find(c, "onprem"));
	assert_null(config_trust_find(c, "rxx"));
}

static void test_example(void **state)
{
	CLEANUP(config_free_guard) struct config *c = load("example.yaml");
	const struct config_trust *rem = config_trust_find(c, "rem");
	const struct config_trust *rbq = config_trust_find(c, "rbq");

	assert_true(rem->cache_size == 8ULL << 40);
	assert_int_equal(rem->cache_high, 90);
	assert_string_equal(rbq->key_credential, "rbq.key");
	assert_null(rbq->key_file);
	assert_int_equal(rem->n_credentials, 2);
	assert_int_equal(rem->n_tiers, 3);
	assert_string_equal(rem->tiers[2].storage_class, "DEEP_ARCHIVE");
	assert_string_equal(rem->policy->name, "imaging");
	assert_int_equal(rem->policy->n_rules, 4);
	assert_true(rem->budget == 500 * MONEY_UNIT);
	assert_null(rbq->policy);
	assert_false(rbq->has_budget);
	assert_int_equal(c->vat, 20);
	assert_true(c->local_disk_tb_month.known);
	assert_ptr_equal(rem->credentials[0].store, rem->tiers[0].store);
}

static const struct price_class *class(const struct price_table *t,
				       const char *name)
{
	const struct price_class *c = price_table_class(t, name);

	assert_non_null(c);
	return c;
}

static void test_prices(void **state)
{
	static const char *const files[] = { "aws-eu-west-2",
					     "gcs-europe-west2", "onprem",
					     "onprem-cold" };
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP_FREE char *path = io_path("%s/config/prices/%s.yaml",
						  source_root, files[i]);
		CLEANUP_BUF struct buf text = { 0 };
		struct config_problems ps = { 0 };
		struct price_table t = { 0 };

		assert_int_equal(io_read_file(path, 1 << 20, &text), 0);
		config_prices_parse(path, (char *)text.data, text.len, &t, &ps);
		print_problems(&ps);
		assert_int_equal(ps.n, 0);
		assert_string_equal(t.name, files[i]);
		assert_true(t.egress_gb.known);
		for (k = 0; k < t.n_classes; k++) {
			const struct price_class *c = &t.classes[k];

			assert_true(c->storage_gb_month.known);
			assert_true(c->put_1000.known);
			assert_true(c->get_1000.known);
			assert_true(c->retrieval_gb.known !=
				    price_class_archive(c));
			assert_true(c->kwh_tb_month.known);
			assert_int_equal(strlen(c->put_1000.as_of), 10);
			assert_true(c->put_1000.source[0]);
		}
		price_table_done(&t);
	}
}

/* Some of the figures, one of each mark. */
static void test_figures(void **state)
{
	CLEANUP(config_free_guard) struct config *c = load("example.yaml");
	const struct price_table *aws = config_prices_find(c, "aws-eu-west-2");
	const struct price_class *s = class(aws, "STANDARD");
	const struct price_class *gir = class(aws, "GLACIER_IR");

	assert_true(s->storage_gb_month.amount == 240000000);
	assert_true(s->storage_gb_month.confirmed);
	assert_string_equal(s->storage_gb_month.as_of, "2026-09-28");
	assert_true(s->put_1000.amount == 53000000);
	assert_true(s->get_1000.amount == 4200000);
	assert_true(gir->get_1000.amount == 100000000);
	assert_false(gir->get_1000.confirmed);
	assert_int_equal(gir->minimum_days, 90);
	assert_int_equal(gir->minimum_bytes, 131072);
	assert_true(aws->egress_gb.amount == 900000000);
	assert_int_equal(aws->n_egress_steps, 4);
	assert_true(aws->egress_steps[0].above_bytes == 0);
	assert_true(aws->egress_steps[0].gb.amount == 0);
	assert_true(aws->egress_steps[1].above_bytes == 100ULL << 30);
	assert_int_equal(s->n_steps, 2);
	assert_true(s->steps[0].above_bytes == 50ULL << 40);
	assert_true(s->steps[0].gb.amount == 230000000);
	assert_string_equal(aws->currency, "USD");
	s = class(config_prices_find(c, "onprem"), "STANDARD");
	assert_true(s->storage_gb_month.amount == 167000000);
	assert_false(s->storage_gb_month.confirmed);
	assert_true(s->put_1000.known && s->put_1000.confirmed);
}

static void test_archive(void **state)
{
	CLEANUP(config_free_guard) struct config *c = load("example.yaml");
	const struct price_table *aws = config_prices_find(c, "aws-eu-west-2");
	const struct price_class *deep = class(aws, "DEEP_ARCHIVE");

	assert_true(price_class_archive(deep));
	assert_false(price_class_archive(class(aws, "GLACIER_IR")));
	assert_int_equal(deep->minimum_days, 180);
	assert_int_equal(deep->overhead_bytes, 32768);
	assert_int_equal(deep->overhead_standard_bytes, 8192);
	assert_true(deep->recall[PRICE_STANDARD].gb.amount == 200000000);
	assert_true(deep->recall[PRICE_STANDARD].takes_ns ==
		    12 * 3600 * NSEC_PER_SEC);
	assert_true(deep->recall[PRICE_BULK].gb.amount == 25000000);
	assert_true(deep->recall[PRICE_BULK].takes_ns ==
		    48 * 3600 * NSEC_PER_SEC);
	assert_false(deep->recall[PRICE_EXPEDITED].known);
	assert_string_equal(deep->recall[PRICE_BULK].gb.as_of, "2026-11-01");
	assert_true(aws->kg_co2e_kwh.amount == 1770000000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demo),	cmocka_unit_test(test_example),
		cmocka_unit_test(test_prices),	cmocka_unit_test(test_figures),
		cmocka_unit_test(test_archive),
	};

	source_root = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
