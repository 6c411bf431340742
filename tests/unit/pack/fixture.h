/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a test's packs, and those of somebody else. */
#ifndef MERSEY_TESTS_PACK_FIXTURE_KEYS_H
#define MERSEY_TESTS_PACK_FIXTURE_KEYS_H

#include "tests/unit/pack/helper.h"

static struct keys keys, other;

static inline int setup(void **state)
{
	keys_init(&keys, 7);
	keys_init(&other, 8);
	return 0;
}

static inline int teardown(void **state)
{
	keys_done(&keys);
	keys_done(&other);
	return 0;
}

#endif
