/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries on the real store what store.h asks of one, and what it leaves open:
 * for people who set a store up, or wonder about it. What is stored lies below
 * scratch/test/ and is removed again; no other key is touched.
 */
#ifndef MERSEY_STORE_CHECK_H
#define MERSEY_STORE_CHECK_H

#include "store/store.h"

enum store_check_result {
	STORE_CHECK_YES,
	STORE_CHECK_NO,
	STORE_CHECK_EMULATED, /* it works, by other means than the store's */
	STORE_CHECK_UNTESTED,
};

struct store_check {
	const char *name; /* "create_only": static */
	bool needed;	  /* without it data is not safe, or nothing works */
	enum store_check_result result;
	char detail[192]; /* in words; "" nothing to add */
};

#define STORE_CHECKS_MAX 24

/* Told before each check: its name, and how many of all are done. < 0 ends
 * it all. */
typedef int (*store_check_fn)(void *arg, const char *name, size_t done,
			      size_t total);

/*
 * Fills out[0..n) and returns n. What comes after a check that the store did
 * not answer is untested. -errno: it did not answer at all, or what fn said.
 * Removes also what an earlier run left, so there is one run at a time in a
 * bucket. Under Object Lock it takes some seconds longer.
 */
int store_check(struct store *s, store_check_fn fn, void *arg,
		struct store_check out[STORE_CHECKS_MAX]);

/* "yes", "no", "emulated", "untested" */
const char *store_check_result_name(enum store_check_result r);

#endif
