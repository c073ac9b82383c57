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

void spht_w_find_path(struct spht_whatif *w, const struct spht_wregion *r, uint64_t vpn)
{
	unsigned int missing = spht_mmu_missing(&w->mmu, r->path, r->page, r->leaf_level, vpn);

	w->memo.linked = !missing || missing == SPHT_PATH_UNKNOWN;
	w->memo.linked_at = w->mmu.changes;
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
	spht_w_disown(p, index);
}

static void drop(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	spht_w_unuse(w, page, index);
	spht_bit_clear(w->pages[page].lack, index);
	spht_w_no_extra(&w->pages[page], index);
	spht_w_not_used(&w->pages[page], index);
	if (w->pages[page].wanted_ns)
		w->pages[page].wanted_ns[index] = 0;
	spht_mmu_drop(&w->mmu, page, index);
	spht_w_touched(w, page);
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

/* What is not there, or not known to be, becomes known to be absent, or unknown: no store. */
static void rest_change(uint8_t *st, uint8_t state)
{
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++)
		if (!(st[i] & ~SPHT_GPTE_DECIDED))
			st[i] = state;
}

/* The entry may be read only from now on. */
static void weaken(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	spht_bit_clear(w->mmu.pages[page].writable, index);
	spht_w_changed(w, page);
}

/*
 * The guest changed an entry.  What a helper built from the old one goes with
 * the next flush, which the guest owes; a store into a table that only the
 * helper had write-protected costs an exit that the recording did not have.
 */
static void tell_pages(struct spht_whatif *w, const struct spht_change *c, uint8_t old)
{
	/* The sync that comes with the flush drops what lost A, and takes W from what lost D. */
	bool gone = (old & SPHT_GPTE_PRESENT) &&
		    (!(c->state & SPHT_GPTE_PRESENT) || ((old ^ c->state) & SPHT_GPTE_GENERATION) ||
		     (old & ~c->state & SPHT_GPTE_A));
	bool weaker = old & ~c->state & SPHT_GPTE_WRITABLE;
	bool legal = spht_w_legal(w, c->state), was_legal = spht_w_legal(w, old);

	for (uint32_t next = w->table_pages[c->table]; next;) {
		uint32_t page = next - 1;
		struct spht_wpage *p = &w->pages[page];

		next = p->next_of_table;
		if (spht_bit(p->helper, c->index) || spht_bit(p->side, c->index) ||
		    spht_w_extra(p, c->index)) {
			if (gone && spht_w_theirs(p, c->index))
				spht_w_unuse(w, page, c->index); /* KVM's goes when it shows */
			else if (gone)
				drop(w, page, c->index);
			else if (weaker && !spht_w_theirs(p, c->index))
				weaken(w, page, c->index);
		}
		if (p->wanted_ns && legal != was_legal)
			spht_w_want_changed(w, page, c->index, legal);
		if (legal && spht_bit(p->watched, c->index))
			spht_request_appeared(w, page, c->index);
		/* The store's exit makes the page unsync (mmu_try_to_unsync_pages). */
		if (p->by_helper) {
			spht_w_book(w, w->outside)->helper_exits++;
			w->mmu.pages[page].unsync = true;
		}
		p->by_helper = false;
	}
}

/* All entries of a table that no evidence speaks of. */
static void change_rest(struct spht_whatif *w, const struct spht_change *c, uint8_t *st)
{
	rest_change(st, c->state);
	for (unsigned int i = 0; w->real && i < SPHT_PT_ENTRIES; i++)
		spht_real_guest(w, c->table, i, st[i]);
}

/* There are several for each step: most are of tables that no helper has touched. */
static void guest_change(struct spht_whatif *w, const struct spht_change *c)
{
	uint8_t *st = w->state[c->table], old;

	if (!st) {
		st = calloc(SPHT_PT_ENTRIES, 1);
		if (!st) {
			w->no_memory = true;
			return;
		}
		w->state[c->table] = st;
	}
	if (c->index == SPHT_PT_ENTRIES) {
		change_rest(w, c, st);
		return;
	}
	old = st[c->index];
	st[c->index] = c->state;
	if (w->real)
		spht_real_guest(w, c->table, c->index, c->state);
	if (w->since)
		note_since(w, c, old);
	if (w->table_pages[c->table])
		tell_pages(w, c, old);
}

/* What is proven of guest entries, up to and with step @step. */
static void advance_proof(struct spht_whatif *w, uint32_t step)
{
	const struct spht_change *c = w->chunk->changes[SPHT_WORLD_STRICT];
	uint32_t nr = w->chunk->nr_changes[SPHT_WORLD_STRICT];

	for (; w->next_proof < nr && c[w->next_proof].step <= step; w->next_proof++) {
		const struct spht_change *g = &c[w->next_proof];
		uint8_t **st = &w->proof[g->table];

		if (!*st)
			*st = calloc(SPHT_PT_ENTRIES, 1);
		if (!*st)
			w->no_memory = true;
		else if (g->index == SPHT_PT_ENTRIES)
			rest_change(*st, g->state);
		else
			(*st)[g->index] = g->state;
	}
}

/* Does what the next exits show of the entry say that a guest fault's handler stores it soon? */
static bool comes_by_lead(const struct spht_whatif *w, uint32_t table, unsigned int index)
{
	const struct spht_change *c = w->chunk->changes[w->c->world];
	uint32_t nr = w->chunk->nr_changes[w->c->world];

	for (size_t i = 0; i < w->nr_leads; i++)
		if (w->leads[i].table == table && w->leads[i].index == index)
			return true;
	for (uint32_t i = w->next_change; i < nr; i++)
		if (c[i].table == table && c[i].index == index)
			return c[i].state & SPHT_GPTE_LEAD;
	return false;
}

void spht_w_question(struct spht_whatif *w, struct spht_account *book, uint32_t table,
		     unsigned int index)
{
	const uint8_t same = SPHT_GPTE_PRESENT | SPHT_GPTE_A | SPHT_GPTE_GENERATION;
	uint8_t st, sure;

	/* A direct page's entries are none of the guest's. */
	if (!w->proof || spht_shadow_is_direct_table(w->c->shadow, table))
		return;
	st = spht_w_state(w, table, index);
	sure = w->proof[table] ? w->proof[table][index] : 0;
	book->asked_presence++;
	if (!(st & SPHT_GPTE_DECIDED))
		book->left_undecided++;
	else if ((sure & SPHT_GPTE_DECIDED) && !((sure ^ st) & same))
		return;
	else if ((st & SPHT_GPTE_LEAD) ||
		 (!(st & SPHT_GPTE_PRESENT) && comes_by_lead(w, table, index)))
		book->left_refault++;
	else
		book->left_rule++;
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

/* Changes go all over the guest's tables: begin to read what will be wanted. */
#define AHEAD 8

static inline void fetch_ahead(const struct spht_whatif *w, const struct spht_change *c)
{
	/* Where there is none yet, 0: prefetching from nowhere does no harm. */
	uintptr_t st = (uintptr_t)w->state[c->table];

	__builtin_prefetch((const void *)(st + c->index), 1);
	__builtin_prefetch(&w->table_pages[c->table]);
}

/* Everything that took effect up to and with step @step. */
void spht_w_advance_to(struct spht_whatif *w, uint32_t step)
{
	const struct spht_change *c = w->chunk->changes[w->c->world];
	const struct spht_change *d = w->chunk->changes[SPHT_CHANGE_DROP];
	uint32_t nr = w->chunk->nr_changes[w->c->world];
	uint32_t nr_drops = w->chunk->nr_changes[SPHT_CHANGE_DROP];

	while (w->next_change < nr && c[w->next_change].step <= step) {
		const struct spht_change *g = &c[w->next_change++];

		if (w->next_change + AHEAD < nr)
			fetch_ahead(w, &c[w->next_change + AHEAD]);
		if (g->state & SPHT_GPTE_LEAD)
			add_lead(w, g);
		else
			guest_change(w, g);
	}
	for (; w->next_drop < nr_drops && d[w->next_drop].step <= step; w->next_drop++) {
		spht_verify_drop(w->verify, d[w->next_drop].page, d[w->next_drop].index);
		drop(w, d[w->next_drop].page, d[w->next_drop].index);
	}
	if (w->proof)
		advance_proof(w, step);
	spht_w_look_ahead(w);
}

void spht_w_look_ahead(struct spht_whatif *w)
{
	const struct spht_chunk *k = w->chunk;

	w->next_at = UINT32_MAX;
	if (w->next_change < k->nr_changes[w->c->world])
		w->next_at = k->changes[w->c->world][w->next_change].step;
	if (w->next_drop < k->nr_changes[SPHT_CHANGE_DROP] &&
	    k->changes[SPHT_CHANGE_DROP][w->next_drop].step < w->next_at)
		w->next_at = k->changes[SPHT_CHANGE_DROP][w->next_drop].step;
	if (w->proof && w->next_proof < k->nr_changes[SPHT_WORLD_STRICT] &&
	    k->changes[SPHT_WORLD_STRICT][w->next_proof].step < w->next_at)
		w->next_at = k->changes[SPHT_WORLD_STRICT][w->next_proof].step;
}

/*
 * When in the gap the guest stored its entry nobody saw.  What is known is how
 * long a fault handler takes from there to the access (costs: lead_ns); each
 * gets its quantile in turn, spread evenly (the golden ratio's multiples), so
 * that every run of every heuristic sees the same ones.  What it maps around the
 * page comes with it.
 */
void spht_w_advance_leads(struct spht_whatif *w)
{
	uint64_t begin = w->gap_ns, lead;
	double u;

	if (!w->nr_leads)
		return;
	u = 0.6180339887498949 * (double)++w->lead_count;
	lead = spht_costs_lead(w->c->costs, u - (double)(uint64_t)u);
	w->changed_ns = w->now_ns > begin + lead ? w->now_ns - lead : begin;
	spht_helper_run(w, w->changed_ns);
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
		if (!w->mmu.pages[i].exists)
			continue;
		w->mmu.changes++;
		memset(w->mmu.pages[i].unknown, 0xff, sizeof(w->mmu.pages[i].unknown));
		w->mmu.pages[i].unsync = true;
		spht_w_changed(w, i);
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
	spht_w_disown(p, d->index);
	spht_bit_clear(p->lack, d->index);
	spht_w_no_extra(p, d->index);
}

/*
 * Where zaps begin that came after the fault was served (KVM requests before the
 * entry).  Those that follow from the fault itself by KVM's rules are none of them.
 */
static uint32_t late_zap(const struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);
	uint32_t first = s->nr_do;

	if (!(s->flags & SPHT_STEP_ZAPS))
		return first;
	for (uint32_t i = s->nr_do; i-- > 0;) {
		if (d[i].kind == SPHT_DO_SET || d[i].kind == SPHT_DO_PREFETCH)
			return first;
		if (d[i].kind == SPHT_DO_ZAP_ALL ||
		    (d[i].kind == SPHT_DO_ZAP && d[i].index < SPHT_ZAP_RECYCLED))
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
	spht_w_lack(w, d->page, d->index, d->writable);
	return false;
}

/* The entry is in the recording's MMU; where the what-if has lost its page it is lacking. */
static void gain(struct spht_whatif *w, const struct spht_do *d)
{
	if (w->pages[d->page].lost) {
		spht_w_lack(w, d->page, d->index, d->writable);
		return;
	}
	spht_w_made_by_kvm(w, d);
	spht_mmu_set_any(&w->mmu, d->page, d->index, d->writable);
}

static void zap_all(struct spht_whatif *w)
{
	for (uint32_t p = 0; p < w->mmu.nr; p++)
		if (w->mmu.pages[p].exists || w->pages[p].lost)
			spht_w_zap(w, p, false);
}

/*
 * A recorded zap: replayed, unless it follows from KVM's rules.  What follows from a
 * fetch is settled with that.
 */
static void recorded_zap(struct spht_whatif *w, const struct spht_step *s, const struct spht_do *d)
{
	if (d->index == SPHT_ZAP_UNSEEN) {
		spht_w_zap(w, d->page, false);
	} else if (d->index == SPHT_ZAP_EXOGENOUS) {
		spht_w_zap(w, d->page, true);
		spht_w_settle_below(w, s, d);
	} else if (d->index == SPHT_ZAP_FLOODED) {
		spht_w_settle(w, s, SPHT_ZAP_FLOODED);
	}
}

static void one_do(struct spht_whatif *w, const struct spht_step *s, const struct spht_do *d,
		   uint32_t step, bool late)
{
	switch (d->kind) {
	case SPHT_DO_CREATE:
		if (late || !spht_w_waits(s) || spht_w_is_root(w, d->page))
			spht_w_create(w, d->page, step);
		break;
	case SPHT_DO_ASSUME:
		w->pages[d->page].alone = w->pages[d->page].by_helper = false;
		spht_mmu_assume(&w->mmu, d->page, step);
		break;
	case SPHT_DO_ZAP:
		recorded_zap(w, s, d);
		break;
	case SPHT_DO_ZAP_ALL:
		zap_all(w);
		break;
	case SPHT_DO_SYNC:
	case SPHT_DO_UNSYNC:
		if (late || !spht_w_waits(s))
			spht_w_set_unsync(w, d);
		break;
	case SPHT_DO_DROP:
		/* That the faulting entry itself is gone is what the fault says. */
		if (d->page != s->page || d->index != s->index || !(s->flags & SPHT_STEP_PF))
			spht_tell_zap(w, d->page, d->index);
		spht_w_unmap(w, d->page, d->index);
		drop(w, d->page, d->index);
		break;
	case SPHT_DO_WPROTECT:
		spht_bit_clear(w->mmu.pages[d->page].writable, d->index);
		spht_bit_clear(w->pages[d->page].lack_w, d->index);
		break;
	case SPHT_DO_REFRESH:
		if (refreshes(w, d))
			gain(w, d);
		break;
	case SPHT_DO_PROVE:
		gain(w, d);
		break;
	case SPHT_DO_STORE:
		spht_w_store(w, s, d);
		break;
	case SPHT_DO_SPARE:
	case SPHT_DO_ROOT:
		w->mmu.pages[d->page].flood = 0;
		break;
	case SPHT_DO_ROOM:
		if (!spht_w_waits(s)) {
			spht_w_make_room(w, w->short_of);
			spht_w_settle(w, s, SPHT_ZAP_RECYCLED);
		}
		break;
	case SPHT_DO_PIN:
		if (spht_mmu_pin(&w->mmu, d->page))
			w->no_memory = true;
		break;
	case SPHT_DO_UNPIN:
		spht_mmu_unpin(&w->mmu, d->page);
		break;
	default:
		break;
	}
}

/* What happens whether the fault is avoided or not: exogenous, or replayed as recorded. */
void spht_w_exogenous(struct spht_whatif *w, const struct spht_step *s, uint32_t step, bool late)
{
	const struct spht_do *d = spht_w_dos(w, s);
	uint32_t first_late;

	if (!late) {
		spht_w_begin_pages(w, s);
		w->first_late = late_zap(w, s);
	}
	if (!(s->flags & SPHT_STEP_MORE))
		return;
	first_late = w->first_late;
	for (uint32_t i = 0; i < s->nr_do; i++)
		/* Proofs are told last and hold from the beginning. */
		if ((i >= first_late && d[i].kind != SPHT_DO_PROVE) == late)
			one_do(w, s, &d[i], step, late);
	if (late && !spht_w_waits(s))
		spht_w_settle(w, s, SPHT_ZAP_UPPER);
}
