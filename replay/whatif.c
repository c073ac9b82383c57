// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

/* Events are lost at @ns: what the helper has finished by then was finished before. */
static void lose(struct spht_whatif *w, uint64_t ns)
{
	const struct spht_step *l = w->last;

	if (l && ns > l->t_exit + l->window_ns)
		spht_helper_run(w, l->vcpu,
				w->vcpus[l->vcpu].now_ns +
					spht_w_scaled(w, ns - l->t_exit - l->window_ns));
	spht_w_lose(w);
}

static void run_step(struct spht_whatif *w, uint32_t step)
{
	const struct spht_step *s = &w->c->steps->v[step];
	bool avoided = false;

	w->outside = s->t_exit < w->c->from || s->t_exit >= w->c->to;
	if (step)
		spht_w_advance(w, step - 1);
	if (s->flags & SPHT_STEP_LOSS) {
		lose(w, s->t_exit);
		return;
	}
	if (s->flags & SPHT_STEP_LOOSE) {
		spht_w_exogenous(w, s, step, false);
		spht_w_exogenous(w, s, step, true);
		return;
	}
	w->last = s;
	spht_w_come_to(w, s);
	spht_w_advance_leads(w, s);
	spht_helper_run(w, s->vcpu, w->now_ns);
	spht_w_exogenous(w, s, step, false);
	if (s->flags & SPHT_STEP_PF)
		avoided = spht_w_fault(w, s, step);
	spht_w_exogenous(w, s, step, true);
	spht_w_leave(w, s, avoided);
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
	if (needs_since(c)) {
		w->since = calloc(w->nr_tables + 1u, sizeof(*w->since));
		if (!w->since)
			return -1;
	}
	if (!w->pages || !w->state || !w->table_pages || !w->regions || !w->vcpus || !w->hstate ||
	    spht_helper_init(w) || spht_rules_init(w))
		return -1;
	if (h->init)
		h->init(w->hstate, c->spec->params);
	return 0;
}

static void whatif_close(struct spht_whatif *w)
{
	for (uint32_t i = 0; w->pages && i < w->mmu.nr; i++) {
		free(w->pages[i].ready_ns);
		free(w->pages[i].wanted_ns);
		free(w->pages[i].outside);
	}
	for (uint32_t i = 0; w->state && i < w->nr_tables; i++)
		free(w->state[i]);
	for (uint32_t i = 0; w->since && i < w->nr_tables; i++)
		free(w->since[i]);
	free(w->leads);
	free(w->pages);
	free(w->since);
	free(w->state);
	free(w->table_pages);
	free(w->regions);
	free(w->vcpus);
	free(w->hstate);
	spht_helper_close(w);
	spht_rules_close(w);
	spht_mmu_close(&w->mmu);
}

int spht_whatif_run(const struct spht_whatif_config *c, struct spht_account *account,
		    struct spht_error *err)
{
	struct spht_whatif w = {.c = c, .acc = account, .cost_scale = c->cost_scale};
	int ret = -1;

	memset(account, 0, sizeof(*account));
	if (whatif_init(&w))
		goto out;
	for (uint32_t i = 0; i < c->steps->nr && !w.no_memory; i++)
		run_step(&w, i);
	if (w.no_memory)
		goto out;
	if (c->steps->nr)
		spht_w_advance(&w, c->steps->nr - 1);
	spht_helper_end(&w);
	if (!c->spec->h->fault && !c->spec->h->foresee && !c->counterfactual)
		compare_end(&w);
	ret = 0;
out:
	if (ret)
		spht_error_set(err, "out of memory in a what-if run");
	whatif_close(&w);
	return ret;
}
