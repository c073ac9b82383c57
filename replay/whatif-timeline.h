/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_WHATIF_TIMELINE_H
#define SPHT_WHATIF_TIMELINE_H

#include "replay/whatif-local.h"

/*
 * whatif-timeline.c; all but the first only where w->timed.  A step begins: is it on the
 * timeline?  Only where there is one (config.timeline).
 */
void spht_tl_step(struct spht_whatif *w, const struct spht_step *s);
/* The vCPU has come to the exit: @guest_ns of its own, then @others_ns in other exits. */
void spht_tl_come_to(struct spht_whatif *w, const struct spht_step *s, uint64_t guest_ns,
		     uint64_t others_ns);
/* The fault takes mmu_lock at @from, wanted at @want, for @hold. */
void spht_tl_serve(struct spht_whatif *w, uint64_t want, uint64_t from, uint64_t hold);
/* The exit ends, @ns after it began. */
void spht_tl_leave(struct spht_whatif *w, const struct spht_step *s, bool avoided, uint64_t ns);
/* What became of the exit, and of the helper's entry that it met; the first word counts. */
void spht_tl_met(struct spht_whatif *w, uint32_t page, unsigned int index,
		 enum spht_tl_outcome outcome);
/* The same of a request that no entry has come of yet. */
void spht_tl_overtaken(struct spht_whatif *w, const struct spht_request *q);
/* A request is queued; its ticket. */
uint32_t spht_tl_ask(struct spht_whatif *w);
/* The helper reads @q's entry from @start on; @refused: in which book it is counted. */
void spht_tl_read(struct spht_whatif *w, const struct spht_worker *k, const struct spht_request *q,
		  uint64_t start, bool watched, const uint64_t *refused);
/* It has done what it had to do at @ns: it prepares a job now, or queues and counts changed. */
void spht_tl_worked(struct spht_whatif *w, const struct spht_worker *k, uint64_t ns);
/* Installs it from @from to @to, having waited since k->next_ns; @locked: under mmu_lock. */
void spht_tl_install(struct spht_whatif *w, struct spht_worker *k, uint64_t from, uint64_t to,
		     bool locked);
/* Keeps mmu_lock from @from to @to for its next job (@installs), or for one that it refuses. */
void spht_tl_keep(struct spht_whatif *w, struct spht_worker *k, uint64_t from, uint64_t to,
		  bool installs);
/* The job is done; wherever there is a timeline, since the entry may be met in the window. */
void spht_tl_done(struct spht_whatif *w, struct spht_worker *k, bool built);
/* The recording lost events. */
void spht_tl_loss(struct spht_whatif *w);

#endif
