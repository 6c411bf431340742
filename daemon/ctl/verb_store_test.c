/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of the store's contract, tried on the trust's own bucket. */
#include "ctl/verbs.h"

#include <stdatomic.h>
#include <string.h>

#include "store/check.h"

static int test_progress(void *arg, const char *name, size_t done, size_t total)
{
	struct ctl_call *c = arg;

	if (ctl_gone(c))
		return -EINTR;
	return ctl_progress(c, json_pack("{s:s, s:o, s:o}", "check", name,
					 "checks", proto_count(done),
					 "total_checks", proto_count(total)));
}

/* In part the store's own words. */
static json_t *test_detail(const char *text)
{
	CLEANUP_BUF struct buf b = { 0 };

	if (proto_utf8(text, strlen(text), &b) < 0 || !buf_str(&b))
		return NULL;
	return proto_text((char *)b.data);
}

static json_t *test_row(const struct store_check *k)
{
	return json_pack("{s:s, s:s, s:o, s:b}", "name", k->name, "result",
			 store_check_result_name(k->result), "detail",
			 test_detail(k->detail), "needed", k->needed);
}

static int test_rows(const struct store_check *k, int n, json_t *result)
{
	json_t *list = json_array();
	int rc = proto_set(result, "capabilities", list);

	for (int i = 0; rc == 0 && i < n; i++)
		if (json_array_append_new(list, test_row(&k[i])) < 0)
			rc = -ENOMEM;
	return rc;
}

/* The tier that was asked for; the first, when none was. */
static const struct ctl_tier *test_tier(struct ctl_call *c)
{
	const char *name = ctl_text(c, "tier");

	for (size_t i = 0; i < c->w->n_tiers; i++)
		if (!name || strcmp(name, c->w->tiers[i].name) == 0)
			return &c->w->tiers[i];
	fail(&c->err, -ENOENT, "trust '%s' has no tier '%s'", c->w->trust,
	     name);
	return NULL;
}

static int test_run(struct ctl_call *c, const struct ctl_place *p,
		    struct store_check *k)
{
	int n = store_check(p->direct, test_progress, c, k);

	if (n >= 0 || n == -EINTR || n == -EPIPE)
		return n;
	c->code = "store_unreachable";
	return fail(&c->err, n, "store '%s' does not answer: %m%s%s", p->store,
		    *store_detail() ? ": " : "", store_detail());
}

int ctl_verb_store_test(struct ctl_call *c, json_t *result)
{
	static atomic_flag running = ATOMIC_FLAG_INIT;
	struct store_check k[STORE_CHECKS_MAX];
	const struct ctl_tier *t = test_tier(c);
	const struct ctl_place *p = t ? &c->w->places[t->place] : NULL;
	int rc;

	if (!t)
		return -ENOENT;
	if (atomic_flag_test_and_set(&running))
		return fail(&c->err, -EAGAIN, "the store is being tested");
	rc = test_run(c, p, k);
	atomic_flag_clear(&running);
	if (rc < 0)
		return rc;
	rc = test_rows(k, rc, result);
	if (rc == 0)
		rc = proto_set(result, "tier", proto_text(t->name));
	if (rc == 0)
		rc = proto_set(result, "store", proto_text(p->store));
	if (rc == 0)
		rc = proto_set(result, "bucket", proto_text(p->bucket));
	return rc == 0 ? proto_set(result, "trust", proto_text(c->w->trust))
		       : rc;
}
