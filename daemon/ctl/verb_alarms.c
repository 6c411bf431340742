/* SPDX-License-Identifier: Apache-2.0 */
/* What needs a person, and who has seen it. */
#include "ctl/verbs.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

static json_t *alarm_row(const struct ctl_call *c, const struct alarm *a)
{
	const struct alarm_kind *k = &alarm_kinds[a->code];
	CLEANUP_BUF struct buf message = { 0 };
	char id[ALARM_ID_SIZE];

	/* A store's words may be cut in the middle of a character. */
	if (proto_utf8(a->message, strlen(a->message), &message) < 0 ||
	    !buf_str(&message))
		return NULL;
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s}", "id",
		alarm_id(c->w->trust, a->id, id), "trust", c->w->trust, "code",
		k->name, "severity", alarm_severity_name(k->severity),
		"raised_at", proto_time(a->raised_ns), "cleared_at",
		proto_time(a->cleared_ns), "acked_by", proto_text(a->acked_by),
		"acked_at", proto_time(a->acked_ns), "message",
		(char *)message.data, "action", k->action);
}

static int alarm_add(const struct ctl_call *c, const struct alarm *a,
		     json_t *list)
{
	return json_array_append_new(list, alarm_row(c, a)) < 0 ? -ENOMEM : 0;
}

int ctl_verb_alarms(struct ctl_call *c, json_t *result)
{
	CLEANUP_FREE struct alarm *a = calloc(ALARMS_MAX, sizeof(*a));
	json_t *list = json_array();
	size_t i, n;
	int rc = proto_set(result, "alarms", list);

	if (rc < 0 || !a)
		return -ENOMEM;
	n = alarms_list(c->w->alarms, a, ALARMS_MAX);
	for (i = 0; rc == 0 && i < n; i++)
		rc = alarm_add(c, &a[i], list);
	return rc;
}

/* The user at the other end of the socket, by name where it has one. */
static const char *alarm_user(const struct ctl_peer *peer, char out[64])
{
	struct passwd pw, *found = NULL;
	char text[4096];

	if (getpwuid_r(peer->uid, &pw, text, sizeof(text), &found) == 0 &&
	    found)
		snprintf(out, 64, "%s", found->pw_name);
	else
		snprintf(out, 64, "%u", (unsigned)peer->uid);
	return out;
}

int ctl_verb_alarms_ack(struct ctl_call *c, json_t *result)
{
	json_int_t id = json_integer_value(json_object_get(c->args, "alarm"));
	json_t *list = json_array();
	struct alarm a = { 0 };
	char who[64];
	int rc = proto_set(result, "alarms", list);

	if (rc == 0)
		rc = alarms_ack(c->w->alarms, (uint64_t)id,
				alarm_user(c->peer, who), &a);
	if (rc == -ENOENT)
		return fail_hint(&c->err,
				 fail(&c->err, rc,
				      "there is no alarm '%s-%lld'",
				      c->w->trust, (long long)id),
				 "mersey alarms");
	if (rc < 0)
		return fail(&c->err, rc, "cannot write it down: %m");
	return alarm_add(c, &a, list);
}
