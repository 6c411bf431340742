/* SPDX-License-Identifier: Apache-2.0 */
/* Which rule a file has, and why the others do not match. */
#include "tier/impl.h"

#include <string.h>

void tier_explained_done(struct tier_explained *e)
{
	free(e->rule);
	memset(e, 0, sizeof(*e));
}

static int explain_rule(const struct tier_policy *p, size_t i,
			const struct tier_subject *s, int64_t now_ns,
			struct tier_explained_rule *out)
{
	const struct tier_rule *r = &p->rules[i];
	int rc;

	*out = (struct tier_explained_rule){
		.class_name = r->class_name,
		.action = r->action,
		.to = r->action == TIER_MOVE ? r->to : NULL,
	};
	rc = tier_class_holds(&p->classes[r->class], s, now_ns, out->reason,
			      TIER_REASONS_MAX, &out->n_reasons);
	out->holds = rc == 1;
	return MIN(rc, 0);
}

static int explain_rules(struct tier *t, const struct tier_policy *p,
			 struct subject *s, struct tier_explained *out)
{
	struct tier_subject view;
	int64_t now = clock_wall_ns();
	const struct tier_rule *r;
	size_t i;
	int rc = 0;

	subject_view(s, &view);
	if (!view.path)
		return -ENOMEM;
	out->rule = calloc(p->n_rules ? p->n_rules : 1, sizeof(*out->rule));
	if (!out->rule)
		return -ENOMEM;
	out->n_rules = p->n_rules;
	for (i = 0; i < p->n_rules && rc == 0; i++) {
		rc = explain_rule(p, i, &view, now, &out->rule[i]);
		if (out->rule[i].holds && out->matched < 0)
			out->matched = (int)i;
	}
	if (rc < 0 || out->matched < 0)
		return rc;
	r = &p->rules[out->matched];
	out->unchanged = subject_left(
		s, r->action,
		r->action == TIER_MOVE ? tier_index(t, r->to) : -1);
	return 0;
}

static int explain_find(struct tier *t, uint64_t ino, struct meta_subject *out)
{
	META_TXN(x);
	int rc = meta_look(t->m, &x);

	return rc < 0 ? rc : meta_subject_get(&x, ino, out);
}

int tier_explain(struct tier *t, const struct tier_policy *p, uint64_t ino,
		 struct tier_explained *out, struct err *err)
{
	struct subject s CLEANUP(subject_done) = { .t = t };
	CLEANUP_FREE struct meta_subject *f = calloc(1, sizeof(*f));
	int rc = f ? explain_find(t, ino, f) : -ENOMEM;

	memset(out, 0, sizeof(*out));
	p = p ? p : t->o.policy;
	if (!p)
		return fail(err, -ENOTSUP, "this trust has no policy");
	if (rc == 0)
		rc = subject_load(&s, f->study != 0, f->study ? f->study : ino);
	if (rc < 0)
		return rc;
	out->policy = p->name;
	out->study = s.study;
	out->files = s.files;
	out->matched = -ENOENT;
	out->unchanged = "";
	rc = explain_rules(t, p, &s, out);
	if (rc == 0 && !out->unchanged)
		out->unchanged = "";
	if (rc < 0)
		tier_explained_done(out);
	return rc;
}
