/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emergency brake (S13). What the kernel writes by itself asks nobody for
 * room: such an open is given away only while there is headroom, but a writer
 * that has one can fill the disk. When that is down to free_min, which is the
 * database's, the cache files of such writers become immutable: their writes
 * fail with EPERM, a store into a mapping with SIGBUS. As soon as there is
 * room again they go on.
 *
 * The flag must not stand in anybody else's way: it goes before the daemon
 * changes the file, before it is unlinked, when nobody can write to it any
 * more, at the end, and at the start when the last process had no end. Where
 * a filesystem has no such flag, or no broker may set it, the disk is full.
 * A broker that does not answer in time, as on a full disk it may not, does
 * what it was asked all the same: the file is held or not, until it is asked
 * again.
 * XFS (Linux 6.18) looks at it only in open(2): there it keeps new writers out.
 */
#include "cache/impl.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/log.h"

#define BRAKE_NS   (NSEC_PER_SEC / 10) /* between two looks when it is near */
#define BRAKE_NEAR (4ULL << 30)	       /* what writers may take in a second */

static int brake_call(struct cache *c, int fd, bool on)
{
	LOCK_SCOPE(&c->backing_lock);
	return c->backing.hold ? c->backing.hold(c->backing.arg, fd, on)
			       : -EOPNOTSUPP;
}

/* ---- the disk -------------------------------------------------------- */

static void brake_set(struct cache *c, bool on)
{
	if (atomic_exchange(&c->braking, on) == on)
		return;
	if (on)
		log_err("the disk is full: who writes to files past the "
			"worker gets EPERM");
	else
		log_info("the disk has room again: files can be written to");
}

int64_t brake_look(struct cache *c)
{
	uint64_t reserve = c->o.passthrough_reserve;
	struct cache_usage u;

	atomic_store(&c->disk_free_ns, 0); /* as it is now */
	cache_usage(c, &u);
	if (u.disk_free < c->o.free_min)
		brake_set(c, true);
	else if (u.disk_free - c->o.free_min >= reserve / 4)
		brake_set(c, false);
	return u.disk_free < c->o.free_min + BRAKE_NEAR ? BRAKE_NS
							: NSEC_PER_SEC;
}

/* ---- a file ---------------------------------------------------------- */

static void brake_hold_locked(struct cache_file *f)
{
	struct cache *c = f->c;
	int rc;

	if (f->held || !f->unseen || f->rfd < 0 || c->no_brake)
		return;
	rc = brake_call(c, f->rfd, true);
	f->held = rc == 0;
	f->may_be_held = rc == -EAGAIN;
	if (rc == 0 || rc == -EAGAIN)
		return;
	c->no_brake = true;
	log_warn("who writes to files past the worker cannot be stopped: %s",
		 errno_name(-rc));
}

void brake_let_locked(struct cache_file *f)
{
	int rc;

	if (!f->held && !f->may_be_held)
		return;
	/* Closed since that failed: who opens it to change it lets it go. */
	if (f->rfd < 0) {
		f->held = f->may_be_held = false;
		return;
	}
	rc = brake_call(f->c, f->rfd, false);
	f->held = rc < 0 && rc != -EAGAIN;
	f->may_be_held = rc == -EAGAIN;
	if (rc < 0)
		log_warn("inode %llu cannot be written to again: %s",
			 (unsigned long long)f->ino, errno_name(-rc));
}

void brake_file_locked(struct cache_file *f)
{
	if (atomic_load(&f->c->braking) && atomic_load(&f->c->passing))
		brake_hold_locked(f);
	else
		brake_let_locked(f);
}

/* ---- what was left --------------------------------------------------- */

static bool brake_has_flag(int fd)
{
	int flags = 0;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
	       flags & FS_IMMUTABLE_FL;
}

int brake_let_fd(struct cache *c, int fd)
{
	return brake_has_flag(fd) ? brake_call(c, fd, false) : -EPERM;
}

void brake_left(struct cache *c, uint64_t ino, int fd)
{
	if (!brake_has_flag(fd))
		return;
	LOCK_SCOPE(&c->backing_lock);
	if (buf_add(&c->left_held, &ino, sizeof(ino)) < 0)
		log_warn("inode %llu is immutable until it is changed",
			 (unsigned long long)ino);
}

static bool brake_next_left(struct cache *c, uint64_t *ino)
{
	LOCK_SCOPE(&c->backing_lock);
	if (c->left_held.len == 0)
		return false;
	c->left_held.len -= sizeof(*ino);
	memcpy(ino, c->left_held.data + c->left_held.len, sizeof(*ino));
	return true;
}

void brake_let_left(struct cache *c)
{
	uint64_t ino;

	while (brake_next_left(c, &ino)) {
		CLEANUP_CLOSE int fd = local_open(c, ino, O_RDONLY);
		int rc = fd < 0 ? fd : brake_let_fd(c, fd);

		if (rc < 0 && rc != -EPERM && rc != -ENOENT)
			log_warn("inode %llu cannot be written to again: %s",
				 (unsigned long long)ino, errno_name(-rc));
	}
}
