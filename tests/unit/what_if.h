/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_WHAT_IF_H
#define SPHT_TEST_WHAT_IF_H

#include "machine.h"
#include "replay/whatif.h"

/* What-ifs over a hand-written or simulated recording. */

/* Round numbers; an exit of any class takes 1 us. */
static inline struct spht_costs plain_costs(void)
{
	struct spht_costs c = {
		.name = "plain",
		.other_exit_ns = 500,
		.helper_wake_ns = 5000,
		.helper_read_ns = 200,
		.helper_build_ns = 6000,
		.helper_page_ns = 2000,
		.queue_limit = 256,
		.helper_batch = 1,
		.touch_probability = 1,
		.nr_leads = 2, /* the guest's access follows its store at once */
	};

	for (unsigned int cls = 0; cls < SPHT_CLASS_NR; cls++)
		c.exit_ns[cls] = 1000;
	return c;
}

struct whatif {
	struct rig *r;
	struct spht_costs costs;
	enum spht_legality legality;
	unsigned int window; /* of KVM's prefetch */
	unsigned int recorded_window; /* the recording's, where that is another; 0: 1 */
	uint32_t mmu_pages; /* limit of shadow pages, 0: none */
	bool helper_prefetch, clock_real, bypass_guest_pf;
	unsigned int helpers; /* 0: one */
	bool helper_per_vcpu;
	const struct spht_kvm *kvm; /* NULL: the recording's */
	bool counterfactual; /* so `none` may leave the recording */
	enum spht_rules rules; /* 0: all */
	double scale, cost_scale;
	uint64_t from, to; /* what counts; both 0: all */
	const struct spht_phases *phases; /* and */
	struct spht_part *parts; /* what counts in each, NULL: none */
	const struct spht_look_at *look_at; /* an entry, and */
	struct spht_look *look; /* what the run does with it, NULL: nobody looks */
	struct spht_timeline *timeline; /* to be filled in, NULL: none */
	const struct spht_real_plan *pace; /* of guest time, NULL: as recorded */
	struct spht_real_run *real; /* of the real clock, NULL: the virtual one */
};

/* Ends the recording: what follows are what-ifs. */
static inline struct whatif whatif_of(struct rig *r, unsigned int window)
{
	rig_finish(r);
	return (struct whatif){
		.r = r, .costs = plain_costs(), .window = window, .scale = 1, .cost_scale = 1};
}

/* All chunks of @steps, one after the other. */
static inline void feed_all(struct spht_whatif *w, const struct spht_steps *steps)
{
	struct spht_chunk chunk;
	struct spht_error err;

	spht_chunk_init(&chunk);
	for (uint32_t k = 0; k < steps->nr_chunks; k++)
		if (spht_chunk_load(&chunk, steps, k, &err) || spht_whatif_feed(w, &chunk, &err))
			fail_msg("%s", err.text);
	spht_chunk_close(&chunk);
}

static inline struct spht_account run_spec(const struct whatif *w, const struct spht_spec *spec,
					   enum spht_world world)
{
	struct spht_whatif_config c = {
		.shadow = spht_observed_shadow(w->r->o),
		.steps = spht_observed_steps(w->r->o),
		.observed = spht_observed_mmu(w->r->o),
		.world = world,
		.spec = spec,
		.costs = &w->costs,
		.legality = w->legality,
		.window = w->window,
		.recorded_window = w->recorded_window,
		.mmu_pages = w->mmu_pages,
		.verify = !w->real,
		.helper_prefetch = w->helper_prefetch,
		.clock_real = w->clock_real,
		.guest_time_scale = w->scale,
		.cost_scale = w->cost_scale,
		.helpers = w->helper_per_vcpu ? SPHT_HELPERS_PER_VCPU
			   : w->helpers       ? w->helpers
					      : 1,
		.kvm = w->kvm,
		.counterfactual = w->counterfactual,
		.curve = !w->real,
		.pace = w->pace,
		.real = w->real,
		.rules = w->rules ? w->rules : SPHT_RULES_ALL,
		.bypass_guest_pf = w->bypass_guest_pf,
		.from = w->from,
		.to = w->to ? w->to : UINT64_MAX,
		.phases = w->phases,
		.parts = w->parts,
		.look_at = w->look_at,
		.look = w->look,
		.timeline = w->timeline,
	};
	bool is_none = !strcmp(spec->h->name, "none") && !w->counterfactual;
	struct spht_whatif *what_if;
	struct spht_account a;
	struct spht_error err;

	what_if = spht_whatif_open(&c, &a, &err);
	if (!what_if)
		fail_msg("%s", err.text);
	feed_all(what_if, c.steps);
	spht_whatif_finish(what_if);
	spht_whatif_close(what_if);
	if (spht_account_check(&a, is_none, &err))
		fail_msg("%s in the %s world: %s", spec->h->name, spht_world_name(world), err.text);
	return a;
}

static inline struct spht_account run(const struct whatif *w, const char *text,
				      enum spht_world world)
{
	struct spht_spec spec;
	struct spht_error err;

	if (spht_spec_parse(&spec, text, &err))
		fail_msg("%s", err.text);
	return run_spec(w, &spec, world);
}

#endif
