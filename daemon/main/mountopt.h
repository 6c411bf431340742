/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind -o when one trust is mounted: mount.fuse.mersey(8). */
#ifndef MERSEY_MAIN_MOUNTOPT_H
#define MERSEY_MAIN_MOUNTOPT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct mountopt {
	unsigned long flags; /* MS_*; MS_NOSUID and MS_NODEV unless undone */
	char *config, *log_file;
	struct buf context; /* "context=...,": SELinux's, for the kernel */
	bool remount;
	bool allow_other; /* of a plain user; root's mounts always are */
};

/* No option was given. */
void mountopt_init(struct mountopt *o);
void mountopt_done(struct mountopt *o);

/*
 * Takes a list as mount(8) hands it over, "rw,config=FILE,x-systemd.y". What
 * is for mount(8), systemd or a desktop is passed over; a later option undoes
 * an earlier one. -EINVAL for one that nobody knows, unless `sloppy`.
 */
int mountopt_add(struct mountopt *o, const char *list, bool sloppy,
		 struct err *err);

/* Appends the options as fusermount3(1) takes them from a plain user, whose
 * mounts are nosuid and nodev anyway. 0 or -ENOMEM. */
int mountopt_text(const struct mountopt *o, struct buf *out);

#endif
