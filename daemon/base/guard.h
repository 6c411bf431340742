/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope guards: what a function holds is released on every return unless it
 * was handed on with take().  Constructors need no goto ladder.
 */
#ifndef MERSEY_BASE_GUARD_H
#define MERSEY_BASE_GUARD_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn)   __attribute__((cleanup(fn)))
#define CLEANUP_FREE  CLEANUP(guard_free)
#define CLEANUP_CLOSE CLEANUP(guard_close)

/* Hands a guarded pointer on: evaluates to it and leaves NULL behind. */
#define take(p)                            \
	({                                 \
		__typeof__(p) take_ = (p); \
		(p) = NULL;                \
		take_;                     \
	})

/* Hands a guarded descriptor on: evaluates to it and leaves -1 behind. */
#define take_fd(fd)               \
	({                        \
		int take_ = (fd); \
		(fd) = -1;        \
		take_;            \
	})

/* Defines fn##_guard, for CLEANUP(fn##_guard) on a `type` variable. */
#define DEFINE_GUARD(type, fn)                 \
	static inline void fn##_guard(type *p) \
	{                                      \
		if (*p)                        \
			fn(*p);                \
	}                                      \
	struct guard_semicolon

static inline void guard_free(void *p)
{
	free(*(void **)p);
}

static inline void guard_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline pthread_mutex_t *guard_lock(pthread_mutex_t *m)
{
	pthread_mutex_lock(m);
	return m;
}

static inline void guard_unlock(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}

#define GUARD_CAT_(a, b) a##b
#define GUARD_CAT(a, b)	 GUARD_CAT_(a, b)

/* Holds a mutex until the end of the enclosing scope. */
#define LOCK_SCOPE(m)                               \
	CLEANUP(guard_unlock)                       \
	pthread_mutex_t *GUARD_CAT(lock_, __LINE__) \
		__attribute__((unused)) = guard_lock(m)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                  \
	({                                         \
		__typeof__(a) min_a_ = (a);        \
		__typeof__(b) min_b_ = (b);        \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})
#define MAX(a, b)                                  \
	({                                         \
		__typeof__(a) max_a_ = (a);        \
		__typeof__(b) max_b_ = (b);        \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

#endif
