// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/whatif-local.h"

/* What the entry is, in one word, so that two moments can be compared. */
enum {
	LOOK_PRESENT = 1 << 0,
	LOOK_HELPER = 1 << 1,
	LOOK_SIDE = 1 << 2,
	LOOK_LACK = 1 << 3,
	LOOK_QUEUED = 1 << 4,
	LOOK_WATCHED = 1 << 5,
	LOOK_BUILDING = 1 << 6,
};

static bool is_building(const struct spht_whatif *w, const struct spht_look_at *at)
{
	for (uint32_t t = 0; t < w->nr_teams; t++) {
		for (uint32_t i = 0; i < w->teams[t].nr_workers; i++) {
			const struct spht_worker *k = &w->teams[t].workers[i];

			if (k->work && !k->job.dead && k->job.page == at->page &&
			    k->job.index == at->index)
				return true;
		}
	}
	return false;
}

static unsigned int bits_of(const struct spht_whatif *w)
{
	const struct spht_look_at *at = w->c->look_at;
	const struct spht_wpage *p = &w->pages[at->page];

	return (spht_bit(w->mmu.pages[at->page].present, at->index) ? LOOK_PRESENT : 0) |
	       (spht_bit(p->helper, at->index) ? LOOK_HELPER : 0) |
	       (spht_bit(p->side, at->index) ? LOOK_SIDE : 0) |
	       (spht_bit(p->lack, at->index) ? LOOK_LACK : 0) |
	       (spht_bit(p->queued, at->index) ? LOOK_QUEUED : 0) |
	       (spht_bit(p->watched, at->index) ? LOOK_WATCHED : 0) |
	       (is_building(w, at) ? LOOK_BUILDING : 0);
}

static void tell(struct spht_whatif *w, enum spht_told what)
{
	struct spht_look *l = w->c->look;

	l->told[l->nr++ % SPHT_LOOK_TOLD] = (struct spht_told_at){
		.ns = w->look_ns, .virtual_ns = w->now_ns, .what = (uint8_t)what};
}

/* What of a helper's has come or gone. */
static void compare_helper(struct spht_whatif *w, unsigned int was, unsigned int is,
			   enum spht_look_part part)
{
	unsigned int come = is & ~was, extra = LOOK_HELPER | LOOK_SIDE;
	unsigned int wait = LOOK_QUEUED | LOOK_WATCHED;

	if ((was & wait) && !(is & (wait | LOOK_BUILDING | LOOK_HELPER)))
		tell(w, SPHT_TOLD_CANCELLED);
	if (come & LOOK_WATCHED)
		tell(w, SPHT_TOLD_WATCHED);
	else if ((come & LOOK_QUEUED) && !(was & LOOK_WATCHED))
		tell(w, SPHT_TOLD_ASKED);
	if (come & LOOK_BUILDING)
		tell(w, SPHT_TOLD_STARTED);
	if (come & LOOK_HELPER)
		tell(w, SPHT_TOLD_BUILT);
	if ((come & LOOK_SIDE) && !(was & LOOK_HELPER))
		tell(w, part == SPHT_LOOK_HELPERS ? SPHT_TOLD_BESIDE : SPHT_TOLD_SIDE);
	if ((come & LOOK_LACK))
		tell(w, SPHT_TOLD_LACKING);
	if ((was & extra) && !(is & extra) && part == SPHT_LOOK_AVOIDED)
		tell(w, SPHT_TOLD_USED);
	else if ((was & extra) && !(is & extra) && (is & LOOK_PRESENT))
		tell(w, part == SPHT_LOOK_FAULT ? SPHT_TOLD_SPENT : SPHT_TOLD_BY_KVM);
}

void spht_w_look_now(struct spht_whatif *w, enum spht_look_part part)
{
	unsigned int was = w->look_bits, is, extra = LOOK_HELPER | LOOK_SIDE;

	if (w->c->look->met)
		return;
	is = bits_of(w);
	if (is == was)
		return;
	w->look_bits = is;
	compare_helper(w, was, is, part);
	if ((was & LOOK_LACK) && !(is & LOOK_LACK) && (is & LOOK_PRESENT))
		tell(w, SPHT_TOLD_MADE_UP);
	else if ((is & ~was & LOOK_PRESENT) && !(is & extra))
		tell(w, SPHT_TOLD_BY_KVM);
	if ((was & ~is & LOOK_PRESENT))
		tell(w, SPHT_TOLD_GONE);
}

/* Is a request for (@space, @vpn) one for the entry, as far as is known by now? */
static bool is_asked(struct spht_whatif *w, uint64_t space, uint64_t vpn)
{
	const struct spht_look_at *at = w->c->look_at;
	const struct spht_wregion *r;

	if (space != at->space || vpn != at->vpn || w->c->look->met)
		return false;
	r = spht_w_region(w, space, vpn);
	return !r || r->page == at->page;
}

void spht_w_look_asked(struct spht_whatif *w, uint64_t space, uint64_t vpn, bool full)
{
	unsigned int was = w->look_bits;

	if (!is_asked(w, space, vpn))
		return;
	spht_w_look_now(w, SPHT_LOOK_ASKED);
	if (full)
		tell(w, SPHT_TOLD_QUEUE_FULL);
	else if (was & (LOOK_QUEUED | LOOK_BUILDING | LOOK_PRESENT))
		tell(w, SPHT_TOLD_DUPLICATE);
	else if (!(w->look_bits & LOOK_QUEUED))
		tell(w, SPHT_TOLD_ASKED); /* where it is, the helper does not know yet */
}

void spht_w_look_outcome(struct spht_whatif *w, uint64_t space, uint64_t vpn, uint8_t outcome)
{
	const struct spht_look_at *at = w->c->look_at;
	uint8_t st;

	if (!is_asked(w, space, vpn) || outcome == SPHT_OUTCOME_BUILT)
		return;
	/* Taken from the queue and gone again before anybody looked. */
	w->look_bits &= ~(unsigned int)(LOOK_QUEUED | LOOK_WATCHED | LOOK_BUILDING);
	if (outcome == SPHT_OUTCOME_LATE) {
		tell(w, SPHT_TOLD_LATE);
		return;
	}
	st = at->table == SPHT_NO_ID ? 0 : spht_w_state(w, at->table, at->index);
	if (spht_bit(w->mmu.pages[at->page].present, at->index))
		tell(w, SPHT_TOLD_THERE);
	else
		tell(w, st & SPHT_GPTE_DECIDED ? SPHT_TOLD_ILLEGAL : SPHT_TOLD_UNKNOWN);
}

void spht_w_look_step(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_look_at *at = w->c->look_at;
	struct spht_look *l = w->c->look;

	w->look_ns = s->t_exit;
	spht_w_look_now(w, SPHT_LOOK_GUEST);
	if (step != at->step || at->table == SPHT_NO_ID)
		return;
	l->guest_known = true;
	l->guest = spht_w_state(w, at->table, at->index);
}

void spht_w_look_fault(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	const struct spht_look_at *at = w->c->look_at;
	struct spht_look *l = w->c->look;
	unsigned int is;

	spht_w_look_now(w, SPHT_LOOK_HELPERS);
	if (step != at->step)
		return;
	is = bits_of(w);
	l->present = is & LOOK_PRESENT;
	l->writable = spht_bit(w->mmu.pages[at->page].writable, at->index);
	l->helper = is & LOOK_HELPER;
	l->side = is & LOOK_SIDE;
	l->lacking = is & LOOK_LACK;
	l->queued = is & (LOOK_QUEUED | LOOK_WATCHED);
	l->building = is & LOOK_BUILDING;
	l->reached = l->present &&
		     (!(s->flags & SPHT_STEP_HAS_LEAF) || s->page != at->page ||
		      spht_w_reaches(w, s->path, s->page, s->leaf_level, s->index, s->vpn));
}

void spht_w_look_end(struct spht_whatif *w, const struct spht_step *s, uint32_t step, bool avoided)
{
	const struct spht_look_at *at = w->c->look_at;
	bool own = (s->flags & SPHT_STEP_HAS_LEAF) && s->page == at->page && s->index == at->index;

	/* Neighbours change with the fault, but it is not theirs. */
	spht_w_look_now(w, !own ? SPHT_LOOK_GUEST : avoided ? SPHT_LOOK_AVOIDED : SPHT_LOOK_FAULT);
	if (step != at->step)
		return;
	w->c->look->avoided = avoided;
	w->c->look->met = true;
}
