/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_CUT_STATE_OWN_H
#define SPHT_CUT_STATE_OWN_H

#include "cut-state.h"
#include "node-table.h"

/* What cut-state.c collects and cut-emit.c hands out; nobody else's. */

#define MAX_LEVEL 5

/* A kept event. */
struct record {
	uint64_t seq; /* place in the order of feeding */
	uint64_t ts;
	int32_t pid;
	uint16_t cpu;
	uint8_t id, type, flags, preempt;
	uint64_t v[]; /* as many as the type uses */
};

/* A shadow page that is not zapped. */
struct page {
	struct node node; /* by gfn */
	uint32_t role; /* without the invalid bit */
	uint64_t born; /* seq of the get_page that first showed it */
	struct record *get, *sync;
};

struct spte {
	struct node node; /* by sptep */
	struct spte *next; /* in its frame */
	struct record *set;
};

/* A host page that holds the entries of one shadow page. */
struct frame {
	struct node node; /* by frame number */
	struct node by_gfn; /* key: gfn of the shadow page */
	bool role_known;
	uint32_t role;
	struct spte *sptes;
};

/* What a thread's current exit has shown. */
struct thread {
	struct node node; /* by tid */
	struct record *entry, *root;
	uint64_t pte[MAX_LEVEL + 1]; /* of the last walk, by level */
	unsigned int highest, lowest; /* levels the walk began at and came down to */
	bool armed; /* spte_requested: the next set_spte belongs to the walk */
	struct {
		bool seen;
		uint64_t gfn;
		uint32_t role;
	} got[MAX_LEVEL + 1]; /* get_page by level, since the walk */
};

struct cut_state {
	const struct spht_event_type *types;
	uint8_t words[SPHT_MAX_TYPES];
	unsigned int level_shift, direct_bit, invalid_bit; /* of the role word */
	uint64_t seq;
	bool lossy; /* some events are missing, zaps perhaps */
	struct table pages, sptes, frames, frames_by_gfn, threads;
	struct cut_snaps *snaps;
};

/* The live shadow page of @gfn and @role, NULL if there is none. */
struct page *cut_state_page(const struct cut_state *s, uint64_t gfn, uint32_t role);

#endif
