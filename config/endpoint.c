/* SPDX-License-Identifier: Apache-2.0 */
#include "config/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define AWS_DOMAIN ".amazonaws.com"

static const char *endpoint_port(const char *s, unsigned *port)
{
	char *end;
	unsigned long v;

	if (!*s)
		return NULL;
	if (s[0] != ':' || !isdigit((unsigned char)s[1]))
		return "must end with the host or its port: no path, no query";
	v = strtoul(s + 1, &end, 10);
	if (*end)
		return "must end with the host or its port: no path, no query";
	if (v == 0 || v > 65535)
		return "must have a port from 1 to 65535";
	*port = (unsigned)v;
	return NULL;
}

/* Letters, digits, '-', '.', no empty label; or an address of all digits. */
static const char *endpoint_name(struct config_endpoint *out)
{
	const char *h = out->host;
	struct in_addr v4;
	size_t i;

	if (strspn(h, "0123456789.") == strlen(h)) {
		if (inet_pton(AF_INET, h, &v4) != 1)
			return "must have a host name or a whole address";
		out->ip_address = true;
		out->loopback = ntohl(v4.s_addr) >> 24 == 127;
		return NULL;
	}
	for (i = 0; h[i]; i++)
		if ((!isalnum((unsigned char)h[i]) && h[i] != '-' &&
		     h[i] != '.') ||
		    (h[i] == '.' && (i == 0 || h[i - 1] == '.')))
			return "must have a host name of letters, digits, '-' "
			       "and '.'";
	out->loopback = strcmp(h, "localhost") == 0;
	return NULL;
}

static const char *endpoint_address6(struct config_endpoint *out)
{
	struct in6_addr v6;

	if (inet_pton(AF_INET6, out->host, &v6) != 1)
		return "must have an IPv6 address between '[' and ']'";
	out->ip_address = true;
	out->loopback = IN6_IS_ADDR_LOOPBACK(&v6);
	if (!inet_ntop(AF_INET6, &v6, out->host, sizeof(out->host)))
		return "must have an IPv6 address between '[' and ']'";
	return NULL;
}

static const char *endpoint_host(const char *s, size_t n,
				 struct config_endpoint *out)
{
	size_t i;

	if (n == 0)
		return "must have a host name";
	if (n > CONFIG_HOST_MAX)
		return "must have a host name of at most 253 letters";
	for (i = 0; i < n; i++)
		out->host[i] = (char)tolower((unsigned char)s[i]);
	out->host[n] = '\0';
	return NULL;
}

const char *config_endpoint_parse(const char *text, struct config_endpoint *out)
{
	struct config_endpoint e = { 0 };
	bool v6;
	const char *why;
	size_t n;

	if (strncmp(text, "https://", 8) == 0)
		e.tls = true;
	else if (strncmp(text, "http://", 7) != 0)
		return "must begin with https://";
	e.port = e.tls ? 443 : 80;
	text += e.tls ? 8 : 7;
	v6 = *text == '[';
	text += v6;
	n = strcspn(text, v6 ? "]/" : ":/?#@");
	if (v6 && text[n] != ']')
		return "must have an IPv6 address between '[' and ']'";
	why = endpoint_host(text, n, &e);
	if (!why)
		why = v6 ? endpoint_address6(&e) : endpoint_name(&e);
	if (!why)
		why = endpoint_port(text + n + v6, &e.port);
	if (!why)
		*out = e;
	return why;
}

static bool endpoint_is_aws(const char *host)
{
	size_t n = strlen(host), d = sizeof(AWS_DOMAIN) - 1;

	return n > d && strcmp(host + n - d, AWS_DOMAIN) == 0;
}

char *config_endpoint_service(const struct config_endpoint *e)
{
	if (endpoint_is_aws(e->host))
		return strdup(&AWS_DOMAIN[1]);
	return io_path("%s:%u", e->loopback ? "localhost" : e->host, e->port);
}

char *config_endpoint_aws_region(const struct config_endpoint *e)
{
	size_t n;

	if (!endpoint_is_aws(e->host) || strncmp(e->host, "s3.", 3) != 0)
		return NULL;
	n = strcspn(e->host + 3, ".");
	if (strcmp(e->host + 3 + n, AWS_DOMAIN) != 0)
		return NULL;
	return strndup(e->host + 3, n);
}
