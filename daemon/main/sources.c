/* SPDX-License-Identifier: Apache-2.0 */
#include "main/sources.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/secret.h"

/* Taken from the environment, where it could be read from outside, as text of
 * a credentials file. Children have it neither there nor, after
 * sources_hide(), here. */
static struct buf environment;

#define ENVIRONMENT_MAX SUPER_SECRET_SIZE

static int take_variable(const char *name, const char *key, struct buf *out)
{
	char *value = getenv(name);
	int rc;

	if (!value)
		return 0;
	if (out->len + strlen(key) + strlen(value) + 8 > out->cap)
		return -E2BIG;
	rc = buf_addf(out, "%s = %s\n", key, value);
	explicit_bzero(value, strlen(value));
	unsetenv(name);
	return rc;
}

static int take_environment(struct err *err)
{
	bool there;
	int rc;

	if (environment.data) /* taken before */
		return 0;
	there = getenv("AWS_ACCESS_KEY_ID") && getenv("AWS_SECRET_ACCESS_KEY");
	rc = secret_buf(&environment, ENVIRONMENT_MAX);
	if (rc == 0)
		rc = buf_addf(&environment, "[default]\n");
	if (rc == 0)
		rc = take_variable("AWS_ACCESS_KEY_ID", "aws_access_key_id",
				   &environment);
	if (rc == 0)
		rc = take_variable("AWS_SECRET_ACCESS_KEY",
				   "aws_secret_access_key", &environment);
	if (rc == 0)
		rc = take_variable("AWS_SESSION_TOKEN", "aws_session_token",
				   &environment);
	if (!there) /* who needs it says so */
		environment.len = 0;
	return rc < 0 ? fail(err, rc,
			     "cannot keep the environment's credentials: %m")
		      : 0;
}

/* merseyd itself, as a process that asks the metadata service and ends. */
static const char *const *role_command(const struct conf_trust *ct)
{
	const char **argv = calloc(6, sizeof(*argv));

	if (!argv)
		return NULL;
	argv[0] = "/proc/self/exe";
	argv[1] = "--role";
	argv[2] = ct->t->name;
	argv[3] = "--config";
	argv[4] = ct->c->path;
	return argv;
}

static int source(const struct conf_trust *ct,
		  const struct config_credential *cr,
		  struct super_credential *out, struct err *err)
{
	int rc = 0;

	out->store = cr->store->name;
	if (cr->environment) {
		rc = take_environment(err);
		out->text = &environment;
	} else if (cr->instance_role) {
		out->command = role_command(ct);
		if (!out->command)
			rc = fail(err, -ENOMEM, "%m");
	} else {
		out->file = cr->file;
	}
	return rc;
}

int sources_init(const struct conf_trust *ct, struct super_credential **out,
		 struct err *err)
{
	const struct config_trust *t = ct->t;
	struct super_credential *all =
		calloc(t->n_credentials + 1, sizeof(*all));
	int rc = 0;

	*out = all;
	if (!all)
		return fail(err, -ENOMEM, "%m");
	for (size_t i = 0; rc == 0 && i < t->n_credentials; i++)
		rc = source(ct, &t->credentials[i], &all[i], err);
	return rc;
}

int sources_hide(struct err *err)
{
	if (environment.data &&
	    madvise(environment.data, ENVIRONMENT_MAX, MADV_WIPEONFORK) < 0)
		return fail(err, -errno,
			    "cannot keep the environment's credentials: %m");
	return 0;
}

void sources_done(struct super_credential *all, size_t n)
{
	for (size_t i = 0; all && i < n; i++)
		free((void *)all[i].command);
	free(all);
}
