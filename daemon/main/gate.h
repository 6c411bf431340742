/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decorator that lets nothing through until the bucket has proved to be
 * this trust's own (S20). A worker starts without the cloud (P10); what it
 * then meets when the cloud comes back must not get or give a byte before its
 * marker was read. While closed every call is -EAGAIN: "not now".
 *
 * Behind an open gate everybody may read; put, copy and delete only who holds
 * the bucket (S22): they ask the fence first, see fence_put() and fence_del()
 * for what it costs and says. Nobody who writes there has to think of it. What
 * deletes has half a minute then; data may take as long as the line needs.
 */
#ifndef MERSEY_MAIN_GATE_H
#define MERSEY_MAIN_GATE_H

#include "move/fence.h"
#include "store/store.h"

/* One gate for the stores of all causes; starts closed. Any thread. */
struct gate {
	bool open;	     /* atomic */
	struct fence *fence; /* borrowed; NULL: anybody may, in tests */
};

/* Lets calls through from now on; it never closes again. */
void gate_open(struct gate *g);

bool gate_is_open(const struct gate *g);

/* Owns `inner`, also on failure (NULL). The gate is borrowed. */
struct store *gate_store_new(struct store *inner, struct gate *g);

#endif
