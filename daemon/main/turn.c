/* SPDX-License-Identifier: Apache-2.0 */
#include "main/turn.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/guard.h"
#include "base/io.h"
#include "super/mountinfo.h"
#include "super/pidfile.h"

/* Of closing: uploads are broken off, what is in memory is written. */
#define TURN_WAIT  (60 * NSEC_PER_SEC)
#define LOOK_AGAIN (20 * NSEC_PER_SEC / 1000)

/* Does the holder serve on: is it mounted where it says? Then fails. */
static int check_served(const struct conf_trust *ct, const char *own,
			struct err *err)
{
	CLEANUP_FREE char *source = io_path(MOUNT_SOURCE "%s", ct->t->name);
	CLEANUP_FREE char *at = config_mountpoint(ct->c, ct->t);
	struct mount_entry e;
	int rc;

	if (!source || !at || (own && strcmp(own, at) == 0) ||
	    mountinfo_lookup(at, &e, NULL) <= 0 ||
	    strcmp(e.source, source) != 0)
		return 0;
	rc = fail(err, -EBUSY, "trust '%s' is mounted on '%s' already",
		  ct->t->name, at);
	return fail_hint(err, rc, "umount '%s'", at);
}

static int still_taken(const struct conf_trust *ct, struct err *err)
{
	int rc = fail_prefix(err, -EBUSY,
			     "trust '%s' is served by another process",
			     ct->t->name);

	return fail_hint(err, rc, "end it, or wait until it has ended");
}

static int wait_and_take(const struct conf_trust *ct, const char *path,
			 const char *own, struct err *err)
{
	int64_t end = clock_boot_ns() + TURN_WAIT;

	for (;;) {
		int fd = pidfile_take(path, err), rc;

		if (fd != -EEXIST)
			return fd;
		rc = check_served(ct, own, err);
		if (rc < 0)
			return rc;
		if (clock_boot_ns() >= end)
			return still_taken(ct, err);
		clock_sleep_ns(LOOK_AGAIN);
	}
}

int turn_take(const struct conf_trust *ct, const char *mountpoint, bool mounted,
	      struct err *err)
{
	CLEANUP_FREE char *path = config_lock_file(ct->c, ct->t);
	CLEANUP_CLOSE int fd = -1;
	int rc;

	if (!path)
		return fail(err, -ENOMEM, "%m");
	rc = io_mkdir_p(ct->c->runtime_dir, 0755);
	if (rc < 0)
		return fail(err, rc, "cannot make '%s': %m",
			    ct->c->runtime_dir);
	fd = wait_and_take(ct, path, mounted ? mountpoint : NULL, err);
	if (fd < 0)
		return fd;
	if (lseek(fd, 0, SEEK_END) < 0 || dprintf(fd, "%s\n", mountpoint) < 0)
		return fail(err, -errno, "cannot write '%s': %m", path);
	return take_fd(fd);
}
