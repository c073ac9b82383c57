// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/guest-local.h"

/*
 * Of 1000 entries of such a group that the guest never touched, so many are not there: the page
 * cache lacks the page, or another mapping lies there.  docs/model.md says how it was measured.
 */
#define HOLES_IN_1000 43u

/* Is the @n-th guess one that nothing is there?  They come evenly, whatever is asked. */
static bool is_hole(uint64_t n)
{
	return (uint32_t)(n * 0x9e3779b9u) < HOLES_IN_1000 * (UINT32_MAX / 1000u);
}

/*
 * A page that was mapped without a fault of its own shows that its group was mapped at
 * @around: by fault-around, which maps what the page cache has, or by the kernel, for itself.
 * Of the entries there that no evidence speaks of, the best guess is that they are there too,
 * and since when @ev's entry is: a table that was frozen from then on was so for all of them.
 */
int spht_gst_guess(struct spht_guest *g, struct spht_gst_table *t, const struct spht_evidence *ev,
		   uint32_t around, uint32_t since)
{
	unsigned int group = ev->index / SPHT_GST_FAULT_AROUND;
	unsigned int first = group * SPHT_GST_FAULT_AROUND;
	bool frozen = since < around - 1;
	uint32_t from = !frozen ? around - 1 : since > t->born ? since : t->born;
	uint8_t st = SPHT_GPTE_DECIDED | SPHT_GPTE_PRESENT | SPHT_GPTE_A |
		     (frozen ? 0 : SPHT_GPTE_LEAD);

	if (t->guessed[group] == around)
		return 0;
	t->guessed[group] = around;
	for (unsigned int i = first; i < first + SPHT_GST_FAULT_AROUND; i++) {
		/* The group lies in one chunk, and @ev's entry is of it. */
		struct spht_gst_entry *e = t->chunk[i / SPHT_GST_CHUNK] + i % SPHT_GST_CHUNK;

		if (e->kind != SPHT_GST_KIND_NONE || e->refused || e->guessed || i == ev->index)
			continue;
		e->guessed = true;
		e->lead = !frozen;
		e->step = from;
		if (is_hole(++g->guesses))
			continue;
		if (spht_gst_emit(g, SPHT_WORLD_INFERRED, e, ev->table, i, from, st))
			return -1;
	}
	return 0;
}
