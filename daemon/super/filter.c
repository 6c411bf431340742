/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of a broker: it has CAP_SYS_ADMIN and CAP_LINUX_IMMUTABLE,
 * and uses them for two requests of one driver and a flag of a file. What else
 * it asks for fails with EPERM.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/guard.h"
#include "super/broker.h"

/* The runtime of a sanitizer asks for memory at any time. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#endif
#endif

#ifdef FILTER_ARCH
#define LOAD(field)                        \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		 (unsigned)offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
/* Skips `n` statements unless what was loaded is `value`. */
#define UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (n))
#define ALLOW(nr)	 UNLESS(nr, 1), RETURN(SECCOMP_RET_ALLOW)
#define REFUSE		 RETURN(SECCOMP_RET_ERRNO | EPERM)

int broker_confine(void)
{
	struct sock_filter code[] = {
		LOAD(arch),
		UNLESS(FILTER_ARCH, 1),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		/* Files and descriptors are told apart, not changed. */
		ALLOW(SYS_recvmsg),
		ALLOW(SYS_sendto),
		ALLOW(SYS_newfstatat),
		ALLOW(SYS_fstat),
		ALLOW(SYS_close),
		/* The log, and the end. */
		ALLOW(SYS_write),
		ALLOW(SYS_clock_gettime),
		ALLOW(SYS_restart_syscall),
		ALLOW(SYS_rt_sigreturn),
		ALLOW(SYS_exit_group),
		UNLESS(SYS_fcntl, 4),
		LOAD(args[1]),
		UNLESS(F_GETFL, 1),
		RETURN(SECCOMP_RET_ALLOW),
		REFUSE,
		UNLESS(SYS_ioctl, 9),
		LOAD(args[1]),
		ALLOW(BROKER_IOC_OPEN),
		ALLOW(BROKER_IOC_CLOSE),
		ALLOW(FS_IOC_GETFLAGS),
		ALLOW(FS_IOC_SETFLAGS),
		REFUSE,
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}
#else
int broker_confine(void)
{
	return -EOPNOTSUPP;
}
#endif
