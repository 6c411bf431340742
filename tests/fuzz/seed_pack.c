/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the seeds of the pack fuzz target into a directory. Run by hand
 * when the format gets a new version; seeds that are there stay, since they
 * also prove that old packs can still be read.
 *
 * Usage: seed-pack DIR
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/io.h"
#include "pack/index.h"
#include "pack/pack.h"
#include "pack_fixture.h"

static const char *dir;

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "seed-pack: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void save(const char *name, const void *p, size_t len)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);

	must(path ? io_write_file(path, 0644, p, len, false) : -ENOMEM, name);
}

static void frame(struct pack_writer *w, uint64_t off, const void *p,
		  size_t len, bool last)
{
	must(pack_writer_frame(w, off, p, len, last, NULL), "frame");
}

static void member(struct pack_writer *w, const char *path, uint64_t size,
		   const struct pack_xattr *x, size_t xattrs)
{
	const struct pack_member m = {
		.inode = 42,
		.content_version = 7,
		.meta_version = 9,
		.path = path,
		.path_len = strlen(path),
		.mode = 0100640,
		.uid = 61001,
		.gid = 61002,
		.size = size,
		.atime_ns = 1764000000000000001,
		.mtime_ns = 1764000000000000002,
		.ctime_ns = 1764000000000000003,
		.btime_ns = -1,
		.xattr = x,
		.xattrs = xattrs,
	};

	must(pack_writer_member(w, &m), path);
}

static void seal(struct pack_writer *w, const char *name)
{
	uint8_t digest[PACK_DIGEST_SIZE];
	const void *p;
	size_t len;

	must(pack_writer_seal(w, &p, &len, digest), name);
	save(name, p, len);
	pack_writer_free(w);
}

static struct pack_writer *writer(struct pack_keyring *kr)
{
	struct pack_writer *w = pack_writer_new(kr);

	must(w ? 0 : -errno, "writer");
	return w;
}

/* One of each: a compressed and a raw frame, an empty file, a hole, xattrs,
 * a dead frame, a name of odd bytes. */
static void seed_packs(struct pack_keyring *kr)
{
	static uint8_t text[PACK_FRAME_MAX];
	const struct pack_xattr x[] = {
		{ .name = "user.a", .value = "", .len = 0 },
		{ .name = "user.b", .value = "\0\xff", .len = 2 },
	};
	struct pack_writer *w = writer(kr);
	size_t i;

	seal(w, "pack-empty");
	w = writer(kr);
	frame(w, 0, "x", 1, true);
	member(w, "x", 1, NULL, 0);
	seal(w, "pack-one");
	w = writer(kr);
	for (i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) "PATIENT^TEST "[i % 13];
	frame(w, 0, text, sizeof(text), false);
	frame(w, sizeof(text), text, 500, false);
	frame(w, 3 * sizeof(text), "short and raw", 13, true);
	member(w, "pacs/ct/1.dcm", 4 * sizeof(text), x, 2);
	member(w, "pacs/\x01\xff \"\\\n", 0, NULL, 0);
	frame(w, 0, "dead", 4, false);
	must(pack_writer_member(w, NULL), "dead");
	frame(w, 0, "alive", 5, true);
	member(w, "z", 5, NULL, 0);
	seal(w, "pack-full");
}

/* A file of four frames, which is in several packs. */
static struct pack_member large(uint64_t version)
{
	return (struct pack_member){ .inode = 42,
				     .content_version = version,
				     .meta_version = 9,
				     .path = "large",
				     .path_len = 5,
				     .mode = 0100640,
				     .size = 3 * PACK_FRAME_MAX + 9 };
}

/* A changed file, of which most lies in other packs. */
static void seed_kept(struct pack_keyring *kr)
{
	const struct pack_kept kept[] = {
		{ .len = 2 * PACK_FRAME_MAX,
		  .pack = { "an older pack, 1" },
		  .first_frame = 3,
		  .frames = 2 },
		{ .file_off = 3 * PACK_FRAME_MAX,
		  .len = 9,
		  .pack = { "an older pack, 2" },
		  .first_frame = 77,
		  .frames = 1 },
	};
	struct pack_member m = large(8);
	struct pack_writer *w = writer(kr);

	m.kept = kept;
	m.kepts = 2;
	member(w, "small", 0, NULL, 0);
	frame(w, 2 * PACK_FRAME_MAX, "changed", 7, true);
	must(pack_writer_member(w, &m), "kept");
	seal(w, "pack-kept");
}

/* A part of a large file, which another pack names. */
static void seed_part(struct pack_keyring *kr)
{
	struct pack_member m = large(9);
	struct pack_writer *w = writer(kr);

	m.part = true;
	frame(w, PACK_FRAME_MAX, "of three", 8, true);
	must(pack_writer_member(w, &m), "part");
	seal(w, "pack-part");
}

static void seed_index(void)
{
	const struct pack_xattr x = { .name = "n", .value = "v", .len = 1 };
	const struct pack_member m = { .path = "a/b",
				       .path_len = 3,
				       .size = 70000,
				       .xattr = &x,
				       .xattrs = 1 };
	const struct pack_run run = { .frames = 2 };
	const struct pack_frame f[2] = {
		{ .stored_len = 65552, .plain_len = 65536 },
		{ .stored_len = 300, .plain_len = 4464, .compressed = true },
	};
	const struct pack_index_bind bind = { .generation = 1,
					      .index_off = 128 + 65852 };
	struct pack_index_build b = { 0 };
	CLEANUP_BUF struct buf out = { 0 };
	size_t i;

	for (i = 0; i < 2; i++) {
		must(pack_index_room(&b), "room");
		pack_index_add_frame(&b, &f[i], i == 1);
	}
	must(pack_index_add_member(&b, &m, &run, 1), "member");
	must(pack_index_encode(&b, &bind, &out), "index");
	save("index", out.data, out.len);
	pack_index_build_done(&b);
}

int main(int argc, char **argv)
{
	/* LZ4: "aaaa..." of 300 bytes behind the length less one. */
	static const uint8_t lz4[] = { 0x2b, 0x01, 0x1f, 'a', 1,   0,	255,
				       20,   0x50, 'a',	 'a', 'a', 'a', 'a' };
	uint8_t object[sizeof(FIXTURE_KEY_OBJECT) / 2];
	CLEANUP_BUF struct buf marker = { 0 };
	CLEANUP_BUF struct buf claim = { 0 };
	struct pack_claim holder = { .generation = 2,
				     .gateway = "gw1",
				     .host = "node1",
				     .pid = 4711,
				     .claimed_at = "2026-11-24T04:00:00Z" };
	struct pack_volume_id volume;
	struct pack_keyring *kr;
	struct pack_root root;

	if (argc != 2) {
		fprintf(stderr, "usage: seed-pack DIR\n");
		return 2;
	}
	dir = argv[1];
	memset(volume.b, FIXTURE_VOLUME_BYTE, sizeof(volume.b));
	must(pack_root_parse(FIXTURE_ROOT, strlen(FIXTURE_ROOT), &root, NULL),
	     "root");
	must(hex_decode(FIXTURE_KEY_OBJECT, object, sizeof(object)), "object");
	kr = pack_keyring_new(&volume);
	must(kr ? 0 : -ENOMEM, "key ring");
	must(pack_keyring_add(kr, &root, object, sizeof(object), NULL), "add");
	must(pack_marker_make(&volume, &root, &marker), "marker");
	must(pack_claim_make(&holder, &claim), "claim");
	save("claim", claim.data, claim.len);
	save("root-key", FIXTURE_ROOT, strlen(FIXTURE_ROOT));
	save("key-object", object, sizeof(object));
	save("marker", marker.data, marker.len);
	save("frame-lz4", lz4, sizeof(lz4));
	seed_packs(kr);
	seed_kept(kr);
	seed_part(kr);
	seed_index();
	pack_keyring_free(kr);
	pack_root_done(&root);
	return 0;
}
