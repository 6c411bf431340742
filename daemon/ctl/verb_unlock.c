/* SPDX-License-Identifier: Apache-2.0 */
/* `mersey store unlock`: who writes the bucket, and that it is us from now on;
 * and what status says of it. */
#include "ctl/verbs.h"

static json_t *quarantine_json(const struct fence_info *i)
{
	if (!i->quarantine_known)
		return json_null();
	return json_pack("{s:o, s:o}", "objects", proto_count(i->quarantined),
			 "bytes", proto_count(i->quarantined_bytes));
}

json_t *ctl_fence(const struct fence_info *i)
{
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o}", "state",
		fence_state_name(i->state), "generation",
		i->generation ? proto_count(i->generation) : json_null(),
		"held_by", proto_text(i->held_by), "held_host",
		proto_text(i->host), "held_since", proto_time(i->held_since_ns),
		"quarantined", quarantine_json(i));
}

/* Who had it; which generation is the newest now. */
static int unlock_fill(struct ctl_call *c, const struct fence_info *was,
		       bool dry, json_t *result)
{
	struct fence_info now;
	json_t *o;
	int rc;

	fence_info(c->w->fence, &now);
	o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:b}", "trust",
		      c->w->trust, "held_by", proto_text(was->held_by),
		      "held_host", proto_text(was->host), "held_since",
		      proto_time(was->held_since_ns), "generation",
		      now.generation ? proto_count(now.generation)
				     : json_null(),
		      "ours", was->state == FENCE_HOLDER, "taken",
		      !dry && was->state != FENCE_HOLDER, "dry_run", dry);
	rc = o ? 0 : -ENOMEM;
	if (rc == 0)
		rc = json_object_update(result, o) < 0 ? -ENOMEM : 0;
	json_decref(o);
	return rc;
}

int ctl_verb_store_unlock(struct ctl_call *c, json_t *result)
{
	bool dry = ctl_flag(c, "dry_run");
	struct fence_info was;
	int rc;

	if (!c->w->fence)
		return fail(&c->err, -ENOTSUP, "nothing here writes a bucket");
	rc = dry ? fence_look(c->w->fence, &was, &c->err)
		 : fence_take(c->w->fence, &was, &c->err);
	if (rc < 0)
		return rc;
	if (!dry && was.state == FENCE_UNSAFE) {
		fail(&c->err, -EPERM, "%s", was.why);
		return fail_hint(&c->err, -EPERM,
				 "if no other gateway ever writes that bucket: "
				 "single_writer: confirmed");
	}
	return unlock_fill(c, &was, dry, result);
}
