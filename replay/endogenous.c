// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "replay/observe-local.h"

/*
 * Zaps that follow from the state of the MMU: the observed MMU derives them by
 * KVM's rules before it looks at what was recorded, and labels what was.  A
 * what-if derives its own; what is derived here and was not recorded, it spares.
 */

/* One recycling zaps at least so many pages. */
#define LEAST_RECYCLED (SPHT_REFILL_PAGES - SPHT_MIN_FREE_PAGES + 1)

static bool is_direct(const struct spht_observed *o, uint32_t page)
{
	return spht_role_direct(o->shadow.layout, spht_shadow_role(&o->shadow, page));
}

static int expect(struct spht_observed *o, uint32_t page, enum spht_zap_cause cause)
{
	if (o->pages[page].expected)
		return 0;
	o->pages[page].expected = (uint8_t)cause;
	return spht_pages_add(&o->expected, page);
}

/* Unsync pages below @page go with it.  The number of those not expected before, or -1. */
static int expect_below(struct spht_observed *o, uint32_t page)
{
	uint32_t before = o->expected.nr;

	o->below.nr = 0;
	if (spht_unsync_below(&o->mmu, page, &o->below))
		return -1;
	for (uint32_t i = 0; i < o->below.nr; i++)
		if (expect(o, o->below.v[i], SPHT_ZAP_CHILD))
			return -1;
	return (int)(o->expected.nr - before);
}

static bool is_fetch_op(const struct spht_op *op)
{
	return op->kind == SPHT_OP_GET || op->kind == SPHT_OP_REQUESTED;
}

/* Operations before the first one of a fetch or a root load; all of them: there is none. */
static size_t before_fetch(const struct spht_exit *x)
{
	size_t i = 0;

	while (i < x->nr_ops && !is_fetch_op(&x->ops[i]))
		i++;
	return i;
}

/*
 * Is this zap one of an unsync page whose gfn becomes an upper table: is the
 * next page that is created after it one above level 1 of the same gfn?
 */
static bool is_upper_zap(const struct spht_observed *o, const struct spht_exit *x, size_t i)
{
	const struct spht_op *op = &x->ops[i];

	for (size_t k = i + 1; op->unsync && k < x->nr_ops; k++)
		if (x->ops[k].kind == SPHT_OP_GET && x->ops[k].gfn == op->gfn)
			return x->ops[k].created &&
			       spht_role_level(o->shadow.layout, x->ops[k].role) > 1;
	return false;
}

static void vote(struct spht_obs_votes *v, uint64_t limit)
{
	for (unsigned int i = 0; i < SPHT_LIMIT_VOTES; i++) {
		if (v->nr[i] && v->limit[i] != limit)
			continue;
		v->limit[i] = (uint32_t)limit;
		v->nr[i]++;
		return;
	}
}

/* A recycling whose limit is not known tells it: n_max = used + (KVM_REFILL_PAGES - zapped). */
static void learn_limit(struct spht_observed *o, const struct spht_exit *x, size_t first)
{
	unsigned int zapped = 0;

	for (size_t i = 0; i < first; i++)
		zapped += x->ops[i].kind == SPHT_OP_ZAP && !is_upper_zap(o, x, i);
	if (zapped >= LEAST_RECYCLED && zapped <= SPHT_REFILL_PAGES)
		vote(&o->votes, o->mmu.nr_existing + SPHT_REFILL_PAGES - zapped);
}

/* make_mmu_pages_available comes before a fetch and before a root is loaded. */
static int expect_recycling(struct spht_observed *o, const struct spht_exit *x)
{
	unsigned int short_of = spht_shortage(&o->mmu, o->limit), zapped = 0;
	size_t first = before_fetch(x);
	uint32_t page = SPHT_NO_ID;

	if (first == x->nr_ops)
		return 0;
	if (o->limit == SPHT_UNLIMITED && first >= LEAST_RECYCLED)
		learn_limit(o, x, first);
	if (o->limit != SPHT_UNLIMITED && spht_steps_do(&o->steps, SPHT_DO_ROOM, 0, 0, false))
		return -1;
	if (!short_of)
		return 0;
	for (page = spht_oldest_free(&o->mmu, SPHT_NO_ID); page != SPHT_NO_ID && zapped < short_of;
	     page = spht_oldest_free(&o->mmu, o->mmu.pages[page].newer)) {
		int below;

		/* Gone already, with the page above it. */
		if (o->pages[page].expected)
			continue;
		if (expect(o, page, SPHT_ZAP_RECYCLED))
			return -1;
		below = expect_below(o, page);
		if (below < 0)
			return -1;
		zapped += 1 + (unsigned int)below;
		if (o->mmu.pages[page].newer == SPHT_NO_ID)
			break;
	}
	return 0;
}

/* detect_write_misaligned, for entries of 8 bytes. */
static bool is_misaligned(uint64_t gpa, unsigned int bytes)
{
	unsigned int offset = gpa & 0xfff;

	if (!(offset & 7) && bytes == 1)
		return false;
	return ((offset ^ (offset + bytes - 1)) & ~7u) || bytes < 4;
}

/* kvm_mmu_pte_write: what the store does to the pages of the table that it goes to. */
static int expect_flooding(struct spht_observed *o, const struct spht_exit *x)
{
	bool at_once = is_misaligned(x->store_gpa, x->store_bytes);
	uint32_t page = spht_obs_first_page(o, x->store_gpa >> SPHT_PAGE_SHIFT);

	for (; page != SPHT_NO_ID; page = o->pages[page].next_same_gfn) {
		if (is_direct(o, page))
			continue;
		/* Said to the what-ifs even where there is no page: a helper may have made it. */
		if (spht_steps_do(&o->steps, SPHT_DO_STORE, page, at_once, false))
			return -1;
		if (o->mmu.pages[page].exists && spht_store_floods(&o->mmu, page, at_once) &&
		    expect(o, page, SPHT_ZAP_FLOODED))
			return -1;
	}
	return 0;
}

static bool has_root(const uint32_t *roots, uint32_t page)
{
	bool has = false;

	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++)
		has |= roots[i] == page;
	return has;
}

/* Roots that a vCPU holds are not recycled; the what-ifs are told which these are. */
static int pin_roots(struct spht_observed *o, struct spht_obs_vcpu *v)
{
	uint32_t was[SPHT_MRU_ROOTS];

	if (!memcmp(v->pinned, v->mru, sizeof(v->mru)))
		return 0;
	memcpy(was, v->pinned, sizeof(was));
	memcpy(v->pinned, v->mru, sizeof(v->mru));
	for (unsigned int i = 0; i < SPHT_MRU_ROOTS; i++) {
		if (v->mru[i] != SPHT_NO_ID && !has_root(was, v->mru[i]) &&
		    (spht_mmu_pin(&o->mmu, v->mru[i]) ||
		     spht_steps_do(&o->steps, SPHT_DO_PIN, v->mru[i], 0, false)))
			return -1;
		if (was[i] != SPHT_NO_ID && !has_root(v->mru, was[i])) {
			spht_mmu_unpin(&o->mmu, was[i]);
			if (spht_steps_do(&o->steps, SPHT_DO_UNPIN, was[i], 0, false))
				return -1;
		}
	}
	return 0;
}

/* What other vCPUs have loaded since their last step counts too where pages run short. */
static int pin_all_roots(struct spht_observed *o)
{
	for (uint32_t i = 0; spht_shortage(&o->mmu, o->limit) && i < o->nr_vcpus; i++)
		if (o->vcpus[i].used && pin_roots(o, &o->vcpus[i]))
			return -1;
	return 0;
}

int spht_obs_expect(struct spht_observed *o, struct spht_obs_vcpu *v,
		    const struct spht_obs_where *w, const struct spht_exit *x)
{
	bool emulated = x->cls == SPHT_CLASS_PTWRITE_EMUL;
	/* page_fault_handle_page_track: a store to a table that is there, read-only. */
	bool tracked = emulated && !x->requested && (x->pfec & SPHT_PF_P) && (x->pfec & SPHT_PF_W);

	if (x->preamble || !v)
		return 0;
	if (pin_roots(o, v) || pin_all_roots(o))
		return -1;
	if (x->nr_ops && expect_recycling(o, x))
		return -1;
	if (x->kind != SPHT_EXIT_WINDOW)
		return 0;
	if ((x->requested || tracked) && w->has_leaf)
		spht_mmu_clear_flood(&o->mmu, w->path, w->page, w->leaf_level);
	if (x->store_known && x->store_bytes)
		return expect_flooding(o, x);
	return 0;
}

/* Recorded and not expected: which rule may have missed it? */
static enum spht_zap_cause missed_by(const struct spht_observed *o, const struct spht_exit *x,
				     size_t i, uint32_t page)
{
	bool store = x->cls == SPHT_CLASS_PTWRITE_EMUL && x->store_known && x->store_bytes;
	size_t first = before_fetch(x);

	if (store && x->ops[i].gfn == x->store_gpa >> SPHT_PAGE_SHIFT)
		return SPHT_ZAP_FLOODED;
	if (first < x->nr_ops && i < first && first >= LEAST_RECYCLED)
		return SPHT_ZAP_RECYCLED;
	for (size_t k = 0; o->mmu.pages[page].unsync && k < i; k++)
		if (x->ops[k].kind == SPHT_OP_ZAP)
			return SPHT_ZAP_CHILD;
	return SPHT_ZAP_EXOGENOUS;
}

int spht_obs_zap(struct spht_observed *o, const struct spht_exit *x, size_t i, uint32_t page)
{
	enum spht_zap_cause cause = o->pages[page].expected;

	o->pages[page].expected = 0;
	if (cause != SPHT_ZAP_EXOGENOUS)
		o->fid.zaps[cause][1][1]++;
	else if (o->mmu.pages[page].unsync && is_upper_zap(o, x, i))
		o->fid.zaps[cause = SPHT_ZAP_UPPER][1][1]++;
	else
		o->fid.zaps[missed_by(o, x, i, page)][0][1]++;
	if (expect_below(o, page) < 0)
		return -1;
	spht_mmu_zap(&o->mmu, page);
	return spht_steps_do(&o->steps, SPHT_DO_ZAP, page, cause, false);
}

/* The rules say that @page goes, and the recording shows that it stayed. */
static int spare(struct spht_observed *o, uint32_t page, enum spht_zap_cause cause)
{
	o->fid.zaps[cause][1][0]++;
	o->mmu.pages[page].flood = 0;
	return spht_steps_do(&o->steps, SPHT_DO_SPARE, page, cause, false);
}

int spht_obs_upper(struct spht_observed *o, uint32_t page)
{
	uint32_t other = spht_obs_first_page(o, spht_shadow_gfn(&o->shadow, page));

	for (; other != SPHT_NO_ID; other = o->pages[other].next_same_gfn)
		if (other != page && spht_is_unsync(&o->mmu, other) &&
		    spare(o, other, SPHT_ZAP_UPPER))
			return -1;
	return 0;
}

int spht_obs_expected(struct spht_observed *o)
{
	for (uint32_t i = 0; i < o->expected.nr; i++) {
		uint32_t page = o->expected.v[i];
		enum spht_zap_cause cause = o->pages[page].expected;

		o->pages[page].expected = 0;
		if (cause && spare(o, page, cause))
			return -1;
	}
	o->expected.nr = 0;
	return 0;
}

void spht_observed_set_limit(struct spht_observed *o, uint32_t limit)
{
	o->limit = limit;
}

uint32_t spht_observed_limit_seen(const struct spht_observed *o)
{
	uint32_t best = 0, nr = 0;

	for (unsigned int i = 0; i < SPHT_LIMIT_VOTES && o->votes.nr[i]; i++) {
		if (o->votes.nr[i] < nr || (o->votes.nr[i] == nr && o->votes.limit[i] < best))
			continue;
		nr = o->votes.nr[i];
		best = o->votes.limit[i];
	}
	return best;
}
