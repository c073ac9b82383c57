/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LEAD_H
#define SPHT_LEAD_H

#include <stddef.h>

#include "calibrate/machine.h"
#include "calibrate/poll.h"
#include "calibrate/stats.h"

/*
 * Lead time: from the kernel's store of a page-table entry in its fault handler to the
 * first access of the faulting instruction to that page.  Measured of this machine's
 * own faults: one thread touches pages, a poller on another CPU sees the entries come.
 */

enum lead_kind {
	LEAD_ANON, /* first write to an anonymous page */
	LEAD_COW, /* first write after fork, the child alive: the page is copied */
	LEAD_FILE, /* first read of a page of a file, no neighbour in memory (memfd) */
	LEAD_AROUND, /* the same with all neighbours there: 16 are mapped at once */
	LEAD_KIND_NR
};

extern const char *const lead_kind_names[LEAD_KIND_NR];

struct lead_result {
	enum poll_method method;
	size_t nr, dropped; /* touches that count; that did not (interrupted, or not seen) */
	double period; /* ns from one look of the poller to the next, median */
	double width; /* ns within which the store is known, median */
	double fault; /* ns of a whole touch, median */
	struct density lead; /* most likely */
	struct density least, most; /* if each store came as late, as early as can be */
};

/*
 * Touches @nr pages of @kind.  Returns -1 where @method cannot see this kind on this
 * CPU (the copy of a page is seen by pagemap only), else 0.
 */
int lead_measure(const struct machine *m, enum lead_kind kind, enum poll_method method, size_t nr,
		 struct lead_result *r);

/* Cycles by which the other CPU's time stamps are ahead of this one's. */
double lead_clock_offset(const struct machine *m);

#endif
