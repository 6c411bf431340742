/* SPDX-License-Identifier: Apache-2.0 */
/* xattr, presence, ledger, value. */
#include "tests/unit/meta/util.h"

static void test_xattr(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	char big[65536];
	META_TXN(t);

	memset(big, 0xab, sizeof(big));
	begin(&t);
	assert_int_equal(meta_xattr_get(&t, 5, "user.a", &b), -ENODATA);
	assert_int_equal(meta_xattr_remove(&t, 5, "user.a"), -ENODATA);
	assert_int_equal(meta_xattr_set(&t, 5, "user.b\xff", "x\0y", 3), 0);
	assert_int_equal(meta_xattr_set(&t, 5, "user.a", "", 0), 0);
	assert_int_equal(meta_xattr_set(&t, 6, "user.c", "other", 5), 0);
	assert_int_equal(meta_xattr_get(&t, 5, "user.a", &b), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(meta_xattr_get(&t, 5, "user.b\xff", &b), 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "x\0y", 3);
	assert_int_equal(meta_xattr_set(&t, 5, "user.a", big, sizeof(big)), 0);
	b.len = 0;
	assert_int_equal(meta_xattr_get(&t, 5, "user.a", &b), 0);
	assert_int_equal(b.len, sizeof(big));
	assert_memory_equal(b.data, big, sizeof(big));
	b.len = 0;
	assert_int_equal(meta_xattr_list(&t, 5, &b), 0);
	assert_int_equal(b.len, 15);
	assert_memory_equal(b.data, "user.a\0user.b\xff", 15);
	assert_int_equal(meta_xattr_remove(&t, 5, "user.a"), 0);
	assert_int_equal(meta_xattr_get(&t, 5, "user.a", &b), -ENODATA);
	commit(&t);
}

static void test_presence(void **state)
{
	uint8_t bits[META_PRESENCE_FRAMES / 8], out[sizeof(bits)];
	META_TXN(t);

	memset(bits, 0xff, sizeof(bits));
	memset(out, 0xff, sizeof(out));
	begin(&t);
	assert_int_equal(meta_presence_get(&t, 5, 0, out), 0);
	assert_int_equal(out[0] | out[sizeof(out) - 1], 0);
	assert_int_equal(meta_presence_put(&t, 5, 3, bits), 0);
	bits[7] = 1;
	assert_int_equal(meta_presence_put(&t, 5, 3, bits), 0);
	assert_int_equal(meta_presence_put(&t, 6, 3, bits), 0);
	assert_int_equal(meta_presence_get(&t, 5, 3, out), 0);
	assert_memory_equal(out, bits, sizeof(bits));
	assert_int_equal(meta_presence_clear(&t, 5), 0);
	assert_int_equal(meta_presence_get(&t, 5, 3, out), 0);
	assert_int_equal(out[7], 0);
	assert_int_equal(meta_presence_get(&t, 6, 3, out), 0);
	assert_int_equal(out[7], 1);
	commit(&t);
}

/* Field by field: between day, texts and counts there is padding. */
static void assert_same(const struct meta_ledger *a,
			const struct meta_ledger *b)
{
	size_t counts = offsetof(struct meta_ledger, puts);

	assert_int_equal(a->day, b->day);
	assert_string_equal(a->tier, b->tier);
	assert_string_equal(a->storage_class, b->storage_class);
	assert_string_equal(a->cause, b->cause);
	assert_memory_equal(&a->puts, &b->puts, sizeof(*a) - counts);
}

static void test_ledger(void **state)
{
	struct meta_ledger a = { .day = 20000,
				 .tier = "main",
				 .storage_class = "STANDARD",
				 .cause = "protect",
				 .puts = 1,
				 .gets = 2,
				 .heads = 3,
				 .lists = 4,
				 .deletes = 5,
				 .errors = 6,
				 .unknown = 7,
				 .in_bytes = 8,
				 .out_bytes = 9,
				 .byte_hours = 10,
				 .byte_seconds = 3599,
				 .objects_peak = 11 };
	struct meta_ledger out[4];
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_ledger_add(&t, &a), 0);
	assert_int_equal(meta_ledger_list(&t, 20000, 20001, 0, out, 4), 1);
	assert_same(&out[0], &a);
	a.byte_seconds = 7201;
	a.objects_peak = 3;
	assert_int_equal(meta_ledger_add(&t, &a), 0);
	assert_int_equal(meta_ledger_list(&t, 20000, 20001, 0, out, 4), 1);
	assert_int_equal(out[0].puts, 2);
	assert_int_equal(out[0].unknown, 14);
	assert_int_equal(out[0].out_bytes, 18);
	assert_int_equal(out[0].byte_hours, 10 + 10 + 3);
	assert_int_equal(out[0].byte_seconds, 0);
	assert_int_equal(out[0].objects_peak, 11);
	a.day++;
	assert_int_equal(meta_ledger_add(&t, &a), 0);
	assert_int_equal(meta_ledger_list(&t, 0, 30000, 0, out, 4), 2);
	assert_int_equal(out[1].byte_hours, 12);
	assert_int_equal(out[1].byte_seconds, 1);
	a.day--;
	snprintf(a.cause, sizeof(a.cause), "read");
	assert_int_equal(meta_ledger_add(&t, &a), 0);
	assert_int_equal(meta_ledger_list(&t, 20000, 20001, 0, out, 4), 2);
	assert_string_equal(out[1].cause, "read");
	assert_int_equal(meta_ledger_list(&t, 0, 30000, 2, out, 4), 1);
	assert_int_equal(out[0].day, 20001);
	assert_int_equal(meta_ledger_list(&t, 0, 20000, 0, out, 4), 0);
	commit(&t);
}

static void test_value(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_value_get(&t, "a", &b), -ENOENT);
	assert_int_equal(meta_value_set(&t, "a", "1\0", 2), 0);
	assert_int_equal(meta_value_set(&t, "b", NULL, 0), 0);
	assert_int_equal(meta_value_get(&t, "a", &b), 0);
	assert_int_equal(b.len, 2);
	assert_int_equal(meta_value_get(&t, "b", &b), 0);
	assert_int_equal(b.len, 2);
	assert_int_equal(meta_value_set(&t, "a", "new", 3), 0);
	commit(&t);
	util_reopen();
	b.len = 0;
	reading(&t);
	assert_int_equal(meta_value_get(&t, "a", &b), 0);
	assert_string_equal(buf_str(&b), "new");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_xattr),
		META_TEST(test_presence),
		META_TEST(test_ledger),
		META_TEST(test_value),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
