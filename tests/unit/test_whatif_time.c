// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: what is in time, what takes time, and whose clock counts.
 */
#include "what_if_script.h"

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

static void vcpu_that_is_behind_comes_up_to_what_was_recorded_before(void **unused)
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
	assert_int_equal(a.used_timely, 1);
	assert_int_equal(a.used_late, 0);
	assert_int_equal(a.avoided_direct, 1);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refault_is_avoided_when_the_handler_takes_as_long_as_the_build),
		cmocka_unit_test(refault_cannot_be_prepared_where_the_world_has_no_entry_yet),
		cmocka_unit_test(guest_time_is_scaled_and_costs_are_not),
		cmocka_unit_test(real_clock_takes_recorded_exits_less_what_tracing_cost),
		cmocka_unit_test(exits_between_take_their_time),
		cmocka_unit_test(avoided_exit_takes_no_time),
		cmocka_unit_test(slack_is_from_ready_to_use),
		cmocka_unit_test(slack_beyond_the_histogram_is_kept_in_its_last_bin),
		cmocka_unit_test(vcpu_that_is_behind_comes_up_to_what_was_recorded_before),
	};

	return cmocka_run_group_tests_name("what-if: time", tests, NULL, NULL);
}
