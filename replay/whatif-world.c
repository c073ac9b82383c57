// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

bool spht_w_reaches(const struct spht_whatif *w, uint32_t path, uint32_t page,
		    unsigned int leaf_level, unsigned int index, uint64_t vpn)
{
	unsigned int missing;

	if (!spht_bit(w->mmu.pages[page].present, index))
		return false;
	missing = spht_mmu_missing(&w->mmu, path, page, leaf_level, vpn);
	return !missing || missing == SPHT_PATH_UNKNOWN;
}

void spht_w_tag(struct spht_whatif *w, struct spht_wpage *p, unsigned int what, unsigned int index,
		bool outside)
{
	if (!outside) {
		if (p->outside)
			spht_bit_clear(p->outside + what * SPHT_MMU_WORDS, index);
		return;
	}
	if (!p->outside)
		p->outside = calloc(SPHT_OUTSIDE_NR * SPHT_MMU_WORDS, sizeof(*p->outside));
	if (p->outside)
		spht_bit_set(p->outside + what * SPHT_MMU_WORDS, index);
	else
		w->no_memory = true;
}

unsigned int spht_w_count_built(const struct spht_wpage *p, bool outside)
{
	unsigned int n = 0;

	if (outside && !p->outside)
		return 0;
	for (unsigned int k = 0; k < SPHT_MMU_WORDS; k++) {
		uint64_t out = p->outside ? p->outside[SPHT_OUTSIDE_BUILT * SPHT_MMU_WORDS + k] : 0;

		n += (unsigned int)__builtin_popcountll(p->helper[k] & (outside ? out : ~out));
	}
	return n;
}

/* The books of an entry that a helper built. */
static struct spht_account *book_of(struct spht_whatif *w, const struct spht_wpage *p,
				    unsigned int index)
{
	return spht_w_book(w, spht_w_outside(p, SPHT_OUTSIDE_BUILT, index));
}

void spht_w_unuse(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	struct spht_wpage *p = &w->pages[page];

	if (spht_bit(p->helper, index))
		book_of(w, p, index)->zapped_unused++;
	spht_bit_clear(p->helper, index);
	spht_bit_clear(p->side, index);
}

static void drop(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	spht_w_unuse(w, page, index);
	spht_bit_clear(w->pages[page].lack, index);
	if (w->pages[page].wanted_ns)
		w->pages[page].wanted_ns[index] = 0;
	spht_mmu_drop(&w->mmu, page, index);
}

static void zap(struct spht_whatif *w, uint32_t page)
{
	struct spht_wpage *p = &w->pages[page];

	w->acc->zapped_unused += spht_w_count_built(p, false);
	w->rest.zapped_unused += spht_w_count_built(p, true);
	spht_request_zapped(w, page);
	if (p->wanted_ns)
		memset(p->wanted_ns, 0, SPHT_PT_ENTRIES * sizeof(*p->wanted_ns));
	memset(p->helper, 0, sizeof(p->helper));
	memset(p->side, 0, sizeof(p->side));
	memset(p->lack, 0, sizeof(p->lack));
	p->by_helper = false;
	spht_mmu_zap(&w->mmu, page);
}

/* Since when an entry is legal: asked of few oracles only. */
static void note_since(struct spht_whatif *w, const struct spht_change *c, uint8_t old)
{
	bool other = (old ^ c->state) & SPHT_GPTE_GENERATION;

	if (!spht_w_legal(w, c->state) || (spht_w_legal(w, old) && !other))
		return;
	if (!w->since[c->table])
		w->since[c->table] = calloc(SPHT_PT_ENTRIES, sizeof(**w->since));
	if (w->since[c->table])
		w->since[c->table][c->index] = w->changed_ns;
	else
		w->no_memory = true;
}

/*
 * The guest changed an entry.  What a helper built from the old one goes with
 * the next flush, which the guest owes; a store into a table that only the
 * helper had write-protected costs an exit that the recording did not have.
 */
static void guest_change(struct spht_whatif *w, const struct spht_change *c)
{
	uint8_t *st = w->state[c->table], old;
	bool gone, weaker, legal, was_legal;

	if (!st) {
		st = calloc(SPHT_PT_ENTRIES, 1);
		if (!st) {
			w->no_memory = true;
			return;
		}
		w->state[c->table] = st;
	}
	old = st[c->index];
	st[c->index] = c->state;
	if (w->since)
		note_since(w, c, old);
	/* The sync that comes with the flush drops what lost A, and takes W from what lost D. */
	gone = (old & SPHT_GPTE_PRESENT) &&
	       (!(c->state & SPHT_GPTE_PRESENT) || ((old ^ c->state) & SPHT_GPTE_GENERATION) ||
		(old & ~c->state & SPHT_GPTE_A));
	weaker = old & ~c->state & SPHT_GPTE_WRITABLE;
	legal = spht_w_legal(w, c->state);
	was_legal = spht_w_legal(w, old);
	for (uint32_t next = w->table_pages[c->table]; next;) {
		uint32_t page = next - 1;
		struct spht_wpage *p = &w->pages[page];

		next = p->next_of_table;
		if (spht_bit(p->helper, c->index) || spht_bit(p->side, c->index)) {
			if (gone)
				drop(w, page, c->index);
			else if (weaker)
				spht_bit_clear(w->mmu.pages[page].writable, c->index);
		}
		if (p->wanted_ns && legal != was_legal)
			spht_w_want_changed(w, page, c->index, legal);
		if (legal && spht_bit(p->watched, c->index))
			spht_request_appeared(w, page, c->index);
		spht_w_book(w, w->outside)->helper_exits += p->by_helper;
		p->by_helper = false;
	}
}

/* @page holds entries that the recording's KVM has not: changes of its table concern it. */
void spht_w_list(struct spht_whatif *w, uint32_t table, uint32_t page)
{
	struct spht_wpage *p = &w->pages[page];

	if (p->listed)
		return;
	p->listed = true;
	p->next_of_table = w->table_pages[table];
	w->table_pages[table] = page + 1;
}

static void add_lead(struct spht_whatif *w, const struct spht_change *c)
{
	if (w->nr_leads == w->cap_leads) {
		size_t cap = w->cap_leads ? w->cap_leads * 2 : 64;
		void *p = realloc(w->leads, cap * sizeof(*w->leads));

		if (!p) {
			w->no_memory = true;
			return;
		}
		w->leads = p;
		w->cap_leads = cap;
	}
	w->leads[w->nr_leads++] = *c;
}

/* Everything that took effect up to and with step @step. */
void spht_w_advance(struct spht_whatif *w, uint32_t step)
{
	const struct spht_change *c = w->chunk->changes[w->c->world];
	const struct spht_change *d = w->chunk->changes[SPHT_CHANGE_DROP];
	uint32_t nr = w->chunk->nr_changes[w->c->world];
	uint32_t nr_drops = w->chunk->nr_changes[SPHT_CHANGE_DROP];

	while (w->next_change < nr && c[w->next_change].step <= step) {
		const struct spht_change *g = &c[w->next_change++];

		if (g->state & SPHT_GPTE_LEAD)
			add_lead(w, g);
		else
			guest_change(w, g);
	}
	for (; w->next_drop < nr_drops && d[w->next_drop].step <= step; w->next_drop++)
		drop(w, d[w->next_drop].page, d[w->next_drop].index);
}

/*
 * When in the gap the guest stored its entry nobody saw.  What is known is how
 * long a fault handler takes from there to the access (costs: lead_ns); each
 * gets its quantile in turn, spread evenly (the golden ratio's multiples), so
 * that every run of every heuristic sees the same ones.  What it maps around the
 * page comes with it.
 */
void spht_w_advance_leads(struct spht_whatif *w, const struct spht_step *s)
{
	uint64_t begin = w->gap_ns, lead;
	double u;

	if (!w->nr_leads)
		return;
	u = 0.6180339887498949 * (double)++w->lead_count;
	lead = spht_costs_lead(w->c->costs, u - (double)(uint64_t)u);
	w->changed_ns = w->now_ns > begin + lead ? w->now_ns - lead : begin;
	spht_helper_run(w, s->vcpu, w->changed_ns);
	for (size_t i = 0; i < w->nr_leads; i++)
		guest_change(w, &w->leads[i]);
	w->nr_leads = 0;
}

void spht_w_lose(struct spht_whatif *w)
{
	for (uint32_t i = 0; i < w->mmu.nr; i++) {
		struct spht_wpage *p = &w->pages[i];

		w->acc->lost_epoch += spht_w_count_built(p, false);
		w->rest.lost_epoch += spht_w_count_built(p, true);
		memset(p->helper, 0, sizeof(p->helper));
		memset(p->side, 0, sizeof(p->side));
		if (w->mmu.pages[i].exists)
			memset(w->mmu.pages[i].unknown, 0xff, sizeof(w->mmu.pages[i].unknown));
	}
}

/*
 * The what-if has the entry read-only where the recording has it writable: a
 * write that went unseen there would be an exit here.  Charged, and made up for.
 */
void spht_w_match_writable(struct spht_whatif *w, const struct spht_do *d)
{
	struct spht_mmu_page *p = &w->mmu.pages[d->page];

	if (!d->writable || !spht_bit(p->present, d->index) || spht_bit(p->writable, d->index))
		return;
	spht_w_book(w, w->outside)->new_exits_hi++;
	spht_bit_set(p->writable, d->index);
}

/* The recording's KVM made this entry without being asked: a helper's cannot be seen used. */
void spht_w_made_by_kvm(struct spht_whatif *w, const struct spht_do *d)
{
	struct spht_wpage *p = &w->pages[d->page];

	if (spht_bit(p->helper, d->index))
		book_of(w, p, d->index)->use_unknown++;
	spht_bit_clear(p->helper, d->index);
	spht_bit_clear(p->side, d->index);
	spht_bit_clear(p->lack, d->index);
}

/* Where zaps begin that came after the fault was served (KVM requests before the entry). */
static uint32_t late_zap(const struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = w->chunk->dos + s->first_do;
	uint32_t first = s->nr_do;

	for (uint32_t i = s->nr_do; i-- > 0;) {
		if (d[i].kind == SPHT_DO_SET || d[i].kind == SPHT_DO_PREFETCH)
			return first;
		if (d[i].kind == SPHT_DO_ZAP || d[i].kind == SPHT_DO_ZAP_ALL)
			first = i;
	}
	return s->nr_do;
}

/*
 * INVLPG brought the entry in anew.  A KVM that only keeps what is there has not
 * got it then: one exit that the recording does not show, should the guest touch it.
 */
static bool refreshes(struct spht_whatif *w, const struct spht_do *d)
{
	if (!w->c->kvm || w->c->kvm->invlpg_prefetches ||
	    spht_bit(w->mmu.pages[d->page].present, d->index))
		return true;
	spht_w_lack(w, d->page, d->index);
	return false;
}

/* What happens whether the fault is avoided or not: exogenous, or replayed as recorded. */
void spht_w_exogenous(struct spht_whatif *w, const struct spht_step *s, uint32_t step, bool late)
{
	const struct spht_do *d = w->chunk->dos + s->first_do;
	uint32_t first_late = late_zap(w, s);

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		/* Proofs are told last and hold from the beginning. */
		if ((i >= first_late && d->kind != SPHT_DO_PROVE) != late)
			continue;
		switch (d->kind) {
		case SPHT_DO_CREATE:
			if (!w->mmu.pages[d->page].exists)
				spht_mmu_create(&w->mmu, d->page, step);
			w->pages[d->page].by_helper = false;
			break;
		case SPHT_DO_ASSUME:
			spht_mmu_assume(&w->mmu, d->page, step);
			break;
		case SPHT_DO_ZAP:
			zap(w, d->page);
			break;
		case SPHT_DO_ZAP_ALL:
			for (uint32_t p = 0; p < w->mmu.nr; p++)
				if (w->mmu.pages[p].exists)
					zap(w, p);
			break;
		case SPHT_DO_SYNC:
			w->mmu.pages[d->page].unsync = false;
			break;
		case SPHT_DO_UNSYNC:
			w->mmu.pages[d->page].unsync = true;
			break;
		case SPHT_DO_DROP:
			drop(w, d->page, d->index);
			break;
		case SPHT_DO_WPROTECT:
			spht_bit_clear(w->mmu.pages[d->page].writable, d->index);
			break;
		case SPHT_DO_REFRESH:
			if (!refreshes(w, d))
				break;
			/* fall through */
		case SPHT_DO_PROVE:
			spht_w_made_by_kvm(w, d);
			spht_mmu_set_any(&w->mmu, d->page, d->index, d->writable);
			break;
		default:
			break;
		}
	}
}
