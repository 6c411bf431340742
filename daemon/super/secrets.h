/* SPDX-License-Identifier: Apache-2.0 */
/* How the supervisor comes by secrets, and when it looks again. */
#ifndef MERSEY_SUPER_SECRETS_H
#define MERSEY_SUPER_SECRETS_H

#include <sys/stat.h>

#include "super/super.h"

/* What a command prints before the secret: when it expires. */
#define SUPER_COMMAND_HEAD 8

/* Runs argv[0], which calls super_secret_print(). 0 and a value in *s, to be
 * wiped by the caller, or -errno. */
int secret_from_command(struct super_secret *s, const char *const *argv,
			struct err *err);

/* One credential that a worker has. */
struct renewal {
	struct stat seen; /* its file, when it was read */
	int64_t due_ns;	  /* boot time: it expires soon; 0 = it does not */
	bool failed;	  /* and that was said */
};

/* Reads a credential and puts it into the socket; *r tells of what was sent.
 * Nothing of it stays here. */
int renewal_send(int fd, const struct super_credential *c, struct renewal *r,
		 struct err *err);

/* As if what is there now had been sent. */
void renewal_begin(const struct super_credential *c, struct renewal *r);
/* As renewal_send(), and logs what became of it; `trust` NULL = it is said by
 * the log itself. */
void renewal_again(int fd, const struct super_credential *c, struct renewal *r,
		   const char *trust);

/* Is there something new, or will there have to be? */
bool renewal_wanted(const struct super_credential *c, const struct renewal *r,
		    int64_t now);

#endif
