/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey pack list | extract: one pack, the root key and a copy of the key
 * objects are enough: no daemon, no database, no bucket.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/units.h"
#include "cli/extract.h"
#include "pack/pack.h"

#define KEY_FILE_MAX   4096
#define KEY_OBJECT_MAX 65536
#define KEY_FILES_MAX  100000

struct offline {
	struct cli *c;
	int fd;
	uint64_t size;
	struct pack_header header;
	struct pack_root root;
	struct pack_keyring *kr;
	struct pack_reader *reader;
};

static void offline_done(struct offline *o)
{
	pack_reader_free(o->reader);
	pack_keyring_free(o->kr);
	pack_root_done(&o->root);
	if (o->fd >= 0)
		close(o->fd);
}

/* ---- keys ----------------------------------------------------------- */

static int offline_root(struct offline *o)
{
	const char *path = o->c->opt[OPT_KEY];
	CLEANUP_BUF struct buf text = { 0 };
	int rc = io_read_secret(path, KEY_FILE_MAX, &text, &o->c->err);

	if (rc < 0)
		return rc;
	rc = pack_root_parse((char *)text.data, text.len, &o->root, &o->c->err);
	explicit_bzero(text.data, text.cap);
	return rc < 0 ? fail_prefix(&o->c->err, rc, "'%s'", path) : 0;
}

/* 1 when the file was a key of this volume under this root, 0 when not. */
static int offline_key(struct offline *o, const char *dir, const char *name)
{
	CLEANUP_FREE char *path = io_path("%s/%s", dir, name);
	CLEANUP_BUF struct buf b = { 0 };
	struct pack_volume_id volume;
	int rc = path ? io_read_file(path, KEY_OBJECT_MAX, &b) : -ENOMEM;

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0 || pack_key_object_volume(b.data, b.len, &volume) < 0 ||
	    memcmp(&volume, &o->header.volume, sizeof(volume)) != 0)
		return 0; /* another file that lies there */
	rc = pack_keyring_add(o->kr, &o->root, b.data, b.len, &o->c->err);
	return rc == 0 ? 1 : rc == -ENOMEM ? rc : 0;
}

static int offline_key_dir(struct offline *o, DIR *d, const char *dir)
{
	const struct dirent *e;
	int found = 0, looked = 0, rc = 0;

	while (rc >= 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (++looked > KEY_FILES_MAX)
			return fail(&o->c->err, -E2BIG,
				    "too many files in '%s'", dir);
		rc = offline_key(o, dir, e->d_name);
		found += rc > 0;
	}
	return rc < 0 ? rc : found;
}

static int offline_keys(struct offline *o)
{
	const char *dir = o->c->opt[OPT_KEYS];
	DIR *d = opendir(dir);
	int found;

	if (!d)
		return fail(&o->c->err, -errno, "cannot open '%s': %m", dir);
	o->c->err = (struct err)ERR_INIT;
	found = offline_key_dir(o, d, dir);
	closedir(d);
	if (found)
		return MIN(found, 0);
	if (o->c->err.msg[0]) /* of the last one that was this volume's */
		return fail_prefix(&o->c->err, -ENOKEY, "no key in '%s' fits",
				   dir);
	fail(&o->c->err, -ENOKEY, "no key object of the pack's volume in '%s'",
	     dir);
	return fail_hint(&o->c->err, -ENOKEY,
			 "copy the objects below keys/ of the trust's bucket "
			 "there");
}

/* ---- the pack ------------------------------------------------------- */

static int offline_read(void *arg, uint64_t off, void *dst, size_t len)
{
	const struct offline *o = arg;
	ssize_t n = io_pread(o->fd, dst, len, (off_t)off);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EBADMSG;
}

static int offline_pack(struct offline *o, const char *path)
{
	uint8_t head[PACK_HEADER_SIZE];
	struct stat st;
	ssize_t n;

	o->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (o->fd < 0 || fstat(o->fd, &st) < 0)
		return fail(&o->c->err, -errno, "cannot open '%s': %m", path);
	if (!S_ISREG(st.st_mode))
		return fail(&o->c->err, -EINVAL, "'%s' is not a regular file",
			    path);
	o->size = (uint64_t)st.st_size;
	n = io_pread(o->fd, head, sizeof(head), 0);
	if (n < 0)
		return fail(&o->c->err, (int)n, "cannot read '%s': %m", path);
	if (pack_header_parse(head, (size_t)n, &o->header) < 0)
		return fail(&o->c->err, -EBADMSG, "'%s' is not a pack", path);
	return 0;
}

static int offline_open(struct offline *o)
{
	struct cli *c = o->c;
	int rc;

	if (!cli_has(c, OPT_KEY) || !cli_has(c, OPT_KEYS))
		return cli_usage(c, "'%s' needs --key FILE and --keys DIR",
				 c->verb->name);
	rc = offline_pack(o, c->arg[0]);
	if (rc == 0)
		rc = offline_root(o);
	if (rc < 0)
		return rc;
	o->kr = pack_keyring_new(&o->header.volume);
	if (!o->kr)
		return -ENOMEM;
	rc = offline_keys(o);
	if (rc < 0)
		return rc;
	rc = pack_reader_open(o->kr, offline_read, o, o->size, NULL, &o->reader,
			      &c->err);
	return rc < 0 ? fail_prefix(&c->err, rc, "'%s'", c->arg[0]) : 0;
}

/* ---- list ----------------------------------------------------------- */

/* Bytes of the member in this pack: a large file lies in several. */
static uint64_t entry_bytes(const struct pack_entry *e, uint32_t *frames)
{
	uint64_t n = 0;
	size_t i;

	*frames = 0;
	for (i = 0; i < e->runs; i++) {
		n += e->run[i].len;
		*frames += e->run[i].frames;
	}
	return n;
}

/* Bytes that did not change, or are in parts of this version. */
static uint64_t entry_elsewhere(const struct pack_entry *e)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < e->m.kepts; i++)
		n += e->m.kept[i].len;
	return n;
}

static json_t *entry_json(const struct pack_entry *e)
{
	json_t *o = proto_path(e->m.path, e->m.path_len);
	char mode[8];
	uint32_t frames;
	uint64_t bytes = entry_bytes(e, &frames);
	CLEANUP_JSON json_t *more = NULL;

	snprintf(mode, sizeof(mode), "%04o", e->m.mode & 07777);
	more = json_pack("{s:o, s:o, s:b, s:o, s:s, s:o, s:i, s:o, s:o}",
			 "inode", proto_count(e->m.inode), "version",
			 proto_count(e->m.content_version), "part", e->m.part,
			 "size_bytes", proto_count(e->m.size), "mode", mode,
			 "mtime_at", proto_time(e->m.mtime_ns), "frames",
			 (int)frames, "bytes_here", proto_count(bytes),
			 "bytes_elsewhere", proto_count(entry_elsewhere(e)));
	if (!o || !more || json_object_update(o, more) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *files_json(const struct offline *o)
{
	json_t *list = json_array();
	size_t i, n = pack_reader_members(o->reader);

	for (i = 0; list && i < n; i++)
		if (json_array_append_new(list, entry_json(pack_reader_member(
							o->reader, i))) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* No pack names its trust: that is what the volume id stands for. */
static int pack_result(struct offline *o, json_t *files)
{
	char id[2 * PACK_ID_SIZE + 1], volume[33], key_id[17];
	json_t *r;
	int rc;

	hex_encode(o->header.id.b, PACK_ID_SIZE, id);
	hex_encode(o->header.volume.b, 16, volume);
	pack_root_id(&o->root, key_id);
	r = json_pack("{s:s, s:i, s:n, s:s, s:s, s:i, s:o}", "pack", id,
		      "version", (int)o->header.version, "trust", "volume",
		      volume, "key_id", key_id, "generation",
		      (int)o->header.generation, "files", files);
	rc = r && json_object_update(o->c->result, r) == 0 ? 0 : -ENOMEM;
	json_decref(r);
	return rc;
}

int verb_pack_list_run(struct cli *c)
{
	CLEANUP(offline_done) struct offline o = { .c = c, .fd = -1 };
	int rc = offline_open(&o);

	return rc < 0 ? rc : pack_result(&o, files_json(&o));
}

static int cell_size(const json_t *f, struct buf *out)
{
	return buf_addf(out, "%" PRIu64, json_u64(f, "size_bytes"));
}

static int cell_here(const json_t *f, struct buf *out)
{
	char size[UNITS_SIZE];

	return buf_addf(
		out, "%s%s", units_format_size(json_u64(f, "bytes_here"), size),
		json_is_true(json_object_get(f, "part")) ? " (part)" : "");
}

void verb_pack_list_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "MODE", false, NULL, "mode" },
		{ "SIZE", true, cell_size, NULL },
		{ "IN THIS PACK", true, cell_here, NULL },
		{ "MODIFIED", false, NULL, "mtime_at" },
		{ "PATH", false, NULL, "path" },
	};
	const json_t *files = json_object_get(c->result, "files");

	fprintf(c->out, "pack %s of volume %s, key %s, %zu files\n",
		json_text(c->result, "pack"), json_text(c->result, "volume"),
		json_text(c->result, "key_id"), json_array_size(files));
	if (json_array_size(files))
		table_print(c->out, col, ARRAY_SIZE(col), files, NULL);
}

/* ---- extract -------------------------------------------------------- */

static int extract_problem(struct cli *c, const struct pack_entry *e, int rc,
			   const struct err *err)
{
	CLEANUP_JSON json_t *why = proto_error(NULL, rc, err);
	json_t *p = proto_path(e->m.path, e->m.path_len);

	if (!p || !why || json_object_update(p, why) < 0) {
		json_decref(p);
		return -ENOMEM;
	}
	return json_array_append_new(c->problems, p) < 0 ? -ENOMEM : 0;
}

/* What was written is a part of the file: that is for a person to know. */
static int extract_part(struct cli *c, const struct pack_entry *e)
{
	struct err err = ERR_INIT;
	char id[2 * PACK_ID_SIZE + 1], size[UNITS_SIZE];

	hex_encode(e->m.kept[0].pack.b, PACK_ID_SIZE, id);
	fail(&err, -ENODATA,
	     "%s of it lie in other packs, the first in pack %s: until those "
	     "are extracted, too, they read as zeros",
	     units_format_size(entry_elsewhere(e), size), id);
	c->exit = CLI_FAILED;
	return extract_problem(c, e, -ENODATA, &err);
}

/* One file that fails hides no other. */
static int extract_one(struct offline *o, const struct extract *x, size_t i,
		       json_t *files)
{
	const struct pack_entry *e = pack_reader_member(o->reader, i);
	struct err err = ERR_INIT;
	bool lost;
	int rc = extract_member(x, i, &lost, &err);

	if (rc < 0) {
		o->c->exit = CLI_FAILED;
		return extract_problem(o->c, e, rc, &err);
	}
	if (lost) {
		if (!o->c->exit)
			o->c->exit = CLI_ATTENTION;
		fail(&err, -ENOTSUP,
		     "some of its mode, times and attributes were not set");
		rc = extract_problem(o->c, e, -ENOTSUP, &err);
	}
	if (rc == 0 && e->m.kepts)
		rc = extract_part(o->c, e);
	if (rc == 0 && json_array_append_new(files, entry_json(e)) < 0)
		rc = -ENOMEM;
	return rc;
}

static int extract_all(struct offline *o, int dir)
{
	struct extract x = { .reader = o->reader,
			     .dir = dir,
			     .force = cli_has(o->c, OPT_FORCE) };
	json_t *files = json_array();
	size_t i, n = pack_reader_members(o->reader);
	int rc = files ? 0 : -ENOMEM;

	for (i = 0; i < n && rc == 0; i++)
		rc = extract_one(o, &x, i, files);
	if (rc == 0)
		return pack_result(o, files);
	json_decref(files);
	return rc;
}

int verb_pack_extract_run(struct cli *c)
{
	CLEANUP(offline_done) struct offline o = { .c = c, .fd = -1 };
	const char *out = c->opt[OPT_OUT] ? c->opt[OPT_OUT] : ".";
	CLEANUP_CLOSE int dir = -1;
	int rc = offline_open(&o);

	if (rc < 0)
		return rc;
	if (mkdir(out, 0777) < 0 && errno != EEXIST)
		return fail(&c->err, -errno, "cannot make '%s': %m", out);
	dir = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail(&c->err, -errno, "cannot open '%s': %m", out);
	return extract_all(&o, dir);
}

void verb_pack_extract_show(struct cli *c)
{
	const json_t *f;
	size_t i, n = json_array_size(json_object_get(c->result, "files"));

	json_array_foreach(json_object_get(c->result, "files"), i, f) {
		CLEANUP_BUF struct buf b = { 0 };

		if (text_clean(json_text(f, "path"), &b) == 0 && buf_str(&b))
			fprintf(c->out, "%s\n", (char *)b.data);
	}
	fprintf(c->out, "%zu file%s extracted\n", n, n == 1 ? "" : "s");
}
