/* SPDX-License-Identifier: Apache-2.0 */
/* A question before something that cannot be taken back. */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

static bool ask_yes(FILE *in)
{
	char line[16];

	return fgets(line, sizeof(line), in) &&
	       (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0);
}

int cli_ask(struct cli *c)
{
	if (cli_has(c, OPT_YES))
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(fileno(c->msg))) {
		snprintf(c->code, sizeof(c->code), "not_confirmed");
		fail(&c->err, -EPERM,
		     "nothing was done: there is no terminal to ask on");
		return fail_hint(&c->err, -EPERM,
				 "--dry-run to see what would be done, --yes "
				 "to do it");
	}
	fputs("Go on? [y/N] ", c->msg);
	fflush(c->msg);
	if (ask_yes(stdin))
		return 0;
	snprintf(c->code, sizeof(c->code), "not_confirmed");
	return fail(&c->err, -EPERM, "nothing was done");
}
