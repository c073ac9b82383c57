// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <string.h>

#include "replay/plugin.h"
#include "replay/report.h"

static void side(FILE *out, const char *name, const uint64_t checks[2])
{
	fprintf(out, "%s ", name);
	if (checks[1])
		fprintf(out, "%.3f %% of %" PRIu64, 100.0 * (double)checks[0] / (double)checks[1],
			checks[1]);
	else
		fprintf(out, "never asked");
}

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void class_line(FILE *out, const char *name, uint64_t n, uint64_t pf, const char *note)
{
	fprintf(out, "  %-18s %12" PRIu64 "  %5.1f %%  %s\n", name, n, percent(n, pf), note);
}

static void text_exits(FILE *out, const struct spht_assemble_stats *st)
{
	const uint64_t *c = st->by_class;
	uint64_t pf = 0;

	for (unsigned int i = SPHT_CLASS_MMIO; i < SPHT_CLASS_NR; i++)
		pf += c[i];
	if (st->has_exits)
		fprintf(out,
			"exits        %" PRIu64 " complete, %" PRIu64
			" cut off at the ends; %" PRIu64 " page faults:\n",
			st->exits_total, st->exits_incomplete, pf);
	else
		fprintf(out, "exits        not recorded (kvm_pvm); %" PRIu64 " fault windows:\n",
			pf);
	class_line(out, "hidden", c[SPHT_CLASS_HIDDEN], pf,
		   "the guest's table had the answer, the shadow table had not");
	class_line(out, "huge", c[SPHT_CLASS_HUGE], pf, "the same under a guest large page");
	class_line(out, "ad", c[SPHT_CLASS_AD], pf, "the same, setting an accessed or dirty bit");
	class_line(out, "guest", c[SPHT_CLASS_GUEST], pf, "the guest's own faults");
	class_line(out, "ptwrite_emul", c[SPHT_CLASS_PTWRITE_EMUL], pf,
		   "stores to guest page tables, emulated");
	class_line(out, "ptwrite_unsync", c[SPHT_CLASS_PTWRITE_UNSYNC], pf,
		   "stores to guest page tables, let through");
	class_line(out, "mmio", c[SPHT_CLASS_MMIO], pf,
		   "accesses to where the guest has no memory");
	class_line(out, "spurious", c[SPHT_CLASS_SPURIOUS], pf, "there was nothing to do any more");
	class_line(out, "retry", c[SPHT_CLASS_RETRY], pf, "KVM gave up, the guest tries again");
	fprintf(out, "  of hidden and ad, %" PRIu64 " follow a guest fault on the page (refault)\n",
		st->refault);
	if (st->mode_skipped)
		fprintf(out, "  %" PRIu64 " more under other paging modes: skipped\n",
			st->mode_skipped);
}

static void text_fidelity(FILE *out, const struct spht_fidelity *f)
{
	struct spht_fidelity_sides s;
	uint64_t agreed, all, pages[2], foreseen = 0, refuted = 0;

	spht_fidelity_score(f, &agreed, &all);
	spht_fidelity_sides(f, &s);
	fprintf(out, "fidelity     ");
	if (all) {
		fprintf(out, "%.3f %% of %" PRIu64 " checks (", percent(agreed, all), all);
		side(out, "absent", s.absent);
		side(out, ", present", s.present);
		fprintf(out, ")\n");
	} else {
		fprintf(out, "nothing to check\n");
	}
	if (!spht_fidelity_passes(f))
		fprintf(out,
			"  THE MODEL DOES NOT EXPLAIN THIS RECORDING: below %d %% on one side; do "
			"not "
			"quote its results\n",
			SPHT_FIDELITY_MIN_PERCENT);
	spht_fidelity_pages(f, pages);
	if (pages[1])
		fprintf(out,
			"  shadow pages: %.3f %% of %" PRIu64 " were made or found as expected\n",
			percent(pages[0], pages[1]), pages[1]);
	for (unsigned int d = SPHT_DERIVED_NOTHING + 1; d < SPHT_DERIVED_NR; d++) {
		foreseen += f->derived[d][0] + f->derived[d][1];
		refuted += f->derived[d][1];
	}
	fprintf(out,
		"  silent drops: %" PRIu64 " foreseen (%" PRIu64 " of them refuted); %" PRIu64
		" by evidence, %" PRIu64 " inferred, %" PRIu64 " unexplained; %" PRIu64
		" checks of unknown start left out\n",
		foreseen, refuted, f->drops[SPHT_DROP_CHANGED],
		f->drops[SPHT_DROP_SYNCED] + f->drops[SPHT_DROP_FLUSHED],
		f->drops[SPHT_DROP_UNEXPLAINED], f->unknown_start);
	if (f->unmodelled)
		fprintf(out,
			"  NOT MODELLED: %" PRIu64
			" of the hidden, huge and ad faults, under a root "
			"that was made before the recording: nothing is known to be avoidable "
			"there; "
			"record from before the VM starts\n",
			f->unmodelled);
}

/* KVM counts a page fault when it handles one; a hit in its MMIO cache comes before that. */
static void text_counters(FILE *out, const struct spht_recording *r)
{
	if (r->has_pf_taken)
		fprintf(out,
			"counters     KVM's pf_taken rose by %" PRIu64 ", %" PRIu64
			" faults were recorded meanwhile: difference %+" PRId64 " (and %" PRIu64
			" on cached MMIO, which it does not count)\n",
			r->pf_taken, r->pf_counted, (int64_t)(r->pf_taken - r->pf_counted),
			r->pf_mmio);
}

/* Shadow pages: how many there may be, and what KVM counted of their zaps. */
static void text_pages(FILE *out, const struct spht_recording *r)
{
	static const char *const from[] = {
		[SPHT_LIMIT_GIVEN] = "as given",
		[SPHT_LIMIT_HEADER] = "from its memslots",
		[SPHT_LIMIT_SEEN] = "from recorded recycling",
	};
	const struct spht_fidelity *f = spht_observed_fidelity(r->observed);
	uint64_t most = spht_observed_mmu(r->observed)->nr_most;

	if (r->mmu_pages_from == SPHT_LIMIT_NONE)
		fprintf(out,
			"shadow pages at most %" PRIu64
			" at once; no recycling seen: no limit (--mmu-pages)\n",
			most);
	else
		fprintf(out, "shadow pages at most %" PRIu64 " at once, limit %u (%s)\n", most,
			r->mmu_pages, from[r->mmu_pages_from]);
	if (r->zaps.known)
		fprintf(out,
			"counters     KVM's mmu_shadow_zapped rose by %" PRIu64 " (%" PRIu64
			" recorded), mmu_flooded by %" PRIu64 " (%" PRIu64 " of %" PRIu64
			" derived), mmu_recycled by %" PRIu64 " (%" PRIu64 " of %" PRIu64 ")\n",
			r->zaps.zapped, r->zaps.recorded, r->zaps.flooded,
			f->zaps[SPHT_ZAP_FLOODED][1][1],
			f->zaps[SPHT_ZAP_FLOODED][1][1] + f->zaps[SPHT_ZAP_FLOODED][0][1],
			r->zaps.recycled, f->zaps[SPHT_ZAP_RECYCLED][1][1],
			f->zaps[SPHT_ZAP_RECYCLED][1][1] + f->zaps[SPHT_ZAP_RECYCLED][0][1]);
}

static void text_region(FILE *out, const struct spht_recording *r)
{
	uint64_t start = r->stats.t_first;
	const struct spht_roi *roi = &r->roi;

	fprintf(out, "region       %s%s%s%s: from %.3f s ", roi->text,
		*roi->text && *roi->warmup ? " after " : "", *roi->warmup ? "a warm-up of " : "",
		roi->warmup, roi->from ? (double)(roi->from - start) / 1e9 : 0.0);
	if (r->roi.to == UINT64_MAX)
		fprintf(out, "to the end");
	else
		fprintf(out, "to %.3f s", (double)(r->roi.to - start) / 1e9);
	fprintf(out, "; what is outside is replayed and does not count\n");
}

void spht_text_recording(FILE *out, const struct spht_recording *r)
{
	const struct spht_assemble_stats *st = &r->stats;
	const struct spht_fidelity *f = spht_observed_fidelity(r->observed);

	fprintf(out, "recording    %s (%" PRIu64 " events, %.3f s, %u vCPU%s)\n", r->path,
		st->events, (double)(st->t_last - st->t_first) / 1e9, st->vcpus,
		st->vcpus == 1 ? "" : "s");
	fprintf(out, "host         Linux %s; guest %s\n", r->host_kernel,
		*r->guest_kernel ? r->guest_kernel : "not described");
	fprintf(out, "baseline     KVM's own prefetch window %u%s%s\n", r->window,
		r->window_derived ? " (from the recorded groups)" : "",
		r->window > 1       ? ": results are beyond it"
		: r->window_derived ? ": every first touch shows, if this KVM's is no larger"
				    : ": every first touch shows");
	if (!st->has_exits)
		fprintf(out,
			"clock        kvm_pvm: only the times between faults are known, what is "
			"late is a guess; try other --guest-time-scale\n");
	else if (r->clock_real)
		fprintf(out, "clock        real: recorded durations\n");
	else
		fprintf(out, "clock        %s: order only, times scaled\n",
			r->clock_known ? "emulated" : "not said to be real");
	if (st->preamble)
		fprintf(out, "cut          %" PRIu64 " preamble events from before its window\n",
			st->preamble);
	if (r->notifier_events)
		fprintf(out,
			"ignored      %" PRIu64
			" host unmaps: without memslots they map to no guest page\n",
			r->notifier_events);
	if (st->lost_events || st->lost_unknown)
		fprintf(out,
			"LOST         %" PRIu64 " events, and %" PRIu64
			" gaps of unknown size: results around them are guesses\n",
			st->lost_events, st->lost_unknown);
	if (!r->complete)
		fprintf(out,
			"INCOMPLETE   the file has no valid end: read as far as it is whole\n");
	if (st->unknown_events)
		fprintf(out, "skipped      %" PRIu64 " events of unknown tracepoints\n",
			st->unknown_events);
	if (st->unordered)
		fprintf(out,
			"UNORDERED    %" PRIu64
			" pieces of work: a thread was away for too long to wait for\n",
			st->unordered);
	if (spht_roi_given(&r->roi))
		text_region(out, r);
	text_exits(out, &r->counted);
	text_counters(out, r);
	text_pages(out, r);
	spht_text_snapshots(out, r);
	text_fidelity(out, f);
}

/* Direct ones only: what came along beside them is in none of the points. */
static void text_curve(FILE *out, const struct spht_result *res)
{
	fprintf(out, "  latency, us       avoided directly: strict, inferred, optimistic\n");
	for (unsigned int i = 0; i < SPHT_CURVE_POINTS; i++)
		fprintf(out, "  %11.10g %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n",
			(double)spht_curve_ns[i] / 1000, res->world[SPHT_WORLD_STRICT].curve[i],
			res->world[SPHT_WORLD_INFERRED].curve[i],
			res->world[SPHT_WORLD_OPTIMISTIC].curve[i]);
}

/* Amdahl's bound: all of F_base costs nothing, and nothing else changes. */
static void text_time(FILE *out, const struct spht_recording *rec,
		      const struct spht_run_options *opt, const struct spht_result *res)
{
	struct spht_result_time t;

	/* Without kvm_entry nothing says when the guest ran. */
	if (!rec->stats.has_exits || !res->world[opt->knowledge].base_ns)
		return;
	spht_result_time(&t, res, opt->knowledge, &opt->costs,
			 spht_run_cost_scale(rec, &opt->costs));
	fprintf(out,
		"  time              %.3f s, %.3f s with the helper: %+.2f %% speed-up; %+.2f %% "
		"if all "
		"these faults were free\n",
		t.base / 1e9, t.helped / 1e9, t.speedup_pct, t.bound_pct);
}

void spht_text_heading(FILE *out, const struct spht_result *res)
{
	char params[SPHT_SPEC_TEXT];

	spht_spec_format(res->spec, params, sizeof(params));
	fprintf(out, "\n%s%s%s  (guest time x %g)\n", res->spec->h->name, *params ? " " : "",
		params, res->scale);
	if (res->spec->plugin)
		fprintf(out, "  plugin            %s, sha256 %s\n", res->spec->plugin->file,
			res->spec->plugin->sha256);
}

void spht_text_result(FILE *out, const struct spht_recording *rec,
		      const struct spht_run_options *opt, const struct spht_result *res)
{
	const struct spht_account *a = &res->world[opt->knowledge];
	double v[SPHT_WORLD_NR], avoidable;

	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
		v[w] = spht_result_gain(res, w, &opt->costs);
	avoidable = spht_result_avoidable(res, opt->knowledge, &opt->costs);
	spht_text_heading(out, res);
	fprintf(out,
		"  avoided exits     %.10g  (strict %.10g, optimistic %.10g) of %" PRIu64
		" hidden, huge and ad faults: %.2f %%\n",
		v[SPHT_WORLD_INFERRED], v[SPHT_WORLD_STRICT], v[SPHT_WORLD_OPTIMISTIC], a->f_base,
		a->f_base ? 100 * v[SPHT_WORLD_INFERRED] / (double)a->f_base : 0);
	fprintf(out,
		"  %s world:  %" PRIu64 " direct + %" PRIu64 " side; charged: %" PRIu64 "..%" PRIu64
		" new exits, %" PRIu64 " helper exits; %" PRIu64 " remain\n",
		spht_world_name(opt->knowledge), a->avoided_direct, a->avoided_side,
		a->new_exits_lo, a->new_exits_hi, a->helper_exits, a->remaining);
	if (avoidable > 0)
		fprintf(out, "  oracle            %.10g avoidable; this is %.2f %% of it\n",
			avoidable, 100 * v[opt->knowledge] / avoidable);
	else
		fprintf(out, "  oracle            nothing avoidable\n");
	if (res->counterfactual)
		fprintf(out,
			"  baseline          KVM as asked for avoids %.10g of them itself; what is "
			"above is beyond that\n",
			spht_result_avoided(&res->baseline[opt->knowledge], opt->knowledge,
					    &opt->costs));
	if (a->used_carry)
		fprintf(out,
			"  of the direct, %" PRIu64 " met what was asked for before the region\n",
			a->used_carry);
	text_time(out, rec, opt, res);
	if (opt->curve)
		text_curve(out, res);
	if (!a->generated)
		return;
	fprintf(out,
		"  requests          %" PRIu64 ": %" PRIu64 " duplicate, %" PRIu64
		" illegal, %" PRIu64 " unknown, %" PRIu64 " queue full, %" PRIu64
		" overtaken, %" PRIu64 " issued\n",
		a->generated, a->duplicate, a->illegal, a->unknown, a->queue_full,
		a->cancelled_demand + a->cancelled_zap, a->issued);
	fprintf(out,
		"  built             %" PRIu64 ": %" PRIu64 " used in time, %" PRIu64
		" late, %" PRIu64 " too weak, %" PRIu64 " use not visible, %" PRIu64
		" zapped, %" PRIu64 " unused\n",
		a->built, a->used_timely, a->used_late, a->used_weak, a->use_unknown,
		a->zapped_unused + a->evicted_unused, a->lost_epoch + a->resident_unused);
	spht_text_left(out, &res->world[SPHT_WORLD_INFERRED]);
	if (rec->stats.has_exits)
		fprintf(out, "  helper            %.3f s busy\n", (double)a->helper_busy_ns / 1e9);
}

static void explain_class(FILE *out, const struct spht_fidelity *f, enum spht_class c)
{
	fprintf(out, "  %-8s", spht_class_name(c));
	for (unsigned int hw = 0; hw < 2; hw++)
		for (unsigned int b = 0; b < SPHT_BELIEF_NR; b++)
			fprintf(out, " %12" PRIu64, f->pbit[c][hw][b]);
	fputc('\n', out);
}

/* Drops that the model foresaw, by cause, and what came of it. */
static void explain_derived(FILE *out, const struct spht_fidelity *f)
{
	static const char *const causes[SPHT_DERIVED_NR] = {
		[SPHT_DERIVED_FROZEN] = "other page or A=0; synced, write-protected since",
		[SPHT_DERIVED_SYNCED] = "other page; synced, written again since",
		[SPHT_DERIVED_FLUSHED] = "other page; INVLPG or CR3 load",
		[SPHT_DERIVED_BESIDE_WALK] = "beside one of these",
		[SPHT_DERIVED_BESIDE_GUEST] = "beside what a guest fault found gone",
		[SPHT_DERIVED_SNAPSHOT] = "by a snapshot of what the sync saw",
	};

	fprintf(out, "silent drops foreseen, by cause, and what was found there next:\n");
	for (unsigned int d = SPHT_DERIVED_NOTHING + 1; d < SPHT_DERIVED_NR; d++)
		if (d != SPHT_DERIVED_SNAPSHOT || f->derived[d][0] || f->derived[d][1])
			fprintf(out,
				"  %-48s  absent %8" PRIu64 "  present (refuted) %6" PRIu64 "\n",
				causes[d], f->derived[d][0], f->derived[d][1]);
}

/* Zaps that KVM's own rules lead to: derived against recorded. */
static void explain_zaps(FILE *out, const struct spht_fidelity *f)
{
	static const char *const name[SPHT_ZAP_NR] = {
		[SPHT_ZAP_RECYCLED] = "recycled",
		[SPHT_ZAP_FLOODED] = "flooded",
		[SPHT_ZAP_UPPER] = "unsync, upper now",
		[SPHT_ZAP_CHILD] = "unsync, below",
	};

	fprintf(out, "zaps         %18s %12s %12s  (derived by KVM's own rules)\n", "and recorded",
		"not recorded", "missed");
	for (unsigned int c = SPHT_ZAP_RECYCLED; c < SPHT_ZAP_NR; c++)
		fprintf(out, "  %-17s %11" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n", name[c],
			f->zaps[c][1][1], f->zaps[c][1][0], f->zaps[c][0][1]);
	fprintf(out, "  %" PRIu64 " others by the guest or the host\n",
		f->zaps[SPHT_ZAP_EXOGENOUS][0][1]);
}

void spht_text_explain(FILE *out, const struct spht_recording *r)
{
	const struct spht_fidelity *f = spht_observed_fidelity(r->observed);

	fprintf(out,
		"\ncheck 1: the hardware's P bit against what the model held before the fault\n"
		"  %-8s %12s %12s %12s %12s %12s %12s\n",
		"", "P=0 absent", "P=0 weak", "P=0 strong", "P=1 absent", "P=1 weak", "P=1 strong");
	explain_class(out, f, SPHT_CLASS_HIDDEN);
	explain_class(out, f, SPHT_CLASS_HUGE);
	explain_class(out, f, SPHT_CLASS_AD);
	fprintf(out, "  agreed: P=0 absent, P=1 weak\n");
	fprintf(out,
		"check 2: present, by proof         agreed %12" PRIu64 "  not %12" PRIu64
		"  (passed over by a prefetch group)\n",
		f->kept[0], f->kept[1]);
	fprintf(out,
		"                                   agreed %12" PRIu64 "  not %12" PRIu64
		"  (target of a spurious fault)\n",
		f->spurious[0], f->spurious[1]);
	fprintf(out, "check 3: prefetched, absent before agreed %12" PRIu64 "  not %12" PRIu64 "\n",
		f->prefetched[0], f->prefetched[1]);
	fprintf(out,
		"check 4: shadow pages found %" PRIu64 " right, %" PRIu64 " wrong; created %" PRIu64
		" right, %" PRIu64 " wrong (outside the score)\n",
		f->get_page[1][0], f->get_page[0][0], f->get_page[0][1], f->get_page[1][1]);
	explain_derived(out, f);
	explain_zaps(out, f);
	spht_text_score(out, r);
	fprintf(out,
		"silent drops: %" PRIu64 " the walk shows another mapping; %" PRIu64
		" a sync came in between; %" PRIu64 " a flush came in between; %" PRIu64
		" unexplained\n",
		f->drops[SPHT_DROP_CHANGED], f->drops[SPHT_DROP_SYNCED],
		f->drops[SPHT_DROP_FLUSHED], f->drops[SPHT_DROP_UNEXPLAINED]);
	fprintf(out,
		"outside: %" PRIu64 " unknown start, %" PRIu64 " unmodelled, %" PRIu64
		" SPTEs on unknown frames, %" PRIu64
		" SPTEs of a guest not in 4-level paging, %" PRIu64
		" pages resolved otherwise than KVM did, %" PRIu64
		" faults under a root not told, %" PRIu64
		" guest pages that too many SPTEs mapped\n",
		f->unknown_start, f->unmodelled, f->unbound, f->other_mode, f->role_mismatch,
		f->root_unknown, f->rmap_recycled);
}
