/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up privileges, for ever. What was asked of the kernel is asked back
 * afterwards: a worker that kept anything does not start.
 */
#include "super/super.h"

#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* LeakSanitizer traces its own process, which must be dumpable for that. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_DUMPABLE 1
#endif
#endif
#ifndef SANDBOX_DUMPABLE
#define SANDBOX_DUMPABLE 0
#endif

static int set_limit(int what, rlim_t value, const char *name, struct err *err)
{
	struct rlimit lim;

	if (getrlimit(what, &lim) < 0)
		return fail(err, -errno, "cannot read the limit of %s: %m",
			    name);
	/* Without privilege the hard limit can only go down. */
	if (geteuid() == 0 || value < lim.rlim_max)
		lim.rlim_max = value;
	lim.rlim_cur = MIN(value, lim.rlim_max);
	if (setrlimit(what, &lim) < 0)
		return fail(err, -errno, "cannot limit %s: %m", name);
	return 0;
}

static int limit_process(const struct super_sandbox *s, struct err *err)
{
	int rc = set_limit(RLIMIT_CORE, 0, "core dumps", err);

	if (rc == 0 && s->descriptors)
		rc = set_limit(RLIMIT_NOFILE, s->descriptors, "descriptors",
			       err);
	return rc;
}

static int change_ids(const struct super_sandbox *s, struct err *err)
{
	if (s->uid == 0 || s->gid == 0)
		return fail(err, -EINVAL,
			    "a trust's service user must not be root");
	if (setgroups(0, NULL) < 0)
		return fail(err, -errno, "cannot drop groups: %m");
	if (setresgid(s->gid, s->gid, s->gid) < 0)
		return fail(err, -errno, "cannot become group %u: %m", s->gid);
	/* Else another user keeps none. */
	if (s->caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return fail(err, -errno, "cannot keep capabilities: %m");
	if (setresuid(s->uid, s->uid, s->uid) < 0)
		return fail(err, -errno, "cannot become user %u: %m", s->uid);
	return 0;
}

/* No capabilities but those to keep, and these are not inherited. */
static int drop_caps(const struct super_sandbox *s, struct err *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	uint32_t low = (uint32_t)s->caps, high = (uint32_t)(s->caps >> 32);
	struct __user_cap_data_struct data[2] = {
		{ .effective = low, .permitted = low },
		{ .effective = high, .permitted = high },
	};

	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, data) < 0)
		return fail(err, -errno, "cannot drop capabilities: %m");
	return 0;
}

/* Others than those to keep. */
static bool has_caps(const struct super_sandbox *s)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2] = { 0 };

	if (syscall(SYS_capget, &head, d) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(d); i++)
		if ((d[i].effective | d[i].permitted | d[i].inheritable) &
		    ~(uint32_t)(s->caps >> (32 * i)))
			return true;
	return false;
}

static bool ids_are(const struct super_sandbox *s)
{
	uid_t r, e, v;
	gid_t gr, ge, gv;

	return getresuid(&r, &e, &v) == 0 && getresgid(&gr, &ge, &gv) == 0 &&
	       r == s->uid && e == s->uid && v == s->uid && gr == s->gid &&
	       ge == s->gid && gv == s->gid;
}

static int verify(const struct super_sandbox *s, struct err *err)
{
	if (!ids_are(s) || getgroups(0, NULL) != 0)
		return fail(err, -EPERM, "user or groups were not dropped");
	if (has_caps(s))
		return fail(err, -EPERM, "capabilities were not dropped");
	if (setresuid(0, 0, 0) == 0)
		return fail(err, -EPERM, "root could be had back");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return fail(err, -EPERM, "no_new_privs is not set");
	return 0;
}

static int drop_root(const struct super_sandbox *s, struct err *err)
{
	int rc = change_ids(s, err);

	if (rc == 0)
		rc = drop_caps(s, err);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(err, -errno, "cannot set no_new_privs: %m");
	return verify(s, err);
}

/* A change of ids clears the death signal, so this comes last. */
static int die_with(pid_t parent, struct err *err)
{
	if (parent <= 0)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return fail(err, -errno, "cannot set the death signal: %m");
	if (getppid() != parent) /* it died before the call */
		return fail(err, -ESRCH, "the supervisor is gone");
	return 0;
}

int super_drop_privileges(const struct super_sandbox *s, struct err *err)
{
	int rc = limit_process(s, err);

	if (rc == 0 && geteuid() == 0)
		rc = drop_root(s, err);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_DUMPABLE, SANDBOX_DUMPABLE, 0, 0, 0) < 0)
		return fail(err, -errno, "cannot forbid dumps: %m");
	return die_with(s->parent, err);
}
