/* SPDX-License-Identifier: Apache-2.0 */
/* mersey store unlock: the bucket's writer is this gateway from now on. */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>

static const struct config_trust *unlock_trust(struct cli *c)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n = 0;
	int rc = cli_select(c, true, t, &n);

	if (rc == 0 && n != 1)
		rc = cli_usage(c, "one trust at a time");
	return rc < 0 ? NULL : t[0];
}

/* "gateway 'gw2' on 'node2', since 24 Nov 09:14" */
static int unlock_holder(const json_t *r, struct buf *out)
{
	int rc;

	if (!json_known(r, "held_by"))
		return buf_addf(out, "an unknown gateway");
	rc = buf_addf(out, "gateway '%s' on '%s', since ",
		      json_text(r, "held_by"), json_text(r, "held_host"));
	return rc < 0 ? rc : text_time(json_text(r, "held_since"), out);
}

/* What comes of it, for who has to decide. */
static int unlock_warn(struct cli *c, const json_t *r)
{
	CLEANUP_BUF struct buf b = { 0 };
	int rc = unlock_holder(r, &b);

	if (rc < 0 || !buf_str(&b))
		return -ENOMEM;
	fprintf(c->msg,
		"The bucket of '%s' is written by %s (generation %" PRIu64
		").\n"
		"It will be fenced off: also if it is alive it can no longer "
		"write there or delete.\n"
		"It goes on serving. What is not protected there yet stays on "
		"its own disk only:\n"
		"look at it with mersey status over there before you go on.\n"
		"Files and changes that came through it are not in the "
		"namespace of this gateway;\n"
		"their objects stay in the bucket, in quarantine.\n",
		json_text(r, "trust"), (char *)b.data,
		json_u64(r, "generation"));
	return 0;
}

static int unlock_call(struct cli *c, const struct config_trust *t, bool dry,
		       json_t **r)
{
	return cli_call(c, t, "store_unlock",
			json_pack("{s:b}", "dry_run", dry),
			2 * CLI_SLOW_SECONDS, r);
}

int verb_store_unlock_run(struct cli *c)
{
	const struct config_trust *t = unlock_trust(c);
	CLEANUP_JSON json_t *looked = NULL;
	CLEANUP_JSON json_t *done = NULL;
	bool dry = cli_has(c, OPT_DRY_RUN);
	int rc = t ? unlock_call(c, t, true, &looked) : -EINVAL;

	if (rc == 0 && !dry && !json_is_true(json_object_get(looked, "ours"))) {
		rc = unlock_warn(c, looked);
		if (rc == 0)
			rc = cli_ask(c);
		if (rc == 0)
			rc = unlock_call(c, t, false, &done);
	}
	if (rc < 0)
		return rc;
	return json_object_update(c->result, done ? done : looked) < 0 ? -ENOMEM
								       : 0;
}

void verb_store_unlock_show(struct cli *c)
{
	const json_t *r = c->result;
	CLEANUP_BUF struct buf b = { 0 };

	if (unlock_holder(r, &b) < 0 || !buf_str(&b))
		return;
	if (json_is_true(json_object_get(r, "ours")))
		fprintf(c->out,
			"%s: this gateway writes the bucket already, as "
			"generation %" PRIu64 "\n",
			json_text(r, "trust"), json_u64(r, "generation"));
	else if (json_is_true(json_object_get(r, "taken")))
		fprintf(c->out,
			"%s: this gateway writes the bucket now, as generation "
			"%" PRIu64 "; before: %s\n",
			json_text(r, "trust"), json_u64(r, "generation"),
			(char *)b.data);
	else
		fprintf(c->out, "%s: written by %s (generation %" PRIu64 ")\n",
			json_text(r, "trust"), (char *)b.data,
			json_u64(r, "generation"));
}
