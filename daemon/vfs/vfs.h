/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX behaviour of one trust's filesystem, without libfuse: names,
 * attributes, handles, I/O. The kernel checks permissions
 * (default_permissions); what it leaves to the filesystem is here.
 *
 * Every namespace call returns after its transaction committed (P2). All
 * calls: 0 (or a count) or -errno as the standard says; -EDQUOT from all that
 * makes an inode or a longer file, beyond meta_quota_set(). Any thread.
 */
#ifndef MERSEY_VFS_VFS_H
#define MERSEY_VFS_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

#include "base/buf.h"
#include "cache/cache.h"
#include "meta/meta.h"
#include "move/move.h"

struct vfs;

/* Who calls. */
struct vfs_cred {
	uint32_t uid, gid;
	uint32_t umask;
	int32_t pid;
};

/* What a lookup or create tells the kernel. */
struct vfs_entry {
	uint64_t ino; /* node id: snapshot (0) << 48 | inode number */
	uint64_t generation;
	struct stat attr;
	bool volatile_attr; /* open for writing: attributes must not be kept */
};

#define VFS_SNAPSHOT(node) ((uint32_t)((node) >> META_INO_BITS))
#define VFS_INO(node)	   ((node) & ((1ULL << META_INO_BITS) - 1))

struct vfs_opts {
	unsigned handles_max; /* open files and directories at once */
	bool no_atime;	      /* reads change no access time */
};

/* All borrowed, must outlive the vfs. */
int vfs_new(const struct vfs_opts *o, struct meta *m, struct cache *c,
	    struct move *mv, struct vfs **out);
/* Closes what is still open. */
void vfs_free(struct vfs *v);
DEFINE_GUARD(struct vfs *, vfs_free);

/* What was done here since the start. */
struct vfs_counts {
	/* Reads that came here and found all bytes, or had to wait for some. */
	uint64_t reads_hit, reads_missed;
	/* Opens whose reads and writes the kernel does, or come here. */
	uint64_t opens_passed, opens_served;
};
void vfs_counts(struct vfs *v, struct vfs_counts *out);

/*
 * Node ids come from vfs_lookup() and the calls that make something; all
 * return 0 or -errno as POSIX names it, and -ESTALE for an inode that is gone.
 */
/* "." is the node itself, of any type, and ".." the directory above one: for
 * who has kept nothing but its id. */
int vfs_lookup(struct vfs *v, uint64_t parent, const char *name,
	       struct vfs_entry *out);
int vfs_getattr(struct vfs *v, uint64_t ino, struct vfs_entry *out);

enum { /* which fields of the stat vfs_setattr() takes */
       VFS_SET_MODE = 1 << 0,
       VFS_SET_UID = 1 << 1,
       VFS_SET_GID = 1 << 2,
       VFS_SET_SIZE = 1 << 3,
       VFS_SET_ATIME = 1 << 4,
       VFS_SET_MTIME = 1 << 5,
       VFS_SET_ATIME_NOW = 1 << 6,
       VFS_SET_MTIME_NOW = 1 << 7,
       VFS_SET_CTIME = 1 << 8,
       VFS_SET_NO_SETID = 1 << 9, /* with SIZE, UID, GID: the set-id bits
				     go, as for a plain user */
};
/* `fh` 0 = no handle. */
int vfs_setattr(struct vfs *v, const struct vfs_cred *who, uint64_t ino,
		const struct stat *attr, unsigned set, uint64_t fh,
		struct vfs_entry *out);

/* Each makes one object, committed before it returns (P2). */
int vfs_mknod(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	      const char *name, mode_t mode, dev_t rdev, struct vfs_entry *out);
int vfs_mkdir(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	      const char *name, mode_t mode, struct vfs_entry *out);
int vfs_symlink(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
		const char *name, const char *target, struct vfs_entry *out);
/* Appends the target to out. */
int vfs_readlink(struct vfs *v, uint64_t ino, struct buf *out);
int vfs_link(struct vfs *v, uint64_t ino, uint64_t newparent,
	     const char *newname, struct vfs_entry *out);
int vfs_unlink(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	       const char *name);
int vfs_rmdir(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	      const char *name);
/* flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE; -EINVAL for others. */
int vfs_rename(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	       const char *name, uint64_t newparent, const char *newname,
	       unsigned flags);

/*
 * How the calling thread waits for bytes that are not here, in read, write,
 * fallocate, copy and setattr. NULL, the default: up to read_wait. Borrowed
 * until the next call of this function.
 */
struct vfs_wait {
	bool never; /* return -EINPROGRESS instead; nothing was changed */
	const volatile bool *cancel; /* -EINTR when it becomes true, or NULL */
	/* Of a read that waits for an archive: -ETIMEDOUT when it becomes
	 * true, or NULL. */
	const volatile bool *hangup;
	/* Of a read while nothing comes: not beyond that (clock_boot_ns()), as
	 * it has waited before; 0 = it has not. */
	int64_t until_ns;
};
void vfs_set_wait(const struct vfs_wait *w);

/* open(2) flags; O_TRUNC is done here. *fh names the handle. */
int vfs_open(struct vfs *v, uint64_t ino, int flags, uint64_t *fh);
int vfs_create(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
	       const char *name, mode_t mode, int flags, struct vfs_entry *out,
	       uint64_t *fh);
/* O_TMPFILE: a file without a name, which vfs_link() may give it while this
 * handle is open. */
int vfs_tmpfile(struct vfs *v, const struct vfs_cred *who, uint64_t parent,
		mode_t mode, int flags, struct vfs_entry *out, uint64_t *fh);
/* How local files are registered with the kernel (FUSE passthrough); NULL:
 * not any more. Before the first open. */
struct cache_backing;
void vfs_set_backing(struct vfs *v, const struct cache_backing *b);
/*
 * > 0: the id by which the kernel reads and writes the open file itself. With
 * *direct reads and writes come here all the same, past the kernel's pages,
 * and only mappings are the kernel's. 0: all come here.
 */
int vfs_backing(struct vfs *v, uint64_t fh, bool *direct);
/* By whom it was opened: decides what becomes of set-id bits when the kernel
 * writes by itself. */
void vfs_opened_by(struct vfs *v, uint64_t fh, const struct vfs_cred *who);
/* Does the next read write the access time? Pages that the kernel kept would
 * hide it. */
bool vfs_atime_due(struct vfs *v, uint64_t fh);
/*
 * Reads into dst. Recalls what is missing: may wait up to read_wait, then
 * -ETIMEDOUT; damaged -EIO. Count, short only at the end of the file.
 */
ssize_t vfs_read(struct vfs *v, uint64_t fh, void *dst, size_t len,
		 uint64_t off);
/* Writes all, or fails. The first change of an incomplete file completes it
 * first (S12). */
ssize_t vfs_write(struct vfs *v, uint64_t fh, const void *src, size_t len,
		  uint64_t off);
/*
 * Before a change of an open file's bytes: its capabilities go, and its set-id
 * bits, which `who` may not keep (NULL may). Cheap when there are none. 1:
 * something was taken, attributes that were kept are old.
 */
int vfs_unprivilege(struct vfs *v, uint64_t fh, const struct vfs_cred *who);
/* fallocate(2) with the modes of cache_allocate(); like a write in all. */
int vfs_fallocate(struct vfs *v, uint64_t fh, int mode, uint64_t off,
		  uint64_t len);
/*
 * copy_file_range(2): count, 0 at the end of the source, short when the rest
 * needs another call. -EXDEV: the caller reads and writes instead.
 */
ssize_t vfs_copy(struct vfs *v, uint64_t fh_in, uint64_t off_in,
		 uint64_t fh_out, uint64_t off_out, uint64_t len);
/* SEEK_DATA and SEEK_HOLE: the offset. Needs no byte of the file. */
int64_t vfs_seek(struct vfs *v, uint64_t fh, uint64_t off, int whence);
/* Is the cache so full that `bytes` more may have to wait for room (P9)?
 * Cheap. */
bool vfs_writes_wait(struct vfs *v, uint64_t bytes);
int vfs_flush(struct vfs *v, uint64_t fh);
int vfs_fsync(struct vfs *v, uint64_t fh, bool data_only);
int vfs_release(struct vfs *v, uint64_t fh);

/* A directory and its handle; flags of open(2). fsyncdir: its entries survive a
 * power cut. */
int vfs_opendir(struct vfs *v, uint64_t ino, int flags, uint64_t *fh);
int vfs_fsyncdir(struct vfs *v, uint64_t fh);
int vfs_releasedir(struct vfs *v, uint64_t fh);

/* One name of a directory; `e` is set only when plus was asked for, and not
 * for "." and "..". */
struct vfs_dirent {
	const char *name;
	uint64_t next; /* offset to go on from */
	uint64_t ino;
	mode_t type;
	const struct vfs_entry *e;
};
/*
 * Calls emit for the entries from `off` on ("." and ".." first) until it
 * returns false; it is likely to take `room` of them (0 = who knows), which
 * says how many to read at once. Cookies are stable; entries that existed
 * throughout come exactly once, those made after it began (off 0) do not come.
 * `emit` runs outside locks and transactions.
 */
int vfs_readdir(struct vfs *v, uint64_t fh, uint64_t off, bool plus,
		size_t room,
		bool (*emit)(void *arg, const struct vfs_dirent *d), void *arg);

/*
 * Room as the trust has it: its share of the cache, or less when the disk is
 * fuller. With a quota: size and free bytes and files are the quota's, and
 * available is what of that can be written now.
 */
int vfs_statfs(struct vfs *v, struct statvfs *out);

/* In flags of vfs_setxattr(): an ACL is set by somebody who is not in the
 * file's group. */
#define VFS_XATTR_NO_SETGID (1 << 16)

/* Appends. user.mersey.state|protected_at|tier are virtual, read-only. */
int vfs_getxattr(struct vfs *v, uint64_t ino, const char *name,
		 struct buf *out);
int vfs_setxattr(struct vfs *v, uint64_t ino, const char *name,
		 const void *value, size_t len, int flags);
int vfs_removexattr(struct vfs *v, uint64_t ino, const char *name);
int vfs_listxattr(struct vfs *v, const struct vfs_cred *who, uint64_t ino,
		  struct buf *out);

/*
 * What the kernel must forget, after changes made from outside the mount
 * (evict): called with the node id. Set once, by the FUSE layer.
 */
void vfs_on_invalidate(struct vfs *v, void (*fn)(void *arg, uint64_t ino),
		       void *arg);
void vfs_invalidate(struct vfs *v, uint64_t ino);

#endif
