// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

/*
 * A helper: a core that takes requests from its team's queue, one at a time,
 * reads the guest's entry, and builds it through KVM's own fault path under
 * mmu_lock, prefetch included.  What it decides it decides again when it installs.
 */

/* @first: the number of its first worker among all. */
static int team_init(struct spht_team *t, uint32_t nr, uint32_t first)
{
	t->workers = calloc(nr, sizeof(*t->workers));
	t->nr_workers = nr;
	for (uint32_t i = 0; t->workers && i < nr; i++)
		t->workers[i].number = first + i;
	return t->workers ? 0 : -1;
}

int spht_helper_init(struct spht_whatif *w)
{
	bool per_vcpu = w->c->helpers == SPHT_HELPERS_PER_VCPU;

	w->nr_teams = per_vcpu ? w->nr_vcpus + !w->nr_vcpus : 1;
	w->teams = calloc(w->nr_teams, sizeof(*w->teams));
	if (!w->teams)
		return -1;
	for (uint32_t i = 0; i < w->nr_teams; i++)
		if (team_init(&w->teams[i], per_vcpu ? 1 : w->c->helpers, i))
			return -1;
	spht_request_init(w);
	spht_tell_init(w);
	return 0;
}

void spht_helper_close(struct spht_whatif *w)
{
	spht_request_close(w);
	for (uint32_t i = 0; w->teams && i < w->nr_teams; i++)
		free(w->teams[i].workers);
	free(w->teams);
}

/* KVM's prefetch on the helper's own fault path, over what the world shows. */
static void build_neighbours(struct spht_whatif *w, const struct spht_wregion *r,
			     unsigned int index, uint64_t ready_ns, bool outside)
{
	struct spht_mmu_page *p = &w->mmu.pages[r->page];
	unsigned int base = index & ~(w->c->window - 1);

	if (!w->c->helper_prefetch || r->leaf_level != 1)
		return;
	for (unsigned int i = base; i < base + w->c->window; i++) {
		uint8_t st = spht_w_state(w, r->table, i);

		if (i == index || spht_bit(p->present, i))
			continue;
		if (spht_w_passes(w, st) && !spht_bit(p->unknown, i))
			continue;
		if (spht_bit(p->unknown, i) || !(st & SPHT_GPTE_PRESENT) || !(st & SPHT_GPTE_A))
			break;
		if (spht_w_restore(w, r->page, i, st & SPHT_GPTE_WRITABLE))
			continue;
		spht_mmu_set(&w->mmu, r->page, i, st & SPHT_GPTE_WRITABLE);
		spht_bit_set(w->pages[r->page].side, i);
		w->pages[r->page].ready_ns[i] = ready_ns;
		spht_w_book(w, outside)->side_built++;
	}
}

/*
 * A page table is shadowed: no SPTE may map it writable any more, and every
 * vCPU that runs is kicked to flush what it has cached (account_shadowed,
 * kvm_mmu_slot_gfn_write_protect).  That the guest had the table mapped
 * writable is taken for granted: it has just filled it in.
 */
static void kick_vcpus(struct spht_whatif *w, struct spht_account *book)
{
	for (uint32_t i = 0; i < w->nr_vcpus; i++) {
		book->helper_exits += w->vcpus[i].started;
		book->kicks += w->vcpus[i].started;
	}
}

/* The entry is the helper's, until it is used or gone. */
static void own(struct spht_whatif *w, const struct spht_wregion *r, unsigned int index,
		uint64_t ready_ns, bool outside)
{
	struct spht_wpage *p = &w->pages[r->page];
	uint8_t st = spht_w_state(w, r->table, index);

	/* The leaf may have been there all along, with only the path missing. */
	if (!spht_bit(w->mmu.pages[r->page].present, index))
		spht_mmu_set_any(&w->mmu, r->page, index, st & SPHT_GPTE_WRITABLE);
	else if (!spht_bit(p->helper, index) && !spht_bit(p->side, index) &&
		 !spht_w_extra(p, index))
		spht_w_mark(w, &p->theirs, index);
	/* Built before and no longer reachable: that one was never used. */
	spht_w_book(w, spht_w_outside(p, SPHT_OUTSIDE_BUILT, index))->zapped_unused +=
		spht_bit(p->helper, index);
	spht_bit_set(p->helper, index);
	spht_w_tag(w, p, SPHT_OUTSIDE_BUILT, index, outside);
	spht_bit_clear(p->side, index);
	spht_w_not_used(p, index);
	p->ready_ns[index] = ready_ns;
}

/* Puts the entry where the guest will find it.  False: memory is short. */
static bool install(struct spht_whatif *w, const struct spht_wregion *r, unsigned int index,
		    uint64_t vpn, uint64_t ready_ns, bool outside)
{
	struct spht_wpage *p = &w->pages[r->page];
	uint8_t st = spht_w_state(w, r->table, index);
	bool direct;
	int made;

	if (!p->ready_ns)
		p->ready_ns = calloc(SPHT_PT_ENTRIES, sizeof(*p->ready_ns));
	if (!p->ready_ns)
		return false;
	direct = r->direct && !w->mmu.pages[r->page].exists;
	made = spht_w_helper_fetch(w, r, vpn);
	if (made < 0)
		return false;
	spht_w_book(w, outside)->pages_created += (unsigned int)made;
	for (int i = made - direct; i > 0 && !w->c->spec->h->foresee; i--)
		kick_vcpus(w, spht_w_book(w, outside));
	if (spht_w_restore(w, r->page, index, st & SPHT_GPTE_WRITABLE))
		spht_w_book(w, outside)->use_unknown++;
	else
		own(w, r, index, ready_ns, outside);
	spht_w_list(w, r->table, r->page);
	build_neighbours(w, r, index, ready_ns, outside);
	return true;
}

/* The build is over: is it still right to install? (gpte_changed, mmu_invalidate_seq) */
uint8_t spht_helper_install(struct spht_whatif *w, const struct spht_request *q, uint64_t ns)
{
	struct spht_wregion *r = spht_w_region(w, q->space, q->vpn);
	struct spht_account *book = spht_w_book(w, q->outside);

	if (!r || r->page != q->page || !spht_w_legal(w, spht_w_state(w, r->table, q->index)) ||
	    spht_w_region_reaches(w, r, q->index, q->vpn)) {
		book->build_failed++;
		return SPHT_OUTCOME_REFUSED;
	}
	book->built++;
	if (!install(w, r, q->index, q->vpn, ns, q->outside))
		w->no_memory = true;
	return SPHT_OUTCOME_BUILT;
}

static void finish_job(struct spht_whatif *w, struct spht_worker *k)
{
	uint8_t outcome = SPHT_OUTCOME_LATE;

	k->work = SPHT_WORK_NONE;
	w->working--;
	k->free_ns = k->next_ns;
	if (!k->job.dead)
		outcome = spht_helper_install(w, &k->job, k->next_ns);
	if (w->c->timeline)
		spht_tl_done(w, k, outcome == SPHT_OUTCOME_BUILT);
	if (!k->job.dead)
		spht_request_tell(w, &k->job, outcome, k->next_ns);
}

/* It is to be built. */
static void prepare(struct spht_whatif *w, struct spht_worker *k, const struct spht_request *q,
		    uint64_t start)
{
	struct spht_account *book = spht_w_book(w, q->outside);

	if (w->timed)
		spht_tl_read(w, k, q, start, false, NULL);
	book->issued++;
	k->job = *q;
	k->work = SPHT_WORK_PREPARE;
	w->working++;
	k->start_ns = start;
	k->next_ns = start + w->k.helper_read_ns + w->k.helper_build_ns - w->k.helper_lock_ns;
	k->batch = 0;
	book->helper_busy_ns += k->next_ns - k->free_ns;
}

/* An entry in @state that nobody works at: will it be looked at again, rather than refused? */
static bool is_watched(struct spht_whatif *w, struct spht_team *t, const struct spht_request *q,
		       const struct spht_wregion *r, uint8_t state, uint64_t start)
{
	if (w->proof)
		spht_w_question(w, spht_w_book(w, q->outside), r->table, q->index);
	return q->watch && w->c->costs->helper_watch_ns && !(state & SPHT_GPTE_PRESENT) &&
	       spht_request_watch(w, t, q, r->table, start);
}

/*
 * Takes up @q at @start: refuses it, watches for its entry, or begins to build.  Most are
 * refused, so that it is next to nothing until then.
 */
__attribute__((always_inline)) static inline void take_up(struct spht_whatif *w,
							  struct spht_team *t,
							  struct spht_worker *k,
							  struct spht_request *q, uint64_t start)
{
	struct spht_wregion *r = spht_w_region(w, q->space, q->vpn);
	struct spht_account *book = spht_w_book(w, q->outside);
	uint64_t *why = &book->unknown;

	book->helper_busy_ns += w->k.helper_read_ns;
	k->free_ns = start + w->k.helper_read_ns;
	if (r) {
		uint8_t state;

		q->page = r->page;
		q->index = (uint16_t)spht_vpn_index(q->vpn, r->leaf_level);
		state = spht_w_state(w, r->table, q->index);
		/* Where its table was not known when it was asked for, another one may be before it. */
		if (spht_bit(w->pages[r->page].queued, q->index) ||
		    spht_w_region_reaches(w, r, q->index, q->vpn)) {
			why = &book->duplicate;
		} else {
			if ((q->watch || w->proof) && is_watched(w, t, q, r, state, start)) {
				if (w->timed)
					spht_tl_read(w, k, q, start, true, NULL);
				return;
			}
			if ((state & SPHT_GPTE_DECIDED) && spht_w_legal(w, state)) {
				prepare(w, k, q, start);
				return;
			}
			if (state & SPHT_GPTE_DECIDED)
				why = &book->illegal;
		}
	}
	if (w->timed)
		spht_tl_read(w, k, q, start, false, why);
	++*why;
	spht_request_tell(w, q, SPHT_OUTCOME_REFUSED, k->free_ns);
}

static void start_job(struct spht_whatif *w, struct spht_team *t, struct spht_worker *k,
		      struct spht_request *q, uint64_t start)
{
	take_up(w, t, k, q, start);
}

/* Ready to install: waits for mmu_lock, and holds it until it is done. */
static void enter_lock(struct spht_whatif *w, struct spht_worker *k)
{
	const struct spht_costs *c = w->c->costs;
	struct spht_account *book = spht_w_book(w, k->job.outside);
	struct spht_wregion *r = spht_w_region(w, k->job.space, k->job.vpn);
	uint64_t hold = w->k.helper_lock_ns, from;

	if (r && !k->job.dead)
		hold += spht_w_missing_pages(w, r) * w->k.helper_page_ns;
	from = c->helper_lock_ns ? spht_lock_take(&w->lock, k->next_ns, hold) : k->next_ns;
	book->helper_wait_ns += from - k->next_ns;
	book->helper_busy_ns += from + hold - k->next_ns;
	k->installs = 0;
	if (w->timed)
		spht_tl_install(w, k, from, from + hold, c->helper_lock_ns);
	k->next_ns = from + hold;
	k->work = SPHT_WORK_LOCKED;
}

/* With more to do and mmu_lock still held: the next one, without giving it back. */
static void go_on(struct spht_whatif *w, struct spht_team *t, struct spht_worker *k)
{
	const struct spht_costs *c = w->c->costs;
	uint64_t more = w->k.helper_read_ns + w->k.helper_lock_ns;
	uint64_t pace = w->k.helper_pace_ns, batch = k->batch + 1;
	struct spht_account *book;
	struct spht_request q;

	while (k->work == SPHT_WORK_NONE && c->helper_lock_ns && batch < c->helper_batch) {
		const struct spht_request *first = spht_request_first(t);
		uint64_t now = k->free_ns;

		if (!first || first->t_ns > now || now < k->start_ns + pace ||
		    !spht_lock_extend(&w->lock, now, more))
			return;
		q = *first;
		spht_request_take(w, t, first);
		start_job(w, t, k, &q, now);
		if (k->work != SPHT_WORK_PREPARE) {
			if (w->timed)
				spht_tl_keep(w, k, now, now + more, false);
			k->free_ns = now + more;
			batch++;
			continue;
		}
		/* It has all that it needs at hand but the entry itself. */
		book = spht_w_book(w, q.outside);
		book->helper_busy_ns -= k->next_ns - k->free_ns;
		book->helper_busy_ns += now + more - k->free_ns;
		k->installs = 0;
		if (w->timed)
			spht_tl_keep(w, k, now, now + more, true);
		k->next_ns = now + more;
		k->work = SPHT_WORK_LOCKED;
		k->batch = batch;
	}
}

/* When @k can begin with @q: a request that finds it asleep wakes it up. */
static uint64_t start_of(const struct spht_whatif *w, const struct spht_worker *k,
			 const struct spht_request *q)
{
	uint64_t pace = w->k.helper_pace_ns, start = k->free_ns;

	if (q->t_ns >= k->free_ns)
		start = q->t_ns + (q->awake ? 0 : w->k.helper_wake_ns);
	return k->start_ns + pace > start && k->start_ns ? k->start_ns + pace : start;
}

/* The worker of all teams with the earliest thing to do, and when; NULL: nothing to do. */
static struct spht_worker *next_worker(struct spht_whatif *w, struct spht_team **team,
				       uint64_t *when)
{
	struct spht_worker *best = NULL;

	for (uint32_t t = 0; t < w->nr_teams; t++) {
		const struct spht_request *q = spht_request_first(&w->teams[t]);

		for (uint32_t i = 0; i < w->teams[t].nr_workers; i++) {
			struct spht_worker *k = &w->teams[t].workers[i];
			uint64_t ns;

			if (!k->work && !q)
				continue;
			ns = k->work ? k->next_ns : start_of(w, k, q);
			if (best && ns >= *when)
				continue;
			best = k;
			*team = &w->teams[t];
			*when = ns;
		}
	}
	return best;
}

static void run_worker(struct spht_whatif *w, struct spht_team *t, struct spht_worker *k,
		       uint64_t when)
{
	struct spht_request *q;

	switch (k->work) {
	case SPHT_WORK_PREPARE:
		enter_lock(w, k);
		break;
	case SPHT_WORK_LOCKED:
		finish_job(w, k);
		go_on(w, t, k);
		break;
	default:
		/* Its place is not taken by another one until the job has begun. */
		q = spht_request_first(t);
		spht_request_take(w, t, q);
		start_job(w, t, k, q, when);
		break;
	}
}

/* One helper for one queue, as it is mostly: what it only refuses it takes up one after the other. */
static void work_alone(struct spht_whatif *w, struct spht_team *t, uint64_t ns)
{
	struct spht_worker *k = t->workers;
	struct spht_request *q = NULL;

	for (;;) {
		while (!k->work && (q = spht_request_first(t))) {
			uint64_t start = start_of(w, k, q);

			if (start > ns)
				break;
			spht_request_take(w, t, q);
			take_up(w, t, k, q, start);
		}
		if (!k->work || k->next_ns > ns)
			break;
		run_worker(w, t, k, k->next_ns);
	}
	w->idle = !k->work && !q;
}

/* A helper works also while its own vCPU does not exit: what it builds is there for all. */
void spht_helper_work(struct spht_whatif *w, uint64_t ns)
{
	struct spht_team *t = NULL;
	struct spht_worker *k;
	uint64_t when = 0;

	if (w->real) {
		spht_real_until(w, ns);
		return;
	}
	if (w->nr_teams == 1 && w->teams->nr_workers == 1 && !w->c->timeline) {
		work_alone(w, w->teams, ns);
	} else {
		while ((k = next_worker(w, &t, &when)) && when <= ns) {
			run_worker(w, t, k, when);
			if (w->timed)
				spht_tl_worked(w, k, when);
		}
		w->idle = !k;
	}
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		spht_request_expire(w, &w->teams[i], ns);
		w->idle &= !w->teams[i].watched.len && !w->teams[i].queue.len;
	}
}

void spht_helper_release(struct spht_whatif *w, uint64_t ns)
{
	if (w->idle)
		return;
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		for (uint32_t n = 0; n < w->teams[i].nr_workers; n++) {
			struct spht_worker *k = &w->teams[i].workers[n];

			while (k->work == SPHT_WORK_LOCKED &&
			       k->batch + 1 < w->c->costs->helper_batch && k->next_ns > ns) {
				uint64_t when = k->next_ns;

				run_worker(w, &w->teams[i], k, when);
				if (w->timed)
					spht_tl_worked(w, k, when);
			}
		}
	}
}

void spht_helper_demand(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	if (w->idle)
		return;
	if (w->real) {
		spht_real_demand(w, page, index);
		return;
	}
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		for (uint32_t n = 0; n < w->teams[i].nr_workers; n++) {
			struct spht_worker *k = &w->teams[i].workers[n];

			if (!k->work || k->job.dead || k->job.page != page || k->job.index != index)
				continue;
			/* It goes on, for nothing: its time is spent. */
			k->job.dead = true;
			spht_w_book(w, k->job.outside)->built++;
			spht_w_book(w, k->job.outside)->used_late++;
			if (w->timed)
				spht_tl_overtaken(w, &k->job);
			spht_request_tell(w, &k->job, SPHT_OUTCOME_LATE, w->now_ns);
		}
	}
	if (spht_bit(w->pages[page].queued, index))
		spht_request_demand(w, page, index);
}

void spht_helper_grant(struct spht_whatif *w, const struct spht_step *s)
{
	const struct spht_wregion *r = &w->regions[s->region];
	struct spht_account *book = spht_w_book(w, w->outside);

	book->generated++;
	book->issued++;
	book->built++;
	if (!install(w, r, s->index, s->vpn, w->now_ns, w->outside))
		w->no_memory = true;
}

void spht_helper_end(struct spht_whatif *w)
{
	if (w->real)
		spht_real_end(w);
	spht_request_end(w);
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		for (uint32_t n = 0; n < w->teams[i].nr_workers; n++) {
			const struct spht_worker *k = &w->teams[i].workers[n];

			if (k->work && !k->job.dead)
				spht_w_book(w, k->job.outside)->in_progress_end++;
		}
	}
	for (uint32_t i = 0; i < w->mmu.nr; i++) {
		w->acc->resident_unused += spht_w_count_built(&w->pages[i], false);
		w->rest.resident_unused += spht_w_count_built(&w->pages[i], true);
	}
}
