/* SPDX-License-Identifier: Apache-2.0 */
#include "main/stack.h"

#include <string.h>

#include "base/clock.h"
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
		 * so none is repeated here, and none leaves long after that:
		 * not when it had to wait for its turn, either. */
		return (struct store_retry_opts){
			.attempts = 1,
			.deadline_ns = 30 * NSEC_PER_SEC,
		};
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

static struct store_opts driver_opts(const struct conf_trust *ct,
				     const struct store_credentials *c)
{
	const struct config_store *cs = ct->tier->store;

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
		.bucket = ct->tier->bucket,
		.prefix = ct->tier->prefix,
		.access_key = c->access_key,
		.secret_key = c->secret_key,
		.session_token = c->session_token,
	};
}

/* The profile of the store's credentials; NULL = the file's own choice. */
static const char *profile(const struct conf_trust *ct)
{
	const struct config_trust *t = ct->t;

	for (size_t i = 0; i < t->n_credentials; i++)
		if (t->credentials[i].store == ct->tier->store)
			return t->credentials[i].profile;
	return NULL;
}

static int parse(const struct conf_trust *ct, const struct buf *text,
		 struct store_credentials *out, struct err *err)
{
	const char *name = ct->tier->store->name;
	int rc;

	if (!text)
		return fail(err, -ENOKEY, "no credentials for store '%s'",
			    name);
	rc = store_credentials_parse((const char *)text->data, text->len,
				     profile(ct), out, err);
	return rc < 0 ? fail_prefix(err, rc, "credentials of store '%s'", name)
		      : 0;
}

static int open_driver(struct stack *s, const struct conf_trust *ct,
		       const struct buf *credentials, bool beside,
		       struct store **out, struct err *err)
{
	CLEANUP(store_credentials_done) struct store_credentials c = { 0 };
	const struct config_store *cs = ct->tier->store;
	struct store_opts o;
	int rc = 0;

	if (cs->kind != STORE_DIR)
		rc = parse(ct, credentials, &c, err);
	if (rc < 0)
		return rc;
	o = driver_opts(ct, &c);
	o.beside = beside;
	rc = store_open(&o, out, err);
	if (rc < 0)
		return fail_prefix(err, rc, "store '%s'", cs->name);
	s->driver = *out;
	warn_accepted(cs);
	return 0;
}

int stack_renew(struct stack *s, const struct conf_trust *ct,
		const struct buf *credentials, struct err *err)
{
	CLEANUP(store_credentials_done) struct store_credentials c = { 0 };
	struct store_opts o;
	int rc = parse(ct, credentials, &c, err);

	if (rc < 0)
		return rc;
	o = driver_opts(ct, &c);
	rc = store_renew(s->driver, &o);
	return rc < 0 ? fail(err, rc, "store '%s' takes no such keys: %m",
			     o.name)
		      : 0;
}

/* Who waits for others has their turn before work in the background: programs
 * that read, and what a worker cannot begin without. */
static bool is_urgent(enum store_cause cause)
{
	return cause == STORE_CAUSE_READ || cause == STORE_CAUSE_BACKUP;
}

/* A handle of one cause around the shared driver; NULL without memory. */
static struct store *handle(struct stack *s, const struct conf_trust *ct,
			    struct store *shared, enum store_cause cause)
{
	struct store_retry_opts o = patience(ct, cause);
	struct store *h = store_meter_new(store_shared_ref(shared),
					  &s->counts[cause], &s->health);

	h = store_breaker_new(h, &s->flow.breaker);
	h = store_limit_new(h, &s->flow.limiter, is_urgent(cause));
	h = store_pace_new(h, &s->pace, is_urgent(cause));
	o.budget = &s->flow.budget;
	return store_retry_new(h, &o);
}

int stack_open(struct stack *s, const struct conf_trust *ct,
	       const struct buf *credentials, bool beside, struct err *err)
{
	CLEANUP(store_free_guard) struct store *shared = NULL;
	struct store *driver = NULL;
	int rc;

	memset(s, 0, sizeof(*s));
	s->tier = ct->tier->name;
	s->store = ct->tier->store->name;
	s->bucket = ct->tier->bucket;
	store_pace_init(&s->pace, &ct->t->bandwidth);
	/* A read that waits must see several probes of a store that is away. */
	store_flow_init(
		&s->flow, ct->tier->store->in_flight,
		MIN(ct->t->read_wait_ns / 4, STORE_BREAKER_PAUSE_MAX_NS));
	rc = open_driver(s, ct, credentials, beside, &driver, err);
	if (rc < 0)
		return rc;
	shared = store_shared_new(driver);
	if (!shared)
		return fail(err, -ENOMEM, "%m");
	s->direct = handle(s, ct, shared, STORE_CAUSE_BACKUP);
	if (!s->direct)
		return fail(err, -ENOMEM, "%m");
	for (int i = 0; i < STORE_CAUSE_COUNT; i++) {
		s->stores.cause[i] =
			gate_store_new(handle(s, ct, shared, i), &s->gate);
		if (!s->stores.cause[i])
			return fail(err, -ENOMEM, "%m");
	}
	return 0;
}

void stack_stop(struct stack *s)
{
	store_flow_stop(&s->flow);
	store_pace_stop(&s->pace);
}

void stack_close(struct stack *s)
{
	for (int i = 0; i < STORE_CAUSE_COUNT; i++)
		store_free(s->stores.cause[i]);
	store_free(s->direct);
	store_flow_done(&s->flow);
	store_pace_done(&s->pace);
	memset(s, 0, sizeof(*s));
}

size_t stack_counts(void *arg, struct cost_counts *out, size_t max)
{
	struct stack *s = arg;
	size_t i;

	for (i = 0; i < STORE_CAUSE_COUNT && i < max; i++) {
		struct store_counts c;

		store_meter_read(&s->counts[i], &c);
		out[i] = (struct cost_counts){
			.tier = s->tier,
			.storage_class = "",
			.cause = store_cause_name(i),
			/* Priced as such, all of them. */
			.puts = c.puts + c.copies + c.restores,
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
	return STORE_CAUSE_COUNT;
}
