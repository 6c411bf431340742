/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes between a worker and its broker (SOCK_SEQPACKET: one message a
 * packet), in words of 32 bits.
 *
 * worker -> broker   BROKER_OPEN, a number, and one descriptor
 *                    BROKER_CLOSE, ids: at most BROKER_CLOSE_MAX
 *                    BROKER_HOLD or BROKER_LET, a number, and a descriptor
 * broker -> worker   the number of an open, an id > 0 or -errno; of a hold or
 *                    a let, 0 or -errno
 *
 * A file that is held is immutable: who writes to it, also by a descriptor
 * that was open before, gets EPERM (S13).
 *
 * A worker may have been taken over: what is none of these ends the
 * connection, and a descriptor that is no cache file of the trust's is
 * refused.
 */
#ifndef MERSEY_SUPER_BROKER_H
#define MERSEY_SUPER_BROKER_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#define BROKER_OPEN	 1
#define BROKER_CLOSE	 2
#define BROKER_HOLD	 3
#define BROKER_LET	 4
#define BROKER_CLOSE_MAX 63
#define BROKER_WORDS	 (1 + BROKER_CLOSE_MAX)

/* Files that may be registered at once: each takes one of the machine's. */
#define BROKER_IDS_MAX 65536

/* What it asks of /dev/fuse (Linux 6.9; Debian 12's headers are older). */
struct broker_map {
	int32_t fd;
	uint32_t flags;	  /* 0 */
	uint64_t padding; /* 0 */
};
#define BROKER_IOC_OPEN	 _IOW(229, 1, struct broker_map)
#define BROKER_IOC_CLOSE _IOW(229, 2, uint32_t)

struct broker {
	int fd, fuse_fd;
	uid_t uid;  /* whose files */
	dev_t dev;  /* where they lie */
	unsigned n; /* registered now */
	unsigned refused;
};

/* Until the worker hangs up (0), or is none (-EPROTO). */
int broker_serve(struct broker *b);

/* From now on only the system calls of broker_serve(). 0, or -errno;
 * -EOPNOTSUPP: there is no filter for this processor, or this build. */
int broker_confine(void);

#endif
