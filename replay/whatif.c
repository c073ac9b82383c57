// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/whatif-local.h"

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

/* Events are lost at @ns: what the helper has finished by then was finished before. */
static void lose(struct spht_whatif *w, uint64_t ns)
{
	const struct spht_step *l = w->last;

	if (l && ns > l->t_exit + l->window_ns)
		spht_helper_run(w, w->vcpus[l->vcpu].now_ns +
					   scaled(w, ns - l->t_exit - l->window_ns));
	spht_w_lose(w);
}

static void run_step(struct spht_whatif *w, uint32_t step)
{
	const struct spht_step *s = &w->c->steps->v[step];
	bool avoided = false;
	uint64_t cost;

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
	advance_clock(w, s);
	spht_helper_run(w, w->now_ns);
	spht_w_exogenous(w, s, step, false);
	cost = w->c->costs->other_exit_ns;
	if (s->flags & SPHT_STEP_PF) {
		cost = w->c->costs->exit_ns[s->cls];
		avoided = spht_w_fault(w, s, step);
	}
	spht_w_exogenous(w, s, step, true);
	if (!avoided)
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
	for (uint32_t i = 0; w->pages && i < w->mmu.nr; i++) {
		free(w->pages[i].ready_ns);
		free(w->pages[i].outside);
	}
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
		spht_w_advance(&w, c->steps->nr - 1);
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
