/* SPDX-License-Identifier: Apache-2.0 */
/* A row that was read and is written again reads back the same. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The writer's apostrophe is the only thing that it adds. */
static void same(const char *a, const char *b)
{
	if (*a && strchr("=+-@\t\r\n", *a))
		must(*b++ == '\'');
	must(strcmp(a, b) == 0);
}

static void again(const struct csv_reader *r)
{
	struct csv_reader back = { 0 };
	char *text = NULL;
	size_t n, i;
	FILE *f = open_memstream(&text, &n);

	must(f != NULL);
	for (i = 0; i < r->n; i++) {
		csv_write(f, csv_field(r, i));
		putc(i + 1 < r->n ? ',' : '\n', f);
	}
	must(fclose(f) == 0);
	back.in = fmemopen(text, n, "r");
	must(back.in != NULL);
	back.begun = true;
	must(csv_read(&back, NULL) == 1 && back.n == r->n);
	for (i = 0; i < r->n; i++)
		same(csv_field(r, i), csv_field(&back, i));
	fclose(back.in);
	csv_reader_done(&back);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct csv_reader r = { 0 };
	struct err err = ERR_INIT;
	int rc;

	if (!size)
		return 0;
	r.in = fmemopen((void *)data, size, "r");
	must(r.in != NULL);
	while ((rc = csv_read(&r, &err)) == 1)
		again(&r);
	must(rc == 0 || (rc == -EINVAL && err.msg[0]));
	fclose(r.in);
	csv_reader_done(&r);
	return 0;
}
