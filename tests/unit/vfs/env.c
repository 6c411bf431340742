/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vfs/env.h"

#include <fcntl.h>

#include "pack/pack.h"

#define VOLUME "0123456789abcdef"

const struct vfs_cred user = { .uid = 1001, .gid = 1002, .pid = 1 };

uint64_t env_cache_size = ENV_CACHE;
const char *env_parent = "/tmp";

static void env_keys(struct env *e)
{
	struct pack_volume_id id;
	struct pack_root root;
	CLEANUP_BUF struct buf text = { 0 }, object = { 0 };

	memcpy(id.b, VOLUME, sizeof(id.b));
	assert_ok(pack_root_new(&root, &text));
	e->kr = pack_keyring_new(&id);
	assert_non_null(e->kr);
	assert_ok(pack_keyring_create(e->kr, &root, 1, &object));
	pack_root_done(&root);
}

static void env_create(struct env *e)
{
	struct err err = ERR_INIT;
	struct meta_opts mo = { .root_mode = 0755,
				.root_uid = geteuid(),
				.root_gid = getegid() };
	char path[128];

	snprintf(path, sizeof(path), "%s/meta.db", e->dir);
	mo.path = path;
	memcpy(mo.volume, VOLUME, 16);
	if (meta_create(&mo, &err) < 0)
		print_error("%s\n", err.msg);
	assert_string_equal(err.msg, "");
}

static void env_meta(struct env *e)
{
	struct err err = ERR_INIT;
	uint8_t volume[16];
	char path[128];

	snprintf(path, sizeof(path), "%s/meta.db", e->dir);
	if (meta_open(path, &e->meta, volume, &err) < 0)
		print_error("%s\n", err.msg);
	assert_string_equal(err.msg, "");
	assert_memory_equal(volume, VOLUME, 16);
}

static void env_cache(struct env *e)
{
	struct err err = ERR_INIT;
	struct cache_opts co = { .dir = e->dir,
				 .size = env_cache_size,
				 .room_wait_ns = NSEC_PER_SEC,
				 .high = 90,
				 .low = 80,
				 .keep_fds = 32 };
	int rc = cache_open(&co, e->meta, (const uint8_t *)VOLUME, &e->cache,
			    &err);

	assert_string_equal(err.msg, "");
	assert_ok(rc);
}

static void env_move(struct env *e, int64_t read_wait_ns)
{
	struct err err = ERR_INIT;
	struct move_opts o = { .settle_ns = 3600 * NSEC_PER_SEC,
			       .read_wait_ns = read_wait_ns,
			       .delete_after_ns = 3600 * NSEC_PER_SEC,
			       .object_size = 4 << 20,
			       .streams = 1,
			       .in_flight = 2,
			       .tier = "near",
			       .storage_class = "" };
	struct move_stores stores = { 0 };
	int i, rc;

	for (i = 0; i < STORE_CAUSE_COUNT; i++)
		stores.cause[i] = e->store;
	rc = move_start(&o, e->meta, e->cache, e->kr, &stores, &e->move, &err);
	assert_string_equal(err.msg, "");
	assert_ok(rc);
}

void env_open(struct env *e, int64_t read_wait_ns)
{
	struct vfs_opts vo = { .handles_max = ENV_HANDLES };

	env_meta(e);
	env_cache(e);
	env_move(e, read_wait_ns);
	assert_ok(vfs_new(&vo, e->meta, e->cache, e->move, &e->v));
}

void env_close(struct env *e)
{
	struct err err = ERR_INIT;
	META_TXN(t);

	vfs_free(e->v);
	move_stop(e->move);
	cache_close(e->cache);
	assert_ok(meta_read(e->meta, &t));
	assert_ok(meta_totals_verify(&t, &err));
	meta_abort(&t);
	meta_close(e->meta);
}

struct env *env_new(int64_t read_wait_ns)
{
	struct env *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	snprintf(e->dir, sizeof(e->dir), "%s/mersey-test-XXXXXX", env_parent);
	assert_non_null(mkdtemp(e->dir));
	env_create(e);
	env_keys(e);
	e->store = store_meter_new(store_fault_new(store_mem_new(), &e->faults),
				   &e->counts, NULL);
	assert_non_null(e->store);
	env_open(e, read_wait_ns);
	return e;
}

void env_free(struct env *e)
{
	env_cache_size = ENV_CACHE;
	env_close(e);
	store_free(e->store);
	pack_keyring_free(e->kr);
	assert_ok(test_rm(e->dir));
	free(e);
}

int env_setup(void **state)
{
	*state = env_new(NSEC_PER_SEC);
	return 0;
}

int env_teardown(void **state)
{
	env_free(*state);
	return 0;
}

/* Looks for up to 20 s. */
#define WAIT_UNTIL(cond)                                    \
	do {                                                \
		int wait_i;                                 \
		for (wait_i = 0; wait_i < 4000; wait_i++) { \
			if (cond)                           \
				break;                      \
			clock_sleep_ns(5000000);            \
		}                                           \
		assert_true(cond);                          \
	} while (0)

static uint64_t env_dirty(struct env *e)
{
	struct meta_totals tot;
	META_TXN(t);

	assert_ok(meta_read(e->meta, &t));
	assert_ok(meta_totals(&t, &tot));
	return tot.dirty_files;
}

void env_protect(struct env *e)
{
	int i;

	for (i = 0; i < 400 && env_dirty(e) > 0; i++) {
		if (i % 20 == 0)
			move_protect_now(e->move, 0);
		clock_sleep_ns(10000000);
	}
	assert_int_equal(env_dirty(e), 0);
}

void env_evict(struct env *e, uint64_t ino)
{
	uint64_t freed;
	int i, rc = -EBUSY;

	for (i = 0; i < 400 && rc == -EBUSY; i++) { /* protect lets go */
		rc = cache_evict(e->cache, ino, &freed);
		if (rc == -EBUSY)
			clock_sleep_ns(5000000);
	}
	assert_ok(rc);
	vfs_invalidate(e->v, ino);
}

static int env_orphans(struct env *e)
{
	uint64_t ino;
	META_TXN(t);

	assert_ok(meta_read(e->meta, &t));
	return meta_orphans(&t, 0, &ino, 1);
}

void env_reaped(struct env *e)
{
	WAIT_UNTIL(env_orphans(e) == 0);
}

static int env_row(struct env *e, uint64_t ino, struct meta_inode *in)
{
	META_TXN(t);

	assert_ok(meta_read(e->meta, &t));
	return meta_inode_get(&t, ino, in);
}

bool env_has_row(struct env *e, uint64_t ino)
{
	struct meta_inode in;

	return env_row(e, ino, &in) == 0;
}

enum meta_state env_state(struct env *e, uint64_t ino)
{
	struct meta_inode in;

	assert_ok(env_row(e, ino, &in));
	return in.state;
}

uint64_t env_file(struct env *e, uint64_t parent, const char *name)
{
	struct vfs_entry out;
	uint64_t fh;

	assert_ok(vfs_create(e->v, &user, parent, name, 0644,
			     O_RDWR | O_CREAT | O_EXCL, &out, &fh));
	assert_ok(vfs_release(e->v, fh));
	return out.ino;
}

uint64_t env_dir(struct env *e, uint64_t parent, const char *name)
{
	struct vfs_entry out;

	assert_ok(vfs_mkdir(e->v, &user, parent, name, 0755, &out));
	return out.ino;
}

uint64_t env_data(struct env *e, uint64_t parent, const char *name, size_t n)
{
	uint8_t *data = malloc(n + 1);
	struct vfs_entry out;
	uint64_t fh;
	size_t i;

	assert_non_null(data);
	for (i = 0; i < n; i++)
		data[i] = env_byte(i);
	assert_ok(vfs_create(e->v, &user, parent, name, 0644,
			     O_RDWR | O_CREAT | O_EXCL, &out, &fh));
	assert_int_equal(vfs_write(e->v, fh, data, n, 0), n);
	assert_ok(vfs_release(e->v, fh));
	free(data);
	return out.ino;
}

struct stat env_stat(struct env *e, uint64_t ino)
{
	struct vfs_entry out;

	assert_ok(vfs_getattr(e->v, ino, &out));
	assert_int_equal(out.attr.st_ino, ino);
	return out.attr;
}

void env_reap_looks(struct env *e)
{
	uint64_t f = env_file(e, META_ROOT_INO, "reap me");

	assert_ok(vfs_unlink(e->v, &user, META_ROOT_INO, "reap me"));
	WAIT_UNTIL(!env_has_row(e, f)); /* it goes by number, upwards */
}
