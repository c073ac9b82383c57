// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

/* Events are lost at @ns: what the helper has finished by then was finished before. */
static void lose(struct spht_whatif *w, uint64_t ns)
{
	const struct spht_step *l = w->last;

	if (l && ns > l->t_exit + l->window_ns)
		spht_helper_run(w, w->vcpus[l->vcpu].now_ns +
					   spht_w_scaled(w, ns - l->t_exit - l->window_ns));
	spht_w_lose(w);
}

static const uint64_t *lacking(const void *whatif, uint32_t page)
{
	const struct spht_whatif *w = whatif;

	return w->pages[page].lack;
}

static bool is_outside(const struct spht_whatif *w, uint64_t ns)
{
	return ns < w->c->from || ns >= w->c->to;
}

static void run_step(struct spht_whatif *w, const struct spht_step *s, uint32_t step)
{
	bool avoided = false;

	if (w->parts.v)
		spht_parts_step(&w->parts, s->t_exit, w->acc);
	w->outside = is_outside(w, s->t_exit);
	w->step = NULL;
	if (step)
		spht_w_advance(w, step - 1);
	if (w->c->look)
		spht_w_look_step(w, s, step);
	if (w->c->timeline)
		spht_tl_step(w, s);
	if (s->flags & SPHT_STEP_LOSS) {
		if (w->timed)
			spht_tl_loss(w);
		lose(w, s->t_exit);
		return;
	}
	if (s->flags & SPHT_STEP_LOOSE) {
		spht_w_exogenous(w, s, step, false);
		spht_w_exogenous(w, s, step, true);
		if (w->real)
			spht_real_mark(w, s);
		spht_w_look(w, SPHT_LOOK_GUEST);
		return;
	}
	w->last = s;
	w->asked_now = 0;
	spht_w_come_to(w, s);
	/* Of other threads' doing, since the last exit. */
	if (w->nr_zaps)
		spht_tell_zaps(w, w->now_ns);
	spht_w_advance_leads(w);
	spht_helper_run(w, w->now_ns);
	if (w->real)
		spht_real_begin(w);
	if (w->c->look)
		spht_w_look_fault(w, s, step);
	spht_w_exogenous(w, s, step, false);
	if (s->flags & SPHT_STEP_PF)
		avoided = spht_w_fault(w, s, step);
	spht_w_exogenous(w, s, step, true);
	spht_w_leave(w, s, avoided);
	if (w->nr_zaps)
		spht_tell_zaps(w, w->changed_ns);
	if (w->c->look)
		spht_w_look_end(w, s, step, avoided);
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

/* The bound itself does not ask for how long an entry has been legal. */
static bool needs_since(const struct spht_whatif_config *c)
{
	const struct spht_heuristic *h = c->spec->h;

	if (!h->foresee || c->curve)
		return h->foresee;
	for (unsigned int i = 0; i < h->nr_params; i++)
		if (c->spec->params[i] != h->params[i].def)
			return true;
	return false;
}

static int whatif_init(struct spht_whatif *w)
{
	const struct spht_whatif_config *c = w->c;
	const struct spht_heuristic *h = c->spec->h;
	size_t size = h->state_size ? h->state_size(c->spec->params) : 0;

	w->nr_vcpus = c->steps->nr_vcpus;
	w->t_start = c->steps->t_start;
	spht_mmu_init(&w->mmu, c->shadow);
	if (spht_mmu_reserve(&w->mmu, c->shadow->pages.nr + 1))
		return -1;
	w->nr_tables = c->shadow->tables.nr;
	w->pages = calloc(w->mmu.nr, sizeof(*w->pages));
	w->state = calloc(w->nr_tables + 1u, sizeof(*w->state));
	w->table_pages = calloc(w->nr_tables + 1u, sizeof(*w->table_pages));
	w->table_region = calloc(w->nr_tables + 1u, sizeof(*w->table_region));
	w->regions = calloc(c->shadow->regions.nr + 1u, sizeof(*w->regions));
	w->vcpus = calloc(w->nr_vcpus + 1u, sizeof(*w->vcpus));
	w->hstate = calloc(size ? size : 1, 1);
	w->proof = c->ask_proof ? calloc(w->nr_tables + 1u, sizeof(*w->proof)) : NULL;
	if (c->ask_proof && !w->proof)
		return -1;
	if (needs_since(c)) {
		w->since = calloc(w->nr_tables + 1u, sizeof(*w->since));
		if (!w->since)
			return -1;
	}
	if (!w->pages || !w->state || !w->table_pages || !w->table_region || !w->regions ||
	    !w->vcpus || !w->hstate || spht_helper_init(w) || spht_rules_init(w) ||
	    spht_w_pages_init(w))
		return -1;
	w->verify = c->verify ? spht_verify_open(c->shadow) : NULL;
	if (c->verify && !w->verify)
		return -1;
	if (h->init)
		h->init(w->hstate, c->spec->params);
	return 0;
}

void spht_whatif_close(struct spht_whatif *w)
{
	if (!w)
		return;
	spht_real_close(w);
	for (uint32_t i = 0; w->pages && i < w->mmu.nr; i++) {
		free(w->pages[i].ready_ns);
		free(w->pages[i].wanted_ns);
		free(w->pages[i].outside);
	}
	for (uint32_t i = 0; w->state && i < w->nr_tables; i++)
		free(w->state[i]);
	for (uint32_t i = 0; w->since && i < w->nr_tables; i++)
		free(w->since[i]);
	for (uint32_t i = 0; w->proof && i < w->nr_tables; i++)
		free(w->proof[i]);
	free(w->proof);
	free(w->leads);
	free(w->zaps);
	spht_w_pages_close(w);
	free(w->pages);
	free(w->since);
	free(w->state);
	free(w->table_pages);
	free(w->table_region);
	free(w->regions);
	free(w->vcpus);
	free(w->hstate);
	spht_helper_close(w);
	spht_rules_close(w);
	spht_verify_close(w->verify);
	spht_mmu_close(&w->mmu);
	free(w);
}

static void no_memory(struct spht_error *err)
{
	spht_error_set(err, "out of memory in a what-if run");
}

struct spht_whatif *spht_whatif_open(const struct spht_whatif_config *c,
				     struct spht_account *account, struct spht_error *err)
{
	struct spht_whatif *w = calloc(1, sizeof(*w));

	memset(account, 0, sizeof(*account));
	if (w) {
		w->c = c;
		w->acc = account;
		spht_w_scale_costs(w);
		w->memo.region = UINT64_MAX; /* of no page */
		w->legal = SPHT_GPTE_PRESENT |
			   (c->legality == SPHT_LEGAL_PRESENT ? 0 : SPHT_GPTE_A);
		w->told = c->look || c->spec->h->outcome;
		w->idle = true;
		w->parts = (struct spht_parts){.phases = c->phases, .v = c->parts};
		if (!whatif_init(w)) {
			if (!c->real || !spht_real_open(w, err))
				return w;
			spht_whatif_close(w);
			return NULL;
		}
	}
	spht_whatif_close(w);
	spht_error_set(err,
		       "out of memory for a what-if run of %s, whose own state takes %zu bytes",
		       c->spec->h->name,
		       c->spec->h->state_size ? c->spec->h->state_size(c->spec->params) : 0);
	return NULL;
}

int spht_whatif_feed(struct spht_whatif *w, const struct spht_chunk *chunk, struct spht_error *err)
{
	w->chunk = chunk;
	w->next_change = w->next_drop = w->next_proof = 0;
	spht_w_look_ahead(w);
	if (w->real)
		spht_real_resume(w);
	for (uint32_t i = 0; i < chunk->nr && !w->no_memory; i++) {
		const struct spht_step *s = &chunk->steps[i];

		run_step(w, s, chunk->first + i);
		if (w->verify)
			spht_verify_step(w->verify, s, spht_w_dos(w, s), chunk->first + i, &w->mmu,
					 lacking, w, &w->acc->broken);
	}
	/* What is left holds before the next chunk's first step, and counts with that. */
	if (chunk->has_next) {
		spht_parts_step(&w->parts, chunk->t_next, w->acc);
		w->outside = is_outside(w, chunk->t_next);
	}
	spht_w_advance(w, chunk->first + chunk->nr - 1);
	if (w->real)
		spht_real_park(w);
	if (w->no_memory || spht_verify_no_memory(w->verify)) {
		no_memory(err);
		return -1;
	}
	if (w->last)
		w->last_fed = *w->last;
	w->last = w->last ? &w->last_fed : NULL;
	return 0;
}

void spht_whatif_finish(struct spht_whatif *w)
{
	spht_verify_end(w->verify, w->c->observed, &w->acc->broken);
	spht_helper_end(w);
	spht_parts_finish(&w->parts, w->acc);
	if (!w->c->spec->h->fault && !w->c->spec->h->foresee && !w->c->counterfactual)
		compare_end(w);
}

size_t spht_whatif_size(const struct spht_shadow *shadow, bool curve)
{
	/* Times by entry, of every page and table: as if each had been asked for. */
	size_t times = SPHT_PT_ENTRIES * sizeof(uint64_t);
	size_t page = sizeof(struct spht_mmu_page) + sizeof(struct spht_wpage) + times;
	size_t table = SPHT_PT_ENTRIES + sizeof(void *) + sizeof(uint32_t);

	if (curve) {
		page += times;
		table += times;
	}
	return shadow->pages.nr * page + shadow->tables.nr * table +
	       shadow->regions.nr * sizeof(struct spht_wregion);
}
