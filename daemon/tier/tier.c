/* SPDX-License-Identifier: Apache-2.0 */
#include "tier/impl.h"

#include <string.h>

int tier_index(const struct tier *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->o.n_tiers; i++)
		if (strcmp(t->o.tier[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

const struct tier_opts *tier_opts_of(const struct tier *t)
{
	return &t->o;
}

const struct tier_policy *tier_policy_find(const struct tier *t,
					   const char *name)
{
	size_t i;

	if (!name || !*name)
		return t->o.policy;
	for (i = 0; i < t->o.n_policies; i++)
		if (strcmp(t->o.policies[i].name, name) == 0)
			return &t->o.policies[i];
	return NULL;
}

int tier_claim(struct tier *t, struct err *err)
{
	LOCK_SCOPE(&t->lock);

	if (t->running)
		return fail(err, -EBUSY, "a run is under way");
	t->running = true;
	t->cancel = false;
	return 0;
}

void tier_release(struct tier *t)
{
	LOCK_SCOPE(&t->lock);

	t->running = false;
}

int tier_cancel(struct tier *t)
{
	LOCK_SCOPE(&t->lock);

	if (!t->running)
		return -ENOENT;
	t->cancel = true;
	return 0;
}

void tier_job(struct tier *t, struct job_info *out)
{
	job_get(t->job, out);
}

void tier_stop(struct tier *t)
{
	if (!t)
		return;
	t->stopping = true;
	job_stop(t->job);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int tier_start(const struct tier_opts *o, struct meta *m, struct move *mv,
	       struct tier **out, struct err *err)
{
	CLEANUP(tier_stop_guard) struct tier *t = calloc(1, sizeof(*t));

	if (!t)
		return fail(err, -ENOMEM, "%m");
	pthread_mutex_init(&t->lock, NULL);
	t->o = *o;
	t->m = m;
	t->mv = mv;
	t->job = job_start("tier", trigger_run, t);
	if (!t->job)
		return fail(err, -errno, "cannot start the job 'tier': %m");
	*out = take(t);
	return 0;
}
