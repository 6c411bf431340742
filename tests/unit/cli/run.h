/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the whole command in this process and keeps what it printed. */
#ifndef MERSEY_TESTS_CLI_RUN_H
#define MERSEY_TESTS_CLI_RUN_H

#include "tests/test.h"

#include "cli/cli.h"

static char *run_out, *run_msg; /* of the last run */

static inline void run_free(void)
{
	free(run_out);
	free(run_msg);
	run_out = run_msg = NULL;
}

/* mersey with up to 15 words; ended by NULL. The exit status. */
static inline int mersey(const char *first, ...) __attribute__((sentinel));
static inline int mersey(const char *first, ...)
{
	char *argv[17] = { (char *)"mersey" };
	const char *arg = first;
	size_t out_n, msg_n;
	FILE *out, *msg;
	int argc = 1, rc;
	va_list ap;

	va_start(ap, first);
	while (arg && argc < 16) {
		argv[argc++] = (char *)arg;
		arg = va_arg(ap, const char *);
	}
	va_end(ap);
	run_free();
	out = open_memstream(&run_out, &out_n);
	msg = open_memstream(&run_msg, &msg_n);
	rc = cli_main(argc, argv, out, msg);
	fclose(out);
	fclose(msg);
	return rc;
}

/* What it printed, as JSON; the caller owns it. */
static inline json_t *run_json(void)
{
	json_error_t e;
	json_t *o = json_loads(run_out, 0, &e);

	if (!o)
		print_error("no JSON: %s\n%s\n", run_out, run_msg);
	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "mersey")), 1);
	return o;
}

#define assert_has(text, part)                                            \
	do {                                                              \
		if (!strstr(text, part))                                  \
			print_error("'%s' is not in:\n%s\n", part, text); \
		assert_non_null(strstr(text, part));                      \
	} while (0)

#endif
