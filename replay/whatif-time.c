// SPDX-License-Identifier: LGPL-2.1-or-later
#include "replay/whatif-local.h"

/*
 * What takes time.  Every vCPU has two clocks: one of this what-if, and one
 * without a helper that pays for every recorded exit.  Their difference over
 * the region is what the helper won.
 */

void spht_w_scale_costs(struct spht_whatif *w)
{
	struct spht_costs *k = &w->k;
	uint64_t *const scaled[] = {
		&k->helper_wake_ns, &k->helper_read_ns, &k->helper_build_ns,
		&k->helper_page_ns, &k->helper_lock_ns, &k->helper_pace_ns,
		&k->helper_poll_ns, &k->exit_lock_ns,   &k->first_use_ns,
	};

	w->guest_factor = w->c->clock_real ? 1 : w->c->guest_time_scale;
	if (w->c->pace)
		w->guest_factor = w->c->pace->pace > 0 ? w->guest_factor / w->c->pace->pace : 0;
	*k = *w->c->costs;
	for (size_t i = 0; w->c->clock_real && i < sizeof(scaled) / sizeof(*scaled); i++)
		*scaled[i] = (uint64_t)((double)*scaled[i] * w->c->cost_scale);
}

uint64_t spht_w_scaled(const struct spht_whatif *w, uint64_t ns)
{
	return w->guest_factor == 1 ? ns : (uint64_t)((double)ns * w->guest_factor);
}

/* What an exit takes: as recorded less the cost of recording it, or by the profile. */
static uint64_t exit_cost(const struct spht_whatif *w, uint64_t recorded_ns, uint64_t profile_ns)
{
	if (!w->c->clock_real)
		return profile_ns;
	return recorded_ns * 100 / (100 + w->c->costs->tracing_percent);
}

static uint64_t step_cost(const struct spht_whatif *w, const struct spht_step *s)
{
	/* KVM of 2010 let the hardware reflect what its shadow table knew to be absent. */
	if (w->c->bypass_guest_pf && (s->flags & SPHT_STEP_BYPASS))
		return 0;
	return exit_cost(w, s->window_ns,
			 s->flags & SPHT_STEP_PF ? w->c->costs->exit_ns[s->cls]
						 : w->c->costs->other_exit_ns);
}

void spht_w_come_to(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_wvcpu *v = &w->vcpus[s->vcpu];
	struct spht_account *book = spht_w_book(w, w->outside);
	uint64_t guest = spht_w_scaled(w, s->gap_ns);
	uint64_t others = exit_cost(w, s->other_ns, s->other_exits * w->c->costs->other_exit_ns);
	uint64_t ns = guest + others;

	/* vCPUs start together, as far as the recording says. */
	if (!v->started)
		v->now_ns = v->base_ns = spht_w_scaled(w, s->t_exit - w->t_start);
	v->started = true;
	w->gap_ns = v->now_ns;
	v->now_ns += ns;
	v->base_ns += ns;
	/*
	 * Each clock runs for itself, and idle time is not in it.  But what was recorded
	 * later was not done earlier: who is behind has been asleep or held up.
	 */
	if (v->now_ns < w->now_ns)
		v->now_ns = w->now_ns;
	if (v->base_ns < w->base_now_ns)
		v->base_ns = w->base_now_ns;
	w->base_now_ns = v->base_ns;
	book->base_ns += ns;
	book->helped_ns += ns;
	w->now_ns = v->now_ns;
	w->vcpu = s->vcpu;
	if (w->timed)
		spht_tl_come_to(w, s, guest, others);
}

/* How long the exit holds mmu_lock: faults that reach FNAME(fetch), and emulated stores. */
static uint64_t hold_of(const struct spht_whatif *w, const struct spht_step *s)
{
	uint64_t hold = w->k.exit_lock_ns, cost = step_cost(w, s);

	if (!(s->flags & SPHT_STEP_PF) || s->cls == SPHT_CLASS_GUEST || s->cls == SPHT_CLASS_MMIO)
		return 0;
	return hold < cost ? hold : cost;
}

void spht_w_take_lock(struct spht_whatif *w, const struct spht_step *s)
{
	uint64_t hold = hold_of(w, s), want = w->now_ns + step_cost(w, s) - hold, from;

	/* On the real clock it is taken when its time has come: spht_w_leave(). */
	if (!hold || w->real)
		return;
	spht_helper_run(w, want);
	spht_helper_release(w, want);
	from = spht_lock_take(&w->lock, want, hold);
	spht_w_book(w, w->outside)->lock_wait_ns += from - want;
	w->waited_ns = from - want;
	if (w->timed)
		spht_tl_serve(w, want, from, hold);
}

/* The same exit without a helper: other vCPUs hold the lock there too. */
static uint64_t base_wait(struct spht_whatif *w, const struct spht_step *s, uint64_t cost)
{
	uint64_t hold = w->nr_vcpus > 1 ? hold_of(w, s) : 0;
	uint64_t want = w->vcpus[s->vcpu].base_ns + cost - hold;

	return hold ? spht_lock_take(&w->base_lock, want, hold) - want : 0;
}

void spht_w_leave(struct spht_whatif *w, const struct spht_step *s, bool avoided)
{
	struct spht_account *book = spht_w_book(w, w->outside);
	struct spht_wvcpu *v = &w->vcpus[s->vcpu];
	uint64_t cost = step_cost(w, s), wait = base_wait(w, s, cost), helped;

	if (w->real)
		spht_real_leave(w, s, avoided ? w->k.first_use_ns : cost,
				avoided ? 0 : hold_of(w, s));
	helped = avoided ? w->k.first_use_ns : cost + w->waited_ns;
	w->waited_ns = 0;
	v->base_ns += cost + wait;
	v->now_ns += helped;
	w->changed_ns = v->now_ns;
	book->base_ns += cost + wait;
	book->helped_ns += helped;
	book->base_wait_ns += wait;
	if (s->flags & (SPHT_STEP_BASE | SPHT_STEP_UNMODELLED))
		book->f_base_ns += cost + wait;
	if (s->flags & SPHT_STEP_BYPASS)
		book->bypassed++;
	if (w->timed)
		spht_tl_leave(w, s, avoided, helped);
}
