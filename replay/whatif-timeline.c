// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

/*
 * What a run does in a window of the recording, written down as it is done.  Where a
 * number is kept by the books, it is their change that is told: so that
 * both say the same.
 */

static struct spht_timeline *timeline(const struct spht_whatif *w)
{
	return w->c->timeline;
}

/* A new event on the track of vCPU or helper @number; NULL: memory. */
static struct spht_tl_event *add(struct spht_whatif *w, enum spht_tl_kind kind,
				 enum spht_tl_room room, uint32_t number, uint64_t ns, uint64_t dur)
{
	struct spht_timeline *t = timeline(w);
	uint32_t i = spht_timeline_add(t, kind, ns, dur);

	if (!i) {
		w->no_memory = true;
		return NULL;
	}
	t->v[i - 1].room = (uint8_t)room;
	t->v[i - 1].number = (uint16_t)number;
	t->v[i - 1].page = SPHT_NO_ID;
	t->v[i - 1].outside = w->outside;
	return &t->v[i - 1];
}

/* The slice of the current exit; NULL: there is none. */
static struct spht_tl_event *current(const struct spht_whatif *w)
{
	struct spht_timeline *t = timeline(w);

	return t->current ? &t->v[t->current - 1] : NULL;
}

static void count(struct spht_whatif *w, enum spht_tl_counter what, uint64_t ns, int64_t delta)
{
	struct spht_tl_event *e;

	if (!delta)
		return;
	e = add(w, SPHT_TL_COUNT, SPHT_TL_NOBODY, 0, ns, 0);
	if (!e)
		return;
	e->what = (uint8_t)what;
	e->delta = (int32_t)delta;
}

static void wait(struct spht_whatif *w, enum spht_tl_room room, uint32_t number, uint64_t want,
		 uint64_t from)
{
	if (from == want)
		return;
	add(w, SPHT_TL_WAIT, room, number, want, from - want);
	count(w, SPHT_TL_WAITERS, want, 1);
	count(w, SPHT_TL_WAITERS, from, -1);
}

/* What the books, of the region and of the rest, say of what is noted. */
static void read_notes(const struct spht_whatif *w, uint64_t notes[SPHT_TL_NOTES])
{
	notes[SPHT_TL_PROVEN] = w->acc->new_exits_lo + w->rest.new_exits_lo;
	notes[SPHT_TL_POSSIBLE] = w->acc->new_exits_hi + w->rest.new_exits_hi;
	notes[SPHT_TL_KICK] = w->acc->helper_exits + w->rest.helper_exits;
	notes[SPHT_TL_FULL] = w->acc->queue_full + w->rest.queue_full;
	notes[SPHT_TL_LOSS] = 0;
}

/* Entries that a helper built and nobody has used or lost: METRICS section 5, at any time. */
static int64_t unused(const struct spht_account *a)
{
	return (int64_t)(a->built - a->used_timely - a->used_late - a->used_weak - a->use_unknown -
			 a->zapped_unused - a->evicted_unused - a->lost_epoch);
}

/* Queues and counts may have changed by @ns: by a helper's doing (@k), or by the exit's. */
static void count_all(struct spht_whatif *w, const struct spht_worker *k, uint64_t ns)
{
	int64_t now[SPHT_TL_COUNTERS] = {0};
	struct spht_timeline *t = timeline(w);
	uint64_t notes[SPHT_TL_NOTES];

	for (uint32_t i = 0; i < w->nr_teams; i++) {
		now[SPHT_TL_QUEUED] += w->teams[i].queue.live;
		now[SPHT_TL_WATCHED] += w->teams[i].watched.live;
	}
	now[SPHT_TL_UNUSED] = unused(w->acc) + unused(&w->rest);
	for (unsigned int i = 0; i < SPHT_TL_WAITERS; i++) {
		count(w, i, ns, now[i] - t->counters[i]);
		t->counters[i] = now[i];
	}
	read_notes(w, notes);
	for (unsigned int i = 0; i < SPHT_TL_NOTES; i++) {
		struct spht_tl_event *e;

		if (notes[i] == t->notes[i])
			continue;
		e = add(w, SPHT_TL_NOTE, k ? SPHT_TL_HELPER : SPHT_TL_VCPU, k ? k->number : w->vcpu,
			ns, 0);
		if (!e)
			return;
		e->what = (uint8_t)i;
		e->n = (uint32_t)(notes[i] - t->notes[i]);
		t->notes[i] = notes[i];
	}
}

/* Is there no more room, so that the window ends before this step? */
static bool is_over(struct spht_timeline *t, const struct spht_step *s)
{
	if (t->full || t->all_exits)
		return true;
	t->full = t->nr >= t->max_events;
	t->all_exits = t->exits >= t->max_exits;
	if (t->full || t->all_exits)
		t->end_ns = s->t_exit;
	return t->full || t->all_exits;
}

void spht_tl_step(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_timeline *t = timeline(w);
	bool was = w->timed;

	t->helpers = w->nr_teams * w->teams[0].nr_workers;
	t->vcpus = w->nr_vcpus;
	t->current = 0;
	w->timed = s->t_exit >= t->from && s->t_exit < t->to && !is_over(t, s);
	if (!w->timed || was)
		return;
	/* What came before is not told here. */
	read_notes(w, t->notes);
	t->generated = w->acc->generated + w->rest.generated;
}

void spht_tl_come_to(struct spht_whatif *w, const struct spht_step *s, uint64_t guest_ns,
		     uint64_t others_ns)
{
	struct spht_timeline *t = timeline(w);
	uint64_t ns = w->gap_ns;
	struct spht_tl_event *e;

	if (guest_ns)
		add(w, SPHT_TL_GUEST, SPHT_TL_VCPU, s->vcpu, ns, guest_ns);
	ns += guest_ns;
	if (others_ns) {
		e = add(w, SPHT_TL_OTHERS, SPHT_TL_VCPU, s->vcpu, ns, others_ns);
		if (e)
			e->n = s->other_exits;
	}
	ns += others_ns;
	if (w->now_ns > ns)
		add(w, SPHT_TL_BEHIND, SPHT_TL_VCPU, s->vcpu, ns, w->now_ns - ns);
	e = add(w, SPHT_TL_EXIT, SPHT_TL_VCPU, s->vcpu, w->now_ns, 0);
	if (!e)
		return;
	t->current = t->nr;
	t->exits++;
	e->recorded_ns = s->t_exit > t->start ? s->t_exit - t->start : 0;
	e->vpn = s->vpn;
	e->rip = s->rip;
	e->pfec = s->pfec;
	e->cls = s->cls;
	e->pf = s->flags & SPHT_STEP_PF;
	e->refault = s->flags & SPHT_STEP_REFAULT;
	if (s->flags & (SPHT_STEP_BASE | SPHT_STEP_UNMODELLED))
		e->outcome = SPHT_TL_REMAINS;
	if (!(s->flags & SPHT_STEP_HAS_LEAF))
		return;
	e->page = s->page;
	e->index = s->index;
	e->direct = s->flags & SPHT_STEP_DIRECT;
}

void spht_tl_serve(struct spht_whatif *w, uint64_t want, uint64_t from, uint64_t hold)
{
	wait(w, SPHT_TL_VCPU, w->vcpu, want, from);
	add(w, SPHT_TL_SERVED, SPHT_TL_VCPU, w->vcpu, from, hold);
	add(w, SPHT_TL_HOLD, SPHT_TL_VCPU, w->vcpu, from, hold);
}

void spht_tl_leave(struct spht_whatif *w, const struct spht_step *s, bool avoided, uint64_t ns)
{
	struct spht_timeline *t = timeline(w);
	struct spht_tl_event *e = current(w);
	uint64_t generated = w->acc->generated + w->rest.generated;

	if (!e)
		return;
	e->dur = ns;
	e->n = (uint32_t)(generated - t->generated);
	t->generated = generated;
	if (!avoided && w->c->bypass_guest_pf && (s->flags & SPHT_STEP_BYPASS))
		e->outcome = SPHT_TL_REFLECTED;
	count_all(w, NULL, w->now_ns);
}

/* The arrow of request @ticket ends at the current exit. */
static void end_arrow(struct spht_timeline *t, uint32_t ticket)
{
	if (ticket && t->current && !t->requests[ticket - 1].met)
		t->requests[ticket - 1].met = t->current;
}

static void meet(struct spht_whatif *w, enum spht_tl_outcome outcome)
{
	struct spht_tl_event *e = current(w);

	if (e && e->outcome <= SPHT_TL_REMAINS)
		e->outcome = (uint8_t)outcome;
}

void spht_tl_met(struct spht_whatif *w, uint32_t page, unsigned int index,
		 enum spht_tl_outcome outcome)
{
	struct spht_timeline *t = timeline(w);

	meet(w, outcome);
	if (outcome != SPHT_TL_SIDE && page < t->nr_built && t->built[page])
		end_arrow(t, t->built[page][index]);
}

void spht_tl_overtaken(struct spht_whatif *w, const struct spht_request *q)
{
	meet(w, SPHT_TL_LATE);
	end_arrow(timeline(w), q->ticket);
}

uint32_t spht_tl_ask(struct spht_whatif *w)
{
	struct spht_timeline *t = timeline(w);
	uint32_t ticket = spht_timeline_ask(t, w->now_ns, w->vcpu);

	w->no_memory |= !ticket;
	return ticket;
}

/* A slice of a helper's about @q. */
static struct spht_tl_event *add_work(struct spht_whatif *w, const struct spht_worker *k,
				      const struct spht_request *q, enum spht_tl_kind kind,
				      uint64_t ns, uint64_t dur)
{
	struct spht_tl_event *e = add(w, kind, SPHT_TL_HELPER, k->number, ns, dur);

	if (!e)
		return NULL;
	e->vpn = q->vpn;
	e->page = q->page;
	e->index = q->index;
	e->outside = q->outside;
	e->n = q->ticket;
	return e;
}

void spht_tl_read(struct spht_whatif *w, const struct spht_worker *k, const struct spht_request *q,
		  uint64_t start, bool watched, const uint64_t *refused)
{
	const struct spht_account *book = spht_w_book(w, q->outside);
	struct spht_tl_event *e = add_work(w, k, q, SPHT_TL_READ, start, w->k.helper_read_ns);

	if (e)
		e->outcome = watched                       ? SPHT_TL_WATCH
			     : !refused                    ? SPHT_TL_TAKEN
			     : refused == &book->illegal   ? SPHT_TL_ILLEGAL
			     : refused == &book->duplicate ? SPHT_TL_DUPLICATE
							   : SPHT_TL_UNKNOWN;
}

/* The job's arrow goes through the slice that was added last. */
static void pass_arrow(struct spht_whatif *w, const struct spht_worker *k)
{
	struct spht_timeline *t = timeline(w);

	if (k->job.ticket)
		t->requests[k->job.ticket - 1].built = t->nr;
}

void spht_tl_worked(struct spht_whatif *w, const struct spht_worker *k, uint64_t ns)
{
	if (k->work == SPHT_WORK_PREPARE &&
	    add_work(w, k, &k->job, SPHT_TL_BUILD, k->free_ns, k->next_ns - k->free_ns))
		pass_arrow(w, k);
	count_all(w, k, ns);
}

void spht_tl_install(struct spht_whatif *w, struct spht_worker *k, uint64_t from, uint64_t to,
		     bool locked)
{
	wait(w, SPHT_TL_HELPER, k->number, k->next_ns, from);
	if (locked)
		add(w, SPHT_TL_HOLD, SPHT_TL_HELPER, k->number, from, to - from);
	if (add_work(w, k, &k->job, SPHT_TL_INSTALL, from, to - from))
		k->installs = timeline(w)->nr;
}

void spht_tl_keep(struct spht_whatif *w, struct spht_worker *k, uint64_t from, uint64_t to,
		  bool installs)
{
	uint64_t read = w->k.helper_read_ns;

	add(w, SPHT_TL_HOLD, SPHT_TL_HELPER, k->number, from, to - from);
	if (!installs) {
		add(w, SPHT_TL_KEEP, SPHT_TL_HELPER, k->number, from + read, to - from - read);
	} else if (add_work(w, k, &k->job, SPHT_TL_INSTALL, from + read, to - from - read)) {
		k->installs = timeline(w)->nr;
		pass_arrow(w, k);
	}
}

/* Whose the entry is now; 0: of a request that is not on the timeline. */
static void own(struct spht_whatif *w, const struct spht_request *q)
{
	struct spht_timeline *t = timeline(w);

	if (!t->built) {
		t->built = calloc(w->mmu.nr, sizeof(*t->built));
		t->nr_built = t->built ? w->mmu.nr : 0;
	}
	if (q->page >= t->nr_built) {
		w->no_memory = true;
		return;
	}
	if (!t->built[q->page] && q->ticket)
		t->built[q->page] = calloc(SPHT_PT_ENTRIES, sizeof(**t->built));
	if (t->built[q->page])
		t->built[q->page][q->index] = q->ticket;
	else if (q->ticket)
		w->no_memory = true;
}

void spht_tl_done(struct spht_whatif *w, struct spht_worker *k, bool built)
{
	struct spht_timeline *t = timeline(w);

	if (built)
		own(w, &k->job);
	if (k->installs)
		t->v[k->installs - 1].outcome = built         ? SPHT_TL_BUILT
						: k->job.dead ? SPHT_TL_LATE
							      : SPHT_TL_REFUSED;
	k->installs = 0;
}

void spht_tl_loss(struct spht_whatif *w)
{
	struct spht_tl_event *e = add(w, SPHT_TL_NOTE, SPHT_TL_NOBODY, 0, w->now_ns, 0);

	if (!e)
		return;
	e->what = SPHT_TL_LOSS;
	e->n = 1;
}
