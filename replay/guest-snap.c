// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/guest-local.h"

/*
 * Entries that the last snapshot did not name were then as the one before had them: that
 * is evidence, too, and is told when something else comes, or nothing more.
 */
int spht_gst_catch_up(struct spht_guest *g, const struct spht_gst_table *t,
		      struct spht_gst_entry *e, uint32_t table, unsigned int index)
{
	uint8_t strict = SPHT_GPTE_DECIDED;

	if (!t->known || e->step < t->since || e->step >= t->snapped)
		return 0;
	if (spht_gst_is_present(e->kind))
		strict |= SPHT_GPTE_PRESENT | (e->a ? SPHT_GPTE_A : 0) |
			  (e->w && e->d ? SPHT_GPTE_WRITABLE : 0) |
			  (e->generation ? SPHT_GPTE_GENERATION : 0);
	if (spht_gst_emit(g, SPHT_WORLD_STRICT, e, table, index, e->step, strict))
		return -1;
	e->step = t->snapped;
	return 0;
}

bool spht_guest_is_known(const struct spht_guest *g, uint32_t table)
{
	return table < g->nr && g->tables[table].known;
}

void spht_guest_still(struct spht_guest *g, uint32_t table, uint32_t step)
{
	g->tables[table].snapped = step;
}

int spht_guest_unknow(struct spht_guest *g, uint32_t table)
{
	struct spht_gst_table *t = spht_gst_table(g, table);

	if (!t)
		return -1;
	if (!t->known)
		return 0;
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		struct spht_gst_entry *c = t->chunk[i / SPHT_GST_CHUNK];

		if (!c)
			i |= SPHT_GST_CHUNK - 1;
		else if (spht_gst_catch_up(g, t, c + i % SPHT_GST_CHUNK, table, i))
			return -1;
	}
	t->known = false;
	/* New chunks are of entries that were absent until then. */
	t->since = t->snapped;
	return spht_gst_emit_rest(g, SPHT_WORLD_STRICT, t, table, t->snapped, 0);
}

int spht_guest_shown(struct spht_guest *g, uint32_t table, unsigned int index, uint32_t step,
		     uint64_t pte)
{
	const struct spht_evidence ev = {
		.table = table,
		.index = (uint16_t)index,
		.kind = pte & SPHT_PTE_P ? SPHT_EVIDENCE_PRESENT : SPHT_EVIDENCE_ABSENT,
		.step = step,
		.gfn = spht_pte_gfn(pte),
		.w = pte & SPHT_PTE_W,
		.a = pte & SPHT_PTE_A,
		.d = pte & SPHT_PTE_D,
		.snapshot = true,
		.frozen_since = SPHT_NOT_FROZEN,
	};

	return spht_guest_evidence(g, &ev);
}

/* From a snapshot on nobody asks any more why groups ended before it. */
static int settle_all(struct spht_guest *g, struct spht_gst_table *t, uint32_t table)
{
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		struct spht_gst_entry *c = t->chunk[i / SPHT_GST_CHUNK];

		if (!c)
			i |= SPHT_GST_CHUNK - 1;
		else if (spht_gst_refuse(g, t, c + i % SPHT_GST_CHUNK, table, i, true))
			return -1;
	}
	return 0;
}

int spht_guest_know(struct spht_guest *g, uint32_t table, uint32_t step, const uint64_t *pte,
		    unsigned int but)
{
	struct spht_gst_table *t = spht_gst_table(g, table);

	if (!t || settle_all(g, t, table))
		return -1;
	/* Before anything moves on: what comes for the first time was last absent when it was known. */
	for (unsigned int i = 0; t->was_known && i < SPHT_PT_ENTRIES; i++)
		if ((pte[i] & SPHT_PTE_P) && !spht_gst_entry(g, t, i, step))
			return -1;
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
		if (spht_gst_emit_rest(g, w, t, table, step, SPHT_GPTE_DECIDED))
			return -1;
	if (!t->was_known)
		t->first = step;
	t->known = t->was_known = true;
	t->since = t->snapped = step;
	for (unsigned int first = 0; first < SPHT_PT_ENTRIES; first += SPHT_GST_CHUNK) {
		bool any = t->chunk[first / SPHT_GST_CHUNK];

		for (unsigned int i = first; i < first + SPHT_GST_CHUNK; i++)
			any = any || (pte[i] & SPHT_PTE_P);
		for (unsigned int i = first; any && i < first + SPHT_GST_CHUNK; i++)
			if (i != but && spht_guest_shown(g, table, i, step, pte[i]))
				return -1;
	}
	return 0;
}
