/* SPDX-License-Identifier: Apache-2.0 */
#include "main/stack.h"

#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "config/endpoint.h"

/*
 * How patient each cause is. A program that reads waits read_wait. Protect
 * sends the same bytes again by itself, for as long as it takes, and tells
 * people what it waits for: one attempt here. Other work in the background
 * has a back-off of its own around this.
 */
static struct store_retry_opts patience(const struct conf_trust *ct,
					enum store_cause cause)
{
	switch (cause) {
	case STORE_CAUSE_READ:
		return (struct store_retry_opts){
			.attempts = 1000, /* the deadline ends it */
			.deadline_ns = ct->t->read_wait_ns,
			.base_ns = NSEC_PER_SEC / 10,
		};
	case STORE_CAUSE_PROTECT:
		return (struct store_retry_opts){ .attempts = 1 };
	case STORE_CAUSE_BACKUP:
		return (struct store_retry_opts){
			.attempts = 3,
			.deadline_ns = 30 * NSEC_PER_SEC,
			.base_ns = NSEC_PER_SEC / 5,
		};
	case STORE_CAUSE_POLICY:
		/* Deletes, too: each attempt asks first who writes the bucket,
		 * so none is repeated here. Packs that move take as long as
		 * the line needs. */
		return (struct store_retry_opts){ .attempts = 1 };
	default:
		return (struct store_retry_opts){
			.attempts = 5,
			.deadline_ns = 120 * NSEC_PER_SEC,
			.base_ns = NSEC_PER_SEC / 5,
		};
	}
}

/* What the config accepted is said at each start. */
static void warn_accepted(const struct config_store *s)
{
	struct config_endpoint e;

	if (s->kind == STORE_DIR || config_endpoint_parse(s->endpoint, &e))
		return;
	if (!e.tls && !e.loopback)
		log_warn("store '%s': plain http to '%s', as allow_plain_http "
			 "says: who can listen to the network sees what is "
			 "asked, and can change answers",
			 s->name, s->endpoint);
	if (s->accept_unverified_peer)
		log_warn("store '%s': nobody checks the certificate of '%s', "
			 "as accepted by '%s'",
			 s->name, s->endpoint, s->accept_unverified_peer);
}

static struct store_opts driver_opts(const struct config_tier *t,
				     const struct store_credentials *c)
{
	const struct config_store *cs = t->store;

	return (struct store_opts){
		.kind = cs->kind,
		.name = cs->name,
		.endpoint = cs->endpoint,
		.region = cs->region,
		.virtual_style = cs->virtual_style,
		.ca_file = cs->ca_file,
		.allow_plain_http = cs->allow_plain_http,
		.accept_unverified_peer = cs->accept_unverified_peer,
		.in_flight = cs->in_flight,
		.connect_ns = cs->connect_ns,
		.stall_ns = cs->stall_ns,
		.request_ns = cs->request_ns,
		.bucket = t->bucket,
		.prefix = t->prefix,
		.access_key = c->access_key,
		.secret_key = c->secret_key,
		.session_token = c->session_token,
	};
}

/* ---- credentials ------------------------------------------------------ */

#define SECRET_PREFIX "credentials:"

/* The profile of a store's credentials; NULL = the file's own choice. */
static const char *profile(const struct conf_trust *ct,
			   const struct config_store *cs)
{
	const struct config_trust *t = ct->t;

	for (size_t i = 0; i < t->n_credentials; i++)
		if (t->credentials[i].store == cs)
			return t->credentials[i].profile;
	return NULL;
}

/* `text` NULL: there are none. */
static int parse(const struct conf_trust *ct, const struct config_store *cs,
		 const struct buf *text, struct store_credentials *out,
		 struct err *err)
{
	int rc;

	if (!text)
		return fail(err, -ENOKEY, "no credentials for store '%s'",
			    cs->name);
	rc = store_credentials_parse((const char *)text->data, text->len,
				     profile(ct, cs), out, err);
	return rc < 0 ? fail_prefix(err, rc, "credentials of store '%s'",
				    cs->name)
		      : 0;
}

static int find(const struct stack_open *in, const struct config_store *cs,
		struct store_credentials *out, struct err *err)
{
	CLEANUP_FREE char *name = io_path(SECRET_PREFIX "%s", cs->name);

	if (!name)
		return fail(err, -ENOMEM, "%m");
	return parse(in->ct, cs,
		     super_secret_find(in->secrets, in->n_secrets, name), out,
		     err);
}

/* The store that a secret is of; NULL: none of these. */
static const struct config_store *secret_store(const struct conf_trust *ct,
					       const struct super_secret *s)
{
	const size_t n = strlen(SECRET_PREFIX);

	if (strncmp(s->name, SECRET_PREFIX, n) != 0)
		return NULL;
	for (size_t i = 0; i < ct->n_places; i++) {
		const struct config_store *cs =
			ct->tiers[ct->place[i]].t->store;

		if (strcmp(s->name + n, cs->name) == 0)
			return cs;
	}
	return NULL;
}

/* All places of the store, or none but what a driver refused: keys of a form
 * that one takes, all take. */
int stack_renew(struct stack *s, const struct conf_trust *ct,
		const struct super_secret *secret, const char **store,
		struct err *err)
{
	CLEANUP(store_credentials_done) struct store_credentials c = { 0 };
	const struct config_store *cs = secret_store(ct, secret);
	int rc;

	if (!cs)
		return fail(err, -ENOENT, "no store has them");
	*store = cs->name;
	rc = parse(ct, cs, &secret->value, &c, err);
	for (size_t i = 0; rc == 0 && i < s->n_places; i++) {
		const struct config_tier *t = s->place[i].tier->t;
		struct store_opts o = driver_opts(t, &c);

		if (t->store != cs)
			continue;
		rc = store_renew(s->place[i].driver, &o);
		if (rc < 0)
			fail(err, rc, "store '%s' takes no such keys: %m",
			     cs->name);
	}
	return rc;
}

/* ---- opening ---------------------------------------------------------- */

static int open_driver(struct stack_place *p, const struct stack_open *in,
		       struct err *err)
{
	CLEANUP(store_credentials_done) struct store_credentials c = { 0 };
	const struct config_store *cs = p->tier->t->store;
	struct store_opts o;
	int rc = 0;

	if (cs->kind != STORE_DIR)
		rc = find(in, cs, &c, err);
	if (rc < 0)
		return rc;
	o = driver_opts(p->tier->t, &c);
	o.beside = in->beside;
	rc = store_open(&o, &p->driver, err);
	if (rc < 0)
		return fail_prefix(err, rc, "store '%s'", cs->name);
	p->shared = store_shared_new(p->driver);
	return p->shared ? 0 : fail(err, -ENOMEM, "%m");
}

/* Who waits for others has their turn before work in the background: programs
 * that read, and what a worker cannot begin without. */
static bool is_urgent(enum store_cause cause)
{
	return cause == STORE_CAUSE_READ || cause == STORE_CAUSE_BACKUP;
}

/* A handle of one cause around the shared driver; NULL without memory. */
static struct store *handle(struct stack *s, struct stack_place *p,
			    const struct conf_trust *ct, enum store_cause cause,
			    struct store_counts *counts)
{
	struct store_retry_opts o = patience(ct, cause);
	struct store *h = store_meter_new(store_shared_ref(p->shared), counts,
					  &p->health);

	h = store_breaker_new(h, &p->flow->breaker);
	h = store_limit_new(h, &p->flow->limiter, is_urgent(cause));
	h = store_pace_new(h, &s->pace, is_urgent(cause));
	o.budget = &p->flow->budget;
	return store_retry_new(h, &o);
}

/* Requests at once are counted, and failures seen, for each endpoint. */
static void open_flow(struct stack *s, struct stack_place *p,
		      const struct conf_trust *ct)
{
	const struct config_store *cs = p->tier->t->store;

	for (struct stack_place *q = s->place; q < p; q++)
		if (q->tier->t->store == cs)
			p->flow = q->flow;
	if (p->flow)
		return;
	p->flow = &p->own_flow;
	/* A read that waits must see several probes of a store that is away. */
	store_flow_init(
		p->flow, cs->in_flight,
		MIN(ct->t->read_wait_ns / 4, STORE_BREAKER_PAUSE_MAX_NS));
	warn_accepted(cs);
}

static int open_place(struct stack *s, size_t tier, const struct stack_open *in,
		      struct err *err)
{
	struct stack_place *p = &s->place[s->n_places];
	int rc;

	p->tier = &in->ct->tiers[tier];
	p->store = p->tier->t->store->name;
	p->bucket = p->tier->t->bucket;
	p->counts = *p->tier->terms.storage_class
			    ? &p->own_counts
			    : &s->counts[tier][STORE_CAUSE_BACKUP];
	open_flow(s, p, in->ct);
	s->n_places++;
	rc = open_driver(p, in, err);
	if (rc < 0)
		return rc;
	p->direct = handle(s, p, in->ct, STORE_CAUSE_BACKUP, p->counts);
	return p->direct ? 0 : fail(err, -ENOMEM, "%m");
}

static int open_tier(struct stack *s, size_t tier, const struct stack_open *in,
		     struct err *err)
{
	const struct conf_tier *ct = &in->ct->tiers[tier];
	struct stack_place *p = &s->place[ct->terms.place];
	struct move_tier *mt = &s->stores.tier[tier];

	*mt = (struct move_tier){
		.name = ct->terms.name,
		.storage_class = ct->terms.storage_class,
		.object_size = ct->terms.object_size,
		.place = ct->terms.place,
		.archive = ct->terms.archive,
		.minimum_bytes = ct->minimum_bytes,
		.minimum_ns = ct->minimum_ns,
	};
	memcpy(mt->restore_ns, ct->restore_ns, sizeof(mt->restore_ns));
	s->stores.n_tiers++;
	for (int i = 0; i < STORE_CAUSE_COUNT; i++) {
		mt->cause[i] = gate_store_new(
			handle(s, p, in->ct, i, &s->counts[tier][i]), &p->gate);
		if (!mt->cause[i])
			return fail(err, -ENOMEM, "%m");
	}
	return 0;
}

int stack_open(struct stack *s, const struct stack_open *in, struct err *err)
{
	const struct conf_trust *ct = in->ct;
	int rc = 0;

	memset(s, 0, sizeof(*s));
	store_pace_init(&s->pace, &ct->t->bandwidth);
	for (size_t i = 0; rc == 0 && i < ct->n_places; i++)
		rc = open_place(s, ct->place[i], in, err);
	for (size_t i = 0; rc == 0 && i < ct->n_tiers; i++)
		rc = open_tier(s, i, in, err);
	memcpy(s->stores.cause, s->stores.tier[0].cause,
	       sizeof(s->stores.cause));
	return rc;
}

void stack_fence(struct stack *s, struct fence *f)
{
	s->stores.fence = f;
	for (size_t i = 0; i < s->n_places; i++)
		s->place[i].gate.fence = f;
}

/* Has it a flow of its own? */
static bool owns_flow(const struct stack_place *p)
{
	return p->flow == &p->own_flow;
}

void stack_stop(struct stack *s)
{
	for (size_t i = 0; i < s->n_places; i++)
		if (owns_flow(&s->place[i]))
			store_flow_stop(s->place[i].flow);
	if (s->n_places)
		store_pace_stop(&s->pace);
}

void stack_close(struct stack *s)
{
	for (size_t i = 0; i < s->stores.n_tiers; i++)
		for (int k = 0; k < STORE_CAUSE_COUNT; k++)
			store_free(s->stores.tier[i].cause[k]);
	for (size_t i = 0; i < s->n_places; i++) {
		store_free(s->place[i].direct);
		store_free(s->place[i].shared);
	}
	for (size_t i = 0; i < s->n_places; i++)
		if (owns_flow(&s->place[i]))
			store_flow_done(s->place[i].flow);
	if (s->n_places)
		store_pace_done(&s->pace);
	memset(s, 0, sizeof(*s));
}

/* ---- counters --------------------------------------------------------- */

static struct cost_counts counts_of(const struct store_counts *from,
				    const char *tier, const char *class,
				    enum store_cause cause)
{
	struct store_counts c;

	store_meter_read(from, &c);
	return (struct cost_counts){
		.tier = tier,
		.storage_class = class,
		.cause = store_cause_name(cause),
		/* Priced as such. Restores are items of the ledger, written
		 * with their orders: their price goes by speed and bytes. */
		.puts = c.puts + c.copies,
		.gets = c.gets,
		.heads = c.heads,
		.lists = c.lists,
		.deletes = c.deletes,
		.in_bytes = c.in_bytes,
		.out_bytes = c.out_bytes,
		.errors = c.errors,
		.unknown = c.unknown,
	};
}

size_t stack_counts(void *arg, struct cost_counts *out, size_t max)
{
	const struct stack *s = arg;
	size_t n = 0;

	for (size_t i = 0; i < s->stores.n_tiers; i++) {
		const struct move_tier *t = &s->stores.tier[i];

		for (int k = 0; k < STORE_CAUSE_COUNT; k++, n++)
			if (n < max)
				out[n] = counts_of(&s->counts[i][k], t->name,
						   t->storage_class, k);
	}
	for (size_t i = 0; i < s->n_places; i++) {
		const struct stack_place *p = &s->place[i];

		if (p->counts != &p->own_counts)
			continue;
		if (n < max)
			out[n] = counts_of(p->counts, p->tier->terms.name, "",
					   STORE_CAUSE_BACKUP);
		n++;
	}
	return n;
}
