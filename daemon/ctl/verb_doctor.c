/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker can find out about its own machine, disk and store. */
#include "ctl/look.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"

#define DOCTOR_CHECK_FILES 100000U /* more make the database check slow */
#define DOCTOR_LOG_WARN	   (64LL << 20)
#define DOCTOR_LOG_FAIL	   (512LL << 20)

struct doctor {
	struct ctl_call *c;
	json_t *list;
	int rc;
};

static void finding(struct doctor *d, const char *check, enum proto_level level,
		    const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void finding(struct doctor *d, const char *check, enum proto_level level,
		    const char *hint, const char *fmt, ...)
{
	va_list ap;
	json_t *o;

	va_start(ap, fmt);
	o = proto_finding(check, d->c->w->trust, level, hint,
			  proto_vtext(fmt, ap));
	va_end(ap);
	if (!o || json_array_append_new(d->list, o) < 0)
		d->rc = -ENOMEM;
}

/* ---- disk ----------------------------------------------------------- */

static enum proto_level doctor_share(uint64_t left, uint64_t of)
{
	if (!of)
		return PROTO_OK; /* no such limit (btrfs has no inode table) */
	return left < of / 100	? PROTO_FAIL
	       : left < of / 20 ? PROTO_WARN
				: PROTO_OK;
}

static void doctor_disk(struct doctor *d)
{
	const char *dir = d->c->w->state_dir;
	char left[UNITS_SIZE], all[UNITS_SIZE];
	struct statvfs s;

	if (statvfs(dir, &s) < 0) {
		finding(d, "disk", PROTO_FAIL, NULL, "cannot look at '%s': %s",
			dir, strerror(errno));
		return;
	}
	finding(d, "disk", doctor_share(s.f_bavail, s.f_blocks),
		"make room: the database must never lack it", "%s of %s free",
		units_format_size(s.f_bavail * s.f_frsize, left),
		units_format_size(s.f_blocks * s.f_frsize, all));
	finding(d, "inodes", doctor_share(s.f_favail, s.f_files),
		"each cached file takes one inode of that filesystem",
		s.f_files ? "%s of %s free" : "%s free (no limit)",
		units_format_count(s.f_favail, left),
		units_format_count(s.f_files, all));
}

static void doctor_probe_fd(struct doctor *d, int fd, const char *path)
{
	CLEANUP_CLOSE int ro = open(path, O_RDONLY | O_CLOEXEC);

	if (fsetxattr(fd, "user.mersey.doctor", "1", 1, 0) < 0)
		finding(d, "xattr", PROTO_FAIL,
			"put state_dir on ext4, XFS or btrfs with user_xattr",
			"no user xattrs on the state directory: %s",
			strerror(errno));
	else
		finding(d, "xattr", PROTO_OK, NULL, "user xattrs work");
	close(fd); /* a read lease needs a file that nobody may write */
	if (ro < 0 || fcntl(ro, F_SETLEASE, F_RDLCK) < 0)
		finding(d, "leases", PROTO_FAIL,
			"put state_dir on a local filesystem",
			"no read leases on the state directory: %s",
			strerror(errno));
	else
		finding(d, "leases", PROTO_OK, NULL, "read leases work");
}

static void doctor_probe(struct doctor *d)
{
	CLEANUP_FREE char *path =
		io_path("%s/.doctor-XXXXXX", d->c->w->state_dir);
	int fd = path ? mkostemp(path, O_CLOEXEC) : -1;

	if (!path) {
		d->rc = -ENOMEM;
		return;
	}
	if (fd < 0) {
		finding(d, "state_dir", PROTO_FAIL, NULL,
			"cannot write in '%s': %s", d->c->w->state_dir,
			strerror(errno));
		return;
	}
	doctor_probe_fd(d, fd, path); /* closes it */
	unlink(path);
}

/* ---- database ------------------------------------------------------- */

static int doctor_totals(struct doctor *d, struct meta_totals *out)
{
	META_TXN(t);
	int rc = meta_read(d->c->w->meta, &t);

	return rc < 0 ? rc : meta_totals(&t, out);
}

static void doctor_database(struct doctor *d)
{
	struct err err = ERR_INIT;
	struct meta_totals t;
	int rc = doctor_totals(d, &t);

	if (rc < 0) {
		finding(d, "database", PROTO_FAIL, "see the log of merseyd",
			"cannot be read: %s", strerror(-rc));
		return;
	}
	if (t.damaged)
		finding(d, "files", PROTO_WARN, "the log of merseyd names them",
			"%" PRIu64 " files are damaged", t.damaged);
	if (t.files > DOCTOR_CHECK_FILES) {
		finding(d, "database", PROTO_OK, NULL,
			"readable; too large for a full check here");
		return;
	}
	rc = meta_check(d->c->w->meta, &err);
	finding(d, "database", rc < 0 ? PROTO_FAIL : PROTO_OK,
		"stop the trust; restore from the metadata backup", "%s",
		rc < 0 ? err.msg : "whole");
}

static void doctor_log(struct doctor *d)
{
	int64_t n = meta_log_bytes(d->c->w->meta);
	char size[UNITS_SIZE];

	if (n < 0) {
		finding(d, "log", PROTO_WARN, NULL, "length unknown: %s",
			strerror((int)-n));
		return;
	}
	finding(d, "log",
		n > DOCTOR_LOG_FAIL   ? PROTO_FAIL
		: n > DOCTOR_LOG_WARN ? PROTO_WARN
				      : PROTO_OK,
		"checkpoints cannot keep up: is the disk slow?",
		"the database's log is %s long",
		units_format_size((uint64_t)n, size));
}

/* ---- store and clock ------------------------------------------------ */

static void doctor_clock(struct doctor *d, const struct ctl_place *p)
{
	char far[UNITS_SIZE];
	int64_t ahead, off;
	int rc = store_skew(p->direct, &ahead);

	if (rc < 0) {
		finding(d, "clock", PROTO_OK, NULL, "store '%s' tells no time",
			p->store);
		return;
	}
	off = ahead < 0 ? -ahead : ahead;
	finding(d, "clock",
		off > 900 * NSEC_PER_SEC  ? PROTO_FAIL
		: off > 30 * NSEC_PER_SEC ? PROTO_WARN
					  : PROTO_OK,
		"synchronise the clock (S3 refuses requests 15 min off)",
		"the clock of store '%s' is %s %s", p->store,
		units_format_duration(off, far),
		ahead < 0 ? "behind" : "ahead");
}

/* As it was found out when the trust was started. */
static void doctor_bucket(struct doctor *d, const struct ctl_place *p)
{
	struct store_caps c;

	store_caps(p->direct, &c);
	finding(d, "bucket", PROTO_OK, NULL,
		"'%s': create-only PUT: %s; storage classes: %s; versioning: %s; "
		"object lock: %s",
		p->bucket, c.create_only ? "yes" : "no",
		c.storage_class ? "yes" : "no", c.versions ? "yes" : "no",
		c.lock ? "yes" : "no");
}

/* A GET: the answer to a HEAD could not say what is wrong. */
static void doctor_store(struct doctor *d, const struct ctl_place *p)
{
	char byte;
	ssize_t rc = store_get(p->direct, PACK_MARKER_NAME, 0, &byte, 1);

	if (rc > 0)
		finding(d, "store", PROTO_OK, NULL, "'%s' answers, bucket '%s'",
			p->store, p->bucket);
	else if (rc == -ENOENT)
		finding(d, "store", PROTO_FAIL,
			"is it the right bucket and prefix? Then: mersey trust add",
			"bucket '%s' holds no %s", p->bucket, PACK_MARKER_NAME);
	else
		finding(d, "store", PROTO_FAIL,
			store_advice((int)rc, store_detail())
				?: "see the log of merseyd",
			"'%s' %s: %s (%s)", p->store,
			rc == -EACCES ? "refuses" : "does not answer",
			strerror((int)-rc), store_detail());
	if (rc > 0)
		doctor_bucket(d, p);
	doctor_clock(d, p); /* the answer brought the store's time */
}

static void doctor_kernel(struct doctor *d)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2) {
		finding(d, "worker_kernel", PROTO_WARN, NULL,
			"version unknown");
		return;
	}
	if (major > 6 || (major == 6 && minor >= 9))
		finding(d, "worker_kernel", PROTO_OK, NULL,
			"%s can do FUSE passthrough", u.release);
	else
		finding(d, "worker_kernel", PROTO_WARN, "6.12 is recommended",
			"%s has no FUSE passthrough: works, slower", u.release);
}

/* Where it cannot be, all is well; where it should be and is not, look. */
static void doctor_passthrough(struct doctor *d)
{
	struct ctl_data_path p = { 0 };
	bool odd;

	if (!d->c->w->data_path)
		return;
	d->c->w->data_path(d->c->w->data_path_arg, &p);
	odd = p.reason && (strcmp(p.reason, "broker") == 0 ||
			   strcmp(p.reason, "filesystem") == 0);
	if (!p.reason)
		finding(d, "passthrough", PROTO_OK, NULL,
			"whole files are read and written by the kernel itself");
	else
		finding(d, "passthrough", odd ? PROTO_WARN : PROTO_OK,
			odd ? "the log of merseyd says more" : NULL,
			"not in use: %s", p.reason);
}

int ctl_verb_doctor(struct ctl_call *c, json_t *result)
{
	struct doctor d = { .c = c, .list = json_array() };

	if (!d.list)
		return -ENOMEM;
	doctor_kernel(&d);
	doctor_passthrough(&d);
	doctor_disk(&d);
	doctor_probe(&d);
	doctor_database(&d);
	doctor_log(&d);
	if (c->w->missing)
		finding(&d, "tiers", PROTO_FAIL, CTL_MISSING,
			"objects lie in tier %s, which the config does not "
			"have",
			c->w->missing);
	for (size_t i = 0; i < c->w->n_places; i++)
		doctor_store(&d, &c->w->places[i]);
	if (d.rc == 0)
		return proto_set(result, "checks", d.list);
	json_decref(d.list);
	return d.rc;
}
