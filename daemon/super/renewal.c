/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "super/secrets.h"

/* Services have the next keys at least five minutes before the last ones
 * expire. */
#define RENEW_BEFORE (10 * 60 * NSEC_PER_SEC)
#define RENEW_LEAST  (5 * NSEC_PER_SEC)

/* When to ask again for what expires then; 0 = never. */
static int64_t due(int64_t expires_ns, int64_t now)
{
	int64_t left = expires_ns - clock_wall_ns();

	if (!expires_ns)
		return 0;
	left = left > 2 * RENEW_BEFORE ? left - RENEW_BEFORE : left / 2;
	return now + MAX(left, RENEW_LEAST);
}

/* As it is now; all zero when it cannot be looked at. */
static void look(const struct super_credential *c, struct stat *st)
{
	if (!c->file || stat(c->file, st) < 0)
		memset(st, 0, sizeof(*st));
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && same_time(a->st_mtim, b->st_mtim) &&
	       same_time(a->st_ctim, b->st_ctim);
}

int renewal_send(int fd, const struct super_credential *c, struct renewal *r,
		 struct err *err)
{
	struct super_secret s = { 0 };
	struct stat st;
	int rc;

	look(c, &st); /* before: what changes meanwhile is seen again */
	rc = super_credential_read(&s, c, err);
	if (rc == 0)
		rc = super_send_secret(fd, &s, err);
	if (rc == 0) /* else it is tried again with the next look */
		r->seen = st;
	r->due_ns = rc < 0 && c->command ? clock_boot_ns() + RENEW_LEAST
					 : due(s.expires_ns, clock_boot_ns());
	super_secrets_done(&s, 1);
	return rc;
}

bool renewal_wanted(const struct super_credential *c, const struct renewal *r,
		    int64_t now)
{
	struct stat st;

	if (r->due_ns && now >= r->due_ns)
		return true;
	look(c, &st);
	return c->file && !same(&st, &r->seen);
}

void renewal_begin(const struct super_credential *c, struct renewal *r)
{
	look(c, &r->seen);
	/* When they expire is known to who asked. */
	r->due_ns = c->command ? clock_boot_ns() + RENEW_LEAST : 0;
}

void renewal_again(int fd, const struct super_credential *c, struct renewal *r,
		   const char *trust)
{
	const char *colon = trust ? ": " : "";
	struct err err = ERR_INIT;
	int rc = renewal_send(fd, c, r, &err);

	trust = trust ?: "";
	if (rc == 0)
		log_info("%s%scredentials of store '%s' were read again", trust,
			 colon, c->store);
	else if (!r->failed)
		log_err("%s%sthe old credentials of store '%s' stay in use: "
			"%s%s%s",
			trust, colon, c->store, err.msg,
			err.hint[0] ? "; try: " : "", err.hint);
	r->failed = rc < 0;
}
