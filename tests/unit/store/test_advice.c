/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include <openssl/x509_vfy.h>

#include "store/drivers.h"
#include "store/s3/errors.h"

static void assert_advice(int rc, const char *detail, const char *says)
{
	const char *advice = store_advice(rc, detail);

	print_message("%s\n", detail);
	assert_non_null(advice);
	assert_non_null(strstr(advice, says));
}

static void test_codes(void **state)
{
	assert_advice(-EACCES, "SignatureDoesNotMatch (HTTP 403)",
		      "secret key");
	assert_advice(-EACCES, "InvalidAccessKeyId: no such key (HTTP 403)",
		      "access key");
	assert_advice(-EACCES, "NoSuchBucket (HTTP 404)", "name in the trust");
	assert_advice(-EACCES, "AccessDenied (HTTP 403)", "allow");
	assert_advice(-EACCES, "PermanentRedirect: the bucket is in region 'x'",
		      "region");
	assert_advice(-EACCES, "RequestTimeTooSkewed: its clock is 3600 s",
		      "clock");
	assert_advice(-EACCES, "ExpiredToken", "renew");
	assert_advice(-EACCES, "HTTP status 403", "may do in the bucket");
	assert_null(store_advice(-EIO, ""));
	/* of the words, not somewhere in them */
	assert_null(store_advice(-EACCES, "x NoSuchBucket"));
}

static void test_network(void **state)
{
	assert_advice(-ECONNREFUSED, "Failed to connect", "port");
	assert_advice(-EHOSTUNREACH, "Could not resolve host: a", "host name");
	assert_advice(-ETIMEDOUT, "", "network");
}

/* What OpenSSL finds wrong with a certificate, in our words. */
static void test_certificates(void **state)
{
	static const struct {
		long found;
		const char *says;
	} cases[] = {
		{ X509_V_OK, "host name" },
		{ X509_V_ERR_UNSPECIFIED, "host name" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "ca_file" },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "ca_file" },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "ca_file" },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "ca_file" },
		{ X509_V_ERR_CERT_HAS_EXPIRED, "renew the certificate" },
		{ X509_V_ERR_CERT_NOT_YET_VALID, "clock" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_advice(-EACCES, s3_tls_reason(cases[i].found),
			      cases[i].says);
	assert_string_equal(s3_tls_reason(X509_V_ERR_CERT_REVOKED),
			    "its certificate: certificate revoked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
