/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/hex.h"
#include "ctl/protocol.h"

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[1]",
		"null",
		"{\"a\":1,\"a\":2}",
		"{} {}",
		"{\"a\":}",
		"{\"a\":\"\xff\"}",
		"\"x\"",
	};
	struct err err = ERR_INIT;
	json_t *o = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		err.msg[0] = '\0';
		assert_int_equal(proto_parse(bad[i], strlen(bad[i]), &o, &err),
				 -EINVAL);
		assert_true(err.msg[0]);
		assert_null(o);
	}
	assert_int_equal(proto_parse("{\"a\":1}", 7, &o, &err), 0);
	json_decref(o);
}

static void test_depth_is_bounded(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };
	struct err err;
	json_t *o = NULL;
	int i;

	assert_int_equal(buf_addf(&b, "{\"a\":"), 0);
	for (i = 0; i < 100000; i++)
		assert_int_equal(buf_add(&b, "[", 1), 0);
	assert_int_equal(proto_parse((char *)b.data, b.len, &o, &err), -EINVAL);
}

static void check_path(const char *raw, size_t len, const char *shown)
{
	CLEANUP_JSON json_t *o = proto_path(raw, len);
	CLEANUP_BUF struct buf back = { 0 };

	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "path")),
			    shown);
	assert_int_equal(!json_object_get(o, "path_base64"),
			 proto_is_utf8(raw, len));
	assert_int_equal(proto_get_path(o, &back), 0);
	assert_int_equal(back.len, len);
	assert_memory_equal(back.data ? (char *)back.data : "", raw, len);
}

static void test_paths(void **state)
{
	check_path("", 0, "");
	check_path("a/b.dcm", 7, "a/b.dcm");
	check_path("R\xc3\xb6ntgen", 8, "R\xc3\xb6ntgen");
	check_path("a\xff"
		   "b",
		   3,
		   "a\xef\xbf\xbd"
		   "b");
	/* overlong, surrogate, beyond U+10FFFF, cut */
	check_path("\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd");
	check_path("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_path("\xf4\x90\x80\x80", 4,
		   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_path("x\xe2\x82", 3, "x\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_every_byte(void **state)
{
	char name[255];
	CLEANUP_JSON json_t *o = NULL;
	CLEANUP_BUF struct buf line = { 0 }, back = { 0 };
	json_t *again = NULL;
	size_t n = 0;
	int c;

	for (c = 1; c < 256; c++)
		if (c != '/')
			name[n++] = (char)c;
	o = proto_path(name, n);
	assert_int_equal(proto_line(o, &line), 0);
	assert_int_equal(proto_parse((char *)line.data, line.len, &again, NULL),
			 0);
	assert_int_equal(proto_get_path(again, &back), 0);
	assert_int_equal(back.len, n);
	assert_memory_equal(back.data, name, n);
	json_decref(again);
}

static void test_bad_paths(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"path\":1}",
		"{\"path_base64\":\"?\"}",
		"{\"path_base64\":\"YQBi\"}", /* a NUL b */
		"{\"path\":\"a\",\"path_base64\":3}",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_BUF struct buf out = { 0 };
		CLEANUP_JSON json_t *o = NULL;

		assert_int_equal(proto_parse(bad[i], strlen(bad[i]), &o, NULL),
				 0);
		assert_int_equal(proto_get_path(o, &out), -EINVAL);
	}
}

static void test_errors(void **state)
{
	struct err err = ERR_INIT;
	CLEANUP_JSON json_t *o = NULL;

	fail(&err, -EBUSY, "cannot evict 'a\xff'");
	o = proto_error("not_protected", -EBUSY, &err);
	assert_string_equal(json_string_value(json_object_get(o, "code")),
			    "not_protected");
	assert_string_equal(json_string_value(json_object_get(o, "errno")),
			    "EBUSY");
	assert_string_equal(json_string_value(json_object_get(o, "message")),
			    "cannot evict 'a\xef\xbf\xbd'");
	assert_true(json_is_null(json_object_get(o, "hint")));
	assert_int_equal(proto_errno(o), -EBUSY);
	assert_string_equal(proto_code(-ENOENT), "not_found");
	assert_string_equal(proto_code(-ENOTTY), "failed");
}

static void test_times(void **state)
{
	CLEANUP_JSON json_t *o = proto_time(1700000000LL * 1000000000);
	CLEANUP_JSON json_t *never = proto_time(0);

	assert_string_equal(json_string_value(o), "2023-11-14T22:13:20Z");
	assert_true(json_is_null(never));
}

static void test_reader(void **state)
{
	struct proto_reader r;
	const char *line;
	size_t len;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(proto_send(fd[0], "one\n\ntwo\nrest", 13), 0);
	shutdown(fd[0], SHUT_WR);
	proto_reader_init(&r, fd[1], 10);
	assert_int_equal(proto_reader_line(&r, &line, &len), 1);
	assert_int_equal(len, 3);
	assert_memory_equal(line, "one", 3);
	assert_int_equal(proto_reader_line(&r, &line, &len), 1);
	assert_int_equal(len, 0);
	assert_int_equal(proto_reader_line(&r, &line, &len), 1);
	assert_memory_equal(line, "two", 3);
	assert_int_equal(proto_reader_line(&r, &line, &len), 0);
	proto_reader_done(&r);
	close(fd[0]);
	close(fd[1]);
}

static void test_reader_bounds(void **state)
{
	struct proto_reader r;
	const char *line;
	size_t len;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(proto_send(fd[0], "0123456789a", 11), 0);
	proto_reader_init(&r, fd[1], 10);
	assert_int_equal(proto_reader_line(&r, &line, &len), -EMSGSIZE);
	proto_reader_done(&r);
	close(fd[1]);
	assert_int_equal(proto_send(fd[0], "x", 1), -EPIPE);
	close(fd[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_depth_is_bounded),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_reader_bounds),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
