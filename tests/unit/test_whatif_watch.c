// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: a refault's entry, stored by the guest's handler a lead time before the
 * access, and a helper that looks for it again and again.
 */
#include "what_if_script.h"

/*
 * The guest faults on page 9, exit T; its handler stores into table 1, runs for @ns
 * and faults again at T + HANDLER + ns.  The helper, asked at T, first looks at T + WAKE.
 */
#define HANDLER 2000 /* the two exits, 1000 each */
#define WAKE    5000
#define BUILD   6200 /* the entry is read once more before it is built */

static struct whatif refault_after(struct rig *r, uint64_t ns, uint64_t lead, uint64_t poll)
{
	struct whatif w;

	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	guest_fault(r, VPN(1, 9), U, 0);
	write_page_table(r, 1);
	guest_runs(r, ns);
	hidden(r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	w = whatif_of(r, 1);
	w.costs.lead_ns[0] = w.costs.lead_ns[1] = lead;
	w.costs.helper_poll_ns = poll;
	w.costs.helper_watch_ns = 10 * LONG_NS;
	return w;
}

/* From the first look to the refault: 997000 ns where the handler runs for LONG_NS. */
static void refault_is_avoided_if_it_comes_a_look_and_a_build_after_the_store(void **unused)
{
	static const struct {
		uint64_t ns, lead, poll;
		unsigned int timely, late, cancelled;
	} c[] = {
		/* Looked at every 1 ns: stored and seen at once. */
		{LONG_NS, BUILD, 1, 1, 0, 0},
		{LONG_NS, BUILD - 1, 1, 0, 1, 0},
		/* The last look that is in time is the one 7000 before; the next, 6000 before. */
		{LONG_NS, 7000, 1000, 1, 0, 0},
		{LONG_NS, 6999, 1000, 0, 1, 0},
		/* Looks 6400, 6100 ... before, since 997000 = 3323 * 300 + 100. */
		{LONG_NS, 6400, 300, 1, 0, 0},
		{LONG_NS, 6399, 300, 0, 1, 0},
		/* The look comes with the access, or 200 after it: nothing has begun. */
		{LONG_NS, 0, 1000, 0, 1, 0},
		{LONG_NS, 0, 300, 0, 0, 1},
		{LONG_NS, 100, 300, 0, 1, 0},
		{LONG_NS, 99, 300, 0, 0, 1},
		/* Stored before the first look, which finds it: read once. */
		{WAKE - HANDLER + BUILD, WAKE - HANDLER + BUILD, 1000, 1, 0, 0},
		{WAKE - HANDLER + BUILD - 1, WAKE - HANDLER + BUILD - 1, 1000, 0, 1, 0},
		/* The handler does not run for as long as it is said to lead: it stored at once. */
		{WAKE - HANDLER + BUILD, LONG_NS, 1000, 1, 0, 0},
		{WAKE - HANDLER + BUILD - 1, LONG_NS, 1000, 0, 1, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct rig r;
		struct whatif w = refault_after(&r, c[i].ns, c[i].lead, c[i].poll);
		struct spht_account a = run(&w, "prefault", INFERRED);

		if (a.generated != 1 || a.avoided_direct != c[i].timely ||
		    a.used_late != c[i].late || a.cancelled_demand != c[i].cancelled)
			fail_msg("case %zu: %" PRIu64 " timely, %" PRIu64 " late, %" PRIu64
				 " cancelled",
				 i, a.avoided_direct, a.used_late, a.cancelled_demand);
		rig_close(&r);
	}
}

static void lead_times_are_drawn_evenly_and_each_is_avoided_or_not_by_its_own(void **unused)
{
	/*
	 * Multiples of the golden ratio modulo 1, in thousandths: 618 236 854 472 090 708 326 944
	 * 562 180 798 416 034.  Of quantiles 0 and 10000, four are no less than BUILD.
	 */
	static const bool avoided[13] = {0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0};
	unsigned int sum = 0;

	(void)unused;
	for (unsigned int n = 1; n <= 13; n++) {
		struct spht_account a;
		struct whatif w;
		struct rig r;

		open_timed(&r, 1);
		write_page_table(&r, 1);
		for (unsigned int i = 0; i < n; i++) {
			guest_runs(&r, LONG_NS);
			guest_fault(&r, VPN(1, 9 + i), U, 0);
			guest_runs(&r, LONG_NS);
			hidden(&r, VPN(1, 9 + i), U, page_pte(9 + i), SPTE_W(0x709 + i));
		}
		w = whatif_of(&r, 1);
		w.costs.lead_ns[1] = 10000;
		w.costs.helper_poll_ns = 1;
		w.costs.helper_watch_ns = 10 * LONG_NS;
		a = run(&w, "prefault", INFERRED);
		sum += avoided[n - 1];
		assert_int_equal(a.avoided_direct, sum);
		assert_int_equal(a.used_late, n - sum);
		/* Who does not wait sees the same ones. */
		assert_int_equal(run(&w, "oracle:latency=6200", INFERRED).avoided_direct, sum);
		rig_close(&r);
	}
}

static void between_two_quantiles_is_a_straight_line(void **unused)
{
	struct spht_costs c = {.lead_ns = {100, 200, 1200}, .nr_leads = 3};

	(void)unused;
	assert_int_equal(spht_costs_lead(&c, 0), 100);
	assert_int_equal(spht_costs_lead(&c, 0.25), 150);
	assert_int_equal(spht_costs_lead(&c, 0.5), 200);
	assert_int_equal(spht_costs_lead(&c, 0.75), 700);
	assert_int_equal(spht_costs_lead(&c, 1), 1200);
}

static void what_is_not_watched_is_read_once(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, LONG_NS, LONG_NS / 2, 200);
	static const struct script ask[] = {{VPN(1, 9), VPN(1, 9)}, {0, 0}};
	struct spht_account a = run_script(&w, ask, INFERRED);

	(void)unused;
	assert_int_equal(a.illegal, 1);
	assert_int_equal(a.helper_busy_ns, 200);
	assert_int_equal(a.watched_ns, 0);
	a = run_watching(&w, ask, INFERRED);
	assert_int_equal(a.used_timely, 1);
	w.costs.helper_watch_ns = 0; /* nobody watches */
	a = run_watching(&w, ask, INFERRED);
	assert_int_equal(a.illegal, 1);
	assert_int_equal(a.helper_busy_ns, 200);
	rig_close(&r);
}

static void watching_is_work_for_every_look(void **unused)
{
	struct rig r;
	/* 497000 after the first look: seen at 497 looks of 1000, plus the first. */
	struct whatif w = refault_after(&r, LONG_NS, LONG_NS / 2, 1000);
	struct spht_account a = run(&w, "prefault", INFERRED);

	(void)unused;
	assert_int_equal(a.used_timely, 1);
	assert_int_equal(a.watched_ns, 497000);
	assert_int_equal(a.helper_busy_ns, 200 + 497 * 200 + BUILD);
	rig_close(&r);
}

static void watch_is_given_up_in_time(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, LONG_NS, LONG_NS / 2, 1000);
	struct spht_account a;

	(void)unused;
	w.costs.helper_watch_ns = 497001; /* stored and seen 497000 after the first look */
	assert_int_equal(run(&w, "prefault", INFERRED).used_timely, 1);
	w.costs.helper_watch_ns = 497000;
	a = run(&w, "prefault", INFERRED);
	assert_int_equal(a.illegal, 1); /* absent, as the guest fault showed */
	assert_int_equal(a.issued, 0);
	assert_int_equal(a.watched_ns, 497000);
	w.costs.helper_watch_ns = 10000;
	a = run(&w, "prefault", INFERRED);
	assert_int_equal(a.illegal, 1);
	assert_int_equal(a.watched_ns, 10000);
	assert_int_equal(a.helper_busy_ns, 200 + 10 * 200);
	a = run(&w, "prefault", STRICT); /* nothing is decided there */
	assert_int_equal(a.unknown, 1);
	rig_close(&r);
}

static void demand_fault_ends_the_watch(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, LONG_NS, 0, 1000);
	struct spht_account a = run(&w, "prefault", STRICT);

	(void)unused;
	/* Strict never sees it stored. */
	assert_int_equal(a.cancelled_demand, 1);
	assert_int_equal(a.watched_ns, 997000);
	rig_close(&r);
}

/* Page 9 is watched when @event happens to its table. */
static struct spht_account watched_then(void (*event)(struct rig *r))
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	open_timed(&r, 1);
	write_page_table(&r, 1);
	guest_fault(&r, VPN(1, 9), U, 0);
	pause_long(&r);
	event(&r);
	pause_long(&r);
	w = whatif_of(&r, 1);
	w.costs.helper_poll_ns = 1000;
	w.costs.helper_watch_ns = 10 * LONG_NS;
	a = run(&w, "prefault", INFERRED);
	rig_close(&r);
	return a;
}

static void zap_it(struct rig *r)
{
	zap_table(r, 1);
}

static void zap_all(struct rig *r)
{
	put(r, ev_bare(SPHT_EV_ZAP_ALL_FAST));
}

static void lose_some(struct rig *r)
{
	put(r, ev_lost(5));
}

static void fault_again(struct rig *r)
{
	guest_fault(r, VPN(1, 9), U, 0);
}

static void zap_ends_the_watch_and_a_loss_does_not(void **unused)
{
	struct spht_account a = watched_then(zap_it);

	(void)unused;
	assert_int_equal(a.cancelled_zap, 1);
	assert_int_equal(a.watched_ns, LONG_NS - 5000 + 1000); /* and the guest fault's exit */
	assert_int_equal(watched_then(zap_all).cancelled_zap, 1);
	a = watched_then(lose_some);
	assert_int_equal(a.pending_end, 1);
	assert_int_equal(a.generated, 1);
}

static void who_asks_again_for_what_is_watched_is_told_that_it_is(void **unused)
{
	struct spht_account a = watched_then(fault_again);

	(void)unused;
	assert_int_equal(a.generated, 2);
	assert_int_equal(a.duplicate, 1);
	assert_int_equal(a.pending_end, 1);
}

static void watched_entries_take_their_place_in_the_queue(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	write_page_table(&r, 1);
	for (unsigned int i = 0; i < 4; i++) {
		guest_fault(&r, VPN(1, 9 + i), U, 0);
		pause_long(&r);
	}
	w = whatif_of(&r, 1);
	w.costs.helper_poll_ns = 1000;
	w.costs.helper_watch_ns = 10 * LONG_NS;
	w.costs.queue_limit = 3;
	a = run(&w, "prefault", INFERRED);
	assert_int_equal(a.generated, 4);
	assert_int_equal(a.queue_full, 1);
	assert_int_equal(a.pending_end, 3);
	w.costs.helper_watch_ns = LONG_NS; /* the first has been given up when the fourth comes */
	a = run(&w, "prefault", INFERRED);
	assert_int_equal(a.queue_full, 0);
	assert_int_equal(a.illegal, 3);
	assert_int_equal(a.pending_end, 1);
	rig_close(&r);
}

static void many_watched_entries_are_looked_at_one_after_the_other(void **unused)
{
	/* Page 9 is one of @around that are watched: the time between two looks at it grows. */
	static const struct {
		unsigned int around;
		uint64_t lead;
		unsigned int timely;
	} c[] = {
		{1, 6200, 1},
		{1, 6199, 0},
		/* Page 0 is there.  15 of 100: looks 7000 and 5500 before, 997000 = 664 * 1500 + 1000. */
		{16, 7000, 1},
		{16, 6999, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct rig r;
		struct whatif w = refault_after(&r, LONG_NS, c[i].lead, 100);
		char text[32];

		snprintf(text, sizeof(text), "prefault:around=%u", c[i].around);
		assert_int_equal(run(&w, text, INFERRED).used_timely, c[i].timely);
		rig_close(&r);
	}
}

static void looks_at_many_are_no_more_than_at_one(void **unused)
{
	struct rig r;
	struct whatif w = refault_after(&r, LONG_NS, 0, 100);
	struct spht_account a;

	(void)unused;
	w.costs.helper_watch_ns = 15000;
	w.costs.helper_read_ns = 1;
	a = run(&w, "prefault", INFERRED);
	assert_int_equal(a.helper_busy_ns, 1 + 150);
	a = run(&w, "prefault:around=16", INFERRED);
	assert_int_equal(a.watched_ns, 15 * 15000);
	/* 15 first looks, and one in 100 for 15000 and the 15 between the first and the last. */
	assert_in_range(a.helper_busy_ns, 15 + 150 - 15, 15 + 151);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refault_is_avoided_if_it_comes_a_look_and_a_build_after_the_store),
		cmocka_unit_test(lead_times_are_drawn_evenly_and_each_is_avoided_or_not_by_its_own),
		cmocka_unit_test(between_two_quantiles_is_a_straight_line),
		cmocka_unit_test(what_is_not_watched_is_read_once),
		cmocka_unit_test(watching_is_work_for_every_look),
		cmocka_unit_test(watch_is_given_up_in_time),
		cmocka_unit_test(demand_fault_ends_the_watch),
		cmocka_unit_test(zap_ends_the_watch_and_a_loss_does_not),
		cmocka_unit_test(who_asks_again_for_what_is_watched_is_told_that_it_is),
		cmocka_unit_test(watched_entries_take_their_place_in_the_queue),
		cmocka_unit_test(many_watched_entries_are_looked_at_one_after_the_other),
		cmocka_unit_test(looks_at_many_are_no_more_than_at_one),
	};

	return cmocka_run_group_tests_name("what-if: watch", tests, NULL, NULL);
}
