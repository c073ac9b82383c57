/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_WHAT_IF_SCRIPT_H
#define SPHT_TEST_WHAT_IF_SCRIPT_H

#include "what_if.h"

/* Recordings small enough to work out by hand, and a heuristic that asks for what the test says. */

#define STRICT     SPHT_WORLD_STRICT
#define INFERRED   SPHT_WORLD_INFERRED
#define OPTIMISTIC SPHT_WORLD_OPTIMISTIC

#define LONG_NS    1000000u /* enough for the helper to finish anything */

/* A heuristic that asks for a page at each fault on another: the test's script. */
struct script {
	uint64_t at, ask;
};

static const struct script *script;
static bool script_watches; /* and waits for the entries */

static inline void scripted(void *state, const int64_t *params, const struct spht_fault *fault,
			    struct spht_host *host)
{
	(void)state;
	(void)params;
	for (const struct script *s = script; s->at; s++)
		if (s->at == fault->vpn)
			(script_watches ? spht_watch : spht_request)(host, fault->space, s->ask);
}

static const struct spht_heuristic script_heuristic = {
	.abi = SPHT_HEURISTIC_ABI,
	.struct_size = sizeof(struct spht_heuristic),
	.name = "script",
	.summary = "what the test says",
	.cite = "this file",
	.fault = scripted,
};

static inline struct spht_account run_script(const struct whatif *w, const struct script *s,
					     enum spht_world world)
{
	const struct spht_spec spec = {.h = &script_heuristic};

	script = s;
	return run_spec(w, &spec, world);
}

static inline struct spht_account run_watching(const struct whatif *w, const struct script *s,
					       enum spht_world world)
{
	struct spht_account a;

	script_watches = true;
	a = run_script(w, s, world);
	script_watches = false;
	return a;
}

/*
 * A host with KVM's prefetch window @window.  Exits take no recorded time; the
 * guest runs only where a test lets it.
 */
static inline void open_timed(struct rig *r, unsigned int window)
{
	rig_open_raw(r, window);
	load_cr3(r, SIM_ROOT_GFN, true);
	r->f.tick = 0;
	first_fault(r);
}

static inline void guest_runs(struct rig *r, uint64_t ns)
{
	r->f.ts += ns;
}

static inline void zap_table(struct rig *r, unsigned int table)
{
	put(r, ev_zap(TABLE_GFN + table, ROLE(1)));
}

/* An exit that changes nothing and is a step all the same: the helper gets to work. */
static inline void pause_long(struct rig *r)
{
	guest_runs(r, LONG_NS);
	put(r, ev_exit_svm(SVM_HLT, 0, 0, r->vcpu));
	put(r, ev_zap(0x99999, ROLE(1)));
	put(r, ev_entry(r->vcpu));
}

/* A hidden fault that finds table 1 zapped and makes its page. */
static inline void remake(struct rig *r, uint64_t vpn, uint64_t pte, uint64_t spte)
{
	begin(r, vpn, U, pte);
	put(r, ev_created(TABLE_GFN + (vpn >> 9), ROLE(1)));
	put(r, ev_requested(spht_pte_gfn(pte), 1));
	set(r, vpn, spte);
	end(r);
}

static inline uint64_t page_pte(unsigned int i)
{
	return PTE(0x700 + i, DIRTY);
}

/* Pages 0 to @nr - 1 of table 1 fault one by one; @made: the first has to make the page. */
static inline void touch_pages(struct rig *r, unsigned int first, unsigned int nr, bool made)
{
	for (unsigned int i = first; i < first + nr; i++) {
		guest_runs(r, LONG_NS);
		if (made && i == first)
			remake(r, VPN(1, i), page_pte(i), SPTE_W(0x700 + i));
		else
			hidden(r, VPN(1, i), U, page_pte(i), SPTE_W(0x700 + i));
	}
}

/*
 * Two passes over @nr pages with the table's page zapped in between: in the
 * second the entries are known to be there, in every world.
 */
static inline void two_passes(struct rig *r, unsigned int nr)
{
	open_timed(r, 1);
	touch_pages(r, 1, nr - 1, false); /* page 0 was the first fault */
	zap_table(r, 1);
	touch_pages(r, 0, nr, true);
}

/* The second pass has begun with page 0; the helper is asked for the other @nr - 1. */
static inline void begin_second_pass(struct rig *r, unsigned int nr)
{
	open_timed(r, 1);
	touch_pages(r, 1, nr - 1, false);
	zap_table(r, 1);
	touch_pages(r, 0, 1, true);
}

/* And later all of them are seen again, which is why they are known. */
static inline void see_again(struct rig *r, unsigned int nr)
{
	zap_table(r, 1);
	touch_pages(r, 0, nr, true);
}

#endif
