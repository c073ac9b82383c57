// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a recording lacks, and which results suffer.  The replayer decides in
 * the end; this list only spares the surprise.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "info.h"

struct missing {
	const struct info *info;
	info_missing_fn *fn;
	void *arg;
	enum info_weight weight; /* told now */
};

static void tell(const struct missing *m, enum info_weight weight, const char *what,
		 const char *effect)
{
	if (weight == m->weight)
		m->fn(m->arg, weight, what, effect);
}

/* Events without which something cannot be said. */
static const struct {
	enum spht_event_id id;
	enum info_weight weight;
	const char *effect;
} needed[] = {
	{SPHT_EV_PAGETABLE_WALK, INFO_FATAL, "guest page tables are unknown: not replayable"},
	{SPHT_EV_PAGING_ELEMENT, INFO_FATAL, "guest page tables are unknown: not replayable"},
	{SPHT_EV_GET_PAGE, INFO_FATAL, "shadow pages are unknown: not replayable"},
	{SPHT_EV_SET_SPTE, INFO_MISSING,
	 "what KVM installed and prefetched is guessed: no fidelity"},
	{SPHT_EV_SPTE_REQUESTED, INFO_MISSING,
	 "hidden, huge and spurious faults cannot be told apart"},
	{SPHT_EV_PREPARE_ZAP_PAGE, INFO_MISSING, "the end of shadow pages is unknown"},
	{SPHT_EV_UNSYNC_PAGE, INFO_MISSING, "pf_ptwrite_unsync cannot be told from pf_hidden"},
	{SPHT_EV_WALKER_ERROR, INFO_MISSING, "guest faults (pf_guest) cannot be told apart"},
	{SPHT_EV_EXIT, INFO_MISSING,
	 "exits_total, pf_retry and time columns stay empty; windows come from walks"},
	{SPHT_EV_ENTRY, INFO_MISSING, "exits have no end: time columns stay empty"},
	{SPHT_EV_PAGE_FAULT, INFO_NOTE, "error codes come from kvm_exit or the walk alone"},
	{SPHT_EV_INJ_EXCEPTION, INFO_NOTE, "guest faults rest on walker errors alone"},
	{SPHT_EV_EMULATE_INSN, INFO_MISSING, "pf_ptwrite_emul cannot be told apart"},
	{SPHT_EV_CR, INFO_NOTE, "address-space switches are inferred from shadow roots and walks"},
	{SPHT_EV_PIO, INFO_NOTE, "no marks of the guest: no regions to name"},
};

static void missing_events(const struct missing *m)
{
	size_t i;
	unsigned int t;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		const char *state = "not recorded";
		char what[64];

		if (info_count(m->info, needed[i].id))
			continue;
		for (t = 0; t < m->info->nr_types; t++)
			if (m->info->types[t].id == needed[i].id)
				state = "none seen";
		snprintf(what, sizeof(what), "%s (%s)", spht_event_name(needed[i].id), state);
		tell(m, needed[i].weight, what, needed[i].effect);
	}
}

static void missing_paging(const struct missing *m)
{
	const struct info *info = m->info;
	uint64_t tdp = info_count(info, SPHT_EV_TDP_SPTE_CHANGED);
	uint64_t other = info->modes[2] + info->modes[3] + info->modes[5];
	char effect[160];

	if (tdp || info->tdp_exits) {
		snprintf(effect, sizeof(effect),
			 "an EPT/NPT guest (%" PRIu64 " kvm_tdp_mmu_spte_changed, %" PRIu64
			 " EPT/NPF exits): not replayable",
			 tdp, info->tdp_exits);
		tell(m, INFO_FATAL, "shadow paging", effect);
	}
	if (other) {
		bool most = other > (info->modes[4] + other) / 100;

		snprintf(effect, sizeof(effect),
			 "walks under 32-bit %" PRIu64 ", PAE %" PRIu64 ", 5-level %" PRIu64
			 " tables %s",
			 info->modes[2], info->modes[3], info->modes[5],
			 most ? "are more than 1 %: not replayable" : "are left out");
		tell(m, most ? INFO_FATAL : INFO_NOTE, "4-level paging throughout", effect);
	}
}

static void missing_time(const struct missing *m)
{
	const json_t *real = json_object_get(m->info->header, "clock_real");

	if (json_is_false(real))
		tell(m, INFO_MISSING, "real time",
		     "an emulated machine's clock: order is exact, durations are scaled");
	else if (!json_is_true(real))
		tell(m, INFO_MISSING, "clock_real",
		     "nobody said whether durations are real: time columns stay empty");
}

static void missing_header(const struct missing *m)
{
	const json_t *header = m->info->header, *kvm = json_object_get(header, "kvm");
	uint64_t notified = info_count(m->info, SPHT_EV_UNMAP_HVA_RANGE) +
			    info_count(m->info, SPHT_EV_SET_SPTE_HVA);
	char effect[128];

	if (!json_is_string(json_object_get(json_object_get(header, "host"), "kernel")))
		tell(m, INFO_MISSING, "host kernel", "the layout of role words is not known");
	if (!info_said(m->info, "memslots") && !json_object_get(kvm, "memslots")) {
		snprintf(effect, sizeof(effect),
			 "%" PRIu64 " notifier events cannot be mapped to guest pages", notified);
		tell(m, notified ? INFO_MISSING : INFO_NOTE, "memslots", effect);
	}
	if (!json_object_get(kvm, "stats") && !json_object_get(m->info->footer, "kvm_stats"))
		tell(m, INFO_NOTE, "debugfs counters",
		     "totals cannot be compared with KVM's own (pf_taken, ...)");
	if (!json_object_get(kvm, "prefetch_window"))
		tell(m, INFO_NOTE, "KVM's prefetch window",
		     "derived from the recorded groups by spht-replay");
}

static void missing_vcpus(const struct missing *m)
{
	if (!m->info->vcpu_threads)
		tell(m, INFO_MISSING, "vCPU numbers",
		     "each thread that walks guest tables is taken for a vCPU");
	if (m->info->vcpu_twice)
		tell(m, INFO_MISSING, "one VM",
		     "two threads name the same vCPU: spht-replay needs --vm");
}

static void missing_events_lost(const struct missing *m)
{
	const struct info *info = m->info;
	const json_t *cut = json_object_get(info->header, "cut");

	if (info->gaps)
		tell(m, INFO_MISSING, "lost events",
		     "state after a gap is unknown until it is rebuilt");
	if (cut)
		tell(m, INFO_NOTE, "what came before the cut",
		     "what the preamble does not hold is unknown_start, outside fidelity");
	if (!info->complete)
		tell(m, INFO_MISSING, "the rest of the file",
		     "read incompletely: trace_complete=no, exit status 4");
}

void info_missing(const struct info *info, info_missing_fn *fn, void *arg)
{
	struct missing m = {info, fn, arg, INFO_FATAL};

	/* The worst first. */
	for (;; m.weight--) {
		missing_paging(&m);
		missing_events_lost(&m);
		missing_events(&m);
		missing_vcpus(&m);
		missing_time(&m);
		missing_header(&m);
		if (m.weight == INFO_NOTE)
			break;
	}
}
