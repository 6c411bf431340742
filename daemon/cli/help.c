/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <string.h>

void cli_help(FILE *f)
{
	const struct cli_verb *v;
	int i;

	fputs("usage: mersey VERB [ARGUMENT...] [OPTION...]\n\n", f);
	for (v = cli_verbs; v->name; v++)
		fprintf(f, "  %-14s %s\n", v->name, v->help);
	fputs("\nOptions of every verb:\n", f);
	for (i = 0; i < OPT_COUNT; i++)
		if (OPTS_COMMON & OPT_BIT(i))
			fprintf(f, "  --%s%s%s: %s\n", cli_options[i].name,
				cli_options[i].arg ? " " : "",
				cli_options[i].arg ? cli_options[i].arg : "",
				cli_options[i].help);
	fputs("\nExit status: 0 done, 1 failed, 2 wrong usage or config, "
	      "3 done but something\nneeds attention, 4 not now, 5 refused by a "
	      "rule.\nMore: mersey help VERB, mersey help json, mersey(1)\n",
	      f);
}

void cli_help_verb(FILE *f, const struct cli_verb *v)
{
	int i;

	fprintf(f, "usage: mersey %s%s%s\n\n%s.\n", v->name,
		v->args[0] ? " " : "", v->args, v->help);
	if (v->more)
		fprintf(f, "%s\n", v->more);
	if (v->opts)
		fputc('\n', f);
	for (i = 0; i < OPT_COUNT; i++)
		if (v->opts & OPT_BIT(i))
			fprintf(f, "  --%s%s%s: %s\n", cli_options[i].name,
				cli_options[i].arg ? " " : "",
				cli_options[i].arg ? cli_options[i].arg : "",
				cli_options[i].help);
}
