// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/real-local.h"

/*
 * The thread that replays: it comes to each exit when its time has come, finds in the
 * shared tables what is there by then, and spends what the exit costs, under mmu_lock
 * where an exit holds it.
 *
 * Its plan is the virtual clock's: guest time, costs, and the waits that it really had.
 * It can be late, for its own bookkeeping or because somebody else was given its core;
 * then it hurries through the guest time that follows.
 */

/* Turns in circles until @ns.  Returns when it was. */
static uint64_t spin(struct spht_real *r, uint64_t ns)
{
	uint64_t now = spht_real_now(r);

	r->last_ns = now;
	while (now < ns) {
		ck_pr_stall();
		now = spht_real_now(r);
		spht_real_note_stall(&r->run->vcpu, r->last_ns, now);
		r->last_ns = now;
	}
	return now;
}

void spht_real_until(struct spht_whatif *w, uint64_t ns)
{
	struct spht_real *r = w->real;

	spht_real_show(r);
	spht_real_unlock_books(r);
	spin(r, ns);
	spht_real_lock_books(r, &r->run->vcpu);
}

/* A slot comes back. */
static void release(struct spht_real *r, struct spht_slot *s)
{
	struct spht_slot *last = r->live[--r->nr_live];

	r->live[s->live] = last;
	last->live = s->live;
	r->free[r->nr_free++] = s;
	atomic_store_explicit(&s->state, SPHT_SLOT_FREE, memory_order_relaxed);
}

static void unqueue(struct spht_real *r, struct spht_slot *s)
{
	if (s->queued)
		spht_bit_clear(r->w->pages[s->q.page].queued, s->q.index);
	s->queued = false;
}

/* What the helper is done with, and what the heuristic is told of it. */
static void collect(struct spht_real *r)
{
	struct spht_slot *s;

	while ((s = spht_race_pop(&r->done))) {
		bool over = atomic_load_explicit(&s->state, memory_order_acquire) == SPHT_SLOT_OVER;
		struct spht_request q = s->q;
		uint8_t outcome = s->outcome;
		uint64_t end_ns = s->end_ns;

		unqueue(r, s);
		release(r, s);
		if (over)
			spht_request_tell(r->w, &q, outcome, end_ns);
	}
}

void spht_real_begin(struct spht_whatif *w)
{
	struct spht_real *r = w->real;
	struct spht_wvcpu *v = &w->vcpus[w->vcpu];
	uint64_t now, lag;

	collect(r);
	now = spht_real_now(r);
	lag = now > w->now_ns ? now - w->now_ns : 0;
	spht_histogram_add(&r->run->lag, lag);
	if (lag > SPHT_REAL_SLIP_NS) {
		r->run->slips++;
		r->run->slipped_ns += lag;
		v->now_ns += lag;
		w->now_ns += lag;
	}
	r->planned_ns = w->now_ns;
	if (now > w->now_ns)
		w->now_ns = now;
}

void spht_real_mark(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_do *d = spht_w_dos(w, s);

	if (s->flags & SPHT_STEP_HAS_LEAF)
		spht_real_touch(w, s->page);
	for (uint32_t i = 0; i < s->nr_do; i++)
		spht_real_touch(w, d[i].page);
}

bool spht_real_look(struct spht_whatif *w, const struct spht_step *s, bool have)
{
	struct spht_real *r = w->real;
	const struct spht_mmu_page *p = &w->mmu.pages[s->page];
	uint64_t entry = 0;
	bool there;

	spht_real_mark(w, s);
	spht_real_show(r);
	there = spht_tables_walk(&r->tables, w->c->shadow, s->path, s->page, s->leaf_level, s->vpn,
				 &entry);
	if (there != have || (there && !(entry & SPHT_SPTE_W) != !spht_bit(p->writable, s->index)))
		r->run->disagreed++;
	return there;
}

/* The part of the exit under mmu_lock, which it wants at @want.  Returns how long it waited. */
static uint64_t hold_lock(struct spht_real *r, uint64_t want, uint64_t hold)
{
	uint64_t from = spin(r, want), got = from, wait;

	if (!spht_race_trylock(&r->mmu_lock)) {
		spht_race_lock(&r->mmu_lock);
		got = spht_real_now(r);
	}
	wait = got - from;
	spht_histogram_add(&r->run->vcpu_wait, wait);
	/* What the fault makes is there for the helper from here on. */
	spht_real_lock_books(r, &r->run->vcpu);
	spht_real_show(r);
	spht_real_unlock_books(r);
	spin(r, got + hold);
	spht_race_unlock(&r->mmu_lock);
	return wait;
}

void spht_real_leave(struct spht_whatif *w, const struct spht_step *s, uint64_t cost, uint64_t hold)
{
	struct spht_real *r = w->real;
	uint64_t wait;

	w->now_ns = r->planned_ns;
	spht_real_mark(w, s);
	if (!hold) {
		if (cost)
			spht_real_until(w, w->now_ns + cost);
		return;
	}
	spht_real_unlock_books(r);
	wait = hold_lock(r, w->now_ns + cost - hold, hold);
	spht_real_lock_books(r, &r->run->vcpu);
	spht_w_book(w, w->outside)->lock_wait_ns += wait;
	w->waited_ns = wait;
}

void spht_real_guest(struct spht_whatif *w, uint32_t table, unsigned int index, uint8_t state)
{
	if (spht_tables_guest(&w->real->tables, table, index, state))
		w->no_memory = true;
}

/* Requests that wait or are watched: those that are worked at, or on their way back, take no place. */
static uint32_t waiting(const struct spht_real *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->nr_live; i++) {
		uint32_t state = atomic_load_explicit(&r->live[i]->state, memory_order_relaxed);

		n += state == SPHT_SLOT_WAITING || state == SPHT_SLOT_WATCHED;
	}
	return n;
}

void spht_real_ask(struct spht_whatif *w, const struct spht_request *q)
{
	struct spht_real *r = w->real;
	uint64_t limit = w->c->costs->queue_limit;
	struct spht_slot *s;

	if ((r->nr_live >= limit && waiting(r) >= limit) || !r->nr_free ||
	    ++w->asked_now > SPHT_W_MAX_ASKED) {
		spht_w_book(w, w->outside)->queue_full++;
		return;
	}
	s = r->free[--r->nr_free];
	s->q = *q;
	s->issued = false;
	s->queued = q->page != SPHT_NO_ID;
	if (s->queued)
		spht_bit_set(w->pages[q->page].queued, q->index);
	s->live = r->nr_live;
	r->live[r->nr_live++] = s;
	atomic_store_explicit(&s->state, SPHT_SLOT_WAITING, memory_order_release);
	/* There are more places than slots. */
	spht_race_push(&r->asked, s);
}

/* Takes the request back, if the helper does not work at it. */
static bool cancel(struct spht_real *r, struct spht_slot *s)
{
	if (!spht_slot_move(s, SPHT_SLOT_WAITING, SPHT_SLOT_CANCELLED) &&
	    !spht_slot_move(s, SPHT_SLOT_WATCHED, SPHT_SLOT_CANCELLED))
		return false;
	unqueue(r, s);
	return true;
}

static void demand(struct spht_real *r, struct spht_slot *s)
{
	struct spht_account *book = spht_w_book(r->w, s->q.outside);

	for (;;) {
		if (cancel(r, s)) {
			book->cancelled_demand++;
			break;
		}
		if (spht_slot_move(s, SPHT_SLOT_TAKEN, SPHT_SLOT_LATE)) {
			/* It goes on, for nothing: its time is spent. */
			book->built++;
			book->used_late++;
			unqueue(r, s);
			break;
		}
		/* Unless it went on from one to the other meanwhile, it is over. */
		switch (atomic_load_explicit(&s->state, memory_order_acquire)) {
		case SPHT_SLOT_WAITING:
		case SPHT_SLOT_TAKEN:
		case SPHT_SLOT_WATCHED:
			continue;
		default:
			return;
		}
	}
	spht_request_tell(r->w, &s->q, SPHT_OUTCOME_LATE, r->w->now_ns);
}

void spht_real_demand(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	const struct spht_step *at = w->step;
	struct spht_real *r = w->real;

	for (uint32_t i = 0; i < r->nr_live; i++) {
		struct spht_slot *s = r->live[i];
		/* Where its table was not known when it was asked for, the helper may know it now. */
		bool same = s->q.page == SPHT_NO_ID
				    ? at && s->q.space == at->space && s->q.vpn == at->vpn
				    : s->q.page == page && s->q.index == index;

		if (same)
			demand(r, s);
	}
}

void spht_real_zapped(struct spht_whatif *w, uint32_t page)
{
	struct spht_real *r = w->real;

	for (uint32_t i = 0; i < r->nr_live; i++)
		if (r->live[i]->q.page == page && cancel(r, r->live[i]))
			spht_w_book(w, r->live[i]->q.outside)->cancelled_zap++;
}
