/* SPDX-License-Identifier: Apache-2.0 */
#include "main/alarms.h"

#include <stdlib.h>
#include <string.h>

/* A worker's bytes: an alarm as it is in memory, of the same program. */
static int text(void *arg, const char *trust, const void *said, size_t n,
		struct buf *out)
{
	const struct alarm_out *o = arg;
	struct alarm a;

	if (n != sizeof(a))
		return -EINVAL;
	memcpy(&a, said, sizeof(a));
	return alarm_json(&a, trust, o->gateway, out);
}

static int down(void *arg, const char *trust, int64_t raised_ns,
		int64_t cleared_ns, struct buf *out)
{
	const struct alarm_out *o = arg;
	struct alarm a = { .code = ALARM_WORKER_DOWN,
			   .raised_ns = raised_ns,
			   .cleared_ns = cleared_ns,
			   .message = "the worker does not come to serve its "
				      "mount" };

	return alarm_json(&a, trust, o->gateway, out);
}

int alarm_out_init(struct alarm_out *o, const struct config *c)
{
	const struct config_names *words = &c->alarm_command;

	*o = (struct alarm_out){ .gateway = c->gateway_name };
	if (!words->n)
		return 0;
	o->argv = calloc(words->n + 1, sizeof(*o->argv));
	if (!o->argv)
		return -ENOMEM;
	memcpy(o->argv, words->name, words->n * sizeof(*o->argv));
	o->super = (struct super_alarms){
		.command.argv = o->argv,
		.text = text,
		.down = down,
		.arg = o,
	};
	return 1;
}

void alarm_out_done(struct alarm_out *o)
{
	free(o->argv);
	o->argv = NULL;
}
