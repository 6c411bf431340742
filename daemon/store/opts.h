/* SPDX-License-Identifier: Apache-2.0 */
/* What a store needs to be told; config fills it, main passes it. */
#ifndef MERSEY_STORE_OPTS_H
#define MERSEY_STORE_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/when.h"

enum store_kind { STORE_DIR, STORE_S3, STORE_S3V2 };

/* Strings are borrowed: they must live as long as the store. */
struct store_opts {
	enum store_kind kind;
	const char *name;     /* the config's name of the endpoint */
	const char *endpoint; /* s3: http(s)://host[:port]; dir: a directory */
	const char *region;   /* s3 */
	bool virtual_style;   /* s3: bucket.host instead of host/bucket */
	const char *ca_file;  /* s3: NULL = the system's */
	/* s3: plain http to other machines, too. */
	bool allow_plain_http;
	/* s3v2 over https: who took on that nobody checks the certificate;
	 * NULL = nobody, and there is no such store. */
	const char *accept_unverified_peer;
	/* dir: whoever uses it may go on; else they would be another gateway.
	 * For a moment, by a process of the same gateway. */
	bool beside;
	unsigned in_flight; /* s3: requests at once */
	/* s3: until a connection stands; without progress; for one request in
	 * all. 0 = STORE_CONNECT_NS and so on. */
	int64_t connect_ns, stall_ns, request_ns;
	const char *bucket;
	const char *prefix; /* "" or ends with '/' */
	/* Secrets, copied when the store is opened. */
	const char *access_key;
	const char *secret_key;
	const char *session_token; /* NULL = none */
};

#define STORE_CONNECT_NS INT64_C(5000000000)
#define STORE_STALL_NS	 INT64_C(20000000000)
#define STORE_REQUEST_NS INT64_C(120000000000)

/* ---- bandwidth -------------------------------------------------------- */

/* Bytes per second; 0 = no limit. */
struct store_rates {
	uint64_t up, down;
};

#define STORE_BANDWIDTH_MAX 32

/* A timetable of limits: the first rule that has the time holds. */
struct store_bandwidth {
	struct store_bandwidth_rule {
		struct when when; /* local time */
		struct store_rates rates;
	} rule[STORE_BANDWIDTH_MAX];
	size_t n;
};

/* The rates in force at a wall time; no limit where no rule has it. */
struct store_rates store_rates_at(const struct store_bandwidth *b,
				  int64_t wall_ns);

#endif
