/* SPDX-License-Identifier: Apache-2.0 */
/* What left for the store, request by request: the raw material of a bill. */
#ifndef MERSEY_TESTS_SIM_TAPE_H
#define MERSEY_TESTS_SIM_TAPE_H

#include <pthread.h>
#include <stdio.h>

#include "store/store.h"

/* A file of comma-separated values; lines of many threads. */
struct tape {
	pthread_mutex_t lock;
	FILE *f;
};

int tape_open(struct tape *t, const char *path);
int tape_close(struct tape *t);

/* Writes a line for each call that `inner` gets; owns it, also on failure. */
struct store *tape_store_new(struct store *inner, struct tape *t,
			     const char *tier, const char *cause);

#endif
