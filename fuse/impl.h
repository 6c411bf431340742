/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of fuse/ share.
 *
 * Locks: `lock` and `slow.lock` are leaves.
 */
#ifndef MERSEY_FUSE_IMPL_H
#define MERSEY_FUSE_IMPL_H

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "fuse/session.h"

#define MAX_IO	(1U << 20) /* bytes of one read or write request */
#define OPCODES 64	   /* greater ones count as the last */

/*
 * One thread of the receive loop. Its buffers are touched before the first
 * request: the kernel fails a request with EIO when the thread is killed
 * while it copies into a page that is not there yet.
 */
struct slot {
	struct fuse_server *s;
	pthread_t thread;
	bool running;
	struct fuse_buf buf; /* the request, raw */
	size_t buf_size;
	char *out;	 /* a reply's data, MAX_IO bytes */
	uint64_t unique; /* of the request at hand, for a takeover */
	uint32_t opcode;
	_Atomic uint64_t requests[OPCODES];
	bool no_setid;	      /* what it changes loses its set-id bits */
	bool tmpfile;	      /* CREATE was TMPFILE */
	bool no_setgid;	      /* an ACL is set from outside the group */
	volatile bool cancel; /* interrupted, or the server stops */
	volatile bool hangup; /* a read was interrupted */
	struct vfs_wait wait;
};

/* A request that may have to wait for the store. */
struct work {
	struct work *next;
	fuse_req_t req;
	enum {
		WORK_READ,
		WORK_WRITE,
		WORK_SETATTR,
		WORK_FALLOCATE,
		WORK_COPY
	} kind;
	uint64_t ino, fh, off;
	uint64_t len;
	const void *data; /* to write */
	int mode;	  /* of fallocate */
	struct {
		uint64_t ino, fh, off;
	} to; /* of copy */
	struct stat attr;
	unsigned set;
	bool no_setid;
	int flags; /* of open(2), of what is written */
	struct vfs_cred who;
	int64_t since_ns; /* boot time when it was queued */
};

struct fuse_server {
	struct vfs *v;
	struct fuse_session *se;
	bool mounted;	       /* by us */
	const char *root_name; /* see fuse_server_opts */
	bool serving;	       /* INIT was answered */
	uint32_t offered;      /* flags of INIT as the kernel sent them */
	uint32_t offered2;     /* flags2 */
	const struct cache_backing *backing; /* see fuse_server_opts */
	bool passthrough;		     /* agreed in INIT */
	int64_t read_wait_ns;
	int stop_event; /* set when `stopping` is; never read */
	_Atomic bool stopping;
	struct slot *slots;
	unsigned nslots;
	struct {
		pthread_mutex_t lock;
		unsigned waiting; /* threads that may wait now */
		unsigned max;
		struct work *head, **tail;
		unsigned queued;
		size_t bytes;
		bool away; /* the last one that waited got ETIMEDOUT */
	} slow;
	pthread_mutex_t lock;
	pthread_cond_t rested; /* running == 0 */
	unsigned running;
	int error; /* -errno of the device */
};

/* ---- transport.c ----------------------------------------------------- */

/* Whose thread this is; NULL outside the receive loop. */
extern _Thread_local struct slot *slot_mine;
extern const struct fuse_custom_io transport_io;

/* ---- raw.c ----------------------------------------------------------- */

/* Before libfuse: takes from the request in sl->buf what libfuse hides. */
void raw_request(struct slot *sl);
/* The node that the kernel knows an inode by. */
uint64_t raw_node(const struct fuse_server *s, uint64_t ino);
/* A reply to INIT: asks for what libfuse has no name for. */
void raw_init_reply(struct slot *sl, struct iovec *iov, int count);

/* ---- count.c --------------------------------------------------------- */

/* The request at hand, as the kernel sent it. */
void count_request(struct slot *sl);

/* ---- passthrough.c --------------------------------------------------- */

/* As fuse_reply_open() and fuse_reply_create(); when the file behind the
 * handle is registered with the kernel, it is told to use that. */
int reply_open(fuse_req_t req, const struct fuse_file_info *fi);
int reply_create(fuse_req_t req, const struct fuse_entry_param *p,
		 const struct fuse_file_info *fi);

/* ---- ops.c, file.c, dir.c, xattr.c ---------------------------------- */

extern const struct fuse_lowlevel_ops server_ops;

static inline struct vfs *req_vfs(fuse_req_t req)
{
	return ((struct fuse_server *)fuse_req_userdata(req))->v;
}

/* Who asks. */
struct vfs_cred req_cred(fuse_req_t req);

/* Each of these answers the request, whatever rc (0 or -errno) is. */
void reply_rc(fuse_req_t req, int rc);
void reply_entry(fuse_req_t req, int rc, const struct vfs_entry *e);
void reply_attr(fuse_req_t req, int rc, const struct vfs_entry *e);
void entry_param(const struct vfs_entry *e, struct fuse_entry_param *out);

/* The operations of server_ops, by file: file.c, dir.c, xattr.c. */
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
	      off_t off, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
		  off_t len, struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out,
			size_t len, int flags);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi);

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* ---- slow.c ---------------------------------------------------------- */

/* The queue of requests that wait for bytes. */
void slow_init(struct fuse_server *s);
void slow_done(struct fuse_server *s);

/*
 * Answers the request: at once, or after waiting for the store in this
 * thread, or later by another thread when too many wait already.
 */
void slow_serve(const struct work *w);

/* The call itself: a count, 0 or -errno; `e` is setattr's. */
ssize_t work_do(struct slot *sl, const struct work *w, struct vfs_entry *e);
void work_answer(struct slot *sl, const struct work *w, ssize_t rc,
		 const struct vfs_entry *e);

#endif
