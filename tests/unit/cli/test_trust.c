/* SPDX-License-Identifier: Apache-2.0 */
/* trust add with a stand-in for merseyd --setup; config verbs; no worker. */
#include "tests/unit/cli/run.h"

#include <string.h>
#include <sys/stat.h>

#include "pack/pack.h"

static char dir[64], conf[96];

static void put(const char *name, mode_t mode, const char *text)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);

	assert_non_null(path);
	assert_int_equal(io_write_file(path, mode, text, strlen(text), false),
			 0);
}

static void put_config(const char *settle)
{
	CLEANUP_FREE char *text = io_path(
		"version: 1\n"
		"gateway: {name: gw1, state_dir: state, mount_dir: mnt, "
		"runtime_dir: run}\n"
		"cost: {prices: [p.yaml], currency: GBP}\n"
		"stores:\n"
		"  near: {kind: dir, path: bucket, prices: onprem}\n"
		"defaults: {%s: 1s}\n"
		"trusts:\n"
		"  rem:\n"
		"    name: Liverpool\n"
		"    user: '%u'\n"
		"    key: {file: secrets/rem.key}\n"
		"    tiers: [{name: near, store: near, bucket: rem-mersey}]\n",
		settle, geteuid() ? geteuid() : 60901);

	put("mersey.yaml", 0644, text);
}

static void put_prices(void)
{
	put("p.yaml", 0644,
	    "name: onprem\ncurrency: GBP\nas_of: 2026-10-01\n"
	    "source: estates\nclasses:\n"
	    "  STANDARD:\n"
	    "    storage_gb_month: {value: \"0.017\", as_of: 2026-10-01, "
	    "source: x, confirmed: true}\n");
}

static int setup(void **state)
{
	CLEANUP_FREE char *bucket = NULL, *tool = NULL, *secrets = NULL;

	strcpy(dir, "/tmp/mersey-cli-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/mersey.yaml", dir);
	bucket = io_path("%s/bucket", dir);
	secrets = io_path("%s/secrets", dir);
	tool = io_path("%s/merseyd", dir);
	assert_int_equal(mkdir(bucket, 0755), 0);
	put_config("settle");
	put_prices();
	/* says what it was called with, and answers as the real one does */
	put("merseyd", 0755,
	    "#!/bin/sh\necho \"$@\" >>\"$(dirname \"$0\")/calls\"\n"
	    "echo '{\"trust\":\"rem\",\"volume\":\"00ff\",\"stores\":"
	    "[{\"tier\":\"near\",\"capabilities\":{\"create_only\":true}}]}'\n");
	return setenv("MERSEYD", tool, 1);
}

static int teardown(void **state)
{
	run_free();
	return test_rm(dir);
}

static void read_file(const char *name, struct buf *out)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);

	assert_int_equal(io_read_file(path, 1 << 20, out), 0);
	assert_non_null(buf_str(out));
}

static mode_t mode_of(const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static bool exists(const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);

	return access(path, F_OK) == 0;
}

static void test_add(void **state)
{
	CLEANUP_BUF struct buf key = { 0 }, again = { 0 }, sheet = { 0 };
	CLEANUP_BUF struct buf calls = { 0 }, diff = { 0 };
	CLEANUP_JSON json_t *o = NULL;
	struct pack_root root;
	char id[17];

	assert_int_equal(mersey("trust", "add", "rem", "--dry-run", "--config",
				conf, NULL),
			 0);
	assert_has(run_out, "would make");
	assert_false(exists("secrets"));
	assert_false(exists("calls"));

	assert_int_equal(mersey("trust", "add", "rem", "--yes", "--json",
				"--config", conf, NULL),
			 0);
	o = run_json();
	assert_int_equal(mode_of("secrets"), 0700);
	assert_int_equal(mode_of("secrets/rem.key"), 0600);
	assert_int_equal(mode_of("secrets/rem-recovery.txt"), 0600);
	assert_int_equal(mode_of("state/rem"), 0700);
	assert_true(exists("run") && exists("mnt"));
	read_file("calls", &calls);
	assert_has((char *)calls.data, "--setup rem --config");
	read_file("secrets/rem.key", &key);
	assert_int_equal(
		pack_root_parse((char *)key.data, key.len, &root, NULL), 0);
	pack_root_id(&root, id);
	assert_string_equal(json_text(json_object_get(o, "result"), "key_id"),
			    id);
	assert_int_equal(cli_keys_check("trust add",
					json_object_get(o, "result"), &diff),
			 0);
	assert_string_equal(buf_str(&diff), "");
	read_file("secrets/rem-recovery.txt", &sheet);
	assert_has((char *)sheet.data, id);
	assert_has((char *)sheet.data, "00ff");
	assert_has((char *)sheet.data, "mersey pack extract");

	/* once more: nothing changes */
	assert_int_equal(mersey("trust", "add", "rem", "--config", conf, NULL),
			 0);
	assert_has(run_out, "nothing was changed");
	read_file("secrets/rem.key", &again);
	assert_string_equal((char *)again.data, (char *)key.data);
}

/* The digits of the sheet, typed as it says, are the key. */
static void test_sheet_is_the_key(void **state)
{
	CLEANUP_BUF struct buf sheet = { 0 }, typed = { 0 }, key = { 0 };
	const char *p;
	int line;

	assert_int_equal(mersey("trust", "add", "rem", "--config", conf, NULL),
			 0);
	read_file("secrets/rem-recovery.txt", &sheet);
	read_file("secrets/rem.key", &key);
	buf_addf(&typed, "mersey-root-key-1 ");
	for (line = 1; line <= 2; line++) {
		CLEANUP_FREE char *label = io_path("line %d:", line);

		p = strstr((char *)sheet.data, label);
		assert_non_null(p);
		for (p += strlen(label); *p != '\n'; p++)
			if (*p != ' ')
				buf_add(&typed, p, 1);
	}
	p = strstr((char *)sheet.data, "check:   ");
	assert_non_null(p);
	buf_addf(&typed, " %.8s\n", p + 9);
	assert_string_equal(buf_str(&typed), (char *)key.data);
}

static void test_add_fails(void **state)
{
	put("merseyd", 0755,
	    "#!/bin/sh\necho '2026-11-24T05:00:00.000Z rem error: the bucket "
	    "is in use' >&2\necho '2026-11-24T05:00:00.000Z rem error:   try: "
	    "another' >&2\nexit 1\n");
	assert_int_equal(mersey("trust", "add", "rem", "--config", conf, NULL),
			 CLI_FAILED);
	assert_string_equal(run_msg,
			    "mersey: the bucket is in use\n  try: another\n");
	assert_true(exists("secrets/rem.key")); /* and is used next time */
	assert_int_equal(mersey("trust", "add", "xyz", "--config", conf, NULL),
			 CLI_USAGE);
	put("secrets/rem.key", 0600, "mersey-root-key-1 12 34\n");
	assert_int_equal(mersey("trust", "add", "rem", "--config", conf, NULL),
			 CLI_FAILED);
	assert_has(run_msg, "rem.key");
}

static void test_nothing_answers(void **state)
{
	CLEANUP_JSON json_t *o = NULL;
	CLEANUP_BUF struct buf diff = { 0 };
	json_t *t;

	assert_int_equal(mersey("status", "--json", "--config", conf, NULL),
			 CLI_NOT_NOW);
	o = run_json();
	t = json_array_get(
		json_object_get(json_object_get(o, "result"), "trusts"), 0);
	assert_string_equal(json_text(t, "state"), "offline");
	assert_true(json_is_null(json_object_get(t, "files")));
	assert_int_equal(json_array_size(json_object_get(o, "problems")), 1);
	assert_int_equal(
		cli_keys_check("status", json_object_get(o, "result"), &diff),
		0);
	assert_string_equal(buf_str(&diff), "");
	assert_int_equal(mersey("status", "--config", conf, NULL), CLI_NOT_NOW);
	assert_has(run_out, "OFFLINE");
	assert_int_equal(mersey("cost", "report", "--config", conf, NULL),
			 CLI_NOT_NOW);
	assert_int_equal(mersey("wait", "--all", "--config", conf, NULL),
			 CLI_NOT_NOW);
	assert_has(run_msg, "is not served here now");
	assert_int_equal(mersey("trust", "list", "--config", conf, NULL), 0);
	assert_has(run_out, "offline");
}

static void test_config(void **state)
{
	CLEANUP_JSON json_t *o = NULL, *shown = NULL;
	CLEANUP_BUF struct buf diff = { 0 };
	json_t *errors;

	assert_int_equal(mersey("config", "check", conf, NULL), 0);
	assert_has(run_out, "no errors");
	assert_int_equal(mersey("config", "show", "rem", "--json", "--config",
				conf, NULL),
			 0);
	shown = run_json();
	assert_has(run_out, "secrets/rem.key");
	assert_int_equal(mersey("config", "show", "--config", conf, NULL), 0);
	assert_has(run_out, "version: 1");
	assert_int_equal(mersey("config", "schema", NULL), 0);
	assert_has(run_out, "https://json-schema.org/");
	put_config("settel");
	assert_int_equal(mersey("config", "check", conf, "--json", NULL),
			 CLI_USAGE);
	o = run_json();
	errors = json_object_get(json_object_get(o, "result"), "errors");
	assert_int_equal(json_array_size(errors), 1);
	assert_int_equal(json_u64(json_array_get(errors, 0), "line"), 6);
	assert_int_equal(cli_keys_check("config check",
					json_object_get(o, "result"), &diff),
			 0);
	assert_string_equal(buf_str(&diff), "");
	assert_int_equal(mersey("status", "--config", conf, NULL), CLI_USAGE);
	assert_has(run_msg, "mersey.yaml:6:");
	assert_has(run_msg, "mersey config check");
	assert_int_equal(mersey("config", "check", "/nonexistent", NULL),
			 CLI_USAGE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_add),	      TEST(test_sheet_is_the_key),
		TEST(test_add_fails), TEST(test_nothing_answers),
		TEST(test_config),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
