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

/* Directories, and a config of the trust rem and `more` of them. */
static inline void served_config(const char *more)
{
	static const char *const sub[] = { "run", "bucket" };
	static char conf[128];
	CLEANUP_BUF struct buf text = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sub); i++) {
		CLEANUP_FREE char *path = io_path("%s/%s", dir, sub[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	assert_int_equal(buf_addf(&text,
				  "version: 1\n"
				  "gateway: {name: gw1, state_dir: state, "
				  "mount_dir: mnt, runtime_dir: run}\n"
				  "cost: {prices: [], currency: GBP}\n"
				  "stores: {near: {kind: dir, path: bucket}}\n"
				  "trusts:\n"
				  "  rem:\n"
				  "    name: Liverpool University Hospitals\n"
				  "    user: '60901'\n"
				  "    key: {file: rem.key}\n"
				  "    tiers: [{name: near, store: near, "
				  "bucket: rem-mersey}]\n%s",
				  more),
			 0);
	put("mersey.yaml", buf_str(&text));
	snprintf(conf, sizeof(conf), "%s/mersey.yaml", dir);
	assert_int_equal(setenv("MERSEY_CONFIG", conf, 1), 0);
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
