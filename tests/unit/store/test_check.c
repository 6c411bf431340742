/* SPDX-License-Identifier: Apache-2.0 */
/* What `mersey store test` finds, on stores that are well and on liars. */
#include "tests/test.h"

#include "store/call.h"
#include "store/check.h"
#include "store/drivers.h"

enum lie {
	TRUTH,
	OVERWRITES,   /* what was to be created only */
	LOOKS_FIRST,  /* cannot create only, and says so */
	OTHER_BYTES,  /* one is wrong in each get */
	WHOLE_OBJECT, /* whatever the range */
	BEHIND_END,   /* zeros there */
	WRONG_SIZE,   /* head */
	FINDS_ALL,    /* head of what is not there */
	DISORDER,     /* in lists */
	ONE_PAGE,     /* there never is another one */
	KEEPS,	      /* what was deleted */
	ONE_CLASS,    /* STANDARD, whatever was asked */
	NO_CLASS,     /* refuses others */
	HAS_VERSIONS, /* and no lock */
	WEAK_LOCK,    /* deletes what is locked */
	NO_COPY,
	REFUSES, /* all, from call `at` on */
	AWAY,	 /* from call `at` on */
};

struct liar {
	struct store base;
	struct store *mem;
	enum lie lie;
	unsigned calls, at;
};

static struct liar *liar(struct store *s)
{
	return container_of(s, struct liar, base);
}

/* Before each call: what a store that is away or refuses says. */
static int answer(struct liar *l)
{
	if (l->calls++ < l->at)
		return 0;
	if (l->lie == AWAY)
		return store_explain(-ETIMEDOUT, "nobody there");
	return l->lie == REFUSES ? store_explain(-EACCES, "AccessDenied") : 0;
}

static int liar_put(struct store *s, const char *key, const void *data,
		    size_t len, const struct store_put_opts *opts)
{
	struct liar *l = liar(s);
	struct store_put_opts o = *opts;
	int rc = answer(l);

	if (l->lie == OVERWRITES)
		o.if_absent = false;
	if (l->lie == ONE_CLASS)
		o.storage_class = NULL;
	if (rc == 0 && l->lie == NO_CLASS && o.storage_class)
		rc = store_explain(-ENOTSUP, "InvalidStorageClass");
	return rc < 0 ? rc : store_put(l->mem, key, data, len, &o);
}

static ssize_t liar_get(struct store *s, const char *key, uint64_t off,
			void *dst, size_t len)
{
	struct liar *l = liar(s);
	ssize_t n = answer(l);

	if (n < 0)
		return n;
	n = store_get(l->mem, key, l->lie == WHOLE_OBJECT ? 0 : off, dst, len);
	if (l->lie == OTHER_BYTES && n > 0)
		*(uint8_t *)dst ^= 1;
	return n == -ERANGE && l->lie == BEHIND_END ? 1 : n;
}

static int liar_head(struct store *s, const char *key, struct store_info *out)
{
	struct liar *l = liar(s);
	int rc = answer(l);

	if (rc < 0)
		return rc;
	rc = store_head(l->mem, key, out);
	if (l->lie == WRONG_SIZE)
		out->size++;
	if (rc == -ENOENT && l->lie == FINDS_ALL) {
		*out = (struct store_info){ 0 };
		rc = 0;
	}
	return rc;
}

static int liar_del(struct store *s, const char *const *keys, size_t n, int *rc)
{
	struct liar *l = liar(s);
	int away = answer(l);

	for (size_t i = 0; i < n; i++)
		rc[i] = away;
	return away < 0 || l->lie == KEEPS ? away
					   : store_del(l->mem, keys, n, rc);
}

static int liar_list(struct store *s, const char *prefix, const char *after,
		     size_t max, struct store_list *out)
{
	struct liar *l = liar(s);
	int rc = answer(l);

	if (rc < 0)
		return rc;
	rc = store_list(l->mem, prefix, after, max, out);
	if (l->lie == DISORDER && out->n > 1) {
		struct store_entry first = out->entry[0];

		out->entry[0] = out->entry[1];
		out->entry[1] = first;
	}
	if (l->lie == ONE_PAGE)
		out->more = false;
	return rc;
}

static int liar_copy(struct store *s, const char *from, const char *to,
		     const struct store_put_opts *opts)
{
	struct liar *l = liar(s);
	int rc = answer(l);

	if (l->lie == NO_COPY)
		return store_cannot("copy");
	return rc < 0 ? rc : store_copy(l->mem, from, to, opts);
}

static int liar_restore(struct store *s, const char *key, unsigned days,
			enum store_speed speed)
{
	struct liar *l = liar(s);
	int rc = answer(l);

	return rc < 0 ? rc : store_restore(l->mem, key, days, speed);
}

static int liar_del_version(struct store *s, const char *key,
			    const char *version)
{
	struct liar *l = liar(s);
	int rc = answer(l);

	if (rc < 0)
		return rc;
	rc = store_del_version(l->mem, key, version);
	return rc == -EACCES && l->lie == WEAK_LOCK ? 0 : rc;
}

static void liar_caps(struct store *s, struct store_caps *out)
{
	struct liar *l = liar(s);

	store_caps(l->mem, out);
	/* A lock of the test's own takes seconds: where it is the subject. */
	if (l->lie != TRUTH && l->lie != WEAK_LOCK)
		out->lock = false;
	if (l->lie == HAS_VERSIONS)
		out->versions = true;
	if (l->lie == LOOKS_FIRST)
		out->create_only = false;
}

static int liar_skew(struct store *s, int64_t *ahead_ns)
{
	return store_skew(liar(s)->mem, ahead_ns);
}

static void liar_free(struct store *s)
{
	store_free(liar(s)->mem);
	free(liar(s));
}

static const struct store_ops liar_ops = {
	.put = liar_put,
	.get = liar_get,
	.head = liar_head,
	.del = liar_del,
	.list = liar_list,
	.copy = liar_copy,
	.restore = liar_restore,
	.del_version = liar_del_version,
	.caps = liar_caps,
	.skew = liar_skew,
	.free = liar_free,
};

static struct store *liar_new(enum lie lie, unsigned at)
{
	struct liar *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	*l = (struct liar){ .base.ops = &liar_ops,
			    .mem = store_mem_new(),
			    .lie = lie,
			    .at = at };
	return &l->base;
}

/* ---- looking at what was found ---------------------------------------- */

static struct store_check found[STORE_CHECKS_MAX];

static int go_on(void *arg, const char *name, size_t done, size_t total)
{
	size_t *stop = arg;

	assert_true(name[0] && done < total);
	return stop && *stop == done ? -EINTR : 0;
}

static const struct store_check *find(int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(found[i].name, name) == 0)
			return &found[i];
	print_error("no check '%s'\n", name);
	assert_true(false);
	return NULL;
}

static void assert_keys(struct store *s, const char *const *keys, size_t n)
{
	CLEANUP(store_list_done) struct store_list l = { 0 };

	assert_int_equal(store_list(s, "", "", 1000, &l), 0);
	for (size_t i = 0; i < l.n && i < n; i++)
		assert_string_equal(l.entry[i].key, keys[i]);
	assert_int_equal(l.n, n);
}

/* Where mem is no S3: it compares nothing with a hash, keeps no old version,
 * and has no batches. */
static enum store_check_result of_mem(const char *name)
{
	if (strcmp(name, "checksum") == 0 || strcmp(name, "versioning") == 0)
		return STORE_CHECK_NO;
	return strcmp(name, "batch_delete") == 0 ? STORE_CHECK_EMULATED
						 : STORE_CHECK_YES;
}

static void test_well(void **state)
{
	static const char *const kept[] = { "packs/a", "scratch/other",
					    "scratch/testimony" };
	CLEANUP(store_free_guard) struct store *s = liar_new(TRUTH, 0);
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_int_equal(store_put(s, kept[i], "x", 1, NULL), 0);
	assert_int_equal(store_put(s, "scratch/test/dead/put", "x", 1, NULL),
			 0);
	n = store_check(s, go_on, NULL, found);
	assert_true(n >= 20);
	for (int i = 0; i < n; i++) {
		if (found[i].result != of_mem(found[i].name))
			print_error("%s: %s\n", found[i].name, found[i].detail);
		assert_int_equal(found[i].result, of_mem(found[i].name));
	}
	assert_string_equal(find(n, "copy_class")->detail, "to STANDARD_IA");
	assert_string_equal(find(n, "restore")->detail,
			    "asked for, from GLACIER");
	assert_keys(s, kept, ARRAY_SIZE(kept));
}

static void test_liars(void **state)
{
	static const struct {
		enum lie lie;
		const char *check;
		enum store_check_result result;
	} cases[] = {
		{ OVERWRITES, "create_only", STORE_CHECK_NO },
		{ LOOKS_FIRST, "create_only", STORE_CHECK_EMULATED },
		{ OTHER_BYTES, "put", STORE_CHECK_NO },
		{ OTHER_BYTES, "get", STORE_CHECK_NO },
		{ WHOLE_OBJECT, "range", STORE_CHECK_NO },
		{ BEHIND_END, "range_behind_end", STORE_CHECK_NO },
		{ WRONG_SIZE, "head", STORE_CHECK_NO },
		{ WRONG_SIZE, "empty_object", STORE_CHECK_NO },
		{ FINDS_ALL, "head", STORE_CHECK_NO },
		{ DISORDER, "list", STORE_CHECK_NO },
		{ ONE_PAGE, "list_continuation", STORE_CHECK_NO },
		{ KEEPS, "delete", STORE_CHECK_NO },
		{ KEEPS, "batch_delete", STORE_CHECK_NO },
		{ ONE_CLASS, "storage_class", STORE_CHECK_NO },
		{ NO_CLASS, "storage_class", STORE_CHECK_NO },
		{ NO_CLASS, "copy_class", STORE_CHECK_UNTESTED },
		{ NO_CLASS, "restore", STORE_CHECK_UNTESTED },
		{ NO_COPY, "copy", STORE_CHECK_NO },
		{ HAS_VERSIONS, "versioning", STORE_CHECK_YES },
		{ HAS_VERSIONS, "object_lock", STORE_CHECK_NO },
		{ WEAK_LOCK, "object_lock", STORE_CHECK_NO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(store_free_guard)
		struct store *s = liar_new(cases[i].lie, 0);
		int n = store_check(s, go_on, NULL, found);
		const struct store_check *k;

		assert_true(n > 0);
		k = find(n, cases[i].check);
		if (k->result != cases[i].result)
			print_error("case %zu: %s: %s\n", i,
				    store_check_result_name(k->result),
				    k->detail);
		assert_int_equal(k->result, cases[i].result);
		if (cases[i].lie != KEEPS && cases[i].lie != WEAK_LOCK)
			assert_keys(liar(s)->mem, NULL, 0);
	}
}

/* Who may not do anything is told so for each, without an end. */
static void test_refused(void **state)
{
	CLEANUP(store_free_guard) struct store *s = liar_new(REFUSES, 0);
	int n = store_check(s, go_on, NULL, found);

	assert_true(n > 0);
	assert_int_equal(find(n, "put")->result, STORE_CHECK_NO);
	assert_string_equal(find(n, "put")->detail, "AccessDenied");
	assert_int_equal(find(n, "delete")->result, STORE_CHECK_NO);
}

/* From any call on: what was found stays, the rest is untested. */
static void test_goes_away(void **state)
{
	for (unsigned at = 0; at < 80; at += 4) {
		CLEANUP(store_free_guard) struct store *s = liar_new(AWAY, at);
		int n = store_check(s, go_on, NULL, found);
		bool gone = false;

		if (at < 4) { /* a list, and the first check */
			assert_int_equal(n, -ETIMEDOUT);
			assert_string_equal(store_detail(), "nobody there");
			continue;
		}
		assert_true(n > 0);
		for (int i = 0; i < n; i++) {
			gone |= strcmp(found[i].detail, "nobody there") == 0;
			if (gone)
				assert_int_equal(found[i].result,
						 STORE_CHECK_UNTESTED);
		}
	}
}

/* Whoever asked has left: it ends, and nothing stays. */
static void test_nobody_asks(void **state)
{
	for (size_t stop = 0; stop < 17; stop++) {
		CLEANUP(store_free_guard)
		struct store *s = liar_new(HAS_VERSIONS, 0);

		assert_int_equal(store_check(s, go_on, &stop, found), -EINTR);
		assert_keys(liar(s)->mem, NULL, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_well),
		cmocka_unit_test(test_liars),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_goes_away),
		cmocka_unit_test(test_nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
