/* SPDX-License-Identifier: Apache-2.0 */
/* The list in man/mersey-alarms.7 is what the table says: tests/man_list.h. */
#include "tests/man_list.h"

#include "alarm/alarm.h"

int main(int argc, char **argv)
{
	return man_main(argc, argv, alarms_mdoc);
}
