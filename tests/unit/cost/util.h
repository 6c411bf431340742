/* SPDX-License-Identifier: Apache-2.0 */
/* A database of its own for each test. */
#ifndef MERSEY_TESTS_COST_UTIL_H
#define MERSEY_TESTS_COST_UTIL_H

#include "tests/test.h"

#include "base/clock.h"
#include "base/io.h"
#include "cost/cost.h"

#define GIB (1ULL << 30)

struct fixture {
	char dir[64];
	struct meta *meta;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct meta_opts o = { .root_mode = 0755 };
	uint8_t volume[16];
	struct err err = ERR_INIT;
	CLEANUP_FREE char *path = NULL;

	assert_non_null(f);
	strcpy(f->dir, "/tmp/mersey-cost-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	path = io_path("%s/meta.db", f->dir);
	o.path = path;
	assert_int_equal(meta_create(&o, &err), 0);
	assert_int_equal(meta_open(path, &f->meta, volume, &err), 0);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	meta_close(f->meta);
	assert_int_equal(test_rm(f->dir), 0);
	free(f);
	return 0;
}

/* One stored pack of `bytes`. */
static inline void fixture_store(struct fixture *f, uint64_t bytes)
{
	struct meta_pack p = { .generation = 1, .length = bytes };
	META_TXN(t);

	assert_int_equal(io_random(p.id, sizeof(p.id)), 0);
	snprintf(p.object, sizeof(p.object), "packs/%llu",
		 (unsigned long long)bytes);
	strcpy(p.tier, "near");
	strcpy(p.storage_class, "STANDARD");
	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_pack_intend(&t, &p), 0);
	assert_int_equal(meta_pack_stored(&t, &p), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

static inline void fixture_add(struct fixture *f, const struct meta_ledger *row)
{
	META_TXN(t);

	assert_int_equal(meta_begin(f->meta, &t), 0);
	assert_int_equal(meta_ledger_add(&t, row), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

/* All rows of all days. */
static inline size_t fixture_rows(struct fixture *f, struct meta_ledger *out,
				  size_t max)
{
	META_TXN(t);
	int n;

	assert_int_equal(meta_read(f->meta, &t), 0);
	n = meta_ledger_list(&t, 0, INT32_MAX, 0, out, max);
	assert_true(n >= 0);
	return (size_t)n;
}

#endif
