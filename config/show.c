/* SPDX-License-Identifier: Apache-2.0 */
/* The config in force, from the same tables that it was read with. */
#include "config/config.h"

#include <string.h>

#include "config/emit.h"
#include "config/keys.h"
#include "config/value.h"

struct show {
	struct config_emit emit;
	const struct config *config;
	const struct config_trust *only; /* NULL = all trusts */
};

static void show_section(struct show *s, const struct config_section *sec,
			 const void *base);

static void show_scalar(struct show *s, const struct config_key *k,
			const char *name, const void *field)
{
	const struct config_value_type *t = config_value_type(k->type);
	CLEANUP_BUF struct buf b = { 0 };
	const char *text;
	char other[8];

	if (!config_value_is_set(k, field))
		return;
	if (config_type_is_amount(k->type) &&
	    buf_addf(&b, "%s",
		     money_sign(s->config->exchange.currency, other)) < 0)
		s->emit.rc = -ENOMEM;
	if (t->format(k, field, &b) < 0 || !(text = buf_str(&b)))
		s->emit.rc = -ENOMEM;
	else
		emit_scalar(&s->emit, name, text, t->style);
}

static void show_names(struct show *s, const struct config_key *k,
		       const struct config_names *names)
{
	size_t i;

	emit_list(&s->emit, k->name);
	for (i = 0; i < names->n; i++)
		emit_scalar(&s->emit, NULL, names->name[i], EMIT_AUTO);
	emit_end(&s->emit);
}

/* One stands alone. */
static void show_words(struct show *s, const struct config_key *k,
		       const struct tier_words *w)
{
	size_t i;

	if (w->n == 1) {
		emit_scalar(&s->emit, k->name, w->word[0], EMIT_AUTO);
		return;
	}
	emit_list(&s->emit, k->name);
	for (i = 0; i < w->n; i++)
		emit_scalar(&s->emit, NULL, w->word[i], EMIT_AUTO);
	emit_end(&s->emit);
}

/* Does a view of one trust show this item? */
static bool show_wanted(const struct show *s, const struct config_key *k,
			const void *base, const void *item)
{
	size_t i;

	if (!s->only || base != s->config)
		return true;
	if (k->offset == offsetof(struct config, trusts))
		return item == s->only;
	if (k->offset == offsetof(struct config, policies))
		return item == s->only->policy;
	for (i = 0; i < s->only->n_tiers; i++)
		if (s->only->tiers[i].store == item)
			return true;
	return false;
}

static void show_items(struct show *s, const struct config_key *k,
		       const void *base)
{
	const char *items = config_items(k, base);
	size_t n = *(const size_t *)(const void *)((const char *)base +
						   k->count_offset);
	const struct config_section *sec = k->section;
	size_t i;

	(k->type == CONFIG_ITEMS ? emit_list : emit_map)(&s->emit, k->name);
	for (i = 0; i < n; i++) {
		const char *item = items + sec->size * i;
		const char *name = NULL;

		if (!show_wanted(s, k, base, item))
			continue;
		if (k->type == CONFIG_NAMED)
			name = *(char *const *)(const void *)(item +
							      sec->name_offset);
		emit_map(&s->emit, name);
		show_section(s, sec, item);
		emit_end(&s->emit);
	}
	emit_end(&s->emit);
}

static void show_key(struct show *s, const struct config_key *k,
		     const void *base)
{
	const void *field = (const char *)base + k->offset;

	switch (k->type) {
	case CONFIG_SECTION:
		if (field == &s->config->defaults)
			break; /* filled into each trust */
		emit_map(&s->emit, k->name);
		show_section(s, k->section, field);
		emit_end(&s->emit);
		break;
	case CONFIG_NAMED:
	case CONFIG_ITEMS:
		show_items(s, k, base);
		break;
	case CONFIG_PATHS:
	case CONFIG_ACCOUNTS:
	case CONFIG_WORDS:
		show_names(s, k, field);
		break;
	case CONFIG_ANY_WORDS:
	case CONFIG_ANY_ACCOUNTS:
		show_words(s, k, field);
		break;
	default:
		show_scalar(s, k, k->name, field);
	}
}

static void show_section(struct show *s, const struct config_section *sec,
			 const void *base)
{
	size_t i;

	for (; sec; sec = sec->inherited) {
		for (i = 0; i < sec->n; i++) {
			const struct config_key *k = &sec->keys[i];

			if (config_key_known(k) &&
			    (!k->only ||
			     config_key_fits(k,
					     config_discriminator(sec, base))))
				show_key(s, k, base);
		}
		if (sec->any)
			sec->any->show(&s->emit, base);
	}
}

static int show(const struct config *c, const char *trust, struct buf *out,
		bool json)
{
	struct show s = { .config = c };

	if (trust) {
		s.only = config_trust_find(c, trust);
		if (!s.only)
			return -ENOENT;
	}
	emit_start(&s.emit, out, json);
	show_section(&s, &config_root, c);
	return emit_finish(&s.emit);
}

int config_show_yaml(const struct config *c, const char *trust, struct buf *out)
{
	return show(c, trust, out, false);
}

int config_show_json(const struct config *c, const char *trust, struct buf *out)
{
	return show(c, trust, out, true);
}
