// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

/*
 * What the helpers are asked for: a bounded queue for each team of them, in
 * order, and the entries that they look at again until the guest has stored them.
 */

/*
 * Cancelled requests keep their place until they reach the head, so there are more
 * places than the limit.  Most queues are short: room is made as it is needed.
 */
static bool ring_has_room(struct spht_whatif *w, struct spht_ring *r)
{
	uint32_t cap = r->cap ? 2 * r->cap : 16;
	struct spht_request *v;

	if (r->cap >= 4 * w->c->costs->queue_limit + 16)
		return false;
	v = malloc(cap * sizeof(*v));
	if (!v) {
		w->no_memory = true;
		return false;
	}
	for (uint32_t i = 0; i < r->len; i++)
		v[i] = *spht_ring_at(r, i);
	free(r->v);
	r->v = v;
	r->head = 0;
	r->cap = cap;
	return true;
}

/* A place for one more, to be filled in; NULL: there is no room. */
static inline struct spht_request *ring_push(struct spht_whatif *w, struct spht_ring *r)
{
	if (r->live >= w->c->costs->queue_limit || (r->len == r->cap && !ring_has_room(w, r)))
		return NULL;
	r->live++;
	return spht_ring_at(r, r->len++);
}

static bool ring_push_first(struct spht_whatif *w, struct spht_ring *r,
			    const struct spht_request *q)
{
	if (r->len == r->cap && !ring_has_room(w, r))
		return false;
	r->head = (r->head - 1) & (r->cap - 1);
	r->len++;
	r->live++;
	*spht_ring_at(r, 0) = *q;
	return true;
}

void spht_request_tell_it(struct spht_whatif *w, const struct spht_request *r, uint8_t kind,
			  uint64_t ns)
{
	const struct spht_heuristic *h = w->c->spec->h;
	struct spht_outcome o = {ns, r->space, r->vpn, kind};

	if (w->c->look)
		spht_w_look_outcome(w, r->space, r->vpn, kind);
	if (h->outcome)
		h->outcome(w->hstate, w->c->spec->params, &o, &w->host);
}

void spht_w_find_region(struct spht_whatif *w, uint64_t space, uint64_t region)
{
	uint32_t id = region > SPHT_VPN_MASK >> SPHT_LEVEL_BITS
			      ? SPHT_NO_ID
			      : spht_idmap_find(&w->c->shadow->regions, space, region);

	w->memo = (struct spht_memo){
		.space = space,
		.region = region,
		.r = id == SPHT_NO_ID ? NULL : &w->regions[id],
	};
}

/* Does a helper work at it? */
static bool is_worked_at(const struct spht_whatif *w, const struct spht_wregion *r,
			 unsigned int index)
{
	for (uint32_t t = 0; t < w->nr_teams; t++) {
		for (uint32_t i = 0; i < w->teams[t].nr_workers; i++) {
			const struct spht_worker *k = &w->teams[t].workers[i];

			if (k->work && !k->job.dead && k->job.page == r->page &&
			    k->job.index == index)
				return true;
		}
	}
	return false;
}

/* Is it there, or does a helper work at it or have it before it? */
static inline bool is_duplicate(struct spht_whatif *w, const struct spht_wregion *r,
				unsigned int index, uint64_t vpn)
{
	return spht_bit(w->pages[r->page].queued, index) ||
	       spht_w_region_reaches(w, r, index, vpn) || (w->working && is_worked_at(w, r, index));
}

static void queue_it(struct spht_whatif *w, const struct spht_wregion *r, unsigned int index,
		     uint64_t space, uint64_t vpn, bool watch)
{
	struct spht_team *t = w->nr_teams == 1 ? w->teams : &w->teams[w->vcpu % w->nr_teams];
	struct spht_request *q = NULL;

	if (r && w->c->curve)
		spht_w_want(w, r->page, r->table, index, watch);
	if (w->real) {
		spht_real_ask(w, &(struct spht_request){.space = space,
							.vpn = vpn,
							.t_ns = w->now_ns,
							.page = r ? r->page : SPHT_NO_ID,
							.index = (uint16_t)index,
							.outside = w->outside,
							.watch = watch});
		return;
	}
	/* A helper that takes no time answers at once, and may be asked again, without end. */
	if (t->watched.live + t->queue.live < w->c->costs->queue_limit &&
	    ++w->asked_now <= SPHT_W_MAX_ASKED)
		q = ring_push(w, &t->queue);
	if (!q) {
		spht_w_book(w, w->outside)->queue_full++;
		return;
	}
	*q = (struct spht_request){.space = space,
				   .vpn = vpn,
				   .t_ns = w->now_ns,
				   .page = r ? r->page : SPHT_NO_ID,
				   .index = (uint16_t)index,
				   .outside = w->outside,
				   .watch = watch,
				   .ticket = w->timed ? spht_tl_ask(w) : 0};
	w->idle = false;
	if (r)
		spht_bit_set(w->pages[r->page].queued, index);
}

static void ask(struct spht_host *host, uint64_t space, uint64_t vpn, bool watch)
{
	struct spht_whatif *w = (struct spht_whatif *)host;
	struct spht_wregion *r = spht_w_region(w, space, vpn);
	unsigned int index = r ? spht_vpn_index(vpn, r->leaf_level) : 0;
	struct spht_account *book = spht_w_book(w, w->outside);

	book->generated++;
	if (!r || !is_duplicate(w, r, index, vpn))
		queue_it(w, r, index, space, vpn, watch);
	else
		book->duplicate++;
}

/* The same, for whoever looks at one entry alone. */
static void ask_and_tell(struct spht_host *host, uint64_t space, uint64_t vpn, bool watch)
{
	struct spht_whatif *w = (struct spht_whatif *)host;
	uint64_t full = spht_w_book(w, w->outside)->queue_full;

	ask(host, space, vpn, watch);
	spht_w_look_asked(w, space, vpn, spht_w_book(w, w->outside)->queue_full != full);
}

/*
 * The same where there is one queue, on the virtual clock, and no curve is wanted: heuristics
 * ask several times for each fault, most often for one more page of a region.  It calls
 * nobody; what is not at hand goes the long way.
 */
__attribute__((always_inline)) static inline void ask_simply(struct spht_host *host, uint64_t space,
							     uint64_t vpn, bool watch)
{
	struct spht_whatif *w = (struct spht_whatif *)host;
	const struct spht_memo *m = &w->memo;
	const struct spht_wregion *r = m->r;
	struct spht_account *book = spht_w_book(w, w->outside);
	struct spht_ring *queue = &w->teams->queue;
	struct spht_request *q;
	unsigned int index;

	if (m->region != vpn >> SPHT_LEVEL_BITS || m->space != space || !r || !r->valid ||
	    w->working)
		goto far;
	index = spht_vpn_index(vpn, r->leaf_level);
	if (spht_bit(w->pages[r->page].queued, index))
		goto duplicate;
	if (spht_bit(w->mmu.pages[r->page].present, index)) {
		if (m->linked_at != w->mmu.changes)
			goto far;
		if (m->linked)
			goto duplicate;
	}
	if (queue->len == queue->cap || w->asked_now == SPHT_W_MAX_ASKED ||
	    w->teams->watched.live + queue->live >= w->k.queue_limit)
		goto far;
	book->generated++;
	w->asked_now++;
	queue->live++;
	q = spht_ring_at(queue, queue->len++);
	q->space = space;
	q->vpn = vpn;
	q->t_ns = w->now_ns;
	q->page = r->page;
	q->index = (uint16_t)index;
	q->dead = q->awake = false;
	q->outside = w->outside;
	q->watch = watch;
	w->idle = false;
	spht_bit_set(w->pages[r->page].queued, index);
	return;
duplicate:
	book->generated++;
	book->duplicate++;
	return;
far:
	ask(host, space, vpn, watch);
}

static void request_simply(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	ask_simply(host, space, vpn, false);
}

static void watch_simply(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	ask_simply(host, space, vpn, true);
}

static void request(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	ask(host, space, vpn, false);
}

static void watch(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	ask(host, space, vpn, true);
}

static void request_and_tell(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	ask_and_tell(host, space, vpn, false);
}

static void watch_and_tell(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	ask_and_tell(host, space, vpn, true);
}

void spht_request_init(struct spht_whatif *w)
{
	if (w->c->look) {
		w->host.request = request_and_tell;
		w->host.watch = watch_and_tell;
	} else if (w->nr_teams == 1 && !w->c->curve && !w->c->real && !w->c->timeline) {
		w->host.request = request_simply;
		w->host.watch = watch_simply;
	} else {
		w->host.request = request;
		w->host.watch = watch;
	}
}

void spht_request_close(struct spht_whatif *w)
{
	for (uint32_t i = 0; w->teams && i < w->nr_teams; i++) {
		free(w->teams[i].queue.v);
		free(w->teams[i].watched.v);
	}
}

/* The time between two looks at an entry: one after the other is looked at. */
static uint64_t poll_period(const struct spht_whatif *w, const struct spht_team *t)
{
	uint64_t ns = w->k.helper_poll_ns * (t->watched.live ? t->watched.live : 1);

	return ns ? ns : 1;
}

/* Looks at each watched entry until @ns: fewer, the more there are. */
static void count_looks(const struct spht_whatif *w, struct spht_team *t, uint64_t ns)
{
	if (ns <= t->looked_ns)
		return;
	if (t->watched.live)
		t->looks += ((ns - t->looked_ns) << SPHT_W_LOOK_SHIFT) / poll_period(w, t);
	t->looked_ns = ns;
}

bool spht_request_watch(struct spht_whatif *w, struct spht_team *t, const struct spht_request *q,
			uint32_t table, uint64_t ns)
{
	struct spht_request *r;

	spht_ring_trim(&t->watched);
	count_looks(w, t, ns);
	r = ring_push(w, &t->watched);
	if (!r)
		return false;
	*r = *q;
	r->looks = t->looks;
	r->t_ns = ns;
	r->until_ns = ns + w->c->costs->helper_watch_ns;
	r->table = table;
	spht_bit_set(w->pages[q->page].queued, q->index);
	spht_bit_set(w->pages[q->page].watched, q->index);
	spht_w_list(w, table, q->page);
	return true;
}

/* Watching is work: @q has been looked at again and again until @ns. */
static void unwatch(struct spht_whatif *w, struct spht_team *t, struct spht_request *q, uint64_t ns)
{
	struct spht_account *book = spht_w_book(w, q->outside);

	count_looks(w, t, ns);
	book->helper_busy_ns += ((t->looks - q->looks) >> SPHT_W_LOOK_SHIFT) * w->k.helper_read_ns;
	book->watched_ns += ns > q->t_ns ? ns - q->t_ns : 0;
	q->dead = true;
	t->watched.live--;
	spht_unqueue(w, q);
}

void spht_request_expire(struct spht_whatif *w, struct spht_team *t, uint64_t ns)
{
	for (;;) {
		struct spht_account *book;
		struct spht_request *q;

		spht_ring_trim(&t->watched);
		if (!t->watched.len)
			return;
		q = spht_ring_at(&t->watched, 0);
		if (q->until_ns > ns)
			return;
		book = spht_w_book(w, q->outside);
		unwatch(w, t, q, q->until_ns);
		if (spht_w_state(w, q->table, q->index) & SPHT_GPTE_DECIDED)
			book->illegal++;
		else
			book->unknown++;
		spht_request_tell(w, q, SPHT_OUTCOME_REFUSED, q->until_ns);
	}
}

/* The live one of (@page, @index) in @r, or NULL. */
static struct spht_request *find(const struct spht_ring *r, uint32_t page, unsigned int index)
{
	for (uint32_t i = 0; i < r->len; i++) {
		struct spht_request *q = spht_ring_at(r, i);

		if (!q->dead && q->page == page && q->index == index)
			return q;
	}
	return NULL;
}

void spht_request_appeared(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		struct spht_team *t = &w->teams[i];
		struct spht_request *q = find(&t->watched, page, index), r;
		uint64_t period, seen = w->changed_ns;

		if (!q)
			continue;
		period = poll_period(w, t);
		if (seen < q->t_ns)
			seen = q->t_ns;
		seen = q->t_ns + (seen - q->t_ns + period - 1) / period * period;
		spht_request_expire(w, t, seen);
		if (q->dead)
			return;
		unwatch(w, t, q, seen);
		r = *q;
		r.dead = false;
		r.awake = true;
		r.t_ns = seen;
		if (ring_push_first(w, &t->queue, &r))
			spht_bit_set(w->pages[page].queued, index);
		else
			spht_w_book(w, r.outside)->queue_full++;
		return;
	}
}

void spht_request_demand(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		struct spht_team *t = &w->teams[i];
		struct spht_request *q = find(&t->queue, page, index);

		if (q) {
			q->dead = true;
			t->queue.live--;
			spht_unqueue(w, q);
		} else {
			q = find(&t->watched, page, index);
			if (!q)
				continue;
			unwatch(w, t, q, w->now_ns);
		}
		spht_w_book(w, q->outside)->cancelled_demand++;
		if (w->timed)
			spht_tl_overtaken(w, q);
		spht_request_tell(w, q, SPHT_OUTCOME_LATE, w->now_ns);
		return;
	}
}

static void zapped(struct spht_whatif *w, struct spht_team *t, struct spht_ring *r, uint32_t page)
{
	for (uint32_t i = 0; i < r->len && r->live; i++) {
		struct spht_request *q = spht_ring_at(r, i);

		if (q->dead || q->page != page)
			continue;
		spht_w_book(w, q->outside)->cancelled_zap++;
		if (r == &t->watched) {
			unwatch(w, t, q, w->now_ns);
			continue;
		}
		q->dead = true;
		r->live--;
		spht_unqueue(w, q);
	}
}

void spht_request_zapped(struct spht_whatif *w, uint32_t page)
{
	if (w->real)
		spht_real_zapped(w, page);
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		zapped(w, &w->teams[i], &w->teams[i].queue, page);
		zapped(w, &w->teams[i], &w->teams[i].watched, page);
	}
}

void spht_request_end(struct spht_whatif *w)
{
	for (uint32_t i = 0; i < w->nr_teams; i++) {
		const struct spht_ring *rings[] = {&w->teams[i].queue, &w->teams[i].watched};

		for (unsigned int k = 0; k < 2; k++)
			for (uint32_t n = 0; n < rings[k]->len; n++)
				if (!spht_ring_at(rings[k], n)->dead)
					spht_w_book(w, spht_ring_at(rings[k], n)->outside)
						->pending_end++;
	}
}
