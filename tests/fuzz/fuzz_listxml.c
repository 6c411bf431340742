/* SPDX-License-Identifier: Apache-2.0 */
/* What an S3 server says in XML: a listing, an error, what was deleted, which
 * uploads there are. */
#include <stdlib.h>
#include <string.h>

#include "base/guard.h"
#include "store/s3/deleted.h"
#include "store/s3/errors.h"
#include "store/s3/list.h"
#include "store/s3/uploads.h"
#include "store/s3/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void list(const uint8_t *data, size_t size, const char *strip)
{
	CLEANUP(s3_page_done) struct s3_page p = { 0 };
	int rc = s3_list_parse(data, size, strip, "", 1000, &p);

	must(rc == 0 || rc == -EPROTO || rc == -ENOMEM);
	must(p.list.n <= 1000);
	for (size_t i = 0; rc == 0 && i < p.list.n; i++) {
		must(store_key_ok(p.list.entry[i].key));
		must(i == 0 ||
		     strcmp(p.list.entry[i - 1].key, p.list.entry[i].key) < 0);
	}
	must(rc < 0 || p.list.n == 0 || p.last);
}

static void deleted(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "a", "b/c", "d" };
	int rc[3] = { 1, 1, 1 };
	int ret = s3_deleted_parse(data, size, "p/", keys, 3, rc);

	must(ret == 0 || ret == -EPROTO || ret == -ENOMEM);
	for (size_t i = 0; i < 3; i++)
		must(rc[i] <= 0 && (ret == 0 || rc[i] == ret));
}

static void uploads(const uint8_t *data, size_t size)
{
	CLEANUP(s3_uploads_done) struct s3_uploads l = { 0 };
	int rc = s3_uploads_parse(data, size, "p/", &l);

	must(rc == 0 || rc == -EPROTO || rc == -ENOMEM);
	must(l.n <= 1000);
	for (size_t i = 0; rc == 0 && i < l.n; i++)
		must(store_key_ok(l.upload[i].key) && l.upload[i].id &&
		     l.upload[i].started_ns);
}

static void one_text(const uint8_t *data, size_t size)
{
	char id[16] = "";
	int rc = s3_xml_text(data, size, "InitiateMultipartUploadResult",
			     "UploadId", id, sizeof(id));

	must(rc == 0 || rc == -EPROTO || rc == -ENOMEM);
	must(strlen(id) < sizeof(id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct s3_error e;

	deleted(data, size);
	uploads(data, size);
	one_text(data, size);
	list(data, size, "");
	list(data, size, "p/");
	s3_error_parse(data, size, &e);
	must(strlen(e.code) < sizeof(e.code));
	must(strlen(e.message) < sizeof(e.message));
	must(strlen(e.region) < sizeof(e.region));
	return 0;
}
