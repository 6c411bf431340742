/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same for every store; store.h has the contract. */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/call.h"
#include "store/drivers.h"

_Thread_local struct store_call store_call;

void store_on_progress(void (*fn)(void *arg, size_t got), void *arg)
{
	store_call.progress = fn;
	store_call.progress_arg = arg;
}

static bool key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* Empty, "." and ".." mean something to a filesystem or to HTTP. */
static bool key_part_ok(const char *part, size_t len)
{
	return len > 2 || !(len == 0 || (part[0] == '.' && len == 1) ||
			    (part[0] == '.' && part[1] == '.'));
}

/* Checks all parts but the last, which starts at *last. */
static bool key_parts_ok(const char *key, const char **last)
{
	const char *p;

	*last = key;
	for (p = key; *p; p++) {
		if (p - key >= STORE_KEY_MAX)
			return false;
		if (*p == '/') {
			if (!key_part_ok(*last, (size_t)(p - *last)))
				return false;
			*last = p + 1;
		} else if (!key_char(*p)) {
			return false;
		}
	}
	return true;
}

bool store_key_ok(const char *key)
{
	const char *last;

	return key && key_parts_ok(key, &last) &&
	       key_part_ok(last, strlen(last));
}

bool store_prefix_ok(const char *prefix)
{
	const char *last;

	return prefix && key_parts_ok(prefix, &last);
}

bool store_is_transient(int rc)
{
	switch (rc) {
	case -EAGAIN:
	case -ETIMEDOUT:
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return true;
	default:
		return false;
	}
}

int store_del(struct store *s, const char *const *keys, size_t n, int *rc)
{
	size_t i;

	for (i = 0; i < n && store_key_ok(keys[i]); i++)
		;
	if (i < n) {
		for (i = 0; i < n; i++)
			rc[i] = -EINVAL;
		return store_refuse();
	}
	store_begin(n);
	return n ? s->ops->del(s, keys, n, rc) : 0;
}

int store_del1(struct store *s, const char *key)
{
	int rc;

	return store_del(s, &key, 1, &rc);
}

void store_list_done(struct store_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->entry[i].key);
	free(l->entry);
	*l = (struct store_list){ 0 };
}

int store_list_add(struct store_list *l, const char *key, uint64_t size,
		   int64_t modified_ns)
{
	struct store_entry *e = l->entry;

	/* Grows at each power of two. */
	if ((l->n & (l->n - 1)) == 0) {
		e = reallocarray(e, l->n ? 2 * l->n : 1, sizeof(*e));
		if (!e)
			return -ENOMEM;
		l->entry = e;
	}
	e[l->n] = (struct store_entry){ .key = strdup(key),
					.size = size,
					.modified_ns = modified_ns };
	if (!e[l->n].key)
		return -ENOMEM;
	l->n++;
	return 0;
}

void store_begin(size_t requests)
{
	store_call.sent = requests;
	memset(&store_call.besides, 0, sizeof(store_call.besides));
	store_call.in_parts = false;
	store_call.detail[0] = '\0';
	store_call.throttled = false;
	store_call.not_before_ns = 0;
}

bool store_cut_short(int rc, int64_t began_ns)
{
	int64_t now = clock_boot_ns(), deadline = store_call.deadline_ns;

	/* libcurl counts milliseconds, and may be early by one. */
	return rc == -ETIMEDOUT && deadline &&
	       now >= deadline - NSEC_PER_SEC / 100 &&
	       now - began_ns < NSEC_PER_SEC;
}

int store_refuse(void)
{
	store_begin(0);
	return -EINVAL;
}

int store_cannot(const char *what)
{
	store_begin(0);
	return store_explain(-ENOTSUP, "this store cannot %s", what);
}

const char *store_detail(void)
{
	return store_call.detail;
}

int store_explain(int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	errno = -rc; /* for %m */
	vsnprintf(store_call.detail, sizeof(store_call.detail), fmt, ap);
	va_end(ap);
	return rc;
}

const char *store_cause_name(enum store_cause c)
{
	static const char *const names[] = {
		[STORE_CAUSE_PROTECT] = "protect",
		[STORE_CAUSE_READ] = "read",
		[STORE_CAUSE_POLICY] = "policy",
		[STORE_CAUSE_RECALL] = "recall",
		[STORE_CAUSE_BACKUP] = "backup",
	};

	return (unsigned)c < ARRAY_SIZE(names) ? names[c] : "?";
}

const char *store_op_name(enum store_op op)
{
	static const char *const names[] = {
		[STORE_OP_PUT] = "put",		[STORE_OP_GET] = "get",
		[STORE_OP_HEAD] = "head",	[STORE_OP_LIST] = "list",
		[STORE_OP_DELETE] = "delete",	[STORE_OP_COPY] = "copy",
		[STORE_OP_RESTORE] = "restore",
	};

	return (unsigned)op < ARRAY_SIZE(names) ? names[op] : "?";
}

const char *store_result_name(enum store_result r)
{
	static const char *const names[] = {
		[STORE_OK] = "ok",
		[STORE_ABSENT] = "absent",
		[STORE_REFUSED] = "refused",
		[STORE_BUSY] = "busy",
		[STORE_UNREACHABLE] = "unreachable",
		[STORE_BROKEN] = "broken",
	};

	return (unsigned)r < ARRAY_SIZE(names) ? names[r] : "?";
}
