/* SPDX-License-Identifier: Apache-2.0 */
/* The address of an S3 service: http(s)://host[:port]. */
#ifndef MERSEY_CONFIG_ENDPOINT_H
#define MERSEY_CONFIG_ENDPOINT_H

#include <stdbool.h>

#define CONFIG_HOST_MAX 253 /* RFC 1035 */

struct config_endpoint {
	bool tls;
	bool ip_address;		/* of either kind */
	bool loopback;			/* 127.0.0.0/8, ::1, localhost */
	char host[CONFIG_HOST_MAX + 1]; /* lower case, no brackets */
	unsigned port;
};

/* NULL, or what is wrong with the text, as "must …". */
const char *config_endpoint_parse(const char *text,
				  struct config_endpoint *out);

/*
 * The service behind it, so that two spellings of one are found: all of
 * loopback is one host, all of AWS is one (bucket names are global there).
 * Newly allocated; NULL without memory.
 */
char *config_endpoint_service(const struct config_endpoint *e);

/* The region in an AWS host name ("s3.eu-west-2.amazonaws.com"), NULL when
 * there is none; newly allocated. */
char *config_endpoint_aws_region(const struct config_endpoint *e);

#endif
