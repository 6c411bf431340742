/* SPDX-License-Identifier: Apache-2.0 */
/* pin, unpin, pin list: files that stay local, and come if they are not. */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "ctl/back.h"
#include "ctl/files.h"

#define PIN_PAGE 64
#define PIN_DAYS 7 /* that a copy of an archive class is kept */

static bool pin_all(const struct meta_inode *in)
{
	(void)in;
	return true;
}

/* ---- the list ----------------------------------------------------------- */

static int pin_json(struct ctl_call *c, const struct meta_pin *p, json_t *list)
{
	CLEANUP_BUF struct buf path = { 0 };
	int rc = ctl_ino_path(c, p->ino, &path);
	CLEANUP_JSON json_t *o = NULL;
	json_t *more;

	if (rc < 0)
		return rc;
	o = proto_path(path.data, path.len);
	more = json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "id",
			 proto_count(p->id), "until", proto_time(p->until_ns),
			 "made_at", proto_time(p->made_ns), "cause", p->cause,
			 "by", json_sprintf("uid %u", (unsigned)p->uid),
			 "files", proto_count(p->files), "bytes",
			 proto_count(p->bytes));
	rc = o && more && json_object_update(o, more) == 0 ? 0 : -ENOMEM;
	json_decref(more);
	return rc == 0 && json_array_append(list, o) < 0 ? -ENOMEM : rc;
}

static int pin_page(struct ctl_call *c, uint64_t after,
		    struct meta_pin p[PIN_PAGE])
{
	META_TXN(t);
	int rc = meta_look(c->w->meta, &t);

	return rc < 0 ? rc : meta_pin_list(&t, after, p, PIN_PAGE);
}

int ctl_verb_pins(struct ctl_call *c, json_t *result)
{
	CLEANUP_JSON json_t *list = json_array();
	struct meta_pin p[PIN_PAGE];
	int64_t now = clock_wall_ns();
	uint64_t after = 0;
	int n, i, rc = list ? 0 : -ENOMEM;

	while (rc == 0) {
		n = pin_page(c, after, p);
		for (i = 0; i < n && rc == 0; i++) {
			after = p[i].id;
			if (!p[i].until_ns || p[i].until_ns > now)
				rc = pin_json(c, &p[i], list);
		}
		if (n < PIN_PAGE) {
			rc = n < 0 ? n : rc;
			break;
		}
	}
	return rc < 0 ? rc : proto_set(result, "pins", take(list));
}

/* ---- pin ---------------------------------------------------------------- */

struct pinning {
	struct ctl_call *c;
	struct back back;
	struct back_want want;
	struct ctl_set *set; /* one for each path */
	size_t n;
	uint64_t archived;
	int64_t until_ns, ready_ns;
	bool dry_run;
};

static void pinning_done(struct pinning *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		ctl_set_done(&p->set[i]);
	free(p->set);
	back_done(&p->back);
}

static int pinning_file(struct pinning *p, const struct ctl_item *item)
{
	struct meta_inode in;
	int64_t ready;
	int rc = ctl_inode(p->c, item->ino, &in);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (in.state == META_DIRTY || in.state == META_LOCAL)
		return 0;
	rc = back_add(&p->back, item->ino, item->bytes, &p->want, &ready);
	if (rc < 0)
		return rc;
	p->archived += rc == 1;
	p->ready_ns = MAX(p->ready_ns, ready);
	return 0;
}

static int pinning_path(struct pinning *p, size_t i)
{
	struct ctl_set *s = &p->set[i];
	size_t k;
	int rc = ctl_collect_path(p->c, i, pin_all, s);

	for (k = 0; k < s->n && rc == 0; k++)
		rc = ctl_gone(p->c) ? -EINTR : pinning_file(p, &s->item[k]);
	return rc;
}

static int pinning_pin(struct pinning *p, size_t i, json_t *list)
{
	struct meta_pin pin = { .until_ns = p->until_ns,
				.made_ns = p->back.now_ns,
				.uid = p->c->peer->uid,
				.cause = "pin" };
	CLEANUP_BUF struct buf path = { 0 };
	struct meta_inode in = { 0 };
	int rc = ctl_path(p->c, i, &path);

	if (rc == 0)
		rc = ctl_resolve(p->c, &path, &in);
	if (rc < 0)
		return rc;
	pin.ino = in.ino;
	if (p->set[i].n && !p->dry_run)
		rc = ctl_pin(p->c, &pin, p->set[i].item, p->set[i].n);
	pin.files = p->set[i].n;
	pin.bytes = p->set[i].bytes;
	return rc < 0 ? rc : pin_json(p->c, &pin, list);
}

static int pinning_args(struct pinning *p)
{
	const char *until = ctl_text(p->c, "until");

	p->n = ctl_paths(p->c);
	p->set = calloc(p->n + 1, sizeof(*p->set));
	if (!p->set)
		return -ENOMEM;
	if (!p->n)
		return fail(&p->c->err, -EINVAL, "no path was named");
	if (until && clock_iso_parse(until, &p->until_ns) < 0)
		return fail(&p->c->err, -EINVAL, "'%s' is no time", until);
	if (until && p->until_ns <= p->back.now_ns)
		return fail(&p->c->err, -EINVAL, "%s is over", until);
	return 0;
}

static int pinning_all(struct pinning *p, json_t *list)
{
	size_t i;
	int rc = 0;

	if (!p->dry_run)
		rc = back_order(&p->back);
	for (i = 0; i < p->n && rc == 0; i++)
		rc = pinning_pin(p, i, list);
	return rc;
}

int ctl_verb_pin(struct ctl_call *c, json_t *result)
{
	CLEANUP(pinning_done)
	struct pinning p = {
		.c = c,
		.back = { .c = c, .now_ns = clock_wall_ns(), .days = PIN_DAYS },
		.ready_ns = clock_wall_ns(),
		.dry_run = ctl_flag(c, "dry_run"),
	};
	CLEANUP_JSON json_t *list = json_array();
	money_t amount = 0;
	size_t i;
	int rc = list ? pinning_args(&p) : -ENOMEM;

	for (i = 0; i < p.n && rc == 0; i++)
		rc = pinning_path(&p, i);
	if (rc == 0)
		rc = back_cost(&p.back, result, &amount);
	if (rc == 0 && !p.dry_run)
		rc = back_budget(&p.back, amount, NULL);
	if (rc == 0)
		rc = pinning_all(&p, list);
	if (rc == 0)
		rc = proto_set(result, "pins", take(list));
	if (rc == 0)
		rc = proto_set(result, "archived_files",
			       proto_count(p.archived));
	if (rc == 0)
		rc = proto_set(result, "ready_at", proto_time(p.ready_ns));
	return rc < 0 ? rc
		      : proto_set(result, "dry_run", json_boolean(p.dry_run));
}

/* ---- unpin -------------------------------------------------------------- */

/* Counts those that were pinned. */
static int unpin_some(struct ctl_files *f, const struct ctl_item *item,
		      size_t n)
{
	int64_t now = clock_wall_ns();
	META_TXN(t);
	size_t i;
	int rc = meta_begin(f->c->w->meta, &t);

	for (i = 0; i < n && rc >= 0; i++) {
		rc = meta_pinned(&t, item[i].ino, now);
		if (rc == 1) {
			f->files++;
			f->bytes += item[i].bytes;
			if (!f->dry_run)
				rc = meta_unpin_file(&t, item[i].ino);
		}
	}
	return rc < 0 ? rc : meta_commit(&t, NULL);
}

int ctl_verb_unpin(struct ctl_call *c, json_t *result)
{
	CLEANUP(ctl_files_done)
	struct ctl_files f = { .c = c, .dry_run = ctl_flag(c, "dry_run") };
	size_t at, n;
	int rc = ctl_collect(c, pin_all, &f.set);

	for (at = 0; at < f.set.n && rc == 0; at += n) {
		n = MIN(f.set.n - at, (size_t)PIN_PAGE);
		rc = ctl_gone(c) ? -EINTR : unpin_some(&f, &f.set.item[at], n);
	}
	return rc < 0 ? rc : ctl_files_result(&f, result);
}
