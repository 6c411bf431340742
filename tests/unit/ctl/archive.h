/* SPDX-License-Identifier: Apache-2.0 */
/* A worker whose tier is an archive class, at a pound for each order. */
#ifndef MERSEY_TESTS_CTL_ARCHIVE_H
#define MERSEY_TESTS_CTL_ARCHIVE_H

#include "tests/unit/ctl/util.h"

#define HOUR (3600 * NSEC_PER_SEC)
#define DAY  (24 * HOUR)

static money_t spent;
static struct tier_opts policies;

static inline int fake_spent(void *arg, money_t *out)
{
	*out = spent;
	return 0;
}

static inline int archive_setup(void **state)
{
	int rc = worker_setup(state), i;

	fake.takes_ns[STORE_STANDARD] = 12 * HOUR;
	fake.takes_ns[STORE_BULK] = 48 * HOUR;
	fake.takes_ns[STORE_EXPEDITED] = HOUR / 10;
	for (i = 0; i < PRICE_SPEEDS; i++) /* a request costs so many pounds */
		fake_class.recall[i] = (struct price_recall){
			.known = true,
			.request_1000 = { true, true,
					  (i == STORE_EXPEDITED ? 10000
								: 1000) *
						  MONEY_UNIT },
			.gb = { true, true, 0 },
			.takes_ns = fake.takes_ns[i],
		};
	spent = 0;
	policies = (struct tier_opts){ .budget = 100 * MONEY_UNIT,
				       .has_budget = true,
				       .spent = fake_spent,
				       .exchange = &fake_exchange };
	worker.tier_opts = &policies;
	return rc;
}

static inline int archive_teardown(void **state)
{
	memset(fake_class.recall, 0, sizeof(fake_class.recall));
	return worker_teardown(state);
}

static inline uint64_t archived(const char *name)
{
	uint64_t ino = new_file_in(META_ROOT_INO, name, S_IFREG | 0644), freed;

	write_file(ino, ino, 150000);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(fake_protect(ino), 0);
	assert_int_equal(cache_evict(c, ino, &freed), 0);
	return ino;
}

/* A time from now on, which stays for four calls. */
static inline const char *iso(int64_t from_now)
{
	static char text[4][CLOCK_ISO_SIZE];
	static int n;

	return clock_iso(clock_wall_ns() + from_now, text[n++ % 4]);
}

static inline void of_patient(uint64_t ino, const char *uid,
			      const char *patient)
{
	struct meta_study s = { 0 };
	struct meta_instance at = { 0 };
	struct meta_inode in;
	META_TXN(t);

	snprintf(s.uid, sizeof(s.uid), "%s", uid);
	snprintf(s.patient, sizeof(s.patient), "%s", patient);
	row_get(ino, &in);
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_study_put(&t, &s), 0);
	at.study = s.row;
	assert_int_equal(meta_instance_set(&t, ino, in.content_version, &at),
			 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
}

#endif
