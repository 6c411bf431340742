/* SPDX-License-Identifier: Apache-2.0 */
/* What a good text means: defaults, what trusts say otherwise, paths. */
#include "tests/unit/config/parse.h"

#include "base/clock.h"
#include "config/path.h"

#define MIB (1ULL << 20)

static void test_defaults(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(GOOD);
	const struct config_trust *t = config_trust_find(c, "rem");
	const struct config_store *s = &c->stores[1];

	assert_string_equal(c->path, "/etc/m.yaml");
	assert_true(c->gateway_name[0]);
	assert_string_equal(c->state_dir, "/var/lib/mersey");
	assert_string_equal(c->mount_dir, "/srv/mersey");
	assert_string_equal(c->runtime_dir, "/run/mersey");
	assert_string_equal(c->currency, "GBP");
	assert_string_equal(c->exchange.currency, "GBP");
	assert_int_equal(c->ops.groups.n, 0);
	assert_string_equal(s->name, "ceph");
	assert_false(s->virtual_style);
	assert_null(s->ca_file);
	assert_null(s->prices);
	assert_int_equal(s->in_flight, 16);
	assert_false(s->allow_plain_http);
	assert_null(s->accept_unverified_peer);
	assert_true(s->connect_ns == STORE_CONNECT_NS);
	assert_true(s->stall_ns == STORE_STALL_NS);
	assert_true(s->request_ns == STORE_REQUEST_NS);
	assert_int_equal(c->alarm_command.n, 0);
	assert_string_equal(t->long_name, "rem");
	assert_string_equal(t->mount, "/srv/mersey/rem");
	assert_string_equal(t->root_owner, "0");
	assert_string_equal(t->root_group, "0");
	assert_int_equal(t->root_mode, 0700);
	assert_string_equal(t->tiers[0].prefix, "mersey/rem/");
	assert_false(t->tiers[0].single_writer_confirmed);
	assert_ptr_equal(t->tiers[0].store, &c->stores[0]);
	assert_int_equal(t->line, 6);
	assert_int_equal(t->user_at.line, 7);
	assert_int_equal(t->user_at.column, 11);
}

static void test_trust_defaults(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(GOOD);
	const struct config_trust *t = config_trust_find(c, "rbq");

	assert_int_equal(t->settle_ns, 60 * NSEC_PER_SEC);
	assert_int_equal(t->read_wait_ns, 20 * NSEC_PER_SEC);
	assert_int_equal(t->delete_after_ns, 35 * 86400 * NSEC_PER_SEC);
	assert_true(t->cache_size == MIB << 20);
	assert_int_equal(t->cache_high, 90);
	assert_int_equal(t->cache_low, 80);
	assert_false(t->cache_encrypt);
	assert_true(t->cache_passthrough);
	assert_true(t->cache_passthrough_reserve == 1024 * MIB);
	assert_true(t->limit_memory == 512 * MIB);
	assert_int_equal(t->limit_threads, 32);
	assert_int_equal(t->limit_descriptors, 8192);
	assert_int_equal(t->alarm_unprotected_ns, 900 * NSEC_PER_SEC);
	assert_int_equal(t->alarm_room_ns, 2 * SEC_PER_DAY * NSEC_PER_SEC);
	assert_int_equal(t->alarm_store_down_ns, 120 * NSEC_PER_SEC);
	assert_int_equal(t->bandwidth.n, 0);
}

/* Key by key: built-in, then defaults, then the trust; in any order. */
static void test_overrides(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c = parse_good(
		GOOD_HEAD GOOD_STORES GOOD_REM
		"    settle: 5s\n"
		"    cache: {size: 8TiB, encrypt: true}\n"
		"    quota: {bytes: 200TiB}\n"
		"    alarms: {unprotected_for: 1h}\n" GOOD_RBQ
		"    cache: {passthrough: true}\n"
		"defaults:\n"
		"  settle: 10s\n"
		"  read_wait: 3s\n"
		"  cache: {size: 2TiB, high: 95%, passthrough: false,\n"
		"          passthrough_reserve: 64MiB}\n"
		"  quota: {bytes: 1TiB, files: 50000000}\n"
		"  limits: {threads: 8}\n");
	const struct config_trust *rem = config_trust_find(c, "rem");
	const struct config_trust *rbq = config_trust_find(c, "rbq");

	assert_int_equal(rem->settle_ns, 5 * NSEC_PER_SEC);
	assert_int_equal(rbq->settle_ns, 10 * NSEC_PER_SEC);
	assert_int_equal(rem->read_wait_ns, 3 * NSEC_PER_SEC);
	assert_true(rem->cache_size == 8 * MIB << 20);
	assert_true(rbq->cache_size == 2 * MIB << 20);
	assert_int_equal(rem->cache_high, 95);
	assert_int_equal(rem->cache_low, 80);
	assert_true(rem->cache_encrypt);
	assert_false(rbq->cache_encrypt);
	assert_false(rem->cache_passthrough);
	assert_true(rbq->cache_passthrough);
	assert_true(rbq->cache_passthrough_reserve == 64 * MIB);
	assert_int_equal(rem->limit_threads, 8);
	assert_true(rem->quota_bytes == 200 * MIB << 20);
	assert_true(rbq->quota_bytes == MIB << 20);
	assert_int_equal(rem->quota_files, 50000000);
	assert_true(rem->limit_memory == 512 * MIB);
	assert_int_equal(rem->alarm_unprotected_ns, 3600 * NSEC_PER_SEC);
	assert_int_equal(rbq->alarm_unprotected_ns, 900 * NSEC_PER_SEC);
}

/* A list of a trust takes the place of the one in defaults. */
static void test_bandwidth(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c = parse_good(
		GOOD_HEAD GOOD_STORES GOOD_REM
		"    bandwidth: [{}]\n" GOOD_RBQ "defaults:\n"
		"  alarms: {cache_room_below: 12h}\n"
		"  bandwidth:\n"
		"    - {when: Mon-Fri 08:00-18:00, up: 50MB/s, down: "
		"1600Mbit/s}\n"
		"    - {up: 400MB/s}\n");
	const struct config_trust *rem = config_trust_find(c, "rem");
	const struct config_trust *rbq = config_trust_find(c, "rbq");

	assert_int_equal(rem->bandwidth.n, 1);
	assert_true(when_is_always(&rem->bandwidth.rule[0].when));
	assert_int_equal(rem->bandwidth.rule[0].rates.up, 0);
	assert_int_equal(rem->bandwidth.rule[1].rates.up, 0);
	assert_int_equal(rem->alarm_room_ns, SEC_PER_DAY / 2 * NSEC_PER_SEC);
	assert_int_equal(rbq->bandwidth.n, 2);
	assert_int_equal(rbq->bandwidth.rule[0].when.days, 0x3e);
	assert_int_equal(rbq->bandwidth.rule[0].when.from, 8 * 60);
	assert_int_equal(rbq->bandwidth.rule[0].rates.up, 50000000);
	assert_int_equal(rbq->bandwidth.rule[0].rates.down, 200000000);
	assert_true(when_is_always(&rbq->bandwidth.rule[1].when));
	assert_int_equal(rbq->bandwidth.rule[1].rates.up, 400000000);
	assert_int_equal(rbq->bandwidth.rule[1].rates.down, 0);
}

static void test_tiering(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c = parse_good(
		GOOD_HEAD GOOD_STORES GOOD_REM
		"    budget: £500.50/month\n"
		"  rbq:\n"
		"    user: mersey-rbq\n"
		"    key: {file: /sec/rbq.key}\n"
		"    recall_wait: 5m\n"
		"    budget: GBP 0/month\n"
		"    credentials: {ceph: c}\n"
		"    tiers:\n"
		"      - {name: near, store: ceph, bucket: rbq}\n"
		"      - {name: ir, store: ceph, bucket: rbq, storage_class: "
		"GLACIER_IR, object_size: 32MiB}\n"
		"      - {name: deep, store: ceph, bucket: rbq, storage_class: "
		"DEEP_ARCHIVE}\n"
		"cost:\n"
		"  vat: 5%\n"
		"  local_disk: {tb_month: '12.5', as_of: 2026-11-01, source: "
		"finance, confirmed: true}\n");
	const struct config_trust *rem = config_trust_find(c, "rem");
	const struct config_trust *rbq = config_trust_find(c, "rbq");

	assert_true(rem->has_budget && rbq->has_budget);
	assert_true(rem->budget == 5005 * MONEY_UNIT / 10);
	assert_true(rbq->budget == 0);
	assert_int_equal(rem->recall_wait_ns, 60 * NSEC_PER_SEC);
	assert_int_equal(rbq->recall_wait_ns, 300 * NSEC_PER_SEC);
	assert_null(rem->tiers[0].storage_class);
	assert_true(rem->tiers[0].object_size == 16 * MIB);
	assert_int_equal(rbq->n_tiers, 3);
	assert_string_equal(rbq->tiers[1].storage_class, "GLACIER_IR");
	assert_true(rbq->tiers[1].object_size == 32 * MIB);
	assert_true(rbq->tiers[2].object_size == 64 * MIB);
	assert_int_equal(c->vat, 5);
	assert_true(c->local_disk_tb_month.known);
	assert_true(c->local_disk_tb_month.confirmed);
	assert_true(c->local_disk_tb_month.amount == 125 * MONEY_UNIT / 10);
	assert_string_equal(c->local_disk_tb_month.as_of, "2026-11-01");
}

/* What stands in front of an amount: also of a currency without a sign. */
static void test_amount_shown(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c = parse_good(GOOD "    budget: 1234.5/month\n"
					   "cost: {currency: CHF}\n");
	CLEANUP(config_free_guard) struct config *gbp = NULL;
	CLEANUP_BUF struct buf b = { 0 }, g = { 0 };

	assert_int_equal(config_show_yaml(c, "rbq", &b), 0);
	assert_non_null(strstr(buf_str(&b), "budget: CHF 1234.5/month\n"));
	gbp = parse_good(GOOD "    budget: £1234.50/month\n");
	assert_int_equal(config_show_yaml(gbp, "rbq", &g), 0);
	assert_non_null(strstr(buf_str(&g), "budget: £1234.5/month\n"));
	assert_non_null(strstr(buf_str(&g), "recall_wait: 1m\n"));
	assert_null(strstr(buf_str(&g), "local_disk"));
}

static void test_credential_sources(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c = parse_good(
		GOOD_HEAD GOOD_STORES
		"  a: {user: ua, key: {file: k}, credentials: {ceph: {file: "
		"x, profile: p-1}}, tiers: [{name: n, store: ceph, bucket: "
		"aaa}]}\n"
		"  b: {user: ub, key: {file: l}, credentials: {ceph: "
		"{environment: true}}, tiers: [{name: n, store: ceph, bucket: "
		"bbb}]}\n");
	CLEANUP(config_free_guard) struct config *again = NULL;
	CLEANUP(config_free_guard) struct config *role = NULL;
	CLEANUP_BUF struct buf text = { 0 };
	const struct config_credential *cr;

	assert_int_equal(config_show_yaml(c, NULL, &text), 0);
	again = parse_good(buf_str(&text));
	cr = config_trust_find(again, "a")->credentials;
	assert_string_equal(cr->file, "/etc/x");
	assert_string_equal(cr->profile, "p-1");
	cr = config_trust_find(again, "b")->credentials;
	assert_true(cr->environment);
	assert_false(cr->instance_role);
	assert_null(cr->file);
	assert_null(strstr(buf_str(&text), "instance_role"));
	role = parse_good(GOOD_HEAD GOOD_STORES
			  "  a: {user: ua, key: {file: k}, credentials: {ceph: "
			  "{instance_role: true}}, tiers: [{name: n, store: "
			  "ceph, bucket: aaa}]}\n");
	assert_true(role->trusts[0].credentials[0].instance_role);
}

static const char everything[] = GOOD_HEAD
	"gateway:\n"
	"  name: gw 1\n"
	"  state_dir: st\n"
	"  mount_dir: /m/\n"
	"  runtime_dir: ./run//x/.\n"
	"  alarm_command: [/bin/page, --to, ops desk]\n"
	"  operators:\n"
	"    ops: {users: [joe, 7], groups: [ops]}\n"
	"    finance: {groups: [fin]}\n"
	"cost:\n"
	"  currency: EUR\n"
	"  exchange: {USD: \"0.92\", GBP: '1.1512345678', as_of: "
	"2026-11-01, source: ECB}\n"
	"stores:\n"
	"  s: {kind: s3, endpoint: 'https://h:9', region: uk, "
	"address_style: virtual, ca_file: ../ca.pem, in_flight: 3, "
	"timeout: {connect: 1s, request: 30s}}\n"
	"  old: {kind: s3v2, endpoint: 'https://o', "
	"accept_unverified_peer: SIRO-2026-117}\n"
	"  bare: {kind: s3, endpoint: 'http://o', allow_plain_http: "
	"true}\n"
	"trusts:\n"
	"  r:\n"
	"    name: Royal\n"
	"    user: u\n"
	"    mount: mnt\n"
	"    root: {owner: 61001, group: g, mode: \"2770\"}\n"
	"    key: {credential: r.key}\n"
	"    credentials: {s: sec/r.cred}\n"
	"    tiers: [{name: t, store: s, bucket: bbb, prefix: '', "
	"single_writer: confirmed}]\n";

static void test_everything(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(everything);
	const struct config_trust *t = &c->trusts[0];
	CLEANUP_FREE char *state_dir = config_state_dir(c, t);
	CLEANUP_FREE char *sock = config_socket(c, t);
	money_t m;

	assert_string_equal(c->gateway_name, "gw 1");
	assert_string_equal(state_dir, "/etc/st/r");
	assert_string_equal(sock, "/etc/run/x/r.sock");
	assert_string_equal(c->mount_dir, "/m");
	assert_int_equal(c->ops.users.n, 2);
	assert_string_equal(c->ops.users.name[1], "7");
	assert_string_equal(c->finance.groups.name[0], "fin");
	assert_int_equal(price_convert(&c->exchange, "GBP", MONEY_UNIT, &m), 0);
	assert_true(m == 11512345678);
	assert_string_equal(c->exchange.source, "ECB");
	assert_true(c->stores[0].virtual_style);
	assert_string_equal(c->stores[0].ca_file, "/ca.pem");
	assert_int_equal(c->stores[0].in_flight, 3);
	assert_true(c->stores[0].connect_ns == NSEC_PER_SEC);
	assert_true(c->stores[0].stall_ns == STORE_STALL_NS);
	assert_true(c->stores[0].request_ns == 30 * NSEC_PER_SEC);
	assert_int_equal(c->stores[1].kind, STORE_S3V2);
	assert_string_equal(c->stores[1].accept_unverified_peer,
			    "SIRO-2026-117");
	assert_true(c->stores[2].allow_plain_http);
	assert_int_equal(c->alarm_command.n, 3);
	assert_string_equal(c->alarm_command.name[2], "ops desk");
	assert_string_equal(t->long_name, "Royal");
	assert_string_equal(t->mount, "/etc/mnt");
	assert_string_equal(t->root_owner, "61001");
	assert_int_equal(t->root_mode, 02770);
	assert_string_equal(t->key_credential, "r.key");
	assert_int_equal(t->n_credentials, 1);
	assert_ptr_equal(t->credentials[0].store, &c->stores[0]);
	assert_string_equal(t->credentials[0].file, "/etc/sec/r.cred");
	assert_string_equal(t->tiers[0].prefix, "");
	assert_true(t->tiers[0].single_writer_confirmed);
}

static void assert_join(const char *dir, const char *path, const char *want)
{
	CLEANUP_FREE char *got = config_path_join(dir, path);

	assert_string_equal(got, want);
}

static void test_paths(void **state)
{
	assert_join("/etc", "a", "/etc/a");
	assert_join("/etc", "/a//b/./c/", "/a/b/c");
	assert_join("/etc/x", "../a", "/etc/a");
	assert_join("/etc", "../../../a", "/a");
	assert_join("/etc", "..", "/");
	assert_join("/", "", "/");
	assert_join("/", "...", "/...");
	assert_true(config_path_below("/a/b", "/a"));
	assert_false(config_path_below("/ab", "/a"));
	assert_false(config_path_below("/a", "/a"));
	assert_true(config_path_below("/a", "/"));
	assert_false(config_path_below("/", "/"));
}

static void test_accounts(void **state)
{
	uid_t uid = 7;
	gid_t gid = 7;

	assert_int_equal(config_uid("root", &uid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(config_gid("root", &gid), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(config_uid("61001", &uid), 0);
	assert_int_equal(uid, 61001);
	assert_int_equal(config_uid("4294967295", &uid), -ENOENT);
	assert_int_equal(config_uid("no-such-user-here", &uid), -ENOENT);
	assert_int_equal(config_gid("no-such-group-here", &gid), -ENOENT);
	assert_int_equal(config_uid("", &uid), -ENOENT);
	assert_int_equal(uid, 61001);
}

/* ---- config show ------------------------------------------------------ */

#define RICH                                                            \
	GOOD_HEAD                                                       \
	"gateway: {name: 'yes', operators: {ops: {users: [7, joe]}},\n" \
	"          alarm_command: [/bin/a b, '#']}\n"                   \
	"cost: {exchange: {USD: \"0.790\", as_of: 2026-11-01, source: " \
	"'a: \"b\" \\ ü'}}\n" GOOD_STORES GOOD_REM "    settle: 90s\n"  \
	"    cache: {size: 1500MB, high: 70%, low: 0%}\n"               \
	"    root: {mode: \"0007\"}\n" GOOD_RBQ "    bandwidth:\n"      \
	"      - {when: 'Sat,Sun', up: 80kbit/s}\n"                     \
	"      - {down: 3MiB/s}\n"                                      \
	"  c:\n"                                                        \
	"    user: '12'\n"                                              \
	"    key: {credential: k}\n"                                    \
	"    credentials: {ceph: x}\n"                                  \
	"    tiers: [{name: '1', store: ceph, bucket: ccc, prefix: ''}]\n"

static void test_round_trip(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(RICH);
	CLEANUP(config_free_guard) struct config *again = NULL;
	CLEANUP_BUF struct buf one = { 0 }, two = { 0 };

	assert_int_equal(config_show_yaml(c, NULL, &one), 0);
	again = parse_good(buf_str(&one));
	assert_int_equal(config_show_yaml(again, NULL, &two), 0);
	assert_string_equal(buf_str(&one), buf_str(&two));
	assert_int_equal(again->n_trusts, 3);
	assert_int_equal(again->trusts[0].settle_ns, 90 * NSEC_PER_SEC);
	assert_int_equal(again->trusts[0].cache_low, 0);
	assert_int_equal(again->trusts[0].root_mode, 07);
	assert_string_equal(again->gateway_name, "yes");
	assert_string_equal(again->exchange.source, "a: \"b\" \\ ü");
	assert_string_equal(again->trusts[2].tiers[0].prefix, "");
	assert_string_equal(again->trusts[2].user, "12");
	assert_string_equal(again->alarm_command.name[0], "/bin/a b");
	assert_string_equal(again->alarm_command.name[1], "#");
	assert_int_equal(again->trusts[1].bandwidth.n, 2);
	assert_int_equal(again->trusts[1].bandwidth.rule[0].rates.up, 10000);
	assert_int_equal(again->trusts[1].bandwidth.rule[1].rates.down,
			 3 << 20);
}

static void test_show_one(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(RICH);
	CLEANUP(config_free_guard) struct config *again = NULL;
	CLEANUP_BUF struct buf one = { 0 };

	assert_int_equal(config_show_yaml(c, "nobody", &one), -ENOENT);
	assert_int_equal(one.len, 0);
	assert_int_equal(config_show_yaml(c, "c", &one), 0);
	again = parse_good(buf_str(&one));
	assert_int_equal(again->n_trusts, 1);
	assert_int_equal(again->n_stores, 1);
	assert_string_equal(again->stores[0].name, "ceph");
	assert_non_null(config_trust_find(again, "c"));
}

static void test_show_text(void **state)
{
	CLEANUP(config_free_guard) struct config *c = parse_good(RICH);
	CLEANUP_BUF struct buf b = { 0 };
	const char *text;

	assert_int_equal(config_show_yaml(c, "rem", &b), 0);
	text = buf_str(&b);
	assert_non_null(strstr(text, "version: 1\n"
				     "gateway:\n"
				     "  name: \"yes\"\n"));
	assert_non_null(strstr(text, "    USD: \"0.79\"\n"));
	assert_non_null(strstr(text, "trusts:\n"
				     "  rem:\n"
				     "    name: rem\n"
				     "    user: mersey-rem\n"));
	assert_non_null(strstr(text, "    tiers:\n"
				     "      - name: near\n"
				     "        store: nas\n"));
	assert_non_null(strstr(text, "      size: 1500000000B\n"));
	assert_non_null(strstr(text, "    key:\n"
				     "      file: /sec/rem.key\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_trust_defaults),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_tiering),
		cmocka_unit_test(test_amount_shown),
		cmocka_unit_test(test_credential_sources),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_show_one),
		cmocka_unit_test(test_show_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
