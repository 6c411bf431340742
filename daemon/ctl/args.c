/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verbs.h"

#include <string.h>

#include "base/clock.h"

static const struct {
	const char *name;
	json_type type; /* JSON_TRUE = either boolean */
} ctl_arg_types[] = {
	{ "paths", JSON_ARRAY },	{ "all", JSON_TRUE },
	{ "until", JSON_STRING },	{ "dry_run", JSON_TRUE },
	{ "alarm", JSON_INTEGER },	{ "from", JSON_STRING },
	{ "to", JSON_STRING },		{ "tier", JSON_STRING },
	{ "by", JSON_STRING },		{ "policy", JSON_STRING },
	{ "plan", JSON_STRING },	{ "limit", JSON_INTEGER },
	{ "policy_text", JSON_STRING }, { "speed", JSON_STRING },
	{ "wait", JSON_TRUE },		{ "patients", JSON_ARRAY },
	{ "months", JSON_INTEGER },
};

static bool arg_type_ok(const json_t *v, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(v) : json_typeof(v) == type;
}

static int arg_paths_check(const json_t *paths, struct err *err)
{
	size_t i;

	if (json_array_size(paths) > CTL_PATHS_MAX)
		return fail(err, -E2BIG, "more than %u paths in one request",
			    CTL_PATHS_MAX);
	for (i = 0; i < json_array_size(paths); i++) {
		CLEANUP_BUF struct buf b = { 0 };
		int rc = proto_get_path(json_array_get(paths, i), &b);

		if (rc == -EINVAL)
			return fail(err, rc, "paths[%zu] is not a path", i);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* [{patient_id, appointment_at}] */
static int arg_patients_check(const json_t *list, struct err *err)
{
	const json_t *p;
	int64_t at;
	size_t i;

	if (json_array_size(list) > CTL_PATIENTS_MAX)
		return fail(err, -E2BIG, "more than %u patients in one request",
			    CTL_PATIENTS_MAX);
	json_array_foreach(list, i, p) {
		const char *when =
			json_string_value(json_object_get(p, "appointment_at"));

		if (!json_string_value(json_object_get(p, "patient_id")) ||
		    !when || clock_iso_parse(when, &at) < 0)
			return fail(err, -EINVAL,
				    "patients[%zu] is not a patient with an "
				    "appointment",
				    i);
	}
	return 0;
}

static int arg_check(const char *name, const json_t *v, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ctl_arg_types); i++)
		if (strcmp(name, ctl_arg_types[i].name) == 0)
			break;
	if (i == ARRAY_SIZE(ctl_arg_types))
		return fail(err, -EINVAL,
			    "this worker does not know the argument '%s'",
			    name);
	if (!arg_type_ok(v, ctl_arg_types[i].type))
		return fail(err, -EINVAL,
			    "the argument '%s' is of the wrong type", name);
	if (strcmp(name, "patients") == 0)
		return arg_patients_check(v, err);
	return json_is_array(v) ? arg_paths_check(v, err) : 0;
}

int ctl_args_check(const json_t *args, struct err *err)
{
	const char *name;
	json_t *v;

	/* jansson iterates over a table that it does not change */
	json_object_foreach((json_t *)args, name, v) {
		int rc = arg_check(name, v, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

bool ctl_flag(const struct ctl_call *c, const char *name)
{
	return json_is_true(json_object_get(c->args, name));
}

const char *ctl_text(const struct ctl_call *c, const char *name)
{
	return json_string_value(json_object_get(c->args, name));
}

bool ctl_gone(const struct ctl_call *c)
{
	return __atomic_load_n(&c->peer->gone, __ATOMIC_RELAXED);
}

int ctl_progress(struct ctl_call *c, json_t *p)
{
	CLEANUP_JSON json_t *line = NULL;
	CLEANUP_BUF struct buf text = { 0 };
	int64_t now = clock_boot_ns();
	int rc;

	if (!c->peer->send || now - c->said_ns < NSEC_PER_SEC) {
		json_decref(p);
		return 0;
	}
	line = json_pack("{s:O?, s:o}", "id", c->id, "progress", p);
	if (!line)
		return -ENOMEM;
	rc = proto_line(line, &text);
	if (rc < 0)
		return rc;
	c->said_ns = now;
	return c->peer->send(c->peer->arg, (const char *)text.data, text.len);
}
