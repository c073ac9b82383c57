// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs over recordings small enough to work out by hand: what is avoided,
 * and in which book every request ends.
 */
#include "what_if.h"

#define STRICT     SPHT_WORLD_STRICT
#define INFERRED   SPHT_WORLD_INFERRED
#define OPTIMISTIC SPHT_WORLD_OPTIMISTIC

#define LONG_NS    1000000u /* enough for the helper to finish anything */

/* A heuristic that asks for a page at each hidden fault on another: the test's script. */
struct script {
	uint64_t at, ask;
};

static const struct script *script;

static void scripted(void *state, const int64_t *params, const struct spht_fault *fault,
		     struct spht_host *host)
{
	(void)state;
	(void)params;
	for (const struct script *s = script; s->at; s++)
		if (s->at == fault->vpn)
			spht_request(host, fault->space, s->ask);
}

static const struct spht_heuristic script_heuristic = {
	.abi = SPHT_HEURISTIC_ABI,
	.struct_size = sizeof(struct spht_heuristic),
	.name = "script",
	.summary = "what the test says",
	.cite = "this file",
	.fault = scripted,
};

static struct spht_account run_script(const struct whatif *w, const struct script *s,
				      enum spht_world world)
{
	const struct spht_spec spec = {.h = &script_heuristic};

	script = s;
	return run_spec(w, &spec, world);
}

/*
 * A host with KVM's prefetch window @window.  Exits take no recorded time; the
 * guest runs only where a test lets it.
 */
static void open_timed(struct rig *r, unsigned int window)
{
	rig_open_raw(r, window);
	load_cr3(r, SIM_ROOT_GFN, true);
	r->f.tick = 0;
	first_fault(r);
}

static void guest_runs(struct rig *r, uint64_t ns)
{
	r->f.ts += ns;
}

static void zap_table(struct rig *r, unsigned int table)
{
	put(r, ev_zap(TABLE_GFN + table, ROLE(1)));
}

/* An exit that changes nothing and is a step all the same: the helper gets to work. */
static void pause_long(struct rig *r)
{
	guest_runs(r, LONG_NS);
	put(r, ev_exit_svm(SVM_HLT, 0, 0, r->vcpu));
	put(r, ev_zap(0x99999, ROLE(1)));
	put(r, ev_entry(r->vcpu));
}

/* A hidden fault that finds table 1 zapped and makes its page. */
static void remake(struct rig *r, uint64_t vpn, uint64_t pte, uint64_t spte)
{
	begin(r, vpn, U, pte);
	put(r, ev_created(TABLE_GFN + (vpn >> 9), ROLE(1)));
	put(r, ev_requested(spht_pte_gfn(pte), 1));
	set(r, vpn, spte);
	end(r);
}

static uint64_t page_pte(unsigned int i)
{
	return PTE(0x700 + i, DIRTY);
}

/* Pages 0 to @nr - 1 of table 1 fault one by one; @made: the first has to make the page. */
static void touch_pages(struct rig *r, unsigned int first, unsigned int nr, bool made)
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
static void two_passes(struct rig *r, unsigned int nr)
{
	open_timed(r, 1);
	touch_pages(r, 1, nr - 1, false); /* page 0 was the first fault */
	zap_table(r, 1);
	touch_pages(r, 0, nr, true);
}

/* none */

static void without_a_helper_the_what_if_equals_the_recording(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
		struct spht_account a = run(&w, "none", world),
				    empty = {.f_base = 32, .remaining = 32};

		assert_memory_equal(&a, &empty, sizeof(a));
	}
	rig_close(&r);
}

static void without_a_helper_an_mmio_groups_end_holds(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	begin(&r, VPN(1, 8), U, PTE(0xfec00, DIRTY));
	put(&r, ev_requested(0xfec00, 1));
	put(&r, ev_bare(SPHT_EV_MARK_MMIO_SPTE));
	prefetch(&r, VPN(1, 9), 0x709);
	put(&r, ev_emulate(0x401000));
	end(&r);
	/* Entry 10 stopped the group; for all the optimist knows it was there before. */
	hidden(&r, VPN(1, 10), U, page_pte(10), SPTE_W(0x70a));
	w = whatif_of(&r, 8);
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++)
		run(&w, "none", world);
	rig_close(&r);
}

static void without_a_helper_silent_drops_do_not_part_the_two(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	touch_pages(&r, 1, 7, false);
	sync_table(&r, 1);
	touch_pages(&r, 3, 2, false); /* gone at the sync */
	put(&r, ev_lost(5));
	touch_pages(&r, 1, 7, false);
	w = whatif_of(&r, 8);
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++)
		run(&w, "none", world);
	rig_close(&r);
}

/* window */

static void window_avoids_the_known_neighbours_of_the_first_fault(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", STRICT);
	assert_int_equal(a.f_base, 32);
	assert_int_equal(a.avoided_direct, 15);
	assert_int_equal(a.avoided_side, 0);
	assert_int_equal(a.remaining, 17);
	/* First pass: fault i asks for 15; the i before it are there, the others not known. */
	assert_int_equal(a.generated, 16 * 15 + 15);
	assert_int_equal(a.duplicate, 15 * 16 / 2);
	assert_int_equal(a.unknown, 15 * 16 / 2);
	assert_int_equal(a.issued, 15);
	assert_int_equal(a.built, 15);
	assert_int_equal(a.used_timely, 15);
	assert_int_equal(a.new_exits_hi + a.helper_exits, 0);
	assert_int_equal(a.helper_busy_ns, 120 * 200 + 15 * 6200);

	/* Optimistic: present from the start.  Inferred: since the table is write-protected. */
	for (unsigned int world = INFERRED; world <= OPTIMISTIC; world++) {
		a = run(&w, "window:size=16", world);
		assert_int_equal(a.avoided_direct, 30);
		assert_int_equal(a.remaining, 2);
		assert_int_equal(a.generated, 30);
		assert_int_equal(a.built, 30);
	}
	rig_close(&r);
}

static void oracle_avoids_all_that_the_world_knows(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	a = run(&w, "oracle", STRICT);
	assert_int_equal(a.avoided_direct, 16);
	a = run(&w, "oracle", OPTIMISTIC);
	assert_int_equal(a.avoided_direct, 32);
	assert_int_equal(a.remaining, 0);
	rig_close(&r);
}

/* KVM's own prefetch, and the helper's: two groups of eight, twice. */
static void two_groups_twice(struct rig *r)
{
	open_timed(r, 8);
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int first = 8; first < 24; first += 8) {
			guest_runs(r, LONG_NS);
			begin(r, VPN(1, first), U, page_pte(first));
			if (pass && first == 8)
				put(r, ev_created(TABLE_GFN + 1, ROLE(1)));
			put(r, ev_requested(0x700 + first, 1));
			set(r, VPN(1, first), SPTE_W(0x700 + first));
			for (unsigned int i = first + 1; i < first + 8; i++)
				prefetch(r, VPN(1, i), 0x700 + i);
			end(r);
		}
		if (!pass)
			zap_table(r, 1);
	}
}

static const struct script ask_for_16_at_8[] = {{VPN(1, 8), VPN(1, 16)}, {0, 0}};

static void helpers_build_brings_its_neighbours(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	w.helper_prefetch = true;
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.side_built, 7);
	assert_int_equal(a.new_exits_hi, 0);
	assert_int_equal(a.use_unknown, 0); /* nobody asked for them */
	assert_int_equal(a.generated, 2);
	assert_int_equal(a.unknown, 1); /* in the first pass */
	rig_close(&r);
}

static void helpers_group_ends_at_a_hole_as_kvms_does(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	for (unsigned int pass = 0; pass < 3; pass++) {
		touch_pages(&r, 8, 1, pass);
		guest_runs(&r, LONG_NS);
		begin(&r, VPN(1, 16), U, page_pte(16));
		put(&r, ev_requested(0x710, 1));
		set(&r, VPN(1, 16), SPTE_W(0x710));
		prefetch(&r, VPN(1, 17), 0x711); /* 18 is a hole */
		end(&r);
		touch_pages(&r, 19, 1, false);
		zap_table(&r, 1);
	}
	w = whatif_of(&r, 8);
	w.helper_prefetch = true;
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.avoided_direct, 2);
	assert_int_equal(a.side_built, 2); /* page 17, twice */
	assert_int_equal(a.avoided_side, 0);
	rig_close(&r);
}

static void avoided_fault_takes_its_prefetch_with_it(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.side_built, 0);
	assert_int_equal(a.new_exits_hi, 7);
	assert_int_equal(a.new_exits_lo, 0); /* nobody is seen to touch them */
	rig_close(&r);
}

static void touch_of_a_lacking_entry_is_proven_by_a_fault_on_what_is_there(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	begin(&r, VPN(1, 18), U, page_pte(18)); /* spurious */
	put(&r, ev_requested(0x712, 1));
	end(&r);
	guest_fault(&r, VPN(1, 19), U, 0); /* P=0: proves nothing */
	hidden(&r, VPN(1, 17), P | W | U, page_pte(17), SPTE_W(0x711)); /* P=1 */
	hidden(&r, VPN(1, 17), P | W | U, page_pte(17), SPTE_W(0x711)); /* the same once more */
	w = whatif_of(&r, 8);
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.new_exits_hi, 7);
	assert_int_equal(a.new_exits_lo, 2);
	w.helper_prefetch = true; /* now they are there */
	a = run_script(&w, ask_for_16_at_8, STRICT);
	assert_int_equal(a.new_exits_hi, 0);
	assert_int_equal(a.new_exits_lo, 0);
	rig_close(&r);
}

static void entry_prefetched_in_the_recording_has_an_unseen_use(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	a = run(&w, "window:size=32", STRICT);
	assert_int_equal(a.avoided_direct, 1); /* page 16 */
	assert_int_equal(a.use_unknown, 7); /* 17 to 23: KVM set them by itself */
	assert_int_equal(a.new_exits_hi, 0);
	rig_close(&r);
}

static void oracle_does_not_lose_a_group_to_avoid_its_fault(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_groups_twice(&r);
	w = whatif_of(&r, 8);
	for (unsigned int prefetch_too = 0; prefetch_too <= 1; prefetch_too++) {
		w.helper_prefetch = prefetch_too;
		for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
			double best = 0, own;

			a = run(&w, "oracle", world);
			own = spht_account_avoided(&a, (double)a.new_exits_hi);
			a = run(&w, "window:size=32", world);
			best = spht_account_avoided(&a, (double)a.new_exits_hi);
			assert_true(best >= 1);
			assert_true(own >= best);
		}
	}
	rig_close(&r);
}

static void oracle_lets_a_fault_happen_that_brings_what_nobody_knows(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 8);
	touch_pages(&r, 8, 1, false);
	zap_table(&r, 1);
	guest_runs(&r, LONG_NS);
	begin(&r, VPN(1, 8), U, page_pte(8));
	put(&r, ev_created(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_requested(0x708, 1));
	set(&r, VPN(1, 8), SPTE_W(0x708));
	prefetch(&r, VPN(1, 9), 0x709);
	end(&r);
	w = whatif_of(&r, 8);
	/* Strict: page 9 is shown by this group alone, before and after it is not known. */
	a = run(&w, "oracle", STRICT);
	assert_int_equal(a.avoided_direct, 0);
	/* Inferred: it is known right after, so it can be built in place of the group. */
	a = run(&w, "oracle", INFERRED);
	assert_int_equal(a.avoided_direct, 2); /* page 8 each time: its table was frozen */
	assert_int_equal(a.new_exits_hi, 0);
	rig_close(&r);
}

/* Time: prefault */

/* The guest faults on page 9; its handler stores the entry and runs for @ns; it faults again. */
static struct whatif refault_after(struct rig *r, uint64_t ns)
{
	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	guest_fault(r, VPN(1, 9), U, 0);
	write_page_table(r, 1);
	guest_runs(r, ns);
	hidden(r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	return whatif_of(r, 1);
}

/* wake 5000, read 200, build 6000, from the exit; it and the handler's own take 1000 each. */
#define BUILT_AFTER (5000 + 200 + 6000 - 2000)

static void refault_is_avoided_when_the_handler_takes_as_long_as_the_build(void **unused)
{
	static const struct {
		uint64_t ns;
		unsigned int timely, late, cancelled;
	} c[] = {
		{BUILT_AFTER + LONG_NS, 1, 0, 0}, {BUILT_AFTER, 1, 0, 0},
		{BUILT_AFTER - 1, 0, 1, 0},       {5000 - 2000, 0, 1, 0},
		{5000 - 2001, 0, 0, 1},           {0, 0, 0, 1},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct rig r;
		struct whatif w = refault_after(&r, c[i].ns);
		struct spht_account a = run(&w, "prefault", OPTIMISTIC);

		assert_int_equal(a.generated, 1);
		assert_int_equal(a.avoided_direct, c[i].timely);
		assert_int_equal(a.used_timely, c[i].timely);
		assert_int_equal(a.used_late, c[i].late);
		assert_int_equal(a.built, c[i].timely + c[i].late);
		assert_int_equal(a.cancelled_demand, c[i].cancelled);
		assert_int_equal(a.remaining, 2 - c[i].timely);
		rig_close(&r);
	}
}

static void refault_cannot_be_prepared_where_the_world_has_no_entry_yet(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, LONG_NS);
	struct spht_account a = run(&w, "prefault", STRICT);

	(void)unused;
	assert_int_equal(a.unknown, 1); /* not decided */
	assert_int_equal(a.avoided_direct, 0);
	assert_int_equal(a.helper_busy_ns, 200); /* it was read all the same */
	a = run(&w, "prefault", INFERRED);
	assert_int_equal(a.illegal, 1); /* decided: absent */
	assert_int_equal(a.avoided_direct, 0);
	rig_close(&r);
}

static void guest_time_is_scaled_and_costs_are_not(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, BUILT_AFTER / 4);

	(void)unused;
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 0);
	w.scale = 4;
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 1);
	w.scale = 3.99;
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 0);
	w.costs.exit_ns[SPHT_CLASS_GUEST] += BUILT_AFTER; /* a slower exit gives more time */
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 1);
	w.costs = plain_costs();
	w.clock_real = true; /* recorded durations hold as they are */
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 0);
	rig_close(&r);
}

static void real_clock_takes_recorded_exits_less_what_tracing_cost(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	begin(&r, VPN(1, 9), U, 0);
	put(&r, ev_walker_error(U));
	guest_runs(&r, 16000); /* inside the exit */
	end(&r);
	guest_runs(&r, 1200);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	w = whatif_of(&r, 1);
	w.clock_real = true;
	w.costs.tracing_percent = 60; /* leaves 10000 */
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 1);
	w.costs.tracing_percent = 61;
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 0);
	rig_close(&r);
}

static void exits_between_take_their_time(void **unused)
{
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	guest_fault(&r, VPN(1, 9), U, 0);
	write_page_table(&r, 1);
	other_exit(&r, SVM_HLT);
	other_exit(&r, SVM_HLT);
	guest_runs(&r, BUILT_AFTER - 2 * 500);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	w = whatif_of(&r, 1);
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 1);
	w.costs.other_exit_ns = 499;
	assert_int_equal(run(&w, "prefault", OPTIMISTIC).used_timely, 0);
	rig_close(&r);
}

static void avoided_exit_takes_no_time(void **unused)
{
	static const struct script ask[] = {
		{VPN(1, 9), VPN(1, 9)}, {VPN(1, 9), VPN(1, 10)}, {0, 0}};

	(void)unused;
	for (unsigned int early = 0; early <= 1; early++) {
		struct spht_account a;
		struct rig r;
		struct whatif w;

		open_timed(&r, 1);
		guest_runs(&r, LONG_NS);
		guest_fault(&r, VPN(1, 9), U, 0);
		write_page_table(&r, 1);
		guest_runs(&r, BUILT_AFTER);
		hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709)); /* just in time */
		guest_runs(&r, 6200 - early); /* page 10 is built right after page 9 */
		hidden(&r, VPN(1, 10), U, page_pte(10), SPTE_W(0x70a));
		w = whatif_of(&r, 1);
		a = run_script(&w, ask, OPTIMISTIC);
		assert_int_equal(a.used_timely, 2 - early);
		assert_int_equal(a.used_late, early);
		rig_close(&r);
	}
}

static void slack_is_from_ready_to_use(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, BUILT_AFTER + 1000);
	struct spht_account a = run(&w, "prefault", OPTIMISTIC);

	(void)unused;
	for (unsigned int b = 0; b < SPHT_SLACK_BINS; b++)
		assert_int_equal(a.slack[b], b == 9); /* 512 to 1023 ns */
	rig_close(&r);
}

static void slack_beyond_the_histogram_is_kept_in_its_last_bin(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, 1ull << 45);
	struct spht_account a = run(&w, "prefault", OPTIMISTIC);

	(void)unused;
	assert_int_equal(a.slack[SPHT_SLACK_BINS - 1], 1);
	assert_int_equal(a.divergence, 0); /* the field behind it */
	rig_close(&r);
}

static void entry_built_in_another_clocks_future_is_late(void **unused)
{
	struct rig r;
	struct whatif w;
	struct spht_account a;

	(void)unused;
	/* Only vCPU 0 spends time, in exits; vCPU 1 uses what it had built. */
	open_timed(&r, 1);
	guest_fault(&r, VPN(1, 9), U, 0);
	other_exit(&r, SVM_HLT);
	pause_long(&r);
	r.f.tid = 101;
	r.vcpu = 1;
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	w = whatif_of(&r, 1);
	w.scale = 0;
	w.costs.other_exit_ns = 1000000000;
	a = run(&w, "prefault", OPTIMISTIC);
	assert_int_equal(a.used_timely, 0);
	assert_int_equal(a.used_late, 1);
	assert_int_equal(a.avoided_direct, 0);
	rig_close(&r);
}

/* The books, one by one */

/* The second pass has begun with page 0; the helper is asked for the other @nr - 1. */
static void begin_second_pass(struct rig *r, unsigned int nr)
{
	open_timed(r, 1);
	touch_pages(r, 1, nr - 1, false);
	zap_table(r, 1);
	touch_pages(r, 0, 1, true);
}

/* And later all of them are seen again, which is why they are known. */
static void see_again(struct rig *r, unsigned int nr)
{
	zap_table(r, 1);
	touch_pages(r, 0, nr, true);
}

static void request_that_finds_no_room_is_refused(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	two_passes(&r, 16);
	w = whatif_of(&r, 1);
	w.costs.queue_limit = 3;
	a = run(&w, "window:size=16", OPTIMISTIC);
	/* In each pass every fourth page faults; it asks for 15, of which 3 get in. */
	assert_int_equal(a.avoided_direct, 2 * (3 + 3 + 3 + 3));
	assert_int_equal(a.queue_full, 2 * (12 + 8 + 4));
	assert_int_equal(a.duplicate, 2 * (4 + 8 + 12));
	rig_close(&r);
}

static void demand_fault_cancels_the_request_that_waits_for_it(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {VPN(1, 0), VPN(1, 2)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 3);
	guest_runs(&r, 4000); /* at 5000 page 1 is begun, page 2 waits */
	hidden(&r, VPN(1, 2), U, page_pte(2), SPTE_W(0x702));
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	see_again(&r, 3);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.cancelled_demand, 1);
	assert_int_equal(a.used_late, 0);
	assert_int_equal(a.used_timely, 1 + 2); /* page 1, and both after see_again() */
	rig_close(&r);
}

static void asking_twice_is_a_duplicate_at_every_stage(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)},
					    {VPN(1, 0), VPN(1, 1)}, /* queued already */
					    {VPN(1, 3), VPN(1, 1)}, /* being built */
					    {VPN(1, 4), VPN(1, 1)}, /* built */
					    {VPN(1, 4), VPN(1, 4)}, /* there by the fault itself */
					    {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	zap_table(&r, 1);
	guest_runs(&r, LONG_NS);
	remake(&r, VPN(1, 0), page_pte(0), SPTE_W(0x700)); /* asks for 1 */
	guest_runs(&r, 5000);
	hidden(&r, VPN(1, 3), U, page_pte(3), SPTE_W(0x703));
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 4), U, page_pte(4), SPTE_W(0x704));
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	/* The very first fault asks twice as well, for what strict does not know by then. */
	assert_int_equal(a.generated, 7);
	assert_int_equal(a.unknown, 1);
	assert_int_equal(a.duplicate, 5);
	assert_int_equal(a.used_timely, 1);
	rig_close(&r);
}

static void page_of_which_nothing_is_known_is_unknown(void **unused)
{
	static const struct script ask[] = {
		{VPN(1, 9), VPN(5, 0)}, {VPN(1, 9), 1ull << 40}, {VPN(1, 9), VPN(1, 77)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, OPTIMISTIC);
	assert_int_equal(a.generated, 3);
	assert_int_equal(a.unknown, 3);
	rig_close(&r);
}

static void built_and_never_used_is_resident_at_the_end(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.built, 30);
	assert_int_equal(a.used_timely, 15);
	assert_int_equal(a.resident_unused, 15);
	rig_close(&r);
}

static void what_waits_and_what_is_built_at_the_end_is_counted(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.pending_end, 15);
	assert_int_equal(a.in_progress_end, 0);
	rig_close(&r);

	begin_second_pass(&r, 16);
	guest_runs(&r, 4000); /* the first is begun at 5000 */
	put(&r, ev_exit_svm(SVM_HLT, 0, 0, 0));
	put(&r, ev_zap(0x99999, ROLE(1)));
	put(&r, ev_entry(0));
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.pending_end, 14);
	assert_int_equal(a.in_progress_end, 1);
	rig_close(&r);
}

static void zap_takes_built_entries_unused_and_waiting_requests(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	pause_long(&r);
	zap_table(&r, 1);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.zapped_unused, 15);
	assert_int_equal(a.resident_unused, 0);
	rig_close(&r);

	begin_second_pass(&r, 16);
	zap_table(&r, 1);
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.cancelled_zap, 15);
	assert_int_equal(a.built, 15); /* of the first pass */
	rig_close(&r);

	begin_second_pass(&r, 16);
	pause_long(&r);
	put(&r, ev_bare(SPHT_EV_ZAP_ALL_FAST));
	w = whatif_of(&r, 1);
	assert_int_equal(run(&w, "window:size=16", OPTIMISTIC).zapped_unused, 15);
	rig_close(&r);
}

static void zap_of_another_table_takes_nothing(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	zap_table(&r, 2);
	pause_long(&r);
	zap_table(&r, 2);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.zapped_unused + a.cancelled_zap, 0);
	assert_int_equal(a.resident_unused, 15);
	rig_close(&r);
}

static void losing_events_ends_what_is_known_of_built_entries(void **unused)
{
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 16);
	pause_long(&r);
	put(&r, ev_lost(9));
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.lost_epoch, 15);
	assert_int_equal(a.resident_unused, 0);
	rig_close(&r);
}

static void entry_that_the_guest_takes_back_goes_unused(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 2);
	pause_long(&r);
	guest_fault(&r, VPN(1, 1), U, 0); /* unmapped */
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, PTE(0x999, DIRTY), SPTE_W(0x999));
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, OPTIMISTIC);
	assert_int_equal(a.used_timely, 1); /* in the first pass */
	assert_int_equal(a.zapped_unused, 1);
	assert_int_equal(a.remaining, 3);
	rig_close(&r);

	/* Copied on write: another page in its place. */
	open_timed(&r, 1);
	hidden(&r, VPN(1, 1), U, PTE(0x701, READONLY), SPTE_RO(0x701));
	zap_table(&r, 1);
	touch_pages(&r, 0, 1, true);
	pause_long(&r);
	guest_fault(&r, VPN(1, 1), W | U, PTE(0x701, READONLY));
	write_page_table(&r, 1);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), W | U, PTE(0x999, DIRTY), SPTE_W(0x999));
	w = whatif_of(&r, 1);
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++) {
		a = run_script(&w, ask, world);
		assert_int_equal(a.zapped_unused, 1);
		assert_int_equal(a.used_weak + a.resident_unused, 0);
	}
	rig_close(&r);
}

/* Page 1 is built from an accessed, dirty entry; the guest then has @pte in its place. */
static struct spht_account weakened(struct rig *r, uint32_t code, uint64_t pte)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct whatif w;

	open_timed(r, 1);
	touch_pages(r, 1, 1, false);
	zap_table(r, 1);
	touch_pages(r, 0, 1, true);
	pause_long(r);
	/* Seen as it was by a fault for another reason (no execution here). */
	guest_fault(r, VPN(1, 1), U | FETCH, page_pte(1));
	guest_runs(r, LONG_NS);
	begin(r, VPN(1, 1), code, pte);
	put(r, pte & SPHT_PTE_A ? ev_set_dirty(0x101008) : ev_set_accessed(0x101008));
	put(r, ev_requested(0x701, 1));
	set(r, VPN(1, 1), code & W ? SPTE_W(0x701) : SPTE_RO(0x701));
	end(r);
	w = whatif_of(r, 1);
	w.legality = SPHT_LEGAL_PRESENT;
	return run_script(&w, ask, OPTIMISTIC);
}

static void entry_whose_guest_entry_loses_d_is_read_only_from_then_on(void **unused)
{
	struct rig r;
	struct spht_account a = weakened(&r, W | U, PTE(0x701, CLEAN));

	(void)unused;
	assert_int_equal(a.used_timely, 1); /* in the first pass */
	assert_int_equal(a.used_weak, 1);
	rig_close(&r);
	a = weakened(&r, U, PTE(0x701, CLEAN)); /* a read is served */
	assert_int_equal(a.used_timely, 2);
	rig_close(&r);
}

static void entry_whose_guest_entry_loses_a_goes(void **unused)
{
	struct rig r;
	struct spht_account a = weakened(&r, U, PTE(0x701, UNTOUCHED));

	(void)unused;
	assert_int_equal(a.used_timely, 1);
	assert_int_equal(a.zapped_unused, 1);
	rig_close(&r);
}

static void invalidation_of_an_address_takes_what_a_helper_built_there(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, PTE(0x701, READONLY), SPTE_RO(0x701));
	zap_table(&r, 1);
	touch_pages(&r, 0, 1, true);
	write_page_table(&r, 1); /* unsync from here on */
	pause_long(&r);
	guest_fault(&r, VPN(1, 1), W | U, PTE(0x701, READONLY)); /* P=1 is injected */
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, PTE(0x701, READONLY), SPTE_RO(0x701));
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.zapped_unused, 1);
	assert_int_equal(a.avoided_direct, 0);
	rig_close(&r);
}

static void entry_gone_while_it_is_built_is_a_failed_build(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	begin_second_pass(&r, 2);
	guest_runs(&r, 4000); /* at 5000 it is begun */
	guest_fault(&r, VPN(1, 1), U, 0);
	pause_long(&r);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, OPTIMISTIC);
	assert_int_equal(a.build_failed, 1);
	rig_close(&r);
}

static void read_only_entry_does_not_serve_a_write(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	hidden(&r, VPN(1, 1), U, PTE(0x701, CLEAN), SPTE_RO(0x701));
	zap_table(&r, 1);
	guest_runs(&r, LONG_NS);
	remake(&r, VPN(1, 0), page_pte(0), SPTE_W(0x700));
	guest_runs(&r, LONG_NS);
	begin(&r, VPN(1, 1), W | U, PTE(0x701, CLEAN));
	put(&r, ev_set_dirty(0x101008));
	put(&r, ev_requested(0x701, 1));
	set(&r, VPN(1, 1), SPTE_W(0x701));
	end(&r);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.used_weak, 1);
	assert_int_equal(a.avoided_direct, 0);
	w.legality = SPHT_LEGAL_PRESENT; /* without the dirty bit still read-only */
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.used_weak, 1);
	assert_int_equal(a.avoided_direct, 0);
	rig_close(&r);
}

static void page_not_accessed_is_built_only_where_that_is_legal(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	touch_pages(&r, 1, 1, false);
	zap_table(&r, 1);
	touch_pages(&r, 0, 1, true);
	guest_runs(&r, LONG_NS);
	begin(&r, VPN(1, 1), U, PTE(0x701, UNTOUCHED));
	put(&r, ev_set_accessed(0x101008));
	put(&r, ev_requested(0x701, 1));
	set(&r, VPN(1, 1), SPTE_RO(0x701));
	end(&r);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.unknown, 1); /* at the very first fault */
	assert_int_equal(a.illegal, 1);
	assert_int_equal(a.built, 0);
	assert_int_equal(run(&w, "oracle", STRICT).avoided_direct, 1); /* page 0 alone */
	w.legality = SPHT_LEGAL_PRESENT;
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.illegal, 0);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(run(&w, "oracle", STRICT).avoided_direct, 2);
	rig_close(&r);
}

static void fault_that_sets_a_bit_above_the_leaf_is_not_avoided_either(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	touch_pages(&r, 1, 1, false);
	zap_table(&r, 1);
	touch_pages(&r, 0, 1, true);
	guest_runs(&r, LONG_NS);
	begin(&r, VPN(1, 1), U, page_pte(1));
	put(&r, ev_set_accessed((uint64_t)SIM_L2_GFN << 12));
	put(&r, ev_requested(0x701, 1));
	set(&r, VPN(1, 1), SPTE_W(0x701));
	end(&r);
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.avoided_direct, 0);
	assert_int_equal(a.used_weak, 1);
	w.legality = SPHT_LEGAL_PRESENT;
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.avoided_direct, 1);
	rig_close(&r);
}

/* What the helper causes */

/* Table 2 has no shadow page; the guest faults in it on page 5 and, later, on page 6. */
static struct whatif new_table(struct rig *r)
{
	open_timed(r, 1);
	guest_fault(r, VPN(2, 5), U, 0);
	guest_runs(r, LONG_NS);
	guest_fault(r, VPN(2, 6), U, 0);
	guest_runs(r, LONG_NS);
	remake(r, VPN(2, 6), page_pte(6), SPTE_W(0x706));
	guest_runs(r, LONG_NS);
	hidden(r, VPN(2, 5), U, page_pte(5), SPTE_W(0x705));
	return whatif_of(r, 1);
}

static void table_protected_early_costs_the_guests_next_store_an_exit(void **unused)
{
	static const struct script both[] = {
		{VPN(2, 5), VPN(2, 5)}, {VPN(2, 6), VPN(2, 6)}, {0, 0}};
	static const struct script second[] = {{VPN(2, 6), VPN(2, 6)}, {0, 0}};
	struct rig r;
	struct whatif w = new_table(&r);
	struct spht_account a = run_script(&w, both, OPTIMISTIC);

	(void)unused;
	assert_int_equal(a.pages_created, 1);
	assert_int_equal(a.avoided_direct, 2);
	assert_int_equal(a.helper_exits, 1); /* page 6 is stored under write protection */
	a = run_script(&w, second, OPTIMISTIC);
	assert_int_equal(a.pages_created, 1);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.helper_exits, 0); /* all stores came before */
	rig_close(&r);
}

static void page_made_on_the_way_takes_its_time(void **unused)
{
	static const struct script ask[] = {{VPN(2, 5), VPN(2, 5)}, {0, 0}};

	(void)unused;
	for (unsigned int early = 0; early <= 1; early++) {
		struct spht_account a;
		struct rig r;
		struct whatif w;

		open_timed(&r, 1);
		guest_fault(&r, VPN(2, 5), U, 0);
		guest_runs(&r, 5000 + 200 + 6000 + 2000 - 1000 - early);
		remake(&r, VPN(2, 5), page_pte(5), SPTE_W(0x705));
		w = whatif_of(&r, 1);
		a = run_script(&w, ask, OPTIMISTIC);
		assert_int_equal(a.used_timely, !early);
		assert_int_equal(a.used_late, early);
		rig_close(&r);
	}
}

static void direct_entries_are_rebuilt_from_their_table(void **unused)
{
	static const struct script ask[] = {{VPN(3, 5), VPN(3, 6)}, {0, 0}};
	struct spht_account a;
	struct rig r;
	struct whatif w;

	(void)unused;
	open_timed(&r, 1);
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 5; i < 7; i++) {
			guest_runs(&r, LONG_NS);
			walk_large(&r, VPN(3, i), U, DIRTY);
			put(&r, ev_requested(0x400 + i, 1));
			if (i == 5)
				put(&r, ev_created(0x400, ROLE_DIRECT(7)));
			put(&r, ev_set(0x400 + i, SPTE_W(0x400 + i), SPTEP(0x9500 + pass, i), 1));
			end(&r);
		}
		if (!pass)
			put(&r, ev_zap(0x400, ROLE_DIRECT(7)));
	}
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, STRICT);
	assert_int_equal(a.f_base, 5);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.remaining, 4);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_helper_the_what_if_equals_the_recording),
		cmocka_unit_test(without_a_helper_an_mmio_groups_end_holds),
		cmocka_unit_test(without_a_helper_silent_drops_do_not_part_the_two),
		cmocka_unit_test(window_avoids_the_known_neighbours_of_the_first_fault),
		cmocka_unit_test(oracle_avoids_all_that_the_world_knows),
		cmocka_unit_test(helpers_build_brings_its_neighbours),
		cmocka_unit_test(helpers_group_ends_at_a_hole_as_kvms_does),
		cmocka_unit_test(avoided_fault_takes_its_prefetch_with_it),
		cmocka_unit_test(touch_of_a_lacking_entry_is_proven_by_a_fault_on_what_is_there),
		cmocka_unit_test(entry_prefetched_in_the_recording_has_an_unseen_use),
		cmocka_unit_test(oracle_does_not_lose_a_group_to_avoid_its_fault),
		cmocka_unit_test(oracle_lets_a_fault_happen_that_brings_what_nobody_knows),
		cmocka_unit_test(refault_is_avoided_when_the_handler_takes_as_long_as_the_build),
		cmocka_unit_test(refault_cannot_be_prepared_where_the_world_has_no_entry_yet),
		cmocka_unit_test(guest_time_is_scaled_and_costs_are_not),
		cmocka_unit_test(real_clock_takes_recorded_exits_less_what_tracing_cost),
		cmocka_unit_test(exits_between_take_their_time),
		cmocka_unit_test(avoided_exit_takes_no_time),
		cmocka_unit_test(slack_is_from_ready_to_use),
		cmocka_unit_test(slack_beyond_the_histogram_is_kept_in_its_last_bin),
		cmocka_unit_test(entry_built_in_another_clocks_future_is_late),
		cmocka_unit_test(request_that_finds_no_room_is_refused),
		cmocka_unit_test(demand_fault_cancels_the_request_that_waits_for_it),
		cmocka_unit_test(asking_twice_is_a_duplicate_at_every_stage),
		cmocka_unit_test(page_of_which_nothing_is_known_is_unknown),
		cmocka_unit_test(built_and_never_used_is_resident_at_the_end),
		cmocka_unit_test(what_waits_and_what_is_built_at_the_end_is_counted),
		cmocka_unit_test(zap_takes_built_entries_unused_and_waiting_requests),
		cmocka_unit_test(zap_of_another_table_takes_nothing),
		cmocka_unit_test(losing_events_ends_what_is_known_of_built_entries),
		cmocka_unit_test(entry_that_the_guest_takes_back_goes_unused),
		cmocka_unit_test(entry_whose_guest_entry_loses_d_is_read_only_from_then_on),
		cmocka_unit_test(entry_whose_guest_entry_loses_a_goes),
		cmocka_unit_test(invalidation_of_an_address_takes_what_a_helper_built_there),
		cmocka_unit_test(entry_gone_while_it_is_built_is_a_failed_build),
		cmocka_unit_test(read_only_entry_does_not_serve_a_write),
		cmocka_unit_test(page_not_accessed_is_built_only_where_that_is_legal),
		cmocka_unit_test(fault_that_sets_a_bit_above_the_leaf_is_not_avoided_either),
		cmocka_unit_test(table_protected_early_costs_the_guests_next_store_an_exit),
		cmocka_unit_test(page_made_on_the_way_takes_its_time),
		cmocka_unit_test(direct_entries_are_rebuilt_from_their_table),
	};

	return cmocka_run_group_tests_name("what-if", tests, NULL, NULL);
}
