/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the databases of older versions in tests/data hold: filled by the
 * version that made them, compared by every later one. Only the interface of
 * meta.h is used, so both are the same text for all versions.
 *
 * A version that changes the schema makes its own before it is changed
 * again: test-meta-migrate --make tests/data/meta-vN.db
 */
#ifndef MERSEY_TESTS_META_OLD_DB_H
#define MERSEY_TESTS_META_OLD_DB_H

#include "tests/unit/meta/util.h"

#include "meta/tiering.h"

#define OLD_FRAME META_FRAME_SIZE
#define OLD_DAY	  20000
#define OLD_STUDY "1.2.826.0.1.3680043.8.498.1"

/* One of each kind of inode. `name` NULL: unlinked, not yet reaped. */
static const struct old_file {
	const char *dir, *name;
	uint32_t mode;
	uint64_t size;
	enum meta_state state;
	bool damaged, opened;
	uint64_t cached;
} old_files[] = {
	{ "", "pacs", S_IFDIR | 02770, 0, META_LOCAL, 0, 0, 0 },
	{ "pacs", "ct", S_IFDIR | 0750, 0, META_LOCAL, 0, 0, 0 },
	{ "pacs/ct", "dirty", S_IFREG | 0640, 10, META_DIRTY, 0, 0, 4096 },
	{ "pacs/ct", "open", S_IFREG | 0640, 20, META_DIRTY, 0, 1, 4096 },
	{ "pacs/ct", "bad", S_IFREG | 0640, 30, META_DIRTY, 1, 0, 4096 },
	{ "pacs/ct", "local", S_IFREG | 0640, 100000, META_LOCAL, 0, 0,
	  102400 },
	{ "pacs/ct", "partial", S_IFREG | 0440, 3 * OLD_FRAME, META_PARTIAL, 0,
	  0, OLD_FRAME },
	{ "pacs/ct", "remote", S_IFREG | 0644, OLD_FRAME + 1, META_REMOTE, 0, 0,
	  0 },
	{ "pacs/ct", "archived", S_IFREG | 0644, 1ULL << 40, META_ARCHIVED, 0,
	  0, 0 },
	{ "pacs/ct", "recalling", S_IFREG | 0644, 5000, META_RECALLING, 0, 0,
	  0 },
	{ "", "latest", S_IFLNK | 0777, 7, META_LOCAL, 0, 0, 0 },
	{ "", "fifo", S_IFIFO | 0600, 0, META_LOCAL, 0, 0, 0 },
	{ "", "caf\xc3\xa9 \xff", S_IFREG | 0600, 0, META_DIRTY, 0, 0, 0 },
	{ NULL, NULL, S_IFREG | 0600, 4321, META_DIRTY, 0, 0, 8192 },
	{ NULL, NULL, S_IFREG | 0600, 1234, META_REMOTE, 0, 0, 0 },
	{ NULL, NULL, S_IFSOCK | 0600, 0, META_LOCAL, 0, 0, 0 },
};

static inline uint64_t old_find(struct meta_txn *t, const char *dir_path,
				const char *name)
{
	uint64_t parent, ino;

	assert_int_equal(meta_resolve(t, dir_path, strlen(dir_path), &parent),
			 0);
	assert_int_equal(meta_dirent_get(t, parent, name, strlen(name), &ino),
			 0);
	return ino;
}

static inline struct meta_inode old_row(size_t i)
{
	const struct old_file *f = &old_files[i];
	int64_t s = (int64_t)(1700000000 + i) * 1000000000;

	return (struct meta_inode){
		.generation = 1,
		.mode = f->mode,
		.uid = 1000 + (uint32_t)i,
		.gid = 2000,
		.nlink = f->name ? 1 : 0,
		.size = f->size,
		.atime_ns = s + 1,
		.mtime_ns = s + 2,
		.ctime_ns = s + 3,
		.btime_ns = s + 4,
		.state = f->state,
		.damaged = f->damaged,
		.opened_for_write = f->opened,
		.dirty_ns = f->state == META_DIRTY ? s + 5 : 0,
		.settle_ns = s + 6,
		.protected_ns = f->state == META_DIRTY ? 0 : s + 7,
		.access_ns = s + 8,
		.cached_bytes = f->cached,
	};
}

static inline void old_fill_file(struct meta_txn *t, size_t i)
{
	const struct old_file *f = &old_files[i];
	struct meta_inode in = old_row(i);
	uint64_t parent;

	assert_int_equal(meta_new_ino(t, &in.ino), 0);
	assert_int_equal(meta_new_version(t, &in.content_version), 0);
	in.meta_version = in.content_version;
	assert_int_equal(meta_inode_insert(t, &in), 0);
	if (S_ISLNK(f->mode))
		assert_int_equal(meta_symlink_set(t, in.ino, "pacs/ct"), 0);
	if (!f->name)
		return;
	assert_int_equal(meta_resolve(t, f->dir, strlen(f->dir), &parent), 0);
	assert_int_equal(
		meta_dirent_insert(t, parent, f->name, strlen(f->name), in.ino),
		0);
}

static inline uint64_t old_fill_pack(struct meta_txn *t, unsigned n)
{
	struct meta_pack p = { .generation = n, .created_ns = n, .length = 7 };

	memset(p.id, (int)n, sizeof(p.id));
	memset(p.salt, 0x5a, sizeof(p.salt));
	snprintf(p.object, sizeof(p.object), "packs/%u", n);
	snprintf(p.tier, sizeof(p.tier), "near");
	snprintf(p.storage_class, sizeof(p.storage_class), "STANDARD");
	assert_int_equal(meta_pack_intend(t, &p), 0);
	return p.row;
}

static inline void old_fill_packs(struct meta_txn *t)
{
	struct meta_pack stored = { .row = old_fill_pack(t, 1),
				    .length = 5 * OLD_FRAME };
	uint64_t condemned = old_fill_pack(t, 2);
	uint32_t table[3] = { 100, 200, 300 };
	struct meta_extent e = {
		.ino = old_find(t, "pacs/ct", "partial"),
		.len = 3 * OLD_FRAME,
		.pack = stored.row,
		.pack_off = 128,
		.first_frame = 2,
		.frames = 3,
		.table = table,
	};

	memset(stored.digest, 0xd1, sizeof(stored.digest));
	assert_int_equal(meta_pack_stored(t, &stored), 0);
	assert_int_equal(meta_extent_insert(t, &e), 0);
	assert_int_equal(meta_pack_condemn(t, condemned, 77), 0);
	old_fill_pack(t, 3); /* stays an intent */
}

static inline void old_fill_rest(struct meta_txn *t)
{
	uint8_t bits[META_PRESENCE_FRAMES / 8] = { 2 };
	struct meta_ledger l = { .day = OLD_DAY,
				 .tier = "near",
				 .cause = "protect",
				 .puts = 12,
				 .in_bytes = 34 };
	uint64_t local = old_find(t, "pacs/ct", "local"), parent;
	struct meta_inode in;

	assert_int_equal(meta_presence_put(t, old_find(t, "pacs/ct", "partial"),
					   0, bits),
			 0);
	assert_int_equal(meta_xattr_set(t, local, "user.DOSATTRIB", "0x20", 4),
			 0);
	assert_int_equal(meta_xattr_set(t, local, "user.empty", "", 0), 0);
	/* A second name. */
	assert_int_equal(meta_resolve(t, "pacs", 4, &parent), 0);
	assert_int_equal(meta_dirent_insert(t, parent, "twin", 4, local), 0);
	assert_int_equal(meta_inode_get(t, local, &in), 0);
	in.nlink = 2;
	assert_int_equal(meta_inode_update(t, &in), 0);
	assert_int_equal(meta_ledger_add(t, &l), 0);
	l.day++;
	assert_int_equal(meta_ledger_add(t, &l), 0);
	assert_int_equal(meta_value_set(t, "test", "value", 5), 0);
}

/* Since schema 3: a file of a study, and the pack that is all of it. */
static inline void old_fill_study(struct meta_txn *t)
{
	struct meta_study s = { .uid = OLD_STUDY,
				.patient = "9434765919",
				.date = 20261129,
				.modality = "CT" };
	struct meta_pack stored = { .row = old_fill_pack(t, 4), .length = 9 };
	uint64_t ino = old_find(t, "pacs/ct", "dirty");
	struct meta_instance at = { .series = 1, .number = 2 };
	struct meta_inode in;

	assert_int_equal(meta_study_put(t, &s), 0);
	at.study = stored.study = s.row;
	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	assert_int_equal(meta_instance_set(t, ino, in.content_version, &at), 0);
	assert_int_equal(meta_pack_stored(t, &stored), 0);
}

/* Since schema 6: which generation is ours, and which version a pack is. */
static inline void old_fill_claim(struct meta_txn *t)
{
	struct meta_claim claim = { .generation = 9, .len = 4, .text = "ours" };
	struct meta_pack stored = { .row = old_fill_pack(t, 5),
				    .length = 11,
				    .version = "v1" };

	assert_int_equal(meta_claim_intend(t, &claim), 0);
	assert_int_equal(meta_claim_held(t, 9, 77), 0);
	assert_int_equal(meta_pack_stored(t, &stored), 0);
}

/* Since schema 7: terms of a pack, an order, a pin, a plan with its run, and
 * what is billed beside requests. */
static inline void old_fill_tiering(struct meta_txn *t)
{
	struct meta_pack stored = { .row = old_fill_pack(t, 6),
				    .length = 13,
				    .billed = 100,
				    .stored_ns = 5,
				    .keep_ns = 6 };
	struct meta_restore order = { .pack = stored.row, .cause = "read" };
	struct meta_pin pin = { .ino = META_ROOT_INO, .cause = "pin" };
	struct meta_plan plan = { .name = "0123456789abcdef", .items = 1 };
	struct meta_plan_item item = { .seq = 1, .target = "deep" };
	struct meta_run run = { .trigger = "apply", .cost = "1.5" };
	struct meta_ledger_item l = { .day = OLD_DAY,
				      .kind = META_LEDGER_EARLY,
				      .whole = 7 };
	struct meta_reread reread = { .month = 600, .age = 2, .files = 3 };

	assert_int_equal(meta_pack_stored(t, &stored), 0);
	assert_int_equal(meta_restore_put(t, &order), 0);
	assert_int_equal(meta_pin_add(t, &pin), 0);
	assert_int_equal(
		meta_pin_file(t, pin.id, old_find(t, "pacs/ct", "local")), 0);
	assert_int_equal(meta_plan_add(t, &plan), 0);
	item.plan = run.plan = plan.id;
	assert_int_equal(meta_plan_item_add(t, &item), 0);
	assert_int_equal(meta_run_add(t, &run), 0);
	assert_int_equal(meta_ledger_item_add(t, &l), 0);
	assert_int_equal(meta_reread_add(t, &reread), 0);
}

static inline void old_fill(void)
{
	META_TXN(t);
	size_t i;

	begin(&t);
	for (i = 0; i < ARRAY_SIZE(old_files); i++)
		old_fill_file(&t, i);
	old_fill_packs(&t);
	old_fill_rest(&t);
	old_fill_study(&t);
	old_fill_claim(&t);
	old_fill_tiering(&t);
	commit(&t);
}

/* ---- comparing ------------------------------------------------------ */

static inline void old_check_row(struct meta_txn *t, uint64_t ino, size_t i)
{
	struct meta_inode want = old_row(i), in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	if (!S_ISREG(want.mode)) /* what only regular files have */
		want.dirty_ns = want.settle_ns = want.protected_ns = 0;
	if (strcmp(old_files[i].name ? old_files[i].name : "", "local") == 0)
		want.nlink = 2;
	want.ino = ino;
	assert_true(in.content_version > 0 &&
		    in.meta_version == in.content_version);
	want.content_version = want.meta_version = in.content_version;
	assert_int_equal(in.generation, want.generation);
	assert_int_equal(in.mode, want.mode);
	assert_int_equal(in.uid, want.uid);
	assert_int_equal(in.gid, want.gid);
	assert_int_equal(in.nlink, want.nlink);
	assert_int_equal(in.size, want.size);
	assert_int_equal(in.atime_ns, want.atime_ns);
	assert_int_equal(in.mtime_ns, want.mtime_ns);
	assert_int_equal(in.ctime_ns, want.ctime_ns);
	assert_int_equal(in.btime_ns, want.btime_ns);
	assert_int_equal(in.state, want.state);
	assert_int_equal(in.damaged, want.damaged);
	assert_int_equal(in.opened_for_write, want.opened_for_write);
	assert_int_equal(in.dirty_ns, want.dirty_ns);
	assert_int_equal(in.settle_ns, want.settle_ns);
	assert_int_equal(in.protected_ns, want.protected_ns);
	assert_int_equal(in.access_ns, want.access_ns);
	assert_int_equal(in.cached_bytes, want.cached_bytes);
}

static inline void old_check_files(struct meta_txn *t)
{
	uint64_t orphan[8];
	size_t i, k = 0;

	assert_int_equal(meta_orphans(t, 0, orphan, 8), 3);
	for (i = 0; i < ARRAY_SIZE(old_files); i++) {
		const struct old_file *f = &old_files[i];

		old_check_row(
			t, f->name ? old_find(t, f->dir, f->name) : orphan[k++],
			i);
	}
	assert_int_equal(old_find(t, "pacs", "twin"),
			 old_find(t, "pacs/ct", "local"));
}

static inline void old_check_packs(struct meta_txn *t)
{
	struct meta_pack p;
	struct meta_pack_totals n[2];
	struct meta_extent e;

	assert_int_equal(meta_pack_list(t, META_PACK_STORED, 0, 100, &p, 1), 1);
	assert_int_equal(p.length, 5 * OLD_FRAME);
	assert_int_equal(p.digest[31], 0xd1);
	assert_int_equal(p.salt[31], 0x5a);
	assert_int_equal(p.extents, 1);
	assert_string_equal(p.object, "packs/1");
	assert_int_equal(p.billed, p.length);
	assert_int_equal(p.stored_ns, p.created_ns);
	assert_int_equal(p.keep_ns, 0);
	assert_int_equal(meta_extent_list(t, old_find(t, "pacs/ct", "partial"),
					  0, OLD_FRAME, &e, 1),
			 1);
	assert_int_equal(e.pack, p.row);
	assert_int_equal(e.pack_off, 128);
	assert_int_equal(e.first_frame, 2);
	assert_int_equal(e.frames, 3);
	assert_int_equal(e.table[2], 300);
	meta_extent_done(&e);
	assert_int_equal(meta_pack_list(t, META_PACK_CONDEMNED, 0, 100, &p, 1),
			 1);
	assert_int_equal(p.condemned_ns, 77);
	assert_int_equal(meta_pack_list(t, META_PACK_INTENT, 0, 100, &p, 1), 1);
	assert_int_equal(meta_pack_totals(t, n, 2), 1);
	assert_string_equal(n[0].storage_class, "STANDARD");
	assert_int_equal(n[0].billed - n[0].bytes,
			 meta_pack_find(t, "packs/6", &p.row) == 0 ? 87 : 0);
}

static inline void old_check_rest(struct meta_txn *t)
{
	uint8_t bits[META_PRESENCE_FRAMES / 8];
	CLEANUP_BUF struct buf b = { 0 };
	struct meta_ledger l[3];

	assert_int_equal(meta_presence_get(t, old_find(t, "pacs/ct", "partial"),
					   0, bits),
			 0);
	assert_int_equal(bits[0], 2);
	assert_int_equal(meta_symlink_get(t, old_find(t, "", "latest"), &b), 0);
	assert_int_equal(meta_xattr_get(t, old_find(t, "pacs/ct", "local"),
					"user.DOSATTRIB", &b),
			 0);
	assert_int_equal(meta_value_get(t, "test", &b), 0);
	assert_string_equal(buf_str(&b), "pacs/ct0x20value");
	b.len = 0;
	assert_int_equal(
		meta_xattr_list(t, old_find(t, "pacs/ct", "local"), &b), 0);
	assert_int_equal(b.len,
			 sizeof("user.DOSATTRIB") + sizeof("user.empty"));
	assert_int_equal(meta_ledger_list(t, 0, OLD_DAY + 9, 0, l, 3), 2);
	assert_int_equal(l[1].day, OLD_DAY + 1);
	assert_int_equal(l[1].puts, 12);
	assert_int_equal(l[1].in_bytes, 34);
}

/* An older database has no study; all that waits has its header read. */
static inline void old_check_study(struct meta_txn *t)
{
	uint64_t ino = old_find(t, "pacs/ct", "dirty");
	struct meta_unread unread[8];
	struct meta_instance at;
	struct meta_study s;
	struct meta_pack p;

	if (meta_study_find(t, OLD_STUDY, &s) == -ENOENT) {
		assert_int_equal(meta_instance_get(t, ino, &at), -ENODATA);
		assert_int_equal(meta_unread(t, 0, unread, 8), 2);
		assert_int_equal(unread[0].ino, ino);
		return;
	}
	assert_int_equal(s.date, 20261129);
	assert_int_equal(meta_instance_get(t, ino, &at), 0);
	assert_int_equal(at.study, s.row);
	assert_int_equal(at.number, 2);
	assert_int_equal(meta_unread(t, 0, unread, 8), 1);
	assert_int_equal(meta_pack_study(t, s.row, 0, &p, 1), 1);
	assert_string_equal(p.object, "packs/4");
}

static inline void old_check_claim(struct meta_txn *t)
{
	struct meta_claim claim;
	struct meta_pack p;
	uint64_t row;

	if (meta_claim_last(t, &claim) == -ENOENT)
		return; /* an older database */
	assert_int_equal(claim.generation, 9);
	assert_int_equal(claim.held_ns, 77);
	assert_int_equal(meta_pack_find(t, "packs/5", &row), 0);
	assert_int_equal(meta_pack_get(t, row, &p), 0);
	assert_string_equal(p.version, "v1");
}

static inline void old_check_tiering(struct meta_txn *t)
{
	uint64_t ino = old_find(t, "pacs/ct", "local"), row;
	struct meta_ledger_item l;
	struct meta_plan_item item;
	struct meta_restore order;
	struct meta_reread reread;
	struct meta_plan plan;
	struct meta_run run;

	if (meta_pack_find(t, "packs/6", &row) == -ENOENT)
		return; /* an older database */
	assert_int_equal(meta_restore_get(t, row, &order), 0);
	assert_string_equal(order.cause, "read");
	assert_int_equal(meta_pinned(t, ino, 1), 1);
	assert_int_equal(meta_plan_find(t, "0123456789abcdef", &plan), 0);
	assert_int_equal(meta_plan_items(t, plan.id, 0, true, &item, 1), 1);
	assert_string_equal(item.target, "deep");
	assert_int_equal(meta_run_list(t, 0, &run, 1), 1);
	assert_string_equal(run.cost, "1.5");
	assert_int_equal(meta_ledger_items(t, 0, OLD_DAY + 1, 0, &l, 1), 1);
	assert_int_equal(l.whole, 7);
	assert_int_equal(meta_rereads(t, 0, 0, &reread, 1), 1);
	assert_int_equal(reread.files, 3);
}

/* Everything that old_fill() made is there, and can be worked with. */
static inline void old_check(void)
{
	uint64_t ino, old;
	META_TXN(t);

	reading(&t);
	old_check_files(&t);
	old_check_packs(&t);
	old_check_rest(&t);
	old_check_study(&t);
	old_check_claim(&t);
	old_check_tiering(&t);
	old = old_find(&t, "", "fifo");
	meta_abort(&t);
	util_verify(m);
	/* Ids go on behind the old ones. */
	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "new");
	assert_true(ino > old);
	commit(&t);
}

#endif
