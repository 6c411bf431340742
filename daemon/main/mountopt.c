/* SPDX-License-Identifier: Apache-2.0 */
#include "main/mountopt.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/guard.h"

/* Options that are a flag of the kernel's, and those that take it away. */
static const struct {
	const char *name;
	unsigned long set, clear;
} flag_options[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	/* mount(8) keeps "suid" and "dev" to itself */
	{ "allow_suid", 0, MS_NOSUID },
	{ "allow_dev", 0, MS_NODEV },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME },
	{ "atime", 0, MS_NOATIME },
	{ "relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME },
	{ "nostrictatime", 0, MS_STRICTATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "lazytime", MS_LAZYTIME, 0 },
	{ "nolazytime", 0, MS_LAZYTIME },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "silent", MS_SILENT, 0 },
	{ "loud", 0, MS_SILENT },
};

/* What is for others, or as it always is here, or what the mount table says
 * of a mount that gets new flags; fnmatch(3) patterns. */
static const char *const passed_over[] = {
	"defaults",   "auto",	    "noauto",
	"nofail",     "_netdev",    "user",
	"user=*",     "nouser",	    "users",
	"nousers",    "owner",	    "noowner",
	"group",      "nogroup",    "x-*",
	"X-*",	      "uhelper=*",  "helper=*",
	"comment=*",  "fsname=*",   "subtype=mersey",
	"nonempty",   "mand",	    "nomand",
	"iversion",   "noiversion", "default_permissions",
	"user_id=*",  "group_id=*", "rootmode=*",
	"max_read=*", "blksize=*"
};

static const char *const contexts[] = { "context=", "fscontext=", "defcontext=",
					"rootcontext=" };

void mountopt_init(struct mountopt *o)
{
	*o = (struct mountopt){ .flags = MS_NOSUID | MS_NODEV };
}

void mountopt_done(struct mountopt *o)
{
	free(o->config);
	free(o->log_file);
	buf_done(&o->context);
	*o = (struct mountopt){ 0 };
}

static bool take_flag(struct mountopt *o, const char *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_options); i++) {
		if (strcmp(flag_options[i].name, opt) != 0)
			continue;
		o->flags &= ~flag_options[i].clear;
		o->flags |= flag_options[i].set;
		return true;
	}
	return false;
}

static bool is_passed_over(const char *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(passed_over); i++)
		if (fnmatch(passed_over[i], opt, 0) == 0)
			return true;
	return false;
}

/* The value behind "name=", NULL when it is another option. */
static const char *value_of(const char *opt, const char *name)
{
	size_t n = strlen(name);

	return strncmp(opt, name, n) == 0 ? opt + n : NULL;
}

/* 1 = taken, 0 = another option, -errno. */
static int take_file(char **out, const char *opt, const char *name,
		     struct err *err)
{
	const char *file = value_of(opt, name);

	if (!file)
		return 0;
	if (file[0] != '/') /* mount(8) runs it anywhere */
		return fail(err, -EINVAL, "option '%s' needs an absolute path",
			    opt);
	free(*out);
	*out = strdup(file);
	return *out ? 1 : fail(err, -ENOMEM, "%m");
}

static int take_context(struct mountopt *o, const char *opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		if (value_of(opt, contexts[i]))
			return buf_addf(&o->context, "%s%s",
					o->context.len ? "," : "", opt) < 0
				       ? -ENOMEM
				       : 1;
	return 0;
}

static int take_option(struct mountopt *o, const char *opt, bool sloppy,
		       struct err *err)
{
	int rc;

	if (!*opt || take_flag(o, opt) || is_passed_over(opt))
		return 0;
	if (strcmp(opt, "remount") == 0) {
		o->remount = true;
		return 0;
	}
	if (strcmp(opt, "allow_other") == 0) {
		o->allow_other = true;
		return 0;
	}
	rc = take_file(&o->config, opt, "config=", err);
	if (rc == 0)
		rc = take_file(&o->log_file, opt, "log=", err);
	if (rc == 0)
		rc = take_context(o, opt);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (sloppy)
		return 0;
	fail(err, -EINVAL, "there is no mount option '%s'", opt);
	return fail_hint(err, -EINVAL, "man 8 mount.fuse.mersey");
}

/*
 * The end of the option that begins at `s`: a comma between double quotes
 * belongs to it, as in context="system_u:object_r:tmp_t:s0:c1,c2".
 */
static size_t option_len(const char *s)
{
	bool quoted = false;
	size_t n;

	for (n = 0; s[n] && (quoted || s[n] != ','); n++)
		if (s[n] == '"')
			quoted = !quoted;
	return n;
}

int mountopt_add(struct mountopt *o, const char *list, bool sloppy,
		 struct err *err)
{
	while (*list) {
		size_t n = option_len(list);
		CLEANUP_FREE char *opt = strndup(list, n);
		int rc = opt ? take_option(o, opt, sloppy, err)
			     : fail(err, -ENOMEM, "%m");

		if (rc < 0)
			return rc;
		list += n;
		list += *list == ',';
	}
	return 0;
}

int mountopt_text(const struct mountopt *o, struct buf *out)
{
	const unsigned long told = MS_RDONLY | MS_NOEXEC | MS_NOATIME |
				   MS_NODIRATIME | MS_SYNCHRONOUS | MS_DIRSYNC;
	int rc = buf_addf(out, "%s", o->allow_other ? "allow_other" : "rw");

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(flag_options); i++)
		if (flag_options[i].set & o->flags & told)
			rc = buf_addf(out, ",%s", flag_options[i].name);
	return rc == 0 && !buf_str(out) ? -ENOMEM : rc;
}
