/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables. A change of them is a new entry of meta_migrations: text that
 * brings version i to i + 1, run once, in one transaction with the new
 * version number. What was released is never edited.
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

static const char *const meta_migrations[META_SCHEMA] = {
	[0] = meta_v1,
};

static int meta_migrate(struct db *db, int from)
{
	char version[64];
	int i, rc = 0;

	for (i = from; rc == 0 && i < META_SCHEMA; i++)
		rc = db_exec(db, meta_migrations[i]);
	if (rc < 0)
		return rc;
	snprintf(version, sizeof(version),
		 "UPDATE schema_version SET version = %d", META_SCHEMA);
	return db_exec(db, version);
}

int meta_schema_create(struct meta_txn *t)
{
	struct db *db = t->m->conn.db;
	int rc = db_exec(db, "CREATE TABLE schema_version ("
			     " version INTEGER NOT NULL);"
			     "INSERT INTO schema_version VALUES (0)");

	if (rc == 0)
		rc = meta_migrate(db, 0);
	return m_fail(t, rc);
}

static int meta_schema_version(struct db *db, int64_t *version)
{
	struct db_stmt *st;
	int rc = db_prepare(db, "SELECT version FROM schema_version", &st);

	if (rc < 0)
		return rc == -EINVAL ? -ENOENT : rc; /* no such table */
	rc = db_step(st);
	if (rc == 1)
		*version = db_int(st, 0);
	db_finish(st);
	if (rc == 0)
		return -ENOENT;
	return rc < 0 ? rc : 0;
}

static int meta_schema_update(struct meta *m, int from)
{
	int rc = db_begin(m->conn.db);

	if (rc < 0)
		return rc;
	rc = meta_migrate(m->conn.db, from);
	if (rc < 0) {
		db_rollback(m->conn.db);
		return rc;
	}
	return db_commit(m->conn.db);
}

int meta_schema_check(struct meta *m, const char *path, struct err *err)
{
	int64_t version = 0;
	int rc = meta_schema_version(m->conn.db, &version);

	if (rc == -ENOENT || (rc == 0 && version < 1))
		return fail(err, -EUCLEAN,
			    "'%s' is not the database of a trust", path);
	if (rc < 0)
		return fail(err, rc, "cannot read database '%s': %m", path);
	if (version > META_SCHEMA) {
		fail(err, -EPROTONOSUPPORT,
		     "database '%s' has schema %lld, but this version knows "
		     "only up to %d",
		     path, (long long)version, META_SCHEMA);
		return fail_hint(err, -EPROTONOSUPPORT,
				 "run the newer version that last served this "
				 "trust");
	}
	if (version == META_SCHEMA)
		return 0;
	rc = meta_schema_update(m, (int)version);
	if (rc < 0)
		return fail(err, rc,
			    "cannot bring database '%s' from schema %lld to "
			    "%d: %m",
			    path, (long long)version, META_SCHEMA);
	return 0;
}
