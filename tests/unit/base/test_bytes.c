/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/hex.h"

static void test_round_trip(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	struct rd r;

	assert_int_equal(buf_add_u8(&b, 7), 0);
	assert_int_equal(buf_add_u16(&b, 0x1234), 0);
	assert_int_equal(buf_add_u32(&b, 0x89abcdef), 0);
	assert_int_equal(buf_add_u64(&b, UINT64_MAX - 1), 0);
	r = rd_init(b.data, b.len);
	assert_int_equal(rd_u8(&r), 7);
	assert_int_equal(rd_u16(&r), 0x1234);
	assert_int_equal(rd_u32(&r), 0x89abcdef);
	assert_true(rd_u64(&r) == UINT64_MAX - 1);
	assert_false(r.bad);
	assert_int_equal(rd_u8(&r), 0);
	assert_true(r.bad);
}

static void test_reader_stops(void **state)
{
	const uint8_t p[4] = { 1, 2, 3, 4 };
	struct rd r = rd_init(p, sizeof(p));

	assert_null(rd_bytes(&r, SIZE_MAX));
	assert_true(r.bad);
	assert_null(rd_bytes(&r, 1)); /* stays bad */
}

static void test_buf(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(buf_addf(&b, "%s-%d", "x", 42), 0);
	assert_string_equal(buf_str(&b), "x-42");
	assert_int_equal(b.len, 4);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_non_null(buf_grow(&b, 3));
	assert_int_equal(b.data[6], 0);
}

static void test_hex(void **state)
{
	uint8_t b[3];
	char s[7];
	char *b64;

	assert_int_equal(hex_decode("00fFa1", b, 3), 0);
	hex_encode(b, 3, s);
	assert_string_equal(s, "00ffa1");
	assert_int_equal(hex_decode("00ff", b, 3), -EINVAL);
	assert_int_equal(hex_decode("00fg00", b, 3), -EINVAL);
	b64 = base64_encode("foobar!", 7);
	assert_string_equal(b64, "Zm9vYmFyIQ==");
	free(b64);
}

static void test_base64(void **state)
{
	static const char *const bad[] = {
		"A",	"AAA",	"A===",	    "AA=A",
		"AB==", "AAB=", "AA==AAAA", "A\xff=="
	};
	uint8_t in[5] = { 0xff, 0, 0x80, 0xc3, 0x28 }, out[6];
	size_t n, len;

	for (len = 0; len <= sizeof(in); len++) {
		CLEANUP_FREE char *s = base64_encode(in, len);

		assert_int_equal(base64_decode(s, strlen(s), out, &n), 0);
		assert_int_equal(n, len);
		assert_memory_equal(in, out, n);
	}
	for (len = 0; len < ARRAY_SIZE(bad); len++)
		assert_int_equal(
			base64_decode(bad[len], strlen(bad[len]), out, &n),
			-EINVAL);
}

static void test_err(void **state)
{
	struct err e = ERR_INIT;

	assert_int_equal(fail(&e, -ENOENT, "cannot open '%s': %m", "x"),
			 -ENOENT);
	assert_string_equal(e.msg,
			    "cannot open 'x': No such file or directory");
	fail_hint(&e, -ENOENT, "try y");
	fail_prefix(&e, -ENOENT, "trust %s", "rem");
	assert_string_equal(e.msg, "trust rem: cannot open 'x': "
				   "No such file or directory");
	assert_string_equal(e.hint, "try y");
	assert_int_equal(fail(NULL, -EIO, "nobody listens"), -EIO);
	assert_string_equal(errno_name(-EBUSY), "EBUSY");
}

static void test_json(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(buf_add_json(&b, "a\"b\\c\n\x01\x7f \u00e9"), 0);
	assert_string_equal(buf_str(&b),
			    "\"a\\\"b\\\\c\\u000a\\u0001\\u007f \u00e9\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_reader_stops),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_err),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
