/* SPDX-License-Identifier: Apache-2.0 */
/* Which days a verb of money is about. */
#include "cli/cost.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"

int32_t cost_today(void)
{
	return (int32_t)(clock_wall_ns() / NSEC_PER_SEC / SEC_PER_DAY);
}

/* First of the month; `month` counts from 0 and may be any number. */
static int32_t month_start(int year, int month)
{
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month,
			 .tm_mday = 1 };

	return (int32_t)(timegm(&tm) / SEC_PER_DAY);
}

struct cost_days cost_month_add(struct cost_days month, int n)
{
	time_t t = (time_t)month.from * SEC_PER_DAY;
	struct tm tm;

	gmtime_r(&t, &tm);
	return (struct cost_days){
		month_start(tm.tm_year + 1900, tm.tm_mon + n),
		month_start(tm.tm_year + 1900, tm.tm_mon + n + 1) - 1,
	};
}

struct cost_days cost_whole_month(int32_t day)
{
	return cost_month_add((struct cost_days){ day, day }, 0);
}

static int period_month(struct cli *c, const char *s, struct cost_days *out)
{
	CLEANUP_FREE char *date = io_path("%s-01", s);
	int32_t day;

	if (!date)
		return -ENOMEM;
	if (units_parse_date(date, &day) < 0)
		return cli_usage(c, "--month is YYYY-MM, not '%s'", s);
	*out = cost_whole_month(day);
	return 0;
}

static int period_date(struct cli *c, enum cli_opt o, int32_t *day)
{
	if (!c->opt[o])
		return cli_usage(c, "--from and --to come together");
	if (units_parse_date(c->opt[o], day) < 0)
		return cli_usage(c, "--%s is YYYY-MM-DD, not '%s'",
				 cli_options[o].name, c->opt[o]);
	return 0;
}

int cost_period(struct cli *c, struct cost_days *out)
{
	bool days = cli_has(c, OPT_FROM) || cli_has(c, OPT_TO);
	int rc;

	if (cli_has(c, OPT_MONTH) && days)
		return cli_usage(c, "either --month, or --from and --to");
	if (cli_has(c, OPT_MONTH))
		return period_month(c, c->opt[OPT_MONTH], out);
	if (!days) {
		*out = cost_whole_month(cost_today());
		return 0;
	}
	rc = period_date(c, OPT_FROM, &out->from);
	if (rc == 0)
		rc = period_date(c, OPT_TO, &out->to);
	if (rc == 0 && out->to < out->from)
		return cli_usage(c, "--to is before --from");
	return rc;
}
