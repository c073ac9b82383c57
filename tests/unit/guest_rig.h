/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_GUEST_RIG_H
#define SPHT_TEST_GUEST_RIG_H

#include "events.h"
#include "replay/chunk.h"
#include "replay/guest.h"

/* Evidence on one guest entry by hand, and what the three worlds make of it. */
#define END 100u

struct rig {
	struct spht_steps steps;
	struct spht_chunk chunk; /* all of them, once finished */
	struct spht_guest *guest;
	uint32_t table;
	uint16_t index;
	bool finished;
};

static inline void rig_open(struct rig *r)
{
	*r = (struct rig){.table = 3, .index = 40};
	assert_int_equal(spht_steps_init(&r->steps, SPHT_ROOM_DEFAULT), 0);
	for (uint32_t i = 0; i <= END; i++)
		assert_non_null(spht_steps_add(&r->steps));
	r->guest = spht_guest_open(&r->steps.changes);
	assert_non_null(r->guest);
	spht_chunk_init(&r->chunk);
}

static inline void rig_close(struct rig *r)
{
	spht_chunk_close(&r->chunk);
	spht_guest_close(r->guest);
	spht_steps_close(&r->steps);
}

static inline void give(struct rig *r, const struct spht_evidence *ev)
{
	assert_int_equal(spht_guest_evidence(r->guest, ev), 0);
}

/* A walk that reads @bits; the page is @gfn. */
static inline void walked(struct rig *r, uint32_t step, uint64_t gfn, uint64_t bits)
{
	struct spht_evidence ev = {
		.table = r->table,
		.index = r->index,
		.kind = bits & SPHT_PTE_P ? SPHT_EVIDENCE_PRESENT : SPHT_EVIDENCE_ABSENT,
		.step = step,
		.gfn = gfn,
		.w = bits & SPHT_PTE_W,
		.sets_a = bits & SPHT_PTE_P,
		.a = bits & SPHT_PTE_A,
		.d = bits & SPHT_PTE_D,
		.frozen_since = SPHT_NOT_FROZEN,
	};

	give(r, &ev);
}

static inline void absent(struct rig *r, uint32_t step)
{
	walked(r, step, 0, 0);
}

static inline void walked_frozen(struct rig *r, uint32_t step, uint64_t gfn, uint32_t since)
{
	struct spht_evidence ev = {
		.table = r->table,
		.index = r->index,
		.kind = SPHT_EVIDENCE_PRESENT,
		.step = step,
		.gfn = gfn,
		.w = true,
		.a = true,
		.d = true,
		.frozen_since = since,
	};

	give(r, &ev);
}

/* The walk of a hidden fault that follows a guest fault on the page. */
static inline void refaulted(struct rig *r, uint32_t step, uint64_t gfn)
{
	struct spht_evidence ev = {
		.table = r->table,
		.index = r->index,
		.kind = SPHT_EVIDENCE_PRESENT,
		.step = step,
		.gfn = gfn,
		.refault = true,
		.w = true,
		.a = true,
		.d = true,
		.frozen_since = SPHT_NOT_FROZEN,
	};

	give(r, &ev);
}

static inline void shown(struct rig *r, uint32_t step, uint8_t kind, uint64_t gfn, bool writable)
{
	struct spht_evidence ev = {
		.table = r->table,
		.index = r->index,
		.kind = kind,
		.step = step,
		.gfn = gfn,
		.w = writable,
		.frozen_since = SPHT_NOT_FROZEN,
	};

	give(r, &ev);
}

/* All that changes in @world; nothing can be added any more. */
static inline const struct spht_change *changes(struct rig *r, enum spht_world world, uint32_t *nr)
{
	struct spht_error err;

	if (!r->finished) {
		assert_int_equal(spht_guest_finish(r->guest), 0);
		assert_int_equal(spht_steps_finish(&r->steps), 0);
		assert_int_equal(spht_chunk_load(&r->chunk, &r->steps, 0, &err), 0);
	}
	r->finished = true;
	*nr = r->chunk.nr_changes[world];
	return r->chunk.changes[world];
}

/* The entry's state just after @step. */
static inline uint8_t state_at(struct rig *r, enum spht_world world, uint32_t step)
{
	const struct spht_change *c;
	uint8_t state = 0;
	uint32_t nr;

	c = changes(r, world, &nr);
	for (uint32_t i = 0; i < nr && c[i].step <= step; i++)
		if (c[i].table == r->table &&
		    (c[i].index == r->index ||
		     (c[i].index == SPHT_PT_ENTRIES && !(state & ~SPHT_GPTE_DECIDED))))
			state = c[i].state;
	return state;
}

/* ? undecided, - absent, o present and A=0, r present, w writable too; O, W: not accessed, but W. */
static inline char letter(uint8_t s)
{
	if (!(s & SPHT_GPTE_DECIDED))
		return s & ~SPHT_GPTE_GENERATION ? '!' : '?';
	if (!(s & SPHT_GPTE_PRESENT))
		return s & (SPHT_GPTE_A | SPHT_GPTE_WRITABLE) ? '!' : '-';
	if (s & SPHT_GPTE_A)
		return s & SPHT_GPTE_WRITABLE ? 'w' : 'r';
	return s & SPHT_GPTE_WRITABLE ? 'O' : 'o';
}

/* States in the strict, inferred and optimistic world, one letter for each of @steps. */
static inline void check_worlds(struct rig *r, const uint32_t *steps, size_t nr, const char *strict,
				const char *inferred, const char *optimistic)
{
	const char *want[SPHT_WORLD_NR] = {
		[SPHT_WORLD_STRICT] = strict,
		[SPHT_WORLD_INFERRED] = inferred,
		[SPHT_WORLD_OPTIMISTIC] = optimistic,
	};
	char got[32];

	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
		assert_int_equal(strlen(want[w]), nr);
		for (size_t i = 0; i < nr; i++)
			got[i] = letter(state_at(r, w, steps[i]));
		got[nr] = '\0';
		if (strcmp(got, want[w]))
			fail_msg("%s: '%s', not '%s'", spht_world_name(w), got, want[w]);
	}
}

#define CHECK(r, strict, inferred, optimistic, ...) \
	do { \
		static const uint32_t steps[] = {__VA_ARGS__}; \
		check_worlds(r, steps, ARRAY_SIZE(steps), strict, inferred, optimistic); \
	} while (0)

/* Evidence at 10 and at 20: states before, between (at both ends) and after. */
#define AROUND_TWO 5, 10, 19, 20, 90

#endif
