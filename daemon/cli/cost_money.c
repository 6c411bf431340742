/* SPDX-License-Identifier: Apache-2.0 */
/* Money in JSON: exact in, exact out. */
#include "cli/cost.h"

money_t cost_money(const json_t *o, const char *key)
{
	money_t m = 0;

	if (money_parse(json_text(json_object_get(o, key), "amount"), &m) < 0)
		return 0;
	return m;
}

int cost_show_money(const json_t *o, const char *key, struct buf *out)
{
	const json_t *m = json_object_get(o, key);
	char text[MONEY_SIZE];

	return buf_addf(
		out, "%s",
		money_show(cost_money(o, key), json_text(m, "currency"), text));
}

json_t *cost_money_json(money_t m, const char *currency)
{
	char exact[MONEY_SIZE];

	return json_pack("{s:s, s:s}", "amount", money_exact(m, exact),
			 "currency", currency);
}

int cost_money_add(json_t *to, const json_t *from, const char *key)
{
	const json_t *m = json_object_get(from, key);
	money_t a, b = 0;

	if (money_parse(json_text(m, "amount"), &a) < 0)
		return -EPROTO;
	if (json_known(to, key) &&
	    money_parse(json_text(json_object_get(to, key), "amount"), &b) < 0)
		return -EPROTO;
	return proto_set(to, key,
			 cost_money_json(a + b, json_text(m, "currency")));
}
