/* SPDX-License-Identifier: Apache-2.0 */
/* mersey doctor: what can be seen from here, then what each worker sees. */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>

static int finding(struct cli *c, const char *check, const char *trust,
		   enum proto_level level, const char *hint, const char *fmt,
		   ...) __attribute__((format(printf, 6, 7)));

static int finding(struct cli *c, const char *check, const char *trust,
		   enum proto_level level, const char *hint, const char *fmt,
		   ...)
{
	va_list ap;
	json_t *o;

	va_start(ap, fmt);
	o = proto_finding(check, trust, level, hint, proto_vtext(fmt, ap));
	va_end(ap);
	return json_array_append_new(json_object_get(c->result, "checks"), o) <
			       0
		       ? -ENOMEM
		       : 0;
}

/* ---- this machine --------------------------------------------------- */

static int doctor_kernel(struct cli *c)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return finding(c, "kernel", NULL, PROTO_WARN, NULL,
			       "version unknown");
	return finding(c, "kernel", NULL,
		       major > 6 || (major == 6 && minor >= 1) ? PROTO_OK
							       : PROTO_FAIL,
		       "install Debian 12's kernel or a newer one", "Linux %s",
		       u.release);
}

static int doctor_fuse(struct cli *c)
{
	CLEANUP_CLOSE int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return finding(c, "fuse", NULL, PROTO_OK, NULL,
			       "/dev/fuse opens");
	return finding(c, "fuse", NULL, PROTO_FAIL, "modprobe fuse",
		       "cannot open /dev/fuse: %s", strerror(errno));
}

static int doctor_config_problems(struct cli *c, const char *check,
				  const struct config_problems *ps)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < ps->n && rc == 0; i++)
		rc = finding(c, check, NULL, PROTO_FAIL, ps->p[i].suggestion,
			     "%s: %s", ps->p[i].key ? ps->p[i].key : "",
			     ps->p[i].message);
	return rc;
}

/* Secrets and accounts: only root can look at all of them. */
static int doctor_secrets(struct cli *c)
{
	CLEANUP(config_problems_done) struct config_problems ps = { 0 };
	int rc;

	if (geteuid() != 0)
		return finding(c, "secrets", NULL, PROTO_WARN, "run it as root",
			       "not looked at");
	rc = config_check_secrets(c->cfg, &ps);
	if (ps.n)
		return doctor_config_problems(c, "secrets", &ps);
	if (rc < 0)
		return rc;
	return finding(c, "secrets", NULL, PROTO_OK, NULL,
		       "keys and credentials are their owner's alone");
}

static int doctor_user(struct cli *c, const struct config_trust *t)
{
	CLEANUP_FREE char *hint = io_path("mersey trust add %s", t->name);
	uid_t uid;

	if (config_uid(t->user, &uid) < 0)
		return finding(c, "user", t->name, PROTO_FAIL, hint,
			       "there is no user '%s'", t->user);
	if (uid == 0)
		return finding(c, "user", t->name, PROTO_FAIL,
			       "give the trust an account of its own",
			       "the service user is root");
	return finding(c, "user", t->name, PROTO_OK, NULL, "%s is uid %u",
		       t->user, (unsigned)uid);
}

/* By the table of mounts: the mount itself is not touched. */
static int doctor_mount(struct cli *c, const struct config_trust *t,
			const char *mountinfo)
{
	CLEANUP_FREE char *mount = config_mountpoint(c->cfg, t);
	CLEANUP_FREE char *want = mount ? io_path(" %s ", mount) : NULL;
	const char *at = want ? strstr(mountinfo, want) : NULL;

	if (!want)
		return -ENOMEM;
	return finding(c, "mount", t->name, at ? PROTO_OK : PROTO_WARN,
		       "systemctl start mersey",
		       at ? "%s is mounted" : "%s is not mounted", mount);
}

/* ---- each worker ---------------------------------------------------- */

static int doctor_worker(struct cli *c, const struct config_trust *t)
{
	CLEANUP_JSON json_t *r = NULL;
	json_t *list = json_object_get(c->result, "checks");
	int rc = cli_call(c, t, "doctor", json_object(), CLI_SLOW_SECONDS, &r);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return finding(c, "worker", t->name, PROTO_FAIL, c->err.hint,
			       "%s", c->err.msg);
	return json_array_extend(list, json_object_get(r, "checks")) < 0
		       ? -ENOMEM
		       : 0;
}

static int doctor_trusts(struct cli *c)
{
	const struct config_trust *t[CLI_TRUSTS_MAX];
	CLEANUP_BUF struct buf mounts = { 0 };
	size_t n, i;
	int rc = cli_select(c, false, t, &n);

	if (rc == 0)
		rc = io_read_file("/proc/self/mountinfo", 1 << 24, &mounts);
	if (rc == 0 && !buf_str(&mounts))
		rc = -ENOMEM;
	for (i = 0; i < n && rc == 0; i++) {
		rc = doctor_user(c, t[i]);
		if (rc == 0)
			rc = doctor_mount(c, t[i], (char *)mounts.data);
		if (rc == 0)
			rc = doctor_worker(c, t[i]);
	}
	return rc;
}

static int doctor_configured(struct cli *c)
{
	int rc = cli_config(c);

	if (rc < 0 && c->exit != CLI_USAGE)
		return rc;
	if (rc < 0) {
		c->exit = 0;
		return finding(c, "config", NULL, PROTO_FAIL, c->err.hint, "%s",
			       c->err.msg);
	}
	rc = finding(c, "config", NULL, PROTO_OK, NULL, "%s is valid",
		     c->cfg->path);
	if (rc == 0)
		rc = doctor_secrets(c);
	return rc < 0 ? rc : doctor_trusts(c);
}

static bool doctor_found(const struct cli *c)
{
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(c->result, "checks"), i, check)
		if (strcmp(json_text(check, "level"), "ok") != 0)
			return true;
	return false;
}

int verb_doctor_run(struct cli *c)
{
	int rc = proto_set(c->result, "checks", json_array());

	if (rc == 0)
		rc = doctor_kernel(c);
	if (rc == 0)
		rc = doctor_fuse(c);
	if (rc == 0)
		rc = doctor_configured(c);
	if (rc == 0 && doctor_found(c))
		c->exit = CLI_ATTENTION;
	return rc;
}

/* ---- screen --------------------------------------------------------- */

static int cell_message(const json_t *check, struct buf *out)
{
	int rc = buf_addf(out, "%s", json_text(check, "message"));

	if (rc == 0 && json_known(check, "hint"))
		rc = buf_addf(out, " (%s)", json_text(check, "hint"));
	return rc;
}

void verb_doctor_show(struct cli *c)
{
	static const struct table_col col[] = {
		{ "TRUST", false, NULL, "trust" },
		{ "CHECK", false, NULL, "check" },
		{ "LEVEL", false, NULL, "level" },
		{ "WHAT", false, cell_message, NULL },
	};

	table_print(c->out, col, ARRAY_SIZE(col),
		    json_object_get(c->result, "checks"), NULL);
}
