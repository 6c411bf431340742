/* SPDX-License-Identifier: Apache-2.0 */
/* Root keys, key objects, the key ring and the volume marker. */
#include "tests/unit/pack/fixture.h"

#include <ctype.h>

#include "base/hex.h"

/* ---- root key --------------------------------------------------------- */

/* The key of the bytes 00, 01, ... 1f; its SHA-256 starts with 630dcd29. */
#define KNOWN_HEX                          \
	"000102030405060708090a0b0c0d0e0f" \
	"101112131415161718191a1b1c1d1e1f"
#define KNOWN_TEXT "mersey-root-key-1 " KNOWN_HEX " 630dcd29"

static int parse(const char *text, struct pack_root *out, struct err *err)
{
	return pack_root_parse(text, strlen(text), out, err);
}

static void test_root_text(void **state)
{
	CLEANUP_BUF struct buf text = { 0 };
	struct pack_root a, b;
	char id_a[17], id_b[17];

	assert_int_equal(pack_root_new(&a, &text), 0);
	assert_int_equal(text.len, 18 + 64 + 1 + 8 + 1);
	assert_int_equal(text.data[text.len - 1], '\n');
	assert_int_equal(pack_root_parse((char *)text.data, text.len, &b, NULL),
			 0);
	assert_memory_equal(&a, &b, sizeof(a));
	pack_root_id(&a, id_a);
	pack_root_id(&b, id_b);
	assert_string_equal(id_a, id_b);
	/* The public id is no part of the secret text. */
	assert_null(strstr(buf_str(&text), id_a));
	pack_root_done(&b);
	assert_true(pack_all_zero(&b, sizeof(b)));
	text.len = 0;
	assert_int_equal(pack_root_new(&b, &text), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

static void test_root_known(void **state)
{
	struct pack_root root;
	char id[17];
	int i;

	assert_int_equal(parse(KNOWN_TEXT "\n", &root, NULL), 0);
	for (i = 0; i < 32; i++)
		assert_int_equal(root.key[i], i);
	/* RFC 5869 with the label of the format: never to change. */
	pack_root_id(&root, id);
	assert_string_equal(id, "33062d7e6ade4e2b");
	/* Typed by hand: line ends and letter case do not matter. */
	assert_int_equal(parse(KNOWN_TEXT, &root, NULL), 0);
	assert_int_equal(parse(KNOWN_TEXT " \r\n\n", &root, NULL), 0);
	assert_int_equal(parse("mersey-root-key-1 "
			       "000102030405060708090A0B0C0D0E0F"
			       "101112131415161718191A1B1C1D1E1F 630DCD29",
			       &root, NULL),
			 0);
}

static void test_root_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"mersey-root-key-1",
		"mersey-root-key-2 " KNOWN_HEX " 630dcd29",
		"mersey-root-key-1 " KNOWN_HEX,
		"mersey-root-key-1 " KNOWN_HEX "  30dcd29",
		"mersey-root-key-1 " KNOWN_HEX " 630dcd2",
		"mersey-root-key-1 " KNOWN_HEX " 630dcd299",
		" " KNOWN_TEXT,
		KNOWN_HEX,
	};
	struct pack_root root, before;
	struct err err = ERR_INIT;
	size_t i;

	memset(&root, 0x55, sizeof(root));
	before = root;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(bad[i], &root, &err), -EINVAL);
		assert_string_equal(err.msg, "not a Mersey root key");
		assert_memory_equal(&root, &before, sizeof(root));
	}
}

/* Each mistyped digit is noticed, and the message does not repeat the key. */
static void test_root_typos(void **state)
{
	char text[] = KNOWN_TEXT;
	struct err err = ERR_INIT;
	struct pack_root root;
	size_t i;

	for (i = 18; text[i]; i++) {
		char was = text[i];

		if (!isxdigit((unsigned char)was))
			continue;
		text[i] = was == '7' ? '8' : '7';
		assert_int_equal(parse(text, &root, &err), -EINVAL);
		assert_string_equal(
			err.msg, "the root key does not fit its check digits");
		assert_null(strstr(err.hint, "0001"));
		text[i] = was;
	}
}

/* ---- key objects ------------------------------------------------------ */

/* Adds the key object to a new ring of `volume`. */
static int add_to_new(const struct pack_volume_id *volume,
		      const struct pack_root *root, const struct buf *object,
		      struct err *err)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(volume);
	int rc = pack_keyring_add(kr, root, object->data, object->len, err);

	assert_int_equal(pack_keyring_newest(kr), rc == 0 ? 1 : 0);
	return rc;
}

static void test_key_object(void **state)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(&keys.volume);
	CLEANUP_BUF struct buf p = { 0 };
	struct pack_volume_id v;
	char name[PACK_NAME_SIZE], id[17], want[PACK_NAME_SIZE];

	assert_int_equal(keys.object.len, PACK_KEY_OBJECT_SIZE);
	assert_null(
		memmem(keys.object.data, keys.object.len, keys.root.key, 8));
	assert_int_equal(
		pack_key_object_volume(keys.object.data, keys.object.len, &v),
		0);
	assert_memory_equal(&v, &keys.volume, sizeof(v));
	assert_int_equal(pack_keyring_newest(kr), 0);
	assert_int_equal(pack_keyring_add(kr, &keys.root, keys.object.data,
					  keys.object.len, NULL),
			 0);
	assert_int_equal(pack_keyring_newest(kr), 1);
	assert_memory_equal(pack_keyring_volume(kr), &keys.volume, 16);
	/* Again is fine, and what one ring sealed the other opens. */
	assert_int_equal(pack_keyring_add(kr, &keys.root, keys.object.data,
					  keys.object.len, NULL),
			 0);
	small_pack(&keys, &p);
	assert_int_equal(read_all(kr, p.data, p.len, NULL, NULL), 0);
	pack_key_object_name(0x1f, &keys.root, name);
	pack_root_id(&keys.root, id);
	snprintf(want, sizeof(want), "keys/0000001f-%s", id);
	assert_string_equal(name, want);
}

static void test_key_object_refused(void **state)
{
	CLEANUP_BUF struct buf o = { 0 };
	struct err err = ERR_INIT;
	size_t i;

	assert_int_equal(
		add_to_new(&keys.volume, &other.root, &keys.object, &err),
		-EBADMSG);
	assert_non_null(strstr(err.msg, "another root key"));
	assert_int_equal(
		add_to_new(&other.volume, &keys.root, &keys.object, &err),
		-EBADMSG);
	assert_non_null(strstr(err.msg, "another volume"));
	assert_int_equal(buf_add(&o, keys.object.data, keys.object.len), 0);
	for (i = 0; i < 8 * o.len; i++) {
		o.data[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(add_to_new(&keys.volume, &keys.root, &o, &err),
				 -EBADMSG);
		o.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (o.len = 0; o.len < PACK_KEY_OBJECT_SIZE; o.len++)
		assert_int_equal(add_to_new(&keys.volume, &keys.root, &o, &err),
				 -EBADMSG);
	assert_int_equal(buf_add(&o, "x", 1), 0);
	assert_int_equal(add_to_new(&keys.volume, &keys.root, &o, &err),
			 -EBADMSG);
	assert_int_equal(pack_key_object_volume(o.data, o.len, &keys.volume),
			 -EBADMSG);
}

/* A foreign object that is relabelled as ours is still not ours. */
static void test_key_object_relabelled(void **state)
{
	CLEANUP_BUF struct buf o = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(buf_add(&o, other.object.data, other.object.len), 0);
	memcpy(o.data + KEYOBJ_VOLUME, keys.volume.b, 16);
	memcpy(o.data + KEYOBJ_ROOT_ID, keys.object.data + KEYOBJ_ROOT_ID, 8);
	assert_int_equal(add_to_new(&keys.volume, &keys.root, &o, &err),
			 -EBADMSG);
	assert_string_equal(err.msg, "the key object is damaged");
}

static void test_generations(void **state)
{
	static const uint32_t gens[] = { 5, 1, UINT32_MAX, 3, 2, 4 };
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(&keys.volume);
	CLEANUP_BUF struct buf o = { 0 };
	uint8_t salt[PACK_SALT_SIZE] = { 1 };
	struct pack_id id = { { 2 } };
	struct pack_key k;
	uint32_t gen;
	size_t i;

	assert_int_equal(pack_keyring_create(kr, &keys.root, 0, &o), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(gens); i++)
		assert_int_equal(
			pack_keyring_create(kr, &keys.root, gens[i], &o), 0);
	assert_int_equal(o.len, ARRAY_SIZE(gens) * PACK_KEY_OBJECT_SIZE);
	assert_true(pack_keyring_newest(kr) == UINT32_MAX);
	assert_int_equal(pack_keyring_create(kr, &keys.root, 3, &o), -EEXIST);
	assert_int_equal(o.len, ARRAY_SIZE(gens) * PACK_KEY_OBJECT_SIZE);
	for (gen = 0; gen < 8; gen++)
		assert_int_equal(pack_key_derive(kr, gen, salt, &id, &k),
				 gen >= 1 && gen <= 5 ? 0 : -ENOKEY);
	pack_key_done(&k);
	assert_true(pack_all_zero(&k, sizeof(k)));
	/* More than fit the first allocation, all found. */
	for (gen = 100; gen < 200; gen++)
		assert_int_equal(pack_keyring_create(kr, &keys.root, gen, &o),
				 0);
	for (gen = 100; gen < 200; gen++)
		assert_int_equal(pack_key_derive(kr, gen, salt, &id, &k), 0);
}

static void test_two_keys_of_one_generation(void **state)
{
	CLEANUP(pack_keyring_free_guard)
	struct pack_keyring *kr = pack_keyring_new(&keys.volume);
	CLEANUP_BUF struct buf o = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(pack_keyring_create(kr, &keys.root, 1, &o), 0);
	assert_int_equal(pack_keyring_add(kr, &keys.root, keys.object.data,
					  keys.object.len, &err),
			 -EEXIST);
	assert_non_null(strstr(err.msg, "two different keys"));
}

/* Each input of the derivation matters. */
static void test_derive(void **state)
{
	CLEANUP_BUF struct buf o = { 0 };
	uint8_t salt[PACK_SALT_SIZE] = { 1 };
	struct pack_id id = { { 2 } };
	struct pack_key a, b;

	assert_int_equal(pack_key_derive(keys.kr, 1, salt, &id, &a), 0);
	assert_int_equal(pack_key_derive(keys.kr, 1, salt, &id, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	salt[31] ^= 1;
	assert_int_equal(pack_key_derive(keys.kr, 1, salt, &id, &b), 0);
	assert_memory_not_equal(a.key, b.key, PACK_KEY_SIZE);
	salt[31] ^= 1;
	id.b[15] ^= 1;
	assert_int_equal(pack_key_derive(keys.kr, 1, salt, &id, &b), 0);
	assert_memory_not_equal(a.key, b.key, PACK_KEY_SIZE);
	id.b[15] ^= 1;
	assert_int_equal(pack_keyring_create(keys.kr, &keys.root, 2, &o), 0);
	assert_int_equal(pack_key_derive(keys.kr, 2, salt, &id, &b), 0);
	assert_memory_not_equal(a.key, b.key, PACK_KEY_SIZE);
}

/* ---- headers without keys --------------------------------------------- */

static void test_header_parse(void **state)
{
	CLEANUP_BUF struct buf p = { 0 };
	struct pack_header h;

	small_pack(&other, &p);
	assert_int_equal(pack_header_parse(p.data, p.len, &h), 0);
	assert_int_equal(pack_header_parse(p.data, PACK_HEADER_SIZE, &h), 0);
	assert_int_equal(h.version, 1);
	assert_int_equal(h.generation, 1);
	assert_memory_equal(&h.volume, &other.volume, sizeof(h.volume));
	assert_int_equal(pack_header_parse(p.data, PACK_HEADER_SIZE - 1, &h),
			 -EBADMSG);
	assert_int_equal(pack_header_parse(NULL, 0, &h), -EBADMSG);
	p.data[HEADER_VERSION] = 2;
	assert_int_equal(pack_header_parse(p.data, p.len, &h), -EBADMSG);
}

/* ---- marker ----------------------------------------------------------- */

static void test_marker(void **state)
{
	CLEANUP_BUF struct buf m = { 0 };
	struct pack_volume_id v = { { 0 } };
	struct err err = ERR_INIT;
	char hex[33];

	assert_int_equal(pack_marker_make(&keys.volume, &keys.root, &m), 0);
	hex_encode(keys.volume.b, 16, hex);
	assert_memory_equal(m.data, "{\"mersey\":1,\"volume\":\"", 22);
	assert_memory_equal(m.data + 22, hex, 32);
	assert_int_equal(pack_marker_check(m.data, m.len, &keys.root, &v, NULL),
			 0);
	assert_memory_equal(&v, &keys.volume, sizeof(v));
	assert_int_equal(
		pack_marker_check(m.data, m.len, &other.root, &v, &err),
		-EKEYREJECTED);
	assert_non_null(strstr(err.msg, "root key"));
}

static void test_marker_refused(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"mersey\":1}\n",
					   "<?xml version=\"1.0\"?>" };
	CLEANUP_BUF struct buf m = { 0 };
	struct pack_volume_id v;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pack_marker_check(bad[i], strlen(bad[i]),
						   &keys.root, &v, NULL),
				 -EBADMSG);
	assert_int_equal(pack_marker_make(&keys.volume, &keys.root, &m), 0);
	len = m.len;
	for (i = 0; i < 8 * len; i++) {
		int rc;

		m.data[i / 8] ^= (uint8_t)(1 << i % 8);
		rc = pack_marker_check(m.data, len, &keys.root, &v, NULL);
		/* A changed root id looks like another root key. */
		assert_true(rc == -EBADMSG || rc == -EKEYREJECTED);
		m.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < len; i++)
		assert_int_equal(
			pack_marker_check(m.data, i, &keys.root, &v, NULL),
			-EBADMSG);
	assert_int_equal(buf_add(&m, "\n", 1), 0);
	assert_int_equal(pack_marker_check(m.data, m.len, &keys.root, &v, NULL),
			 -EBADMSG);
}

/* ---- claims ----------------------------------------------------------- */

static struct pack_claim a_claim(void)
{
	return (struct pack_claim){ .generation = 2,
				    .volume = keys.volume,
				    .owner = "an owner's name",
				    .gateway = "gw1.rem",
				    .host = "node \"1\"\n",
				    .boot = "one of the boots",
				    .pid = 4711,
				    .claimed_at = "2026-11-24T04:00:00Z",
				    .nonce = "once and no more" };
}

static void test_claim(void **state)
{
	struct pack_claim c = a_claim(), got = { 0 };
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(pack_claim_make(&c, &b), 0);
	assert_true(b.len <= PACK_CLAIM_MAX);
	assert_int_equal(pack_claim_parse(b.data, b.len, &got), 0);
	assert_int_equal(got.generation, 2);
	assert_memory_equal(&got.volume, &c.volume, sizeof(c.volume));
	assert_memory_equal(got.owner, c.owner, sizeof(c.owner));
	assert_memory_equal(got.boot, c.boot, sizeof(c.boot));
	assert_memory_equal(got.nonce, c.nonce, sizeof(c.nonce));
	assert_string_equal(got.gateway, "gw1.rem");
	assert_string_equal(got.host, "node__1__"); /* no quotes, no lines */
	assert_int_equal(got.pid, 4711);
	assert_string_equal(got.claimed_at, c.claimed_at);
	/* Names as long as they come. */
	b.len = 0;
	memset(c.gateway, 'x', sizeof(c.gateway) - 1);
	memset(c.host, 0, sizeof(c.host));
	assert_int_equal(pack_claim_make(&c, &b), 0);
	assert_int_equal(pack_claim_parse(b.data, b.len, &got), 0);
	assert_string_equal(got.gateway, c.gateway);
	assert_string_equal(got.host, "unnamed");
}

static void test_claim_refused(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"mersey\":1}\n",
					   "{\"mersey\":1,\"generation\":" };
	struct pack_claim c = a_claim(), got;
	CLEANUP_BUF struct buf b = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(pack_claim_parse(bad[i], strlen(bad[i]), &got),
				 -EBADMSG);
	assert_int_equal(pack_claim_make(&c, &b), 0);
	for (i = 0; i < b.len; i++) {
		assert_int_equal(pack_claim_parse(b.data, i, &got), -EBADMSG);
		b.data[i] ^= 0x80;
		assert_int_equal(pack_claim_parse(b.data, b.len, &got),
				 -EBADMSG);
		b.data[i] ^= 0x80;
	}
	assert_int_equal(buf_add(&b, "\n", 1), 0);
	assert_int_equal(pack_claim_parse(b.data, b.len, &got), -EBADMSG);
}

static void test_claim_names(void **state)
{
	char name[PACK_CLAIM_NAME_SIZE], object[PACK_NAME_SIZE];
	struct pack_id id = { { 0 } };
	uint8_t a[16], b[16];

	pack_claim_name(0x1f, name);
	assert_string_equal(name, "gen/0000001f");
	assert_int_equal(pack_name_generation(name), 0x1f);
	pack_object_name(0xfedcba98, 5, &id, object);
	assert_int_equal(pack_name_generation(object), 0xfedcba98);
	assert_int_equal(pack_name_generation("gen/0000001f-"), 0);
	assert_int_equal(pack_name_generation("gen/0000001F"), 0);
	assert_int_equal(pack_name_generation("gen/1f"), 0);
	assert_int_equal(pack_name_generation("packs/0000001f"), 0);
	assert_int_equal(pack_name_generation("keys/0000001f-"), 0);
	assert_int_equal(pack_name_generation(""), 0);
	/* One owner of a machine is another under another root key. */
	assert_int_equal(pack_claim_owner(&keys.root, "m", 1, a), 0);
	assert_int_equal(pack_claim_owner(&other.root, "m", 1, b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_int_equal(pack_claim_owner(&keys.root, "m", 1, b), 0);
	assert_memory_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_text),
		cmocka_unit_test(test_root_known),
		cmocka_unit_test(test_root_refused),
		cmocka_unit_test(test_root_typos),
		cmocka_unit_test(test_key_object),
		cmocka_unit_test(test_key_object_refused),
		cmocka_unit_test(test_key_object_relabelled),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_two_keys_of_one_generation),
		cmocka_unit_test(test_derive),
		cmocka_unit_test(test_header_parse),
		cmocka_unit_test(test_marker),
		cmocka_unit_test(test_marker_refused),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_claim_refused),
		cmocka_unit_test(test_claim_names),
	};

	return RUN_TESTS(tests, setup, teardown);
}
