/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/meta/util.h"

static struct meta_study put(struct meta_txn *t, const char *uid,
			     const char *patient, uint32_t date,
			     const char *modality)
{
	struct meta_study s = { .date = date };

	snprintf(s.uid, sizeof(s.uid), "%s", uid);
	snprintf(s.patient, sizeof(s.patient), "%s", patient);
	snprintf(s.modality, sizeof(s.modality), "%s", modality);
	assert_int_equal(meta_study_put(t, &s), 0);
	return s;
}

static void test_studies(void **state)
{
	struct meta_study a, b, s;
	META_TXN(t);

	begin(&t);
	a = put(&t, "1.2.3", "", 0, "");
	b = put(&t, "1.2.4", "\xffid", 20260229, "MR");
	assert_true(a.row > 0 && b.row > 0 && a.row != b.row);
	/* What comes later fills gaps and changes nothing that is there. */
	s = put(&t, "1.2.3", "p", 20260101, "CT");
	assert_int_equal(s.row, a.row);
	s = put(&t, "1.2.3", "other", 20270101, "SR");
	assert_string_equal(s.patient, "p");
	assert_int_equal(s.date, 20260101);
	assert_string_equal(s.modality, "CT\\SR");
	s = put(&t, "1.2.3", "", 0, "CT");
	s = put(&t, "1.2.3", "", 0, "");
	s = put(&t, "1.2.3", "", 0, "R");
	assert_string_equal(s.modality, "CT\\SR\\R");
	s = put(&t, "1.2.3", "", 0, "SR");
	/* One that has no room any more is left out. */
	s = put(&t, "1.2.3", "", 0, "SIXTEEN_LETTERS_");
	s = put(&t, "1.2.3", "", 0, "FIFTEEN_LETTERS");
	assert_string_equal(s.modality, "CT\\SR\\R\\SIXTEEN_LETTERS_");
	commit(&t);
	util_reopen();
	reading(&t);
	assert_int_equal(meta_study_get(&t, b.row, &s), 0);
	assert_string_equal(s.uid, "1.2.4");
	assert_string_equal(s.patient, "\xffid");
	assert_int_equal(s.date, 20260229);
	assert_int_equal(meta_study_find(&t, "1.2.3", &s), 0);
	assert_int_equal(s.row, a.row);
	assert_int_equal(meta_study_find(&t, "1.2", &s), -ENOENT);
	assert_int_equal(meta_study_get(&t, 0, &s), -ENOENT);
}

static uint64_t version_of(struct meta_txn *t, uint64_t ino)
{
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	return in.content_version;
}

static void set(struct meta_txn *t, uint64_t ino, uint64_t version,
		uint64_t study)
{
	struct meta_instance at = { .study = study,
				    .series = INT64_MAX,
				    .number = UINT32_MAX };

	assert_int_equal(meta_instance_set(t, ino, version, &at), 0);
}

static void test_places(void **state)
{
	struct meta_instance at;
	uint64_t ino;
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	assert_int_equal(meta_instance_get(&t, ino, &at), -ENODATA);
	assert_int_equal(meta_instance_get(&t, ino + 1, &at), -ENOENT);
	set(&t, ino, version_of(&t, ino), 7);
	set(&t, ino + 1, 1, 7); /* gone: nothing to do */
	commit(&t);
	util_reopen();
	reading(&t);
	assert_int_equal(meta_instance_get(&t, ino, &at), 0);
	assert_int_equal(at.study, 7);
	assert_int_equal(at.series, INT64_MAX);
	assert_int_equal(at.number, UINT32_MAX);
}

static void change(struct meta_txn *t, uint64_t ino, bool content, bool open)
{
	struct meta_inode in;

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	in.mode ^= 0100;
	in.opened_for_write = open;
	if (content)
		assert_int_equal(meta_new_version(t, &in.content_version), 0);
	assert_int_equal(meta_inode_update(t, &in), 0);
}

/* A place belongs to a version, and is not given to one that is written. */
static void test_versions(void **state)
{
	struct meta_instance at;
	uint64_t ino, old;
	META_TXN(t);

	begin(&t);
	ino = make_file(&t, META_ROOT_INO, "f");
	old = version_of(&t, ino);
	set(&t, ino, old, 7);
	change(&t, ino, false, true);
	change(&t, ino, false, false);
	assert_int_equal(meta_instance_get(&t, ino, &at), 0);
	change(&t, ino, true, true);
	assert_int_equal(meta_instance_get(&t, ino, &at), -ENODATA);
	set(&t, ino, version_of(&t, ino), 8);
	assert_int_equal(meta_instance_get(&t, ino, &at), -ENODATA);
	change(&t, ino, false, false);
	set(&t, ino, old, 8);
	assert_int_equal(meta_instance_get(&t, ino, &at), -ENODATA);
	set(&t, ino, version_of(&t, ino), 0);
	assert_int_equal(meta_instance_get(&t, ino, &at), 0);
	assert_int_equal(at.study, 0);
	commit(&t);
}

static void test_unread(void **state)
{
	struct meta_unread u[4];
	uint64_t ino[6];
	unsigned i;
	char name[2] = "a";
	META_TXN(t);

	begin(&t);
	for (i = 0; i < 6; i++, name[0]++)
		ino[i] = make_file(&t, META_ROOT_INO, name);
	make_dir(&t, META_ROOT_INO, "dir");
	change(&t, ino[1], false, true);
	set(&t, ino[2], version_of(&t, ino[2]), 0);
	assert_int_equal(meta_unread(&t, 0, u, 4), 4);
	assert_int_equal(u[0].ino, ino[0]);
	assert_int_equal(u[0].size, 10);
	assert_int_equal(u[0].version, version_of(&t, ino[0]));
	assert_int_equal(u[1].ino, ino[3]);
	assert_int_equal(meta_unread(&t, 0, u, 2), 2);
	assert_int_equal(meta_unread(&t, u[1].ino, u, 4), 2);
	assert_int_equal(u[0].ino, ino[4]);
	change(&t, ino[2], true, false);
	assert_int_equal(meta_unread(&t, 0, u, 2), 2);
	assert_int_equal(u[1].ino, ino[2]);
	commit(&t);
}

static uint64_t waiting(struct meta_txn *t, const struct meta_instance *at,
			int64_t settle_ns)
{
	struct meta_inode in = {
		.mode = S_IFREG | 0600,
		.nlink = 1,
		.size = 100,
		.state = META_DIRTY,
		.dirty_ns = settle_ns,
		.settle_ns = settle_ns,
	};
	char name[32];

	assert_int_equal(meta_new_ino(t, &in.ino), 0);
	assert_int_equal(meta_new_version(t, &in.content_version), 0);
	assert_int_equal(meta_inode_insert(t, &in), 0);
	snprintf(name, sizeof(name), "%llx", (unsigned long long)in.ino);
	assert_int_equal(meta_dirent_insert(t, META_ROOT_INO, name,
					    strlen(name), in.ino),
			 0);
	if (at)
		assert_int_equal(
			meta_instance_set(t, in.ino, in.content_version, at),
			0);
	return in.ino;
}

/* By series and number, not by when they came; others are not among them. */
static void test_queue(void **state)
{
	const struct meta_instance at[] = {
		{ 7, 2, 1 }, { 7, 1, 2 }, { 7, 1, 1 }, { 7, 1, 1 },
		{ 8, 1, 1 }, { 0, 0, 0 }, { 7, 0, 9 },
	};
	const unsigned order[] = { 2, 3, 1, 0 };
	struct meta_todo todo[9];
	uint64_t ino[8];
	unsigned i;
	META_TXN(t);

	begin(&t);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		ino[i] = waiting(&t, &at[i], i == 6 ? 500 : 100 + i);
	ino[7] = waiting(&t, NULL, 400);
	assert_int_equal(meta_protectable_study(&t, 7, 500, NULL, todo, 9), 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(todo[i].ino, ino[order[i]]);
	assert_int_equal(todo[3].at.series, 2);
	assert_int_equal(todo[3].size, 100);
	assert_int_equal(meta_protectable_study(&t, 7, 500, &todo[0], todo, 2),
			 2);
	assert_int_equal(todo[0].ino, ino[3]);
	assert_int_equal(todo[1].ino, ino[1]);
	assert_int_equal(meta_protectable_study(&t, 0, 500, NULL, todo, 9), 0);
	/* All of them by age; of a directory those of no study. */
	assert_int_equal(meta_protectable(&t, 0, 500, NULL, todo, 9), 7);
	assert_int_equal(todo[0].at.study, 7);
	assert_int_equal(todo[0].parent, 0);
	assert_int_equal(todo[5].parent, META_ROOT_INO);
	assert_int_equal(
		meta_protectable(&t, META_ROOT_INO, 500, NULL, todo, 9), 2);
	assert_int_equal(todo[0].ino, ino[5]);
	assert_int_equal(todo[1].ino, ino[7]);
	assert_int_equal(todo[1].at.study, 0);
	commit(&t);
}

static void test_fills(void **state)
{
	const struct meta_instance at = { 7, 1, 1 };
	META_TXN(t);

	begin(&t);
	assert_int_equal(meta_study_fills(&t, 7, 500, 1000, 10), 0);
	waiting(&t, &at, 100);
	waiting(&t, &at, 200);
	assert_int_equal(meta_study_fills(&t, 7, 500, 1000, 10), 0);
	waiting(&t, &at, 500);
	assert_int_equal(meta_study_fills(&t, 7, 500, 1000, 10), 1);
	assert_int_equal(meta_study_fills(&t, 7, 501, 1000, 10), 0);
	assert_int_equal(meta_study_fills(&t, 7, 500, 200, 10), 0);
	assert_int_equal(meta_study_fills(&t, 7, 500, 201, 10), 1);
	assert_int_equal(meta_study_fills(&t, 7, 500, 1000, 2), 0);
	assert_int_equal(meta_study_fills(&t, 8, 500, 1000, 10), 0);
	commit(&t);
}

static uint64_t pack(struct meta_txn *t, uint64_t study)
{
	static uint8_t seq;
	struct meta_pack p = { .id = { ++seq }, .study = 99 };

	snprintf(p.object, sizeof(p.object), "packs/%d", seq);
	assert_int_equal(meta_pack_intend(t, &p), 0);
	assert_int_equal(p.study, 0);
	p.study = study;
	assert_int_equal(meta_pack_stored(t, &p), 0);
	return p.row;
}

static void test_packs(void **state)
{
	struct meta_pack p[4];
	uint64_t row[5];
	unsigned i;
	META_TXN(t);

	begin(&t);
	for (i = 0; i < 5; i++)
		row[i] = pack(&t, i == 1 ? 0 : i == 2 ? 8 : 7);
	commit(&t);
	begin(&t);
	assert_int_equal(meta_pack_study(&t, 7, 0, p, 4), 3);
	assert_int_equal(p[0].row, row[0]);
	assert_int_equal(p[0].study, 7);
	assert_int_equal(p[1].row, row[3]);
	assert_int_equal(meta_pack_study(&t, 7, row[0], p, 1), 1);
	assert_int_equal(p[0].row, row[3]);
	assert_int_equal(meta_pack_study(&t, 0, 0, p, 4), 0);
	assert_int_equal(meta_pack_get(&t, row[1], p), 0);
	assert_int_equal(p[0].study, 0);
	/* One that is given up is of no use to who reads the study. */
	assert_int_equal(meta_pack_condemn(&t, row[3], 1), 0);
	assert_int_equal(meta_pack_study(&t, 7, 0, p, 4), 2);
	assert_int_equal(p[1].row, row[4]);
	commit(&t);
}

/* The lists read what they give and nothing else, however much there is. */
static void test_plans(void **state)
{
	assert_sh("sqlite3 %s/db \"EXPLAIN QUERY PLAN SELECT ino FROM inode"
		  " WHERE state = 0 AND nlink > 0 AND opened_for_write = 0"
		  " AND damaged = 0 AND study IS NULL AND ino > 1"
		  " ORDER BY ino\" | grep -q 'inode_unread (ino>'",
		  dir);
	assert_sh("sqlite3 %s/db \"EXPLAIN QUERY PLAN SELECT size FROM inode"
		  " WHERE state = 0 AND nlink > 0 AND opened_for_write = 0"
		  " AND damaged = 0 AND study > 0 AND study = 1"
		  " AND settle_ns < 5 AND (series, instance, ino) > (1, 2, 3)"
		  " ORDER BY series, instance, ino\" | tee %s/plan"
		  " | grep -q 'inode_study (study=? AND (series,instance'"
		  " && ! grep -q TEMP %s/plan",
		  dir, dir, dir);
	assert_sh("sqlite3 %s/db \"EXPLAIN QUERY PLAN SELECT * FROM pack"
		  " WHERE study = 1 AND study > 0 AND state = 1 AND id > 1"
		  " ORDER BY id\" | grep -q 'pack_study (study=? AND id>'",
		  dir);
	assert_sh("sqlite3 %s/db \"EXPLAIN QUERY PLAN SELECT * FROM extent"
		  " WHERE pack = 1 AND pack_off >= 1 ORDER BY pack_off\""
		  " | grep -q 'extent_pack (pack=? AND pack_off>'",
		  dir);
}

static int closed_setup(void **state)
{
	(void)state;
	util_create_at("db");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_studies),
		META_TEST(test_places),
		META_TEST(test_versions),
		META_TEST(test_unread),
		META_TEST(test_queue),
		META_TEST(test_fills),
		META_TEST(test_packs),
		cmocka_unit_test_setup_teardown(test_plans, closed_setup,
						test_teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
