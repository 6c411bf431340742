/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the metadata service of this machine or container for credentials, and
 * ends: a process without privileges and without secrets, because it parses
 * what an unauthenticated service says (S29). For the supervisor, and for
 * single mode, which hand the result to who uses it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "main/modes.h"
#include "main/service.h"
#include "store/drivers.h"

static int role(const struct args *a, const struct config *c, struct err *err)
{
	CLEANUP(conf_trust_done) struct conf_trust ct = { 0 };
	CLEANUP(secret_buf_done) struct buf text = { 0 };
	struct super_sandbox sandbox;
	int64_t expires_ns = 0;
	int rc = conf_trust_init(&ct, c, a->trust, err);

	if (rc < 0)
		return rc;
	sandbox = service_sandbox(&ct, getppid());
	rc = super_drop_privileges(&sandbox, err);
	if (rc == 0)
		rc = store_role_fetch(&text, &expires_ns, err);
	if (rc < 0)
		return rc;
	rc = super_secret_print(STDOUT_FILENO, &text, expires_ns);
	return rc < 0 ? fail(err, rc, "cannot hand over credentials: %m") : 0;
}

int mode_role(const struct args *a)
{
	CLEANUP(config_free_guard) struct config *c = NULL;
	struct err err = ERR_INIT;

	if (isatty(STDOUT_FILENO)) {
		fail(&err, -ENOTTY, "--role is for merseyd itself");
		return complain(&err);
	}
	if (conf_load(a->config, &c) < 0)
		return EXIT_USAGE;
	if (role(a, c, &err) == 0)
		return EXIT_SUCCESS;
	/* For who started it, who ends the error's journey. */
	(void)!write(STDOUT_FILENO, err.msg, strlen(err.msg));
	return EXIT_FAILURE;
}
