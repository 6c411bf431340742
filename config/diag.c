/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void config_problem_done(struct config_problem *p)
{
	free(p->file);
	free(p->key);
	free(p->message);
	free(p->suggestion);
}

void config_problems_done(struct config_problems *ps)
{
	size_t i;

	for (i = 0; i < ps->n; i++)
		config_problem_done(&ps->p[i]);
	free(ps->p);
	*ps = (struct config_problems){ 0 };
}

int config_problem_format(const struct config_problem *p, struct buf *out)
{
	int rc;

	if (p->line)
		rc = buf_addf(out, "%s:%u:%u: %s", p->file, p->line, p->column,
			      p->message);
	else
		rc = buf_addf(out, "%s: %s", p->file, p->message);
	if (rc == 0 && p->suggestion)
		rc = buf_addf(out, "\n  %s", p->suggestion);
	return rc;
}

/* Does a stand behind b? Only within the main file is there an order. */
static bool diag_behind(const struct config_diag *d,
			const struct config_problem *a,
			const struct config_problem *b)
{
	bool a_main = strcmp(a->file, d->file) == 0;
	bool b_main = strcmp(b->file, d->file) == 0;

	if (a_main != b_main)
		return b_main;
	if (strcmp(a->file, b->file) != 0)
		return false;
	/* line 0, about the file as a whole, comes last */
	return a->line != b->line ? a->line - 1 > b->line - 1
				  : a->column > b->column;
}

/* Takes what p holds. */
static void diag_insert(struct config_diag *d, struct config_problem *p)
{
	struct config_problems *ps = d->problems;
	struct config_problem *bigger;
	size_t i = ps->n, first = ps->n - d->added;

	bigger = realloc(ps->p, (ps->n + 1) * sizeof(*ps->p));
	if (!bigger) {
		d->rc = -ENOMEM;
		config_problem_done(p);
		return;
	}
	ps->p = bigger;
	while (i > first && diag_behind(d, &ps->p[i - 1], p))
		i--;
	memmove(&ps->p[i + 1], &ps->p[i], (ps->n - i) * sizeof(*ps->p));
	ps->p[i] = *p;
	ps->n++;
	d->added++;
	d->last = i;
}

/* Takes `key`. */
__attribute__((format(printf, 5, 0))) static void
diag_add(struct config_diag *d, const char *file, struct config_at at,
	 char *key, const char *fmt, va_list ap)
{
	struct config_problem p = { .line = at.line,
				    .column = at.column,
				    .key = key };

	if (d->added == CONFIG_PROBLEMS_MAX) {
		p.line = p.column = 0;
		fmt = "there are more errors than these";
	} else if (d->added > CONFIG_PROBLEMS_MAX) {
		config_problem_done(&p);
		return;
	}
	p.file = strdup(file);
	if (vasprintf(&p.message, fmt, ap) < 0)
		p.message = NULL;
	if (!p.file || !p.key || !p.message) {
		d->rc = -ENOMEM;
		config_problem_done(&p);
		return;
	}
	diag_insert(d, &p);
}

void config_report(struct config_diag *d, const struct config_node *n,
		   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, n->file, n->at, config_node_path(n, NULL), fmt, ap);
	va_end(ap);
}

void config_report_key(struct config_diag *d, const struct config_node *n,
		       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, n->file, n->key ? n->key_at : n->at,
		 config_node_path(n, NULL), fmt, ap);
	va_end(ap);
}

void config_report_in(struct config_diag *d, const struct config_node *map,
		      const char *key, const char *fmt, ...)
{
	const struct config_node *n = key ? config_node_get(map, key) : NULL;
	struct config_at at = n ? n->at : map->key ? map->key_at : map->at;
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, map->file, at, config_node_path(map, key), fmt, ap);
	va_end(ap);
}

void config_report_at(struct config_diag *d, const char *file,
		      struct config_at at, const char *key, const char *fmt,
		      ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_add(d, file, at, strdup(key ? key : ""), fmt, ap);
	va_end(ap);
}

static bool config_has_newest(const struct config_diag *d)
{
	return d->rc == 0 && d->added > 0 && d->added <= CONFIG_PROBLEMS_MAX;
}

void config_shared(struct config_diag *d)
{
	if (config_has_newest(d))
		d->problems->p[d->last].shared = true;
}

void config_suggest(struct config_diag *d, const char *fmt, ...)
{
	char **where;
	va_list ap;

	if (!config_has_newest(d))
		return;
	where = &d->problems->p[d->last].suggestion;
	free(*where);
	va_start(ap, fmt);
	if (vasprintf(where, fmt, ap) < 0) {
		*where = NULL;
		d->rc = -ENOMEM;
	}
	va_end(ap);
}

#define NEAREST_MAX 64 /* longer words are nobody's misspelling */

/* Letters to insert, drop, change or (neighbours) swap; case and '-' or '_'
 * count nothing. */
static size_t diag_distance(const char *a, const char *b)
{
	size_t row[3][NEAREST_MAX + 1], n = strlen(a), m = strlen(b), i, j;
	char fa[NEAREST_MAX + 1], fb[NEAREST_MAX + 1];

	for (i = 0; i <= n; i++)
		fa[i] = a[i] == '-' ? '_' : (char)(a[i] | 0x20);
	for (j = 0; j <= m; j++) {
		fb[j] = b[j] == '-' ? '_' : (char)(b[j] | 0x20);
		row[0][j] = j;
	}
	for (i = 1; i <= n; i++) {
		size_t *cur = row[i % 3], *up = row[(i + 2) % 3];
		const size_t *up2 = row[(i + 1) % 3];

		cur[0] = i;
		for (j = 1; j <= m; j++) {
			size_t best = up[j - 1] + (fa[i - 1] != fb[j - 1]);

			best = MIN(best, up[j] + 1);
			best = MIN(best, cur[j - 1] + 1);
			if (i > 1 && j > 1 && fa[i - 1] == fb[j - 2] &&
			    fa[i - 2] == fb[j - 1])
				best = MIN(best, up2[j - 2] + 1);
			cur[j] = best;
		}
	}
	return row[n % 3][m];
}

const char *config_nearest(const char *word, const char *const *candidate,
			   size_t n)
{
	size_t len = strlen(word), i;
	size_t best = len < 5 ? 1 : MIN(len / 3 + 1, (size_t)3);
	const char *found = NULL;

	if (len > NEAREST_MAX)
		return NULL;
	for (i = 0; i < n; i++) {
		size_t d, other = strlen(candidate[i]);

		if (other > NEAREST_MAX)
			continue;
		d = diag_distance(word, candidate[i]);
		if (d > best || d >= MAX(len, other) || (found && d == best))
			continue;
		best = d;
		found = candidate[i];
	}
	return found;
}
