/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_SCORE_H
#define SPHT_SCORE_H

#include "replay/chunk.h"
#include "replay/guest.h"

/*
 * score: worlds that were made up without snapshots against what the snapshots show.
 * At each one, every entry of its table is asked of every world, as of just before the
 * exit in which it was taken.
 */

/* Of SPHT_CHANGE_TRUTH for the whole table (index SPHT_PT_ENTRIES). */
enum spht_truth {
	SPHT_TRUTH_BEGIN, /* known from here on: what is present follows */
	SPHT_TRUTH_NOW, /* a snapshot: to be scored */
	SPHT_TRUTH_END, /* not known from here on */
};

enum spht_score_set {
	SPHT_SCORE_ALL, /* entries of the table, less the one that the fault's walk read */
	/*
	 * Of these, the aligned 16 around the fault's, where its walk went through the table:
	 * those that a helper is asked for.
	 */
	SPHT_SCORE_NEAR,
	SPHT_SCORE_SETS
};

/* What the world says; what is. */
enum { SPHT_SAYS_ABSENT, SPHT_SAYS_PRESENT, SPHT_SAYS_NOTHING, SPHT_SAYS_NR };

struct spht_score {
	uint64_t snapshots;
	uint64_t near_snapshots; /* those that have a near set */
	uint64_t n[SPHT_WORLD_NR][SPHT_SCORE_SETS][SPHT_SAYS_NR][2]; /* [..][what is present] */
};

/* Goes through all steps, which are finished.  Returns 0 or -1 with @err set. */
int spht_score_run(struct spht_score *score, const struct spht_steps *steps, uint32_t nr_tables,
		   struct spht_error *err);

/* Of all that the world calls present (@present) or absent, how many are, in [0]; all, in [1]. */
void spht_score_precision(const struct spht_score *s, enum spht_world world,
			  enum spht_score_set set, bool present, uint64_t of[2]);
/* Of all that are, how many the world calls so, in [0]; all, in [1]. */
void spht_score_recall(const struct spht_score *s, enum spht_world world, enum spht_score_set set,
		       bool present, uint64_t of[2]);

#endif
