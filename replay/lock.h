/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_LOCK_H
#define SPHT_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * mmu_lock in virtual time: one holder at a time (write_lock(&kvm->mmu_lock) in
 * FNAME(page_fault)).  Holds are entered in the order in which they are asked
 * for, which with several vCPUs is not that of their clocks: so the last ones
 * are kept, and a hold goes to the first time from which on it overlaps none.
 */
#define SPHT_LOCK_HOLDS 16

struct spht_lock {
	struct {
		uint64_t from, to; /* ns, @to not held any more */
	} hold[SPHT_LOCK_HOLDS];
	uint64_t last; /* the latest `to` */
	unsigned int next;
};

/* Holds the lock for @ns from @t ns on or as soon as it is free after; returns when. */
uint64_t spht_lock_take(struct spht_lock *lock, uint64_t t, uint64_t ns);
/* The hold that ends at @at goes on for @ns more, unless somebody waits for its end. */
bool spht_lock_extend(struct spht_lock *lock, uint64_t at, uint64_t ns);

#endif
