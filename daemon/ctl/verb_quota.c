/* SPDX-License-Identifier: Apache-2.0 */
/* `mersey quota show` and `mersey quota check`: limits, what is used of them,
 * and the proof that it is. */
#include "ctl/verbs.h"

#include <inttypes.h>

int ctl_quota_read(const struct ctl_worker *w, struct ctl_quota *out)
{
	META_TXN(t);
	int rc = meta_read(w->meta, &t);

	if (rc < 0)
		return rc;
	meta_usage(&t, &out->used);
	meta_quota_get(w->meta, &out->limit);
	return 0;
}

json_t *ctl_quota_limit(uint64_t limit)
{
	return limit ? proto_count(limit) : json_null();
}

static json_t *quota_left(uint64_t limit, uint64_t used)
{
	if (!limit)
		return json_null();
	return proto_count(limit > used ? limit - used : 0);
}

static json_t *quota_pair(json_t *bytes, json_t *files)
{
	return json_pack("{s:o, s:o}", "bytes", bytes, "files", files);
}

static int quota_fill(struct ctl_call *c, json_t *result)
{
	struct ctl_quota q;
	int rc = ctl_quota_read(c->w, &q);

	if (rc < 0)
		return fail(&c->err, rc, "cannot read the quota: %m");
	rc = proto_set(result, "trust", json_string(c->w->trust));
	if (rc == 0)
		rc = proto_set(result, "name", json_string(c->w->long_name));
	if (rc == 0)
		rc = proto_set(result, "quota",
			       quota_pair(ctl_quota_limit(q.limit.bytes),
					  ctl_quota_limit(q.limit.files)));
	if (rc == 0)
		rc = proto_set(result, "used",
			       quota_pair(proto_count(q.used.bytes),
					  proto_count(q.used.files)));
	if (rc == 0)
		rc = proto_set(
			result, "left",
			quota_pair(quota_left(q.limit.bytes, q.used.bytes),
				   quota_left(q.limit.files, q.used.files)));
	return rc;
}

int ctl_verb_quota(struct ctl_call *c, json_t *result)
{
	return quota_fill(c, result);
}

/* ---- check ---------------------------------------------------------- */

static bool check_tick(void *arg, const struct meta_recount *now)
{
	struct ctl_call *c = arg;
	int rc = ctl_progress(
		c, json_pack("{s:o, s:o, s:o, s:o, s:n}", "files",
			     proto_count(now->files), "bytes",
			     proto_count(now->bytes), "total_files",
			     proto_count(now->counter_files), "total_bytes",
			     proto_count(now->counter_bytes), "waiting_for"));

	return rc == 0 && !ctl_gone(c);
}

struct quota_check {
	struct meta_recount r;
	int account; /* of cache_account() */
};

static json_t *check_problems(const struct ctl_call *c,
			      const struct quota_check *k)
{
	const struct meta_recount *r = &k->r;
	char message[256];

	if (r->exact && k->account != 0)
		return json_array();
	if (r->exact)
		snprintf(message, sizeof(message),
			 "what open files have grown is counted wrong");
	else
		snprintf(message, sizeof(message),
			 "the counters say %" PRIu64 " bytes in %" PRIu64
			 " files, the files themselves %" PRIu64 " in %" PRIu64,
			 r->counter_bytes, r->counter_files, r->bytes,
			 r->files);
	return json_pack("[{s:s, s:s, s:s, s:s}]", "trust", c->w->trust, "code",
			 "counters_differ", "message", message, "hint",
			 "no file is touched by that, but status and quotas "
			 "are wrong; keep a copy of the trust's mersey.db for "
			 "who maintains Mersey");
}

static int check_fill(struct ctl_call *c, const struct quota_check *k,
		      json_t *result)
{
	const struct meta_recount *r = &k->r;
	int rc = quota_fill(c, result);

	if (rc == 0)
		rc = proto_set(result, "exact",
			       json_boolean(r->exact && k->account != 0));
	if (rc == 0)
		rc = proto_set(result, "counted",
			       quota_pair(proto_count(r->bytes),
					  proto_count(r->files)));
	if (rc == 0)
		rc = proto_set(result, "counters",
			       quota_pair(proto_count(r->counter_bytes),
					  proto_count(r->counter_files)));
	if (rc == 0)
		rc = proto_set(result, "account_exact",
			       k->account < 0 ? json_null()
					      : json_boolean(k->account));
	return rc == 0 ? proto_set(result, "problems", check_problems(c, k))
		       : rc;
}

int ctl_verb_quota_check(struct ctl_call *c, json_t *result)
{
	struct quota_check k = { 0 };
	int rc = meta_recount(c->w->meta, check_tick, c, &k.r);

	if (rc == -EBUSY)
		return fail(&c->err, rc, "another check is under way");
	if (rc < 0)
		return fail(&c->err, rc, "cannot count the files: %m");
	k.account = cache_account(c->w->cache);
	if (k.account < 0 && k.account != -EAGAIN)
		return fail(&c->err, k.account, "cannot read the account: %m");
	return check_fill(c, &k, result);
}
