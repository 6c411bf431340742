/* SPDX-License-Identifier: Apache-2.0 */
/* Making, opening and closing the database of a trust. */
#include "meta/internal.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"

#define VALUE_VOLUME "volume"

static struct meta *meta_new(void)
{
	struct meta *m = calloc(1, sizeof(*m));
	pthread_mutexattr_t attr;

	if (!m)
		return NULL;
	/* A transaction inside another one fails instead of hanging. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&m->conn.lock, &attr);
	pthread_mutex_init(&m->look.lock, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_mutex_init(&m->calls_lock, NULL);
	m->calls_tail = &m->calls;
	pthread_mutex_init(&m->checkpoint, NULL);
	pthread_mutex_init(&m->refill, NULL);
	pthread_mutex_init(&m->sync, NULL);
	pthread_mutex_init(&m->lost_lock, NULL);
	pthread_cond_init(&m->synced, NULL);
	/* What is in the log at the start is committed, maybe not durable. */
	atomic_init(&m->committed, 1);
	atomic_init(&m->barrier, true);
	m->rows = meta_rows_new(META_ROWS_DEFAULT);
	if (!m->rows) {
		meta_close(m);
		return NULL;
	}
	return m;
}

void meta_close(struct meta *m)
{
	if (!m)
		return;
	job_stop(m->job);
	meta_conn_done(&m->look);
	meta_conn_done(&m->conn);
	meta_rows_free(m->rows);
	pthread_cond_destroy(&m->synced);
	pthread_mutex_destroy(&m->lost_lock);
	pthread_mutex_destroy(&m->sync);
	pthread_mutex_destroy(&m->refill);
	pthread_mutex_destroy(&m->checkpoint);
	pthread_mutex_destroy(&m->calls_lock);
	pthread_mutex_destroy(&m->look.lock);
	pthread_mutex_destroy(&m->conn.lock);
	free(m);
}

static int meta_create_root(struct meta_txn *t, const struct meta_opts *o)
{
	int64_t now = clock_wall_ns();
	struct meta_inode root = {
		.ino = META_ROOT_INO,
		.mode = S_IFDIR | (o->root_mode & 07777),
		.uid = o->root_uid,
		.gid = o->root_gid,
		.nlink = 2,
		.atime_ns = now,
		.mtime_ns = now,
		.ctime_ns = now,
		.btime_ns = now,
		.state = META_LOCAL,
	};

	return meta_inode_insert(t, &root);
}

int meta_begin_alone(struct meta *m, struct meta_txn *t)
{
	int rc;

	pthread_mutex_lock(&m->conn.lock);
	rc = meta_begin_locked(m, t);
	if (rc < 0)
		pthread_mutex_unlock(&m->conn.lock);
	return rc;
}

static int meta_fill(struct meta *m, const struct meta_opts *o)
{
	META_TXN(t);
	int rc = meta_begin_alone(m, &t);

	if (rc < 0)
		return rc;
	rc = meta_schema_create(&t);
	if (rc == 0)
		rc = meta_ids_create(&t);
	if (rc == 0)
		rc = meta_counts_create(&t);
	if (rc == 0)
		rc = meta_value_set(&t, VALUE_VOLUME, o->volume,
				    sizeof(o->volume));
	if (rc == 0)
		rc = meta_create_root(&t, o);
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

/* Makes the whole database as `path` and closes it, log included. */
static int meta_make(const char *path, const struct meta_opts *o,
		     struct err *err)
{
	CLEANUP(meta_close_guard) struct meta *m = meta_new();
	int rc;

	if (!m)
		return fail(err, -ENOMEM, "cannot create database: %m");
	rc = db_open(path, DB_CREATE, &m->conn.db, err);
	if (rc < 0)
		return rc;
	rc = meta_fill(m, o);
	if (rc == 0)
		rc = meta_checkpoint_now(m);
	if (rc < 0)
		return fail(err, rc, "cannot create database '%s': %m", path);
	return 0;
}

/* What an earlier attempt left. */
static int meta_remove_temp(const char *path)
{
	CLEANUP_FREE char *wal = io_path("%s-wal", path);

	if (!wal)
		return -ENOMEM;
	if (unlink(wal) < 0 && errno != ENOENT)
		return -errno;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int meta_create(const struct meta_opts *o, struct err *err)
{
	CLEANUP_FREE char *temp = io_path("%s.new", o->path);
	int rc;

	if (!temp)
		return fail(err, -ENOMEM, "cannot create database: %m");
	if (access(o->path, F_OK) == 0)
		return fail(err, -EEXIST, "database '%s' exists already",
			    o->path);
	/* Beside its place, so that a half-made one is never opened. */
	rc = meta_remove_temp(temp);
	if (rc < 0)
		return fail(err, rc, "cannot remove '%s': %m", temp);
	rc = meta_make(temp, o, err);
	if (rc < 0) {
		meta_remove_temp(temp);
		return rc;
	}
	rc = link(temp, o->path) < 0 ? -errno : 0;
	unlink(temp);
	if (rc == 0)
		rc = io_sync_parent(o->path);
	if (rc < 0)
		return fail(err, rc, "cannot create database '%s': %m",
			    o->path);
	return 0;
}

static int meta_load(struct meta *m, uint8_t volume[16])
{
	CLEANUP_BUF struct buf b = { 0 };
	META_TXN(t);
	int rc = meta_read(m, &t);

	if (rc == 0)
		rc = meta_ids_load(&t);
	if (rc == 0)
		rc = meta_counts_load(&t);
	if (rc == 0)
		rc = meta_value_get(&t, VALUE_VOLUME, &b);
	if (rc < 0)
		return rc;
	if (b.len != 16)
		return -EUCLEAN;
	memcpy(volume, b.data, 16);
	return meta_commit(&t, NULL);
}

int meta_set_memory(struct meta *m, uint64_t bytes)
{
	struct meta_rows *rows = meta_rows_new(bytes / 4);

	if (!rows)
		return -ENOMEM;
	meta_rows_free(m->rows);
	m->rows = rows;
	return db_set_cache(m->conn.db, (int64_t)(bytes - bytes / 4));
}

/* The job takes the mutex first, and so sees `job`. */
static int meta_start(struct meta *m)
{
	LOCK_SCOPE(&m->conn.lock);
	/* What an earlier run left in the log goes at once. */
	m->checkpoint_ns = clock_boot_ns() - META_CHECKPOINT_NS;
	m->job = job_start("checkpoint", meta_checkpoint_run, m);
	return m->job ? 0 : -errno;
}

int meta_open(const char *path, struct meta **out, uint8_t volume[16],
	      struct err *err)
{
	CLEANUP(meta_close_guard) struct meta *m = meta_new();
	int rc;

	if (!m)
		return fail(err, -ENOMEM, "cannot open database: %m");
	rc = db_open(path, DB_OPEN, &m->conn.db, err);
	if (rc < 0)
		return rc;
	rc = meta_schema_check(m, path, err);
	if (rc < 0)
		return rc;
	rc = meta_load(m, volume);
	if (rc == 0)
		rc = meta_ids_refill(m);
	if (rc < 0)
		return fail(err, rc, "cannot read database '%s': %m", path);
	rc = meta_start(m);
	if (rc < 0)
		return fail(err, rc, "cannot start the checkpoint: %m");
	*out = take(m);
	return 0;
}
