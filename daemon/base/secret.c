/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t whole_pages(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

void *secret_alloc(size_t n)
{
	size_t size = whole_pages(n);
	void *p = size >= n ? aligned_alloc(whole_pages(1), size) : NULL;

	if (!p)
		return NULL;
	/* A kernel that cannot is one that never dumps. */
	(void)madvise(p, size, MADV_DONTDUMP);
	return memset(p, 0, size);
}

void secret_free(void *p, size_t n)
{
	if (!p)
		return;
	explicit_bzero(p, whole_pages(n));
	(void)madvise(p, whole_pages(n), MADV_DODUMP);
	free(p);
}

char *secret_text(const char *s, size_t n)
{
	char *copy = secret_alloc(n + 1);

	return copy ? memcpy(copy, s, n) : NULL;
}

void secret_text_done(char **s)
{
	if (*s)
		secret_free(*s, strlen(*s) + 1);
	*s = NULL;
}

int secret_buf(struct buf *b, size_t n)
{
	b->data = secret_alloc(n);
	if (!b->data)
		return -ENOMEM;
	b->cap = n;
	return 0;
}

void secret_buf_done(struct buf *b)
{
	secret_free(b->data, b->cap);
	*b = (struct buf){ 0 };
}
