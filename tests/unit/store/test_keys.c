/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "store/drivers.h"

static void test_keys(void **state)
{
	char key[STORE_KEY_MAX + 2];

	assert_true(store_key_ok("a"));
	assert_true(store_key_ok("packs/1-2-abc"));
	assert_true(store_key_ok("..."));
	assert_true(store_key_ok(".hidden/..x/y.."));
	assert_false(store_key_ok(NULL));
	assert_false(store_key_ok(""));
	assert_false(store_key_ok("."));
	assert_false(store_key_ok("a/.."));
	assert_false(store_key_ok("a/"));
	assert_false(store_key_ok("a~"));
	memset(key, 'x', sizeof(key));
	key[STORE_KEY_MAX] = '\0';
	assert_true(store_key_ok(key));
	key[STORE_KEY_MAX] = 'x';
	key[STORE_KEY_MAX + 1] = '\0';
	assert_false(store_key_ok(key));
}

static void test_prefixes(void **state)
{
	assert_true(store_prefix_ok(""));
	assert_true(store_prefix_ok("a/"));
	assert_true(store_prefix_ok("a/."));
	assert_true(store_prefix_ok(".."));
	assert_false(store_prefix_ok("/"));
	assert_false(store_prefix_ok("../"));
	assert_false(store_prefix_ok("a//"));
	assert_false(store_prefix_ok("a b"));
	assert_false(store_prefix_ok(NULL));
}

static void test_transient(void **state)
{
	assert_true(store_is_transient(-EAGAIN));
	assert_true(store_is_transient(-ETIMEDOUT));
	assert_true(store_is_transient(-ECONNREFUSED));
	assert_true(store_is_transient(-ECONNRESET));
	assert_true(store_is_transient(-EHOSTUNREACH));
	assert_true(store_is_transient(-ENETUNREACH));
	assert_false(store_is_transient(0));
	assert_false(store_is_transient(-ENOENT));
	assert_false(store_is_transient(-EACCES));
	assert_false(store_is_transient(-EPROTO));
	assert_false(store_is_transient(EAGAIN));
}

static void test_causes(void **state)
{
	assert_string_equal(store_cause_name(STORE_CAUSE_READ), "read");
	for (int c = 0; c < STORE_CAUSE_COUNT; c++)
		assert_true(strlen(store_cause_name(c)) > 2);
	assert_string_equal(store_cause_name(STORE_CAUSE_COUNT), "?");
}

static void test_counts(void **state)
{
	struct store_counts sum = { .puts = 1, .unknown = 2 }, copy;
	const struct store_counts more = { .puts = 3,
					   .in_bytes = 1ULL << 40,
					   .unknown = 1 };

	store_counts_add(&sum, &more);
	store_meter_read(&sum, &copy);
	assert_int_equal(copy.puts, 4);
	assert_int_equal(copy.in_bytes, 1ULL << 40);
	assert_int_equal(copy.unknown, 3);
	assert_int_equal(copy.gets, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_transient),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_counts),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
