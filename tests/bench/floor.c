/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FUSE floor: a pass-through filesystem that does nothing but its system
 * calls. What it costs above ext4 is what FUSE itself costs here; Mersey is
 * measured against it. It asks the kernel for what Mersey asks for (names and
 * attributes kept for an hour, default_permissions, readdirplus, parallel
 * lookups, no FLUSH), and has no extended attributes, so that the kernel asks
 * for none.
 *
 * A directory's node keeps an O_PATH descriptor, a file's node its directory
 * and its name there: one system call for a lookup, and no descriptor for each
 * file that the kernel knows. So files have one name each (no link). Nodes are
 * found again by device and inode. The threads read requests from the device,
 * each into a buffer of its own. New objects belong to who runs this: it is
 * for a client that is root.
 *
 * With -p the kernel reads and writes the files itself (FUSE_PASSTHROUGH). A
 * file is registered when it is first opened, and its id kept as long as the
 * kernel knows the file: all opens of it are alike, and a later open costs
 * nothing more.
 *
 * Usage: bench-floor [-p] [-t THREADS] DIRECTORY MOUNTPOINT
 * Runs in the foreground until unmounted, SIGINT or SIGTERM.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/guard.h"
#include "floor_pt.h"

#define KEEP_SECONDS 3600.0
#define MAX_IO	     (1u << 20)
#define BUCKETS	     (1u << 18)
#define THREADS_MAX  64

struct node {
	struct node *next;   /* in its bucket */
	struct node *parent; /* holds a reference on it */
	dev_t dev;
	ino_t ino;
	int fd;	       /* O_PATH of a directory, else -1 */
	int backing;   /* id of a registered file, else 0 */
	uint64_t refs; /* lookups of the kernel, and children */
	char *name;
};

/* A thread: what libfuse receives into, and what a read or a listing fills. */
struct slot {
	pthread_t thread;
	struct fuse_buf in;
	char *out;
	uint32_t opcode; /* of the request that came last */
	int backing;	 /* for the reply to it, else 0 */
};

struct dir {
	struct node *node;
	DIR *d;
	struct dirent *pending; /* read, but had no place in the last reply */
	off_t off;
};

static struct node root = { .fd = -1, .refs = 1, .name = (char *)"" };
static struct node *bucket[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all nodes */
static struct fuse_session *session;
static bool passthrough;
static _Thread_local struct slot *mine;

/* ---- nodes ----------------------------------------------------------- */

static struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)ino;
}

static struct node **bucket_of(dev_t dev, ino_t ino)
{
	return &bucket[(ino * 0x9E3779B97F4A7C15ULL ^ dev) >> 20 &
		       (BUCKETS - 1)];
}

static void node_free(struct node *n)
{
	if (n->fd >= 0)
		close(n->fd);
	if (n->backing > 0)
		pt_close(fuse_session_fd(session), n->backing);
	free(n->name);
	free(n);
}

static struct node *node_new(struct node *parent, const char *name,
			     const struct stat *st)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	*n = (struct node){ .parent = parent,
			    .dev = st->st_dev,
			    .ino = st->st_ino,
			    .fd = -1,
			    .refs = 1,
			    .name = strdup(name) };
	if (S_ISDIR(st->st_mode))
		n->fd = openat(parent->fd, name,
			       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (n->name && (n->fd >= 0 || !S_ISDIR(st->st_mode)))
		return n;
	node_free(n);
	return NULL;
}

static struct node *find_locked(const struct stat *st)
{
	struct node *n = *bucket_of(st->st_dev, st->st_ino);

	while (n && (n->ino != st->st_ino || n->dev != st->st_dev))
		n = n->next;
	return n;
}

/* One more lookup of a name; NULL: no memory, or no descriptor. */
static struct node *node_ref(struct node *parent, const char *name,
			     const struct stat *st)
{
	struct node **at = bucket_of(st->st_dev, st->st_ino), *n;

	LOCK_SCOPE(&lock);
	n = find_locked(st);
	if (n) {
		n->refs++;
		return n;
	}
	n = node_new(parent, name, st);
	if (n) {
		parent->refs++;
		n->next = *at;
		*at = n;
	}
	return n;
}

static void node_unref(struct node *n, uint64_t count)
{
	struct node **at, *parent;

	LOCK_SCOPE(&lock);
	while (n != &root && (n->refs -= count) == 0) {
		for (at = bucket_of(n->dev, n->ino); *at != n;
		     at = &(*at)->next)
			;
		*at = n->next;
		parent = n->parent;
		node_free(n);
		n = parent;
		count = 1;
	}
}

/* A node has another name from now on; the old parent to be let go. */
static struct node *node_move(struct node *parent, const char *name)
{
	struct node *n, *old;
	struct stat st;
	char *copy;

	if (fstatat(parent->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	LOCK_SCOPE(&lock);
	n = find_locked(&st);
	copy = n ? strdup(name) : NULL;
	if (!copy)
		return NULL;
	free(n->name);
	n->name = copy;
	old = n->parent;
	n->parent = parent;
	parent->refs++;
	return old;
}

/* Where the system calls find a node: a directory and a name in it. */
struct place {
	int fd;
	char name[NAME_MAX + 1];
};

static struct place place_of(fuse_ino_t ino)
{
	const struct node *n = node_of(ino);
	struct place p = { .fd = n->fd };

	if (n->fd >= 0) {
		strcpy(p.name, ".");
		return p;
	}
	LOCK_SCOPE(&lock);
	p.fd = n->parent->fd;
	strcpy(p.name, n->name);
	return p;
}

/* Fills the answer for a name whose attributes are there. 0 or an errno (as
 * libfuse wants it). */
static int found(struct node *parent, const char *name,
		 struct fuse_entry_param *e)
{
	struct node *n = node_ref(parent, name, &e->attr);

	e->ino = (uintptr_t)n;
	e->attr_timeout = KEEP_SECONDS;
	e->entry_timeout = KEEP_SECONDS;
	return n ? 0 : ENOMEM;
}

static int look_up(struct node *parent, const char *name,
		   struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){ .entry_timeout = KEEP_SECONDS };
	if (fstatat(parent->fd, name, &e->attr, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	return found(parent, name, e);
}

/* ---- names ----------------------------------------------------------- */

static void op_init(void *arg, struct fuse_conn_info *conn)
{
	/* Of what libfuse asks for by itself: set-id bits are the kernel's,
	 * nobody else changes data, each listing brings attributes. */
	conn->want &= ~(FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_AUTO_INVAL_DATA |
			FUSE_CAP_IOCTL_DIR | FUSE_CAP_READDIRPLUS_AUTO);
	conn->max_write = MAX_IO;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
}

static void reply_entry(fuse_req_t req, int rc, struct fuse_entry_param *e)
{
	if (rc == 0 || rc == ENOENT) /* a name that is not there is kept, too */
		fuse_reply_entry(req, e);
	else
		fuse_reply_err(req, rc);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	int rc = look_up(node_of(parent), name, &e);

	reply_entry(req, rc, &e);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	node_unref(node_of(ino), count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *f)
{
	for (size_t i = 0; i < count; i++)
		node_unref(node_of(f[i].ino), f[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct place p = place_of(ino);
	struct stat st;

	if (fstatat(p.fd, p.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, KEEP_SECONDS);
}

static int set_times(const struct place *p, const struct stat *a, int set)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
				 { .tv_nsec = UTIME_OMIT } };

	if (set & FUSE_SET_ATTR_ATIME)
		t[0] = a->st_atim;
	if (set & FUSE_SET_ATTR_MTIME)
		t[1] = a->st_mtim;
	if (set & FUSE_SET_ATTR_ATIME_NOW)
		t[0].tv_nsec = UTIME_NOW;
	if (set & FUSE_SET_ATTR_MTIME_NOW)
		t[1].tv_nsec = UTIME_NOW;
	return utimensat(p->fd, p->name, t, AT_SYMLINK_NOFOLLOW);
}

static int set_size(const struct place *p, off_t size)
{
	CLEANUP_CLOSE int fd = openat(p->fd, p->name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : ftruncate(fd, size);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *a, int set,
		       struct fuse_file_info *fi)
{
	struct place p = place_of(ino);
	int rc = 0;

	if (set & FUSE_SET_ATTR_MODE)
		rc = fchmodat(p.fd, p.name, a->st_mode, 0);
	if (rc == 0 && set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		rc = fchownat(p.fd, p.name,
			      set & FUSE_SET_ATTR_UID ? a->st_uid : (uid_t)-1,
			      set & FUSE_SET_ATTR_GID ? a->st_gid : (gid_t)-1,
			      AT_SYMLINK_NOFOLLOW);
	if (rc == 0 && set & FUSE_SET_ATTR_SIZE)
		rc = fi ? ftruncate((int)fi->fh, a->st_size)
			: set_size(&p, a->st_size);
	if (rc == 0 &&
	    set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
		   FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW))
		rc = set_times(&p, a, set);
	if (rc < 0)
		fuse_reply_err(req, errno);
	else
		op_getattr(req, ino, fi);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	struct node *p = node_of(parent);
	struct fuse_entry_param e;
	int rc;

	rc = mkdirat(p->fd, name, mode) < 0 ? errno : look_up(p, name, &e);
	if (rc == 0)
		fuse_reply_entry(req, &e);
	else
		fuse_reply_err(req, rc);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int rc = unlinkat(node_of(parent)->fd, name, 0);

	fuse_reply_err(req, rc < 0 ? errno : 0);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int rc = unlinkat(node_of(parent)->fd, name, AT_REMOVEDIR);

	fuse_reply_err(req, rc < 0 ? errno : 0);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		      fuse_ino_t to, const char *newname, unsigned flags)
{
	struct node *old;

	if (flags & RENAME_EXCHANGE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (renameat2(node_of(parent)->fd, name, node_of(to)->fd, newname,
		      flags) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	old = node_move(node_of(to), newname);
	if (old)
		node_unref(old, 1);
	fuse_reply_err(req, 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(root.fd, &st) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

/* ---- files ----------------------------------------------------------- */

static void open_flags(struct fuse_file_info *fi, int fd)
{
	fi->fh = (uint64_t)fd;
	fi->keep_cache = 1;
	fi->noflush = 1;
}

/* The id of the file behind `fd`, registered when it has none. */
static int backing_of(struct node *n, int fd)
{
	LOCK_SCOPE(&lock);
	if (n->backing <= 0)
		n->backing = pt_open(fuse_session_fd(session), fd);
	return n->backing;
}

/* Answers an open (e: a create), and closes the file when nobody has it. */
static void reply_opened(fuse_req_t req, const struct fuse_entry_param *e,
			 struct node *n, struct fuse_file_info *fi, int fd)
{
	int id = passthrough ? backing_of(n, fd) : 0, rc;

	open_flags(fi, fd);
	mine->backing = MAX(id, 0);
	if (id < 0)
		rc = fuse_reply_err(req, -id);
	else
		rc = e ? fuse_reply_create(req, e, fi)
		       : fuse_reply_open(req, fi);
	mine->backing = 0;
	if (rc == -ENOENT || id < 0) /* interrupted, or refused */
		close(fd);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct place p = place_of(ino);
	int fd = openat(p.fd, p.name, fi->flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	reply_opened(req, NULL, node_of(ino), fi, fd);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		      mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param e = { 0 };
	struct node *p = node_of(parent);
	int fd = openat(p->fd, name,
			fi->flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
	int rc;

	rc = fd < 0 || fstat(fd, &e.attr) < 0 ? errno : found(p, name, &e);
	if (rc != 0) {
		if (fd >= 0)
			close(fd);
		fuse_reply_err(req, rc);
		return;
	}
	reply_opened(req, &e, node_of(e.ino), fi, fd);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	ssize_t n = pread((int)fi->fh, mine->out, MIN(size, MAX_IO), off);

	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, mine->out, (size_t)n);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	ssize_t n = pwrite((int)fi->fh, data, size, off);

	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

static void op_release(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	close((int)fi->fh);
	fuse_reply_err(req, 0);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi)
{
	int rc = datasync ? fdatasync((int)fi->fh) : fsync((int)fi->fh);

	fuse_reply_err(req, rc < 0 ? errno : 0);
}

/* ---- directories ----------------------------------------------------- */

static void op_opendir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	CLEANUP_FREE struct dir *d = calloc(1, sizeof(*d));
	int fd = openat(node_of(ino)->fd, ".", O_RDONLY | O_CLOEXEC);

	if (d && fd >= 0)
		d->d = fdopendir(fd);
	if (d)
		d->node = node_of(ino);
	if (!d || !d->d) {
		fuse_reply_err(req, errno);
		if (fd >= 0)
			close(fd);
		return;
	}
	fi->fh = (uintptr_t)d;
	if (fuse_reply_open(req, fi) == -ENOENT)
		closedir(d->d);
	else
		(void)take(d);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	struct dir *d = (struct dir *)(uintptr_t)fi->fh;

	closedir(d->d);
	free(d);
	fuse_reply_err(req, 0);
}

static bool dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Bytes that the entry takes, more than `room` when it was not added. */
static size_t add_entry(fuse_req_t req, struct dir *d, char *at, size_t room,
			bool plus)
{
	const struct dirent *de = d->pending;
	struct fuse_entry_param e = {
		.attr = { .st_ino = de->d_ino, .st_mode = DTTOIF(de->d_type) }
	};
	size_t n;

	if (!plus)
		return fuse_add_direntry(req, at, room, de->d_name, &e.attr,
					 de->d_off);
	if (!dots(de->d_name) && look_up(d->node, de->d_name, &e) != 0)
		return 0; /* gone meanwhile */
	n = fuse_add_direntry_plus(req, at, room, de->d_name, &e, de->d_off);
	if (n > room && e.ino != 0)
		node_unref(node_of(e.ino), 1);
	return n;
}

static void list(fuse_req_t req, size_t size, off_t off,
		 struct fuse_file_info *fi, bool plus)
{
	struct dir *d = (struct dir *)(uintptr_t)fi->fh;
	size_t max = MIN(size, MAX_IO), len = 0, n;

	if (off != d->off) {
		seekdir(d->d, off);
		d->pending = NULL;
		d->off = off;
	}
	for (;;) {
		errno = 0;
		if (!d->pending)
			d->pending = readdir(d->d);
		if (!d->pending)
			break;
		n = add_entry(req, d, mine->out + len, max - len, plus);
		if (n > max - len)
			break;
		len += n;
		d->off = d->pending->d_off;
		d->pending = NULL;
	}
	if (len == 0 && errno != 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, mine->out, len);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	list(req, size, off, fi, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, struct fuse_file_info *fi)
{
	list(req, size, off, fi, true);
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
			struct fuse_file_info *fi)
{
	int rc = fsync(dirfd(((struct dir *)(uintptr_t)fi->fh)->d));

	fuse_reply_err(req, rc < 0 ? errno : 0);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.open = op_open,
	.create = op_create,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.fsync = op_fsync,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.fsyncdir = op_fsyncdir,
	.releasedir = op_releasedir,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.unlink = op_unlink,
	.mkdir = op_mkdir,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.statfs = op_statfs,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
};

/* ---- the loop -------------------------------------------------------- */

static ssize_t io_read(int fd, void *buf, size_t len, void *arg)
{
	ssize_t n = read(fd, buf, len);

	if (n >= (ssize_t)sizeof(struct fuse_in_header)) {
		mine->opcode = ((struct fuse_in_header *)buf)->opcode;
		if (passthrough)
			pt_see_request(buf);
	}
	return n;
}

/* libfuse 3.14 forgets to ask for parallel lookups in one directory. */
static ssize_t io_writev(int fd, struct iovec *iov, int count, void *arg)
{
	void *reply = count == 2 ? iov[1].iov_base : NULL;

	if (mine->opcode == FUSE_INIT && reply &&
	    iov[1].iov_len >= sizeof(struct fuse_init_out)) {
		((struct fuse_init_out *)reply)->flags |= FUSE_PARALLEL_DIROPS;
		if (passthrough)
			pt_ask(reply);
	}
	if (mine->backing > 0 && reply)
		pt_pass(reply, iov[1].iov_len, mine->backing);
	return writev(fd, iov, count);
}

/* A buffer that has its memory already. */
static void *buffer(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void *serve(void *arg)
{
	int n = 0;

	mine = arg;
	mine->in.mem = buffer(MAX_IO + 4096);
	mine->out = buffer(MAX_IO);
	if (!mine->in.mem || !mine->out)
		n = -ENOMEM;
	while (!fuse_session_exited(session) && (n >= 0 || n == -EINTR)) {
		n = fuse_session_receive_buf(session, &mine->in);
		if (n == 0)
			break;
		if (n > 0)
			fuse_session_process_buf(session, &mine->in);
	}
	kill(getpid(), SIGTERM); /* unmounted: the main thread ends */
	return NULL;
}

/* Until unmounted or told to end; the threads end with the process. */
static void run(struct slot *slots, unsigned threads, const sigset_t *end)
{
	int sig;

	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&slots[i].thread, NULL, serve, &slots[i]))
			return;
	sigwait(end, &sig);
}

static int mount_and_run(const char *mountpoint, unsigned threads)
{
	static const struct fuse_custom_io io = { .read = io_read,
						  .writev = io_writev };
	static struct slot slots[THREADS_MAX];
	char name[] = "floor", flag[] = "-o";
	char options[] = "fsname=floor,subtype=floor,default_permissions,"
			 "allow_other";
	char *argv[] = { name, flag, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGINT);
	sigaddset(&end, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &end, NULL);
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	fuse_opt_free_args(&args);
	if (!session || fuse_session_mount(session, mountpoint) != 0)
		return 1;
	if (fuse_session_custom_io(session, &io, fuse_session_fd(session)) == 0)
		run(slots, threads, &end);
	fuse_session_unmount(session);
	return 0;
}

/* One for each directory that the kernel knows: as many as we may. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) < 0)
			perror("bench-floor: descriptors");
	}
}

int main(int argc, char **argv)
{
	unsigned long threads = 4;
	int c;

	while ((c = getopt(argc, argv, "pt:")) != -1 && c != '?') {
		if (c == 'p')
			passthrough = true;
		else
			threads = strtoul(optarg, NULL, 10);
	}
	if (c != -1 || argc - optind != 2 || threads < 1 ||
	    threads > THREADS_MAX) {
		fprintf(stderr, "usage: bench-floor [-p] [-t THREADS] "
				"DIRECTORY MOUNTPOINT\n");
		return 2;
	}
	umask(0);
	raise_descriptors();
	root.fd = open(argv[optind], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root.fd < 0) {
		perror(argv[optind]);
		return 1;
	}
	return mount_and_run(argv[optind + 1], (unsigned)threads);
}
