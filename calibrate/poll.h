/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_POLL_H
#define SPHT_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "calibrate/machine.h"

/*
 * A poller on the other CPU: it finds out between which two instants a page-table
 * entry of this process changed.
 */

enum poll_method {
	/*
	 * AVX2 loads and stores whose mask is empty: they access nothing and never fault,
	 * but where the hardware's walk finds no entry (or none that may be written) they
	 * take several times longer.  No lock, no system call; the poller is a thread.
	 */
	POLL_LOAD,
	POLL_STORE,
	/*
	 * /proc/PID/pagemap: several times slower, and takes the locks of the page tables.
	 * The poller is a process of its own, so that this one stays single-threaded and
	 * no flush has to interrupt the poller.
	 */
	POLL_PAGEMAP,
	POLL_METHOD_NR
};

extern const char *const poll_method_names[POLL_METHOD_NR];

struct poller;

/*
 * Starts a poller, which lives until poll_stop() or the end of this process.  Returns
 * NULL where @method cannot tell the two states apart on this CPU; dies where
 * there is no memory, thread or pagemap.
 */
struct poller *poll_start(const struct machine *m, enum poll_method method);
void poll_stop(struct poller *p);

/* The poller watches the entry of @page; returns when it has seen it as it is now. */
void poll_watch(struct poller *p, void *page);
/*
 * Waits until it has seen a change.  That was between *@from, when a look began that
 * saw the old state, and *@to, when one ended that saw the new one; time stamps.
 */
void poll_wait(struct poller *p, uint64_t *from, uint64_t *to);
/* Cycles from one look to the next, as a median of many at an entry that is not there. */
double poll_period(const struct poller *p);

#endif
