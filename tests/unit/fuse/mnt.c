/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fuse/mnt.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

/* Of this process's mounts, and of nobody else's: see end_mounts(). */
static char fsname[32];

/*
 * Only our own: MNT_FORCE ends a connection for the whole machine, also from
 * a namespace of one's own, so that a wider pattern would take down every
 * gateway that runs here.
 */
static void end_mounts(void)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[512], source[64], dir[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %255s", source, dir) == 2 &&
		    strcmp(source, fsname) == 0) {
			umount2(dir, MNT_FORCE);
			umount2(dir, MNT_DETACH);
		}
}

static void watch_parent(pid_t parent)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (getppid() == parent)
		sigwait(&set, &sig);
	end_mounts();
	_exit(0);
}

void mnt_namespace(void)
{
	pid_t me = getpid();

	snprintf(fsname, sizeof(fsname), "mersey:test-%d", (int)me);
	if (geteuid() != 0)
		return;
	sys(unshare(CLONE_NEWNS));
	sys(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	prctl(PR_SET_DUMPABLE, 0); /* a core dump waits for all threads */
	if (sys(fork()) == 0)
		watch_parent(me);
}

struct mnt *mnt_new(void)
{
	struct fuse_server_opts o = { .threads = MNT_THREADS,
				      .fuse_fd = -1,
				      .fsname = fsname,
				      .options = geteuid() == 0 ? "allow_other"
								: NULL,
				      .read_wait_ns = MNT_READ_WAIT };
	struct mnt *m = calloc(1, sizeof(*m));
	struct err err = ERR_INIT;
	int rc;

	assert_non_null(m);
	m->e = env_new(MNT_READ_WAIT);
	snprintf(m->dir, sizeof(m->dir), "%s/mnt", m->e->dir);
	sys(mkdir(m->dir, 0755));
	o.mountpoint = m->dir;
	rc = fuse_server_start(&o, m->e->v, &m->s, &err);
	if (rc < 0)
		print_error("%s\n%s\n", err.msg, err.hint);
	assert_int_equal(rc, 0);
	return m;
}

void mnt_free(struct mnt *m)
{
	fuse_server_free(m->s);
	env_free(m->e);
	free(m);
}

int mnt_setup(void **state)
{
	*state = mnt_new();
	return 0;
}

int mnt_teardown(void **state)
{
	mnt_free(*state);
	return 0;
}

void mnt_umount(struct mnt *m)
{
	if (geteuid() == 0)
		sys(umount2(m->dir, 0));
	else
		assert_sh("fusermount3 -u '%s'", m->dir);
}

const char *at(struct mnt *m, const char *fmt, ...)
{
	static _Thread_local char bufs[8][512];
	static _Thread_local unsigned turn;
	char *b = bufs[turn++ % 8];
	int n = snprintf(b, 512, "%s/", m->dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b + n, 512 - (size_t)n, fmt, ap);
	va_end(ap);
	return b;
}

uint64_t mnt_data(struct mnt *m, const char *name, size_t n)
{
	uint8_t *b = malloc(n + 1);
	struct stat st;
	size_t i;
	int fd;

	assert_non_null(b);
	for (i = 0; i < n; i++)
		b[i] = env_byte(i);
	fd = sys(open(at(m, "%s", name), O_RDWR | O_CREAT | O_EXCL, 0644));
	assert_int_equal(write(fd, b, n), n);
	sys(fstat(fd, &st));
	assert_int_equal(st.st_size, n);
	sys(close(fd));
	free(b);
	return st.st_ino;
}

void mnt_check(struct mnt *m, const char *name, size_t n)
{
	uint8_t *b = malloc(n + 1);
	size_t i, got = 0;
	ssize_t r;
	int fd;

	assert_non_null(b);
	fd = sys(open(at(m, "%s", name), O_RDONLY));
	while (got <= n && (r = sys(read(fd, b + got, n + 1 - got))) > 0)
		got += (size_t)r;
	assert_int_equal(got, n);
	for (i = 0; i < n; i++)
		if (b[i] != env_byte(i))
			break;
	assert_int_equal(i, n);
	sys(close(fd));
	free(b);
}

void mnt_remote(struct mnt *m, uint64_t ino)
{
	env_protect(m->e);
	env_evict(m->e, ino);
	assert_int_equal(env_state(m->e, ino), META_REMOTE);
}
