/* SPDX-License-Identifier: Apache-2.0 */
/* mersey recall, pin and unpin against a worker with an archive class. */
#include "tests/unit/cli/served.h"
#include "tests/unit/ctl/archive.h"

static struct ctl_server *server;

static int setup(void **state)
{
	int rc = archive_setup(state);

	if (rc)
		return rc;
	served_config("");
	worker.worker_uid = geteuid();
	server = serve("rem", &worker);
	return rc;
}

static int teardown(void **state)
{
	ctl_server_stop(server);
	run_free();
	return archive_teardown(state);
}

#define RECALL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static char *in_mount(const char *name)
{
	return io_path("%s/mnt/rem/%s", dir, name);
}

/* Nobody is asked without a terminal; --dry-run says what it would be. */
static void test_recall(void **state)
{
	CLEANUP_FREE char *a = in_mount("a");
	CLEANUP_JSON json_t *dry = NULL, *done = NULL, *info = NULL;

	archived("a");
	assert_int_equal(mersey("recall", a, NULL), CLI_REFUSED);
	assert_has(run_msg,
		   "1 file, 146.5 KiB from an archive class: ready by ");
	assert_has(run_msg, ", cost £1.00");
	assert_has(run_msg, "there is no terminal to ask on");
	assert_int_equal(mersey("recall", "--dry-run", "--json", a, NULL), 0);
	dry = result("recall");
	assert_int_equal(int_at(dry, "archived_files"), 1);
	assert_string_equal(text_at(dry, "cost.currency"), "GBP");
	assert_int_equal(mersey("info", "--json", a, NULL), 0);
	info = result("info");
	assert_in_range(int_at(info, "files.0.recall.seconds"), 43190, 43200);
	assert_int_equal(mersey("info", a, NULL), 0);
	assert_has(run_out, "recall: can be read in 12 h 0 min, for £1.00");
	assert_int_equal(
		mersey("recall", "--yes", "--speed", "bulk", "--json", a, NULL),
		0);
	done = result("recall");
	assert_int_equal(int_at(done, "at_risk_files"), 0);
	assert_int_equal(mersey("pin", "list", NULL), 0);
	assert_has(run_out, "recall");
	assert_has(run_out, a);
}

/* "--by" in the past day's terms: a minute is too soon for anything. */
static void test_by(void **state)
{
	CLEANUP_FREE char *a = in_mount("a");
	CLEANUP_JSON json_t *r = NULL;

	archived("a");
	assert_int_equal(mersey("recall", "--dry-run", "--by",
				iso(60 * NSEC_PER_SEC), "--json", a, NULL),
			 CLI_ATTENTION);
	r = result("recall");
	assert_string_equal(text_at(r, "at_risk.0.path"), a);
	assert_int_equal(mersey("recall", "--dry-run", "--by",
				iso(60 * NSEC_PER_SEC), a, NULL),
			 CLI_ATTENTION);
	assert_has(run_msg, "mersey: not in time: '");
	spent = 100 * MONEY_UNIT;
	assert_int_equal(mersey("recall", "--yes", a, NULL), CLI_REFUSED);
	assert_has(run_msg, "of the month's budget of £100.00 are used");
}

static void test_usage(void **state)
{
	CLEANUP_FREE char *a = in_mount("a");

	assert_int_equal(mersey("recall", NULL), CLI_USAGE);
	assert_int_equal(mersey("recall", "--clinic-list", "x", a, NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("recall", "--clinic-list", "x", "--wait", NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("recall", "--by", "soon", a, NULL), CLI_USAGE);
	assert_int_equal(mersey("recall", "--speed", "warp", a, NULL),
			 CLI_USAGE);
	assert_int_equal(mersey("pin", "--until", "soon", a, NULL), CLI_USAGE);
	assert_int_equal(mersey("recall", "--clinic-list", "/none", NULL),
			 CLI_FAILED);
}

static void test_clinic(void **state)
{
	CLEANUP_FREE char *list = io_path("%s/clinic.csv", dir);
	CLEANUP_JSON json_t *r = NULL;
	char text[256];

	of_patient(archived("a"), "1.1", "P1");
	of_patient(archived("b"), "1.2", "P2");
	snprintf(text, sizeof(text),
		 "Patient ID,Appointment Time\nP1,%s\nP2,%s\nP3,%s\n",
		 iso(20 * HOUR), iso(60 * NSEC_PER_SEC), iso(HOUR));
	put("clinic.csv", text);
	assert_int_equal(mersey("recall", "--clinic-list", list, NULL),
			 CLI_REFUSED);
	assert_has(run_msg, ": 1 of 2, cost £11.00 (a price is unconfirmed), ");
	assert_has(run_msg, "at risk: P2 at ");
	assert_int_equal(mersey("recall", "--clinic-list", list, "--yes",
				"--json", NULL),
			 CLI_ATTENTION);
	r = result("recall");
	assert_string_equal(text_at(r, "patients.0.state"), "coming");
	assert_int_equal(int_at(r, "archived_files"), 2);
	assert_int_equal(mersey("recall", "--clinic-list", list, NULL),
			 CLI_REFUSED); /* ordered, but still to be waited for */
	assert_int_equal(mersey("recall", "--clinic-list", list, "--yes", NULL),
			 CLI_ATTENTION);
	assert_has(run_out, "ready by ");
	assert_has(run_out, ": 1 of 2, cost £0");
	assert_has(run_out, "1 of the list have no studies here\n");
	put("clinic.csv", "patient_id,appointment_time\nP1,soon\n");
	assert_int_equal(mersey("recall", "--clinic-list", list, NULL),
			 CLI_USAGE);
	assert_has(run_msg, "line 2: 'soon' is no time");
}

static void test_pins(void **state)
{
	CLEANUP_FREE char *a = in_mount("a");
	CLEANUP_JSON json_t *p = NULL, *l = NULL, *u = NULL, *i = NULL;

	archived("a");
	assert_int_equal(mersey("pin", a, NULL), CLI_REFUSED);
	assert_has(run_msg, "1 of them come from an archive class: ready by ");
	assert_int_equal(mersey("pin", a, "--yes", "--json", NULL), 0);
	p = result("pin");
	assert_string_equal(text_at(p, "pins.0.path"), a);
	assert_int_equal(mersey("pin", "list", "--json", NULL), 0);
	l = result("pin list");
	assert_string_equal(text_at(l, "pins.0.trust"), "rem");
	assert_int_equal(mersey("info", a, NULL), 0);
	assert_has(run_out, "pinned: until it is unpinned");
	assert_int_equal(mersey("info", a, "--json", NULL), 0);
	i = result("info");
	assert_string_equal(text_at(i, "files.0.pinned_until"),
			    "2262-04-11T23:47:16Z");
	assert_int_equal(mersey("unpin", a, "--json", NULL), 0);
	u = result("unpin");
	assert_int_equal(int_at(u, "files"), 1);
	assert_int_equal(mersey("unpin", a, NULL), 0);
	assert_has(run_out, "unpinned 0 files");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RECALL_TEST(test_recall), RECALL_TEST(test_by),
		RECALL_TEST(test_usage),  RECALL_TEST(test_clinic),
		RECALL_TEST(test_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
