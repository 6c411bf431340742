/* SPDX-License-Identifier: Apache-2.0 */
/* One key at a time: what is wrong, where, and what to do. */
#include "tests/unit/config/parse.h"

#define TRUST GOOD_HEAD GOOD_STORES GOOD_REM /* 9 lines */

static void test_unknown(void **state)
{
	assert_problems(TRUST "    setle: 5s\n"
			      "    delete-after: 5d\n"
			      "    Settle: 6s\n"
			      "    durability: cloud\n"
			      "    cache: {reserve: 10%, hihg: 90%}\n",
			"10:5 trusts.rem.setle: unknown key 'setle' | did you "
			"mean 'settle'?\n"
			"11:5 trusts.rem.delete-after: unknown key "
			"'delete-after' | did you mean 'delete_after'?\n"
			"12:5 trusts.rem.Settle: unknown key 'Settle' | did "
			"you mean 'settle'?\n"
			"13:5 trusts.rem.durability: unknown key 'durability' "
			"| 'durability' is not available in this version; "
			"leave it out\n"
			"14:27 trusts.rem.cache.hihg: unknown key 'hihg' | did "
			"you mean 'high'?\n");
	assert_problems(TRUST "defaults:\n"
			      "  alarms: {x: 5s}\n"
			      "colour: blue\n",
			"11:12 defaults.alarms.x: unknown key 'x' | keys that "
			"can stand here: unprotected_for, cache_room_below, "
			"store_down_for\n"
			"12:1 colour: unknown key 'colour' | keys that can "
			"stand here: version, gateway, cost, stores, policies, "
			"defaults, trusts\n");
}

static void test_quota(void **state)
{
	assert_problems(
		TRUST
		"    quota: {bytes: 5 apples, files: -1, directories: {}}\n"
		"defaults:\n"
		"  quota: {bytes: 2000PiB, files: 99999999999, inodes: 4}\n",
		"10:20 trusts.rem.quota.bytes: 'bytes' must be a size, not '5 "
		"apples' | write a size such as 500GiB, 16MiB or 50GB\n"
		"10:37 trusts.rem.quota.files: 'files' must be a number, not "
		"'-1' | write a whole number, without quotes\n"
		"10:41 trusts.rem.quota.directories: unknown key 'directories' "
		"| 'directories' is not available in this version; leave it "
		"out\n"
		"12:18 defaults.quota.bytes: 'bytes' must be at most 1024PiB, "
		"not '2000PiB' | write a size such as 500GiB, 16MiB or "
		"50GB\n"
		"12:34 defaults.quota.files: 'files' must be smaller, not "
		"'99999999999' | write a whole number, without quotes\n"
		"12:47 defaults.quota.inodes: unknown key 'inodes' | keys that "
		"can stand here: bytes, files\n");
	assert_problems(TRUST "    quota: 5TiB\n",
			"10:12 trusts.rem.quota: must be a map of keys\n");
}

static void test_missing(void **state)
{
	assert_problems("gateway: {name: gw1}\n",
			"1:1 version: required key 'version' is missing | "
			"version: Version of this format: 1.\n"
			"1:1 stores: required key 'stores' is missing | "
			"stores: Places that hold buckets, shared by trusts. "
			"No buckets and no secrets stand here.\n"
			"1:1 trusts: required key 'trusts' is missing | "
			"trusts: The trusts, by short name. It names the "
			"control socket, the state directory and the mount "
			"point.\n");
	assert_problems(GOOD_HEAD GOOD_STORES "  rem:\n"
					      "    user: mersey-rem\n"
					      "    key: {}\n"
					      "    tiers:\n"
					      "      - {store: nas}\n",
			"8:10 trusts.rem.key: exactly one of 'file', "
			"'credential' must be there\n"
			"10:9 trusts.rem.tiers[0].name: required key 'name' is "
			"missing | name: What reports call the tier.\n"
			"10:9 trusts.rem.tiers[0].bucket: required key "
			"'bucket' is missing | bucket: The trust's bucket "
			"there.\n");
	assert_problems(TRUST "  rbq: {user: mersey-rbq}\n",
			"10:3 trusts.rbq.key: required key 'key' is missing | "
			"key: The trust's root key: file or credential.\n"
			"10:3 trusts.rbq.tiers: required key 'tiers' is "
			"missing | tiers: Where the trust's data lies, in "
			"order: new data goes to the first, policies move it "
			"on. Tiers may share a bucket when their storage "
			"classes differ.\n");
}

static void test_types(void **state)
{
	assert_problems(
		TRUST "    settle: 60\n"
		      "    read_wait: [1s]\n"
		      "    cache: {size: big, high: 0.9, encrypt: yes}\n"
		      "    limits: {threads: '32', descriptors: many}\n"
		      "    root: {mode: 0770, owner: [a]}\n"
		      "    alarms: 15m\n"
		      "    delete_after:\n"
		      "    credentials: ~\n",
		"10:13 trusts.rem.settle: 'settle' must be a duration, not "
		"'60' | write a number with its unit, such as 30s, 15m, 12h, "
		"90d or 2y\n"
		"11:16 trusts.rem.read_wait: 'read_wait' must be one value "
		"(duration), not a list | write a number with its unit, such as 30s, 15m, "
		"12h, 90d or 2y\n"
		"12:19 trusts.rem.cache.size: 'size' must be a size, not 'big' "
		"| write a size such as 500GiB, 16MiB or 50GB\n"
		"12:30 trusts.rem.cache.high: 'high' must be a share, not "
		"'0.9' | write a share such as 85%\n"
		"12:44 trusts.rem.cache.encrypt: 'encrypt' must be true or "
		"false, not 'yes' | write true or false, without quotes\n"
		"13:23 trusts.rem.limits.threads: 'threads' must be without "
		"quotes | write a whole number, without quotes\n"
		"13:42 trusts.rem.limits.descriptors: 'descriptors' must be a "
		"number, not 'many' | write a whole number, without quotes\n"
		"14:18 trusts.rem.root.mode: 'mode' must be in quotes | write "
		"an octal mode in quotes, such as \"0770\"\n"
		"14:31 trusts.rem.root.owner: 'owner' must be one value "
		"(account), not a list | write the name of a user or group, or its number\n"
		"15:13 trusts.rem.alarms: must be a map of keys\n"
		"16:18 trusts.rem.delete_after: 'delete_after' has no value | "
		"write a number with its unit, such as 30s, 15m, 12h, 90d or "
		"2y\n"
		"17:18 trusts.rem.credentials: must be a map of keys\n");
	assert_problems(GOOD_HEAD "gateway: {operators: {ops: {users: me, "
				  "groups: [Admins, 5]}}}\n"
				  "stores: []\n"
				  "trusts: {}\n",
			"2:36 gateway.operators.ops.users: 'users' must be a "
			"list of accounts | write users: [first, second]\n"
			"2:49 gateway.operators.ops.groups[0]: 'groups' must "
			"be the name of an account, or its number, not "
			"'Admins' | write the name of a user or group, or its "
			"number\n"
			"3:9 stores: 'stores' must be a map of <store> with "
			"their keys\n"
			"4:9 trusts: 'trusts' must be a map of <trust> with "
			"their keys\n");
}

static void test_ranges(void **state)
{
	assert_problems(
		TRUST "    settle: 2d\n"
		      "    read_wait: 10ms\n"
		      "    cache: {size: 4KiB, high: 101%}\n"
		      "    limits: {threads: 1, descriptors: 99999999999}\n"
		      "    root: {mode: \"77777\"}\n",
		"10:13 trusts.rem.settle: 'settle' must be at most 1d, not "
		"'2d' | write a number with its unit, such as 30s, 15m, 12h, "
		"90d or 2y\n"
		"11:16 trusts.rem.read_wait: 'read_wait' must be from 100ms to "
		"1h, not '10ms' | write a number with its unit, such as 30s, "
		"15m, 12h, 90d or 2y\n"
		"12:19 trusts.rem.cache.size: 'size' must be at least 1MiB, not "
		"'4KiB' | write a size such as 500GiB, 16MiB or 50GB\n"
		"12:31 trusts.rem.cache.high: 'high' must be from 1% to 100%, not "
		"'101%' | write a share such as 85%\n"
		"13:23 trusts.rem.limits.threads: 'threads' must be from 2 to "
		"1024, not '1' | write a whole number, without quotes\n"
		"13:39 trusts.rem.limits.descriptors: 'descriptors' must be from "
		"64 to 1048576, not '99999999999' | write a whole number, without "
		"quotes\n"
		"14:18 trusts.rem.root.mode: 'mode' must be at most 7777, not "
		"'77777' | write an octal mode in quotes, such as \"0770\"\n");
}

static void test_version(void **state)
{
	assert_problems("version: 2\n" GOOD_STORES GOOD_REM,
			"1:10 version: version 2 is newer than this program "
			"understands (1) | install a newer Mersey, or write "
			"version: 1\n");
	assert_problems("version: 0\n" GOOD_STORES GOOD_REM,
			"1:10 version: 'version' must be at least 1, not '0' | "
			"write a whole number, without quotes\n");
	assert_problems("version: '1'\n" GOOD_STORES GOOD_REM,
			"1:10 version: 'version' must be without quotes | "
			"write a whole number, without quotes\n");
}

/* A trust whose only fault is one of names. */
static void assert_shape(const char *name, const char *user, const char *bucket,
			 const char *prefix, const char *want)
{
	CLEANUP_BUF struct buf b = { 0 };

	buf_addf(&b,
		 GOOD_HEAD GOOD_STORES
		 "  %s:\n"
		 "    user: %s\n"
		 "    key: {file: k}\n"
		 "    tiers:\n"
		 "      - {name: near, store: nas, bucket: %s,\n"
		 "         prefix: '%s'}\n",
		 name, user, bucket, prefix);
	assert_problems(buf_str(&b), want);
}

static void test_shapes(void **state)
{
	static const char *const buckets[] = {
		"ab", "Abc", "-abc", "abc-", "a..b", "10.0.0.1", "a_b", "abc.",
	};
	static const char *const prefixes[] = { "/a/", "a//b/", "a/../",
						"./",  "a b/",	"é/" };
	CLEANUP_BUF struct buf want = { 0 };
	size_t i;

	assert_shape("rem", "m", "abc", "", "");
	assert_shape("r-1", "m", "a.b-c", "x/Y_1.z/", "");
	assert_shape("abcdefghijklmnop", "61001", "abc", "a/", "");
	assert_shape("Rem", "m", "abc", "a/",
		     "6:3 trusts.Rem: the name must be 1 to 16 lower-case "
		     "letters, digits and '-', a letter first, not 'Rem'\n");
	assert_shape("abcdefghijklmnopq", "m", "abc", "a/",
		     "6:3 trusts.abcdefghijklmnopq: the name must be 1 to 16 "
		     "lower-case letters, digits and '-', a letter first, not "
		     "'abcdefghijklmnopq'\n");
	assert_shape("rem", "4294967295", "abc", "a/",
		     "7:11 trusts.rem.user: 'user' must be a number below "
		     "4294967295, not '4294967295' | write the name of a user "
		     "or group, or its number\n");
	assert_shape("rem", "root", "abc", "a/",
		     "7:11 trusts.rem.user: the service account must not be "
		     "root | user: mersey-rem\n");
	assert_shape("rem", "00", "abc", "a/",
		     "7:11 trusts.rem.user: the service account must not be "
		     "root | user: mersey-rem\n");
	assert_shape("rem", "m", "abc", "a",
		     "11:18 trusts.rem.tiers[0].prefix: 'prefix' must end with "
		     "'/', not 'a'\n");
	for (i = 0; i < ARRAY_SIZE(buckets); i++) {
		want.len = 0;
		buf_addf(&want,
			 "10:42 trusts.rem.tiers[0].bucket: 'bucket' must be 3 "
			 "to 63 lower-case letters, digits, '.' and '-', not "
			 "like an address, not '%s'\n",
			 buckets[i]);
		assert_shape("rem", "m", buckets[i], "", buf_str(&want));
	}
	for (i = 0; i < ARRAY_SIZE(prefixes); i++) {
		want.len = 0;
		buf_addf(&want,
			 "11:18 trusts.rem.tiers[0].prefix: 'prefix' must be "
			 "parts of letters, digits, '_', '-' and '.', each "
			 "with a '/' behind it, not '%s'\n",
			 prefixes[i]);
		assert_shape("rem", "m", "abc", prefixes[i], buf_str(&want));
	}
}

static void test_stores(void **state)
{
	assert_problems(
		GOOD_HEAD "stores:\n"
			  "  nas: {kind: dir, path: /nas, region: uk, "
			  "timeout: {}}\n"
			  "  nsa: {kind: dri, path: /nsa}\n"
			  "  s3: {kind: s3, path: /x}\n"
			  "  Bad: {kind: dir, path: ''}\n"
			  "  new: {kind: s3, endpoint: 'https://a', "
			  "on_prem: true, prices: gold}\n"
			  "trusts:\n" GOOD_REM,
		"3:32 stores.nas.region: 'region' is only for 'kind: s3' | "
		"leave it out, or change 'kind'\n"
		"3:44 stores.nas.timeout: 'timeout' is only for 'kind: s3' and "
		"s3v2 | leave it out, or change 'kind'\n"
		"4:15 stores.nsa.kind: 'kind' must be one of dir, s3, s3v2, "
		"not 'dri' | did you mean 'dir'?\n"
		"5:3 stores.s3.endpoint: required key 'endpoint' is missing | "
		"endpoint: Address of the service: https://host[:port]. Plain "
		"http is allowed to this machine, and with "
		"allow_plain_http.\n"
		"5:18 stores.s3.path: 'path' is only for 'kind: dir' | leave "
		"it out, or change 'kind'\n"
		"6:3 stores.Bad: the name must be 1 to 63 lower-case letters, "
		"digits, '.', '_' and '-', not 'Bad'\n"
		"6:26 stores.Bad.path: 'path' must not be empty, not '' | "
		"write a path; a relative one is seen from the directory of "
		"this file\n"
		"7:42 stores.new.on_prem: unknown key 'on_prem' | 'on_prem' is "
		"not available in this version; leave it out\n"
		"7:65 stores.new.prices: there is no price table 'gold' in the "
		"files of cost.prices | add its file to cost.prices\n");
}

static void assert_endpoint(const char *endpoint, const char *want)
{
	CLEANUP_BUF struct buf b = { 0 }, problem = { 0 };

	buf_addf(&b,
		 GOOD_HEAD "stores:\n"
			   "  nas: {kind: dir, path: /nas}\n"
			   "  new: {kind: s3, endpoint: '%s'}\n"
			   "trusts:\n" GOOD_REM,
		 endpoint);
	if (*want)
		buf_addf(&problem, "4:29 stores.new.endpoint: %s\n", want);
	assert_problems(buf_str(&b), *want ? buf_str(&problem) : "");
}

#define E     "'endpoint' must "
#define PORT  "end with the host or its port: no path, no query, not "
#define NAME  "have a host name of letters, digits, '-' and '.', not "
#define SIX   "have an IPv6 address between '[' and ']', not "
#define PLAIN "plain http is allowed to this machine only, not to "
#define TLS                                                                \
	" | write https://…, or accept that the network can listen and " \
	"change: allow_plain_http: true"

static void test_endpoints(void **state)
{
	static const char *const cases[][2] = {
		{ "https://s3.example", "" },
		{ "https://10.0.0.1:8443", "" },
		{ "http://127.0.0.1:7480", "" },
		{ "http://127.9.9.9", "" },
		{ "http://[::1]:9000", "" },
		{ "http://localhost:7480", "" },
		{ "https://[fd00::1]", "" },
		{ "https://S3.Example:443", "" },
		{ "s3.example", E "begin with https://, not 's3.example'" },
		{ "ftp://a", E "begin with https://, not 'ftp://a'" },
		{ "https://", E "have a host name, not 'https://'" },
		{ "https://a/b", E PORT "'https://a/b'" },
		{ "https://a/", E PORT "'https://a/'" },
		{ "https://a?x", E PORT "'https://a?x'" },
		{ "https://u@a", E PORT "'https://u@a'" },
		{ "https://a:", E PORT "'https://a:'" },
		{ "https://a:1x", E PORT "'https://a:1x'" },
		{ "https://a:0",
		  E "have a port from 1 to 65535, not 'https://a:0'" },
		{ "https://a:65536",
		  E "have a port from 1 to 65535, not 'https://a:65536'" },
		{ "https://a..b", E NAME "'https://a..b'" },
		{ "https://a_b", E NAME "'https://a_b'" },
		{ "https://127.1", E "have a host name or a whole address, not "
				     "'https://127.1'" },
		{ "https://[::1", E SIX "'https://[::1'" },
		{ "https://[x]", E SIX "'https://[x]'" },
		{ "http://s3.example", PLAIN "'s3.example'" TLS },
		{ "http://10.0.0.1:80", PLAIN "'10.0.0.1'" TLS },
		{ "http://127.0.0.1.example", PLAIN "'127.0.0.1.example'" TLS },
		{ "http://[::2]", PLAIN "'::2'" TLS },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_endpoint(cases[i][0], cases[i][1]);
}

/* One store of that kind; `more` are further keys of it. */
static void assert_store(const char *kind, const char *endpoint,
			 const char *more, const char *want)
{
	CLEANUP_BUF struct buf b = { 0 };

	buf_addf(&b,
		 GOOD_HEAD "stores:\n"
			   "  nas: {kind: dir, path: /nas}\n"
			   "  new: {endpoint: '%s', kind: %s%s}\n"
			   "trusts:\n" GOOD_REM,
		 endpoint, kind, more);
	assert_problems(buf_str(&b), want);
}

/* What is not proven must be accepted, by name where people are at risk. */
static void test_peers(void **state)
{
	assert_store("s3", "http://a", ", allow_plain_http: true", "");
	assert_store("s3v2", "http://a", ", allow_plain_http: true", "");
	assert_store("s3v2", "http://127.0.0.1:80", "", "");
	assert_store("s3v2", "https://a", ", accept_unverified_peer: SIRO-1",
		     "");
	assert_store("s3", "http://a", ", allow_plain_http: false",
		     "4:19 stores.new.endpoint: " PLAIN "'a'" TLS "\n");
	assert_store("s3v2", "http://a", "",
		     "4:19 stores.new.endpoint: " PLAIN "'a'" TLS "\n");
	assert_store("s3v2", "https://a", "",
		     "4:19 stores.new.endpoint: nobody checks the certificate "
		     "of 'a': kind s3v2 cannot | say who accepts that: "
		     "accept_unverified_peer: \"…\"\n");
	assert_store("s3v2", "https://a", ", accept_unverified_peer: ''",
		     "4:68 stores.new.accept_unverified_peer: "
		     "'accept_unverified_peer' must be 1 to 200 bytes long, "
		     "not ''\n");
	assert_store("s3v2", "http://127.1.1.1", ", accept_unverified_peer: x",
		     "4:75 stores.new.accept_unverified_peer: plain http has "
		     "no certificate that could be accepted | leave it out\n");
	assert_store("s3", "https://a", ", accept_unverified_peer: x",
		     "4:42 stores.new.accept_unverified_peer: "
		     "'accept_unverified_peer' is only for 'kind: s3v2' | "
		     "leave it out, or change 'kind'\n");
	assert_store("s3v2", "http://[::1]", ", ca_file: c, region: r",
		     "4:47 stores.new.ca_file: 'ca_file' is only for 'kind: "
		     "s3' | leave it out, or change 'kind'\n"
		     "4:59 stores.new.region: 'region' is only for 'kind: s3' "
		     "| leave it out, or change 'kind'\n");
}

static void test_timeouts(void **state)
{
	assert_store("s3", "https://a",
		     ", timeout: {connect: 0s, stall: 20, request: 2h, x: 1s}",
		     "4:61 stores.new.timeout.connect: 'connect' must be from "
		     "100ms to 5m, not '0s' | write a number with its unit, "
		     "such as 30s, 15m, 12h, 90d or 2y\n"
		     "4:72 stores.new.timeout.stall: 'stall' must be a "
		     "duration, not '20' | write a number with its unit, such "
		     "as 30s, 15m, 12h, 90d or 2y\n"
		     "4:85 stores.new.timeout.request: 'request' must be from "
		     "1s to 1h, not '2h' | write a number with its unit, such "
		     "as 30s, 15m, 12h, 90d or 2y\n"
		     "4:89 stores.new.timeout.x: unknown key 'x' | keys that "
		     "can stand here: connect, stall, request\n");
}

static void test_bandwidth(void **state)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_problems(
		TRUST "    bandwidth:\n"
		      "      - {when: 8-18, up: 50MB, down: 0MB/s}\n"
		      "      - {up: 1MB/s}\n"
		      "      - {when: 'Sat', down: 1MB/s, left: 5}\n"
		      "defaults: {bandwidth: 50MB/s}\n",
		"11:16 trusts.rem.bandwidth[0].when: 'when' must be days and "
		"hours, not '8-18' | write days, hours or both, such as "
		"\"Mon-Fri 08:00-18:00\", \"Sat,Sun\" or \"22:00-06:00\"\n"
		"11:26 trusts.rem.bandwidth[0].up: 'up' must be a rate, not "
		"'50MB' | write a rate such as 50MB/s or 400Mbit/s\n"
		"11:38 trusts.rem.bandwidth[0].down: 'down' must be from "
		"10kB/s to 1000GB/s, not '0MB/s' | write a rate such as "
		"50MB/s or 400Mbit/s\n"
		"12:9 trusts.rem.bandwidth[1]: this limit never holds: the one "
		"before it is for all times | put the one without 'when' "
		"last\n"
		"13:36 trusts.rem.bandwidth[2].left: unknown key 'left' | keys "
		"that can stand here: when, up, down\n"
		"14:23 defaults.bandwidth: 'bandwidth' must be a list of maps "
		"| write bandwidth: [first, second]\n");
	buf_addf(&b, TRUST "    bandwidth:\n");
	for (int i = 0; i < 33; i++)
		buf_addf(&b, "      - {when: Mon, up: %dMB/s}\n", i + 1);
	assert_problems(buf_str(&b),
			"43:9 trusts.rem.bandwidth[32]: 'bandwidth' can have "
			"32 items at most\n");
}

static void test_alarm_command(void **state)
{
	assert_problems(TRUST "gateway: {alarm_command: [page-ops, x]}\n",
			"10:27 gateway.alarm_command[0]: 'alarm_command' must "
			"begin with an absolute path, not 'page-ops' | write "
			"alarm_command: [/usr/local/bin/page-ops]\n");
	assert_problems(TRUST "gateway: {alarm_command: /bin/x y}\n",
			"10:26 gateway.alarm_command: 'alarm_command' must be "
			"a list of words | write alarm_command: [first, "
			"second]\n");
	assert_problems(TRUST "gateway: {alarm_command: []}\n",
			"10:26 gateway.alarm_command: 'alarm_command' is empty "
			"| leave it out\n");
	assert_problems(TRUST "gateway: {alarm_command: [/bin/x, {}, '']}\n",
			"10:35 gateway.alarm_command[1]: 'alarm_command' must "
			"be one value (text), not a map | write text\n"
			"10:39 gateway.alarm_command[2]: 'alarm_command' must "
			"be 1 to 200 bytes long, not ''\n");
}

static void test_single_writer(void **state)
{
	assert_problems(GOOD_HEAD GOOD_STORES
			"  rem:\n"
			"    user: mersey-rem\n"
			"    key: {file: k}\n"
			"    tiers: [{name: n, store: nas, bucket: rem-mersey, "
			"single_writer: confirm}]\n",
			"9:70 trusts.rem.tiers[0].single_writer: "
			"'single_writer' must be one of proven, confirmed, not "
			"'confirm' | did you mean 'confirmed'?\n");
	assert_problems(
		GOOD_HEAD
		"stores: {old: {kind: s3v2, endpoint: 'http://127.0.0.1'}}\n"
		"trusts:\n"
		"  rem:\n"
		"    user: mersey-rem\n"
		"    key: {file: k}\n"
		"    credentials: {old: a}\n"
		"    tiers: [{name: n, store: old, bucket: rem-mersey}]\n",
		"8:30 trusts.rem.tiers[0].store: store 'old' cannot prove that "
		"no other gateway writes there: kind s3v2 has no create-only "
		"PUT | if none ever does: single_writer: confirmed\n");
}

static void test_store_details(void **state)
{
	assert_problems(
		GOOD_HEAD
		"stores:\n"
		"  aws: {kind: s3, endpoint: "
		"'https://s3.eu-west-2.amazonaws.com', region: eu-west-1,"
		" address_style: virtual}\n"
		"  ip: {kind: s3, endpoint: 'https://10.0.0.1', region: r, "
		"address_style: virtual}\n"
		"trusts:\n"
		"  rem:\n"
		"    user: mersey-rem\n"
		"    key: {file: k}\n"
		"    credentials: {aws: a}\n"
		"    tiers: [{name: n, store: aws, bucket: rem.mersey}]\n",
		"3:75 stores.aws.region: the endpoint is in region "
		"'eu-west-2', not 'eu-west-1' | write region: eu-west-2\n"
		"4:74 stores.ip.address_style: 'virtual' needs a host name, "
		"not an address\n"
		"10:43 trusts.rem.tiers[0].bucket: a bucket with '.' in its "
		"name has no certificate when the address style is virtual | "
		"use address_style: path for store 'aws', or another "
		"bucket\n");
}

static void test_cache(void **state)
{
	assert_problems(GOOD "    cache: {low: 90%}\n"
			     "defaults: {cache: {high: 70%}}\n",
			"14:18 trusts.rbq.cache.low: 'low' (90%) must be below "
			"'high' (70%)\n"
			"15:26 defaults.cache.high: 'low' (80%) must be below "
			"'high' (70%)\n");
}

static void test_tiers(void **state)
{
	assert_problems(GOOD_HEAD GOOD_STORES
			"  rem:\n"
			"    user: mersey-rem\n"
			"    key: {file: k, credential: c}\n"
			"    tiers:\n"
			"      - {name: a, store: naz, bucket: abc}\n"
			"      - {name: b, store: nas, bucket: abc}\n"
			"  rbq:\n"
			"    user: mersey-rbq\n"
			"    key: {credential: ../c}\n"
			"    tiers: []\n",
			"8:10 trusts.rem.key: exactly one of 'file', "
			"'credential' must be there\n"
			"10:26 trusts.rem.tiers[0].store: 'store' must be one "
			"of 'stores', not 'naz' | did you mean 'nas'?\n"
			"14:23 trusts.rbq.key.credential: 'credential' must be "
			"the name of a credential: letters, digits, '.', '_' "
			"and '-', not '../c'\n"
			"15:12 trusts.rbq.tiers: 'tiers' is empty\n");
}

/* A trust with one tier, and room for more. */
#define S3_TIERS                                                     \
	GOOD_HEAD "stores:\n"                                        \
		  "  nas: {kind: dir, path: /nas}\n"                 \
		  "  s: {kind: s3, endpoint: 'https://s.example'}\n" \
		  "trusts:\n"                                        \
		  "  rem:\n"                                         \
		  "    user: u\n"                                    \
		  "    key: {file: k}\n"                             \
		  "    credentials: {s: c}\n"                        \
		  "    tiers:\n"                                     \
		  "      - {name: near, store: s, bucket: abc}\n" /* 11 */

static void test_several_tiers(void **state)
{
	assert_problems(S3_TIERS
			"      - {name: ir, store: s, bucket: abc, "
			"storage_class: GLACIER_IR}\n"
			"      - {name: other, store: s, bucket: abc, prefix: "
			"o/, object_size: 256MiB}\n",
			"");
	assert_problems(
		S3_TIERS "      - {name: near, store: s, bucket: abc}\n",
		"12:9 trusts.rem.tiers[1]: this tier is the same as tier "
		"'near': bucket, prefix and storage class are | give it "
		"another storage_class, or leave it out\n"
		"12:16 trusts.rem.tiers[1].name: there is a tier 'near' before "
		"this one | give each tier a name of its own\n");
	assert_problems(
		S3_TIERS
		"      - {name: local, store: s, bucket: xyz}\n"
		"      - {name: in, store: s, bucket: abc, prefix: "
		"mersey/rem/x/}\n"
		"      - {name: d, store: nas, bucket: abc, storage_class: "
		"GLACIER}\n"
		"      - {name: e, store: s, bucket: efg, storage_class: "
		"glacier-ir, object_size: 1GiB}\n",
		"12:16 trusts.rem.tiers[1].name: 'local' is the cache: no tier "
		"can have its name\n"
		"13:51 trusts.rem.tiers[2].prefix: prefix 'mersey/rem/x/' and "
		"prefix 'mersey/rem/' of tier 'near' in bucket 'abc' contain "
		"each other | give both tiers the same prefix, or other ones\n"
		"14:59 trusts.rem.tiers[3].storage_class: store 'nas' has no "
		"storage classes | leave it out\n"
		"15:57 trusts.rem.tiers[4].storage_class: 'storage_class' must "
		"be 1 to 31 capital letters, digits and '_', not "
		"'glacier-ir'\n"
		"15:82 trusts.rem.tiers[4].object_size: 'object_size' must be "
		"from 1MiB to 256MiB, not '1GiB' | write a size such as "
		"500GiB, 16MiB or 50GB\n");
	assert_problems(
		S3_TIERS
		"      - {name: f, store: s, bucket: abc, storage_class: "
		"GLACIER_IR, single_writer: confirmed}\n",
		"12:84 trusts.rem.tiers[1].single_writer: tier 'near' has the "
		"same bucket and prefix, and another 'single_writer'\n");
}

static void test_amounts(void **state)
{
	assert_problems(GOOD "    budget: 500\n",
			"14:13 trusts.rbq.budget: 'budget' must be an amount "
			"of a month, not '500' | write an amount in the "
			"currency of reports, such as £500/month\n");
	assert_problems(GOOD "    budget: $500/month\n",
			"14:13 trusts.rbq.budget: 'budget' must be in GBP, as "
			"reports are, not '$500/month' | write an amount in "
			"the currency of reports, such as £500/month\n");
	assert_problems(GOOD "    budget: £-5/month\n",
			"14:13 trusts.rbq.budget: 'budget' must not be "
			"negative, not '£-5/month' | write an amount in the "
			"currency of reports, such as £500/month\n");
	assert_problems(GOOD "    budget: £/month\n",
			"14:13 trusts.rbq.budget: 'budget' must be an exact "
			"decimal, not '£/month' | write an amount in the "
			"currency of reports, such as £500/month\n");
	assert_problems(GOOD "cost: {vat: 120%, local_disk: {tb_month: 12}}\n",
			"14:13 cost.vat: 'vat' must be at most 100%, not "
			"'120%' | write a share such as 85%\n"
			"14:19 cost.local_disk.as_of: required key 'as_of' is "
			"missing | as_of: Date of the figure.\n"
			"14:19 cost.local_disk.source: required key 'source' "
			"is missing | source: Where it comes from.\n"
			"14:42 cost.local_disk.tb_month: 'tb_month' must be in "
			"quotes | write an exact decimal in quotes, such as "
			"\"0.79\"\n");
}

static void test_credentials(void **state)
{
	assert_problems(
		GOOD_HEAD GOOD_STORES
		"  rem:\n"
		"    user: mersey-rem\n"
		"    key: {file: k}\n"
		"    credentials: {nas: a, cef: b}\n"
		"    tiers: [{name: n, store: ceph, bucket: rem-mersey}]\n"
		"  rbq:\n"
		"    user: mersey-rbq\n"
		"    key: {file: l}\n"
		"    credentials: {ceph: c}\n"
		"    tiers: [{name: n, store: nas, bucket: rbq-mersey}]\n",
		"9:18 trusts.rem.credentials: credentials for store 'ceph' are "
		"missing | credentials: {ceph: secrets/rem-ceph.cred}\n"
		"9:24 trusts.rem.credentials.nas: store 'nas' is a directory: "
		"it takes no credentials | leave it out\n"
		"9:27 trusts.rem.credentials.cef: there is no store 'cef'\n"
		"14:25 trusts.rbq.credentials.ceph: no tier of this trust uses "
		"store 'ceph' | leave it out\n");
}

/* From elsewhere than a file; one process has each of those once (S29). */
static void test_credential_sources(void **state)
{
	assert_problems(
		GOOD_HEAD GOOD_STORES
		"  rem:\n"
		"    user: mersey-rem\n"
		"    key: {file: k}\n"
		"    credentials: {ceph: {environment: true}}\n"
		"    tiers: [{name: n, store: ceph, bucket: rem-mersey}]\n"
		"  rbq:\n"
		"    user: mersey-rbq\n"
		"    key: {file: l}\n"
		"    credentials: {ceph: {environment: true}}\n"
		"    tiers: [{name: n, store: ceph, bucket: rbq-mersey}]\n"
		"  rxx:\n"
		"    user: mersey-rxx\n"
		"    key: {file: m}\n"
		"    credentials: {ceph: {instance_role: true}}\n"
		"    tiers: [{name: n, store: ceph, bucket: rxx-mersey}]\n",
		"14:25 trusts.rbq.credentials.ceph: credentials from the "
		"environment are for one store of one trust | ceph: "
		"secrets/rbq-ceph.cred\n"
		"19:25 trusts.rxx.credentials.ceph: all trusts of this machine "
		"could use its role: it is for a gateway with one trust | "
		"ceph: secrets/rxx-ceph.cred\n");
	assert_problems(
		GOOD_HEAD GOOD_STORES
		"  a: {user: ua, key: {file: k}, credentials: {ceph: {}}, "
		"tiers: [{name: n, store: ceph, bucket: aaa}]}\n"
		"  b: {user: ub, key: {file: l}, credentials: {ceph: {file: x, "
		"environment: true}}, tiers: [{name: n, store: ceph, bucket: "
		"bbb}]}\n"
		"  c: {user: uc, key: {file: m}, credentials: {ceph: {profile: "
		"p, environment: true, role: x}}, tiers: [{name: n, store: "
		"ceph, bucket: ccc}]}\n",
		"6:53 trusts.a.credentials.ceph: exactly one of 'file', "
		"'environment', 'instance_role' must be there | write ceph: "
		"secrets/….cred, or ceph: {file: …, profile: …}\n"
		"7:53 trusts.b.credentials.ceph: exactly one of 'file', "
		"'environment', 'instance_role' must be there | write ceph: "
		"secrets/….cred, or ceph: {file: …, profile: …}\n"
		"8:63 trusts.c.credentials.ceph.profile: 'profile' is one of a "
		"file | write ceph: secrets/….cred, or ceph: {file: …, "
		"profile: …}\n"
		"8:85 trusts.c.credentials.ceph.role: unknown key 'role' | "
		"keys that can stand here: file, profile, environment, "
		"instance_role\n");
}

static void test_exchange(void **state)
{
	assert_problems(TRUST "cost:\n"
			      "  currency: gbp\n"
			      "  exchange:\n"
			      "    USD: 0.79\n"
			      "    EUR: \"0.00\"\n"
			      "    CHF: \"1,2\"\n"
			      "    usd: \"0.8\"\n"
			      "    as_of: 2026-02-30\n",
			"11:13 cost.currency: 'currency' must be a currency of "
			"three capital letters, such as GBP, not 'gbp'\n"
			"12:3 cost.exchange.source: required key 'source' is "
			"missing | source: Who published them.\n"
			"13:10 cost.exchange.USD: 'USD' must be in "
			"quotes | write an exact decimal in quotes, such as "
			"\"0.79\"\n"
			"14:10 cost.exchange.EUR: a currency is not worth "
			"nothing\n"
			"15:10 cost.exchange.CHF: 'CHF' must be an "
			"exact decimal, not '1,2' | write an exact decimal in "
			"quotes, such as \"0.79\"\n"
			"16:5 cost.exchange.usd: 'usd' must be a currency of "
			"three capital letters, such as GBP | keys that can "
			"stand here: as_of, source, and currencies\n"
			"17:12 cost.exchange.as_of: 'as_of' must be a date "
			"that exists, not '2026-02-30' | write a date such as "
			"2027-03-31\n");
}

static void test_runtime_dir(void **state)
{
	char text[512];

	snprintf(text, sizeof(text), TRUST "gateway:\n  runtime_dir: /%0100d\n",
		 0);
	assert_problems(text, "11:16 gateway.runtime_dir: 'runtime_dir' must "
			      "be at most 85 bytes long: the names of sockets "
			      "are limited\n");
}

static void test_format(void **state)
{
	struct config_problem p = { .file = (char *)"m.yaml",
				    .line = 3,
				    .column = 7,
				    .message = (char *)"wrong" };
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(config_problem_format(&p, &b), 0);
	assert_string_equal(buf_str(&b), "m.yaml:3:7: wrong");
	b.len = 0;
	p.line = 0;
	p.suggestion = (char *)"do it";
	assert_int_equal(config_problem_format(&p, &b), 0);
	assert_string_equal(buf_str(&b), "m.yaml: wrong\n  do it");
}

static void test_unreadable(void **state)
{
	struct config_problems ps = { 0 };
	struct config *c = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(config_load("/nonexistent/m.yaml", &c, &ps, &err),
			 -ENOENT);
	assert_string_equal(err.msg, "cannot read the config "
				     "'/nonexistent/m.yaml': No such file or "
				     "directory");
	assert_int_equal(ps.n, 0);
	assert_null(c);
	assert_int_equal(config_load("/", &c, &ps, NULL), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_stores),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_alarm_command),
		cmocka_unit_test(test_single_writer),
		cmocka_unit_test(test_store_details),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_tiers),
		cmocka_unit_test(test_several_tiers),
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_credential_sources),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_runtime_dir),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
