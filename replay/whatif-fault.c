// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/whatif-local.h"

/* What the fault's own prefetch set in the recording, in the leaf's 64-entry word. */
struct recorded {
	uint64_t set, writable;
};

static struct recorded recorded_prefetch(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);
	struct recorded r = {0, 0};
	uint64_t bit;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		if (d->kind != SPHT_DO_PREFETCH || d->page != s->page ||
		    d->index / 64 != s->index / 64)
			continue;
		spht_w_match_writable(w, d);
		spht_w_made_by_kvm(w, d);
		bit = 1ull << (d->index & 63);
		r.set |= bit;
		/* Set twice, the last one counts. */
		r.writable = (r.writable & ~bit) | (d->writable ? bit : 0);
	}
	return r;
}

/* It came along with a fault that ran otherwise than in the recording. */
static void add_side(struct spht_whatif *w, const struct spht_step *s, unsigned int i,
		     bool writable)
{
	spht_mmu_set(&w->mmu, s->page, i, writable);
	spht_bit_set(w->pages[s->page].side, i);
	if (w->pages[s->page].ready_ns)
		w->pages[s->page].ready_ns[i] = w->now_ns;
	w->acc->divergence++;
}

/* Was the entry that the guest asked for made writable? */
static bool demand_writable(const struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);

	for (uint32_t i = 0; i < s->nr_do; i++, d++)
		if (d->kind == SPHT_DO_SET && d->page == s->page && d->index == s->index)
			return d->writable;
	return false;
}

/*
 * An entry of a direct page that the recorded prefetch did not set: the host's pages decide, not
 * the guest's entries.  Of the group that it looked at the recording has told; beyond that a KVM
 * that was not recorded finds all pages resident, as a helper does.
 */
static void prefetch_direct(struct spht_whatif *w, const struct spht_step *s, unsigned int i,
			    unsigned int trail)
{
	bool looked_at = w->c->recorded_window > 1 &&
			 !((i ^ s->index) & ~(w->c->recorded_window - 1));
	bool writable;

	if (!w->c->counterfactual || w->c->world == SPHT_WORLD_STRICT || looked_at)
		return;
	if (spht_bit(w->mmu.pages[s->page].unknown, i) ||
	    (w->c->kvm && !w->c->kvm->direct_trails && i > trail))
		return;
	writable = demand_writable(w, s);
	if (!spht_w_restore(w, s->page, i, writable))
		add_side(w, s, i, writable);
}

/* Did the recorded fault make the leaf's page? */
static bool is_made(const struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);

	for (uint32_t i = 0; i < s->nr_do; i++, d++)
		if (d->kind == SPHT_DO_CREATE && d->page == s->page)
			return true;
	return false;
}

/*
 * What KVM's own prefetch makes of one entry.  The recording answers for those that it
 * looked at; the world for the rest.  False: it stops here.
 */
static bool prefetch_one(struct spht_whatif *w, const struct spht_step *s,
			 const struct recorded *rec, unsigned int i, unsigned int trail)
{
	struct spht_mmu_page *p = &w->mmu.pages[s->page];
	uint64_t bit = 1ull << (i & 63);
	uint8_t st;

	if ((rec->set & bit) && (s->flags & SPHT_STEP_DIRECT) && w->c->kvm &&
	    !w->c->kvm->direct_trails && i > trail)
		return true; /* lacking */
	if (rec->set & bit) {
		spht_mmu_set(&w->mmu, s->page, i, rec->writable & bit);
		return true;
	}
	if (s->flags & SPHT_STEP_DIRECT) {
		prefetch_direct(w, s, i, trail);
		return true;
	}
	/* Older than the trace; but what the recorded group went over was there. */
	if (spht_bit(p->unknown, i) && !w->c->counterfactual && rec->set & ~(2 * bit - 1))
		return true;
	/* No group goes over what a new page lacks; a recording that says so is followed. */
	if (!w->c->counterfactual && rec->set & ~(2 * bit - 1) && is_made(w, s))
		return true;
	if (((s->flags & SPHT_STEP_STOP) && s->stop == i) || spht_bit(p->unknown, i))
		return false;
	st = spht_w_state(w, s->table, i);
	if (spht_w_passes(w, st))
		return true;
	if (!(st & SPHT_GPTE_PRESENT) || !(st & SPHT_GPTE_A))
		return false;
	if (spht_w_restore(w, s->page, i, st & SPHT_GPTE_WRITABLE))
		return true;
	add_side(w, s, i, st & SPHT_GPTE_WRITABLE);
	spht_w_list(w, s->table, s->page);
	return true;
}

/*
 * KVM's own prefetch after a fault that happens here too (pte_prefetch): up
 * from the aligned base, past what is present, until one does not qualify.
 * Where it stops below entries that the recording's came to, those are lacking.
 */
static void own_prefetch(struct spht_whatif *w, const struct spht_step *s)
{
	const struct recorded rec = recorded_prefetch(w, s);
	unsigned int base = s->index & ~(w->c->window - 1), word = base & ~63u, i;
	uint64_t all = (w->c->window < 64 ? (1ull << w->c->window) - 1 : ~0ull) << (base & 63);
	uint64_t there = (w->mmu.pages[s->page].present[base / 64] | 1ull << (s->index & 63)) & all;
	/* Where direct entries are not prefetched behind the last that is there. */
	unsigned int trail = word + 63 - (unsigned int)__builtin_clzll(there);
	uint64_t rest = rec.set;

	for (uint64_t todo = all & ~there; todo; todo &= todo - 1)
		if (!prefetch_one(w, s, &rec, word + (unsigned int)__builtin_ctzll(todo), trail))
			break;
	/* A group can end here before it comes to what the recorded one brought. */
	for (; rest; rest &= rest - 1) {
		i = (s->index & ~63u) + (unsigned int)__builtin_ctzll(rest);
		if (!spht_bit(w->mmu.pages[s->page].present, i))
			spht_w_lack(w, s->page, i, rec.writable >> (i & 63) & 1);
	}
}

/* Is it a place that the fault's own prefetch looks at?  Others are replayed as they are. */
static bool in_group(const struct spht_whatif *w, const struct spht_step *s,
		     const struct spht_do *d)
{
	return s->leaf_level == 1 && d->page == s->page && d->index != s->index &&
	       !((d->index ^ s->index) & ~(w->c->window - 1));
}

/* The fault happens here as it did in the recording. */
static void fault_happens(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_do *d = spht_w_dos(w, s);
	bool prefetches = false;

	if (s->flags & SPHT_STEP_REQUESTED)
		spht_w_fetch(w, s, step);
	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		/* An MMIO entry is set without an event; its neighbours are prefetched with one. */
		if (d->kind == SPHT_DO_PREFETCH && in_group(w, s, d)) {
			prefetches = true;
			continue;
		}
		prefetches |= d->kind == SPHT_DO_SET;
		if (d->kind != SPHT_DO_PREFETCH && d->kind != SPHT_DO_SET)
			continue;
		spht_w_made_by_kvm(w, d);
		if (!w->mmu.pages[d->page].exists)
			spht_w_create(w, d->page, step);
		if (s->leaf_level > 1)
			spht_mmu_set_any(&w->mmu, d->page, d->index, d->writable);
		else
			spht_mmu_set(&w->mmu, d->page, d->index, d->writable);
	}
	if (!(s->flags & SPHT_STEP_HAS_LEAF) || !(s->flags & SPHT_STEP_REQUESTED))
		return;
	if (!spht_w_is_settled(w, s)) {
		spht_w_linked(w, s);
		/* Stores of this step may have been counted since. */
		if (s->region != SPHT_NO_ID && !w->flood_cleared)
			w->regions[s->region].settled = w->mmu.changes;
	}
	/* Nothing set: spurious, and KVM skips its prefetch then. */
	if (s->leaf_level == 1 && prefetches)
		own_prefetch(w, s);
}

/* Clocks of several vCPUs drift: what is built in this one's future helps it not. */
static bool is_ready(const struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_wpage *p = &w->pages[s->page];

	return !p->ready_ns || p->ready_ns[s->index] <= w->now_ns;
}

/* A demand fault that the what-if takes meets what the helper is doing about it. */
static void meet_helper(struct spht_whatif *w, const struct spht_step *s, bool have)
{
	struct spht_wpage *p = &w->pages[s->page];

	if (spht_bit(p->helper, s->index)) {
		struct spht_account *book =
			spht_w_book(w, spht_w_outside(p, SPHT_OUTSIDE_BUILT, s->index));

		if (!have)
			book->zapped_unused++; /* still there, and out of reach */
		else if (!is_ready(w, s))
			book->used_late++;
		else
			book->used_weak++;
		if (w->timed)
			spht_tl_met(w, s->page, s->index,
				    !have             ? SPHT_TL_UNREACHED
				    : !is_ready(w, s) ? SPHT_TL_LATE
						      : SPHT_TL_WEAK);
	}
	spht_w_disown(p, s->index);
	spht_helper_demand(w, s->page, s->index);
}

/* The access finds what it needs: no exit. */
static void use_entry(struct spht_whatif *w, const struct spht_step *s)
{
	bool before = spht_w_outside(&w->pages[s->page], SPHT_OUTSIDE_BUILT, s->index);
	struct spht_account *here = spht_w_book(w, w->outside), *book = spht_w_book(w, before);
	struct spht_wpage *p = &w->pages[s->page];

	if (w->timed)
		spht_tl_met(w, s->page, s->index,
			    spht_bit(p->helper, s->index) ? SPHT_TL_DIRECT : SPHT_TL_SIDE);
	if (spht_bit(p->helper, s->index)) {
		/* Another vCPU's clock may be behind the one that the entry was built by. */
		uint64_t ready = p->ready_ns[s->index];
		uint64_t slack = w->now_ns > ready ? w->now_ns - ready : 0;
		unsigned int bin = slack ? 63 - __builtin_clzll(slack) : 0;

		here->avoided_direct++;
		book->used_timely++;
		here->used_carry += before && !w->outside;
		book->slack[bin < SPHT_SLACK_BINS ? bin : SPHT_SLACK_BINS - 1]++;
	} else {
		here->avoided_side++;
	}
	spht_w_mark(w, &p->used, s->index);
	/* The recording has it as well from now on. */
	spht_w_disown(p, s->index);
	spht_w_no_extra(p, s->index);
}

/* What the recording's prefetch set here and the what-if has already is KVM's own from now on. */
static void keep_prefetched(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		if (d->kind == SPHT_DO_SET || d->kind == SPHT_DO_PREFETCH)
			spht_w_match_writable(w, d);
		if (d->kind == SPHT_DO_PREFETCH &&
		    spht_bit(w->mmu.pages[d->page].present, d->index))
			spht_w_made_by_kvm(w, d);
	}
}

/* The fault takes its own prefetch with it: what nobody built is missing now. */
static void miss_prefetch(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		if (d->kind != SPHT_DO_PREFETCH ||
		    spht_bit(w->mmu.pages[d->page].present, d->index))
			continue;
		/* The recording had it not before: this is a new life of it. */
		spht_bit_clear(w->pages[d->page].lack, d->index);
		spht_w_lack(w, d->page, d->index, d->writable);
	}
}

/* A recorded P=1 or spurious fault proves a touch of an entry that is lacking here. */
static void proven_touch(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	struct spht_wpage *p;

	if (!(s->flags & SPHT_STEP_HAS_LEAF))
		return;
	p = &w->pages[s->page];
	if (!spht_bit(p->lack, s->index))
		return;
	if (!(s->pfec & SPHT_PF_P) && s->cls != SPHT_CLASS_SPURIOUS)
		return;
	/* Counted where it was charged: with the fault that was avoided. */
	spht_w_book(w, spht_w_outside(p, SPHT_OUTSIDE_LACK, s->index))->new_exits_lo++;
	spht_bit_clear(p->lack, s->index);
	/* The exit that this touch was has made its page again. */
	if (p->lost)
		spht_w_create(w, s->page, step);
	spht_mmu_set_any(&w->mmu, s->page, s->index, spht_bit(p->lack_w, s->index));
}

/* What the world shows of the entry at its best, now or right after this step. */
static uint8_t known_around(const struct spht_whatif *w, uint32_t table, unsigned int index,
			    uint32_t step)
{
	const struct spht_change *c = w->chunk->changes[w->c->world];
	uint32_t nr = w->chunk->nr_changes[w->c->world];
	uint8_t st = spht_w_state(w, table, index), best = spht_w_legal(w, st) ? st : 0;

	for (uint32_t i = w->next_change; i < nr && c[i].step <= step; i++)
		if (c[i].table == table && c[i].index == index)
			st = c[i].state;
	return best | (spht_w_legal(w, st) ? st : 0);
}

/*
 * What avoiding this fault would be charged: entries that its prefetch brought
 * and that not even a helper without latency could build before or right after,
 * or not as strong.
 */
static double loss_of(const struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_do *d = spht_w_dos(w, s);
	double loss = 0;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		uint8_t st;

		if (d->kind != SPHT_DO_PREFETCH ||
		    spht_bit(w->mmu.pages[d->page].present, d->index))
			continue;
		st = known_around(w, s->table, d->index, step);
		if (st && (!d->writable || (st & SPHT_GPTE_WRITABLE)))
			continue;
		switch (w->c->world) {
		case SPHT_WORLD_STRICT:
			loss += 1;
			break;
		case SPHT_WORLD_INFERRED:
			loss += w->c->costs->touch_probability;
			break;
		default:
			/* A touch of a weak one does not show. */
			loss += !st && d->touched;
			break;
		}
	}
	return loss;
}

static bool oracle(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_heuristic *h = w->c->spec->h;
	uint8_t st = spht_w_state(w, s->table, s->index);
	struct spht_prospect p = {.time_ns = w->now_ns, .space = s->space, .vpn = s->vpn};

	if (w->proof && w->regions[s->region].valid &&
	    !spht_w_reaches(w, s->path, s->page, s->leaf_level, s->index, s->vpn))
		spht_w_question(w, spht_w_book(w, w->outside), s->table, s->index);
	/* Only the path may be missing; a leaf that is there stays as it is. */
	p.buildable = !spht_w_reaches(w, s->path, s->page, s->leaf_level, s->index, s->vpn) &&
		      (!spht_bit(w->mmu.pages[s->page].present, s->index) ||
		       !(s->flags & SPHT_STEP_NEED_W) ||
		       spht_bit(w->mmu.pages[s->page].writable, s->index)) &&
		      spht_w_legal(w, st) &&
		      (!(s->flags & SPHT_STEP_NEED_W) || (st & SPHT_GPTE_WRITABLE)) &&
		      w->regions[s->region].valid;
	if (p.buildable && w->since) {
		uint64_t since = w->since[s->table] ? w->since[s->table][s->index] : 0;

		p.legal_for_ns = w->now_ns > since ? w->now_ns - since : 0;
		spht_w_curve_add(w, p.legal_for_ns);
	}
	p.loss = p.buildable ? loss_of(w, s, step) : 0;
	if (!h->foresee(w->hstate, w->c->spec->params, &p) || !p.buildable)
		return false;
	spht_helper_grant(w, s);
	return true;
}

/* After an avoided fault the oracle makes up for the prefetch that did not happen. */
static void oracle_neighbours(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		uint8_t st = spht_w_state(w, s->table, d->index);

		if (d->kind != SPHT_DO_PREFETCH || !spht_w_legal(w, st))
			continue;
		if (!spht_bit(w->mmu.pages[d->page].present, d->index))
			spht_mmu_set(&w->mmu, d->page, d->index, st & SPHT_GPTE_WRITABLE);
		else if (d->writable && (st & SPHT_GPTE_WRITABLE))
			spht_bit_set(w->mmu.pages[d->page].writable, d->index);
	}
}

/* What is weaker for all that is charged. */
static void match_neighbours(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);

	for (uint32_t i = 0; i < s->nr_do; i++, d++)
		if (d->kind == SPHT_DO_PREFETCH)
			spht_w_match_writable(w, d);
}

/* The helper reads guest tables itself: where they are is the guest's state, not its secret. */
static void learn_region(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_wregion *r;

	if (s->region == SPHT_NO_ID)
		return;
	r = &w->regions[s->region];
	if (s->flags & SPHT_STEP_HAS_LEAF)
		spht_w_own_table(w, s);
	if (r->path != s->path || r->page != s->page || r->leaf_level != s->leaf_level)
		r->settled = w->memo.linked_at = 0;
	r->valid = s->flags & SPHT_STEP_HAS_LEAF;
	r->direct = s->flags & SPHT_STEP_DIRECT;
	r->path = s->path;
	r->page = s->page;
	r->table = s->table;
	r->leaf_level = s->leaf_level;
}

/*
 * Does the what-if owe the entry to a helper?  One that it has as the recording
 * made it, where the observed MMU lost it unseen, avoids nothing.
 */
static bool is_extra(const struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_wpage *p = &w->pages[s->page];

	return spht_bit(p->helper, s->index) || spht_bit(p->side, s->index);
}

bool spht_w_may_avoid(const struct spht_whatif *w, const struct spht_step *s)
{
	return s->cls != SPHT_CLASS_AD || w->c->legality == SPHT_LEGAL_PRESENT;
}

/* What the fault itself showed holds from here on, for the entries beside it too. */
static void fault_is_spared(struct spht_whatif *w, const struct spht_step *s, uint32_t step,
			    bool granted)
{
	spht_w_no_fetch(w, s, step);
	/* Before the world moves on: strict forgets what nothing shows later. */
	keep_prefetched(w, s);
	if (granted)
		oracle_neighbours(w, s);
	w->changed_ns = w->now_ns;
	spht_w_advance(w, step);
	if (granted) {
		oracle_neighbours(w, s);
		match_neighbours(w, s);
	}
	miss_prefetch(w, s);
}

/* Without the rule that a spared fault takes its prefetch with it, and its lesson. */
static void fault_still_happens(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	fault_happens(w, s, step);
	spht_tell_fault(w, s);
}

bool spht_w_fault(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	struct spht_account *here = spht_w_book(w, w->outside);
	bool base = s->flags & SPHT_STEP_BASE, have = false, avoided = false, granted = false;
	bool spareable = base && !(s->flags & SPHT_STEP_FORCED) && spht_w_may_avoid(w, s);

	here->f_base += (s->flags & (SPHT_STEP_BASE | SPHT_STEP_UNMODELLED)) != 0;
	learn_region(w, s);
	if (w->asked) {
		spht_rules_count(w, s);
		spht_w_take_lock(w, s);
		fault_still_happens(w, s, step);
		return false;
	}
	if (spareable && w->c->spec->h->foresee)
		granted = oracle(w, s, step);
	if (s->flags & SPHT_STEP_HAS_LEAF)
		have = spht_w_reaches(w, s->path, s->page, s->leaf_level, s->index, s->vpn);
	if (w->real && (s->flags & SPHT_STEP_HAS_LEAF))
		have = spht_real_look(w, s, have);
	if (spareable) {
		avoided = have && is_extra(w, s) && is_ready(w, s) &&
			  (!(s->flags & SPHT_STEP_NEED_W) ||
			   spht_bit(w->mmu.pages[s->page].writable, s->index));
	}
	if (avoided) {
		spht_w_want_met(w, s->page, s->index);
		use_entry(w, s);
		if (w->c->rules >= SPHT_RULES_PREFETCH)
			fault_is_spared(w, s, step, granted);
		else
			fault_still_happens(w, s, step);
		return true;
	}
	if (spareable)
		spht_w_want_met(w, s->page, s->index);
	proven_touch(w, s, step);
	if (base || (s->flags & SPHT_STEP_UNMODELLED))
		spht_w_remains(here, s);
	if (have && spareable && spht_w_extra(&w->pages[s->page], s->index))
		here->kept_met++;
	/* A fault of the guest's own asks for no shadow entry: the request stands. */
	if ((s->flags & SPHT_STEP_HAS_LEAF) && s->cls != SPHT_CLASS_GUEST)
		meet_helper(w, s, have);
	spht_w_take_lock(w, s);
	fault_happens(w, s, step);
	spht_tell_fault(w, s);
	return false;
}
