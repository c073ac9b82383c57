// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <string.h>

#include "replay/plugin.h"
#include "replay/report.h"
#include "replay/spread.h"
#include "version.h"

static struct spht_field *add(struct spht_row *r, const char *name, enum spht_field_kind kind)
{
	struct spht_field *f = &r->f[r->nr++];

	memset(f, 0, sizeof(*f));
	f->name = name;
	f->kind = kind;
	f->text = f->own;
	return f;
}

static void empty(struct spht_row *r, const char *name)
{
	add(r, name, SPHT_FIELD_EMPTY);
}

static void text(struct spht_row *r, const char *name, const char *value)
{
	struct spht_field *f = add(r, name, *value ? SPHT_FIELD_TEXT : SPHT_FIELD_EMPTY);

	snprintf(f->own, sizeof(f->own), "%s", value);
}

/* @value stays where it is for as long as the row is used. */
static void text_of(struct spht_row *r, const char *name, const char *value)
{
	add(r, name, *value ? SPHT_FIELD_TEXT : SPHT_FIELD_EMPTY)->text = value;
}

static void count(struct spht_row *r, const char *name, uint64_t value)
{
	add(r, name, SPHT_FIELD_COUNT)->count = value;
}

static void real(struct spht_row *r, const char *name, double value)
{
	add(r, name, SPHT_FIELD_REAL)->real = value;
}

/* Empty where the denominator is 0 (METRICS). */
static void ratio(struct spht_row *r, const char *name, double num, double den)
{
	if (den > 0)
		real(r, name, num / den);
	else
		empty(r, name);
}

static const char *basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void fill_provenance(struct spht_row *r, const struct spht_recording *rec,
			    const struct spht_run_options *opt, const char *vm)
{
	const struct spht_assemble_stats *st = &rec->stats;
	unsigned int major = 0, minor = 0;
	char kvm[32] = "";

	if (sscanf(rec->host_kernel, "%u.%u", &major, &minor) == 2)
		snprintf(kvm, sizeof(kvm), "%u.%u", major, minor);
	if (opt->kvm)
		snprintf(kvm, sizeof(kvm), "%s", opt->kvm->name);
	text(r, "schema", SPHT_CSV_SCHEMA);
	text(r, "tool_version", SPHT_VERSION);
	text(r, "git_commit", SPHT_GIT_COMMIT);
	text(r, "trace", basename_of(rec->path));
	text(r, "trace_sha256", rec->sha256);
	text(r, "trace_complete", rec->complete ? "yes" : "no");
	text(r, "vm", vm);
	count(r, "vcpus", st->vcpus);
	text(r, "host_kernel", rec->host_kernel);
	text(r, "guest_kernel", rec->guest_kernel);
	text(r, "kvm", kvm);
	count(r, "baseline", opt->window ? opt->window : rec->window);
	count(r, "baseline_recorded", rec->window);
	/* A gap of unknown size is at least one event. */
	count(r, "lost_events", st->lost_events + st->lost_unknown);
	text(r, "roi", rec->roi.text);
	text(r, "warmup", rec->roi.warmup);
}

/* Parameters may be longer than any other text. */
static void fill_spec(struct spht_row *r, const struct spht_spec *spec)
{
	spht_spec_format(spec, r->params, sizeof(r->params));
	text(r, "heuristic", spec->h->name);
	text_of(r, "params", r->params);
}

static void fill_config(struct spht_row *r, const struct spht_recording *rec,
			const struct spht_run_options *opt, const struct spht_result *res)
{
	const struct spht_plugin *plugin = res->spec->plugin;

	fill_spec(r, res->spec);
	text_of(r, "plugin", plugin ? plugin->file : "");
	text_of(r, "plugin_sha256", plugin ? plugin->sha256 : "");
	text(r, "knowledge", spht_world_name(opt->knowledge));
	text(r, "legality", opt->legality == SPHT_LEGAL_ACCESSED ? "accessed" : "present");
	text(r, "clock", "virtual");
	if (opt->helpers == SPHT_HELPERS_PER_VCPU)
		text(r, "helpers", "vcpu");
	else
		count(r, "helpers", opt->helpers);
	text(r, "costs", opt->costs.name);
	text(r, "rules", spht_rules_name(opt->rules));
	real(r, "guest_time_scale", res->scale);
	/* Without kvm_entry nothing says when the guest ran. */
	text(r, "time_source",
	     !rec->stats.has_exits ? ""
	     : rec->clock_real     ? "recorded"
				   : "scaled");
	empty(r, "seed");
}

static void fill_exits(struct spht_row *r, const struct spht_assemble_stats *st,
		       const struct spht_run_options *opt, const struct spht_account *a)
{
	const uint64_t *c = st->by_class;
	uint64_t pf = 0;

	for (unsigned int i = SPHT_CLASS_MMIO; i < SPHT_CLASS_NR; i++)
		pf += c[i];
	if (st->has_exits)
		count(r, "exits_total", st->exits_total);
	else
		empty(r, "exits_total");
	count(r, "exits_pf", pf);
	count(r, "pf_guest", c[SPHT_CLASS_GUEST]);
	count(r, "pf_hidden", c[SPHT_CLASS_HIDDEN]);
	count(r, "pf_huge", c[SPHT_CLASS_HUGE]);
	count(r, "pf_huge_nopaging", st->nopaging);
	count(r, "pf_ad", c[SPHT_CLASS_AD]);
	count(r, "pf_ptwrite_unsync", c[SPHT_CLASS_PTWRITE_UNSYNC]);
	count(r, "pf_ptwrite_emul", c[SPHT_CLASS_PTWRITE_EMUL]);
	count(r, "pf_ptwrite_emul_c2", st->emul_sub[SPHT_EMUL_C2]);
	count(r, "pf_ptwrite_emul_c3", st->emul_sub[SPHT_EMUL_C3]);
	count(r, "pf_ptwrite_emul_c4", st->emul_sub[SPHT_EMUL_C4]);
	count(r, "pf_mmio", c[SPHT_CLASS_MMIO]);
	count(r, "pf_spurious", c[SPHT_CLASS_SPURIOUS]);
	if (st->has_exits)
		count(r, "pf_retry", c[SPHT_CLASS_RETRY]);
	else
		empty(r, "pf_retry");
	count(r, "pf_refault", st->refault);
	if (opt->kvm && opt->kvm->bypasses && opt->bypass_guest_pf)
		count(r, "pf_bypassed", a->bypassed);
	else
		empty(r, "pf_bypassed");
	count(r, "pf_mode_skipped", st->mode_skipped);
}

static void fill_avoided(struct spht_row *r, const struct spht_run_options *opt,
			 const struct spht_result *res)
{
	const struct spht_costs *c = &opt->costs;
	const struct spht_account *a = &res->world[opt->knowledge];
	double v[SPHT_WORLD_NR], mine, avoidable;
	bool ordered;

	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
		v[w] = spht_result_gain(res, w, c);
	ordered = v[SPHT_WORLD_STRICT] <= v[SPHT_WORLD_INFERRED] &&
		  v[SPHT_WORLD_INFERRED] <= v[SPHT_WORLD_OPTIMISTIC];
	mine = v[opt->knowledge];
	avoidable = spht_result_avoidable(res, opt->knowledge, c);
	count(r, "f_base", a->f_base);
	if (res->counterfactual)
		real(r, "baseline_avoided",
		     spht_result_avoided(&res->baseline[opt->knowledge], opt->knowledge, c));
	else
		empty(r, "baseline_avoided");
	real(r, "avoided_lo", v[SPHT_WORLD_STRICT]);
	real(r, "avoided", v[SPHT_WORLD_INFERRED]);
	real(r, "avoided_hi", v[SPHT_WORLD_OPTIMISTIC]);
	text(r, "bounds", ordered ? "ordered" : "crossed");
	real(r, "avoidable", avoidable);
	ratio(r, "oracle_share", mine, avoidable);
	count(r, "avoided_direct", a->avoided_direct);
	count(r, "avoided_side", a->avoided_side);
	count(r, "new_exits_lo", a->new_exits_lo);
	count(r, "new_exits_hi", a->new_exits_hi);
	count(r, "helper_exits", a->helper_exits);
	count(r, "remaining", a->remaining);
}

static void fill_books(struct spht_row *r, const struct spht_recording *rec,
		       const struct spht_account *a, const struct spht_account *b)
{
	double met = (double)(a->avoided_direct + a->avoided_side);
	double used = (double)(a->used_timely + a->used_late + a->used_weak);
	double late = (double)(a->used_late + a->cancelled_demand);

	count(r, "generated", a->generated);
	count(r, "duplicate", a->duplicate);
	count(r, "illegal", a->illegal);
	count(r, "unknown", a->unknown);
	count(r, "queue_full", a->queue_full);
	count(r, "cancelled_demand", a->cancelled_demand);
	count(r, "cancelled_zap", a->cancelled_zap);
	count(r, "pending_end", a->pending_end);
	count(r, "issued", a->issued);
	count(r, "build_failed", a->build_failed);
	count(r, "in_progress_end", a->in_progress_end);
	count(r, "built", a->built);
	count(r, "used_timely", a->used_timely);
	count(r, "used_late", a->used_late);
	count(r, "used_weak", a->used_weak);
	count(r, "use_unknown", a->use_unknown);
	count(r, "zapped_unused", a->zapped_unused);
	count(r, "evicted_unused", a->evicted_unused);
	count(r, "lost_epoch", a->lost_epoch);
	count(r, "resident_unused", a->resident_unused);
	if (spht_roi_given(&rec->roi))
		count(r, "used_carry", a->used_carry);
	else
		empty(r, "used_carry");
	/* What KVM itself avoids, where it is another than the recorded one, is nobody's merit. */
	ratio(r, "coverage", met - (double)(b->avoided_direct + b->avoided_side),
	      (double)a->f_base - (double)(b->avoided_direct + b->avoided_side));
	ratio(r, "accuracy_lo", used, (double)(a->built + a->unknown + a->use_unknown));
	ratio(r, "accuracy_hi", used, (double)a->built);
	ratio(r, "lateness", late, late + (double)a->used_timely);
	if (rec->stats.has_exits)
		real(r, "helper_busy_s", (double)a->helper_busy_ns / 1e9);
	else
		empty(r, "helper_busy_s");
}

/* Without kvm_entry nothing says when the guest ran. */
static void fill_time(struct spht_row *r, const struct spht_recording *rec,
		      const struct spht_run_options *opt, const struct spht_result *res)
{
	const struct spht_account *a = &res->world[opt->knowledge];
	struct spht_result_time t;

	spht_result_time(&t, res, opt->knowledge, &opt->costs,
			 spht_run_cost_scale(rec, &opt->costs));
	if (!rec->stats.has_exits || !a->base_ns) {
		empty(r, "lock_wait_s");
		empty(r, "helper_lock_wait_s");
		empty(r, "time_base_s");
		empty(r, "time_helped_s");
		empty(r, "speedup_pct");
		empty(r, "speedup_bound_pct");
		return;
	}
	real(r, "lock_wait_s", (double)a->lock_wait_ns / 1e9);
	real(r, "helper_lock_wait_s", (double)a->helper_wait_ns / 1e9);
	real(r, "time_base_s", t.base / 1e9);
	real(r, "time_helped_s", t.helped / 1e9);
	real(r, "speedup_pct", t.speedup_pct);
	real(r, "speedup_bound_pct", t.bound_pct);
}

/* A ratio of counts that stand beside it, of the world whose books the row shows. */
static void score_ratio(struct spht_row *r, const char *name, bool has, const uint64_t of[2])
{
	if (has)
		ratio(r, name, (double)of[0], (double)of[1]);
	else
		empty(r, name);
}

/* What the world made of guest entries, against the recording's snapshots of them. */
static void fill_score(struct spht_row *r, const struct spht_score *s, bool has,
		       enum spht_world world)
{
	static const char *const names[SPHT_SCORE_SETS][10] = {
		{"score_absent_right", "score_absent_wrong", "score_present_wrong",
		 "score_present_right", "score_nothing_absent", "score_nothing_present",
		 "score_absent_precision", "score_absent_recall", "score_present_precision",
		 "score_present_recall"},
		{"near_absent_right", "near_absent_wrong", "near_present_wrong",
		 "near_present_right", "near_nothing_absent", "near_nothing_present",
		 "near_absent_precision", "near_absent_recall", "near_present_precision",
		 "near_present_recall"},
	};

	for (unsigned int set = 0; set < SPHT_SCORE_SETS; set++) {
		const uint64_t *n = &s->n[world][set][0][0];
		uint64_t of[2];

		for (unsigned int i = 0; i < 6; i++) {
			if (has)
				count(r, names[set][i], n[i]);
			else
				empty(r, names[set][i]);
		}
		for (unsigned int present = 0; present < 2; present++) {
			spht_score_precision(s, world, set, present, of);
			score_ratio(r, names[set][6 + 2 * present], has, of);
			spht_score_recall(s, world, set, present, of);
			score_ratio(r, names[set][7 + 2 * present], has, of);
		}
	}
}

static void fill_snapshots(struct spht_row *r, const struct spht_recording *rec,
			   const struct spht_run_options *opt, const struct spht_result *res)
{
	const struct spht_account *a = &res->world[SPHT_WORLD_INFERRED];
	uint64_t left = a->left_undecided + a->left_refault + a->left_rule;
	bool has = rec->stats.snaps.taken;

	text(r, "snapshots", has ? spht_snap_mode_name(rec->snap_mode) : "");
	if (has) {
		count(r, "snapshots_taken", rec->stats.snaps.taken);
		count(r, "presence_asked", a->asked_presence);
		count(r, "presence_undecided", a->left_undecided);
		count(r, "presence_refault", a->left_refault);
		count(r, "presence_by_rule", a->left_rule);
	} else {
		empty(r, "snapshots_taken");
		empty(r, "presence_asked");
		empty(r, "presence_undecided");
		empty(r, "presence_refault");
		empty(r, "presence_by_rule");
	}
	ratio(r, "left_to_inference_pct", 100 * (double)left, (double)a->asked_presence);
	fill_score(r, &rec->score, has && rec->snap_mode == SPHT_SNAP_SCORE, opt->knowledge);
}

void spht_row_fill(struct spht_row *r, const struct spht_recording *rec,
		   const struct spht_run_options *opt, const struct spht_result *res,
		   const char *vm)
{
	const struct spht_fidelity *f = spht_observed_fidelity(rec->observed);
	struct spht_fidelity_sides sides;
	uint64_t agreed, all;

	r->nr = 0;
	fill_provenance(r, rec, opt, vm);
	fill_config(r, rec, opt, res);
	fill_exits(r, &rec->counted, opt, &res->world[opt->knowledge]);
	fill_avoided(r, opt, res);
	fill_books(r, rec, &res->world[opt->knowledge], &res->baseline[opt->knowledge]);
	fill_time(r, rec, opt, res);
	spht_fidelity_score(f, &agreed, &all);
	spht_fidelity_sides(f, &sides);
	ratio(r, "fidelity_pct", 100.0 * (double)agreed, (double)all);
	ratio(r, "fidelity_absent_pct", 100.0 * (double)sides.absent[0], (double)sides.absent[1]);
	ratio(r, "fidelity_present_pct", 100.0 * (double)sides.present[0],
	      (double)sides.present[1]);
	count(r, "inferred", f->drops[SPHT_DROP_SYNCED] + f->drops[SPHT_DROP_FLUSHED]);
	count(r, "unexplained", f->drops[SPHT_DROP_UNEXPLAINED]);
	count(r, "unknown_start", f->unknown_start);
	count(r, "unmodelled", f->unmodelled);
	fill_snapshots(r, rec, opt, res);
}

static double mean(const struct spht_histogram *h)
{
	uint64_t n = spht_histogram_count(h);

	return n ? (double)h->sum / (double)n : 0;
}

static void fill_real(struct spht_row *r, const struct spht_real_plan *p,
		      const struct spht_real_run *m)
{
	if (p->pace > 0 && p->pace != 1)
		real(r, "pace", p->pace);
	else
		text(r, "pace", p->pace > 0 ? "recorded" : "max");
	count(r, "cpu_vcpu", (uint64_t)p->cpus.vcpu);
	count(r, "cpu_helper", (uint64_t)p->cpus.helper);
	text(r, "smt", p->cpus.siblings ? "yes" : "no");
	real(r, "elapsed_s", (double)m->elapsed_ns / 1e9);
	real(r, "lag_mean_ns", mean(&m->lag));
	count(r, "lag_most_ns", m->lag.most);
	real(r, "queue_delay_mean_ns", mean(&m->queue));
	count(r, "queue_delay_most_ns", m->queue.most);
	count(r, "slips", m->slips);
	real(r, "slipped_s", (double)m->slipped_ns / 1e9);
	count(r, "vcpu_switches", m->vcpu.switches);
	count(r, "helper_switches", m->helper.switches);
	real(r, "vcpu_stalled_s", (double)m->vcpu.stalled_ns / 1e9);
	real(r, "helper_stalled_s", (double)m->helper.stalled_ns / 1e9);
	real(r, "vcpu_books_wait_s", (double)m->vcpu.books_wait_ns / 1e9);
	real(r, "helper_books_wait_s", (double)m->helper.books_wait_ns / 1e9);
	text(r, "disturbed", spht_real_is_disturbed(m) ? "yes" : "no");
}

/* What only one world was asked for, and what is measured and not computed. */
static void amend(struct spht_row *r, enum spht_world knowledge)
{
	static const char *const of[SPHT_WORLD_NR] = {
		[SPHT_WORLD_STRICT] = "avoided_lo",
		[SPHT_WORLD_INFERRED] = "avoided",
		[SPHT_WORLD_OPTIMISTIC] = "avoided_hi",
	};

	for (unsigned int i = 0; i < r->nr; i++) {
		struct spht_field *f = &r->f[i];

		if (!strcmp(f->name, "clock"))
			snprintf(f->own, sizeof(f->own), "real");
		if (!strcmp(f->name, "bounds"))
			f->kind = SPHT_FIELD_EMPTY;
		for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
			if (w != knowledge && !strcmp(f->name, of[w]))
				f->kind = SPHT_FIELD_EMPTY;
	}
}

void spht_row_fill_repetition(struct spht_row *r, const struct spht_recording *rec,
			      const struct spht_run_options *opt, const struct spht_result *res,
			      unsigned int i, const char *vm)
{
	struct spht_result one;

	spht_result_of_repetition(&one, res, i, opt->knowledge);
	spht_row_fill(r, rec, opt, &one, vm);
	amend(r, opt->knowledge);
	count(r, "repetition", i + 1);
	count(r, "repetitions", res->nr_reps);
	count(r, "warmup_runs", opt->real->warmups);
	fill_real(r, opt->real, &res->reps[i].run);
}

/* Which result of which recording an interval's row is a part of. */
static void fill_phase_whose(struct spht_row *r, const struct spht_recording *rec,
			     const struct spht_run_options *opt, const struct spht_result *res)
{
	text(r, "schema", SPHT_CSV_SCHEMA);
	text(r, "trace", basename_of(rec->path));
	text(r, "roi", rec->roi.text);
	text(r, "warmup", rec->roi.warmup);
	fill_spec(r, res->spec);
	text(r, "knowledge", spht_world_name(opt->knowledge));
	real(r, "guest_time_scale", res->scale);
}

static void fill_phase_fidelity(struct spht_row *r, const struct spht_fidelity *f)
{
	struct spht_fidelity_sides s;

	spht_fidelity_sides(f, &s);
	count(r, "fidelity_absent_agreed", s.absent[0]);
	count(r, "fidelity_absent_all", s.absent[1]);
	count(r, "fidelity_present_agreed", s.present[0]);
	count(r, "fidelity_present_all", s.present[1]);
	count(r, "pages_found_right", f->get_page[1][0]);
	count(r, "pages_found_all", f->get_page[1][0] + f->get_page[0][0]);
	count(r, "pages_created_right", f->get_page[0][1]);
	count(r, "pages_created_all", f->get_page[0][1] + f->get_page[1][1]);
	count(r, "drops_changed", f->drops[SPHT_DROP_CHANGED]);
	count(r, "drops_synced", f->drops[SPHT_DROP_SYNCED]);
	count(r, "drops_flushed", f->drops[SPHT_DROP_FLUSHED]);
	count(r, "drops_unexplained", f->drops[SPHT_DROP_UNEXPLAINED]);
	count(r, "unknown_start", f->unknown_start);
	count(r, "unmodelled", f->unmodelled);
}

void spht_row_fill_phase(struct spht_row *r, const struct spht_recording *rec,
			 const struct spht_run_options *opt, const struct spht_result *res,
			 uint32_t i)
{
	const struct spht_phases *p = &rec->phases;
	struct spht_result part = {.counterfactual = res->counterfactual};
	const struct spht_account *a = &part.world[opt->knowledge];
	uint64_t to = p->start + (i + 1) * p->length_ns;

	spht_part_account(&res->parts[i], &part.world[opt->knowledge]);
	spht_part_account(&res->base_parts[i], &part.baseline[opt->knowledge]);
	r->nr = 0;
	fill_phase_whose(r, rec, opt, res);
	r->whose = r->nr;
	count(r, "interval", i);
	real(r, "from_s", (double)(i * p->length_ns) / 1e9);
	real(r, "to_s", (double)((to < p->end ? to : p->end) - p->start) / 1e9);
	fill_exits(r, &p->v[i].exits, opt, a);
	count(r, "f_base", a->f_base);
	count(r, "avoided_direct", a->avoided_direct);
	count(r, "avoided_side", a->avoided_side);
	count(r, "remaining", a->remaining);
	count(r, "new_exits_lo", a->new_exits_lo);
	count(r, "new_exits_hi", a->new_exits_hi);
	count(r, "helper_exits", a->helper_exits);
	count(r, "built", a->built);
	fill_time(r, rec, opt, &part);
	fill_phase_fidelity(r, &p->v[i].fidelity);
}

/* Bins of slack that any world has something in; at least one where there is a clock. */
static unsigned int slack_bins(const struct spht_recording *rec, const struct spht_result *res)
{
	unsigned int nr = rec->stats.has_exits;

	for (unsigned int b = 0; rec->stats.has_exits && b < SPHT_SLACK_BINS; b++)
		for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
			if (res->world[w].slack[b])
				nr = b + 1;
	return nr;
}

unsigned int spht_row_bins(const struct spht_recording *rec, const struct spht_run_options *opt,
			   const struct spht_result *res)
{
	unsigned int nr = slack_bins(rec, res);

	/* Without a clock one row says that there is nothing. */
	return (nr ? nr : 1) + (opt->curve ? SPHT_CURVE_POINTS : 0);
}

static const char *const bin_count[SPHT_WORLD_NR] = {
	[SPHT_WORLD_STRICT] = "count_strict",
	[SPHT_WORLD_INFERRED] = "count_inferred",
	[SPHT_WORLD_OPTIMISTIC] = "count_optimistic",
};

void spht_row_fill_bin(struct spht_row *r, const struct spht_recording *rec,
		       const struct spht_run_options *opt, const struct spht_result *res,
		       const char *vm, unsigned int i)
{
	unsigned int nr = slack_bins(rec, res), point = i - (nr ? nr : 1);
	bool slack = i < nr, none = !nr && !i;

	r->nr = 0;
	fill_provenance(r, rec, opt, vm);
	fill_config(r, rec, opt, res);
	text(r, "quantity", slack || none ? "slack" : "latency");
	if (none)
		empty(r, "from_ns");
	else
		count(r, "from_ns", !slack ? spht_curve_ns[point] : i ? 1ull << i : 0);
	/* The last bin has no end, and a point of the curve none either. */
	if (slack && i + 1 < SPHT_SLACK_BINS)
		count(r, "to_ns", 2ull << i);
	else
		empty(r, "to_ns");
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
		if (none)
			empty(r, bin_count[w]);
		else
			count(r, bin_count[w],
			      slack ? res->world[w].slack[i] : res->world[w].curve[point]);
	}
}
