/* SPDX-License-Identifier: Apache-2.0 */
/* Recalls from an archive class, clinic lists and pins: what they cost, when
 * they are ready, what a budget stops. */
#include "tests/unit/ctl/archive.h"

#define ARCHIVE_TEST(f) \
	cmocka_unit_test_setup_teardown(f, archive_setup, archive_teardown)

__attribute__((format(printf, 1, 2))) static json_t *askf(const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return ask(line);
}

static json_t *call(const char *verb, const char *args)
{
	return askf("{\"id\":1,\"verb\":\"%s\",\"args\":{%s}}", verb, args);
}

static int pounds(json_t *a)
{
	money_t cost;

	assert_int_equal(money_parse(text_at(a, "result.cost.amount"), &cost),
			 0);
	return (int)(cost / MONEY_UNIT);
}

static int64_t ready(json_t *a, const char *path)
{
	int64_t ns;

	assert_int_equal(clock_iso_parse(text_at(a, path), &ns), 0);
	return ns - clock_wall_ns();
}

static int orders(struct meta_restore *r, size_t max)
{
	META_TXN(t);

	assert_int_equal(meta_read(m, &t), 0);
	return meta_restore_list(&t, META_RESTORE_ORDERED, 0, r, max);
}

#define BOTH "\"paths\":[{\"path\":\"a\"},{\"path\":\"b\"}]"

/* Looking costs nothing and orders nothing. */
static void test_dry(void **state)
{
	CLEANUP_JSON json_t *a = NULL;
	struct meta_restore r[4];

	archived("a");
	archived("b");
	a = call("recall", BOTH ",\"dry_run\":true");
	assert_int_equal(int_at(a, "result.archived_files"), 2);
	assert_int_equal(int_at(a, "result.archived_bytes"), 300000);
	assert_int_equal(int_at(a, "result.files"), 0);
	assert_int_equal(pounds(a), 2);
	assert_int_equal(int_at(a, "result.requests"), 4); /* and 2 GETs */
	assert_in_range(ready(a, "result.ready_at"), 11 * HOUR, 12 * HOUR);
	assert_int_equal(orders(r, 4), 0);
	assert_int_equal(fake.pinned, 0);
}

/* It is ordered once, and its files are pinned until they have come. */
static void test_order(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *again = NULL, *pins = NULL;
	struct meta_restore r[4];

	archived("a");
	archived("b");
	a = call("recall", BOTH ",\"speed\":\"bulk\"");
	assert_int_equal(int_at(a, "result.archived_files"), 2);
	assert_in_range(ready(a, "result.ready_at"), 47 * HOUR, 48 * HOUR);
	assert_int_equal(orders(r, 4), 2);
	assert_int_equal(r[0].speed, STORE_BULK);
	assert_string_equal(r[0].cause, "recall");
	assert_int_equal(fake.pinned, 1);
	pins = call("pins", "");
	assert_int_equal(json_array_size(at(pins, "result.pins")), 1);
	assert_string_equal(text_at(pins, "result.pins.0.cause"), "recall");
	assert_int_equal(int_at(pins, "result.pins.0.files"), 2);

	again = call("recall", BOTH ",\"speed\":\"bulk\",\"dry_run\":true");
	assert_int_equal(pounds(again), 0);
	assert_in_range(ready(again, "result.ready_at"), 47 * HOUR, 48 * HOUR);
}

static json_t *recall_by(int64_t ns, const char *more)
{
	return askf("{\"id\":1,\"verb\":\"recall\",\"args\":{" BOTH
		    ",\"dry_run\":true,\"by\":\"%s\"%s}}",
		    iso(ns), more);
}

/* By a time: the slowest speed that is fast enough; else it is at risk. */
static void test_by(void **state)
{
	CLEANUP_JSON json_t *slow = NULL, *mid = NULL, *fast = NULL;
	CLEANUP_JSON json_t *never = NULL, *said = NULL;

	archived("a");
	archived("b");
	slow = recall_by(72 * HOUR, "");
	assert_in_range(ready(slow, "result.ready_at"), 47 * HOUR, 48 * HOUR);
	mid = recall_by(24 * HOUR, "");
	assert_in_range(ready(mid, "result.ready_at"), 11 * HOUR, 12 * HOUR);
	assert_int_equal(int_at(mid, "result.at_risk_files"), 0);
	fast = recall_by(HOUR, "");
	assert_in_range(ready(fast, "result.ready_at"), 0, HOUR);
	assert_int_equal(pounds(fast), 20);
	never = recall_by(HOUR / 60, "");
	assert_int_equal(int_at(never, "result.at_risk_files"), 2);
	assert_string_equal(text_at(never, "result.at_risk.0.path"), "a");
	said = recall_by(HOUR, ",\"speed\":\"standard\"");
	assert_int_equal(int_at(said, "result.at_risk_files"), 2);
}

/* A budget stops what people order, but no clinic list. */
static void test_budget(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *dry = NULL, *pin = NULL;
	struct meta_restore r[4];

	archived("a");
	archived("b");
	spent = 99 * MONEY_UNIT;
	a = call("recall", BOTH);
	assert_string_equal(error_code(a), "over_budget");
	assert_string_equal(text_at(a, "error.errno"), "EDQUOT");
	assert_int_equal(orders(r, 4), 0);
	pin = call("pin", BOTH);
	assert_string_equal(error_code(pin), "over_budget");
	dry = call("recall", BOTH ",\"dry_run\":true");
	assert_int_equal(pounds(dry), 2);
	json_decref(a);
	spent = 97 * MONEY_UNIT;
	a = call("recall", BOTH);
	assert_int_equal(int_at(a, "result.archived_files"), 2);
	assert_int_equal(orders(r, 4), 2);
}

/* What can be read at once is not for nothing either. */
static void test_budget_reads(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *b = NULL;
	const money_t was = fake_class.get_1000.amount;

	archived("a");
	archived("b");
	memset(fake.takes_ns, 0, sizeof(fake.takes_ns));
	fake_class.get_1000.amount = 1000 * MONEY_UNIT;
	spent = 98 * MONEY_UNIT + 1;
	a = call("recall", BOTH);
	assert_string_equal(error_code(a), "over_budget");
	spent--;
	b = call("recall", BOTH);
	assert_int_equal(int_at(b, "result.files"), 2);
	fake_class.get_1000.amount = was;
}

/* ---- clinic lists ---------------------------------------------------- */

#define CLINIC                                                             \
	"{\"id\":1,\"verb\":\"clinic\",\"args\":{\"dry_run\":%s,"          \
	"\"patients\":[{\"patient_id\":\"P1\",\"appointment_at\":\"%s\"}," \
	"{\"patient_id\":\"P2\",\"appointment_at\":\"%s\"},"               \
	"{\"patient_id\":\"P3\",\"appointment_at\":\"%s\"},"               \
	"{\"patient_id\":\"P4\",\"appointment_at\":\"%s\"}]}}"

static void test_clinic(void **state)
{
	CLEANUP_JSON json_t *dry = NULL, *a = NULL, *pins = NULL;
	uint64_t p1 = archived("a"), p2 = archived("b"), here;
	struct meta_restore r[4];

	here = new_file_in(META_ROOT_INO, "c", S_IFREG | 0644);
	write_file(here, here, 1000);
	assert_int_equal(cache_flush(c), 0);
	of_patient(p1, "1.1", "P1");
	of_patient(p2, "1.2", "P2");
	of_patient(here, "1.3", "P3");
	spent = 1000 * MONEY_UNIT; /* it is for patients */
	dry = askf(CLINIC, "true", iso(20 * HOUR), iso(HOUR / 60), iso(HOUR),
		   iso(HOUR));
	assert_int_equal(orders(r, 4), 0);
	assert_int_equal(pounds(dry), 11); /* one of them as fast as it goes */
	a = askf(CLINIC, "false", iso(20 * HOUR), iso(HOUR / 60), iso(HOUR),
		 iso(HOUR));
	assert_string_equal(text_at(a, "result.patients.0.state"), "coming");
	assert_string_equal(text_at(a, "result.patients.0.patient_id"), "P1");
	assert_int_equal(int_at(a, "result.patients.0.studies"), 1);
	assert_int_equal(int_at(a, "result.patients.0.bytes"), 150000);
	assert_in_range(ready(a, "result.patients.0.ready_at"), 11 * HOUR,
			12 * HOUR);
	assert_string_equal(text_at(a, "result.patients.1.state"), "at_risk");
	assert_string_equal(text_at(a, "result.patients.2.state"), "ready");
	assert_string_equal(text_at(a, "result.patients.3.state"), "unknown");
	assert_true(json_is_null(at(a, "result.patients.3.ready_at")));
	assert_int_equal(orders(r, 4), 2);
	pins = call("pins", "");
	assert_int_equal(json_array_size(at(pins, "result.pins")), 3);
	assert_string_equal(text_at(pins, "result.pins.0.cause"),
			    "clinic-list");
	assert_in_range(ready(pins, "result.pins.0.until"), 20 * HOUR,
			21 * HOUR);
}

/* Whose slot is over gets nothing any more, least of all as fast as it goes;
 * and what is here was not too late. */
static void test_clinic_over(void **state)
{
	CLEANUP_JSON json_t *a = NULL;
	uint64_t p1 = archived("a"), here;
	struct meta_restore r[4];

	here = new_file_in(META_ROOT_INO, "c", S_IFREG | 0644);
	write_file(here, here, 1000);
	assert_int_equal(cache_flush(c), 0);
	of_patient(p1, "1.1", "P1");
	of_patient(here, "1.3", "P3");
	a = askf(CLINIC, "false", iso(-2 * HOUR), iso(-HOUR / 2),
		 iso(-HOUR / 2), iso(-HOUR / 2));
	assert_string_equal(text_at(a, "result.patients.0.state"), "at_risk");
	assert_true(json_is_null(at(a, "result.patients.0.ready_at")));
	assert_string_equal(text_at(a, "result.patients.2.state"), "ready");
	assert_int_equal(int_at(a, "result.archived_files"), 0);
	assert_int_equal(pounds(a), 0);
	assert_int_equal(orders(r, 4), 0);
}

static void test_clinic_wrong(void **state)
{
	CLEANUP_JSON json_t *none = NULL, *shape = NULL, *speed = NULL;

	none = call("clinic", "\"patients\":[]");
	assert_string_equal(text_at(none, "error.errno"), "EINVAL");
	shape = call("clinic", "\"patients\":[{\"patient_id\":\"P1\"}]");
	assert_string_equal(text_at(shape, "error.errno"), "EINVAL");
	speed = call("recall", BOTH ",\"speed\":\"warp\"");
	assert_string_equal(text_at(speed, "error.errno"), "EINVAL");
}

/* ---- pins -------------------------------------------------------------- */

static void test_pins(void **state)
{
	CLEANUP_JSON json_t *a = NULL, *list = NULL, *evict = NULL;
	CLEANUP_JSON json_t *past = NULL, *un = NULL, *end = NULL;
	uint64_t ino = archived("a");
	struct meta_restore r[4];

	a = askf("{\"id\":1,\"verb\":\"pin\",\"args\":{\"paths\":[{\"path\":"
		 "\"a\"}],\"until\":\"%s\"}}",
		 iso(2 * DAY));
	assert_int_equal(int_at(a, "result.pins.0.files"), 1);
	assert_int_equal(int_at(a, "result.archived_files"), 1);
	assert_int_equal(orders(r, 4), 1);
	assert_int_equal(fake.pinned, 1);
	list = call("pins", "");
	assert_string_equal(text_at(list, "result.pins.0.path"), "a");
	assert_string_equal(text_at(list, "result.pins.0.by"), "uid 0");
	assert_int_equal(int_at(list, "result.pins.0.bytes"), 150000);

	evict = call("evict", "\"paths\":[{\"path\":\"a\"}]");
	assert_int_equal(int_at(evict, "result.skipped_files"), 0);
	assert_int_equal(state_of(ino), META_REMOTE); /* nothing to evict */
	past = askf("{\"id\":1,\"verb\":\"pin\",\"args\":{\"paths\":[{\"path\":"
		    "\"a\"}],\"until\":\"%s\"}}",
		    iso(-DAY));
	assert_string_equal(text_at(past, "error.errno"), "EINVAL");
	un = call("unpin", "\"paths\":[{\"path\":\"a\"}]");
	assert_int_equal(int_at(un, "result.files"), 1);
	end = call("pins", "");
	assert_int_equal(json_array_size(at(end, "result.pins")), 0);
}

/* Eviction by verb passes a pinned file over, and says why. */
static void test_evict_pinned(void **state)
{
	CLEANUP_JSON json_t *pin = NULL, *dry = NULL, *a = NULL, *b = NULL;
	CLEANUP_JSON json_t *un = NULL;
	uint64_t ino = new_file_in(META_ROOT_INO, "a", S_IFREG | 0644);
	const char *paths = "\"paths\":[{\"path\":\"a\"}]";

	write_file(ino, ino, 150000);
	assert_int_equal(cache_flush(c), 0);
	assert_int_equal(fake_protect(ino), 0);
	pin = call("pin", paths);
	assert_int_equal(int_at(pin, "result.archived_files"), 0);
	assert_true(json_is_null(at(pin, "result.pins.0.until")));
	dry = call("evict", "\"paths\":[{\"path\":\"a\"}],\"dry_run\":true");
	assert_string_equal(text_at(dry, "result.skipped.0.reason"), "pinned");
	a = call("evict", paths);
	assert_int_equal(int_at(a, "result.files"), 0);
	assert_string_equal(text_at(a, "result.skipped.0.reason"), "pinned");
	assert_int_equal(state_of(ino), META_LOCAL);
	un = call("unpin", paths);
	b = call("evict", paths);
	assert_int_equal(int_at(b, "result.files"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARCHIVE_TEST(test_dry),
		ARCHIVE_TEST(test_order),
		ARCHIVE_TEST(test_by),
		ARCHIVE_TEST(test_budget),
		ARCHIVE_TEST(test_budget_reads),
		ARCHIVE_TEST(test_clinic),
		ARCHIVE_TEST(test_clinic_over),
		ARCHIVE_TEST(test_clinic_wrong),
		ARCHIVE_TEST(test_pins),
		ARCHIVE_TEST(test_evict_pinned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
