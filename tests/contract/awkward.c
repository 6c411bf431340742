/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that the contract does not allow, on a real server: what signs and
 * encodes must be right for any bytes, not only for those that we use today.
 * Calls the driver's methods behind the check of keys. Where the server is
 * comes from the environment, as for contract.c.
 */
#include "tests/test.h"

#include "base/hex.h"
#include "base/io.h"
#include "store/s3/impl.h"
#include "store/s3/list.h"
#include "store/s3/xml.h"

static struct store *store;
static char prefix[48];

static const char *const keys[] = {
	"a b",
	" a ",
	"a+b",
	"50%",
	"a%20b",
	"a//b",
	"//a",
	"a/",
	"./a",
	"a/../b",
	"a=b&c=d",
	"a?b#c",
	"~-_.",
	"!*'()",
	"\"q\"",
	"a;b,c",
	"[x]{y}|\\^",
	"<&>",
	"$@:",
	"\xc3\xa4/\xc3\x9f",
	"e\xcc\x81",
	"\xe6\x97\xa5\xe6\x9c\xac",
	"\xf0\x9f\x8f\xa5",
};

static const char *env(const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "MERSEY_TEST_S3_%s", name);
	return getenv(full);
}

static int setup(void **state)
{
	struct store_opts o = { .kind = STORE_S3,
				.name = "awkward",
				.endpoint = env("ENDPOINT"),
				.region = env("REGION"),
				.access_key = env("ACCESS_KEY"),
				.secret_key = env("SECRET_KEY"),
				.bucket = env("BUCKET"),
				.prefix = prefix };
	uint8_t rnd[8];
	char hex[17];

	if (io_random(rnd, sizeof(rnd)) < 0)
		return -1;
	hex_encode(rnd, sizeof(rnd), hex);
	snprintf(prefix, sizeof(prefix), "awkward/%s/", hex);
	return store_open(&o, &store, NULL);
}

static int teardown(void **state)
{
	store_free(store);
	return 0;
}

static void assert_there(const char *key, const char *text)
{
	char got[64] = "";
	struct store_info info;
	ssize_t n = store->ops->get(store, key, 0, got, sizeof(got) - 1);

	if (n < 0)
		print_error("'%s': %s: %s\n", key, errno_name((int)n),
			    store_detail());
	assert_int_equal(n, strlen(text));
	assert_string_equal(got, text);
	assert_int_equal(store->ops->head(store, key, &info), 0);
	assert_int_equal(info.size, strlen(text));
}

/* Each has its own object: none is taken for another. */
static void test_put_get(void **state)
{
	static const struct store_put_opts none;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_int_equal(store->ops->put(store, keys[i], keys[i],
						 strlen(keys[i]), &none),
				 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_there(keys[i], keys[i]);
}

/* The name of the source stands in a header, encoded once more. */
static void test_copy(void **state)
{
	static const struct store_put_opts none;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		assert_int_equal(
			store->ops->copy(store, keys[i], "copy", &none), 0);
		assert_there("copy", keys[i]);
	}
	assert_int_equal(store_del1(store, "copy"), 0);
}

struct listed {
	bool seen[ARRAY_SIZE(keys)];
	size_t n;
};

static int on_key(void *arg, const char *item, const char *name,
		  const char *text, bool whole)
{
	struct listed *l = arg;
	char key[S3_XML_TEXT_MAX + 1];

	if (!item || strcmp(item, "Contents") != 0 || !name ||
	    strcmp(name, "Key") != 0)
		return 0;
	snprintf(key, sizeof(key), "%s", text);
	assert_true(whole && s3_url_decode(key));
	l->n++;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		l->seen[i] |= strcmp(key + strlen(prefix), keys[i]) == 0;
	return 0;
}

static void test_list(void **state)
{
	CLEANUP_REQUEST struct s3_request r = { .text_max = 1 << 20 };
	CLEANUP_BUF struct buf query = { 0 };
	struct s3_call c = S3_CALL(S3_GET, NULL);
	struct s3_field f[] = { { "list-type", "2" },
				{ "encoding-type", "url" },
				{ "prefix", prefix } };
	struct listed l = { 0 };

	assert_int_equal(s3_query(&query, f, ARRAY_SIZE(f)), 0);
	c.query = buf_str(&query);
	assert_int_equal(s3_do(s3_of(store), &c, &r), 0);
	assert_int_equal(r.answer.status, 200);
	assert_int_equal(s3_xml_read(r.answer.text.data, r.answer.text.len,
				     "ListBucketResult", on_key, &l),
			 0);
	assert_int_equal(l.n, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_true(l.seen[i]);
}

/* And as the values of a query. They are no keys of ours. */
static void test_list_prefix(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CLEANUP(store_list_done) struct store_list l = { 0 };

		assert_int_equal(store->ops->list(store, keys[i], "", 10, &l),
				 0);
		assert_int_equal(l.n, 0);
	}
}

static void test_delete(void **state)
{
	struct store_info info;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int rc;

		assert_int_equal(store->ops->del(store, &keys[i], 1, &rc), 0);
		assert_int_equal(store->ops->head(store, keys[i], &info),
				 -ENOENT);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_prefix),
		cmocka_unit_test(test_delete),
	};

	return RUN_TESTS(tests, setup, teardown);
}
