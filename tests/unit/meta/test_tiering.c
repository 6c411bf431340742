/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tiering: places of packs, subjects, orders, pins, plans, bills. */
#include "tests/unit/meta/util.h"

#include "meta/tiering.h"

#define FRAME META_FRAME_SIZE

static uint64_t an_intent(struct meta_txn *t, unsigned n, const char *tier,
			  const char *storage_class)
{
	struct meta_pack p = { .created_ns = 1000 + n, .length = 500 };

	memset(p.id, (int)n, sizeof(p.id));
	snprintf(p.object, sizeof(p.object), "packs/%u", n);
	snprintf(p.tier, sizeof(p.tier), "%s", tier);
	snprintf(p.storage_class, sizeof(p.storage_class), "%s", storage_class);
	assert_int_equal(meta_pack_intend(t, &p), 0);
	return p.row;
}

static uint64_t a_pack(struct meta_txn *t, unsigned n, const char *tier,
		       uint64_t study)
{
	struct meta_pack p = { .row = an_intent(t, n, tier, "IA"),
			       .length = 500,
			       .version = "v",
			       .billed = 1000,
			       .stored_ns = 50,
			       .keep_ns = 60,
			       .study = study };

	p.version[1] = (char)('0' + n);
	assert_int_equal(meta_pack_stored(t, &p), 0);
	return p.row;
}

static void an_extent(struct meta_txn *t, uint64_t ino, uint64_t off,
		      uint64_t pack, uint64_t at)
{
	uint32_t table[2] = { 100 | 0x80000000u, 10 | 0x40000000u };
	struct meta_extent e = { .ino = ino,
				 .off = off,
				 .len = 2 * FRAME,
				 .pack = pack,
				 .pack_off = at,
				 .frames = 2,
				 .table = table };

	assert_int_equal(meta_extent_insert(t, &e), 0);
}

/* ---- places ----------------------------------------------------------- */

static void placed(struct meta_txn *t, uint64_t row, uint64_t length)
{
	struct meta_pack p = { .row = row,
			       .length = length,
			       .version = "new",
			       .billed = 800,
			       .stored_ns = 70,
			       .keep_ns = 90 };

	assert_int_equal(meta_pack_placed(t, &p), 0);
}

static void check_place(struct meta_txn *t, uint64_t row, const char *object,
			const char *tier, const char *version, uint64_t billed,
			int64_t keep_ns)
{
	struct meta_pack p;

	assert_int_equal(meta_pack_get(t, row, &p), 0);
	assert_string_equal(p.object, object);
	assert_string_equal(p.tier, tier);
	assert_string_equal(p.version, version);
	assert_int_equal(p.billed, billed);
	assert_int_equal(p.keep_ns, keep_ns);
	assert_int_equal(p.length, 500);
}

static void test_relocate(void **state)
{
	struct meta_restore order = { .days = 3, .cause = "policy" };
	struct meta_pack_totals n[3];
	struct meta_pack p;
	uint64_t row, to, ino;
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	row = a_pack(&t, 1, "near", 0);
	an_extent(&t, ino, 0, row, 0);
	order.pack = row;
	assert_int_equal(meta_restore_put(&t, &order), 0);
	to = an_intent(&t, 2, "deep", "DEEP");
	placed(&t, to, 500);
	assert_int_equal(meta_pack_relocate(&t, row, to, 77), 0);
	check_place(&t, row, "packs/2", "deep", "new", 800, 90);
	check_place(&t, to, "packs/1", "near", "v1", 1000, 60);
	assert_int_equal(meta_pack_get(&t, row, &p), 0);
	assert_int_equal(p.state, META_PACK_STORED);
	assert_int_equal(p.extents, 1);
	assert_int_equal(p.id[0], 1); /* the bytes are what they were */
	assert_int_equal(meta_pack_get(&t, to, &p), 0);
	assert_int_equal(p.state, META_PACK_CONDEMNED);
	assert_int_equal(p.condemned_ns, 77);
	/* Both are billed until the old one is gone. */
	assert_int_equal(meta_pack_totals(&t, n, 3), 2);
	assert_string_equal(n[0].tier, "deep");
	assert_int_equal(n[0].objects, 1);
	assert_int_equal(n[0].billed, 800);
	assert_int_equal(n[1].billed, 1000);
	/* The order was one of the old object, and goes with it. */
	assert_int_equal(meta_restore_get(&t, row, &order), -ENOENT);
	assert_int_equal(meta_restore_get(&t, to, &order), 0);
	assert_int_equal(meta_pack_delete(&t, to), 0);
	assert_int_equal(meta_restore_get(&t, to, &order), -ENOENT);
	assert_int_equal(meta_pack_totals(&t, n, 3), 1);
	commit(&t);
}

static void test_relocate_stale(void **state)
{
	uint64_t row, to, ino;
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	row = a_pack(&t, 1, "near", 0);
	an_extent(&t, ino, 0, row, 0);
	to = an_intent(&t, 2, "deep", "DEEP");
	placed(&t, to, 500);
	/* Its file was written anew meanwhile. */
	assert_int_equal(meta_extent_clear(&t, ino, NULL, 0, 5), 0);
	assert_int_equal(meta_pack_relocate(&t, row, to, 77), -ESTALE);
	check_place(&t, row, "packs/1", "near", "v1", 1000, 60);
	assert_int_equal(meta_pack_delete(&t, row), 0);
	assert_int_equal(meta_pack_relocate(&t, row, to, 77), -ESTALE);
	/* What was copied is condemned, and billed until it is gone. */
	assert_int_equal(meta_pack_condemn(&t, to, 78), 0);
	commit(&t);
}

static void relocate_fails(uint64_t row, uint64_t to)
{
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_pack_relocate(&t, row, to, 77), -EINVAL);
	assert_true(meta_commit(&t, NULL) < 0);
}

static void test_relocate_states(void **state)
{
	uint64_t row, other, intent, longer, ino;
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	row = a_pack(&t, 1, "near", 0);
	other = a_pack(&t, 2, "near", 0);
	an_extent(&t, ino, 0, row, 0);
	intent = an_intent(&t, 3, "deep", "DEEP");
	longer = an_intent(&t, 4, "deep", "DEEP");
	placed(&t, longer, 501);
	commit(&t);
	relocate_fails(row, other);
	relocate_fails(intent, longer);
	relocate_fails(row, longer); /* those are not the same bytes */
}

static void test_in_tier(void **state)
{
	static const char *const deep[] = { "archive", "deep" };
	uint64_t a, b, ino, row[4];
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	a = a_pack(&t, 1, "near", 0);
	b = a_pack(&t, 2, "deep", 0);
	an_extent(&t, ino, 0, a, 0);
	an_extent(&t, ino, 4 * FRAME, a, 900);
	assert_int_equal(meta_extent_in_tier(&t, ino, deep, 2), 0);
	an_extent(&t, ino, 2 * FRAME, b, 0);
	assert_int_equal(meta_extent_in_tier(&t, ino, deep, 2), 1);
	assert_int_equal(meta_extent_in_tier(&t, ino, deep, 0), 0);
	assert_int_equal(meta_extent_packs(&t, ino, 0, row, 4), 2);
	assert_true(row[0] == MIN(a, b) && row[1] == MAX(a, b));
	assert_int_equal(meta_extent_packs(&t, ino, row[0], row, 4), 1);
	commit(&t);
}

static void test_uses(void **state)
{
	struct meta_pack_use use[4];
	uint64_t a, b, one, two;
	META_TXN(t);

	begin(&t);
	one = make_file(&t, META_ROOT_INO, "1");
	two = make_file(&t, META_ROOT_INO, "2");
	a = a_pack(&t, 1, "near", 0);
	b = a_pack(&t, 2, "deep", 0);
	an_intent(&t, 3, "deep", "DEEP");
	an_extent(&t, one, 0, a, 0);
	an_extent(&t, one, 4 * FRAME, a, 200);
	an_extent(&t, two, 0, a, 400);
	assert_int_equal(meta_pack_uses(&t, 0, use, 4), 2);
	assert_int_equal(use[0].row, a);
	assert_int_equal(use[0].length, 500);
	assert_int_equal(use[0].live_stored, 330);
	assert_int_equal(use[0].live_files, 2);
	assert_int_equal(use[0].keep_ns, 60);
	assert_string_equal(use[0].tier, "near");
	assert_string_equal(use[0].storage_class, "IA");
	assert_int_equal(use[1].live_stored, 0);
	assert_int_equal(meta_pack_uses(&t, a, use, 4), 1);
	assert_int_equal(use[0].row, b);
	commit(&t);
}

static void in_study(struct meta_txn *t, uint64_t ino, uint64_t study)
{
	struct meta_instance at = { .study = study };
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	assert_int_equal(meta_instance_set(t, ino, in.content_version, &at), 0);
}

static void test_shares(void **state)
{
	struct meta_pack_share share[4];
	uint64_t pack, one, two, none;
	META_TXN(t);

	begin(&t);
	one = make_file(&t, META_ROOT_INO, "1");
	two = make_file(&t, META_ROOT_INO, "2");
	none = make_file(&t, META_ROOT_INO, "3");
	in_study(&t, one, 7);
	in_study(&t, two, 8);
	pack = a_pack(&t, 1, "near", 0);
	assert_int_equal(meta_pack_shares(&t, pack, share, 4), 0);
	an_extent(&t, one, 0, pack, 0);
	an_extent(&t, two, 0, pack, 200);
	an_extent(&t, two, 4 * FRAME, pack, 400);
	an_extent(&t, none, 0, pack, 600);
	assert_int_equal(meta_pack_shares(&t, pack, share, 4), 3);
	assert_int_equal(share[0].study, 8);
	assert_int_equal(share[0].bytes, 4 * FRAME);
	assert_int_equal(share[1].study, 0);
	assert_int_equal(share[2].study, 7);
	assert_int_equal(share[2].bytes, 2 * FRAME);
	assert_int_equal(meta_pack_shares(&t, pack, share, 1), 1);
	commit(&t);
}

/* ---- subjects --------------------------------------------------------- */

static void test_subjects(void **state)
{
	struct meta_subject s[4], one;
	struct meta_pin pin = { .cause = "pin" };
	struct meta_instance at = { 0 };
	struct meta_study study = { .uid = "1.2", .patient = "P1" };
	uint64_t a, b, pack, ino[4];
	struct meta_inode in;
	META_TXN(t);

	begin(&t);
	a = make_file(&t, make_dir(&t, META_ROOT_INO, "dir"), "a");
	b = make_file(&t, META_ROOT_INO, "b");
	make_inode(&t, S_IFLNK | 0777, 0);
	pack = a_pack(&t, 1, "deep", 0);
	an_extent(&t, b, 0, pack, 0);
	assert_int_equal(meta_study_put(&t, &study), 0);
	assert_int_equal(meta_inode_get(&t, b, &in), 0);
	at.study = study.row;
	assert_int_equal(meta_instance_set(&t, b, in.content_version, &at), 0);
	in.state = META_REMOTE;
	in.dirty_ns = 0;
	in.access_ns = 44;
	assert_int_equal(meta_inode_update(&t, &in), 0);
	assert_int_equal(meta_pin_add(&t, &pin), 0);
	assert_int_equal(meta_pin_file(&t, pin.id, a), 0);

	assert_int_equal(meta_subjects(&t, 0, s, 4), 2);
	assert_int_equal(s[0].ino, a);
	assert_string_equal(s[0].name, "a");
	assert_true(s[0].parent != META_ROOT_INO && s[0].pinned);
	assert_string_equal(s[0].tier, "");
	assert_int_equal(s[0].pack, 0);
	assert_int_equal(s[1].ino, b);
	assert_int_equal(s[1].parent, META_ROOT_INO);
	assert_int_equal(s[1].study, study.row);
	assert_int_equal(s[1].pack, pack);
	assert_string_equal(s[1].tier, "deep");
	assert_int_equal(s[1].state, META_REMOTE);
	assert_int_equal(s[1].access_ns, 44);
	assert_int_equal(s[1].content_version, in.content_version);
	assert_false(s[1].pinned);
	assert_int_equal(meta_subjects(&t, a, s, 4), 1);
	assert_int_equal(meta_subjects(&t, b, s, 4), 0);
	assert_int_equal(meta_subject_get(&t, b, &one), 0);
	assert_string_equal(one.tier, "deep");
	assert_int_equal(meta_subject_get(&t, META_ROOT_INO, &one), -ENOENT);
	/* Also when it is not dirty any more. */
	assert_int_equal(meta_study_files(&t, study.row, 0, ino, 4), 1);
	assert_int_equal(ino[0], b);
	commit(&t);
}

static void test_patient(void **state)
{
	struct meta_study s = { .uid = "1.1", .patient = "P1" }, out[4];
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_study_put(&t, &s), 0);
	s = (struct meta_study){ .uid = "1.2", .patient = "P2" };
	assert_int_equal(meta_study_put(&t, &s), 0);
	s = (struct meta_study){ .uid = "1.3",
				 .patient = "P1",
				 .date = 20200101 };
	assert_int_equal(meta_study_put(&t, &s), 0);
	assert_int_equal(meta_patient_studies(&t, "P1", 0, out, 4), 2);
	assert_string_equal(out[0].uid, "1.1");
	assert_int_equal(out[1].date, 20200101);
	assert_int_equal(meta_patient_studies(&t, "P1", out[0].row, out, 4), 1);
	assert_int_equal(meta_patient_studies(&t, "P", 0, out, 4), 0);
	commit(&t);
}

/* ---- orders ----------------------------------------------------------- */

static void test_restores(void **state)
{
	struct meta_restore r = { .state = META_RESTORE_WANTED,
				  .speed = 1,
				  .days = 7,
				  .ordered_ns = 1,
				  .due_ns = 2,
				  .retry_ns = 3,
				  .cause = "recall" },
			    out[3];
	struct meta_pack_totals held[2];
	int64_t ends;
	META_TXN(t);

	begin(&t);
	r.pack = a_pack(&t, 1, "deep", 0);
	assert_int_equal(meta_restore_put(&t, &r), 0);
	assert_int_equal(meta_restore_held(&t, 0, held, 2, &ends), 0);
	r.state = META_RESTORE_READY;
	r.until_ns = 100;
	strcpy(r.error, "was slow");
	assert_int_equal(meta_restore_put(&t, &r), 0);
	assert_int_equal(meta_restore_list(&t, META_RESTORE_WANTED, 0, out, 3),
			 0);
	assert_int_equal(meta_restore_list(&t, META_RESTORE_READY, 0, out, 3),
			 1);
	assert_int_equal(out[0].speed, 1);
	assert_int_equal(out[0].days, 7);
	assert_int_equal(out[0].ordered_ns, 1);
	assert_int_equal(out[0].due_ns, 2);
	assert_int_equal(out[0].until_ns, 100);
	assert_int_equal(out[0].retry_ns, 3);
	assert_string_equal(out[0].error, "was slow");
	assert_int_equal(meta_restore_held(&t, 99, held, 2, &ends), 1);
	assert_string_equal(held[0].tier, "deep");
	assert_int_equal(held[0].bytes, 500);
	assert_int_equal(ends, 100);
	assert_int_equal(meta_restore_held(&t, 100, held, 2, &ends), 0);
	assert_int_equal(meta_restore_delete(&t, r.pack), 0);
	assert_int_equal(meta_restore_delete(&t, r.pack), -ENOENT);
	commit(&t);
}

/* ---- pins ------------------------------------------------------------- */

static uint64_t a_pin(struct meta_txn *t, uint64_t ino, int64_t until_ns)
{
	struct meta_pin p = { .ino = ino, .until_ns = until_ns, .uid = 7 };

	strcpy(p.cause, "clinic-list");
	assert_int_equal(meta_pin_add(t, &p), 0);
	assert_int_equal(meta_pin_file(t, p.id, ino), 0);
	return p.id;
}

static void test_pins(void **state)
{
	struct meta_pin p[3];
	uint64_t ino, other, first, second;
	int64_t until = -1;
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	other = make_file(&t, META_ROOT_INO, "g");
	first = a_pin(&t, ino, 100);
	assert_int_equal(meta_pin_file(&t, first, ino), 0);
	assert_int_equal(meta_pin_file(&t, first, other), 0);
	second = a_pin(&t, ino, 200);
	assert_int_equal(meta_pinned_until(&t, ino, 99, &until), 0);
	assert_int_equal(until, 200);
	assert_int_equal(meta_pinned(&t, other, 99), 1);
	assert_int_equal(meta_pinned(&t, other, 100), 0);
	assert_int_equal(meta_pin_list(&t, 0, p, 3), 2);
	assert_int_equal(p[0].files, 2);
	assert_int_equal(p[0].bytes, 20);
	assert_int_equal(p[0].uid, 7);
	assert_string_equal(p[0].cause, "clinic-list");
	assert_int_equal(meta_pin_list(&t, first, p, 3), 1);
	assert_int_equal(p[0].id, second);
	a_pin(&t, ino, 0);
	assert_int_equal(meta_pinned_until(&t, ino, 99, &until), 0);
	assert_int_equal(until, 0);
	/* Pins without files end. */
	assert_int_equal(meta_unpin_file(&t, ino), 0);
	assert_int_equal(meta_pinned(&t, ino, 1), 0);
	assert_int_equal(meta_pin_list(&t, 0, p, 3), 1);
	assert_int_equal(p[0].id, first);
	assert_int_equal(p[0].files, 1);
	assert_int_equal(p[0].bytes, 10);
	commit(&t);
}

static void test_pins_end(void **state)
{
	struct meta_pin p[3];
	uint64_t ino, kept;
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	a_pin(&t, ino, 100);
	a_pin(&t, ino, 101);
	kept = a_pin(&t, ino, 102);
	assert_int_equal(meta_pin_expire(&t, 99, 10), 0);
	assert_int_equal(meta_pin_expire(&t, 101, 1), 1);
	assert_int_equal(meta_pin_expire(&t, 101, 10), 1);
	assert_int_equal(meta_pin_list(&t, 0, p, 3), 1);
	assert_int_equal(p[0].id, kept);
	assert_int_equal(meta_pin_delete(&t, kept), 0);
	assert_int_equal(meta_pin_delete(&t, kept), -ENOENT);
	assert_int_equal(meta_pinned(&t, ino, 1), 0);
	/* Nobody gets its id. */
	assert_true(a_pin(&t, ino, 0) > kept);
	assert_int_equal(meta_pin_expire(&t, 1, 10), 0);
	assert_int_equal(meta_pinned(&t, ino, 1), 1);
	/* A file that goes takes itself out. */
	assert_int_equal(meta_dirent_remove(&t, META_ROOT_INO, "f", 1), 0);
	assert_int_equal(meta_inode_delete(&t, ino), 0);
	assert_int_equal(meta_pin_list(&t, 0, p, 3), 0);
	assert_int_equal(meta_pin_expire(&t, 1, 10), 0);
	assert_int_equal(meta_pin_list(&t, 0, p, 3), 0);
	commit(&t);
	util_close();
	assert_sh("test $(sqlite3 %s/db 'SELECT (SELECT COUNT(*) FROM pin) +"
		  " (SELECT COUNT(*) FROM pin_file)') = 0",
		  dir);
	m = util_open_at("db");
}

/* ---- plans and runs --------------------------------------------------- */

static uint64_t a_plan(struct meta_txn *t, const char *name, unsigned items)
{
	struct meta_plan p = { .policy = "default",
			       .made_ns = 5,
			       .version = 6,
			       .files = 7,
			       .bytes = 8,
			       .items = items,
			       .once = "1.25",
			       .per_month = "-3.0000000001" };
	struct meta_plan_item i = { .study = true,
				    .rule = 2,
				    .action = 4,
				    .target = "deep",
				    .source = "near",
				    .files = 3,
				    .bytes = 4 };

	snprintf(p.name, sizeof(p.name), "%s", name);
	assert_int_equal(meta_plan_add(t, &p), 0);
	i.plan = p.id;
	for (i.seq = 1; i.seq <= items; i.seq++) {
		i.subject = 100 + i.seq;
		assert_int_equal(meta_plan_item_add(t, &i), 0);
	}
	return p.id;
}

static void test_plans(void **state)
{
	struct meta_plan p, all[3];
	struct meta_plan_item i[4];
	uint64_t id;
	META_TXN(t);

	begin(&t);
	id = a_plan(&t, "00000000000000aa", 3);
	a_plan(&t, "00000000000000bb", 0);
	assert_int_equal(meta_plan_find(&t, "00000000000000aa", &p), 0);
	assert_int_equal(p.id, id);
	assert_int_equal(p.version, 6);
	assert_string_equal(p.per_month, "-3.0000000001");
	assert_int_equal(meta_plan_find(&t, "aa", &p), -ENOENT);
	assert_int_equal(meta_plan_list(&t, 0, all, 3), 2);
	p = all[0];
	p.state = META_PLAN_DONE;
	assert_int_equal(meta_plan_update(&t, &p), 0);
	assert_int_equal(meta_plan_get(&t, id, &p), 0);
	assert_int_equal(p.state, META_PLAN_DONE);

	assert_int_equal(meta_plan_items(&t, id, 0, false, i, 4), 3);
	assert_true(i[0].study && i[0].subject == 101 && i[0].action == 4);
	assert_string_equal(i[0].source, "near");
	i[1].state = 2;
	strcpy(i[1].reason, "changed");
	assert_int_equal(meta_plan_item_set(&t, &i[1]), 0);
	assert_int_equal(meta_plan_items(&t, id, 0, true, i, 4), 2);
	assert_int_equal(i[1].seq, 3);
	assert_int_equal(meta_plan_items(&t, id, 1, false, i, 1), 1);
	assert_string_equal(i[0].reason, "changed");

	assert_int_equal(meta_plan_delete(&t, id, 2), 1);
	assert_int_equal(meta_plan_items(&t, id, 0, false, i, 4), 1);
	assert_int_equal(meta_plan_delete(&t, id, 2), 1);
	assert_int_equal(meta_plan_delete(&t, id, 2), 0);
	assert_int_equal(meta_plan_delete(&t, id, 2), -ENOENT);
	assert_int_equal(meta_plan_list(&t, 0, all, 3), 1);
	/* Runs name their plans, so no id comes again. */
	assert_int_equal(meta_plan_delete(&t, all[0].id, 2), 0);
	assert_true(a_plan(&t, "00000000000000cc", 0) > all[0].id);
	commit(&t);
}

static void test_runs(void **state)
{
	struct meta_run r = { .plan = 3,
			      .plan_name = "00000000000000aa",
			      .policy = "default",
			      .trigger = "schedule",
			      .by = "uid 1000",
			      .started_ns = 1 },
			out[3];
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_run_add(&t, &r), 0);
	assert_int_equal(meta_run_add(&t, &r), 0);
	r.state = META_RUN_STOPPED;
	r.ended_ns = 2;
	r.errors = 9;
	strcpy(r.cost, "12.5");
	strcpy(r.error, "the budget is used up");
	assert_int_equal(meta_run_update(&t, &r), 0);
	assert_int_equal(meta_run_list(&t, 0, out, 3), 2);
	assert_int_equal(out[0].id, r.id);
	assert_int_equal(out[0].state, META_RUN_STOPPED);
	assert_int_equal(out[0].errors, 9);
	assert_string_equal(out[0].trigger, "schedule");
	assert_string_equal(out[0].error, "the budget is used up");
	assert_int_equal(out[1].ended_ns, 0);
	assert_int_equal(meta_run_list(&t, r.id, out, 3), 1);
	commit(&t);
}

/* ---- bills ------------------------------------------------------------ */

static void test_items(void **state)
{
	struct meta_ledger_item l = { .day = 20000,
				      .tier = "deep",
				      .storage_class = "DEEP_ARCHIVE",
				      .cause = "policy",
				      .kind = META_LEDGER_EARLY,
				      .whole = 1,
				      .rest = 3599 },
				out[3];
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_ledger_item_add(&t, &l), 0);
	l.rest = 7201;
	assert_int_equal(meta_ledger_item_add(&t, &l), 0);
	l.kind = META_LEDGER_RESTORES + 2;
	l.rest = 0;
	l.whole = 5;
	assert_int_equal(meta_ledger_item_add(&t, &l), 0);
	l.day++;
	assert_int_equal(meta_ledger_item_add(&t, &l), 0);
	assert_int_equal(meta_ledger_items(&t, 20000, 20001, 0, out, 3), 2);
	assert_int_equal(out[0].kind, META_LEDGER_EARLY);
	assert_int_equal(out[0].whole, 1 + 1 + 3);
	assert_int_equal(out[0].rest, 0);
	assert_int_equal(out[1].kind, META_LEDGER_RESTORES + 2);
	assert_int_equal(meta_ledger_items(&t, 0, 30000, 2, out, 3), 1);
	assert_string_equal(out[0].cause, "policy");
	commit(&t);

	begin(&t);
	l.rest = 1; /* a count has no seconds */
	assert_int_equal(meta_ledger_item_add(&t, &l), -EINVAL);
	assert_true(meta_commit(&t, NULL) < 0);
}

static void test_rereads(void **state)
{
	struct meta_reread r = { .month = 680,
				 .age = 3,
				 .files = 2,
				 .bytes = 9 },
			   out[3];
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_reread_add(&t, &r), 0);
	assert_int_equal(meta_reread_add(&t, &r), 0);
	r.month = 681;
	assert_int_equal(meta_reread_add(&t, &r), 0);
	assert_int_equal(meta_rereads(&t, 0, 0, out, 3), 2);
	assert_int_equal(out[0].files, 4);
	assert_int_equal(out[0].bytes, 18);
	assert_int_equal(meta_rereads(&t, 681, 0, out, 3), 1);
	commit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_relocate),
		META_TEST(test_relocate_stale),
		META_TEST(test_relocate_states),
		META_TEST(test_in_tier),
		META_TEST(test_uses),
		META_TEST(test_shares),
		META_TEST(test_subjects),
		META_TEST(test_patient),
		META_TEST(test_restores),
		META_TEST(test_pins),
		META_TEST(test_pins_end),
		META_TEST(test_plans),
		META_TEST(test_runs),
		META_TEST(test_items),
		META_TEST(test_rereads),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
