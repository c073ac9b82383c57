/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CUT_STATE_H
#define SPHT_CUT_STATE_H

#include "spht_trace.h"

/*
 * The state of the shadow MMU at a point of a recording, as the events that
 * built it: for every shadow page not zapped since, its last get_page and
 * sync or unsync after that, the last set_spte of each of its entries; for
 * every vCPU thread its last kvm_entry and last root; and of each page table of the
 * guest that was snapped its last content, in full.  `spht-trace cut` keeps
 * them as the preamble of its window.
 *
 * Memory is proportional to live entries.  What the kernel drops without an
 * event (sync, INVLPG, rmap limit) stays: the trace does not show it.
 */
struct cut_state;

/* @header: of the recording; says the kernel and, in a cut, which frames belong to which pages. */
struct cut_state *cut_state_new(const json_t *header, const struct spht_event_type *types,
				unsigned int nr_types);
void cut_state_free(struct cut_state *s);
/* Takes one event before the window.  Returns 0, or -1 without memory. */
int cut_state_feed(struct cut_state *s, const struct spht_event *ev);
/*
 * Calls @fn for every kept event in the order they were fed; stops and
 * returns what it returns when that is not 0, -1 without memory.
 */
int cut_state_emit(const struct cut_state *s, int (*fn)(void *arg, const struct spht_event *ev),
		   void *arg);
/*
 * Where the kept entries are: an array of [frame, gfn, role], hex strings,
 * role null where it was not seen.  The walks that told so lie before the
 * window, and no kept event repeats it.  NULL without memory.
 */
json_t *cut_state_frames(const struct cut_state *s);

#endif
