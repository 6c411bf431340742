/* SPDX-License-Identifier: Apache-2.0 */
/* Inside cli: what the verbs of money share. */
#ifndef MERSEY_CLI_COST_H
#define MERSEY_CLI_COST_H

#include "cli/cli.h"
#include "price/price.h"

/* o[key].amount of a JSON money; 0 when it is missing. */
money_t cost_money(const json_t *o, const char *key);
/* The same as people read it, appended: "£12.34". */
int cost_show_money(const json_t *o, const char *key, struct buf *out);
/* A cell: break_even_days as "3 days", "4.8 months", "never". */
int cost_cell_pays(const json_t *row, struct buf *out);
/* A JSON money. NULL without memory. */
json_t *cost_money_json(money_t m, const char *currency);
/* to[key] += from[key], exactly. 0, -EPROTO, -ENOMEM. */
int cost_money_add(json_t *to, const json_t *from, const char *key);

/* ---- the period (cost_period.c) ------------------------------------- */

/* Days since 1970; both included. */
struct cost_days {
	int32_t from, to;
};
/* Of --month, or --from and --to, or the current month in UTC. */
int cost_period(struct cli *c, struct cost_days *out);
/* The calendar month that a day lies in. */
struct cost_days cost_whole_month(int32_t day);
/* The month `n` months later; n may be negative. */
struct cost_days cost_month_add(struct cost_days month, int n);
int32_t cost_today(void);

/* ---- asking (verb_cost.c) ------------------------------------------- */

/*
 * Asks a trust for its report and adds it to `to`, an object that is empty at
 * first. `by`: tier, class, cause, modality, study-age. As cli_call().
 */
int cost_ask(struct cli *c, const struct config_trust *t, const char *by,
	     struct cost_days days, json_t *to);

/*
 * Calls `one` for each trust of the call. One that does not answer becomes a
 * problem, and the exit status is CLI_NOT_NOW, for the sums lack it; when none
 * does, -ECONNREFUSED.
 */
typedef int (*cost_one_fn)(struct cli *c, const struct config_trust *t,
			   void *arg);
int cost_each(struct cli *c, cost_one_fn one, void *arg);
/* Adds the texts that a list lacks. 0 or -ENOMEM. */
int cost_unite(json_t *to, const json_t *from);

/*
 * Appends what one of compared_with says: "Everything in near instead: £3
 * (saved £1)."; nothing when it was not reckoned for each trust in the total.
 */
int cost_compared(const json_t *list, const json_t *one, struct buf *out);

/* Prints "2 prices are unconfirmed: a, b." of c->result.unconfirmed. */
void cost_show_unconfirmed(struct cli *c);

/* ---- formats -------------------------------------------------------- */

/* Each draws c->result on c->out. */
void cost_print_table(struct cli *c);
void cost_print_csv(struct cli *c);
void cost_print_focus(struct cli *c);
void cost_print_html(struct cli *c);

#endif
