/* SPDX-License-Identifier: Apache-2.0 */
/* The schema and the JSON of config show, read by a JSON library that is not
 * ours, and compared with the tables. */
#include "tests/unit/config/parse.h"

#include <jansson.h>

#include "config/keys.h"
#include "config/shape.h"
#include "config/value.h"

static json_t *read_json(struct buf *b)
{
	json_error_t e;
	json_t *j =
		json_loadb((char *)b->data, b->len, JSON_REJECT_DUPLICATES, &e);

	if (!j)
		print_error("%d:%d %s\n", e.line, e.column, e.text);
	assert_non_null(j);
	return j;
}

static json_t *schema(void)
{
	CLEANUP_BUF struct buf b = { 0 };

	assert_int_equal(config_schema(&b), 0);
	return read_json(&b);
}

static const char *text(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

static void check_section(const struct config_section *s, const json_t *j);

static void check_key(const struct config_key *k, const json_t *j)
{
	const json_t *def = json_object_get(j, "default");

	assert_non_null(j);
	assert_string_equal(text(j, "title"), k->name);
	assert_string_equal(text(j, "description"), k->help);
	assert_string_equal(text(j, "x-type"), config_type_name(k));
	assert_non_null(json_object_get(j, "type"));
	assert_true((def != NULL) == (k->def != NULL));
	if (k->type == CONFIG_BYTES)
		assert_string_equal(text(j, "x-unit"), "bytes");
	if (json_is_string(def))
		assert_string_equal(json_string_value(def), k->def);
	if (k->type == CONFIG_SECTION)
		check_section(k->section, j);
	if (k->type == CONFIG_NAMED)
		check_section(k->section,
			      json_object_get(j, "additionalProperties"));
	if (k->type == CONFIG_ITEMS)
		check_section(k->section, json_object_get(j, "items"));
}

static bool listed(const json_t *list, const char *word)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), word) ==
		    0)
			return true;
	return false;
}

/* Each row of the table has its property, and there is no other. */
static void check_section(const struct config_section *s, const json_t *j)
{
	const json_t *props = json_object_get(j, "properties");
	const json_t *required = json_object_get(j, "required");
	const struct config_section *all;
	size_t n = 0, i;

	assert_true(json_is_false(json_object_get(j, "additionalProperties")));
	for (all = s; all; all = all->inherited) {
		for (i = 0; i < all->n; i++) {
			const struct config_key *k = &all->keys[i];

			if (!config_key_known(k)) {
				assert_null(json_object_get(props, k->name));
				continue;
			}
			check_key(k, json_object_get(props, k->name));
			assert_true(listed(required, k->name) ==
				    (k->required && !k->only));
			n++;
		}
	}
	assert_int_equal(json_object_size(props), n);
	if (s->any)
		assert_non_null(
			json_object_get(json_object_get(j, "patternProperties"),
					s->any->name_pattern));
}

static void test_schema_lists_every_key(void **state)
{
	json_t *j = schema();

	assert_string_equal(text(j, "$schema"),
			    "https://json-schema.org/draft/2020-12/schema");
	check_section(&config_root, j);
	json_decref(j);
}

static void test_schema_kinds(void **state)
{
	json_t *j = schema();
	const json_t *store, *s3;

	store = json_object_get(
		json_object_get(json_object_get(j, "properties"), "stores"),
		"additionalProperties");
	s3 = json_object_get(json_array_get(json_object_get(store, "allOf"), 1),
			     "then");
	assert_true(listed(json_object_get(s3, "required"), "endpoint"));
	assert_true(json_is_false(
		json_object_get(json_object_get(s3, "properties"), "path")));
	json_decref(j);
}

/* Each row is whole: what the code that walks the tables relies on. */
static void check_rows(const struct config_section *s)
{
	for (; s; s = s->inherited) {
		size_t i;

		for (i = 0; i < s->n; i++) {
			const struct config_key *k = &s->keys[i];

			assert_non_null(k->name);
			if (!config_key_known(k))
				continue;
			assert_non_null(k->help);
			assert_int_equal(k->help[strlen(k->help) - 1], '.');
			assert_false(k->required && (k->def || k->computed));
			if (k->type >= CONFIG_SECTION) {
				assert_non_null(k->section);
				check_rows(k->section);
				continue;
			}
			assert_true(k->size > 0);
			if (k->type == CONFIG_CHOICE)
				assert_non_null(k->choices);
			if (k->def && k->check)
				assert_null(k->check(k->def));
		}
	}
}

static void test_rows(void **state)
{
	check_rows(&config_root);
	check_rows(&config_price_table);
}

static void test_show_json(void **state)
{
	CLEANUP(config_free_guard)
	struct config *c =
		parse_good(GOOD "    name: \"Ärzte \\\"x\\\" \\\\\"\n");
	CLEANUP_BUF struct buf b = { 0 };
	const json_t *t, *tier;
	json_t *j;

	assert_int_equal(config_show_json(c, NULL, &b), 0);
	j = read_json(&b);
	assert_int_equal(json_integer_value(json_object_get(j, "version")), 1);
	t = json_object_get(json_object_get(j, "trusts"), "rbq");
	assert_string_equal(text(t, "name"), "Ärzte \"x\" \\");
	assert_string_equal(text(json_object_get(t, "cache"), "size"), "1TiB");
	assert_true(json_is_false(
		json_object_get(json_object_get(t, "cache"), "encrypt")));
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(t, "limits"), "threads")),
			 32);
	tier = json_array_get(json_object_get(t, "tiers"), 0);
	assert_string_equal(text(tier, "store"), "nas");
	assert_string_equal(text(tier, "prefix"), "mersey/rbq/");
	assert_null(
		json_object_get(json_object_get(j, "gateway"), "operators"));
	json_decref(j);
	b.len = 0;
	assert_int_equal(config_show_json(c, "nobody", &b), -ENOENT);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "settle", "cache", "read_wait",
					     "name", "user" };

	assert_string_equal(config_nearest("setle", words, 5), "settle");
	assert_string_equal(config_nearest("read-wait", words, 5), "read_wait");
	assert_string_equal(config_nearest("ReadWait", words, 5), "read_wait");
	assert_string_equal(config_nearest("cahce", words, 5), "cache");
	assert_string_equal(config_nearest("nmae", words, 5), "name");
	assert_null(config_nearest("xyz", words, 5));
	assert_null(config_nearest("colour", words, 5));
	assert_null(config_nearest("", words, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema_lists_every_key),
		cmocka_unit_test(test_schema_kinds),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_show_json),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
