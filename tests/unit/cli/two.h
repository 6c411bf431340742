/* SPDX-License-Identifier: Apache-2.0 */
/* Two trusts behind their sockets, which show the same worker. */
#ifndef MERSEY_TESTS_CLI_TWO_H
#define MERSEY_TESTS_CLI_TWO_H

#include "tests/unit/cli/served.h"

static struct ctl_server *server[2];
static struct ctl_worker second;
static inline int setup(void **state)
{
	int rc = worker_setup(state);

	if (rc)
		return rc;
	served_config("  rbq:\n"
		      "    name: Liverpool Heart and Chest\n"
		      "    user: '60902'\n"
		      "    key: {file: rbq.key}\n"
		      "    tiers: [{name: near, store: near, "
		      "bucket: rbq-mersey}]\n");
	worker.worker_uid = geteuid();
	second = worker;
	second.trust = "rbq";
	second.long_name = "Liverpool Heart and Chest";
	server[0] = serve("rem", &worker);
	server[1] = serve("rbq", &second);
	return 0;
}

static inline int teardown(void **state)
{
	ctl_server_stop(server[0]);
	ctl_server_stop(server[1]);
	run_free();
	return worker_teardown(state);
}

static inline char *in_mount(const char *rel)
{
	return io_path("%s/mnt/rem/%s", dir, rel);
}

static inline uint64_t make(const char *name, size_t n)
{
	uint64_t ino = make_file(name, 1, n);

	assert_int_equal(cache_flush(c), 0);
	return ino;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
