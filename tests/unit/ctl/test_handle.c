/* SPDX-License-Identifier: Apache-2.0 */
/* Request lines, good and bad, and who may send them. */
#include "tests/unit/ctl/util.h"

static void test_bad_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"id\":1}",
		"{\"id\":1,\"verb\":5}",
		"{\"id\":1,\"verb\":\"nonsense\"}",
		"{\"id\":1,\"verb\":\"status\",\"args\":[]}",
		"{\"id\":1,\"verb\":\"info\",\"args\":{\"paths\":\"a\"}}",
		"{\"id\":1,\"verb\":\"info\",\"args\":{\"paths\":[1]}}",
		"{\"id\":1,\"verb\":\"info\"}",
		"{\"id\":1,\"verb\":\"wait\"}",
		"{\"id\":1,\"verb\":\"wait\",\"args\":{\"all\":1}}",
		"{\"id\":1,\"verb\":\"wait\","
		"\"args\":{\"all\":true,\"until\":\"x\"}}",
		"{\"id\":1,\"verb\":\"evict\","
		"\"args\":{\"paths\":[{\"path\":\"\"}],\"what_if\":true}}",
		"{\"id\":1,\"verb\":\"cost\"}",
		"{\"id\":1,\"verb\":\"cost\","
		"\"args\":{\"from\":\"2026-13-01\",\"to\":\"x\"}}",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_JSON json_t *a = ask(bad[i]);

		if (strcmp(error_code(a), "bad_request") != 0)
			print_error("accepted: %s\n", bad[i]);
		assert_string_equal(error_code(a), "bad_request");
		assert_string_equal(text_at(a, "error.errno"), "EINVAL");
	}
}

static void test_too_long(void **state)
{
	CLEANUP_FREE char *line = malloc(CTL_LINE_MAX + 2);
	CLEANUP_JSON json_t *a = NULL;

	memset(line, ' ', CTL_LINE_MAX + 1);
	line[CTL_LINE_MAX + 1] = '\0';
	a = ask(line);
	assert_string_equal(text_at(a, "error.errno"), "EMSGSIZE");
}

static void test_id_comes_back(void **state)
{
	CLEANUP_JSON json_t *a = ask("{\"id\":\"seven\",\"verb\":\"status\"}");
	CLEANUP_JSON json_t *b = ask("{\"verb\":\"nonsense\"}");

	assert_string_equal(text_at(a, "id"), "seven");
	assert_non_null(at(a, "result"));
	assert_true(json_is_null(json_object_get(b, "id")));
}

/* ---- who may -------------------------------------------------------- */

static bool may(uid_t uid, gid_t gid, const gid_t *groups, size_t n,
		const char *verb)
{
	struct ctl_peer p = {
		.uid = uid, .gid = gid, .groups = groups, .n_groups = n
	};
	char line[256];
	CLEANUP_JSON json_t *a = NULL;

	snprintf(line, sizeof(line),
		 "{\"id\":1,\"verb\":\"%s\",\"args\":{\"paths\":[{\"path\":"
		 "\"\"}],\"from\":\"2026-11-01\",\"to\":\"2026-11-30\"}}",
		 verb);
	a = ask_as(&p, line);
	if (strcmp(error_code(a), "not_allowed") != 0)
		return true;
	assert_string_equal(text_at(a, "error.errno"), "EPERM");
	return false;
}

static void test_who_may(void **state)
{
	static const struct {
		const char *verb;
		bool ops, finance;
	} table[] = {
		{ "status", true, true },
		{ "cost", true, true },
		{ "cost_forecast", true, true },
		{ "cost_whatif", true, true },
		{ "cost_explain", true, false },
		{ "quota", true, true },
		{ "quota_check", true, true },
		{ "info", true, false },
		{ "jobs", true, false },
		{ "doctor", true, false },
		{ "wait", true, false },
		{ "evict", true, false },
		{ "recall", true, false },
		{ "clinic", true, false },
		{ "pin", true, false },
		{ "pins", true, false },
		{ "tier_list", true, false },
		{ "tier_history", true, false },
		{ "tier_apply", true, false },
		{ "tier_run", true, false },
	};
	const gid_t many[] = { 5, 6, ops_gid };
	const gid_t fin[] = { 5, finance_gid };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *v = table[i].verb;

		assert_true(may(0, 0, NULL, 0, v));
		assert_true(may(2000, 99, NULL, 0, v)); /* the worker */
		assert_int_equal(may(ops_uid, 99, NULL, 0, v), table[i].ops);
		assert_int_equal(may(99, ops_gid, NULL, 0, v), table[i].ops);
		assert_int_equal(may(99, 99, many, 3, v), table[i].ops);
		assert_int_equal(may(99, finance_gid, NULL, 0, v),
				 table[i].finance);
		assert_int_equal(may(99, 99, fin, 2, v), table[i].finance);
		assert_false(may(61001, 61001, many, 2, v));
	}
}

/* As the fuzz target drives it. */
static void test_without_a_worker(void **state)
{
	static const char line[] =
		"{\"id\":1,\"verb\":\"evict\",\"args\":{\"paths\":"
		"[{\"path_base64\":\"/w==\"}]}}";
	CLEANUP_BUF struct buf reply = { 0 };
	struct ctl_peer p = { 0 };

	assert_int_equal(ctl_handle_line(NULL, &p, line, strlen(line), &reply),
			 0);
	assert_string_equal(buf_str(&reply), "{\"id\":1,\"result\":{}}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKER_TEST(test_bad_lines),	    WORKER_TEST(test_too_long),
		WORKER_TEST(test_id_comes_back),    WORKER_TEST(test_who_may),
		WORKER_TEST(test_without_a_worker),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
