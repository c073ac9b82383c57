/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ASKED_H
#define SPHT_ASKED_H

#include "heuristic.h"

#include <string.h>

/*
 * What a heuristic has asked for in one address space and not seen used yet, oldest
 * first, each page once: an array of the caller's, of @nr pages.  A page built well is a
 * fault that is not seen, so that whoever learns from misses looks here for the others.
 */

/* Adds @vpn; with @max pages there already the oldest makes room.  Returns how many there are. */
static inline uint32_t spht_asked_add(uint64_t *asked, uint32_t nr, uint32_t max, uint64_t vpn)
{
	for (uint32_t i = 0; i < nr; i++)
		if (asked[i] == vpn)
			return nr;
	if (nr == max)
		memmove(&asked[0], &asked[1], --nr * sizeof(*asked));
	asked[nr] = vpn;
	return nr + 1;
}

/*
 * Takes the pages out that have been used: to @used, oldest first, which has room for
 * all.  Returns how many those are; *@nr: what is left.
 */
static inline uint32_t spht_asked_take_used(uint64_t *asked, uint32_t *nr, uint64_t *used,
					    struct spht_host *host, uint64_t space)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < *nr; i++) {
		if (spht_look(host, space, asked[i]) == SPHT_ENTRY_USED)
			used[n++] = asked[i];
		else
			asked[kept++] = asked[i];
	}
	*nr = kept;
	return n;
}

#endif
