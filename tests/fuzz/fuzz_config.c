/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary text as a config, as a price table and as a policy: it must be
 * refused with a place inside the text, or give a config whose `config show`
 * is stable.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char path[] = "/nonexistent/m.yaml";

/* Every problem has words, a key, and a line that exists. */
static void check_problems(const struct config_problems *ps,
			   const uint8_t *data, size_t size)
{
	size_t lines = 2, i;

	for (i = 0; i < size; i++) /* YAML's line breaks end in these bytes */
		lines += data[i] == '\n' || data[i] == '\r' ||
			 data[i] == 0x85 || data[i] == 0xa8 || data[i] == 0xa9;
	for (i = 0; i < ps->n; i++) {
		const struct config_problem *p = &ps->p[i];

		assert(p->file && p->key && p->message && *p->message);
		assert(strcmp(p->file, path) != 0 || p->line <= lines);
	}
}

/* What is shown loads again and is shown the same. */
static void check_show(const struct config *c)
{
	CLEANUP(config_free_guard) struct config *again = NULL;
	CLEANUP_BUF struct buf one = { 0 }, two = { 0 }, json = { 0 };
	struct config_problems ps = { 0 };
	int rc;

	rc = config_show_yaml(c, NULL, &one);
	assert(rc == 0);
	rc = config_parse(path, (char *)one.data, one.len, &again, &ps, NULL);
	assert(rc == 0 && ps.n == 0);
	rc = config_show_yaml(again, NULL, &two);
	assert(rc == 0 && one.len == two.len &&
	       memcmp(one.data, two.data, one.len) == 0);
	rc = config_show_json(c, c->trusts[0].name, &json);
	assert(rc == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	struct config_problems ps = { 0 };
	static const struct config none;
	struct price_table t = { 0 };
	struct tier_policy p = { 0 };
	int rc;

	rc = config_parse(path, (const char *)data, size, &c, &ps, NULL);
	assert((rc == 0) == (c != NULL) && (rc == 0) == (ps.n == 0));
	check_problems(&ps, data, size);
	config_problems_done(&ps);
	if (c)
		check_show(c);
	rc = config_prices_parse(path, (const char *)data, size, &t, &ps);
	assert((rc == 0) == (ps.n == 0));
	check_problems(&ps, data, size);
	config_problems_done(&ps);
	price_table_done(&t);
	rc = config_policy_parse(&none, NULL, path, (const char *)data, size,
				 &p, &ps);
	assert((rc == 0) == (ps.n == 0));
	check_problems(&ps, data, size);
	config_problems_done(&ps);
	if (rc == 0)
		config_policy_done(&p);
	return 0;
}
