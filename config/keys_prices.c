/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a price table. */
#include "base/clock.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/shape.h"

static const struct config_key figure_keys[] = {
	{ .name = "value",
	  .type = CONFIG_MONEY,
	  .required = true,
	  .help = "The figure: an exact decimal, in quotes.",
	  CONFIG_FIELD(struct price_figure, amount) },
	{ .name = "as_of",
	  .type = CONFIG_DATE,
	  .chars = true,
	  .computed = "the table's",
	  .help = "Date of the figure.",
	  CONFIG_FIELD(struct price_figure, as_of) },
	{ .name = "source",
	  .type = CONFIG_TEXT,
	  .chars = true,
	  .computed = "the table's",
	  .help = "Where it was read.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct price_figure, source) },
	{ .name = "confirmed",
	  .type = CONFIG_BOOL,
	  .required = true,
	  .help = "Whether it was compared with the provider's own list; "
		  "reports name the figures that were not.",
	  CONFIG_FIELD(struct price_figure, confirmed) },
};

static const struct config_section figure_section = {
	CONFIG_ROWS(figure_keys),
	.has_present = true,
	.present_offset = offsetof(struct price_figure, known),
};

static const struct config_key step_keys[] = {
	{ .name = "above",
	  .type = CONFIG_BYTES,
	  .required = true,
	  .help = "What is beyond so many bytes in a month; 0B for a first "
		  "step that replaces the price itself, such as a free "
		  "allowance.",
	  CONFIG_FIELD(struct price_step, above_bytes) },
	{ .name = "price",
	  .type = CONFIG_SECTION,
	  .required = true,
	  .help = "What a GB of it costs.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_step, gb) },
};

static const struct config_section step_section = {
	CONFIG_ROWS(step_keys),
	.size = sizeof(struct price_step),
	.max_items = PRICE_STEPS,
	.in_place = true,
};

static const struct config_key speed_keys[] = {
	{ .name = "takes",
	  .type = CONFIG_DURATION,
	  .required = true,
	  .min = NSEC_PER_SEC,
	  .help = "How long it takes at most, by the provider's word.",
	  CONFIG_FIELD(struct price_recall, takes_ns) },
	{ .name = "gb",
	  .type = CONFIG_SECTION,
	  .required = true,
	  .help = "A GB restored.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_recall, gb) },
	{ .name = "request_1000",
	  .type = CONFIG_SECTION,
	  .required = true,
	  .help = "1000 requests to restore an object.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_recall, request_1000) },
};

static const struct config_section speed_section = {
	CONFIG_ROWS(speed_keys),
	.has_present = true,
	.present_offset = offsetof(struct price_recall, known),
};

/* Of struct price_class: an array, in which each speed has its place. */
static const struct config_key recall_keys[] = {
#define SPEED(speed) CONFIG_FIELD(struct price_class, recall[speed])
	{ .name = "standard",
	  .type = CONFIG_SECTION,
	  .help = "The speed that opens and recalls ask for by themselves.",
	  .section = &speed_section,
	  SPEED(PRICE_STANDARD) },
	{ .name = "bulk",
	  .type = CONFIG_SECTION,
	  .help = "Slower and cheaper.",
	  .section = &speed_section,
	  SPEED(PRICE_BULK) },
	{ .name = "expedited",
	  .type = CONFIG_SECTION,
	  .help = "Faster and dearer.",
	  .section = &speed_section,
	  SPEED(PRICE_EXPEDITED) },
#undef SPEED
};

static const struct config_section recall_section = {
	CONFIG_ROWS(recall_keys),
};

static const struct config_key class_keys[] = {
	{ .name = "storage_gb_month",
	  .type = CONFIG_SECTION,
	  .required = true,
	  .help = "A GB (2^30 bytes) kept for a month (730 hours).",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_class, storage_gb_month) },
	{ .name = "put_1000",
	  .type = CONFIG_SECTION,
	  .help = "1000 requests of the kinds PUT, COPY, POST, LIST.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_class, put_1000) },
	{ .name = "get_1000",
	  .type = CONFIG_SECTION,
	  .help = "1000 requests of the kinds GET and HEAD.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_class, get_1000) },
	{ .name = "retrieval_gb",
	  .type = CONFIG_SECTION,
	  .help = "A GB read back; of an archive class, see recall.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_class, retrieval_gb) },
	{ .name = "minimum_days",
	  .type = CONFIG_NUMBER,
	  .def = "0",
	  .help = "Days an object is billed for at least.",
	  .max = 3650,
	  CONFIG_FIELD(struct price_class, minimum_days) },
	{ .name = "minimum_bytes",
	  .type = CONFIG_BYTES,
	  .def = "0",
	  .help = "Bytes an object is billed for at least.",
	  CONFIG_FIELD(struct price_class, minimum_bytes) },
	{ .name = "overhead_bytes",
	  .type = CONFIG_BYTES,
	  .def = "0",
	  .help = "Bytes billed on top of each object's own.",
	  CONFIG_FIELD(struct price_class, overhead_bytes) },
	{ .name = "overhead_standard_bytes",
	  .type = CONFIG_BYTES,
	  .def = "0",
	  .help = "The same, billed at the price of class STANDARD.",
	  CONFIG_FIELD(struct price_class, overhead_standard_bytes) },
	{ .name = "recall",
	  .type = CONFIG_SECTION,
	  .help = "Of an archive class, whose objects are restored before "
		  "they can be read: the speeds it has. Restored copies cost "
		  "what class STANDARD costs.",
	  .section = &recall_section,
	  .offset = 0,
	  .size = sizeof(struct price_class) },
	{ .name = "steps",
	  .type = CONFIG_ITEMS,
	  .help = "Other prices of what is kept beyond so many bytes, "
		  "ascending.",
	  .section = &step_section,
	  CONFIG_MANY(struct price_class, steps, n_steps) },
	{ .name = "kwh_tb_month",
	  .type = CONFIG_SECTION,
	  .help = "Energy of a TB (10^12 bytes) kept for a month, in kWh, "
		  "with replicas and cooling.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_class, kwh_tb_month) },
};

static const struct config_section class_section = {
	CONFIG_ROWS(class_keys),
	.size = sizeof(struct price_class),
	.placeholder = "<class>",
	.name_offset = offsetof(struct price_class, name),
	.name_size = sizeof(((struct price_class *)0)->name),
	.name_pattern = CONFIG_CLASS_PATTERN,
	.name_check = config_shape_class,
};

static const struct config_key table_keys[] = {
	{ .name = "name",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .chars = true,
	  .help = "What stores call the table.",
	  .pattern = CONFIG_NAME_PATTERN,
	  .check = config_shape_name,
	  CONFIG_FIELD(struct price_table, name) },
	{ .name = "currency",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .chars = true,
	  .help = "Currency of all figures (ISO 4217).",
	  .pattern = CONFIG_CURRENCY_PATTERN,
	  .check = config_shape_currency,
	  CONFIG_FIELD(struct price_table, currency) },
	{ .name = "as_of",
	  .type = CONFIG_DATE,
	  .required = true,
	  .chars = true,
	  .help = "Date of the table; reports show it.",
	  CONFIG_FIELD(struct price_table, as_of) },
	{ .name = "source",
	  .type = CONFIG_TEXT,
	  .required = true,
	  .chars = true,
	  .help = "Where the figures come from.",
	  .check = config_shape_words,
	  CONFIG_FIELD(struct price_table, source) },
	{ .name = "egress",
	  .type = CONFIG_SECTION,
	  .help = "A GB sent out of the provider's network.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_table, egress_gb) },
	{ .name = "egress_steps",
	  .type = CONFIG_ITEMS,
	  .help = "Other prices of what is sent beyond so many bytes a month, "
		  "ascending.",
	  .section = &step_section,
	  CONFIG_MANY(struct price_table, egress_steps, n_egress_steps) },
	{ .name = "kg_co2e_kwh",
	  .type = CONFIG_SECTION,
	  .help = "Carbon of a kWh of the grid there, in kg CO2e.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_table, kg_co2e_kwh) },
	{ .name = "network_kwh_gb",
	  .type = CONFIG_SECTION,
	  .help = "Energy of a GB (10^9 bytes) sent or received, in kWh.",
	  .section = &figure_section,
	  CONFIG_FIELD(struct price_table, network_kwh_gb) },
	{ .name = "classes",
	  .type = CONFIG_NAMED,
	  .required = true,
	  .help = "Prices by storage class.",
	  .section = &class_section,
	  CONFIG_MANY(struct price_table, classes, n_classes) },
};

const struct config_section config_price_table = { CONFIG_ROWS(table_keys) };
