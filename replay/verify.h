/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_VERIFY_H
#define SPHT_VERIFY_H

#include "replay/account.h"
#include "replay/mmu.h"
#include "replay/step.h"

/*
 * --verify: the recording replayed to the letter beside a what-if, and held against
 * it after each step, in the pages that the step touched.  What the recording's MMU
 * has, the what-if has or knows to be lacking; what is writable there is so here.
 */
struct spht_verify;

/* NULL when memory is short. */
struct spht_verify *spht_verify_open(const struct spht_shadow *shadow);
void spht_verify_close(struct spht_verify *v);

/* A what-if's page beside its MMU: the bits of the entries that it knows to be lacking. */
typedef const uint64_t *spht_lacking_fn(const void *whatif, uint32_t page);

/* All that follow do nothing where @v is NULL.  The what-if has changed @page. */
void spht_verify_touch(struct spht_verify *v, uint32_t page);
/* A silent drop, dated back, takes effect. */
void spht_verify_drop(struct spht_verify *v, uint32_t page, unsigned int index);
/*
 * Step number @step has been replayed in the what-if, whose MMU is @mmu: it is replayed
 * here, and compared.  The first that does not hold is left in @broken.
 */
void spht_verify_step(struct spht_verify *v, const struct spht_step *s, const struct spht_do *d,
		      uint32_t step, const struct spht_mmu *mmu, spht_lacking_fn *lacking,
		      const void *whatif, struct spht_broken *broken);
/* At the end: has the replay come to where the recording's MMU is, @observed? */
void spht_verify_end(const struct spht_verify *v, const struct spht_mmu *observed,
		     struct spht_broken *broken);
bool spht_verify_no_memory(const struct spht_verify *v);

#endif
