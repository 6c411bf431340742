/* SPDX-License-Identifier: Apache-2.0 */
#include "config/prices.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "config/path.h"
#include "config/read.h"

/* A figure without date or source has those of its table. */
static void prices_complete_figure(const struct price_table *t,
				   struct price_figure *f)
{
	if (!f->known)
		return;
	if (!f->as_of[0])
		memcpy(f->as_of, t->as_of, sizeof(f->as_of));
	if (!f->source[0])
		snprintf(f->source, sizeof(f->source), "%.*s",
			 (int)sizeof(f->source) - 1, t->source);
}

static void prices_complete_steps(const struct price_table *t,
				  struct price_step *step, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		prices_complete_figure(t, &step[i].gb);
}

static void prices_complete_class(const struct price_table *t,
				  struct price_class *c)
{
	size_t i;

	prices_complete_figure(t, &c->storage_gb_month);
	prices_complete_figure(t, &c->put_1000);
	prices_complete_figure(t, &c->get_1000);
	prices_complete_figure(t, &c->retrieval_gb);
	prices_complete_figure(t, &c->kwh_tb_month);
	for (i = 0; i < PRICE_SPEEDS; i++) {
		prices_complete_figure(t, &c->recall[i].gb);
		prices_complete_figure(t, &c->recall[i].request_1000);
	}
	prices_complete_steps(t, c->steps, c->n_steps);
}

static void prices_complete(struct price_table *t)
{
	size_t i;

	prices_complete_figure(t, &t->egress_gb);
	prices_complete_figure(t, &t->kg_co2e_kwh);
	prices_complete_figure(t, &t->network_kwh_gb);
	prices_complete_steps(t, t->egress_steps, t->n_egress_steps);
	for (i = 0; i < t->n_classes; i++)
		prices_complete_class(t, &t->classes[i]);
}

/* A step that begins below the one before it would price nothing. */
static void prices_check_steps(struct config_diag *d,
			       const struct config_node *list,
			       const struct price_step *step, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++) {
		if (step[i].above_bytes > step[i - 1].above_bytes)
			continue;
		config_report_in(d, list->child[i], "above",
				 "steps must ascend: this one begins no higher "
				 "than the one before it");
		return;
	}
}

/* Only of what was read without a mistake: then nodes and items agree. */
static void prices_check(struct config_diag *d, const struct config_node *root,
			 const struct price_table *t)
{
	const struct config_node *classes = config_node_get(root, "classes");
	size_t i;

	prices_check_steps(d, config_node_get(root, "egress_steps"),
			   t->egress_steps, t->n_egress_steps);
	for (i = 0; i < t->n_classes; i++)
		prices_check_steps(d,
				   config_node_get(classes->child[i], "steps"),
				   t->classes[i].steps, t->classes[i].n_steps);
}

/* Fills *t; what is wrong goes to d. */
static void prices_parse(struct config_diag *d, const char *path,
			 const char *text, size_t len, struct price_table *t)
{
	CLEANUP(config_node_free_guard) struct config_node *root = NULL;
	struct config_reader r = { .diag = d, .dir = "/" };
	size_t before = d->added;

	if (config_node_parse(path, text, len, d, &root) < 0 || !root)
		return;
	config_read_section(&r, &config_price_table, root, t);
	prices_complete(t);
	if (d->added == before && d->rc == 0)
		prices_check(d, root, t);
}

int config_prices_parse(const char *path, const char *text, size_t len,
			struct price_table *out,
			struct config_problems *problems)
{
	struct config_diag d = { .problems = problems, .file = path };
	struct price_table t = { 0 };

	prices_parse(&d, path, text, len, &t);
	if (d.rc < 0 || d.added) {
		price_table_done(&t);
		return d.rc < 0 ? d.rc : -EINVAL;
	}
	*out = t;
	return 0;
}

/* Regular files only: what is named here was not typed by the caller. */
static int prices_read_file(const char *path, struct buf *out)
{
	CLEANUP_CLOSE int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return io_read_fd(fd, CONFIG_TEXT_MAX, out);
}

static void prices_load_one(struct config_diag *d, struct config *c,
			    const struct config_node *n, const char *path)
{
	struct price_table *t = &c->prices[c->n_prices];
	CLEANUP_BUF struct buf text = { 0 };
	int rc = prices_read_file(path, &text);

	if (rc < 0) {
		config_report(d, n, "cannot read price table '%s': %s", path,
			      strerror(-rc));
		return;
	}
	prices_parse(d, path, (const char *)text.data, text.len, t);
	if (t->name[0] && config_prices_find(c, t->name)) {
		config_report(d, n,
			      "price table '%s' of '%s' has the name of one "
			      "before it",
			      t->name, path);
		config_suggest(d, "give the table another 'name'");
	}
	c->n_prices++;
}

bool config_prices_load(struct config_diag *d, struct config *c,
			const struct config_node *list)
{
	size_t before = d->added, i;

	if (c->price_files.n == 0)
		return list == NULL || list->n == 0;
	c->prices = calloc(c->price_files.n, sizeof(*c->prices));
	if (!c->prices) {
		d->rc = -ENOMEM;
		return false;
	}
	if (c->price_files.n != list->n)
		return false; /* one was no path: said already */
	for (i = 0; i < c->price_files.n; i++)
		prices_load_one(d, c, list->child[i], c->price_files.name[i]);
	return d->added == before;
}
