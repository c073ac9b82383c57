// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

/*
 * The helper: a second core that takes requests from a bounded queue, one at a
 * time, reads the guest's entry, and builds it through KVM's own fault path,
 * prefetch included.  What it decides it decides again when it installs.
 */

static void outcome(struct spht_whatif *w, const struct spht_request *r, uint8_t kind)
{
	const struct spht_heuristic *h = w->c->spec->h;
	struct spht_outcome o = {w->now_ns, r->space, r->vpn, kind};

	if (h->outcome)
		h->outcome(w->hstate, w->c->spec->params, &o, &w->host);
}

static struct spht_wregion *find_region(const struct spht_whatif *w, uint64_t space, uint64_t vpn)
{
	uint32_t id;

	if (vpn > SPHT_VPN_MASK)
		return NULL;
	id = spht_idmap_find(&w->c->shadow->regions, space, vpn >> SPHT_LEVEL_BITS);
	return id != SPHT_NO_ID && w->regions[id].valid ? &w->regions[id] : NULL;
}

static void request(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	struct spht_whatif *w = (struct spht_whatif *)host;
	struct spht_wregion *r = find_region(w, space, vpn);
	struct spht_account *book = spht_w_book(w, w->outside);
	struct spht_request *q, req = {.space = space,
				       .vpn = vpn,
				       .t_ns = w->now_ns,
				       .page = SPHT_NO_ID,
				       .outside = w->outside};

	book->generated++;
	if (r) {
		req.page = r->page;
		req.index = (uint16_t)spht_vpn_index(vpn, r->leaf_level);
		if (spht_bit(w->pages[r->page].queued, req.index) ||
		    (w->busy && w->job.page == r->page && w->job.index == req.index) ||
		    spht_w_reaches(w, r->path, r->page, r->leaf_level, req.index, vpn)) {
			book->duplicate++;
			return;
		}
	}
	if (w->q_live >= w->c->costs->queue_limit || w->q_len == w->q_cap) {
		book->queue_full++;
		return;
	}
	q = &w->queue[(w->q_head + w->q_len++) & (w->q_cap - 1)];
	*q = req;
	w->q_live++;
	if (r)
		spht_bit_set(w->pages[r->page].queued, req.index);
}

int spht_helper_init(struct spht_whatif *w)
{
	/* Cancelled requests keep their place until they reach the head. */
	uint64_t need = w->c->costs->queue_limit * 4 + 16;

	for (w->q_cap = 16; w->q_cap < need; w->q_cap *= 2)
		;
	w->queue = malloc(w->q_cap * sizeof(*w->queue));
	w->host.request = request;
	return w->queue ? 0 : -1;
}

void spht_helper_close(struct spht_whatif *w)
{
	free(w->queue);
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
		if (spht_bit(p->unknown, i) || !(st & SPHT_GPTE_PRESENT) || !(st & SPHT_GPTE_A))
			break;
		spht_mmu_set(&w->mmu, r->page, i, st & SPHT_GPTE_WRITABLE);
		spht_bit_set(w->pages[r->page].side, i);
		w->pages[r->page].ready_ns[i] = ready_ns;
		spht_bit_clear(w->pages[r->page].lack, i);
		spht_w_book(w, outside)->side_built++;
	}
}

/* Puts the entry where the guest will find it.  False: memory is short. */
static bool install(struct spht_whatif *w, const struct spht_wregion *r, unsigned int index,
		    uint64_t vpn, uint64_t ready_ns, bool outside)
{
	struct spht_wpage *p = &w->pages[r->page];
	uint8_t st = spht_w_state(w, r->table, index);

	if (!p->ready_ns)
		p->ready_ns = calloc(SPHT_PT_ENTRIES, sizeof(*p->ready_ns));
	if (!p->ready_ns)
		return false;
	if (!w->mmu.pages[r->page].exists) {
		spht_mmu_create(&w->mmu, r->page, 0);
		p->by_helper = !r->direct;
		spht_w_book(w, outside)->pages_created++;
	}
	if (spht_mmu_link_path(&w->mmu, r->path, r->page, r->leaf_level, vpn))
		return false;
	/* The leaf may have been there all along, with only the path missing. */
	if (!spht_bit(w->mmu.pages[r->page].present, index))
		spht_mmu_set(&w->mmu, r->page, index, st & SPHT_GPTE_WRITABLE);
	/* Built before and no longer reachable: that one was never used. */
	spht_w_book(w, spht_w_outside(p, SPHT_OUTSIDE_BUILT, index))->zapped_unused +=
		spht_bit(p->helper, index);
	spht_bit_set(p->helper, index);
	spht_w_tag(w, p, SPHT_OUTSIDE_BUILT, index, outside);
	spht_bit_clear(p->side, index);
	spht_bit_clear(p->lack, index);
	p->ready_ns[index] = ready_ns;
	spht_w_list(w, r->table, r->page);
	build_neighbours(w, r, index, ready_ns, outside);
	return true;
}

/* The build is over: is it still right to install? (gpte_changed, mmu_invalidate_seq) */
static void finish_job(struct spht_whatif *w)
{
	struct spht_wregion *r = find_region(w, w->job.space, w->job.vpn);
	struct spht_account *book = spht_w_book(w, w->job.outside);
	unsigned int index = w->job.index;

	w->busy = false;
	w->free_ns = w->done_ns;
	if (!r || r->page != w->job.page || !spht_w_legal(w, spht_w_state(w, r->table, index)) ||
	    spht_w_reaches(w, r->path, r->page, r->leaf_level, index, w->job.vpn)) {
		book->build_failed++;
		outcome(w, &w->job, SPHT_OUTCOME_REFUSED);
		return;
	}
	book->built++;
	if (!install(w, r, index, w->job.vpn, w->done_ns, w->job.outside))
		w->no_memory = true;
	outcome(w, &w->job, SPHT_OUTCOME_BUILT);
}

/* Takes the head of the queue at @start: refuses it, or begins to build. */
static void start_job(struct spht_whatif *w, struct spht_request *q, uint64_t start)
{
	const struct spht_costs *c = w->c->costs;
	struct spht_wregion *r = find_region(w, q->space, q->vpn);
	struct spht_account *book = spht_w_book(w, q->outside);
	uint64_t *refused = NULL;
	uint8_t st;

	if (q->page != SPHT_NO_ID)
		spht_bit_clear(w->pages[q->page].queued, q->index);
	if (!r) {
		refused = &book->unknown;
	} else {
		q->page = r->page;
		q->index = (uint16_t)spht_vpn_index(q->vpn, r->leaf_level);
		st = spht_w_state(w, r->table, q->index);
		if (spht_w_reaches(w, r->path, r->page, r->leaf_level, q->index, q->vpn))
			refused = &book->duplicate;
		else if (!(st & SPHT_GPTE_DECIDED))
			refused = &book->unknown;
		else if (!spht_w_legal(w, st))
			refused = &book->illegal;
	}
	book->helper_busy_ns += c->helper_read_ns;
	if (refused) {
		++*refused;
		w->free_ns = start + c->helper_read_ns;
		outcome(w, q, SPHT_OUTCOME_REFUSED);
		return;
	}
	book->issued++;
	w->job = *q;
	w->busy = true;
	w->done_ns = start + c->helper_read_ns + c->helper_build_ns;
	if (!w->mmu.pages[r->page].exists)
		w->done_ns += c->helper_page_ns;
	book->helper_busy_ns += w->done_ns - start - c->helper_read_ns;
}

void spht_helper_run(struct spht_whatif *w, uint64_t ns)
{
	for (;;) {
		struct spht_request *q;
		uint64_t start;

		if (w->busy) {
			if (w->done_ns > ns)
				return;
			finish_job(w);
			continue;
		}
		if (!w->q_len)
			return;
		q = &w->queue[w->q_head];
		/* A request that finds the helper idle wakes it up. */
		start = q->t_ns >= w->free_ns ? q->t_ns + w->c->costs->helper_wake_ns : w->free_ns;
		if (!q->dead && start > ns)
			return;
		w->q_head = (w->q_head + 1) & (w->q_cap - 1);
		w->q_len--;
		if (q->dead)
			continue;
		w->q_live--;
		start_job(w, q, start);
	}
}

static void cancel(struct spht_whatif *w, struct spht_request *q, uint64_t *counter)
{
	q->dead = true;
	w->q_live--;
	++*counter;
	if (q->page != SPHT_NO_ID)
		spht_bit_clear(w->pages[q->page].queued, q->index);
}

void spht_helper_demand(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	if (w->busy && w->job.page == page && w->job.index == index) {
		w->busy = false;
		w->free_ns = w->done_ns;
		spht_w_book(w, w->job.outside)->built++;
		spht_w_book(w, w->job.outside)->used_late++;
		outcome(w, &w->job, SPHT_OUTCOME_LATE);
	}
	if (!spht_bit(w->pages[page].queued, index))
		return;
	for (uint32_t i = 0; i < w->q_len; i++) {
		struct spht_request *q = &w->queue[(w->q_head + i) & (w->q_cap - 1)];

		if (q->dead || q->page != page || q->index != index)
			continue;
		cancel(w, q, &spht_w_book(w, q->outside)->cancelled_demand);
		outcome(w, q, SPHT_OUTCOME_LATE);
		return;
	}
}

void spht_helper_zapped(struct spht_whatif *w, uint32_t page)
{
	for (uint32_t i = 0; i < w->q_len && w->q_live; i++) {
		struct spht_request *q = &w->queue[(w->q_head + i) & (w->q_cap - 1)];

		if (!q->dead && q->page == page)
			cancel(w, q, &spht_w_book(w, q->outside)->cancelled_zap);
	}
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
	for (uint32_t i = 0; i < w->q_len; i++) {
		const struct spht_request *q = &w->queue[(w->q_head + i) & (w->q_cap - 1)];

		if (!q->dead)
			spht_w_book(w, q->outside)->pending_end++;
	}
	if (w->busy)
		spht_w_book(w, w->job.outside)->in_progress_end++;
	for (uint32_t i = 0; i < w->mmu.nr; i++) {
		w->acc->resident_unused += spht_w_count_built(&w->pages[i], false);
		w->rest.resident_unused += spht_w_count_built(&w->pages[i], true);
	}
}
