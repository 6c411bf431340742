/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an error's journey. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "main/modes.h"

int report(const struct err *err)
{
	log_err("%s", err->msg);
	if (err->hint[0])
		log_err("  try: %s", err->hint);
	return EXIT_FAILURE;
}

int complain(const struct err *err)
{
	fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, err->msg,
		err->hint[0] ? "\n  try: " : "", err->hint);
	return EXIT_FAILURE;
}
