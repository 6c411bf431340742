/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all metrics: what a worker may report, what `mersey metrics`
 * prints above it, what mersey-metrics(7) lists, and what the dashboard and
 * the alert rules may name.
 *
 * A worker answers the verb "metrics" with {"samples": [...]}, each
 * {"metric", "labels", "value", "histogram"}; one of the last two is null. A
 * histogram is {"le", "buckets", "sum", "count"}: bounds as text, and how many
 * there were up to each. The label "trust" is added by who prints.
 */
#ifndef MERSEY_CTL_METRICS_H
#define MERSEY_CTL_METRICS_H

#include <stddef.h>

#include "base/buf.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct metric {
	const char *name;
	enum metric_type type;
	const char *labels; /* beside "trust", "tier, store"; "" none */
	const char *help;
	const char *source; /* what knows it, for people */
};

extern const struct metric metrics[];
extern const size_t metrics_n;

/* NULL: there is none. */
const struct metric *metric_find(const char *name);
/* "gauge", "counter", "histogram". */
const char *metric_type_name(enum metric_type type);
/* Appends the table as the list of mersey-metrics(7). 0 or -ENOMEM. */
int metrics_mdoc(struct buf *out);

#endif
