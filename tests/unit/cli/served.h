/* SPDX-License-Identifier: Apache-2.0 */
/* A worker behind a socket, for the command in the same process. */
#ifndef MERSEY_TESTS_CLI_SERVED_H
#define MERSEY_TESTS_CLI_SERVED_H

#include "tests/unit/cli/run.h"

#include "tests/unit/ctl/util.h"

static inline struct ctl_server *serve(const char *name,
				       const struct ctl_worker *w)
{
	CLEANUP_FREE char *path = io_path("%s/run/%s.sock", dir, name);
	struct ctl_server *s = NULL;
	struct err err = ERR_INIT;
	int fd = ctl_listen(path, &err);

	assert_true(fd >= 0);
	assert_int_equal(ctl_server_start(fd, w, &s, &err), 0);
	return s;
}

static inline void put(const char *name, const char *text)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);

	assert_int_equal(io_write_file(path, 0644, text, strlen(text), false),
			 0);
}

/* The result of the last run, checked against the table of keys. */
static inline json_t *result(const char *verb)
{
	CLEANUP_BUF struct buf diff = { 0 };
	CLEANUP_JSON json_t *o = run_json();
	json_t *r = json_object_get(o, "result");

	assert_string_equal(json_text(o, "verb"), verb);
	assert_true(json_text(o, "at")[0]);
	assert_true(json_is_array(json_object_get(o, "problems")));
	assert_int_equal(cli_keys_check(verb, r, &diff), 0);
	assert_string_equal(buf_str(&diff), "");
	return json_incref(r);
}

#endif
