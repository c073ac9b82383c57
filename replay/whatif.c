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

void spht_w_unuse(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	struct spht_wpage *p = &w->pages[page];

	if (spht_bit(p->helper, index))
		w->acc->zapped_unused++;
	spht_bit_clear(p->helper, index);
	spht_bit_clear(p->side, index);
}

static void drop(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	spht_w_unuse(w, page, index);
	spht_bit_clear(w->pages[page].lack, index);
	spht_mmu_drop(&w->mmu, page, index);
}

static void zap(struct spht_whatif *w, uint32_t page)
{
	struct spht_wpage *p = &w->pages[page];

	for (unsigned int i = 0; i < SPHT_MMU_WORDS; i++)
		w->acc->zapped_unused += (unsigned int)__builtin_popcountll(p->helper[i]);
	spht_helper_zapped(w, page);
	memset(p->helper, 0, sizeof(p->helper));
	memset(p->side, 0, sizeof(p->side));
	memset(p->lack, 0, sizeof(p->lack));
	p->by_helper = false;
	spht_mmu_zap(&w->mmu, page);
}

/*
 * The guest changed an entry.  What a helper built from the old one goes with
 * the next flush, which the guest owes; a store into a table that only the
 * helper had write-protected costs an exit that the recording did not have.
 */
static void guest_change(struct spht_whatif *w, const struct spht_change *c)
{
	uint8_t *st = w->state[c->table], old;
	bool gone, weaker;

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
	/* The sync that comes with the flush drops what lost A, and takes W from what lost D. */
	gone = (old & SPHT_GPTE_PRESENT) &&
	       (!(c->state & SPHT_GPTE_PRESENT) || ((old ^ c->state) & SPHT_GPTE_GENERATION) ||
		(old & ~c->state & SPHT_GPTE_A));
	weaker = old & ~c->state & SPHT_GPTE_WRITABLE;
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
		w->acc->helper_exits += p->by_helper;
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

/* Everything that took effect up to and with step @step. */
static void advance_world(struct spht_whatif *w, uint32_t step)
{
	const struct spht_whatif_config *c = w->c;
	const struct spht_steps *s = c->steps;

	while (w->next_change < c->nr_changes && c->changes[w->next_change].step <= step)
		guest_change(w, &c->changes[w->next_change++]);
	while (w->next_drop < s->nr_drops && s->drops[w->next_drop].step <= step) {
		const struct spht_drop *d = &s->drops[w->next_drop++];

		drop(w, d->page, d->index);
	}
}

static void lose(struct spht_whatif *w)
{
	for (uint32_t i = 0; i < w->mmu.nr; i++) {
		struct spht_wpage *p = &w->pages[i];

		for (unsigned int k = 0; k < SPHT_MMU_WORDS; k++)
			w->acc->lost_epoch += (unsigned int)__builtin_popcountll(p->helper[k]);
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
static void match_writable(struct spht_whatif *w, const struct spht_do *d)
{
	struct spht_mmu_page *p = &w->mmu.pages[d->page];

	if (!d->writable || !spht_bit(p->present, d->index) || spht_bit(p->writable, d->index))
		return;
	w->acc->new_exits_hi++;
	spht_bit_set(p->writable, d->index);
}

/* The recording's KVM made this entry without being asked: a helper's cannot be seen used. */
static void made_by_kvm(struct spht_whatif *w, const struct spht_do *d)
{
	struct spht_wpage *p = &w->pages[d->page];

	if (spht_bit(p->helper, d->index))
		w->acc->use_unknown++;
	spht_bit_clear(p->helper, d->index);
	spht_bit_clear(p->side, d->index);
	spht_bit_clear(p->lack, d->index);
}

/* What happens whether the fault is avoided or not: exogenous, or replayed as recorded. */
static void apply_exogenous(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_do *d = w->c->steps->dos + s->first_do;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
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
		case SPHT_DO_PROVE:
		case SPHT_DO_REFRESH:
			made_by_kvm(w, d);
			spht_mmu_set(&w->mmu, d->page, d->index, d->writable);
			break;
		default:
			break;
		}
	}
}

/* What the fault's own prefetch set in the recording, in the leaf's 64-entry word. */
struct recorded {
	uint64_t set, writable;
};

static struct recorded recorded_prefetch(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = w->c->steps->dos + s->first_do;
	struct recorded r = {0, 0};

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		if (d->kind != SPHT_DO_PREFETCH || d->page != s->page ||
		    d->index / 64 != s->index / 64)
			continue;
		match_writable(w, d);
		made_by_kvm(w, d);
		r.set |= 1ull << (d->index & 63);
		r.writable |= (uint64_t)d->writable << (d->index & 63);
	}
	return r;
}

/*
 * KVM's own prefetch after a fault that happens here too (pte_prefetch): up
 * from the aligned base, past what is present, until one does not qualify.
 * The recording answers for the entries that it looked at; the world for the rest.
 */
static void own_prefetch(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_mmu_page *p = &w->mmu.pages[s->page];
	const struct recorded rec = recorded_prefetch(w, s);
	unsigned int base = s->index & ~(w->c->window - 1);

	for (unsigned int i = base; i < base + w->c->window; i++) {
		uint64_t bit = 1ull << (i & 63);
		uint8_t st;

		if (i == s->index || spht_bit(p->present, i))
			continue;
		if (rec.set & bit) {
			spht_mmu_set(&w->mmu, s->page, i, rec.writable & bit);
			continue;
		}
		if (s->flags & SPHT_STEP_DIRECT)
			continue; /* host residency, not guest entries, decides there */
		if (((s->flags & SPHT_STEP_STOP) && s->stop == i) || spht_bit(p->unknown, i))
			break;
		st = spht_w_state(w, s->table, i);
		if (!(st & SPHT_GPTE_PRESENT) || !(st & SPHT_GPTE_A))
			break;
		spht_mmu_set(&w->mmu, s->page, i, st & SPHT_GPTE_WRITABLE);
		spht_bit_set(w->pages[s->page].side, i);
		spht_bit_clear(w->pages[s->page].lack, i);
		spht_w_list(w, s->table, s->page);
		w->acc->divergence++;
	}
}

/* The fault happens here as it did in the recording. */
static void fault_happens(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_do *d = w->c->steps->dos + s->first_do;
	bool prefetches = false;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		/* An MMIO entry is set without an event; its neighbours are prefetched with one. */
		prefetches |= d->kind == SPHT_DO_PREFETCH;
		if (d->kind != SPHT_DO_SET)
			continue;
		prefetches = true;
		if (!w->mmu.pages[d->page].exists)
			spht_mmu_create(&w->mmu, d->page, step);
		spht_mmu_set(&w->mmu, d->page, d->index, d->writable);
		spht_bit_clear(w->pages[d->page].lack, d->index);
	}
	if (!(s->flags & SPHT_STEP_HAS_LEAF) || !(s->flags & SPHT_STEP_REQUESTED))
		return;
	if (spht_mmu_link_path(&w->mmu, s->path, s->page, s->leaf_level, s->vpn))
		w->no_memory = true;
	/* Nothing set: spurious, and KVM skips its prefetch then. */
	if (s->leaf_level == 1 && prefetches)
		own_prefetch(w, s);
}

/* A demand fault that the what-if takes meets what the helper is doing about it. */
static void meet_helper(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_wpage *p = &w->pages[s->page];

	/* Too weak, or there but not reachable any more: used all the same, and in vain. */
	w->acc->used_weak += spht_bit(p->helper, s->index);
	spht_bit_clear(p->helper, s->index);
	spht_bit_clear(p->side, s->index);
	spht_helper_demand(w, s->page, s->index);
}

/* The access finds what it needs: no exit. */
static void use_entry(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_wpage *p = &w->pages[s->page];

	if (spht_bit(p->helper, s->index)) {
		/* Another vCPU's clock may be behind the one that the entry was built by. */
		uint64_t ready = p->ready_ns[s->index];
		uint64_t slack = w->now_ns > ready ? w->now_ns - ready : 0;
		unsigned int bin = slack ? 63 - __builtin_clzll(slack) : 0;

		w->acc->avoided_direct++;
		w->acc->used_timely++;
		w->acc->slack[bin < SPHT_SLACK_BINS ? bin : SPHT_SLACK_BINS - 1]++;
	} else {
		w->acc->avoided_side++;
	}
	spht_bit_clear(p->helper, s->index);
	spht_bit_clear(p->side, s->index);
}

/* What the recording's prefetch set here and the what-if has already is KVM's own from now on. */
static void keep_prefetched(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = w->c->steps->dos + s->first_do;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		if (d->kind == SPHT_DO_SET || d->kind == SPHT_DO_PREFETCH)
			match_writable(w, d);
		if (d->kind == SPHT_DO_PREFETCH &&
		    spht_bit(w->mmu.pages[d->page].present, d->index))
			made_by_kvm(w, d);
	}
}

/* The fault takes its own prefetch with it: what nobody built is missing now. */
static void miss_prefetch(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = w->c->steps->dos + s->first_do;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		if (d->kind != SPHT_DO_PREFETCH ||
		    spht_bit(w->mmu.pages[d->page].present, d->index))
			continue;
		spht_bit_set(w->pages[d->page].lack, d->index);
		w->acc->new_exits_hi++;
	}
}

/* A recorded P=1 or spurious fault proves a touch of an entry that is lacking here. */
static void proven_touch(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_wpage *p;

	if (!(s->flags & SPHT_STEP_HAS_LEAF))
		return;
	p = &w->pages[s->page];
	if (!spht_bit(p->lack, s->index))
		return;
	if (!(s->pfec & SPHT_PF_P) && s->cls != SPHT_CLASS_SPURIOUS)
		return;
	w->acc->new_exits_lo++;
	spht_bit_clear(p->lack, s->index);
	spht_mmu_set(&w->mmu, s->page, s->index, false);
}

/* Does the world show the entry now or right after this step? */
static bool known_around(const struct spht_whatif *w, uint32_t table, unsigned int index,
			 uint32_t step)
{
	uint8_t st = spht_w_state(w, table, index);

	if (spht_w_legal(w, st))
		return true;
	for (size_t i = w->next_change; i < w->c->nr_changes && w->c->changes[i].step <= step; i++)
		if (w->c->changes[i].table == table && w->c->changes[i].index == index)
			st = w->c->changes[i].state;
	return spht_w_legal(w, st);
}

/*
 * What avoiding this fault would be charged: entries that its prefetch brought
 * and that not even a helper without latency could build before or right after.
 */
static double loss_of(const struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_do *d = w->c->steps->dos + s->first_do;
	double loss = 0;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		if (d->kind != SPHT_DO_PREFETCH ||
		    spht_bit(w->mmu.pages[d->page].present, d->index) ||
		    known_around(w, s->table, d->index, step))
			continue;
		switch (w->c->world) {
		case SPHT_WORLD_STRICT:
			loss += 1;
			break;
		case SPHT_WORLD_INFERRED:
			loss += w->c->costs->touch_probability;
			break;
		default:
			loss += d->touched;
			break;
		}
	}
	return loss;
}

static bool oracle(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_heuristic *h = w->c->spec->h;
	uint8_t st = spht_w_state(w, s->table, s->index);
	struct spht_prospect p = {.space = s->space, .vpn = s->vpn};

	p.buildable = !spht_bit(w->mmu.pages[s->page].present, s->index) && spht_w_legal(w, st) &&
		      (!(s->flags & SPHT_STEP_NEED_W) || (st & SPHT_GPTE_WRITABLE)) &&
		      w->regions[s->region].valid;
	p.loss = p.buildable ? loss_of(w, s, step) : 0;
	if (!h->foresee(w->hstate, w->c->spec->params, &p) || !p.buildable)
		return false;
	spht_helper_grant(w, s);
	return true;
}

/* After an avoided fault the oracle makes up for the prefetch that did not happen. */
static void oracle_neighbours(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = w->c->steps->dos + s->first_do;

	for (uint32_t i = 0; i < s->nr_do; i++, d++) {
		uint8_t st = spht_w_state(w, s->table, d->index);

		if (d->kind != SPHT_DO_PREFETCH || !spht_w_legal(w, st) ||
		    spht_bit(w->mmu.pages[d->page].present, d->index))
			continue;
		spht_mmu_set(&w->mmu, d->page, d->index, st & SPHT_GPTE_WRITABLE);
	}
}

static uint8_t fault_class(uint8_t cls)
{
	switch (cls) {
	case SPHT_CLASS_GUEST:
		return SPHT_FAULT_GUEST;
	case SPHT_CLASS_HIDDEN:
		return SPHT_FAULT_HIDDEN;
	case SPHT_CLASS_HUGE:
		return SPHT_FAULT_HUGE;
	case SPHT_CLASS_AD:
		return SPHT_FAULT_AD;
	case SPHT_CLASS_PTWRITE_EMUL:
	case SPHT_CLASS_PTWRITE_UNSYNC:
		return SPHT_FAULT_PTWRITE;
	default:
		return SPHT_FAULT_OTHER;
	}
}

static void tell_heuristic(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_heuristic *h = w->c->spec->h;
	struct spht_fault f = {
		.time_ns = w->now_ns,
		.space = s->space,
		.vpn = s->vpn,
		.rip = s->rip,
		.error_code = s->pfec,
		.vcpu = s->vcpu,
		.cls = fault_class(s->cls),
	};

	/* Without a space (the walk failed at the top) there is nothing to ask for. */
	if (h->fault && s->space != SPHT_NO_ID)
		h->fault(w->hstate, w->c->spec->params, &f, &w->host);
}

/* The helper reads guest tables itself: where they are is the guest's state, not its secret. */
static void learn_region(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_wregion *r;

	if (s->region == SPHT_NO_ID)
		return;
	r = &w->regions[s->region];
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

/* A fault that set A or D can only be spared by a helper that may build without A. */
static bool may_avoid(const struct spht_whatif *w, const struct spht_step *s)
{
	return s->cls != SPHT_CLASS_AD || w->c->legality == SPHT_LEGAL_PRESENT;
}

static void step_fault(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	bool base = s->flags & SPHT_STEP_BASE, have = false, avoided = false, granted = false;

	w->acc->f_base += (s->flags & (SPHT_STEP_BASE | SPHT_STEP_UNMODELLED)) != 0;
	learn_region(w, s);
	if (base && !(s->flags & SPHT_STEP_FORCED) && may_avoid(w, s)) {
		if (w->c->spec->h->foresee)
			granted = oracle(w, s, step);
		have = spht_w_reaches(w, s->path, s->page, s->leaf_level, s->index, s->vpn);
		avoided = have && is_extra(w, s) &&
			  (!(s->flags & SPHT_STEP_NEED_W) ||
			   spht_bit(w->mmu.pages[s->page].writable, s->index));
	}
	/* What the fault itself showed holds from here on, for the entries beside it too. */
	if (avoided) {
		use_entry(w, s);
		/* Before the world moves on: strict forgets what nothing shows later. */
		keep_prefetched(w, s);
		if (granted)
			oracle_neighbours(w, s);
		advance_world(w, step);
		if (granted)
			oracle_neighbours(w, s);
		miss_prefetch(w, s);
		return;
	}
	proven_touch(w, s);
	if (base || (s->flags & SPHT_STEP_UNMODELLED))
		w->acc->remaining++;
	/* A fault of the guest's own asks for no shadow entry: the request stands. */
	if ((s->flags & SPHT_STEP_HAS_LEAF) && s->cls != SPHT_CLASS_GUEST)
		meet_helper(w, s);
	fault_happens(w, s, step);
	tell_heuristic(w, s);
}

static uint64_t scaled(const struct spht_whatif *w, uint64_t ns)
{
	return w->c->clock_real ? ns : (uint64_t)((double)ns * w->c->guest_time_scale);
}

/* What an exit takes: as recorded less the cost of recording it, or by the profile. */
static uint64_t exit_cost(const struct spht_whatif *w, uint64_t recorded_ns, uint64_t profile_ns)
{
	if (!w->c->clock_real)
		return profile_ns;
	return recorded_ns * 100 / (100 + w->c->costs->tracing_percent);
}

/* Brings the vCPU's clock to the exit: guest time, and the exits that are no steps. */
static void advance_clock(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_wvcpu *v = &w->vcpus[s->vcpu];

	/* vCPUs start together, as far as the recording says. */
	if (!v->started)
		v->now_ns = scaled(w, s->t_exit - w->t_start);
	v->started = true;
	v->now_ns += scaled(w, s->gap_ns);
	v->now_ns += exit_cost(w, s->other_ns, s->other_exits * w->c->costs->other_exit_ns);
	w->now_ns = v->now_ns;
}

static void run_step(struct spht_whatif *w, uint32_t step)
{
	const struct spht_step *s = &w->c->steps->v[step];
	uint64_t before = w->acc->avoided_direct + w->acc->avoided_side, cost;

	if (step)
		advance_world(w, step - 1);
	if (s->flags & SPHT_STEP_LOSS) {
		lose(w);
		return;
	}
	if (s->flags & SPHT_STEP_LOOSE) {
		apply_exogenous(w, s, step);
		return;
	}
	advance_clock(w, s);
	spht_helper_run(w, w->now_ns);
	apply_exogenous(w, s, step);
	cost = w->c->costs->other_exit_ns;
	if (s->flags & SPHT_STEP_PF) {
		cost = w->c->costs->exit_ns[s->cls];
		step_fault(w, s, step);
	}
	if (w->acc->avoided_direct + w->acc->avoided_side == before)
		w->vcpus[s->vcpu].now_ns += exit_cost(w, s->window_ns, cost);
}

/* `none` must end where the recording ended, entry by entry. */
static void compare_end(struct spht_whatif *w)
{
	for (uint32_t i = 0; i < w->mmu.nr && i < w->c->observed->nr; i++) {
		const struct spht_mmu_page *a = &w->mmu.pages[i], *b = &w->c->observed->pages[i];

		if (a->exists != b->exists || memcmp(a->present, b->present, sizeof(a->present)) ||
		    memcmp(a->writable, b->writable, sizeof(a->writable)))
			w->acc->divergence++;
	}
}

static int whatif_init(struct spht_whatif *w)
{
	const struct spht_whatif_config *c = w->c;
	const struct spht_heuristic *h = c->spec->h;
	size_t size = h->state_size ? h->state_size(c->spec->params) : 0;

	w->t_start = UINT64_MAX;
	for (uint32_t i = 0; i < c->steps->nr; i++) {
		const struct spht_step *s = &c->steps->v[i];

		if (s->flags & SPHT_STEP_LOOSE)
			continue;
		if (s->vcpu >= w->nr_vcpus)
			w->nr_vcpus = s->vcpu + 1u;
		if (s->t_exit < w->t_start)
			w->t_start = s->t_exit;
	}
	spht_mmu_init(&w->mmu, c->shadow);
	if (spht_mmu_reserve(&w->mmu, c->shadow->pages.nr + 1))
		return -1;
	w->nr_tables = c->shadow->tables.nr;
	w->pages = calloc(w->mmu.nr, sizeof(*w->pages));
	w->state = calloc(w->nr_tables + 1u, sizeof(*w->state));
	w->table_pages = calloc(w->nr_tables + 1u, sizeof(*w->table_pages));
	w->regions = calloc(c->shadow->regions.nr + 1u, sizeof(*w->regions));
	w->vcpus = calloc(w->nr_vcpus + 1u, sizeof(*w->vcpus));
	w->hstate = calloc(1, size + 1);
	if (!w->pages || !w->state || !w->table_pages || !w->regions || !w->vcpus || !w->hstate ||
	    spht_helper_init(w))
		return -1;
	if (h->init)
		h->init(w->hstate, c->spec->params);
	return 0;
}

static void whatif_close(struct spht_whatif *w)
{
	for (uint32_t i = 0; w->pages && i < w->mmu.nr; i++)
		free(w->pages[i].ready_ns);
	for (uint32_t i = 0; w->state && i < w->nr_tables; i++)
		free(w->state[i]);
	free(w->pages);
	free(w->state);
	free(w->table_pages);
	free(w->regions);
	free(w->vcpus);
	free(w->hstate);
	spht_helper_close(w);
	spht_mmu_close(&w->mmu);
}

int spht_whatif_run(const struct spht_whatif_config *c, struct spht_account *account,
		    struct spht_error *err)
{
	struct spht_whatif w = {.c = c, .acc = account};
	int ret = -1;

	memset(account, 0, sizeof(*account));
	if (whatif_init(&w))
		goto out;
	for (uint32_t i = 0; i < c->steps->nr && !w.no_memory; i++)
		run_step(&w, i);
	if (w.no_memory)
		goto out;
	if (c->steps->nr)
		advance_world(&w, c->steps->nr - 1);
	spht_helper_end(&w);
	if (!c->spec->h->fault && !c->spec->h->foresee)
		compare_end(&w);
	ret = 0;
out:
	if (ret)
		spht_error_set(err, "out of memory in a what-if run");
	whatif_close(&w);
	return ret;
}
