/* SPDX-License-Identifier: Apache-2.0 */
/* pack list and extract on packs made here; hostile paths stay inside. */
#include "tests/unit/cli/run.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "cli/extract.h"

static char dir[64], pack[96], key[96], keys[96], out[96];
static struct pack_root root;
static struct pack_keyring *kr;

static int setup(void **state)
{
	struct pack_volume_id volume = { { 1, 2, 3 } };
	CLEANUP_BUF struct buf text = { 0 }, object = { 0 };
	CLEANUP_FREE char *path = NULL;

	strcpy(dir, "/tmp/mersey-cli-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(pack, sizeof(pack), "%s/pack", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	path = io_path("%s/1", keys);
	assert_int_equal(mkdir(keys, 0700), 0);
	assert_int_equal(pack_root_new(&root, &text), 0);
	assert_int_equal(io_write_file(key, 0600, text.data, text.len, false),
			 0);
	kr = pack_keyring_new(&volume);
	assert_int_equal(pack_keyring_create(kr, &root, 1, &object), 0);
	return io_write_file(path, 0644, object.data, object.len, false);
}

static int teardown(void **state)
{
	run_free();
	pack_keyring_free(kr);
	return test_rm(dir);
}

static const struct pack_xattr attr = { "user.study", "1.2.3", 5 };
#define MTIME (1700000000LL * NSEC_PER_SEC + 123456789)

/* A member with one frame at `off` (or none when len is 0). */
static void add(struct pack_writer *w, const char *path, size_t path_len,
		uint64_t off, const char *data, size_t len, uint64_t size)
{
	struct pack_member m = { .inode = 5,
				 .path = path,
				 .path_len = path_len,
				 .mode = S_IFREG | 04640,
				 .size = size,
				 .mtime_ns = MTIME,
				 .atime_ns = MTIME,
				 .xattr = &attr,
				 .xattrs = 1 };
	struct pack_frame f;

	if (len)
		assert_int_equal(pack_writer_frame(w, off, data, len, true, &f),
				 0);
	assert_int_equal(pack_writer_member(w, &m), 0);
}

static void seal(struct pack_writer *w)
{
	uint8_t digest[PACK_DIGEST_SIZE];
	const void *data;
	size_t len;

	assert_int_equal(pack_writer_seal(w, &data, &len, digest), 0);
	assert_int_equal(io_write_file(pack, 0644, data, len, false), 0);
	pack_writer_free(w);
}

static int extract(bool force)
{
	return mersey("pack", "extract", pack, "--key", key, "--keys", keys,
		      "--out", out, "--json", force ? "--force" : NULL, NULL);
}

static void assert_file(const char *name, const char *want, size_t len)
{
	CLEANUP_FREE char *path = io_path("%s/%s", out, name);
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(io_read_file(path, 1 << 22, &b), 0);
	assert_int_equal(b.len, len);
	assert_memory_equal(b.data ? (char *)b.data : "", want, len);
}

static void test_list(void **state)
{
	struct pack_writer *w = pack_writer_new(kr);
	CLEANUP_JSON json_t *o = NULL;
	CLEANUP_BUF struct buf diff = { 0 };
	json_t *files;
	char id[17];

	add(w, "d/a.dcm", 7, 0, "hello", 5, 5);
	add(w, "d/\xff", 3, 0, "", 0, 0);
	seal(w);
	assert_int_equal(mersey("pack", "list", pack, "--key", key, "--keys",
				keys, "--json", NULL),
			 0);
	o = run_json();
	files = json_object_get(json_object_get(o, "result"), "files");
	assert_int_equal(json_array_size(files), 2);
	assert_string_equal(json_text(json_array_get(files, 0), "path"),
			    "d/a.dcm");
	assert_string_equal(json_text(json_array_get(files, 0), "mode"),
			    "4640");
	assert_string_equal(json_text(json_array_get(files, 1), "path_base64"),
			    "ZC//");
	pack_root_id(&root, id);
	assert_string_equal(json_text(json_object_get(o, "result"), "key_id"),
			    id);
	assert_int_equal(cli_keys_check("pack list",
					json_object_get(o, "result"), &diff),
			 0);
	assert_string_equal(buf_str(&diff), "");
	assert_int_equal(mersey("pack", "list", pack, "--key", key, "--keys",
				keys, NULL),
			 0);
	assert_has(run_out, "d/\xef\xbf\xbd");
}

static void test_extract(void **state)
{
	CLEANUP_FREE char *a = io_path("%s/d/e/a", out);
	struct pack_writer *w = pack_writer_new(kr);
	char value[16], hole[200005] = { 0 };
	struct stat st;

	add(w, "d/e/a", 5, 0, "hello", 5, 5);
	add(w, "empty", 5, 0, "", 0, 0);
	add(w, "hole", 4, 131072, "x", 1, sizeof(hole));
	seal(w);
	assert_int_equal(extract(false), 0);
	assert_file("d/e/a", "hello", 5);
	assert_file("empty", "", 0);
	hole[131072] = 'x';
	assert_file("hole", hole, sizeof(hole));
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640); /* no set-uid */
	assert_true(clock_ns(st.st_mtim) == MTIME);
	assert_int_equal(getxattr(a, "user.study", value, sizeof(value)), 5);
	assert_memory_equal(value, "1.2.3", 5);

	assert_int_equal(extract(false), CLI_FAILED); /* exists */
	assert_has(run_out, "--force");
	assert_int_equal(truncate(a, 3), 0);
	assert_int_equal(extract(true), 0);
	assert_file("d/e/a", "hello", 5);
}

/* Two parts, and what names them; the last seals in `pack`. */
static void large_part(uint64_t off, const char *data, size_t len,
		       uint64_t size, struct pack_kept *kept)
{
	struct pack_writer *w = pack_writer_new(kr);
	struct pack_member m = { .inode = 7,
				 .content_version = 9,
				 .path = "big",
				 .path_len = 3,
				 .size = size,
				 .mtime_ns = MTIME,
				 .part = true };

	assert_int_equal(pack_writer_frame(w, off, data, len, true, NULL), 0);
	assert_int_equal(pack_writer_member(w, &m), 0);
	*kept = (struct pack_kept){ .file_off = off,
				    .len = len,
				    .pack = *pack_writer_id(w),
				    .frames = 1 };
	seal(w);
}

static void large_name(const struct pack_kept *kept, uint64_t size)
{
	struct pack_writer *w = pack_writer_new(kr);
	struct pack_member m = { .inode = 7,
				 .content_version = 9,
				 .path = "big",
				 .path_len = 3,
				 .size = size,
				 .mtime_ns = MTIME,
				 .kept = kept,
				 .kepts = 2 };

	assert_int_equal(pack_writer_member(w, &m), 0);
	seal(w);
}

static void list_one(json_int_t version, bool part, json_int_t elsewhere)
{
	CLEANUP_JSON json_t *o = NULL;
	const json_t *f;

	assert_int_equal(mersey("pack", "list", pack, "--key", key, "--keys",
				keys, "--json", NULL),
			 0);
	o = run_json();
	f = json_array_get(
		json_object_get(json_object_get(o, "result"), "files"), 0);
	assert_int_equal(json_integer_value(json_object_get(f, "version")),
			 version);
	assert_int_equal(json_is_true(json_object_get(f, "part")), part);
	assert_int_equal(
		json_integer_value(json_object_get(f, "bytes_elsewhere")),
		elsewhere);
}

/* A large file lies in several packs: each completes those before. */
static void test_segments(void **state)
{
	char want[65536 + 3];
	struct pack_kept kept[2];

	memset(want, 'a', 65536);
	memcpy(want + 65536, "end", 3);
	large_part(0, want, 65536, sizeof(want), &kept[0]);
	list_one(9, true, 0);
	assert_int_equal(extract(false), 0);
	large_part(65536, "end", 3, sizeof(want), &kept[1]);
	assert_int_equal(extract(true), 0);
	assert_int_equal(mersey("pack", "list", pack, "--key", key, "--keys",
				keys, NULL),
			 0);
	assert_has(run_out, "(part)");
	large_name(kept, sizeof(want));
	list_one(9, false, sizeof(want));
	assert_int_equal(extract(true),
			 CLI_FAILED); /* says what is elsewhere */
	assert_has(run_out, "other packs");
	assert_file("big", want, sizeof(want));
}

static void test_path_ok(void **state)
{
	static const char *const good[] = { "a",   "a/b",   "..a", "a..",
					    "...", ".a/b.", "\xff" };
	static const char *const bad[] = { "",	   "/",	 "/a",	 "a/",
					   "a//b", "..", "../a", "a/../b",
					   "a/..", ".",	 "./a",	 "a/./b",
					   "a/." };
	char longest[257];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(extract_path_ok(good[i], strlen(good[i])));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(extract_path_ok(bad[i], strlen(bad[i])));
	assert_false(extract_path_ok("a\0b", 3));
	memset(longest, 'x', sizeof(longest));
	assert_true(extract_path_ok(longest, 255));
	assert_false(extract_path_ok(longest, 256));
}

static bool exists(const char *fmt, const char *name)
{
	CLEANUP_FREE char *path = io_path("%s%s%s", dir, fmt, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

static void link_at(const char *target, const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", out, name);

	assert_int_equal(symlink(target, path), 0);
}

/* Symlinks that lie in the directory already lead nowhere. */
static void test_symlinks(void **state)
{
	struct pack_writer *w = pack_writer_new(kr);
	CLEANUP_FREE char *victim = io_path("%s/victim", dir);
	CLEANUP_BUF struct buf b = { 0 };

	add(w, "up/pwned", 8, 0, "bad", 3, 3);
	add(w, "file", 4, 0, "bad", 3, 3);
	add(w, "abs/pwned", 9, 0, "bad", 3, 3);
	add(w, "fine", 4, 0, "good", 4, 4);
	seal(w);
	assert_int_equal(mkdir(out, 0755), 0);
	assert_int_equal(io_write_file(victim, 0644, "kept", 4, false), 0);
	link_at("..", "up");
	link_at("../victim", "file");
	link_at(dir, "abs");
	assert_int_equal(extract(false), CLI_FAILED);
	assert_int_equal(extract(true), CLI_FAILED);
	assert_false(exists("/", "pwned"));
	assert_int_equal(io_read_file(victim, 100, &b), 0);
	assert_memory_equal(b.data, "kept", 4);
	assert_file("fine", "good", 4);
	assert_file("file", "bad", 3); /* forced: the link was replaced */
}

static void test_damaged(void **state)
{
	struct pack_writer *w = pack_writer_new(kr);
	CLEANUP_CLOSE int fd = -1;

	add(w, "a", 1, 0, "hello", 5, 5);
	add(w, "b", 1, 0, "world", 5, 5);
	seal(w);
	fd = open(pack, O_WRONLY);
	/* in a's frame, right behind the header */
	assert_int_equal(io_pwrite(fd, "\xff\xff", 2, PACK_HEADER_SIZE), 0);
	assert_int_equal(extract(false), CLI_FAILED);
	assert_has(run_out, "\"damaged\"");
	assert_false(exists("/out/", "a"));
	assert_file("b", "world", 5);
}

static void test_wrong_keys(void **state)
{
	CLEANUP_FREE char *other = io_path("%s/other", dir);
	CLEANUP_FREE char *none = io_path("%s/none", dir);
	struct pack_writer *w = pack_writer_new(kr);
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_root r;

	add(w, "a", 1, 0, "hello", 5, 5);
	seal(w);
	assert_int_equal(pack_root_new(&r, &text), 0);
	assert_int_equal(io_write_file(other, 0600, text.data, text.len, false),
			 0);
	assert_int_equal(mkdir(none, 0700), 0);
	assert_int_equal(mersey("pack", "list", pack, "--key", other, "--keys",
				keys, NULL),
			 CLI_FAILED);
	assert_has(run_msg, "no key in");
	assert_int_equal(mersey("pack", "list", pack, "--key", key, "--keys",
				none, NULL),
			 CLI_FAILED);
	assert_int_equal(
		mersey("pack", "list", key, "--key", key, "--keys", keys, NULL),
		CLI_FAILED);
	assert_has(run_msg, "not a pack");
	assert_int_equal(mersey("pack", "list", pack, "--key", key, NULL),
			 CLI_USAGE);
	assert_int_equal(chmod(key, 0644), 0);
	assert_int_equal(mersey("pack", "list", pack, "--key", key, "--keys",
				keys, NULL),
			 CLI_REFUSED);
	assert_has(run_msg, "chmod 600");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_list),       TEST(test_extract),  TEST(test_segments),
		TEST(test_path_ok),    TEST(test_symlinks), TEST(test_damaged),
		TEST(test_wrong_keys),
	};

	return RUN_TESTS(tests, NULL, NULL);
}
