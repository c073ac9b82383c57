/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_EXPLAIN_H
#define SPHT_EXPLAIN_H

#include "replay/recording.h"

/*
 * explain: which exit is to be told of, and where the model and the checks
 * disagree.  The first pass over a recording finds an exit (spht_explain_find),
 * another one tells its story (story.h); ids are the same in both.
 */
enum spht_target_kind {
	SPHT_TARGET_NONE,
	SPHT_TARGET_EXIT, /* the n-th complete window */
	SPHT_TARGET_TIME, /* the first #PF exit that begins then or later */
	SPHT_TARGET_MISS, /* the exit of the n-th disagreement */
};

struct spht_target {
	enum spht_target_kind kind;
	uint64_t nr; /* from 1 */
	uint64_t ns; /* from the first event on */
	const char *text; /* as given; borrowed */
};

/* "123", "t:12.5", "miss:7".  -1 with @err set where @text is none of these. */
int spht_target_parse(struct spht_target *t, const char *text, struct spht_error *err);

/* A disagreement and the exit that it is in. */
struct spht_miss_at {
	struct spht_miss miss;
	uint64_t number; /* of the exit; 0: work outside of exits */
	uint64_t ns; /* of the recording's clock: kvm_exit, or the work's own time */
	gva_t gva; /* of the entry, where that is in the fault's own table; else the fault's */
	gfn_t gfn; /* of the shadow page */
	uint32_t role;
	uint64_t spte; /* that the model held; 0: none, or known by proof alone */
	uint16_t vcpu;
	uint8_t cls;
};

/* Disagreements in the order of the work. */
struct spht_misses {
	struct spht_miss_at *v;
	size_t nr, cap;
};

void spht_misses_close(struct spht_misses *m);
/* -1 when memory is short. */
int spht_misses_add(struct spht_misses *m, struct spht_observed *o, const struct spht_exit *x,
		    const struct spht_miss *miss);

/* An exit, and the entry that its story is about. */
struct spht_found {
	uint64_t number;
	bool has_step; /* the exit changed something or faulted; else there is no more to it */
	bool has_page,
		has_entry; /* it faulted on an entry that the model knows, or one was missed */
	bool other; /* the entry is not the one that the fault was on */
	uint32_t step; /* of the what-ifs */
	uint32_t page, path, table; /* path, table: SPHT_NO_ID where they are not known */
	uint64_t space, vpn;
	uint16_t index;
	uint8_t leaf_level;
};

/*
 * Reads @path with @options once and finds the exit.  -1 with @err set where it
 * cannot be read or has no such exit.
 */
int spht_explain_find(const struct spht_target *t, const char *path,
		      const struct spht_load_options *options, struct spht_found *found,
		      struct spht_error *err);

#endif
