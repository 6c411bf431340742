/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list in a manual page is what a table of the program says; it stands
 * between the lines MAN_BEGIN and MAN_END. With --update it is put there.
 * Usage: PROGRAM PAGE [--update]; meson compile update-man does it for all.
 */
#ifndef MERSEY_TESTS_MAN_LIST_H
#define MERSEY_TESTS_MAN_LIST_H

#include "tests/test.h"

#include "base/io.h"

#define MAN_BEGIN ".\\\" begin of the key list: meson compile update-man\n"
#define MAN_END	  ".\\\" end of the key list\n"

static const char *man_page;
static int (*man_list)(struct buf *out); /* makes it */

/* The page with the list of the tables in it. */
static void man_fresh(struct buf *page, struct buf *out)
{
	const char *text, *begin, *end;

	assert_int_equal(io_read_file(man_page, 1 << 20, page), 0);
	text = buf_str(page);
	begin = strstr(text, MAN_BEGIN);
	end = strstr(text, MAN_END);
	assert_non_null(begin);
	assert_non_null(end);
	begin += strlen(MAN_BEGIN);
	assert_true(begin <= end);
	assert_int_equal(buf_add(out, text, (size_t)(begin - text)), 0);
	assert_int_equal(man_list(out), 0);
	assert_int_equal(buf_addf(out, "%s", end), 0);
}

static void man_test(void **state)
{
	CLEANUP_BUF struct buf page = { 0 }, fresh = { 0 };

	man_fresh(&page, &fresh);
	if (page.len != fresh.len ||
	    memcmp(page.data, fresh.data, page.len) != 0)
		print_error("run: meson compile update-man\n");
	assert_string_equal(buf_str(&page), buf_str(&fresh));
}

static void man_update(void **state)
{
	CLEANUP_BUF struct buf page = { 0 }, fresh = { 0 };

	man_fresh(&page, &fresh);
	assert_int_equal(
		io_write_file(man_page, 0644, fresh.data, fresh.len, false), 0);
}

static inline int man_main(int argc, char **argv, int (*list)(struct buf *out))
{
	const struct CMUnitTest test[] = { cmocka_unit_test(man_test) };
	const struct CMUnitTest update[] = { cmocka_unit_test(man_update) };

	if (argc < 2)
		return 2;
	man_page = argv[1];
	man_list = list;
	if (argc > 2 && strcmp(argv[2], "--update") == 0)
		return cmocka_run_group_tests(update, NULL, NULL);
	return cmocka_run_group_tests(test, NULL, NULL);
}

#endif
