/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_GUEST_LOCAL_H
#define SPHT_GUEST_LOCAL_H

#include "replay/guest.h"

/*
 * Inside of guest: guest.c (evidence and intervals), guest-guess.c (what no evidence
 * speaks of), guest-snap.c (tables that snapshots show).
 */

/* fault_around_bytes, 64 KiB since Linux 3.15: do_fault_around() maps aligned groups. */
#define SPHT_GST_FAULT_AROUND 16u

/* Entries are allocated by chunks: most tables are sparse. */
#define SPHT_GST_CHUNK        32u
#define SPHT_GST_TABLE_CHUNKS (SPHT_PT_ENTRIES / SPHT_GST_CHUNK)

#define SPHT_GST_KIND_NONE    0xff

struct spht_gst_entry {
	uint32_t gfn;
	uint32_t step; /* of the last evidence; guessed: since when it is taken for present */
	uint16_t incarnation;
	uint8_t kind; /* enum spht_evidence_kind of the last evidence, SPHT_GST_KIND_NONE */
	bool generation;
	bool guessed; /* no evidence, but its group was mapped whole (inferred only), */
	bool lead; /* and that is told a lead time before the next exit */
	bool w, loose_w; /* loose_w: w is only a lower bound */
	bool a, d; /* right after that evidence */
	bool refused; /* by groups after the last evidence, the first and last of them: why? */
	uint32_t refused_first, refused_last;
	uint8_t state[SPHT_WORLD_NR]; /* as of the last change emitted */
};

struct spht_gst_table {
	struct spht_gst_entry *chunk[SPHT_GST_TABLE_CHUNKS];
	uint32_t around[SPHT_PT_ENTRIES / SPHT_GST_FAULT_AROUND]; /* step of the last refault there */
	uint32_t guessed[SPHT_PT_ENTRIES /
			 SPHT_GST_FAULT_AROUND]; /* of these, the last guessed from */
	uint32_t born; /* step after which this incarnation can have begun */
	uint16_t incarnation;
	bool known; /* snapshots show all of it, */
	bool was_known; /* in this incarnation at all */
	uint8_t rest[SPHT_WORLD_NR]; /* state of entries that no evidence speaks of */
	uint32_t first; /* was_known: step of the very first snapshot; */
	uint32_t since; /* known: of the first one without a break, */
	uint32_t snapped; /* and of the last one */
};

struct spht_guest {
	struct spht_gst_table *tables;
	uint32_t nr;
	uint64_t entries;
	uint64_t guesses; /* so far */
	struct spht_changes *changes;
};

/* @e's state in @world becomes @state from just after @step on. */
static inline int spht_gst_emit(struct spht_guest *g, enum spht_world world,
				struct spht_gst_entry *e, uint32_t table, unsigned int index,
				uint32_t step, uint8_t state)
{
	if (e->state[world] == state)
		return 0;
	if (spht_changes_add(g->changes, (struct spht_change){.step = step,
							      .table = table,
							      .index = (uint16_t)index,
							      .state = state,
							      .kind = (uint8_t)world}))
		return -1;
	e->state[world] = state;
	return 0;
}

static inline bool spht_gst_is_present(uint8_t kind)
{
	return kind == SPHT_EVIDENCE_PRESENT || kind == SPHT_EVIDENCE_PREFETCHED ||
	       kind == SPHT_EVIDENCE_KEPT;
}

/* NULL: memory is short. */
struct spht_gst_table *spht_gst_table(struct spht_guest *g, uint32_t id);
/* At @step.  NULL: memory is short. */
struct spht_gst_entry *spht_gst_entry(struct spht_guest *g, struct spht_gst_table *t,
				      unsigned int index, uint32_t step);

/* The functions below return -1 as spht_guest_evidence() does. */

/* Entries of @table without any evidence become @state in @world, from just after @step on. */
int spht_gst_emit_rest(struct spht_guest *g, enum spht_world world, struct spht_gst_table *t,
		       uint32_t table, uint32_t step, uint8_t state);
/* Groups ended at @e, and nothing tells why: the entry is taken for absent there. */
int spht_gst_refuse(struct spht_guest *g, struct spht_gst_table *t, struct spht_gst_entry *e,
		    uint32_t table, unsigned int index, bool optimistic);
/*
 * The group of @ev's entry was mapped whole at @around: what no evidence speaks of is guessed.
 * @since: from when on @ev's entry is there, SPHT_NOT_FROZEN: not known.
 */
int spht_gst_guess(struct spht_guest *g, struct spht_gst_table *t, const struct spht_evidence *ev,
		   uint32_t around, uint32_t since);
/* What the last snapshot did not name of @e becomes evidence. */
int spht_gst_catch_up(struct spht_guest *g, const struct spht_gst_table *t,
		      struct spht_gst_entry *e, uint32_t table, unsigned int index);

#endif
