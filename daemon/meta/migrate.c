/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The version of the tables, and how an older database becomes one of this
 * version: first a copy of it, durable beside it as <database>.schemaN, then
 * all steps in one transaction. Whoever dies or fails in between leaves the
 * old version, and the next start does it again.
 *
 * A copy is never written over. One that is of this very database (the last
 * start failed after it) serves again, an older one is set aside with its
 * time.
 */
#include "meta/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/log.h"

static int version_read(struct db *db, int64_t *version)
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

/* ---- the copy ------------------------------------------------------- */

/* Appends what changes with every start of a worker: id blocks never come
 * back. */
static int blocks_read(struct db *db, struct buf *out)
{
	struct db_stmt *st;
	int rc = db_prepare(db, "SELECT kind, upper FROM idblock ORDER BY kind",
			    &st);

	if (rc < 0)
		return rc;
	while ((rc = db_step(st)) == 1) {
		rc = buf_addf(out, "%lld %lld\n", (long long)db_int(st, 0),
			      (long long)db_int(st, 1));
		if (rc < 0)
			break;
	}
	db_finish(st);
	return rc;
}

/* Is it a copy of this database as it is? What cannot be read is none. */
static bool copy_serves(struct db *db, const char *copy, int64_t version)
{
	CLEANUP(db_close_guard) struct db *old = NULL;
	CLEANUP_BUF struct buf a = { 0 }, b = { 0 };
	int64_t v = 0;

	return db_open(copy, DB_OPEN, &old, NULL) == 0 &&
	       version_read(old, &v) == 0 && v == version &&
	       blocks_read(old, &a) == 0 && blocks_read(db, &b) == 0 &&
	       buf_str(&a) && buf_str(&b) &&
	       strcmp((char *)a.data, (char *)b.data) == 0;
}

static int copy_set_aside(const char *copy)
{
	CLEANUP_FREE char *to = NULL;
	char when[32];
	struct stat st;
	struct tm tm;

	if (stat(copy, &st) < 0)
		return -errno;
	gmtime_r(&st.st_mtim.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	to = io_path("%s-%s", copy, when);
	if (!to)
		return -ENOMEM;
	return renameat2(AT_FDCWD, copy, AT_FDCWD, to, RENAME_NOREPLACE) < 0
		       ? -errno
		       : 0;
}

static int copy_make(struct db *db, const char *copy, int64_t version)
{
	int rc = access(copy, F_OK) == 0 ? 0 : -errno;

	if (rc == 0 && copy_serves(db, copy, version))
		return 0;
	if (rc == 0)
		rc = copy_set_aside(copy);
	return rc < 0 && rc != -ENOENT ? rc : db_copy(db, copy);
}

/* ---- the steps ------------------------------------------------------ */

static int migrate_run(struct meta *m, int from)
{
	META_TXN(t);
	int rc = meta_begin_alone(m, &t);

	if (rc == 0)
		rc = meta_schema_run(&t, from);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

static int migrate(struct meta *m, const char *path, int64_t version,
		   struct err *err)
{
	CLEANUP_FREE char *copy =
		io_path("%s.schema%lld", path, (long long)version);
	int rc = copy ? copy_make(m->conn.db, copy, version) : -ENOMEM;

	if (rc < 0) {
		rc = fail(err, rc,
			  "cannot copy database '%s' before it is brought from "
			  "schema %lld to %d: %m",
			  path, (long long)version, META_SCHEMA);
		return fail_hint(err, rc,
				 "the copy needs as much room beside it as the "
				 "database has");
	}
	rc = migrate_run(m, (int)version);
	if (rc < 0)
		return fail(err, rc,
			    "cannot bring database '%s' from schema %lld to "
			    "%d: %m",
			    path, (long long)version, META_SCHEMA);
	log_info("database '%s' was brought from schema %lld to %d; as it was: "
		 "'%s'",
		 path, (long long)version, META_SCHEMA, copy);
	return 0;
}

int meta_schema_check(struct meta *m, const char *path, struct err *err)
{
	int64_t version = 0;
	int rc = version_read(m->conn.db, &version);

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
	return version < META_SCHEMA ? migrate(m, path, version, err) : 0;
}
