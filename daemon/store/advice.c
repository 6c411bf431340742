/* SPDX-License-Identifier: Apache-2.0 */
/* What a person can do about what a store said. */
#include <string.h>

#include "store/drivers.h"

/* How store_detail() begins, or (NULL) what the error is -> what to do. */
static const struct {
	const char *said;
	int rc;
	const char *advice;
} advices[] = {
	{ STORE_TLS_AUTHORITY, 0,
	  "put the certificate of the authority that the service uses into the "
	  "store's ca_file" },
	{ STORE_TLS_HOST, 0,
	  "write the store's endpoint with a host name that the certificate "
	  "has, or renew the certificate with this one" },
	{ STORE_TLS_EXPIRED, 0,
	  "renew the certificate of the service; is this machine's clock "
	  "right?" },
	{ STORE_TLS_EARLY, 0,
	  "set this machine's clock, or wait until the certificate is valid" },
	{ "SignatureDoesNotMatch", 0,
	  "correct the secret key in the store's credentials" },
	{ "InvalidAccessKeyId", 0,
	  "correct the access key in the store's credentials: the service does "
	  "not know it" },
	{ "ExpiredToken", 0, "renew the credentials of the store" },
	{ "InvalidToken", 0, "renew the credentials of the store" },
	{ "TokenRefreshRequired", 0, "renew the credentials of the store" },
	{ "NoSuchBucket", 0,
	  "make the bucket, or correct its name in the trust's tier" },
	{ "InvalidBucketName", 0,
	  "correct the name of the bucket in the trust's tier" },
	{ "AccessDenied", 0,
	  "allow these credentials to read, write, list and delete in the "
	  "bucket" },
	{ "UserSuspended", 0, "have the account at the service enabled" },
	{ "AuthorizationHeaderMalformed", 0,
	  "correct the store's region, and its endpoint" },
	{ "PermanentRedirect", 0,
	  "correct the store's region, and its endpoint" },
	{ "TemporaryRedirect", 0,
	  "correct the store's region, and its endpoint" },
	{ "RequestTimeTooSkewed", 0, "set this machine's clock" },
	{ "RequestExpired", 0, "set this machine's clock" },
	{ "QuotaExceeded", 0, "have the quota of the bucket raised" },
	/* The answer to a HEAD, where nothing says more. */
	{ "HTTP status 403", 0,
	  "check the store's credentials, and what they may do in the bucket" },
	{ NULL, -EHOSTUNREACH,
	  "check the host name in the store's endpoint, and the network to it" },
	{ NULL, -ENETUNREACH, "check the network to the store's endpoint" },
	{ NULL, -ECONNREFUSED,
	  "check the port in the store's endpoint, and that the service runs" },
	{ NULL, -ECONNRESET,
	  "check that the store's endpoint is http or https as the service is" },
	{ NULL, -ETIMEDOUT,
	  "check the network to the store's endpoint; work resumes by itself" },
};

const char *store_advice(int rc, const char *detail)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		const char *said = advices[i].said;

		if (said ? strncmp(detail, said, strlen(said)) == 0
			 : rc == advices[i].rc)
			return advices[i].advice;
	}
	return NULL;
}
