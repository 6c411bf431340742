/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker for the tests of ctl: real database, cache and ledger in a
 * directory, a store in memory, and movers that do at once what they are told
 * (or nothing, with fake.hold): they take the place of daemon/move.
 */
#ifndef MERSEY_TESTS_CTL_UTIL_H
#define MERSEY_TESTS_CTL_UTIL_H

#include "tests/test.h"

#include "ctl/ctl.h"
#include "ctl/protocol.h"
#include "meta/tiering.h"
#include "move/restore.h"
#include "tier/opts.h"

#include "tests/unit/cache/util.h" /* last: its globals have short names */
#include "tests/unit/tier/transfer.h"

static struct {
	bool hold;		   /* protect does nothing */
	int recall_rc;		   /* what move_recall() returns, 0 = does it */
	uint64_t asked;		   /* by reads; three times that came */
	_Atomic unsigned protects; /* move_protect_now() calls */
	char reason[64];	   /* what protect waits for */
	unsigned failing;	   /* runs of protect, in a row */
	int64_t takes_ns[3];	   /* of an archive, by speed; 0: it is none */
	unsigned pinned;	   /* move_pinned() calls */
	struct move_restores restores;
} fake;

static uint8_t fake_bytes[META_FRAME_SIZE];

static inline void fake_pack(struct meta_txn *t, uint64_t ino)
{
	struct meta_pack p = { .generation = 1 };
	struct meta_inode in;
	struct meta_extent e = { .ino = ino };

	assert_int_equal(meta_inode_get(t, ino, &in), 0);
	e.len = in.size;
	e.frames =
		(uint32_t)((in.size + META_FRAME_SIZE - 1) / META_FRAME_SIZE);
	if (!e.frames)
		return;
	e.table = calloc(e.frames, sizeof(*e.table));
	assert_int_equal(io_random(p.id, sizeof(p.id)), 0);
	snprintf(p.object, sizeof(p.object), "packs/00000001-%llu",
		 (unsigned long long)ino);
	strcpy(p.tier, "near");
	p.length = in.size;
	assert_int_equal(meta_pack_intend(t, &p), 0);
	assert_int_equal(meta_pack_stored(t, &p), 0);
	e.pack = p.row;
	assert_int_equal(meta_extent_clear(t, ino, NULL, 0, 1), 0);
	assert_int_equal(meta_extent_insert(t, &e), 0);
	meta_extent_done(&e);
}

static inline int fake_protect(uint64_t ino)
{
	struct cache_seal s;
	int rc;

	assert_int_equal(cache_flush(c), 0);
	rc = cache_seal_begin(c, ino, &s);
	if (rc < 0)
		return rc;
	{
		META_TXN(t);
		assert_int_equal(meta_begin(m, &t), 0);
		fake_pack(&t, ino);
		rc = cache_seal_commit(&s, &t, clock_wall_ns());
		if (rc == 0)
			rc = meta_commit(&t, NULL);
	}
	cache_seal_end(&s, rc == 0);
	return rc;
}

static inline size_t fake_todo(struct meta_todo *out, size_t max)
{
	META_TXN(t);
	int n;

	assert_int_equal(meta_read(m, &t), 0);
	n = meta_protectable(&t, 0, INT64_MAX, 0, out, max);
	assert_true(n >= 0);
	return (size_t)n;
}

void move_protect_now(struct move *mv, uint64_t ino)
{
	struct meta_todo todo[64];
	size_t n = ino ? 1 : fake_todo(todo, 64), i;

	fake.protects++;
	for (i = 0; i < n && !fake.hold; i++)
		fake_protect(ino ? ino : todo[i].ino);
}

void move_protect_wish(struct move *mv, uint64_t ino)
{
	move_protect_now(mv, ino);
}

int move_recall(struct move *mv, struct cache_file *f, uint64_t off,
		uint64_t len, enum store_cause cause,
		const volatile bool *cancel)
{
	uint64_t version, size, moff, mlen;

	assert_int_equal(cause, STORE_CAUSE_RECALL);
	if (fake.recall_rc < 0)
		return fake.recall_rc;
	cache_version(f, &version, &size);
	while (cache_missing(f, 0, size, &moff, &mlen) == 1) {
		mlen = MIN(mlen, META_FRAME_SIZE);
		assert_int_equal(cache_fill(f, version, moff, fake_bytes, mlen),
				 0);
	}
	return 0;
}

int move_read(struct move *mv, struct cache_file *f, uint64_t off, uint64_t len,
	      uint64_t ahead, const struct move_patience *p)
{
	return -ETIMEDOUT;
}

void move_ahead(struct move *mv, struct cache_file *f, uint64_t off,
		uint64_t end)
{
}

void move_opened(struct move *mv, uint64_t ino)
{
}

void move_asked(struct move *mv, uint64_t bytes)
{
}

void move_recall_stats(struct move *mv, struct move_recall_stats *out)
{
	*out = (struct move_recall_stats){ .asked = fake.asked,
					   .fetched = 3 * fake.asked,
					   .requests = 7 };
}

size_t move_jobs(struct move *mv, struct job_info *out, size_t max)
{
	memset(out, 0, sizeof(*out));
	strcpy(out->name, "protect");
	out->state = fake.reason[0] ? JOB_RUNNING : JOB_SLEEPING;
	strcpy(out->waiting_for, fake.reason);
	out->failing = fake.failing;
	out->failures = fake.failing;
	out->failed_ns = fake.failing ? clock_wall_ns() : 0;
	return 1;
}

int64_t move_restore_takes(struct move *mv, const char *tier,
			   enum store_speed *speed)
{
	return fake.takes_ns[*speed];
}

int move_restore(struct move *mv, uint64_t pack, enum store_speed speed,
		 unsigned days, enum store_cause cause)
{
	struct meta_restore r = {
		.pack = pack,
		.state = META_RESTORE_ORDERED,
		.speed = speed,
		.days = days,
		.ordered_ns = clock_wall_ns(),
		.due_ns = clock_wall_ns() + fake.takes_ns[speed],
	};
	META_TXN(t);

	snprintf(r.cause, sizeof(r.cause), "%s", store_cause_name(cause));
	assert_int_equal(meta_begin(m, &t), 0);
	assert_int_equal(meta_restore_put(&t, &r), 0);
	assert_int_equal(meta_commit(&t, NULL), 0);
	return -EINPROGRESS;
}

void move_pinned(struct move *mv)
{
	fake.pinned++;
}

void move_restores(struct move *mv, struct move_restores *out)
{
	*out = fake.restores;
}

void move_reap_soon(struct move *mv)
{
}

void move_evict_now(struct move *mv)
{
}

void move_on_reap(struct move *mv, bool (*held)(void *arg, uint64_t ino),
		  void *arg)
{
}

struct cache *move_cache(struct move *mv)
{
	return c;
}

/* ---- the worker ----------------------------------------------------- */

static struct ctl_worker worker;
static struct store_health health;
static struct store_counts store_count[STORE_CAUSE_COUNT];
static struct store_flow flow;
static struct store_bandwidth bandwidth;
static struct store_pace pace;
static struct price_class fake_class = {
	.name = "STANDARD",
	.storage_gb_month = { true, true, 240000000 },
	.put_1000 = { true, true, 53000000 },
	.get_1000 = { true, false, 4200000 },
	.retrieval_gb = { true, true, 0 },
};
static const struct price_table fake_prices = { .name = "onprem",
						.currency = "GBP",
						.as_of = "2026-10-01",
						.source = "estates",
						.classes = &fake_class,
						.n_classes = 1,
						.egress_gb = { true, true,
							       0 } };
static const struct price_exchange fake_exchange = { .currency = "GBP" };
static const struct cost_tier fake_tier = { "near", "", &fake_prices };
static const struct cost_opts fake_cost = { &fake_tier, 1, &fake_exchange };
static const uid_t ops_uid = 2001;
static const gid_t ops_gid = 3001, finance_gid = 3002;

static size_t fake_counts(void *arg, struct cost_counts *out, size_t max)
{
	*out = (struct cost_counts){ .tier = "near",
				     .storage_class = "",
				     .cause = "protect",
				     .puts = 3,
				     .gets = 1 };
	return 1;
}

static inline int worker_setup(void **state)
{
	const struct cost_ledger_opts lo = { .read = fake_counts };
	struct store *s;
	int rc = state_setup(state);

	if (rc)
		return rc;
	memset(&fake, 0, sizeof(fake));
	memset(&health, 0, sizeof(health));
	memset(store_count, 0, sizeof(store_count));
	s = store_meter_new(store_mem_new(), &store_count[STORE_CAUSE_BACKUP],
			    &health);
	store_flow_init(&flow, 16, 0);
	bandwidth = (struct store_bandwidth){ .n = 0 };
	store_pace_init(&pace, &bandwidth);
	worker = (struct ctl_worker){
		.trust = "rem",
		.long_name = "Liverpool University Hospitals",
		.gateway = "gw1",
		.version = "1",
		.tiers = { { "near", "", 0, store_count } },
		.n_tiers = 1,
		.places = { { .tier = "near",
			      .store = "ceph",
			      .bucket = "rem-mersey",
			      .direct = s,
			      .health = &health,
			      .flow = &flow } },
		.n_places = 1,
		.mountpoint = "/srv/mersey/rem",
		.state_dir = dir,
		.started_ns = clock_wall_ns(),
		.alarm_unprotected_ns = 900 * NSEC_PER_SEC,
		.meta = m,
		.cache = c,
		.pace = &pace,
		.cost = &fake_cost,
		.ops = { &ops_uid, 1, &ops_gid, 1 },
		.finance = { NULL, 0, &finance_gid, 1 },
		.worker_uid = 2000,
		.alarm_room_ns = 172800 * NSEC_PER_SEC,
	};
	assert_int_equal(alarms_open(m, &worker.alarms, NULL), 0);
	return cost_ledger_start(m, &lo, &worker.ledger);
}

static inline int worker_teardown(void **state)
{
	alarms_close(worker.alarms);
	cost_ledger_stop(worker.ledger);
	store_free(worker.places[0].direct);
	store_pace_done(&pace);
	store_flow_done(&flow);
	return state_teardown(state);
}

static struct store_health cold_health;
static struct store_counts cold_count[STORE_CAUSE_COUNT], cold_own;
static struct store_flow cold_flow;

/* A second tier, in a bucket and a class of its own. */
static inline int worker_two_setup(void **state)
{
	int rc = worker_setup(state);
	struct store *s;

	memset(&cold_health, 0, sizeof(cold_health));
	memset(cold_count, 0, sizeof(cold_count));
	memset(&cold_own, 0, sizeof(cold_own));
	s = store_meter_new(store_mem_new(), &cold_own, &cold_health);
	store_flow_init(&cold_flow, 16, 0);
	worker.tiers[1] = (struct ctl_tier){ "cold", "GLACIER", 1, cold_count };
	worker.places[1] = (struct ctl_place){
		.tier = "cold",
		.store = "aws",
		.bucket = "rem-cold",
		.direct = s,
		.health = &cold_health,
		.counts = &cold_own,
		.flow = &cold_flow,
	};
	worker.n_tiers = worker.n_places = 2;
	return rc;
}

static inline int worker_two_teardown(void **state)
{
	store_free(worker.places[1].direct);
	store_flow_done(&cold_flow);
	return worker_teardown(state);
}

#define WORKER_TWO_TEST(f)                                   \
	cmocka_unit_test_setup_teardown(f, worker_two_setup, \
					worker_two_teardown)
#define WORKER_TEST(f) \
	cmocka_unit_test_setup_teardown(f, worker_setup, worker_teardown)

/* One line as `peer`; the parsed answer, which the caller owns. */
static inline json_t *ask_as(struct ctl_peer *peer, const char *line)
{
	CLEANUP_BUF struct buf reply = { 0 };
	json_t *o = NULL;

	assert_int_equal(
		ctl_handle_line(&worker, peer, line, strlen(line), &reply), 0);
	assert_true(reply.len > 0 && reply.data[reply.len - 1] == '\n');
	assert_int_equal(proto_parse((char *)reply.data, reply.len, &o, NULL),
			 0);
	return o;
}

static inline json_t *ask(const char *line)
{
	struct ctl_peer root = { 0 };

	return ask_as(&root, line);
}

static inline const char *error_code(const json_t *answer)
{
	const json_t *e = json_object_get(answer, "error");
	const char *s = json_string_value(json_object_get(e, "code"));

	return s ? s : "";
}

/* a.b.c, or of element 0 where a part is "0". */
static inline json_t *at(json_t *o, const char *path)
{
	char part[64];

	while (*path && o) {
		size_t n = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		o = json_is_array(o) ? json_array_get(o, (size_t)atoi(part))
				     : json_object_get(o, part);
		path += n + (path[n] == '.');
	}
	return o;
}

static inline long long int_at(json_t *o, const char *path)
{
	json_t *v = at(o, path);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static inline const char *text_at(json_t *o, const char *path)
{
	const char *s = json_string_value(at(o, path));

	return s ? s : "";
}

#endif
