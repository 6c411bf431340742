/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verbs.h"

static bool role_has_gid(const struct ctl_role *r, gid_t gid)
{
	size_t i;

	for (i = 0; i < r->n_gids; i++)
		if (r->gids[i] == gid)
			return true;
	return false;
}

static bool role_has(const struct ctl_role *r, const struct ctl_peer *p)
{
	size_t i;

	for (i = 0; i < r->n_uids; i++)
		if (r->uids[i] == p->uid)
			return true;
	if (role_has_gid(r, p->gid))
		return true;
	for (i = 0; i < p->n_groups; i++)
		if (role_has_gid(r, p->groups[i]))
			return true;
	return false;
}

unsigned ctl_roles(const struct ctl_worker *w, const struct ctl_peer *peer)
{
	unsigned roles = 0;

	if (peer->uid == 0 || peer->uid == w->worker_uid)
		roles |= CTL_ADMIN;
	if (role_has(&w->ops, peer))
		roles |= CTL_OPS;
	if (role_has(&w->finance, peer))
		roles |= CTL_FINANCE;
	return roles;
}
