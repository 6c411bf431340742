/* SPDX-License-Identifier: Apache-2.0 */
#include "main/conf.h"

#include <fcntl.h>
#include <linux/fscrypt.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "main/sources.h"

/* ---- loading --------------------------------------------------------- */

static void print_problems(const struct config_problems *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		CLEANUP_BUF struct buf text = { 0 };

		if (config_problem_format(&ps->p[i], &text) == 0)
			fprintf(stderr, "merseyd: %s\n", buf_str(&text));
	}
}

int conf_load(const char *path, struct config **out)
{
	struct config_problems ps = { 0 };
	struct err err = ERR_INIT;
	int rc = config_load(path, out, &ps, &err);

	print_problems(&ps);
	if (rc < 0 && ps.n == 0)
		fprintf(stderr, "merseyd: %s%s%s\n", err.msg,
			err.hint[0] ? "\n  try: " : "", err.hint);
	config_problems_done(&ps);
	return rc;
}

/* The trust that a problem is of; n_trusts = none. */
static size_t problem_trust(const struct config *c,
			    const struct config_problem *p)
{
	size_t i;

	for (i = 0; i < c->n_trusts; i++) {
		const char *name = c->trusts[i].name;
		size_t n = strlen(name);

		if (strncmp(p->key, "trusts.", 7) == 0 &&
		    strncmp(p->key + 7, name, n) == 0 && p->key[7 + n] == '.')
			break;
	}
	return i;
}

int conf_check_secrets(const struct config *c, bool *left_out)
{
	struct config_problems ps = { 0 };
	size_t i, out = 0;
	int rc = config_check_secrets(c, &ps);

	print_problems(&ps);
	if (rc == -EINVAL)
		rc = 0;
	for (i = 0; i < ps.n; i++) {
		size_t t = problem_trust(c, &ps.p[i]);

		if (t == c->n_trusts || ps.p[i].shared)
			rc = -EINVAL;
		else
			left_out[t] = true;
	}
	config_problems_done(&ps);
	for (i = 0; rc == 0 && i < c->n_trusts; i++) {
		if (!left_out[i])
			continue;
		out++;
		log_err("trust '%s' is not served: see above",
			c->trusts[i].name);
	}
	return rc == 0 && c->n_trusts > 0 && out == c->n_trusts ? -EINVAL : rc;
}

/* ---- one trust ------------------------------------------------------- */

/* The group of a service account: its own in passwd(5), else the number of
 * the user. */
static gid_t primary_group(uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw ? pw->pw_gid : (gid_t)uid;
}

static int resolve_accounts(struct conf_trust *ct, struct err *err)
{
	const struct config_trust *t = ct->t;
	int rc = config_uid(t->user, &ct->uid);

	if (rc < 0) {
		fail(err, rc, "trust '%s': there is no user '%s'", t->name,
		     t->user);
		return fail_hint(err, rc, "mersey trust add %s", t->name);
	}
	ct->gid = primary_group(ct->uid);
	rc = config_uid(t->root_owner, &ct->root_uid);
	if (rc < 0)
		return fail(err, rc, "trust '%s': there is no user '%s'",
			    t->name, t->root_owner);
	rc = config_gid(t->root_group, &ct->root_gid);
	if (rc < 0)
		return fail(err, rc, "trust '%s': there is no group '%s'",
			    t->name, t->root_group);
	return 0;
}

static int resolve_key(struct conf_trust *ct, struct err *err)
{
	const struct config_trust *t = ct->t;
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (t->key_file)
		ct->key_file = strdup(t->key_file);
	else if (dir)
		ct->key_file = io_path("%s/%s", dir, t->key_credential);
	else
		/* Workers do not have it and do not need it. */
		return 0;
	return ct->key_file ? 0 : fail(err, -ENOMEM, "%m");
}

/* ---- tiers ------------------------------------------------------------ */

static unsigned find_place(struct conf_trust *ct, size_t tier)
{
	size_t i;

	for (i = 0; i < ct->n_places; i++)
		if (config_same_place(ct->tiers[ct->place[i]].t,
				      ct->tiers[tier].t))
			return (unsigned)i;
	ct->place[ct->n_places++] = tier;
	return (unsigned)i;
}

/* Also where the table says nothing of how its objects come back, or there is
 * none: a read of one would be refused. */
static bool is_archive(const char *storage_class)
{
	return strcmp(storage_class, "GLACIER") == 0 ||
	       strcmp(storage_class, "DEEP_ARCHIVE") == 0;
}

/* What the price table says of the tier's class. */
static void resolve_class(struct conf_tier *ct)
{
	const struct price_class *class = ct->terms.class;

	ct->terms.archive = is_archive(ct->terms.storage_class);
	if (!class)
		return;
	ct->minimum_bytes = class->minimum_bytes;
	ct->minimum_ns = class->minimum_days * SEC_PER_DAY * NSEC_PER_SEC;
	for (int i = 0; i < PRICE_SPEEDS; i++) {
		if (!class->recall[i].known)
			continue;
		ct->terms.archive = true;
		ct->restore_ns[i] = class->recall[i].takes_ns;
	}
}

static void resolve_tier(struct conf_trust *ct, size_t i)
{
	const struct config_tier *t = &ct->t->tiers[i];
	struct conf_tier *out = &ct->tiers[i];

	out->t = t;
	out->terms = (struct tier_terms){
		.name = t->name,
		.store = t->store->name,
		.bucket = t->bucket,
		.storage_class = t->storage_class ? t->storage_class : "",
		.place = find_place(ct, i),
		.object_size = t->object_size,
		.prices = t->store->prices
				  ? config_prices_find(ct->c, t->store->prices)
				  : NULL,
	};
	if (out->terms.prices)
		out->terms.class = price_table_class(out->terms.prices,
						     out->terms.storage_class);
	resolve_class(out);
}

static int resolve_tiers(struct conf_trust *ct, struct err *err)
{
	if (ct->t->n_tiers > MOVE_TIERS_MAX)
		return fail(err, -E2BIG, "trust '%s' has more than %d tiers",
			    ct->t->name, MOVE_TIERS_MAX);
	for (; ct->n_tiers < ct->t->n_tiers; ct->n_tiers++)
		resolve_tier(ct, ct->n_tiers);
	return 0;
}

int conf_trust_init(struct conf_trust *out, const struct config *c,
		    const char *name, struct err *err)
{
	int rc;

	*out = (struct conf_trust){
		.c = c,
		.t = config_trust_find(c, name),
	};
	if (!out->t) {
		fail(err, -ENOENT, "there is no trust '%s' in '%s'", name,
		     c->path);
		return fail_hint(err, -ENOENT, "mersey trust list");
	}
	out->tier = &out->t->tiers[0];
	out->state_dir = config_state_dir(c, out->t);
	out->socket = config_socket(c, out->t);
	if (!out->state_dir || !out->socket)
		return fail(err, -ENOMEM, "%m");
	rc = resolve_tiers(out, err);
	if (rc == 0)
		rc = resolve_accounts(out, err);
	return rc < 0 ? rc : resolve_key(out, err);
}

void conf_trust_done(struct conf_trust *ct)
{
	free(ct->state_dir);
	free(ct->socket);
	free(ct->key_file);
	*ct = (struct conf_trust){ 0 };
}

int conf_read_secrets(const struct conf_trust *ct, struct super_secret *out,
		      size_t *n, struct err *err)
{
	const struct config_trust *t = ct->t;
	struct super_credential *all = NULL;
	size_t got = 0;
	int rc;

	if (!ct->key_file)
		return fail(err, -ENOENT,
			    "trust '%s': credential '%s' was not passed "
			    "(LoadCredential= of systemd)",
			    t->name, t->key_credential);
	rc = super_secret_read(&out[got], "key", ct->key_file, err);
	if (rc == 0)
		rc = sources_init(ct, &all, err);
	if (rc == 0)
		rc = sources_hide(err);
	for (size_t i = 0; rc == 0 && i < t->n_credentials; i++) {
		got++;
		rc = got == SUPER_SECRETS_MAX
			     ? fail(err, -E2BIG, "too many secrets")
			     : super_credential_read(&out[got], &all[i], err);
	}
	sources_done(all, t->n_credentials);
	if (rc < 0) {
		super_secrets_done(out, got);
		return rc;
	}
	*n = got + 1;
	return 0;
}

/* ---- roles ----------------------------------------------------------- */

int conf_role(const struct config_role *in, struct ctl_role *out)
{
	uid_t *uids = calloc(in->users.n + 1, sizeof(*uids));
	gid_t *gids = calloc(in->groups.n + 1, sizeof(*gids));

	*out = (struct ctl_role){ .uids = uids, .gids = gids };
	if (!uids || !gids)
		return -ENOMEM;
	for (size_t i = 0; i < in->users.n; i++)
		if (config_uid(in->users.name[i], &uids[out->n_uids]) == 0)
			out->n_uids++;
		else
			log_warn("operators: there is no user '%s'",
				 in->users.name[i]);
	for (size_t i = 0; i < in->groups.n; i++)
		if (config_gid(in->groups.name[i], &gids[out->n_gids]) == 0)
			out->n_gids++;
		else
			log_warn("operators: there is no group '%s'",
				 in->groups.name[i]);
	return 0;
}

void conf_role_done(struct ctl_role *r)
{
	free((uid_t *)r->uids);
	free((gid_t *)r->gids);
	*r = (struct ctl_role){ 0 };
}

/* ---- state directory ------------------------------------------------- */

static int check_encrypted(int fd, const char *path, struct err *err)
{
	struct fscrypt_get_policy_ex_arg arg = {
		.policy_size = sizeof(arg.policy),
	};
	int rc;

	if (ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg) == 0)
		return 0;
	rc = fail(err, -errno,
		  "'%s' is not encrypted, and the config wants "
		  "`cache: {encrypt: true}`: %m",
		  path);
	return fail_hint(err, rc,
			 "make it an fscrypt directory while it is empty: "
			 "fscrypt encrypt '%s'",
			 path);
}

int conf_check_state_dir(const struct conf_trust *ct, uid_t uid,
			 struct err *err)
{
	const char *path = ct->state_dir;
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0) {
		rc = fail(err, -errno, "cannot open state directory '%s': %m",
			  path);
		return fail_hint(err, rc, "mersey trust add %s", ct->t->name);
	}
	if (fstat(fd, &st) < 0)
		return fail(err, -errno, "cannot stat '%s': %m", path);
	if (st.st_uid != uid || (st.st_mode & 077)) {
		rc = fail(err, -EPERM,
			  "state directory '%s' must belong to user %u with "
			  "mode 0700 (it belongs to %u, mode %04o)",
			  path, uid, st.st_uid, st.st_mode & 07777);
		return fail_hint(err, rc, "mersey trust add %s", ct->t->name);
	}
	return ct->t->cache_encrypt ? check_encrypted(fd, path, err) : 0;
}
