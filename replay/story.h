/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_STORY_H
#define SPHT_STORY_H

#include "replay/explain.h"
#include "replay/look.h"

/*
 * story: all that happened to one entry, its shadow page and the path to it,
 * up to one exit, and that exit from both sides.  Told by a tap on the pass
 * over the recording that follows spht_explain_find().
 */

/* What happened, beside enum spht_do_kind. */
enum {
	SPHT_STORY_FOUND_UNSYNC = 64, /* get_page found the page unsync and synced it in place */
	SPHT_STORY_DATED_DROP, /* found missing; taken out as of the last sync */
};

/* To what. */
enum spht_story_place {
	SPHT_STORY_ENTRY,
	SPHT_STORY_PAGE,
	SPHT_STORY_ABOVE, /* a page of the path to it */
	SPHT_STORY_ALL, /* every page */
};

/* Why an entry was dropped, as far as exit and counters tell. */
enum spht_story_why {
	SPHT_STORY_WHY_NONE,
	SPHT_STORY_WHY_WALK, /* guest fault with P=0 */
	SPHT_STORY_WHY_INJECTED, /* guest fault injected with P=1: invalidated */
	SPHT_STORY_WHY_INVLPG,
	SPHT_STORY_WHY_STORE, /* emulated store to its guest entry */
	SPHT_STORY_WHY_REPLACED, /* KVM made it anew: it was gone */
	SPHT_STORY_WHY_REUSED, /* with all others: the guest's table has another life */
	SPHT_STORY_WHY_RULE, /* another rule of the model */
	SPHT_STORY_WHY_SILENT, /* + enum spht_drop_cause */
};

struct spht_story_event {
	uint64_t number; /* of the exit; 0: work outside of exits */
	uint64_t ns; /* of the recording's clock */
	gva_t gva; /* of the fault in that exit, if has_gva */
	uint64_t spte; /* SET, PREFETCH, REFRESH */
	gfn_t gfn; /* ABOVE: of the page */
	uint16_t vcpu;
	uint8_t cls;
	uint8_t kind; /* enum spht_do_kind or SPHT_STORY_ */
	uint8_t place; /* enum spht_story_place */
	uint8_t level; /* ABOVE */
	uint8_t why; /* enum spht_story_why */
	bool writable, has_gva;
};

/* A shadow page just before the exit. */
struct spht_story_page {
	bool known; /* its identity is */
	bool exists, unsync;
	bool linked; /* from the page above */
	gfn_t gfn;
	uint32_t role;
};

struct spht_story {
	struct spht_found found;
	struct spht_observed *o;
	uint64_t start; /* ns, the recording's first event */
	bool met; /* the exit has been */

	struct spht_story_event *v; /* before the exit */
	size_t nr, cap;
	size_t own; /* the event that the entry is from, as it was at the exit; SIZE_MAX: none */

	struct spht_exit x; /* ops: a copy */
	size_t other_ops; /* operations of the exit that stand elsewhere in the order */
	struct spht_story_page path[5]; /* by level; the leaf's own */
	bool present, writable, unknown, proven;
	uint64_t spte;
	int belief; /* SPHT_BELIEF_*; -1: it could not be known */
	struct spht_fidelity before, after;
	struct spht_do *dos; /* what the model did, a copy */
	uint32_t nr_do;
	struct spht_misses missed; /* in this exit */

	/* Around the current exit. */
	const struct spht_exit *now;
	struct spht_fidelity seen;
	uint32_t seen_steps;
	uint64_t seen_spte;
	bool seen_present, no_memory;

	struct spht_misses *all; /* of the whole recording, NULL: not wanted */
};

/*
 * @found NULL: only the list @all, which may be NULL otherwise.  The tap is good
 * as long as the story is.
 */
void spht_story_init(struct spht_story *s, const struct spht_found *found, struct spht_misses *all);
void spht_story_close(struct spht_story *s);
struct spht_tap spht_story_tap(struct spht_story *s);

/* Everything that one replay needs to tell of an exit, of misses, or of neither. */
struct spht_telling {
	struct spht_story story;
	struct spht_misses misses;
	struct spht_look_at look_at; /* the entry of the story, for the what-ifs */
	struct spht_tap tap;
};

/*
 * Finds the exit @target (NULL or none: no story) of @path with @options, and sets their
 * tap so that the next pass tells its story, and @list: all misses.  -1 with @err set
 * as spht_explain_find().  @telling stays where it is.
 */
int spht_telling_open(struct spht_telling *t, const struct spht_target *target, bool list,
		      const char *path, struct spht_load_options *options, struct spht_error *err);
/* The entry for spht_run_options.look_at, NULL: there is none. */
const struct spht_look_at *spht_telling_look_at(struct spht_telling *t);
void spht_telling_close(struct spht_telling *t);

#endif
