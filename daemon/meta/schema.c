/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables, and what made of an older version this one (how: migrate.c). A
 * change of the tables is a new entry of meta_migrations, which brings version
 * i to i + 1. What was released is never edited; meta-vN.db of tests/data is
 * the version before.
 *
 * dirent: the key (parent, name) is the table; dirent_order lists a
 * directory by cookie without touching it, dirent_ino finds an inode's names.
 * born: see design, snapshots; 0 until there are any.
 *
 * Partial indexes hold only what waits, so their size and cost follow the
 * work and not the namespace. Queries repeat their conditions literally.
 */
#include "meta/internal.h"

#include <stdio.h>

static const char meta_v1[] =
	"CREATE TABLE value ("
	" name TEXT PRIMARY KEY,"
	" value BLOB NOT NULL);"

	"CREATE TABLE idblock ("
	" kind INTEGER PRIMARY KEY,"
	" upper INTEGER NOT NULL);"

	"CREATE TABLE totals ("
	" id INTEGER PRIMARY KEY,"
	" data BLOB NOT NULL);"

	"CREATE TABLE inode ("
	" ino INTEGER PRIMARY KEY,"
	" born INTEGER NOT NULL,"
	" generation INTEGER NOT NULL,"
	" mode INTEGER NOT NULL,"
	" uid INTEGER NOT NULL,"
	" gid INTEGER NOT NULL,"
	" rdev INTEGER NOT NULL,"
	" size INTEGER NOT NULL,"
	" atime_ns INTEGER NOT NULL,"
	" mtime_ns INTEGER NOT NULL,"
	" ctime_ns INTEGER NOT NULL,"
	" btime_ns INTEGER NOT NULL,"
	" content_version INTEGER NOT NULL,"
	" meta_version INTEGER NOT NULL,"
	" protected_ns INTEGER NOT NULL,"
	" nlink INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" damaged INTEGER NOT NULL,"
	" opened_for_write INTEGER NOT NULL,"
	" dirty_ns INTEGER NOT NULL,"
	" settle_ns INTEGER NOT NULL,"
	" access_ns INTEGER NOT NULL,"
	" cached_bytes INTEGER NOT NULL);"
	"CREATE INDEX inode_dirty ON inode (dirty_ns, ino)"
	" WHERE state = 0 AND nlink > 0;"
	"CREATE INDEX inode_settle ON inode (settle_ns)"
	" WHERE state = 0 AND nlink > 0"
	" AND opened_for_write = 0 AND damaged = 0;"
	"CREATE INDEX inode_evict ON inode (access_ns, ino)"
	" WHERE state IN (1, 2) AND cached_bytes > 0 AND damaged = 0;"
	"CREATE INDEX inode_opened ON inode (ino)"
	" WHERE opened_for_write = 1;"
	"CREATE INDEX inode_orphan ON inode (ino)"
	" WHERE nlink = 0;"

	"CREATE TABLE symlink ("
	" ino INTEGER PRIMARY KEY,"
	" target BLOB NOT NULL);"

	"CREATE TABLE dirent ("
	" parent INTEGER NOT NULL,"
	" name BLOB NOT NULL,"
	" id INTEGER NOT NULL,"
	" ino INTEGER NOT NULL,"
	" born INTEGER NOT NULL,"
	" PRIMARY KEY (parent, name)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX dirent_order ON dirent (parent, id, ino);"
	"CREATE INDEX dirent_ino ON dirent (ino, parent);"

	"CREATE TABLE xattr ("
	" ino INTEGER NOT NULL,"
	" name BLOB NOT NULL,"
	" value BLOB NOT NULL,"
	" born INTEGER NOT NULL,"
	" PRIMARY KEY (ino, name));"

	"CREATE TABLE pack ("
	" id INTEGER PRIMARY KEY,"
	" pack_id BLOB NOT NULL UNIQUE,"
	" object TEXT NOT NULL UNIQUE,"
	" generation INTEGER NOT NULL,"
	" salt BLOB NOT NULL,"
	" digest BLOB NOT NULL,"
	" length INTEGER NOT NULL,"
	" tier TEXT NOT NULL,"
	" storage_class TEXT NOT NULL,"
	" state INTEGER NOT NULL,"
	" created_ns INTEGER NOT NULL,"
	" condemned_ns INTEGER NOT NULL,"
	" extents INTEGER NOT NULL);"
	"CREATE INDEX pack_state ON pack (state, id);"

	"CREATE TABLE pack_total ("
	" tier TEXT NOT NULL,"
	" storage_class TEXT NOT NULL,"
	" objects INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" PRIMARY KEY (tier, storage_class));"

	"CREATE TABLE extent ("
	" ino INTEGER NOT NULL,"
	" off INTEGER NOT NULL,"
	" pack INTEGER NOT NULL,"
	" len INTEGER NOT NULL,"
	" pack_off INTEGER NOT NULL,"
	" first_frame INTEGER NOT NULL,"
	" frames INTEGER NOT NULL,"
	" frame_table BLOB NOT NULL,"
	" born INTEGER NOT NULL,"
	" PRIMARY KEY (ino, off, pack));"

	"CREATE TABLE presence ("
	" ino INTEGER NOT NULL,"
	" chunk INTEGER NOT NULL,"
	" bits BLOB NOT NULL,"
	" PRIMARY KEY (ino, chunk));"

	"CREATE TABLE ledger ("
	" day INTEGER NOT NULL,"
	" tier TEXT NOT NULL,"
	" storage_class TEXT NOT NULL,"
	" cause TEXT NOT NULL,"
	" puts INTEGER NOT NULL,"
	" gets INTEGER NOT NULL,"
	" heads INTEGER NOT NULL,"
	" lists INTEGER NOT NULL,"
	" deletes INTEGER NOT NULL,"
	" errors INTEGER NOT NULL,"
	" unknown INTEGER NOT NULL,"
	" in_bytes INTEGER NOT NULL,"
	" out_bytes INTEGER NOT NULL,"
	" byte_hours INTEGER NOT NULL,"
	" byte_seconds INTEGER NOT NULL,"
	" objects_peak INTEGER NOT NULL,"
	" PRIMARY KEY (day, tier, storage_class, cause));";

/*
 * Studies of DICOM files, and where each file stands in one: see
 * meta_instance. Columns that are NULL in a row, or absent from an old one,
 * cost a byte at most. Rows of inodes that wait for protect are the only ones
 * in the two new indexes of inode.
 */
static const char meta_v3[] =
	"CREATE TABLE study ("
	" id INTEGER PRIMARY KEY,"
	" uid TEXT NOT NULL UNIQUE,"
	" patient BLOB NOT NULL,"
	" date INTEGER NOT NULL,"
	" modality TEXT NOT NULL);"

	"ALTER TABLE pack ADD COLUMN study INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX pack_study ON pack (study, id)"
	" WHERE study > 0 AND state = 1;"

	"ALTER TABLE inode ADD COLUMN study INTEGER;"
	"ALTER TABLE inode ADD COLUMN series INTEGER;"
	"ALTER TABLE inode ADD COLUMN instance INTEGER;"
	"CREATE INDEX inode_study ON inode (study, series, instance, ino)"
	" WHERE state = 0 AND nlink > 0"
	" AND opened_for_write = 0 AND damaged = 0 AND study > 0;"
	"CREATE INDEX inode_unread ON inode (ino)"
	" WHERE state = 0 AND nlink > 0"
	" AND opened_for_write = 0 AND damaged = 0 AND study IS NULL;"

	"CREATE INDEX extent_pack ON extent (pack, pack_off);";

/* What tells whether the bytes of an extent's frames are still a file's. NULL
 * in the rows of before: those files are sent whole once more. */
static const char meta_v4[] = "ALTER TABLE extent ADD COLUMN frame_check BLOB;";

/* Packs that name a version and hold none of its bytes: see naming.c. Those of
 * before are not known: they stay as long as their pack has other users, and
 * a pack without any was never condemned. */
static const char meta_v5[] = "CREATE TABLE naming ("
			      " ino INTEGER PRIMARY KEY,"
			      " pack INTEGER NOT NULL);";

/*
 * The generations that this database has claimed of its bucket, with the
 * claims' own words; and which version of its object a pack is, where the
 * bucket keeps versions.
 */
static const char meta_v6[] =
	"CREATE TABLE claim ("
	" generation INTEGER PRIMARY KEY,"
	" text BLOB NOT NULL,"
	" held_ns INTEGER NOT NULL);"

	"ALTER TABLE pack ADD COLUMN version TEXT NOT NULL DEFAULT '';";

/*
 * Tiering: what a pack is billed as, since when and until when at least (0 =
 * no least time; of packs from before: their length, since they were made);
 * orders to archive classes; pins; plans and runs; and what a bill has besides
 * requests. A study's files are found whatever their state.
 */
static const char meta_v7[] =
	"ALTER TABLE pack ADD COLUMN billed INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE pack ADD COLUMN stored_ns INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE pack ADD COLUMN keep_ns INTEGER NOT NULL DEFAULT 0;"
	"UPDATE pack SET billed = length, stored_ns = created_ns;"
	"ALTER TABLE pack_total ADD COLUMN billed INTEGER NOT NULL DEFAULT 0;"
	"UPDATE pack_total SET billed = bytes;"

	"CREATE INDEX inode_of_study ON inode (study, ino) WHERE study > 0;"
	"CREATE INDEX study_patient ON study (patient, id);"

	"CREATE TABLE restore ("
	" pack INTEGER PRIMARY KEY,"
	" state INTEGER NOT NULL,"
	" speed INTEGER NOT NULL,"
	" days INTEGER NOT NULL,"
	" ordered_ns INTEGER NOT NULL,"
	" due_ns INTEGER NOT NULL,"
	" until_ns INTEGER NOT NULL,"
	" retry_ns INTEGER NOT NULL,"
	" taken INTEGER NOT NULL,"
	" cause TEXT NOT NULL,"
	" error TEXT NOT NULL);"
	"CREATE INDEX restore_state ON restore (state, pack);"

	"CREATE TABLE pin ("
	" id INTEGER PRIMARY KEY,"
	" ino INTEGER NOT NULL,"
	" until_ns INTEGER NOT NULL,"
	" made_ns INTEGER NOT NULL,"
	" uid INTEGER NOT NULL,"
	" cause TEXT NOT NULL,"
	" files INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" ended INTEGER NOT NULL);"
	"CREATE INDEX pin_until ON pin (until_ns) WHERE ended = 0;"
	"CREATE INDEX pin_ended ON pin (id) WHERE ended = 1;"
	"CREATE TABLE pin_file ("
	" ino INTEGER NOT NULL,"
	" pin INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" PRIMARY KEY (ino, pin)) WITHOUT ROWID;"
	"CREATE INDEX pin_file_pin ON pin_file (pin, ino);"

	"CREATE TABLE tier_plan ("
	" id INTEGER PRIMARY KEY,"
	" name TEXT NOT NULL UNIQUE,"
	" policy TEXT NOT NULL,"
	" state INTEGER NOT NULL,"
	" made_ns INTEGER NOT NULL,"
	" version INTEGER NOT NULL,"
	" files INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" items INTEGER NOT NULL,"
	" once TEXT NOT NULL,"
	" per_month TEXT NOT NULL);"
	"CREATE TABLE tier_item ("
	" id INTEGER NOT NULL,"
	" seq INTEGER NOT NULL,"
	" study INTEGER NOT NULL,"
	" subject INTEGER NOT NULL,"
	" rule INTEGER NOT NULL,"
	" action INTEGER NOT NULL,"
	" target TEXT NOT NULL,"
	" source TEXT NOT NULL,"
	" files INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" reason TEXT NOT NULL,"
	" PRIMARY KEY (id, seq)) WITHOUT ROWID;"
	"CREATE TABLE tier_run ("
	" id INTEGER PRIMARY KEY,"
	" plan INTEGER NOT NULL,"
	" plan_name TEXT NOT NULL,"
	" policy TEXT NOT NULL,"
	" started_by TEXT NOT NULL,"
	" who TEXT NOT NULL,"
	" state INTEGER NOT NULL,"
	" started_ns INTEGER NOT NULL,"
	" ended_ns INTEGER NOT NULL,"
	" files INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" skipped INTEGER NOT NULL,"
	" errors INTEGER NOT NULL,"
	" cost TEXT NOT NULL,"
	" predicted TEXT NOT NULL,"
	" error TEXT NOT NULL);"

	"CREATE TABLE ledger_item ("
	" day INTEGER NOT NULL,"
	" tier TEXT NOT NULL,"
	" storage_class TEXT NOT NULL,"
	" cause TEXT NOT NULL,"
	" kind INTEGER NOT NULL,"
	" whole INTEGER NOT NULL,"
	" rest INTEGER NOT NULL,"
	" PRIMARY KEY (day, tier, storage_class, cause, kind))"
	" WITHOUT ROWID;"
	"CREATE TABLE reread ("
	" month INTEGER NOT NULL,"
	" age INTEGER NOT NULL,"
	" files INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" PRIMARY KEY (month, age)) WITHOUT ROWID;";

/*
 * One step. The text is run first, then the function, for what text cannot
 * do: both in the one transaction of all steps. A step runs over the whole
 * namespace at most once, and reads by index where it can: clients wait for
 * it. On a new database all steps run on empty tables.
 */
static const struct meta_migration {
	const char *sql; /* NULL = none */
	int (*run)(struct meta_txn *t);
} meta_migrations[META_SCHEMA] = {
	[0] = { .sql = meta_v1 },
	/* Counters of what has no name, for quotas. */
	[1] = { .run = meta_counts_widen },
	[2] = { .sql = meta_v3 },
	[3] = { .sql = meta_v4 },
	[4] = { .sql = meta_v5 },
	[5] = { .sql = meta_v6 },
	[6] = { .sql = meta_v7 },
};

static int schema_step(struct meta_txn *t, const struct meta_migration *step)
{
	int rc = step->sql ? db_exec(t->m->conn.db, step->sql) : 0;

	return rc == 0 && step->run ? step->run(t) : rc;
}

int meta_schema_run(struct meta_txn *t, int from)
{
	char version[64];
	int i, rc = 0;

	for (i = from; rc == 0 && i < META_SCHEMA; i++)
		rc = schema_step(t, &meta_migrations[i]);
	if (rc < 0)
		return m_fail(t, rc);
	snprintf(version, sizeof(version),
		 "UPDATE schema_version SET version = %d", META_SCHEMA);
	return m_fail(t, db_exec(t->m->conn.db, version));
}

int meta_schema_create(struct meta_txn *t)
{
	int rc = db_exec(t->m->conn.db,
			 "CREATE TABLE schema_version ("
			 " version INTEGER NOT NULL);"
			 "INSERT INTO schema_version VALUES (0)");

	return rc < 0 ? m_fail(t, rc) : meta_schema_run(t, 0);
}
