/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vfs/faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static struct faulty armed;
static pthread_t owner;
static int calls;
static bool db_failed;
static char first[PATH_MAX + 64];

static atomic_uint kinds; /* as armed; 0 = not */
static atomic_int error;
static _Thread_local bool half;

void faulty_arm(const struct faulty *f)
{
	pthread_mutex_lock(&lock);
	armed = *f;
	owner = pthread_self();
	calls = 0;
	half = false;
	pthread_mutex_unlock(&lock);
	atomic_store(&error, f->error);
	atomic_store(&kinds, f->kinds);
}

bool faulty_disarm(char *what, unsigned size)
{
	atomic_store(&kinds, 0);
	pthread_mutex_lock(&lock);
	snprintf(what, size, "%.*s", (int)size - 1, first);
	pthread_mutex_unlock(&lock);
	return faulty_struck();
}

bool faulty_struck(void)
{
	bool struck;

	pthread_mutex_lock(&lock);
	struck = calls >= armed.nth;
	pthread_mutex_unlock(&lock);
	return struck;
}

bool faulty_db(void)
{
	bool failed;

	pthread_mutex_lock(&lock);
	failed = db_failed;
	pthread_mutex_unlock(&lock);
	return failed;
}

static void fd_path(int fd, char path[PATH_MAX])
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[n < 0 ? 0 : n] = '\0';
}

static bool strikes_locked(unsigned kind, const char *name, int fd,
			   const char *path)
{
	char at[PATH_MAX] = "";

	if (!armed.jobs && !pthread_equal(owner, pthread_self()))
		return false;
	calls++;
	if (calls < armed.nth || (calls > armed.nth && !armed.persist))
		return false;
	if (fd >= 0)
		fd_path(fd, at);
	if (calls == armed.nth)
		snprintf(first, sizeof(first), "%s %s%s", name, at, path);
	if (kind == FAULTY_SYNC && strstr(at, ".db"))
		db_failed = true;
	return true;
}

/* Does this call fail? Then errno is set. */
static bool strikes(unsigned kind, const char *name, int fd, const char *path)
{
	bool fails;

	if (!(atomic_load(&kinds) & kind))
		return false;
	pthread_mutex_lock(&lock);
	fails = strikes_locked(kind, name, fd, path);
	pthread_mutex_unlock(&lock);
	if (fails)
		errno = atomic_load(&error);
	return fails;
}

/* ---- by the names of the 64-bit interface ---------------------------- */

ssize_t faulty_pwrite(int fd, const void *p, size_t n,
		      off_t off) __asm__("pwrite64");
ssize_t faulty_pread(int fd, void *p, size_t n, off_t off) __asm__("pread64");
int faulty_ftruncate(int fd, off_t size) __asm__("ftruncate64");
int faulty_fallocate(int fd, int mode, off_t off,
		     off_t len) __asm__("fallocate64");
int faulty_fstat(int fd, struct stat *st) __asm__("fstat64");
int faulty_openat(int dir, const char *path, int flags,
		  ...) __asm__("openat64");
int faulty_open(const char *path, int flags, ...) __asm__("open64");
int faulty_fsync(int fd) __asm__("fsync");
int faulty_fdatasync(int fd) __asm__("fdatasync");
int faulty_syncfs(int fd) __asm__("syncfs");
int faulty_mkdirat(int dir, const char *path, mode_t mode) __asm__("mkdirat");
int faulty_unlinkat(int dir, const char *path, int flags) __asm__("unlinkat");
int faulty_setxattr(int fd, const char *name, const void *p, size_t n,
		    int flags) __asm__("fsetxattr");
ssize_t faulty_getxattr(int fd, const char *name, void *p,
			size_t n) __asm__("fgetxattr");
int faulty_futimens(int fd, const struct timespec ts[2]) __asm__("futimens");

ssize_t faulty_pwrite(int fd, const void *p, size_t n, off_t off)
{
	if (half || strikes(FAULTY_WRITE, "pwrite", fd, "")) {
		half = false;
		errno = atomic_load(&error);
		return -1;
	}
	if (n > 1 && strikes(FAULTY_SHORT, "pwrite", fd, " (half)")) {
		half = true; /* as a full disk does: some, then nothing */
		n /= 2;
	}
	return syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t faulty_pread(int fd, void *p, size_t n, off_t off)
{
	return strikes(FAULTY_READ, "pread", fd, "")
		       ? -1
		       : syscall(SYS_pread64, fd, p, n, off);
}

int faulty_ftruncate(int fd, off_t size)
{
	return strikes(FAULTY_WRITE, "ftruncate", fd, "")
		       ? -1
		       : (int)syscall(SYS_ftruncate, fd, size);
}

int faulty_fallocate(int fd, int mode, off_t off, off_t len)
{
	return strikes(FAULTY_WRITE, "fallocate", fd, "")
		       ? -1
		       : (int)syscall(SYS_fallocate, fd, mode, off, len);
}

int faulty_fstat(int fd, struct stat *st)
{
	return strikes(FAULTY_OTHER, "fstat", fd, "")
		       ? -1
		       : (int)syscall(SYS_newfstatat, fd, "", st,
				      AT_EMPTY_PATH);
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	unsigned kind = flags & O_CREAT ? FAULTY_WRITE : FAULTY_OPEN;

	/* One that a number of descriptors may stop, in either case. */
	if (atomic_load(&error) == EMFILE)
		kind = FAULTY_OPEN;
	return strikes(kind, "open", -1, path)
		       ? -1
		       : (int)syscall(SYS_openat, dir, path, flags, mode);
}

int faulty_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_at(dir, path, flags, mode);
}

int faulty_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

/* Nobody cuts the power of this test: a sync costs nothing. */
int faulty_fsync(int fd)
{
	return strikes(FAULTY_SYNC, "fsync", fd, "") ? -1 : 0;
}

int faulty_fdatasync(int fd)
{
	return strikes(FAULTY_SYNC, "fdatasync", fd, "") ? -1 : 0;
}

int faulty_syncfs(int fd)
{
	return strikes(FAULTY_SYNC, "syncfs", fd, "") ? -1 : 0;
}

int faulty_mkdirat(int dir, const char *path, mode_t mode)
{
	return strikes(FAULTY_WRITE, "mkdir", dir, path)
		       ? -1
		       : (int)syscall(SYS_mkdirat, dir, path, mode);
}

int faulty_unlinkat(int dir, const char *path, int flags)
{
	return strikes(FAULTY_OTHER, "unlink", dir, path)
		       ? -1
		       : (int)syscall(SYS_unlinkat, dir, path, flags);
}

int faulty_setxattr(int fd, const char *name, const void *p, size_t n,
		    int flags)
{
	return strikes(FAULTY_WRITE, "fsetxattr", fd, "")
		       ? -1
		       : (int)syscall(SYS_fsetxattr, fd, name, p, n, flags);
}

ssize_t faulty_getxattr(int fd, const char *name, void *p, size_t n)
{
	return strikes(FAULTY_READ, "fgetxattr", fd, "")
		       ? -1
		       : syscall(SYS_fgetxattr, fd, name, p, n);
}

int faulty_futimens(int fd, const struct timespec ts[2])
{
	return strikes(FAULTY_OTHER, "futimens", fd, "")
		       ? -1
		       : (int)syscall(SYS_utimensat, fd, NULL, ts, 0);
}

/* ---- runs ------------------------------------------------------------ */

int faulty_every(struct faulty *f, int from, int step, bool (*once)(void))
{
	f->nth = from;
	while (once())
		f->nth += step;
	printf("%d calls, every %d. of them failed with %s%s\n", f->nth - 1,
	       step, strerrorname_np(f->error),
	       f->persist ? ", and all after it" : "");
	return f->nth;
}

bool faulty_child(void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(60); /* a hang is no answer */
		fn();
		_exit(9);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid &&
	       WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- memory of SQLite ------------------------------------------------ */

static sqlite3_mem_methods memory;

static void *memory_malloc(int n)
{
	return strikes(FAULTY_MEMORY, "malloc", -1, "") ? NULL
							: memory.xMalloc(n);
}

static void *memory_realloc(void *p, int n)
{
	return strikes(FAULTY_MEMORY, "realloc", -1, "")
		       ? NULL
		       : memory.xRealloc(p, n);
}

void faulty_memory(void)
{
	sqlite3_mem_methods mine;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
	mine = memory;
	mine.xMalloc = memory_malloc;
	mine.xRealloc = memory_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
}
