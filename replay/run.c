// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/pool.h"
#include "replay/run.h"

/* 18 years: far from where 64 bits of nanoseconds and their flags end. */
#define MAX_VIRTUAL_NS (double)(1ull << 59)

/* One what-if. */
struct job {
	const struct spht_spec *spec;
	struct spht_account *account;
	struct spht_part *parts;
	struct spht_look *look;
	struct spht_timeline *timeline;
	enum spht_world world;
	double scale;
	enum spht_rules rules;
	struct spht_real_run *real;
	struct spht_whatif_config config;
	struct spht_whatif *whatif;
	struct spht_error err;
	int ret;
};

/* What-ifs that go through the recording together, chunk by chunk. */
struct wave {
	struct spht_recording *recording;
	const struct spht_run_options *options;
	struct spht_costs free; /* a helper that takes no time */
	struct spht_pool *pool;
	struct job *jobs;
	size_t nr;
	const struct spht_steps *steps;
	struct spht_chunk chunk; /* that is fed */
	struct spht_error err; /* of reading it */
	int ret;
};

/* New exits as the world charges them. */
static double charged(const struct spht_account *a, enum spht_world world,
		      const struct spht_costs *costs)
{
	switch (world) {
	case SPHT_WORLD_STRICT:
		return (double)a->new_exits_hi;
	case SPHT_WORLD_OPTIMISTIC:
		return (double)a->new_exits_lo;
	default:
		return (double)a->new_exits_hi * costs->touch_probability;
	}
}

double spht_result_avoided(const struct spht_account *a, enum spht_world world,
			   const struct spht_costs *costs)
{
	return spht_account_avoided(a, charged(a, world, costs));
}

bool spht_run_counterfactual(const struct spht_recording *r, const struct spht_run_options *opt)
{
	return (opt->window && opt->window != r->window) ||
	       (opt->kvm && opt->kvm != spht_kvm_of_release(r->host_kernel));
}

static double beyond(const struct spht_result *r, const struct spht_account *a,
		     enum spht_world world, const struct spht_costs *costs)
{
	double base = r->counterfactual ? spht_result_avoided(&r->baseline[world], world, costs)
					: 0;

	return spht_result_avoided(a, world, costs) - base;
}

double spht_result_gain(const struct spht_result *r, enum spht_world world,
			const struct spht_costs *costs)
{
	return beyond(r, &r->world[world], world, costs);
}

double spht_result_avoidable(const struct spht_result *r, enum spht_world world,
			     const struct spht_costs *costs)
{
	return beyond(r, &r->oracle[world], world, costs);
}

/* Time with the exits that came in, which the run itself only counts. */
static double total_ns(const struct spht_account *a, enum spht_world world,
		       const struct spht_costs *c, double scale)
{
	return (double)a->helped_ns +
	       charged(a, world, c) * scale * (double)c->exit_ns[SPHT_CLASS_HIDDEN] +
	       (double)a->helper_exits * scale * (double)c->other_exit_ns;
}

void spht_result_time(struct spht_result_time *t, const struct spht_result *r,
		      enum spht_world world, const struct spht_costs *c, double scale)
{
	const struct spht_account *a = &r->world[world];
	double free = (double)(a->base_ns - a->f_base_ns);

	t->base = r->counterfactual ? total_ns(&r->baseline[world], world, c, scale)
				    : (double)a->base_ns;
	t->helped = total_ns(a, world, c, scale);
	t->speedup_pct = t->helped > 0 ? 100 * (t->base / t->helped - 1) : 0;
	t->bound_pct = free > 0 ? 100 * (t->base / free - 1) : 0;
}

/*
 * Where recorded exits take the time that they took, the profile's costs of a
 * helper are brought to that machine's measure: by what a hidden fault takes.
 */
double spht_run_cost_scale(const struct spht_recording *r, const struct spht_costs *costs)
{
	const struct spht_steps *s = spht_observed_steps(r->observed);
	double profile = (double)s->nr_hidden * (double)costs->exit_ns[SPHT_CLASS_HIDDEN];

	if (!r->clock_real || !(profile > 0))
		return 1;
	return (double)s->hidden_ns * 100 / (100 + (double)costs->tracing_percent) / profile;
}

static void open_job(void *arg, size_t i)
{
	struct wave *v = arg;
	struct spht_recording *r = v->recording;
	struct job *j = &v->jobs[i];

	j->config = (struct spht_whatif_config){
		.shadow = spht_observed_shadow(r->observed),
		.steps = v->steps,
		.observed = spht_observed_mmu(r->observed),
		.world = j->world,
		.spec = j->spec,
		.costs = j->rules == SPHT_RULES_ALL ? &v->options->costs : &v->free,
		.legality = v->options->legality,
		.window = v->options->window ? v->options->window : r->window,
		.recorded_window = r->window,
		.kvm = v->options->kvm,
		.mmu_pages = r->mmu_pages,
		.verify = v->options->verify,
		.counterfactual = spht_run_counterfactual(r, v->options),
		.bypass_guest_pf = v->options->kvm && v->options->kvm->bypasses &&
				   v->options->bypass_guest_pf,
		.helper_prefetch = v->options->helper_prefetch && j->rules >= SPHT_RULES_PREFETCH,
		.rules = j->rules,
		.clock_real = r->clock_real,
		.guest_time_scale = j->scale,
		.pace = v->options->real,
		.real = j->real,
		.cost_scale = spht_run_cost_scale(r, &v->options->costs),
		.helpers = v->options->helpers,
		.curve = v->options->curve,
		.ask_proof = r->stats.snaps.taken && j->world == SPHT_WORLD_INFERRED,
		.from = r->roi.from,
		.to = r->roi.to,
		.phases = &r->phases,
		.parts = j->parts,
		.look_at = v->options->look_at,
		.look = j->look,
		.timeline = j->timeline,
	};
	j->whatif = spht_whatif_open(&j->config, j->account, &j->err);
	j->ret = j->whatif ? 0 : -1;
}

static void feed_job(void *arg, size_t i)
{
	struct wave *v = arg;
	struct job *j = &v->jobs[i];

	j->ret = spht_whatif_feed(j->whatif, &v->chunk, &j->err);
}

static void close_job(void *arg, size_t i)
{
	struct wave *v = arg;
	struct job *j = &v->jobs[i];

	if (j->whatif && !v->ret)
		spht_whatif_finish(j->whatif);
	spht_whatif_close(j->whatif);
	j->whatif = NULL;
}

/* The first error, by the order of the jobs. */
static int check_wave(struct wave *v)
{
	for (size_t i = 0; i < v->nr && !v->ret; i++) {
		if (!v->jobs[i].ret)
			continue;
		v->err = v->jobs[i].err;
		v->ret = -1;
	}
	return v->ret;
}

static int run_wave(struct wave *v, struct spht_error *err)
{
	spht_pool_round(v->pool, v->nr, open_job, v);
	check_wave(v);
	for (uint32_t k = 0; k < v->steps->nr_chunks && !v->ret; k++) {
		v->ret = spht_chunk_load(&v->chunk, v->steps, k, &v->err);
		if (v->ret)
			break;
		spht_pool_round(v->pool, v->nr, feed_job, v);
		check_wave(v);
	}
	spht_pool_round(v->pool, v->nr, close_job, v);
	if (v->ret)
		*err = v->err;
	return v->ret;
}

static void free_costs(struct spht_costs *f, const struct spht_costs *c)
{
	*f = *c;
	f->helper_wake_ns = f->helper_read_ns = f->helper_build_ns = f->helper_page_ns = 0;
	f->helper_lock_ns = f->helper_pace_ns = f->helper_poll_ns = 0;
	f->queue_limit = 1 << 20;
}

/* What the heuristic itself holds in one what-if: the most of all jobs. */
static size_t largest_state(const struct job *jobs, size_t nr)
{
	size_t most = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct spht_spec *s = jobs[i].spec;
		size_t size = s->h->state_size ? s->h->state_size(s->params) : 0;

		if (size > most)
			most = size;
	}
	return most;
}

/* All jobs in waves, each of which reads the whole recording again. */
static int run_jobs(struct spht_recording *r, const struct spht_run_options *opt, struct job *jobs,
		    size_t nr, struct spht_error *err)
{
	size_t one = spht_whatif_size(spht_observed_shadow(r->observed), opt->curve);
	size_t state = largest_state(jobs, nr), at_once, waves;
	struct wave v = {.recording = r, .options = opt, .steps = spht_observed_steps(r->observed)};
	int ret = 0;

	free_costs(&v.free, &opt->costs);
	at_once = state < opt->memory ? opt->memory / (one + state + 1) : 0;
	if (at_once < opt->jobs)
		at_once = opt->jobs;
	/* As many in the last wave as in the others. */
	waves = (nr + at_once - 1) / at_once;
	at_once = (nr + waves - 1) / waves;
	v.pool = spht_pool_open(opt->jobs > nr ? (unsigned int)nr : opt->jobs);
	if (!v.pool) {
		spht_error_set(err, "out of memory");
		return -1;
	}
	spht_chunk_init(&v.chunk);
	for (size_t i = 0; i < nr && !ret; i += v.nr) {
		v.jobs = jobs + i;
		v.nr = nr - i < at_once ? nr - i : at_once;
		ret = run_wave(&v, err);
	}
	spht_chunk_close(&v.chunk);
	spht_pool_close(v.pool);
	return ret;
}

/* The identities of one row, in every world; and no heuristic beats the oracle. */
static int check_result(const struct spht_result *r, const struct spht_costs *costs,
			enum spht_rules rules, struct spht_error *err)
{
	const char *name = r->spec->h->name;
	struct spht_error what;

	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
		double a = spht_result_gain(r, w, costs);
		double o = spht_result_avoidable(r, w, costs);
		bool is_none = !strcmp(name, "none") && !r->counterfactual;

		if (spht_account_check(&r->world[w], is_none, &what)) {
			spht_error_set(err, "%s in the %s world: %.400s", name, spht_world_name(w),
				       what.text);
			return -3;
		}
		/* Without all rules it is no bound. */
		if (a <= o || rules != SPHT_RULES_ALL)
			continue;
		spht_error_set(
			err, "%s avoids %.10g exits in the %s world, more than the oracle's %.10g",
			name, a, spht_world_name(w), o);
		return -3;
	}
	return 0;
}

/*
 * Rows and, in the same piece of memory, what each has by interval, for one entry, and by
 * repetition.
 */
static struct spht_result *alloc_results(size_t rows, uint32_t phases, bool look, unsigned int reps)
{
	size_t all = (rows + 1) * sizeof(struct spht_result);
	size_t looks = look ? rows * SPHT_WORLD_NR * sizeof(struct spht_look) : 0;
	size_t slices = 2 * rows * phases * sizeof(struct spht_part);
	struct spht_result *res =
		calloc(1, all + looks + slices + rows * reps * sizeof(struct spht_repetition));
	struct spht_look *l = (struct spht_look *)((char *)res + all);
	struct spht_part *parts = (struct spht_part *)((char *)res + all + looks);
	struct spht_repetition *rep =
		(struct spht_repetition *)((char *)res + all + looks + slices);

	for (size_t i = 0; res && look && i < rows; i++)
		res[i].look = l + i * SPHT_WORLD_NR;

	for (size_t i = 0; res && phases && i < rows; i++) {
		res[i].parts = parts + 2 * i * phases;
		res[i].base_parts = parts + (2 * i + 1) * phases;
	}
	for (size_t i = 0; res && i < rows; i++) {
		res[i].reps = reps ? rep + i * reps : NULL;
		res[i].nr_reps = reps;
	}
	return res;
}

void spht_result_of_repetition(struct spht_result *of, const struct spht_result *result,
			       unsigned int i, enum spht_world knowledge)
{
	*of = *result;
	memset(of->world, 0, sizeof(of->world));
	of->world[knowledge] = result->reps[i].account;
}

/* What must hold of each repetition, too. */
static int check_repetition(const struct spht_result *res, unsigned int i,
			    const struct spht_run_options *opt, struct spht_error *err)
{
	struct spht_result one;
	struct spht_error what;
	int ret;

	spht_result_of_repetition(&one, res, i, opt->knowledge);
	ret = check_result(&one, &opt->costs, opt->rules, &what);
	if (ret)
		spht_error_set(err, "repetition %u on the real clock: %.400s", i + 1, what.text);
	if (ret || !res->reps[i].run.disagreed)
		return ret;
	spht_error_set(err,
		       "repetition %u on the real clock: page tables and maps disagree %llu times",
		       i + 1, (unsigned long long)res->reps[i].run.disagreed);
	return -3;
}

/* The same what-if on the real clock, again and again: first to warm up. */
static int repeat(struct spht_recording *r, const struct spht_run_options *opt,
		  struct spht_result *res, struct spht_error *err)
{
	unsigned int warmups = opt->real->warmups;
	int ret = 0;

	for (unsigned int i = 0; i < warmups + res->nr_reps && !ret; i++) {
		struct spht_repetition *rep = &res->reps[i < warmups ? 0 : i - warmups];
		struct job job = {.spec = res->spec,
				  .account = &rep->account,
				  .real = &rep->run,
				  .world = opt->knowledge,
				  .scale = res->scale,
				  .rules = SPHT_RULES_ALL};

		memset(rep, 0, sizeof(*rep));
		ret = run_jobs(r, opt, &job, 1, err);
		if (!ret)
			ret = check_repetition(res, i < warmups ? 0 : i - warmups, opt, err);
	}
	return ret;
}

int spht_run(struct spht_recording *recording, const struct spht_run_options *opt,
	     struct spht_result **results, struct spht_error *err)
{
	size_t rows = (size_t)opt->nr_specs * opt->nr_scales, n = 0;
	struct spht_account oracles[SPHT_WORLD_NR];
	struct spht_result *res = alloc_results(rows, recording->phases.nr, opt->look_at,
						opt->real ? opt->real->repetitions : 0);
	struct job *jobs = calloc((2 * rows + 1) * SPHT_WORLD_NR, sizeof(*jobs));
	struct spht_spec oracle, none;
	int ret = -1;

	if (rows * recording->phases.nr > SPHT_MAX_PARTS) {
		spht_error_set(err,
			       "%zu results by %u intervals are too many; take longer intervals or "
			       "fewer heuristics",
			       rows, recording->phases.nr);
		goto out;
	}
	for (unsigned int i = 0; i < opt->nr_scales; i++) {
		double ns = (double)(recording->stats.t_last - recording->stats.t_first);

		if (ns * opt->scales[i] < MAX_VIRTUAL_NS)
			continue;
		spht_error_set(err,
			       "%.3f s of recording times %g are more than virtual time can hold; "
			       "take a smaller --guest-time-scale",
			       ns / 1e9, opt->scales[i]);
		goto out;
	}
	if (!res || !jobs || spht_spec_parse(&oracle, "oracle", err) ||
	    spht_spec_parse(&none, "none", err)) {
		spht_error_set(err, "out of memory");
		goto out;
	}
	/* The oracle has no latency: one run serves every time scale. */
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
		jobs[n++] = (struct job){.spec = &oracle,
					 .account = &oracles[w],
					 .world = w,
					 .scale = 1,
					 .rules = SPHT_RULES_ALL};
	for (size_t i = 0; i < rows; i++) {
		res[i].spec = &opt->specs[i / opt->nr_scales];
		res[i].scale = opt->scales[i % opt->nr_scales];
		for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
			jobs[n++] =
				(struct job){.spec = res[i].spec,
					     .account = &res[i].world[w],
					     .parts = w == opt->knowledge ? res[i].parts : NULL,
					     .look = res[i].look ? &res[i].look[w] : NULL,
					     .timeline = w == opt->knowledge ? opt->timeline : NULL,
					     .world = w,
					     .scale = res[i].scale,
					     .rules = opt->rules};
		res[i].counterfactual = spht_run_counterfactual(recording, opt);
		for (unsigned int w = 0; w < SPHT_WORLD_NR && res[i].counterfactual; w++)
			jobs[n++] = (struct job){.spec = &none,
						 .account = &res[i].baseline[w],
						 .parts = w == opt->knowledge ? res[i].base_parts
									      : NULL,
						 .world = w,
						 .scale = res[i].scale,
						 .rules = SPHT_RULES_ALL};
	}
	ret = run_jobs(recording, opt, jobs, n, err);
	for (size_t i = 0; !ret && i < rows; i++) {
		memcpy(res[i].oracle, oracles, sizeof(oracles));
		ret = check_result(&res[i], &opt->costs, opt->rules, err);
		if (!ret && opt->real)
			ret = repeat(recording, opt, &res[i], err);
	}
out:
	free(jobs);
	if (ret) {
		free(res);
		res = NULL;
	}
	*results = res;
	return ret;
}
