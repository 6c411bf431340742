/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN); /* `mersey ... | head` ends in an error */
	return cli_main(argc, argv, stdout, stderr);
}
