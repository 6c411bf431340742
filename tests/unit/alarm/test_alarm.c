/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms: the clocks are moved, nothing is waited for. */
#include "tests/unit/meta/util.h"

#include <inttypes.h>
#include <jansson.h>

#include "alarm/impl.h"

#define SECONDS(n)  clock_shift((n)*NSEC_PER_SEC, (n)*NSEC_PER_SEC)
#define WRONG(code) alarms_set(a, code, NULL, ALARM_ON, "%s is wrong", #code)
#define RIGHT(code) alarms_set(a, code, NULL, ALARM_OFF, " ")

static struct alarms *a;
static struct alarm list[ALARMS_MAX];
static struct buf told;
static int tell_rc;

static int tell(void *arg, const struct alarm *of)
{
	if (tell_rc == 0)
		assert_int_equal(buf_addf(&told, "%s%c%" PRIu64,
					  told.len ? " " : "",
					  of->cleared_ns ? '-' : '+', of->id),
				 0);
	return tell_rc;
}

/* What was told since the last time. */
static const char *heard(void)
{
	static char text[4096];

	snprintf(text, sizeof(text), "%s", told.len ? buf_str(&told) : "");
	told.len = 0;
	return text;
}

static void tick(void)
{
	assert_int_equal(alarms_tick(a), 0);
}

static void start(void)
{
	assert_int_equal(alarms_open(m, &a, NULL), 0);
	alarms_on_change(a, tell, NULL);
}

static void restart(void)
{
	alarms_close(a);
	util_reopen();
	start();
}

static int setup(void **state)
{
	int rc = test_setup(state);

	tell_rc = 0;
	told.len = 0;
	if (rc == 0)
		start();
	return rc;
}

static int teardown(void **state)
{
	alarms_close(a);
	return test_teardown(state);
}

static size_t active(void)
{
	size_t n = alarms_list(a, list, ALARMS_MAX), i, k = 0;

	for (i = 0; i < n; i++)
		k += !list[i].cleared_ns;
	return k;
}

static void test_at_once(void **state)
{
	WRONG(ALARM_DAMAGED);
	assert_int_equal(active(), 0); /* nothing happens before a tick */
	tick();
	assert_int_equal(active(), 1);
	assert_int_equal(list[0].id, 1);
	assert_int_equal(list[0].code, ALARM_DAMAGED);
	assert_string_equal(list[0].message, "ALARM_DAMAGED is wrong");
	assert_true(list[0].raised_ns > 0);
	tick();
	assert_string_equal(heard(), "+1");
	alarms_set(a, ALARM_DAMAGED, NULL, ALARM_ON, "two\nare \tdamaged");
	tick();
	assert_int_equal(active(), 1);
	assert_string_equal(list[0].message, "two are  damaged");
	RIGHT(ALARM_DAMAGED);
	tick();
	tick();
	assert_int_equal(active(), 0);
	assert_int_equal(alarms_list(a, list, ALARMS_MAX), 1);
	assert_true(list[0].cleared_ns > 0);
	assert_string_equal(heard(), "-1");
}

/* What comes and goes is no alarm, and does not end one. */
static void test_does_not_flap(void **state)
{
	for (int i = 0; i < 20; i++) {
		WRONG(ALARM_STORE_DOWN);
		SECONDS(30);
		tick();
		RIGHT(ALARM_STORE_DOWN);
		tick();
	}
	assert_int_equal(active(), 0);
	WRONG(ALARM_STORE_DOWN);
	SECONDS(118);
	tick();
	assert_int_equal(active(), 0);
	SECONDS(3);
	tick();
	assert_int_equal(active(), 1);
	for (int i = 0; i < 20; i++) {
		RIGHT(ALARM_STORE_DOWN);
		SECONDS(30);
		tick();
		WRONG(ALARM_STORE_DOWN);
		tick();
	}
	assert_int_equal(active(), 1);
	RIGHT(ALARM_STORE_DOWN);
	SECONDS(58);
	alarms_set(a, ALARM_STORE_DOWN, NULL, ALARM_KEEP, " ");
	tick();
	assert_int_equal(active(), 1);
	SECONDS(3);
	tick();
	assert_int_equal(active(), 0);
	assert_string_equal(heard(), "+1 -1");
}

static void test_configured(void **state)
{
	alarms_after(a, ALARM_STORE_DOWN, 5 * NSEC_PER_SEC);
	WRONG(ALARM_STORE_DOWN);
	SECONDS(6);
	tick();
	RIGHT(ALARM_STORE_DOWN);
	tick();
	assert_int_equal(active(), 1);
	SECONDS(6);
	tick();
	assert_string_equal(heard(), "+1 -1");
}

static void test_keep(void **state)
{
	alarms_set(a, ALARM_QUOTA, NULL, ALARM_KEEP, " ");
	SECONDS(120);
	tick();
	assert_int_equal(active(), 0);
	WRONG(ALARM_QUOTA);
	SECONDS(120);
	tick();
	alarms_set(a, ALARM_QUOTA, NULL, ALARM_KEEP, " ");
	SECONDS(120);
	tick();
	assert_int_equal(active(), 1);
}

static void test_subjects(void **state)
{
	alarms_after(a, ALARM_JOB_FAILING, 0);
	alarms_set(a, ALARM_JOB_FAILING, "gc", ALARM_ON, "gc fails");
	alarms_set(a, ALARM_JOB_FAILING, "reap", ALARM_ON, "reap fails");
	alarms_set(a, ALARM_JOB_FAILING, "evict", ALARM_OFF, " ");
	tick();
	assert_int_equal(active(), 2);
	alarms_set(a, ALARM_JOB_FAILING, "gc", ALARM_OFF, " ");
	tick();
	assert_int_equal(active(), 1);
	assert_string_equal(list[0].subject, "reap");
	assert_string_equal(list[1].subject, "gc");
	assert_string_equal(heard(), "+1 +2 -1");
}

static void test_ack(void **state)
{
	struct alarm of;

	assert_int_equal(alarms_ack(a, 1, "root", &of), -ENOENT);
	WRONG(ALARM_DAMAGED);
	tick();
	assert_int_equal(alarms_ack(a, 1, "al\tice", &of), 0);
	assert_string_equal(of.acked_by, "al ice");
	assert_true(of.acked_ns > 0);
	assert_int_equal(alarms_ack(a, 1, "bob", &of), 0);
	assert_string_equal(of.acked_by, "al ice");
	restart();
	assert_int_equal(active(), 1);
	assert_string_equal(list[0].acked_by, "al ice");
	assert_int_equal(list[0].acked_ns, of.acked_ns);
}

/* Ids, times and what was told outlive the process; an alarm of which nobody
 * says that it goes on ends a minute later. */
static void test_restart(void **state)
{
	struct alarm before;

	WRONG(ALARM_DAMAGED);
	WRONG(ALARM_UNPROTECTED);
	tick();
	assert_string_equal(heard(), "+1 +2");
	active();
	before = list[1];
	restart();
	tick();
	assert_int_equal(active(), 2);
	assert_memory_equal(&before, &list[1], sizeof(before));
	WRONG(ALARM_DAMAGED);
	SECONDS(59);
	tick();
	assert_int_equal(active(), 2);
	SECONDS(2);
	tick();
	assert_int_equal(active(), 1);
	assert_int_equal(list[0].id, 1);
	RIGHT(ALARM_DAMAGED);
	tick();
	WRONG(ALARM_DAMAGED);
	tick();
	assert_string_equal(heard(), "-2 -1 +3");
	restart();
	WRONG(ALARM_UNPROTECTED);
	tick();
	assert_string_equal(heard(), "+4");
}

/* Who could not be told is told later, also after a restart, in order. */
static void test_told_later(void **state)
{
	tell_rc = -EAGAIN;
	WRONG(ALARM_DAMAGED);
	assert_int_equal(alarms_tick(a), -EAGAIN);
	assert_int_equal(active(), 1);
	RIGHT(ALARM_DAMAGED);
	assert_int_equal(alarms_tick(a), -EAGAIN);
	restart();
	tell_rc = 0;
	tick();
	tick();
	assert_string_equal(heard(), "+1 -1");
	restart();
	tick();
	assert_string_equal(heard(), "");
}

static void test_restarts(void **state)
{
	for (int i = 0; i < 3; i++) {
		restart();
		alarms_restarted(a);
		tick();
		SECONDS(600);
		assert_int_equal(active(), i == 2);
	}
	assert_int_equal(list[0].code, ALARM_WORKER_RESTARTS);
	restart();
	for (int i = 0; i < 49; i++) {
		tick();
		SECONDS(60);
	}
	assert_int_equal(active(), 1);
	SECONDS(120);
	tick();
	assert_int_equal(active(), 0);
	assert_string_equal(heard(), "+1 -1");
}

/* However long it runs: what is kept is bounded, and the newest. */
static void test_bounded(void **state)
{
	char subject[16];

	alarms_after(a, ALARM_JOB_FAILING, 0);
	for (int i = 0; i < ALARMS_MAX + 10; i++) {
		WRONG(ALARM_DAMAGED);
		tick();
		RIGHT(ALARM_DAMAGED);
		tick();
	}
	for (int i = 0; i < 100; i++) { /* more than there are places for */
		snprintf(subject, sizeof(subject), "job-%d", i);
		alarms_set(a, ALARM_JOB_FAILING, subject, ALARM_ON, "fails");
	}
	tick();
	assert_int_equal(alarms_list(a, list, 2), ALARMS_MAX);
	assert_true(active() > 50 && active() <= ALARM_SIGNALS);
	assert_int_equal(list[ALARMS_MAX - 1].code, ALARM_DAMAGED);
	restart();
	assert_int_equal(alarms_list(a, list, ALARMS_MAX), ALARMS_MAX);
}

static void read_book(struct alarm_book *b, const char *text)
{
	CLEANUP_FREE char *copy = strdup(text);

	memset(b, 0, sizeof(*b));
	book_read(b, copy);
}

/* What a newer version, or nobody, has written. */
static void test_odd_books(void **state)
{
	static const char *const none[] = { "",
					    "\n",
					    "1",
					    "2\t9\n",
					    "\t\t\t",
					    "1\t4\nx",
					    "1\t4\n1\tdamaged\n" };
	static struct alarm_book b;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		read_book(&b, none[i]);
		assert_int_equal(b.n, 0);
	}
	read_book(&b, "1\t3\t7\t\tx\t8\n"
		      "5\tdamaged\t\t9\t0\t0\t\t2\tbad\tmore\n"
		      "5\tdamaged\t\t9\t0\t0\t\t2\tthe same id\n"
		      "6\tof_the_future\t\t9\t0\t0\t\t2\tbad\n"
		      "7\tdamaged\t\t0\t0\t0\t\t2\tnever raised\n"
		      "99999999999999999999999\tquota\t"
		      "a subject that is longer than there is room for it\t9"
		      "\t9\t9\twho\t1\t\n");
	assert_int_equal(b.n, 2);
	assert_int_equal(b.restart[0], 7);
	assert_string_equal(b.rec[0].a.message, "bad");
	assert_true(b.rec[0].told_cleared);
	assert_int_equal(strlen(b.rec[1].a.subject), 31);
	assert_false(b.rec[1].told_cleared);
}

static json_t *json(const struct alarm *of)
{
	CLEANUP_BUF struct buf b = { 0 };
	json_t *o;

	assert_int_equal(alarm_json(of, "rem", "gw\"1", &b), 0);
	assert_int_equal(b.data[b.len - 1], '\n');
	o = json_loadb((char *)b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	return o;
}

#define TEXT(o, key) json_string_value(json_object_get(o, key))

static void test_json(void **state)
{
	struct alarm of = { .id = 3,
			    .code = ALARM_STORE_DOWN,
			    .raised_ns = 1796000000 * NSEC_PER_SEC,
			    .message = "a \"b\" \\ \x01\xff c" };
	CLEANUP_BUF struct buf b = { 0 };
	json_t *o = json(&of);

	assert_string_equal(TEXT(o, "event"), "raised");
	assert_string_equal(TEXT(o, "gateway"), "gw\"1");
	assert_string_equal(TEXT(o, "id"), "rem-3");
	assert_string_equal(TEXT(o, "code"), "store_down");
	assert_string_equal(TEXT(o, "severity"), "critical");
	assert_string_equal(TEXT(o, "raised_at"), "2026-11-30T00:53:20Z");
	assert_true(json_is_null(json_object_get(o, "cleared_at")));
	assert_true(json_is_null(json_object_get(o, "acked_by")));
	assert_string_equal(TEXT(o, "message"), "a \"b\" \\ ?? c");
	json_decref(o);
	of.cleared_ns = of.raised_ns;
	strcpy(of.acked_by, "alice");
	o = json(&of);
	assert_string_equal(TEXT(o, "event"), "cleared");
	assert_string_equal(TEXT(o, "acked_by"), "alice");
	json_decref(o);
	of.code = ALARM_CODES;
	assert_int_equal(alarm_json(&of, "rem", "gw", &b), -EINVAL);
	of.code = ALARM_QUOTA;
	memset(of.message, 'x', sizeof(of.message));
	assert_int_equal(alarm_json(&of, "rem", "gw", &b), -EINVAL);
}

static void test_table(void **state)
{
	for (int i = 0; i < ALARM_CODES; i++) {
		const struct alarm_kind *k = &alarm_kinds[i];

		assert_true(strspn(k->name, "abcdefghijklmnopqrstuvwxyz_") ==
			    strlen(k->name));
		assert_true(k->raised[strlen(k->raised) - 1] == '.');
		assert_true(k->clears[strlen(k->clears) - 1] == '.');
		assert_true(k->action[0] >= 'a' && k->action[0] <= 'z');
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_at_once),	      TEST(test_does_not_flap),
		TEST(test_configured),	      TEST(test_keep),
		TEST(test_subjects),	      TEST(test_ack),
		TEST(test_restart),	      TEST(test_told_later),
		TEST(test_restarts),	      TEST(test_bounded),
		TEST(test_odd_books),	      cmocka_unit_test(test_json),
		cmocka_unit_test(test_table),
	};
	int rc = RUN_TESTS(tests, group_setup, group_teardown);

	buf_done(&told);
	return rc;
}
