/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CHILD_H
#define SPHT_CHILD_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "spht_error.h"

/*
 * A child process that does what cannot be trusted to survive its input, and
 * reports by messages through a pipe.  It has limited memory, no core dump, no
 * standard streams, no file but @keep_fd, and dies with its parent.
 */
/* JSON of a header must fit. */
#define SPHT_CHILD_MAX_MESSAGE (20u << 20)
#define SPHT_CHILD_FD          4 /* what @keep_fd is called in the child */

struct spht_child;
struct spht_pipe;

struct spht_child_limits {
	uint64_t heap; /* bytes that it may allocate */
	uint64_t mapped; /* bytes of files that it may map besides */
	unsigned int silence_ms; /* it is killed after this long without a message */
};

struct spht_message {
	uint32_t type; /* the caller's business, 0 excepted */
	uint64_t done; /* progress in the unit of the caller */
	const void *data; /* valid until the next read */
	size_t len;
};

/*
 * Runs @fn(pipe, arg) in a child, whose exit status is 0 when @fn returns 0.
 * @stop makes spht_child_read() fail as soon as it is not 0.  NULL with @err set.
 */
struct spht_child *spht_child_start(int (*fn)(struct spht_pipe *pipe, void *arg), void *arg,
				    int keep_fd, const struct spht_child_limits *limits,
				    const volatile sig_atomic_t *stop, struct spht_error *err);
/*
 * The next message: 1, 0 when there are no more, -1 when the child fell silent,
 * broke the protocol or @stop was set.  Each time that nothing came for a
 * while, @idle is called (may be NULL).
 */
int spht_child_read(struct spht_child *c, struct spht_message *m, void (*idle)(void *),
		    void *idle_arg, struct spht_error *err);
/* Kills it where it is still alive, frees @c.  0 if it had ended well by itself, else -1. */
int spht_child_end(struct spht_child *c, struct spht_error *err);

/* For @fn: 0, or -1 when the parent is gone or @len is too large. */
int spht_pipe_send(struct spht_pipe *p, uint32_t type, uint64_t done, const void *data, size_t len);

#endif
