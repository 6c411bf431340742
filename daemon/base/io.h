/* SPDX-License-Identifier: Apache-2.0 */
/* File I/O that finishes: EINTR and short counts are dealt with here. */
#ifndef MERSEY_BASE_IO_H
#define MERSEY_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads up to n bytes; fewer only at the end of the file.  Count or -errno. */
ssize_t io_pread(int fd, void *p, size_t n, off_t off);
ssize_t io_read(int fd, void *p, size_t n);

/* Writes all n bytes.  0 or -errno. */
int io_pwrite(int fd, const void *p, size_t n, off_t off);
int io_write(int fd, const void *p, size_t n);

/*
 * Appends a whole file, at most `max` bytes (-EFBIG beyond), to `out`.
 * 0 or -errno.
 */
int io_read_file(const char *path, size_t max, struct buf *out);
int io_read_fd(int fd, size_t max, struct buf *out);

/*
 * Replaces `path` in one step that survives a power cut: temporary file
 * beside it, fsync, rename, fsync of the directory.  With `exclusive` an
 * existing file is left alone (-EEXIST).  0 or -errno.
 */
int io_write_file(const char *path, mode_t mode, const void *p, size_t n,
		  bool exclusive);

/* fsync of a directory, so that its entries are durable.  0 or -errno. */
int io_sync_dir(const char *path);

/* fsync of the directory that `path` lies in.  0 or -errno. */
int io_sync_parent(const char *path);

/* mkdir -p; directories that exist are left as they are.  0 or -errno. */
int io_mkdir_p(const char *path, mode_t mode);

/* n bytes from the kernel's generator.  0 or -errno. */
int io_random(void *p, size_t n);

/* A path from parts, newly allocated; NULL without memory. */
char *io_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Reads a secret file: regular, at most `max` bytes, not readable by group
 * or others, else an error that says what to do.  Appends to `out`.
 */
int io_read_secret(const char *path, size_t max, struct buf *out,
		   struct err *err);

#endif
