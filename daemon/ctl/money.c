/* SPDX-License-Identifier: Apache-2.0 */
/* Money, and what was counted, as JSON. */
#include "ctl/money.h"

#include <string.h>

#include "base/units.h"

#define GIB	 (1ULL << 30)
#define GIB_HOUR (GIB * 3600)
#define TB_HOUR	 (1000000000000ULL * 3600)

json_t *ctl_money(money_t m, const char *currency)
{
	char exact[MONEY_SIZE];

	return json_pack("{s:s, s:s}", "amount", money_exact(m, exact),
			 "currency", currency);
}

json_t *ctl_decimal(unsigned __int128 n, uint64_t d)
{
	char text[64], digits[40];
	unsigned __int128 whole = n / d, rest = n % d;
	size_t i = sizeof(digits), len, point;

	digits[--i] = '\0';
	do {
		digits[--i] = (char)('0' + (int)(whole % 10));
		whole /= 10;
	} while (whole);
	len = (size_t)snprintf(text, sizeof(text), "%s.", digits + i);
	for (point = len; len < point + 18; len++) {
		rest *= 10;
		text[len] = (char)('0' + (int)(rest / d));
		rest %= d;
	}
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	return json_stringn(text, len);
}

json_t *ctl_days(int32_t from, int32_t to)
{
	char a[UNITS_SIZE], b[UNITS_SIZE];

	return json_pack("{s:s, s:s}", "from", units_format_date(from, a), "to",
			 units_format_date(to - 1, b));
}

/* ---- what a price is of --------------------------------------------- */

/* As AWS names what it meters. */
static const char *money_meter(enum price_item i)
{
	static const char *const name[PRICE_ITEMS] = {
		[PRICE_OF_STORAGE] = "TimedStorage-ByteHrs",
		[PRICE_OF_PUT] = "Requests-Tier1",
		[PRICE_OF_GET] = "Requests-Tier2",
		[PRICE_OF_READ] = "Retrieval",
		[PRICE_OF_EGRESS] = "DataTransfer-Out-Bytes",
		[PRICE_OF_EARLY] = "EarlyDelete-ByteHrs",
		[PRICE_OF_SMALL] = "TimedStorage-SmObjects",
		[PRICE_OF_OVERHEAD] = "TimedStorage-Overhead",
		[PRICE_OF_OVERHEAD_STANDARD] = "TimedStorage-Staging",
		[PRICE_OF_HELD] = "TimedStorage-Restored",
		[PRICE_OF_RESTORED + PRICE_STANDARD] = "Retrieval-Standard",
		[PRICE_OF_RESTORED + PRICE_BULK] = "Retrieval-Bulk",
		[PRICE_OF_RESTORED + PRICE_EXPEDITED] = "Retrieval-Expedited",
		[PRICE_OF_RESTORES + PRICE_STANDARD] = "Requests-Standard",
		[PRICE_OF_RESTORES + PRICE_BULK] = "Requests-Bulk",
		[PRICE_OF_RESTORES + PRICE_EXPEDITED] = "Requests-Expedited",
		[PRICE_OF_DISK] = "LocalDisk-ByteHrs",
	};

	return name[i] ? name[i] : price_item_name(i);
}

/* Units of FOCUS 1.2, and what the quantity is divided by for each. */
struct money_unit {
	const char *priced, *consumed;
	uint64_t consumed_per;
};

static struct money_unit money_unit(enum price_item i)
{
	if (i == PRICE_OF_DISK)
		return (struct money_unit){ "TB-Months", "TB-Hours", TB_HOUR };
	switch (price_item_unit(i)) {
	case PRICE_BYTE_SECONDS:
		return (struct money_unit){ "GiB-Months", "GiB-Hours",
					    GIB_HOUR };
	case PRICE_BYTES:
		return (struct money_unit){ "GiB", "GiB", GIB };
	case PRICE_REQUESTS:
		break;
	}
	return (struct money_unit){ "1000 Requests", "Requests", 1 };
}

/*
 * What a unit cost, in the currency of reports: the figure, or where the
 * amount is another because several steps of a price were used, the mean.
 */
static money_t money_unit_price(const struct price_exchange *x,
				const struct ctl_counted *n)
{
	uint64_t per = price_item_per(n->item);
	unsigned __int128 q = n->quantity;
	money_t price = 0, differs;

	if (n->figure.known &&
	    price_convert(x, n->currency, n->figure.amount, &price) < 0)
		price = 0;
	differs = money_scale(price, q, per) - n->amount;
	if (differs < 0)
		differs = -differs;
	if (!q || differs <= n->amount / 100000 + 2)
		return price;
	for (; q > UINT64_MAX; q >>= 1)
		per >>= 1;
	return money_scale(n->amount, per, (uint64_t)q);
}

int ctl_counted(json_t *o, const struct price_exchange *x,
		const struct ctl_counted *n)
{
	struct money_unit u = money_unit(n->item);
	CLEANUP_JSON json_t *in = json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:b}",
		"charge", price_column_name(price_item_column(n->item)), "item",
		price_item_name(n->item), "meter", money_meter(n->item), "unit",
		u.priced, "quantity",
		ctl_decimal(n->quantity, price_item_per(n->item)),
		"consumed_unit", u.consumed, "consumed",
		ctl_decimal(n->quantity, u.consumed_per), "price",
		ctl_money(money_unit_price(x, n), x->currency), "amount",
		ctl_money(n->amount, x->currency), "as_of",
		proto_text(n->figure.known ? n->figure.as_of : NULL),
		"confirmed", n->figure.known && n->figure.confirmed);

	return in && json_object_update(o, in) == 0 ? 0 : -ENOMEM;
}
