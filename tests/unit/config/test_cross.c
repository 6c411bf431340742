/* SPDX-License-Identifier: Apache-2.0 */
/* Trusts against each other, and everything against the paths in use. */
#include "tests/unit/config/parse.h"

#define BUCKET_HINT                                                        \
	" | give each trust a bucket of its own, or prefixes that do not " \
	"contain each other\n"
#define PLACE_HINT " | each needs a place of its own\n"

/* Two trusts, each with what is given for the line of its tiers. */
static void assert_tiers(const char *stores, const char *rem, const char *rbq,
			 const char *want)
{
	CLEANUP_BUF struct buf b = { 0 };

	buf_addf(&b,
		 "version: 1\n"
		 "stores: {%s}\n"
		 "trusts:\n"
		 "  rem:\n"
		 "    user: mersey-rem\n"
		 "    key: {file: /sec/rem.key}\n"
		 "    credentials: {a: /sec/rem.cred}\n"
		 "    tiers: [{name: near, store: a, %s}]\n"
		 "  rbq:\n"
		 "    user: mersey-rbq\n"
		 "    key: {file: /sec/rbq.key}\n"
		 "    credentials: {b: /sec/rbq.cred}\n"
		 "    tiers: [{name: near, store: b, %s}]\n",
		 stores, rem, rbq);
	assert_problems(buf_str(&b), want);
}

#define S3(a, b) \
	"a: {kind: s3, endpoint: '" a "'}, b: {kind: s3, endpoint: '" b "'}"

static void test_bucket(void **state)
{
	static const char one[] =
		S3("https://s3.example", "https://S3.example:443");
	static const char other[] =
		S3("https://s3.example", "https://s3.example:8443");

	/* the same bucket: default prefixes keep them apart */
	assert_tiers(one, "bucket: shared", "bucket: shared", "");
	assert_tiers(one, "bucket: shared, prefix: x/",
		     "bucket: shared, prefix: x/",
		     "13:60 trusts.rbq.tiers[0].prefix: bucket 'shared', "
		     "prefix 'x/' of trust 'rbq' is also bucket 'shared', "
		     "prefix 'x/' of trust 'rem' on the same "
		     "service" BUCKET_HINT);
	assert_tiers(one, "bucket: shared, prefix: x/",
		     "bucket: shared, prefix: x/y/",
		     "13:60 trusts.rbq.tiers[0].prefix: bucket 'shared', "
		     "prefix 'x/y/' of trust 'rbq' lies inside bucket "
		     "'shared', prefix 'x/' of trust 'rem' on the same "
		     "service" BUCKET_HINT);
	assert_tiers(one, "bucket: shared", "bucket: shared, prefix: ''",
		     "13:44 trusts.rbq.tiers[0].bucket: bucket 'shared', "
		     "prefix '' of trust 'rbq' contains bucket 'shared', "
		     "prefix 'mersey/rem/' of trust 'rem' on the same "
		     "service" BUCKET_HINT);
	/* no containment: another bucket, a prefix that only looks alike */
	assert_tiers(one, "bucket: shared", "bucket: shared2, prefix: ''", "");
	assert_tiers(one, "bucket: shared, prefix: x/",
		     "bucket: shared, prefix: xy/", "");
	assert_tiers(other, "bucket: shared, prefix: x/",
		     "bucket: shared, prefix: x/", "");
}

static void test_services(void **state)
{
	static const char same[] =
		"13:60 trusts.rbq.tiers[0].prefix: bucket 'shared', prefix "
		"'x/' of trust 'rbq' is also bucket 'shared', prefix 'x/' of "
		"trust 'rem' on the same service" BUCKET_HINT;
	static const char x[] = "bucket: shared, prefix: x/";

	assert_tiers(S3("http://127.0.0.1:7480", "http://localhost:7480"), x, x,
		     same);
	assert_tiers(S3("http://127.0.0.1:7480", "http://[::1]:7480"), x, x,
		     same);
	/* bucket names are global in AWS */
	assert_tiers("a: {kind: s3, endpoint: "
		     "'https://s3.eu-west-2.amazonaws.com', region: eu-west-2},"
		     "b: {kind: s3, endpoint: "
		     "'https://s3.eu-west-1.amazonaws.com', region: eu-west-1}",
		     x, x, same);
}

static void test_directories(void **state)
{
	assert_problems(GOOD_HEAD "stores:\n"
				  "  nas: {kind: dir, path: /nas}\n"
				  "  b: {kind: dir, path: /nas/.}\n"
				  "  c: {kind: dir, path: /nas/a/../sub}\n"
				  "trusts:\n" GOOD_REM GOOD_RBQ,
			"5:24 stores.c.path: the directory of store 'c' "
			"(/nas/sub) lies inside the directory of store "
			"'nas' (/nas)" PLACE_HINT
			"5:24 stores.c.path: the directory of store 'c' "
			"(/nas/sub) lies inside the directory of store 'b' "
			"(/nas)" PLACE_HINT);
	assert_problems(
		GOOD_HEAD
		"stores: {a: {kind: dir, path: /n}, b: {kind: dir, "
		"path: /n}}\n"
		"trusts:\n"
		"  rem:\n"
		"    user: mersey-rem\n"
		"    key: {file: /sec/rem.key}\n"
		"    tiers: [{name: n, store: a, bucket: xyz, prefix: ''}]\n"
		"  rbq:\n"
		"    user: mersey-rbq\n"
		"    key: {file: /sec/rbq.key}\n"
		"    tiers: [{name: n, store: b, bucket: xyz}]\n",
		"11:13 trusts.rbq.tiers[0].prefix: bucket 'xyz', prefix "
		"'mersey/rbq/' of trust 'rbq' lies inside bucket 'xyz', prefix "
		"'' of trust 'rem' on the same service" BUCKET_HINT);
}

static void test_users(void **state)
{
	assert_problems(GOOD_HEAD GOOD_STORES GOOD_REM
			"    root: {owner: mersey-rbq}\n" GOOD_RBQ
			"    root: {owner: mersey-rem}\n",
			"10:19 trusts.rem.root.owner: the owner of 'rem' is "
			"the service account of trust 'rbq'\n"
			"15:19 trusts.rbq.root.owner: the owner of 'rbq' is "
			"the service account of trust 'rem'\n");
	assert_problems(GOOD
			"  rxx:\n"
			"    user: mersey-rem\n"
			"    key: {file: /sec/rxx.key}\n"
			"    tiers: [{name: n, store: nas, bucket: xxx}]\n",
			"15:11 trusts.rxx.user: trusts 'rem' and 'rxx' have "
			"the same service account 'mersey-rem' | each trust "
			"needs its own: user: mersey-rxx\n");
	assert_problems(GOOD_HEAD GOOD_STORES
			"  a: {user: 700, key: {file: /sec/a}, tiers: [{name: "
			"n, store: nas, bucket: aaa}]}\n"
			"  b: {user: 0700, key: {file: /sec/b}, tiers: [{name: "
			"n, store: nas, bucket: bbb}]}\n",
			"7:13 trusts.b.user: trusts 'a' and 'b' have the same "
			"service account '0700' | each trust needs its own: "
			"user: mersey-b\n");
}

static void test_keys(void **state)
{
	assert_problems(
		GOOD_HEAD GOOD_STORES
		"  a: {user: ua, key: {file: /sec/../sec/a}, tiers: [{name: "
		"n, store: nas, bucket: aaa}]}\n"
		"  b: {user: ub, key: {file: /sec/a}, tiers: [{name: "
		"n, store: nas, bucket: bbb}]}\n"
		"  c: {user: uc, key: {credential: k}, tiers: [{name: "
		"n, store: nas, bucket: ccc}]}\n"
		"  d: {user: ud, key: {credential: k}, tiers: [{name: "
		"n, store: nas, bucket: ddd}]}\n",
		"7:29 trusts.b.key.file: the key file of trust 'b' is also the "
		"key file of trust 'a': /sec/a" PLACE_HINT
		"9:35 trusts.d.key.credential: trusts 'c' and 'd' have the "
		"same key credential | each trust needs a key of its own\n");
}

static void test_credentials(void **state)
{
	assert_problems(
		GOOD_HEAD GOOD_STORES
		"  a: {user: ua, key: {file: /sec/a}, credentials: {ceph: "
		"/sec/c}, tiers: [{name: n, store: ceph, bucket: aaa}]}\n"
		"  b: {user: ub, key: {file: /sec/b}, credentials: {ceph: "
		"/sec/c}, tiers: [{name: n, store: ceph, bucket: bbb}]}\n"
		"  c: {user: uc, key: {file: /sec/d}, credentials: {ceph: "
		"/sec/d}, tiers: [{name: n, store: ceph, bucket: ccc}]}\n",
		"7:58 trusts.b.credentials.ceph: the credentials file of trust "
		"'b' is also the credentials file of trust 'a': "
		"/sec/c" PLACE_HINT
		"8:58 trusts.c.credentials.ceph: the credentials file of trust "
		"'c' is also the key file of trust 'c': /sec/d" PLACE_HINT);
}

static void test_mounts(void **state)
{
	assert_problems(
		GOOD "    mount: /srv/mersey/rem\n",
		"14:12 trusts.rbq.mount: the mount point of trust 'rbq' is "
		"also the mount point of trust 'rem': "
		"/srv/mersey/rem" PLACE_HINT);
	assert_problems(
		GOOD "    mount: /srv/mersey/rem/rbq\n",
		"14:12 trusts.rbq.mount: the mount point of trust 'rbq' "
		"(/srv/mersey/rem/rbq) lies inside the mount point of trust "
		"'rem' (/srv/mersey/rem)" PLACE_HINT);
	assert_problems(
		GOOD "    mount: /var/lib/mersey/rem\n",
		"14:12 trusts.rbq.mount: the mount point of trust 'rbq' is "
		"also the state directory of trust 'rem': "
		"/var/lib/mersey/rem" PLACE_HINT);
	assert_problems(
		GOOD_HEAD GOOD_STORES GOOD_REM "    mount: /nas/mnt\n",
		"10:12 trusts.rem.mount: the mount point of trust 'rem' "
		"(/nas/mnt) lies inside the directory of store 'nas' "
		"(/nas)" PLACE_HINT);
}

static void test_state_dirs(void **state)
{
	assert_problems(
		GOOD_HEAD GOOD_STORES GOOD_REM
		"gateway: {state_dir: /nas, mount_dir: /m, runtime_dir: "
		"/nas/rem/run}\n",
		"3:26 stores.nas.path: the directory of store 'nas' (/nas) "
		"contains the runtime directory of the gateway "
		"(/nas/rem/run)" PLACE_HINT
		"6:3 trusts.rem: the state directory of trust 'rem' (/nas/rem) "
		"contains the runtime directory of the gateway "
		"(/nas/rem/run)" PLACE_HINT
		"6:3 trusts.rem: the state directory of trust 'rem' (/nas/rem) "
		"lies inside the directory of store 'nas' (/nas)" PLACE_HINT);
	assert_problems(
		GOOD_HEAD GOOD_STORES
		"  rem:\n"
		"    user: mersey-rem\n"
		"    key: {file: /var/lib/mersey/rem/key}\n"
		"    tiers: [{name: near, store: nas, bucket: rem-mersey}]\n",
		"8:17 trusts.rem.key.file: the key file of trust 'rem' "
		"(/var/lib/mersey/rem/key) lies inside the state directory of "
		"trust 'rem' (/var/lib/mersey/rem)" PLACE_HINT);
	/* beside each other, and the runtime directory above: fine */
	assert_problems(GOOD "gateway: {state_dir: /w/state, mount_dir: "
			     "/w/mnt, runtime_dir: /w}\n",
			"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_state_dirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
