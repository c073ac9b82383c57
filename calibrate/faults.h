/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_FAULTS_H
#define SPHT_FAULTS_H

#include "calibrate/cost.h"
#include "calibrate/machine.h"

/*
 * What one access costs a guest, by what KVM must do for it; the classes are those of
 * docs/metrics.md.  tests/live records the same accesses and shows that each takes that
 * exit and no other.
 */
enum fault {
	FAULT_HIDDEN, /* brings 7 neighbours */
	FAULT_ALONE, /* hidden, no neighbour qualifies */
	FAULT_AD, /* the accessed bit is clear, neighbours' too */
	FAULT_HUGE, /* in a guest page of 2 MiB, 7 neighbours */
	FAULT_PAGE, /* hidden, 7 neighbours, in a page table not shadowed yet */
	FAULT_UNSYNC, /* a store into a page table, let through */
	FAULT_EMUL, /* a store into a table of level 2, emulated */
	FAULT_SPURIOUS, /* the entry is there, the path to it is not linked */
	FAULT_MMIO, /* a store to no memory, to user space and back */
	FAULT_FIRST, /* no fault: first use of an entry that came along */
	FAULT_AGAIN, /* no fault: a later use, translation no longer in the TLB */
	FAULT_NR
};

extern const char *const fault_names[FAULT_NR];

/* Adds one run of @fault to @c, on this thread's CPU; a fresh VM. */
void fault_measure(const struct machine *m, enum fault fault, struct cost *c);

#endif
