/* SPDX-License-Identifier: Apache-2.0 */
/* The key list in man/mersey.yaml.5 is what the tables say: tests/man_list.h.
 */
#include "tests/man_list.h"

#include "config/config.h"

int main(int argc, char **argv)
{
	return man_main(argc, argv, config_schema_mdoc);
}
