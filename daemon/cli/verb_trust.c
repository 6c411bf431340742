/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mersey trust add | list. Adding makes what is missing and leaves alone what
 * is there, above all a key: a second run changes nothing. The namespace and
 * the bucket are the daemon's own work (merseyd --setup), done as the
 * trust's user.
 */
#include "cli/cli.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/exec.h"
#include "cli/merseyd.h"
#include "cli/recovery.h"
#include "pack/pack.h"

#define USERADD	     "/usr/sbin/useradd"
#define KEY_TEXT_MAX 4096

struct add {
	struct cli *c;
	const struct config_trust *t;
	bool dry_run;
	uid_t uid;
	gid_t gid;
	char *state_dir;
	char *sheet;	/* path */
	struct buf key; /* text of the key file */
	char key_id[17];
	json_t *made;  /* what was made, in words */
	json_t *setup; /* what merseyd --setup said */
};

static void add_done(struct add *a)
{
	free(a->state_dir);
	free(a->sheet);
	if (a->key.data)
		explicit_bzero(a->key.data, a->key.cap);
	buf_done(&a->key);
	json_decref(a->made);
	json_decref(a->setup);
}

static int made(struct add *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int made(struct add *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_array_append_new(a->made, proto_text(text)) < 0 ? -ENOMEM
								    : 0;
}

/* ---- the service user ----------------------------------------------- */

static int user_make(struct add *a)
{
	struct err *err = &a->c->err;
	CLEANUP_BUF struct buf out = { 0 }, said = { 0 };
	char *argv[] = { (char *)"useradd",
			 (char *)"--system",
			 (char *)"--user-group",
			 (char *)"--no-create-home",
			 (char *)"--shell",
			 (char *)"/usr/sbin/nologin",
			 (char *)"--",
			 a->t->user,
			 NULL };
	int rc;

	if (geteuid() != 0) {
		rc = fail(err, -EPERM,
			  "there is no user '%s', and only root "
			  "can make it",
			  a->t->user);
		return fail_hint(err, rc, "sudo mersey trust add %s",
				 a->t->name);
	}
	if (a->dry_run)
		return 0;
	rc = exec_run(USERADD, argv, &out, &said);
	if (rc < 0)
		return fail(err, rc, "cannot run " USERADD ": %m");
	if (rc > 0)
		return fail(err, -EIO, "useradd failed for '%s': %.*s",
			    a->t->user,
			    (int)strcspn(buf_str(&said) ?: "", "\n"),
			    buf_str(&said) ?: "");
	return 0;
}

static int add_user(struct add *a)
{
	struct err *err = &a->c->err;
	struct passwd *pw;
	int rc = config_uid(a->t->user, &a->uid);

	if (rc == -ENOENT) {
		rc = user_make(a);
		if (rc == 0)
			rc = made(a, "user %s", a->t->user);
		if (rc < 0 || a->dry_run)
			return rc;
		rc = config_uid(a->t->user, &a->uid);
	}
	if (rc < 0)
		return fail(err, rc, "user '%s': %m", a->t->user);
	pw = getpwuid(a->uid);
	a->gid = pw ? pw->pw_gid : (gid_t)a->uid;
	if (geteuid() == 0 || geteuid() == a->uid)
		return 0;
	rc = fail(err, -EPERM, "only root can set up a trust of user '%s'",
		  a->t->user);
	return fail_hint(err, rc, "sudo mersey trust add %s", a->t->name);
}

/* ---- directories ---------------------------------------------------- */

static int add_dir(struct add *a, const char *path, mode_t mode, bool theirs)
{
	struct err *err = &a->c->err;
	int rc;

	if (access(path, F_OK) == 0)
		return 0;
	if (!a->dry_run) {
		rc = io_mkdir_p(path, mode);
		if (rc < 0)
			return fail(err, rc, "cannot make '%s': %m", path);
		if (chmod(path, mode) < 0 || (theirs && geteuid() == 0 &&
					      chown(path, a->uid, a->gid) < 0))
			return fail(err, -errno, "cannot set up '%s': %m",
				    path);
	}
	return made(a, "directory %s", path);
}

static int add_dirs(struct add *a)
{
	const struct config *cfg = a->c->cfg;
	int rc;

	a->state_dir = config_state_dir(cfg, a->t);
	if (!a->state_dir)
		return -ENOMEM;
	rc = add_dir(a, cfg->state_dir, 0755, false);
	if (rc == 0)
		rc = add_dir(a, a->state_dir, 0700, true);
	if (rc == 0)
		rc = add_dir(a, cfg->mount_dir, 0755, false);
	if (rc == 0)
		rc = add_dir(a, cfg->runtime_dir, 0755, false);
	return rc;
}

/* ---- the key -------------------------------------------------------- */

/* Never over an existing file: a lost key is lost data. */
static int key_make(struct add *a)
{
	struct err *err = &a->c->err;
	CLEANUP_FREE char *dir = path_dir(a->t->key_file);
	struct pack_root root;
	int rc = dir ? add_dir(a, dir, 0700, false) : -ENOMEM;

	if (rc < 0)
		return rc;
	if (!a->dry_run) {
		rc = pack_root_new(&root, &a->key);
		if (rc == 0)
			rc = io_write_file(a->t->key_file, 0600, a->key.data,
					   a->key.len, true);
		pack_root_id(&root, a->key_id);
		pack_root_done(&root);
		if (rc < 0)
			return fail(err, rc, "cannot make key file '%s': %m",
				    a->t->key_file);
	}
	return made(a, "key file %s", a->t->key_file);
}

static int key_read(struct add *a)
{
	struct err *err = &a->c->err;
	struct pack_root root;
	int rc = io_read_secret(a->t->key_file, KEY_TEXT_MAX, &a->key, err);

	if (rc == 0)
		rc = pack_root_parse((char *)a->key.data, a->key.len, &root,
				     err);
	if (rc < 0)
		return fail_prefix(err, rc, "key file '%s'", a->t->key_file);
	pack_root_id(&root, a->key_id);
	pack_root_done(&root);
	return 0;
}

static int add_key(struct add *a)
{
	struct err *err = &a->c->err;

	if (!a->t->key_file) {
		fail(err, -ENOTSUP,
		     "the key of trust '%s' is a systemd credential: it cannot "
		     "be made from here",
		     a->t->name);
		return fail_hint(err, -ENOTSUP,
				 "make it with a `key: {file: ...}` first");
	}
	if (access(a->t->key_file, F_OK) == 0)
		return key_read(a);
	return errno == ENOENT ? key_make(a)
			       : fail(err, -errno, "'%s': %m", a->t->key_file);
}

/* ---- namespace and bucket ------------------------------------------- */

static int add_setup(struct add *a)
{
	struct err *err = &a->c->err;
	CLEANUP_BUF struct buf out = { 0 };
	char *argv[] = { (char *)"merseyd",
			 (char *)"--setup",
			 a->t->name,
			 (char *)"--config",
			 a->c->cfg->path,
			 (char *)"--json",
			 NULL };
	int rc;

	if (a->dry_run)
		return 0;
	rc = merseyd_run(a->c, argv, "setup_failed", &out);
	if (rc < 0)
		return rc;
	rc = proto_parse((char *)out.data, out.len, &a->setup, err);
	return rc < 0 ? fail_prefix(err, -EPROTO, "merseyd --setup") : 0;
}

/* ---- the recovery sheet --------------------------------------------- */

static int add_sheet_path(struct add *a)
{
	CLEANUP_FREE char *dir = path_dir(a->t->key_file);

	if (!dir)
		return -ENOMEM;
	if (a->c->opt[OPT_OUT])
		a->sheet = strdup(a->c->opt[OPT_OUT]);
	else
		a->sheet = io_path("%s/%s-recovery.txt", dir, a->t->name);
	return a->sheet ? 0 : -ENOMEM;
}

static int add_sheet(struct add *a)
{
	CLEANUP_BUF struct buf text = { 0 };
	int rc = add_sheet_path(a);

	if (rc < 0 || access(a->sheet, F_OK) == 0)
		return rc;
	if (!a->dry_run) {
		rc = recovery_sheet(a->t, a->c->cfg->gateway_name,
				    json_text(a->setup, "volume"), a->key_id,
				    buf_str(&a->key), &text);
		if (rc == 0)
			rc = io_write_file(a->sheet, 0600, text.data, text.len,
					   true);
		if (text.data)
			explicit_bzero(text.data, text.cap);
		if (rc < 0)
			return fail(&a->c->err, rc,
				    "cannot write recovery sheet '%s': %m",
				    a->sheet);
	}
	return made(a, "recovery sheet %s", a->sheet);
}

/* ---- the verb ------------------------------------------------------- */

static int add_result(struct add *a)
{
	json_t *stores = json_object_get(a->setup, "stores");
	json_t *o = json_pack(
		"{s:s, s:s, s:o, s:s, s:o, s:s, s:O*, s:O, s:b}", "trust",
		a->t->name, "user", a->t->user, "uid",
		a->dry_run && !a->uid ? json_null() : json_integer(a->uid),
		"state_dir", a->state_dir, "key_id", proto_text(a->key_id),
		"recovery_file", a->sheet, "stores", stores, "made", a->made,
		"dry_run", a->dry_run);
	int rc = o && json_object_update(a->c->result, o) == 0 ? 0 : -ENOMEM;

	json_decref(o);
	if (rc == 0 && !stores)
		rc = proto_set(a->c->result, "stores", json_array());
	return rc;
}

int verb_trust_add_run(struct cli *c)
{
	CLEANUP(add_done)
	struct add a = { .c = c,
			 .dry_run = cli_has(c, OPT_DRY_RUN),
			 .made = json_array() };
	const struct config_trust *t[CLI_TRUSTS_MAX];
	size_t n;
	int rc = a.made ? cli_select(c, true, t, &n) : -ENOMEM;

	if (rc < 0)
		return rc;
	a.t = t[0];
	rc = add_user(&a);
	if (rc == 0)
		rc = add_dirs(&a);
	if (rc == 0)
		rc = add_key(&a);
	if (rc == 0)
		rc = add_setup(&a);
	if (rc == 0)
		rc = add_sheet(&a);
	return rc < 0 ? rc : add_result(&a);
}

void verb_trust_add_show(struct cli *c)
{
	const json_t *list = json_object_get(c->result, "made"), *m;
	bool dry = json_is_true(json_object_get(c->result, "dry_run"));
	size_t i;

	fprintf(c->out, "trust %s: user %s, key id %s\n",
		json_text(c->result, "trust"), json_text(c->result, "user"),
		json_known(c->result, "key_id") ? json_text(c->result, "key_id")
						: "(not made yet)");
	json_array_foreach(list, i, m)
		fprintf(c->out, "  %s %s\n", dry ? "would make" : "made",
			json_string_value(m));
	if (!json_array_size(list))
		fputs("  everything exists already; nothing was changed\n",
		      c->out);
	if (!dry && access(json_text(c->result, "recovery_file"), F_OK) == 0)
		fprintf(c->out,
			"Print %s, keep it in a safe, and remove it from this "
			"machine.\n",
			json_text(c->result, "recovery_file"));
}

/* ---- list ----------------------------------------------------------- */

static int list_one(struct cli *c, const struct config_trust *t, json_t *list)
{
	CLEANUP_JSON json_t *r = NULL;
	const char *state = "offline";
	int rc = cli_call(c, t, "status", json_object(), CLI_LOOK_SECONDS, &r);
	json_t *o;

	if (rc == 0)
		state = json_text(r, "state");
	else if (cli_exit_of(rc) != CLI_NOT_NOW)
		return rc;
	o = json_pack("{s:s, s:o, s:s, s:s}", "trust", t->name, "name",
		      proto_text(t->long_name), "state", state, "mount",
		      t->mount);
	return json_array_append_new(list, o) < 0 ? -ENOMEM : 0;
}

int verb_trust_list_run(struct cli *c)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	json_t *list = json_array();
	size_t n, i;
	int rc = proto_set(c->result, "trusts", list);

	if (rc == 0)
		rc = cli_select(c, false, t, &n);
	for (i = 0; rc == 0 && i < n; i++)
		rc = list_one(c, t[i], list);
	return rc;
}

void verb_trust_list_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "NAME", false, NULL, "name" },
		{ "STATE", false, NULL, "state" },
		{ "MOUNT", false, NULL, "mount" },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "trusts"), NULL);
}
