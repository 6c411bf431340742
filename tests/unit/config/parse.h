/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in, problems out: what the tests of config share. */
#ifndef MERSEY_TESTS_CONFIG_PARSE_H
#define MERSEY_TESTS_CONFIG_PARSE_H

#include "tests/test.h"

#include "base/buf.h"
#include "config/config.h"

/* A config without a fault: two trusts on one directory. */
#define GOOD_HEAD "version: 1\n" /* line 1 */
#define GOOD_STORES                           \
	"stores:\n"                           \
	"  nas: {kind: dir, path: /nas}\n"    \
	"  ceph: {kind: s3, endpoint: "       \
	"'https://s3.example', region: uk}\n" \
	"trusts:\n" /* lines 2 to 5 */
#define GOOD_REM                          \
	"  rem:\n"                        \
	"    user: mersey-rem\n"          \
	"    key: {file: /sec/rem.key}\n" \
	"    tiers: [{name: near, store: nas, bucket: rem-mersey}]\n"
#define GOOD_RBQ                          \
	"  rbq:\n"                        \
	"    user: mersey-rbq\n"          \
	"    key: {file: /sec/rbq.key}\n" \
	"    tiers: [{name: near, store: nas, bucket: rbq-mersey}]\n"
#define GOOD GOOD_HEAD GOOD_STORES GOOD_REM GOOD_RBQ /* 13 lines */

/* Parses; the config (config_free), NULL with the problems in *ps. */
static inline struct config *parse_len(const char *text, size_t len,
				       struct config_problems *ps)
{
	struct config *c = NULL;
	struct err err = ERR_INIT;
	int rc = config_parse("/etc/m.yaml", text, len, &c, ps, &err);

	assert_int_equal(rc, ps->n ? -EINVAL : 0);
	assert_true((c != NULL) == (ps->n == 0));
	return c;
}

/* All problems as "line:col key: message | suggestion\n". */
static inline void problems_text(const struct config_problems *ps,
				 struct buf *out)
{
	size_t i;

	for (i = 0; i < ps->n; i++) {
		const struct config_problem *p = &ps->p[i];

		buf_addf(out, "%u:%u %s: %s", p->line, p->column, p->key,
			 p->message);
		if (p->suggestion)
			buf_addf(out, " | %s", p->suggestion);
		buf_addf(out, "\n");
	}
}

static inline void assert_problems_len(const char *text, size_t len,
				       const char *want)
{
	struct config_problems ps = { 0 };
	struct config *c = parse_len(text, len, &ps);
	CLEANUP_BUF struct buf got = { 0 };

	problems_text(&ps, &got);
	assert_string_equal(buf_str(&got), want);
	config_problems_done(&ps);
	config_free(c);
}

/* `want` as problems_text() writes it; "" = no fault. */
static inline void assert_problems(const char *text, const char *want)
{
	assert_problems_len(text, strlen(text), want);
}

/* A text without a fault. */
static inline struct config *parse_good(const char *text)
{
	struct config_problems ps = { 0 };
	struct config *c = parse_len(text, strlen(text), &ps);
	CLEANUP_BUF struct buf got = { 0 };

	problems_text(&ps, &got);
	assert_string_equal(buf_str(&got), "");
	return c;
}

#endif
