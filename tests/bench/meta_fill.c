/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the database of a trust that `mersey trust add` made and that nobody
 * serves: FILES files as a PACS leaves them (long names, directories of 1,000
 * files, 100 directories in each directory above), protected and evicted, each
 * with an extent in a pack of 500. The rows are made by the functions that the
 * worker uses; the packs are in no bucket, so the files cannot be read.
 *
 * Usage: bench-fill DATABASE FILES LIST SAMPLES [studies]
 * Writes the paths of SAMPLES random files to LIST. With "studies" the files of
 * a directory are those of a study.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "meta/meta.h"

#define PER_DIRECTORY 1000ul
#define PER_YEAR      100ul /* directories */
#define PER_PACK      500ul
#define FILE_BYTES    (512ul << 10)
#define FRAMES	      (FILE_BYTES / META_FRAME_SIZE)

struct fill {
	struct meta *m;
	struct meta_txn t;
	unsigned long files, done;
	uint64_t year, dir; /* inodes of the directories being filled */
	bool studies;
	uint64_t study; /* row, of this directory */
	struct meta_pack pack;
	int64_t now;
};

static void year_name(unsigned long i, char *out, size_t max)
{
	snprintf(out, max, "y%04lu", i / PER_DIRECTORY / PER_YEAR);
}

static void dir_name(unsigned long i, char *out, size_t max)
{
	snprintf(out, max, "1.2.840.113619.2.404.3.%lu",
		 i / PER_DIRECTORY * 7919 + 100000);
}

static void file_name(unsigned long i, char *out, size_t max)
{
	snprintf(out, max, "1.2.840.113619.2.404.3.%lu.%lu.%05lu.dcm",
		 i / PER_DIRECTORY * 7919 + 100000,
		 i * 2654435761ul % 4294967296ul, i % PER_DIRECTORY);
}

/* ---- rows ------------------------------------------------------------ */

static int add_inode(struct fill *f, uint64_t parent, const char *name,
		     const struct meta_inode *in)
{
	int rc = meta_inode_insert(&f->t, in);

	return rc < 0 ? rc
		      : meta_dirent_insert(&f->t, parent, name, strlen(name),
					   in->ino);
}

static struct meta_inode blank(const struct fill *f)
{
	return (struct meta_inode){
		.uid = 61001,
		.gid = 61001,
		.atime_ns = f->now,
		.mtime_ns = f->now,
		.ctime_ns = f->now,
		.btime_ns = f->now,
		.state = META_LOCAL,
	};
}

static int add_dir(struct fill *f, uint64_t parent, const char *name,
		   uint64_t *ino)
{
	struct meta_inode in = blank(f), up;
	int rc = meta_new_ino(&f->t, &in.ino);

	in.mode = S_IFDIR | 0755;
	in.nlink = 2;
	if (rc == 0)
		rc = add_inode(f, parent, name, &in);
	if (rc == 0)
		rc = meta_inode_get(&f->t, parent, &up);
	if (rc < 0)
		return rc;
	*ino = in.ino;
	up.nlink++;
	return meta_inode_update(&f->t, &up);
}

static int add_pack(struct fill *f)
{
	unsigned long n = f->done / PER_PACK;
	struct meta_pack *p = &f->pack;
	int rc;

	*p = (struct meta_pack){ .generation = 1,
				 .tier = "near",
				 .length = PER_PACK * FILE_BYTES,
				 .created_ns = f->now };
	memcpy(p->id, &n, sizeof(n));
	snprintf(p->object, sizeof(p->object), "mersey/rem/packs/1-%016lx", n);
	rc = meta_pack_intend(&f->t, p);
	return rc < 0 ? rc : meta_pack_stored(&f->t, p);
}

static int add_extent(struct fill *f, uint64_t ino)
{
	static uint32_t table[FRAMES];
	unsigned long at = f->done % PER_PACK;
	const struct meta_extent e = { .ino = ino,
				       .len = FILE_BYTES,
				       .pack = f->pack.row,
				       .pack_off = at * FILE_BYTES,
				       .first_frame = (uint32_t)(at * FRAMES),
				       .frames = FRAMES,
				       .table = table };

	return meta_extent_insert(&f->t, &e);
}

static int add_study(struct fill *f, const char *uid)
{
	struct meta_study s = { .date = 20200102, .modality = "CT" };
	int rc;

	snprintf(s.uid, sizeof(s.uid), "%.*s", (int)sizeof(s.uid) - 1, uid);
	rc = meta_study_put(&f->t, &s);
	f->study = s.row;
	return rc;
}

static int add_instance(struct fill *f, const struct meta_inode *in)
{
	const struct meta_instance at = { .study = f->study, .series = 1 };

	return meta_instance_set(&f->t, in->ino, in->content_version, &at);
}

static int add_file(struct fill *f)
{
	struct meta_inode in = blank(f);
	char name[META_NAME_MAX + 1];
	int rc = meta_new_ino(&f->t, &in.ino);

	if (rc == 0)
		rc = meta_new_version(&f->t, &in.content_version);
	in.meta_version = in.content_version;
	in.mode = S_IFREG | 0644;
	in.nlink = 1;
	in.size = FILE_BYTES;
	in.state = META_REMOTE;
	in.protected_ns = f->now;
	in.access_ns = f->now;
	file_name(f->done, name, sizeof(name));
	if (rc == 0)
		rc = add_inode(f, f->dir, name, &in);
	if (rc == 0 && f->studies)
		rc = add_instance(f, &in);
	if (rc == 0 && f->done % PER_PACK == 0)
		rc = add_pack(f);
	if (rc == 0)
		rc = add_extent(f, in.ino);
	f->done++;
	return rc;
}

/* ---- transactions ---------------------------------------------------- */

/* One directory with its files: as many ids as a transaction has. */
static int add_directory(struct fill *f)
{
	char name[META_NAME_MAX + 1];
	unsigned long i;
	int rc = meta_begin(f->m, &f->t);

	if (rc == 0 && f->done % (PER_DIRECTORY * PER_YEAR) == 0) {
		year_name(f->done, name, sizeof(name));
		rc = add_dir(f, META_ROOT_INO, name, &f->year);
	}
	dir_name(f->done, name, sizeof(name));
	if (rc == 0)
		rc = add_dir(f, f->year, name, &f->dir);
	if (rc == 0 && f->studies)
		rc = add_study(f, name);
	for (i = 0; rc == 0 && i < PER_DIRECTORY && f->done < f->files; i++)
		rc = add_file(f);
	if (rc == 0)
		rc = meta_commit(&f->t, NULL);
	meta_abort(&f->t);
	return rc;
}

static int fill(struct fill *f)
{
	int rc = 0;

	while (rc == 0 && f->done < f->files)
		rc = add_directory(f);
	return rc < 0 ? rc : meta_checkpoint_now(f->m);
}

static int write_list(const struct fill *f, const char *path,
		      unsigned long samples)
{
	char year[64], dir[META_NAME_MAX + 1], name[META_NAME_MAX + 1];
	FILE *out = fopen(path, "we");
	unsigned long s;

	if (!out)
		return -errno;
	for (s = 0; s < samples; s++) {
		unsigned long i = (unsigned long)random() % f->files;

		year_name(i, year, sizeof(year));
		dir_name(i, dir, sizeof(dir));
		file_name(i, name, sizeof(name));
		fprintf(out, "%s/%s/%s\n", year, dir, name);
	}
	return fclose(out) ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct fill f = { .now = clock_wall_ns() };
	struct err err = ERR_INIT;
	uint8_t volume[16];
	int rc;

	if (argc != 5 && !(argc == 6 && strcmp(argv[5], "studies") == 0)) {
		fprintf(stderr, "usage: bench-fill DATABASE FILES LIST "
				"SAMPLES [studies]\n");
		return 2;
	}
	f.studies = argc == 6;
	f.files = strtoul(argv[2], NULL, 10);
	rc = meta_open(argv[1], &f.m, volume, &err);
	if (rc == 0)
		rc = fill(&f);
	if (rc == 0)
		rc = write_list(&f, argv[3], strtoul(argv[4], NULL, 10));
	if (rc < 0)
		fprintf(stderr, "bench-fill: %s %s\n", err.msg, strerror(-rc));
	meta_close(f.m);
	return rc < 0;
}
