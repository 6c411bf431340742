/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases of older versions, kept in tests/data as meta-vN.db, are brought
 * to this one.
 * Usage: test-meta-migrate DATA-DIR | --make FILE
 */
#include "tests/unit/meta/old_db.h"

/* FILE as this version makes it. */
static int make(const char *file)
{
	group_setup(NULL);
	util_create_at("db");
	m = util_open_at("db");
	old_fill();
	util_close(); /* moves the log into the database */
	assert_sh("test ! -e %s/db-wal && cp %s/db '%s'", dir, dir, file);
	return group_teardown(NULL);
}

static void test_fill(void **state)
{
	old_fill();
	old_check();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		META_TEST(test_fill),
	};

	if (argc == 3 && strcmp(argv[1], "--make") == 0)
		return make(argv[2]);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
