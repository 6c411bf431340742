/* SPDX-License-Identifier: Apache-2.0 */
/* What every walk over the tables needs. */
#include "config/keys.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

const struct config_key *config_key_find(const struct config_section *s,
					 const char *name)
{
	size_t i;

	for (; s; s = s->inherited)
		for (i = 0; i < s->n; i++)
			if (strcmp(s->keys[i].name, name) == 0)
				return &s->keys[i];
	return NULL;
}

bool config_key_fits(const struct config_key *k, const char *value)
{
	size_t n = strlen(value);
	const char *p;

	if (!k->only)
		return true;
	for (p = k->only; *p; p += strcspn(p, " "), p += *p == ' ')
		if (strcspn(p, " ") == n && strncmp(p, value, n) == 0)
			return true;
	return false;
}

char *config_items(const struct config_key *k, const void *base)
{
	char *field = (char *)base + k->offset;

	return k->section->in_place ? field : *(char **)(void *)field;
}

static void section_items_done(const struct config_key *k, void *base)
{
	char *items = config_items(k, base);
	size_t *count = (void *)((char *)base + k->count_offset), i;
	const struct config_section *s = k->section;

	for (i = 0; i < *count; i++) {
		char *item = items + s->size * i;

		if (k->type == CONFIG_NAMED && !s->name_size)
			free(*(char **)(void *)(item + s->name_offset));
		config_section_done(s, item);
	}
	*count = 0;
	if (s->in_place)
		return;
	free(items);
	*(char **)(void *)((char *)base + k->offset) = NULL;
}

static void section_words_done(struct tier_words *words)
{
	size_t i;

	for (i = 0; i < words->n; i++)
		free(words->word[i]);
	free(words->word);
	*words = (struct tier_words){ 0 };
}

static void section_names_done(struct config_names *names)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct config_names){ 0 };
}

static void section_key_done(const struct config_key *k, void *base)
{
	char *field = (char *)base + k->offset;

	switch (k->type) {
	case CONFIG_TEXT:
	case CONFIG_PATH:
	case CONFIG_ACCOUNT:
		if (k->chars)
			break;
		free(*(char **)(void *)field);
		*(char **)(void *)field = NULL;
		break;
	case CONFIG_PATHS:
	case CONFIG_ACCOUNTS:
	case CONFIG_WORDS:
		section_names_done((void *)field);
		break;
	case CONFIG_ANY_WORDS:
	case CONFIG_ANY_ACCOUNTS:
		section_words_done((void *)field);
		break;
	case CONFIG_SECTION:
		config_section_done(k->section, field);
		break;
	case CONFIG_NAMED:
	case CONFIG_ITEMS:
		section_items_done(k, base);
		break;
	default: /* holds nothing */
		break;
	}
}

void config_section_done(const struct config_section *s, void *base)
{
	size_t i;

	for (; s; s = s->inherited) {
		for (i = 0; i < s->n; i++)
			if (config_key_known(&s->keys[i]))
				section_key_done(&s->keys[i], base);
		if (s->any)
			s->any->done(base);
	}
}
