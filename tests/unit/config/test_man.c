/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key list in man/mersey.yaml.5 is what the tables say. With --update it
 * is put there: meson compile update-man.
 * Usage: test-config-man PAGE [--update]
 */
#include "tests/test.h"

#include "base/io.h"
#include "config/config.h"

#define BEGIN ".\\\" begin of the key list: meson compile update-man\n"
#define END   ".\\\" end of the key list\n"

static const char *page_path;

/* The page with the key list of the tables in it. */
static void fresh_page(struct buf *page, struct buf *out)
{
	const char *text, *begin, *end;

	assert_int_equal(io_read_file(page_path, 1 << 20, page), 0);
	text = buf_str(page);
	begin = strstr(text, BEGIN);
	end = strstr(text, END);
	assert_non_null(begin);
	assert_non_null(end);
	begin += strlen(BEGIN);
	assert_true(begin <= end);
	assert_int_equal(buf_add(out, text, (size_t)(begin - text)), 0);
	assert_int_equal(config_schema_mdoc(out), 0);
	assert_int_equal(buf_addf(out, "%s", end), 0);
}

static void test_page(void **state)
{
	CLEANUP_BUF struct buf page = { 0 }, fresh = { 0 };

	fresh_page(&page, &fresh);
	if (page.len != fresh.len ||
	    memcmp(page.data, fresh.data, page.len) != 0)
		print_error("run: meson compile update-man\n");
	assert_string_equal(buf_str(&page), buf_str(&fresh));
}

static void update_page(void **state)
{
	CLEANUP_BUF struct buf page = { 0 }, fresh = { 0 };

	fresh_page(&page, &fresh);
	assert_int_equal(
		io_write_file(page_path, 0644, fresh.data, fresh.len, false),
		0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest test[] = { cmocka_unit_test(test_page) };
	const struct CMUnitTest update[] = { cmocka_unit_test(update_page) };

	if (argc < 2)
		return 2;
	page_path = argv[1];
	if (argc > 2 && strcmp(argv[2], "--update") == 0)
		return cmocka_run_group_tests(update, NULL, NULL);
	return cmocka_run_group_tests(test, NULL, NULL);
}
