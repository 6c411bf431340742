/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the machine knows: accounts and secret files. Nothing is opened;
 * io_read_secret() looks again when a secret is read.
 */
#include "config/config.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config/diag.h"

#define NAMES_MAX 65536 /* bytes of one passwd or group record */

static int names_number(const char *name, uint32_t *out)
{
	unsigned long long v;

	if (!*name || strspn(name, "0123456789") != strlen(name))
		return -EINVAL;
	errno = 0;
	v = strtoull(name, NULL, 10);
	if (errno || v >= UINT32_MAX)
		return -ENOENT;
	*out = (uint32_t)v;
	return 0;
}

int config_uid(const char *name, uid_t *uid)
{
	CLEANUP_FREE char *buf = NULL;
	struct passwd pw, *found = NULL;
	int rc = names_number(name, uid);

	if (rc != -EINVAL)
		return rc;
	buf = malloc(NAMES_MAX);
	if (!buf)
		return -ENOMEM;
	rc = getpwnam_r(name, &pw, buf, NAMES_MAX, &found);
	if (!found)
		return rc ? -rc : -ENOENT;
	*uid = pw.pw_uid;
	return 0;
}

int config_gid(const char *name, gid_t *gid)
{
	CLEANUP_FREE char *buf = NULL;
	struct group gr, *found = NULL;
	int rc = names_number(name, gid);

	if (rc != -EINVAL)
		return rc;
	buf = malloc(NAMES_MAX);
	if (!buf)
		return -ENOMEM;
	rc = getgrnam_r(name, &gr, buf, NAMES_MAX, &found);
	if (!found)
		return rc ? -rc : -ENOENT;
	*gid = gr.gr_gid;
	return 0;
}

/* ---- accounts --------------------------------------------------------- */

struct secrets {
	const struct config *config;
	struct config_diag diag;
};

__attribute__((format(printf, 5, 6))) static void
secrets_report(struct secrets *s, const struct config_trust *t,
	       struct config_at at, const char *key, const char *fmt, ...)
{
	char path[128], text[1024];
	va_list ap;

	snprintf(path, sizeof(path), "%s%s%s", t ? "trusts." : "",
		 t ? t->name : "", key);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	config_report_at(&s->diag, s->config->path, at, path, "%s", text);
}

static void secrets_account(struct secrets *s, const struct config_trust *t,
			    struct config_at at, const char *key, bool group,
			    const char *name)
{
	uint32_t id;
	int rc = group ? config_gid(name, &id) : config_uid(name, &id);

	if (rc == 0)
		return;
	secrets_report(
		s, t, at, key, "%s '%s' %s", group ? "group" : "user", name,
		rc == -ENOENT ? "does not exist" : "cannot be looked up");
	if (t && strcmp(key, ".user") == 0)
		config_suggest(&s->diag, "mersey trust add %s", t->name);
	else
		config_suggest(&s->diag, "make it, or write its number");
}

static void secrets_names(struct secrets *s, const struct config_names *names,
			  const char *key, bool group)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		secrets_account(s, NULL, names->at, key, group, names->name[i]);
}

struct service {
	bool known;
	uid_t uid;
};

/* The service account: not root, not that of a trust before. */
static void secrets_service(struct secrets *s, struct service *all,
			    size_t index)
{
	const struct config_trust *t = &s->config->trusts[index];
	struct service *me = &all[index];
	size_t i;

	me->known = config_uid(t->user, &me->uid) == 0;
	if (!me->known) {
		secrets_account(s, t, t->user_at, ".user", false, t->user);
		return;
	}
	if (me->uid == 0)
		secrets_report(s, t, t->user_at, ".user",
			       "service account '%s' has the uid of root",
			       t->user);
	for (i = 0; i < index; i++) {
		if (!all[i].known || all[i].uid != me->uid)
			continue;
		secrets_report(s, t, t->user_at, ".user",
			       "service accounts of trusts '%s' and '%s' are "
			       "both uid %u",
			       s->config->trusts[i].name, t->name, me->uid);
		config_shared(&s->diag);
	}
}

static void secrets_accounts(struct secrets *s)
{
	const struct config *c = s->config;
	CLEANUP_FREE struct service *all = NULL;
	size_t i;

	secrets_names(s, &c->ops.users, "gateway.operators.ops.users", false);
	secrets_names(s, &c->ops.groups, "gateway.operators.ops.groups", true);
	secrets_names(s, &c->finance.users, "gateway.operators.finance.users",
		      false);
	secrets_names(s, &c->finance.groups, "gateway.operators.finance.groups",
		      true);
	all = calloc(c->n_trusts + 1, sizeof(*all));
	if (!all) {
		s->diag.rc = -ENOMEM;
		return;
	}
	for (i = 0; i < c->n_trusts; i++) {
		const struct config_trust *t = &c->trusts[i];

		secrets_service(s, all, i);
		secrets_account(s, t, t->owner_at, ".root.owner", false,
				t->root_owner);
		secrets_account(s, t, t->group_at, ".root.group", true,
				t->root_group);
	}
}

/* ---- files ------------------------------------------------------------ */

struct secret_file {
	const struct config_trust *trust;
	struct config_at at;
	char key[96];
	const char *path;
	bool found;
	dev_t dev;
	ino_t ino;
};

static void secrets_missing(struct secrets *s, const struct secret_file *f,
			    int error)
{
	secrets_report(s, f->trust, f->at, f->key,
		       "cannot look at secret file '%s': %s", f->path,
		       strerror(error));
	if (error == EACCES)
		config_suggest(&s->diag, "run this as root");
	else if (strcmp(f->key, ".key.file") == 0)
		config_suggest(&s->diag, "mersey trust add %s", f->trust->name);
}

static void secrets_stat(struct secrets *s, struct secret_file *f)
{
	struct stat st;

	if (stat(f->path, &st) < 0) {
		secrets_missing(s, f, errno);
		return;
	}
	f->found = true;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	if (!S_ISREG(st.st_mode)) {
		secrets_report(s, f->trust, f->at, f->key,
			       "secret file '%s' is not a regular file",
			       f->path);
		return;
	}
	if (st.st_mode & 077) {
		secrets_report(s, f->trust, f->at, f->key,
			       "secret file '%s' can be used by group or "
			       "others (mode %04o)",
			       f->path, (unsigned)st.st_mode & 07777);
		config_suggest(&s->diag, "chmod 600 '%s'", f->path);
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		secrets_report(s, f->trust, f->at, f->key,
			       "secret file '%s' belongs to uid %u", f->path,
			       st.st_uid);
		config_suggest(&s->diag, "chown root '%s'", f->path);
	}
}

/* Links can make one file of two names. */
static void secrets_same(struct secrets *s, const struct secret_file *a,
			 const struct secret_file *b)
{
	if (!a->found || !b->found || a->dev != b->dev || a->ino != b->ino)
		return;
	secrets_report(s, b->trust, b->at, b->key,
		       "secret files '%s' of trust '%s' and '%s' of trust "
		       "'%s' are one file",
		       a->path, a->trust->name, b->path, b->trust->name);
	config_shared(&s->diag);
}

static size_t secrets_list(const struct config *c, struct secret_file *all)
{
	size_t n = 0, i, j;

	for (i = 0; i < c->n_trusts; i++) {
		const struct config_trust *t = &c->trusts[i];

		if (t->key_file)
			all[n++] = (struct secret_file){ t, t->key_at,
							 ".key.file",
							 t->key_file };
		for (j = 0; j < t->n_credentials; j++) {
			const struct config_credential *cr = &t->credentials[j];
			struct secret_file *f = &all[n];

			if (!cr->file)
				continue;
			n++;
			*f = (struct secret_file){ t, cr->at, "", cr->file };
			snprintf(f->key, sizeof(f->key), ".credentials.%s",
				 cr->store->name);
		}
	}
	return n;
}

static void secrets_files(struct secrets *s)
{
	const struct config *c = s->config;
	CLEANUP_FREE struct secret_file *all = NULL;
	size_t n = 1, i, j;

	for (i = 0; i < c->n_trusts; i++)
		n += 1 + c->trusts[i].n_credentials;
	all = calloc(n, sizeof(*all));
	if (!all) {
		s->diag.rc = -ENOMEM;
		return;
	}
	n = secrets_list(c, all);
	for (j = 0; j < n; j++) {
		secrets_stat(s, &all[j]);
		for (i = 0; i < j; i++)
			secrets_same(s, &all[i], &all[j]);
	}
}

int config_check_secrets(const struct config *c,
			 struct config_problems *problems)
{
	struct secrets s = {
		.config = c,
		.diag = { .problems = problems, .file = c->path },
	};

	secrets_accounts(&s);
	secrets_files(&s);
	if (s.diag.rc < 0)
		return s.diag.rc;
	return s.diag.added ? -EINVAL : 0;
}
