/* SPDX-License-Identifier: Apache-2.0 */
/* One request line to one answer: parse, check who may, call the verb. */
#include "ctl/verbs.h"

#include <string.h>

#include "base/clock.h"

static const struct {
	const char *name;
	unsigned roles; /* any of them */
	ctl_verb_fn fn;
} ctl_verbs[] = {
	{ "status", CTL_ADMIN | CTL_OPS | CTL_FINANCE, ctl_verb_status },
	{ "cost", CTL_ADMIN | CTL_OPS | CTL_FINANCE, ctl_verb_cost },
	{ "cost_forecast", CTL_ADMIN | CTL_OPS | CTL_FINANCE,
	  ctl_verb_cost_forecast },
	{ "cost_whatif", CTL_ADMIN | CTL_OPS | CTL_FINANCE,
	  ctl_verb_cost_whatif },
	{ "cost_explain", CTL_ADMIN | CTL_OPS, ctl_verb_cost_explain },
	{ "quota", CTL_ADMIN | CTL_OPS | CTL_FINANCE, ctl_verb_quota },
	{ "quota_check", CTL_ADMIN | CTL_OPS | CTL_FINANCE,
	  ctl_verb_quota_check },
	{ "info", CTL_ADMIN | CTL_OPS, ctl_verb_info },
	{ "jobs", CTL_ADMIN | CTL_OPS, ctl_verb_jobs },
	{ "alarms", CTL_ADMIN | CTL_OPS, ctl_verb_alarms },
	{ "alarms_ack", CTL_ADMIN | CTL_OPS, ctl_verb_alarms_ack },
	{ "metrics", CTL_ADMIN | CTL_OPS, ctl_verb_metrics },
	{ "doctor", CTL_ADMIN | CTL_OPS, ctl_verb_doctor },
	{ "wait", CTL_ADMIN | CTL_OPS, ctl_verb_wait },
	{ "evict", CTL_ADMIN | CTL_OPS, ctl_verb_evict },
	{ "recall", CTL_ADMIN | CTL_OPS, ctl_verb_recall },
	{ "clinic", CTL_ADMIN | CTL_OPS, ctl_verb_clinic },
	{ "pin", CTL_ADMIN | CTL_OPS, ctl_verb_pin },
	{ "unpin", CTL_ADMIN | CTL_OPS, ctl_verb_unpin },
	{ "pins", CTL_ADMIN | CTL_OPS, ctl_verb_pins },
	{ "store_unlock", CTL_ADMIN | CTL_OPS, ctl_verb_store_unlock },
	{ "store_test", CTL_ADMIN | CTL_OPS, ctl_verb_store_test },
	{ "tier_list", CTL_ADMIN | CTL_OPS, ctl_verb_tier_list },
	{ "tier_plan", CTL_ADMIN | CTL_OPS, ctl_verb_tier_plan },
	{ "tier_explain", CTL_ADMIN | CTL_OPS, ctl_verb_tier_explain },
	{ "tier_apply", CTL_ADMIN | CTL_OPS, ctl_verb_tier_apply },
	{ "tier_run", CTL_ADMIN | CTL_OPS, ctl_verb_tier_run },
	{ "tier_cancel", CTL_ADMIN | CTL_OPS, ctl_verb_tier_cancel },
	{ "tier_history", CTL_ADMIN | CTL_OPS, ctl_verb_tier_history },
};

static int handle_access(struct ctl_call *c, const char *verb, unsigned roles)
{
	if (ctl_roles(c->w, c->peer) & roles)
		return 0;
	fail(&c->err, -EPERM, "user %u may not use '%s' on trust '%s'",
	     (unsigned)c->peer->uid, verb, c->w->trust);
	return fail_hint(&c->err, -EPERM,
			 "ask to be added to gateway.operators");
}

static int handle_verb(struct ctl_call *c, const char *verb, json_t *result)
{
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(ctl_verbs); i++)
		if (strcmp(ctl_verbs[i].name, verb) == 0)
			break;
	if (i == ARRAY_SIZE(ctl_verbs))
		return fail(&c->err, -EINVAL, "no such verb");
	rc = ctl_args_check(c->args, &c->err);
	if (rc < 0 || !c->w)
		return rc;
	rc = handle_access(c, verb, ctl_verbs[i].roles);
	return rc < 0 ? rc : ctl_verbs[i].fn(c, result);
}

static int handle_request(struct ctl_call *c, const json_t *req, json_t *result)
{
	const char *verb = json_string_value(json_object_get(req, "verb"));
	CLEANUP_JSON json_t *none = json_object();
	const json_t *args = json_object_get(req, "args");

	if (!none)
		return -ENOMEM;
	if (!verb)
		return fail(&c->err, -EINVAL, "the request names no verb");
	if (args && !json_is_object(args))
		return fail(&c->err, -EINVAL, "args is not an object");
	c->args = args ? args : none;
	return handle_verb(c, verb, result);
}

static int handle_reply(const struct ctl_call *c, int rc, json_t *result,
			struct buf *reply)
{
	CLEANUP_JSON json_t *o = json_object();
	int bad;

	if (!o || json_object_set(o, "id", (json_t *)c->id) < 0)
		bad = proto_set(o, "id", json_null());
	else
		bad = 0;
	if (bad == 0 && rc == 0)
		bad = proto_set(o, "result", json_incref(result));
	else if (bad == 0)
		bad = proto_set(o, "error", proto_error(c->code, rc, &c->err));
	return bad < 0 ? bad : proto_line(o, reply);
}

int ctl_handle_line(const struct ctl_worker *w, struct ctl_peer *peer,
		    const char *line, size_t len, struct buf *reply)
{
	struct ctl_call c = { .w = w,
			      .peer = peer,
			      .err = ERR_INIT,
			      .said_ns = clock_boot_ns() };
	CLEANUP_JSON json_t *req = NULL;
	CLEANUP_JSON json_t *result = json_object();
	int rc;

	if (!result)
		return -ENOMEM;
	if (len > CTL_LINE_MAX)
		rc = fail(&c.err, -EMSGSIZE, "the request is too long");
	else
		rc = proto_parse(line, len, &req, &c.err);
	if (rc == 0) {
		c.id = json_object_get(req, "id");
		rc = handle_request(&c, req, result);
	}
	rc = handle_reply(&c, rc, result, reply);
	ctl_tier_done(&c);
	return rc;
}
