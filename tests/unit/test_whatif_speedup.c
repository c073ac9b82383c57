// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: time with and without a helper, what is charged to it, and its bound.
 */
#include "replay/run.h"
#include "what_if_script.h"

/* CR3 load, 10 ns of the guest's, and the first fault: what every recording begins with. */
#define START_NS (500 + 10 + 1000)

static const struct script ask_8[] = {{VPN(1, 1), VPN(1, 8)}, {0, 0}};

/* Faults on 1, and LONG_NS later on 8; between them an exit that is no step. */
static struct whatif two_faults(struct rig *r)
{
	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	hidden(r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	guest_runs(r, LONG_NS);
	other_exit(r, SVM_HLT);
	hidden(r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
	return whatif_of(r, 1);
}

static void base_is_guest_time_and_every_exit(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = two_faults(&r);
	a = run(&w, "none", STRICT);
	assert_int_equal(a.base_ns, START_NS + 2 * LONG_NS + 2 * 1000 + 500);
	assert_int_equal(a.f_base_ns, 3 * 1000);
	assert_int_equal(a.helped_ns, a.base_ns);
	w.scale = 3; /* the guest's alone */
	a = run(&w, "none", STRICT);
	assert_int_equal(a.base_ns, 3 * (10 + 2 * LONG_NS) + 500 + 3 * 1000 + 500);
	w.costs.exit_ns[SPHT_CLASS_HIDDEN] = 4000;
	a = run(&w, "none", STRICT);
	assert_int_equal(a.base_ns, 3 * (10 + 2 * LONG_NS) + 500 + 3 * 4000 + 500);
	assert_int_equal(a.f_base_ns, 3 * 4000);
	rig_close(&r);
}

static void avoided_fault_wins_its_exit_less_the_first_use(void **unused)
{
	static const uint64_t first_use[] = {0, 150, 1000, 1500};
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = two_faults(&r);
	for (size_t i = 0; i < ARRAY_SIZE(first_use); i++) {
		w.costs.first_use_ns = first_use[i];
		a = run_script(&w, ask_8, OPTIMISTIC);
		assert_int_equal(a.used_timely, 1);
		/* A first use dearer than an exit: the helper loses. */
		assert_int_equal((int64_t)(a.base_ns - a.helped_ns), 1000 - (int64_t)first_use[i]);
		assert_int_equal(run(&w, "none", STRICT).helped_ns, a.base_ns);
	}
	rig_close(&r);
}

static void region_has_its_own_time(void **unused)
{
	struct spht_account a, b;
	struct whatif w;
	struct rig r;
	uint64_t t;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	t = r.f.ts;
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	guest_runs(&r, 2 * LONG_NS);
	hidden(&r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
	w = whatif_of(&r, 1);
	w.to = t + 1;
	a = run_script(&w, ask_8, OPTIMISTIC);
	w.from = t + 1;
	w.to = 0;
	b = run_script(&w, ask_8, OPTIMISTIC);
	assert_int_equal(a.base_ns, START_NS + LONG_NS + 1000);
	assert_int_equal(a.helped_ns, a.base_ns);
	assert_int_equal(b.base_ns, 2 * LONG_NS + 1000);
	assert_int_equal(b.helped_ns, 2 * LONG_NS);
	rig_close(&r);
}

/* spht_result_time() */

static struct spht_result of(struct spht_account a)
{
	return (struct spht_result){.world = {a, a, a}};
}

static void assert_near(double a, double b)
{
	if (a - b > 1e-9 || b - a > 1e-9)
		fail_msg("%.12g is not %.12g", a, b);
}

static void speedup_is_base_against_helped_and_its_bound_has_f_base_free(void **unused)
{
	const struct spht_costs c = plain_costs();
	struct spht_result r =
		of((struct spht_account){.base_ns = 1000, .helped_ns = 800, .f_base_ns = 500});
	struct spht_result_time t;

	(void)unused;
	spht_result_time(&t, &r, INFERRED, &c, 1);
	assert_near(t.base, 1000);
	assert_near(t.helped, 800);
	assert_near(t.speedup_pct, 25);
	assert_near(t.bound_pct, 100);
	r = of((struct spht_account){.base_ns = 1000, .helped_ns = 1250, .f_base_ns = 0});
	spht_result_time(&t, &r, INFERRED, &c, 1);
	assert_near(t.speedup_pct, -20);
	assert_near(t.bound_pct, 0);
	r = of((struct spht_account){0});
	spht_result_time(&t, &r, INFERRED, &c, 1);
	assert_near(t.speedup_pct, 0);
	assert_near(t.bound_pct, 0);
}

static void new_exits_and_helper_exits_take_time_as_they_are_charged(void **unused)
{
	struct spht_costs c = plain_costs();
	struct spht_result r = of((struct spht_account){.base_ns = 100000,
							.helped_ns = 50000,
							.new_exits_lo = 2,
							.new_exits_hi = 8,
							.helper_exits = 3});
	struct spht_result_time t;

	(void)unused;
	c.touch_probability = 0.25;
	c.exit_ns[SPHT_CLASS_HIDDEN] = 4000;
	c.other_exit_ns = 700;
	spht_result_time(&t, &r, STRICT, &c, 1);
	assert_near(t.helped, 50000 + 8 * 4000 + 3 * 700);
	spht_result_time(&t, &r, INFERRED, &c, 1);
	assert_near(t.helped, 50000 + 2 * 4000 + 3 * 700);
	r.world[OPTIMISTIC].new_exits_lo = 1;
	spht_result_time(&t, &r, OPTIMISTIC, &c, 1);
	assert_near(t.helped, 50000 + 1 * 4000 + 3 * 700);
	spht_result_time(&t, &r, OPTIMISTIC, &c, 0.5); /* in the recording's measure */
	assert_near(t.helped, 50000 + 2000 + 1050);
}

static void beside_another_kvm_the_base_is_that_kvms(void **unused)
{
	const struct spht_costs c = plain_costs();
	struct spht_result r = of((struct spht_account){
		.base_ns = 1000000, .helped_ns = 600000, .f_base_ns = 500000});
	struct spht_result_time t;

	(void)unused;
	r.counterfactual = true;
	r.baseline[INFERRED] =
		(struct spht_account){.base_ns = 1000000, .helped_ns = 700000, .new_exits_hi = 20};
	spht_result_time(&t, &r, INFERRED, &c, 1);
	assert_near(t.base, 720000);
	assert_near(t.speedup_pct, 20);
	assert_near(t.bound_pct, 44);
}

static void what_that_kvm_avoids_itself_is_nobodys_gain(void **unused)
{
	const struct spht_costs c = plain_costs();
	struct spht_result r = of((struct spht_account){.avoided_direct = 10, .avoided_side = 7});

	(void)unused;
	assert_near(spht_result_gain(&r, INFERRED, &c), 17);
	r.baseline[INFERRED] = (struct spht_account){.avoided_side = 9, .new_exits_hi = 4};
	r.oracle[INFERRED] = (struct spht_account){.avoided_direct = 30};
	assert_near(spht_result_gain(&r, INFERRED, &c), 17);
	r.counterfactual = true;
	assert_near(spht_result_gain(&r, INFERRED, &c), 12);
	assert_near(spht_result_avoidable(&r, INFERRED, &c), 25);
}

/* Real clocks */

/* Two hidden faults whose windows took 1600 and 4800, the second much later. */
static void recorded_windows(struct rig *r)
{
	open_timed(r, 1);
	for (unsigned int i = 1; i < 3; i++) {
		guest_runs(r, LONG_NS);
		begin(r, VPN(1, i), U, page_pte(i));
		put(r, ev_requested(0x700 + i, 1));
		set(r, VPN(1, i), SPTE_W(0x700 + i));
		guest_runs(r, i == 1 ? 1600 : 4800);
		end(r);
	}
}

static void real_clock_has_recorded_exits_less_the_tracing(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	recorded_windows(&r);
	w = whatif_of(&r, 1);
	w.clock_real = true;
	w.costs.tracing_percent = 60;
	a = run(&w, "none", STRICT);
	/* The first fault's window took no time; the CR3 load's 30, of which 18 are its own. */
	assert_int_equal(a.f_base_ns, 1000 + 3000);
	assert_int_equal(a.base_ns, 18 + 10 + 2 * LONG_NS + 4000);
	w.scale = 7; /* of emulated clocks only */
	assert_int_equal(run(&w, "none", STRICT).base_ns, a.base_ns);
	rig_close(&r);
}

static void helpers_costs_are_brought_to_that_machines_measure(void **unused)
{
	struct spht_costs c = plain_costs();
	struct spht_recording rec = {.clock_real = true};
	struct whatif w;
	struct rig r;

	(void)unused;
	recorded_windows(&r);
	w = whatif_of(&r, 1);
	rec.observed = r.o;
	c.tracing_percent = 60;
	/* Three hidden faults, 4000 in all; the profile says 1000 each. */
	assert_near(spht_run_cost_scale(&rec, &c), 4.0 / 3);
	c.tracing_percent = 0;
	assert_near(spht_run_cost_scale(&rec, &c), 6.4 / 3);
	rec.clock_real = false;
	assert_near(spht_run_cost_scale(&rec, &c), 1);

	/* Page 2 is used LONG_NS and its own exit after it is asked for. */
	for (unsigned int slow = 0; slow <= 1; slow++) {
		static const struct script ask_2[] = {{VPN(1, 1), VPN(1, 2)}, {0, 0}};
		struct spht_account a;

		w.clock_real = true;
		w.cost_scale = 2;
		w.costs.tracing_percent = 60;
		/* 1000 + LONG_NS is twice this. */
		w.costs.helper_build_ns = (1000 + LONG_NS) / 2 - 5000 - 200 + slow;
		a = run_script(&w, ask_2, OPTIMISTIC);
		assert_int_equal(a.used_timely, !slow);
		assert_int_equal(a.used_late, slow);
	}
	rig_close(&r);
}

static void looks_at_a_watched_entry_are_in_that_measure_too(void **unused)
{
	/*
	 * LONG_NS after the guest's fault the refault; the first look comes 10000 after it, and
	 * then one in 1000.  A build takes 12400: the look 13000 before the refault is in time.
	 */
	static const uint64_t leads[] = {12999, 13000};
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	write_page_table(&r, 1);
	guest_fault(&r, VPN(1, 9), U, 0);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	w = whatif_of(&r, 1);
	w.clock_real = true;
	w.cost_scale = 2;
	w.costs.helper_poll_ns = 500;
	w.costs.helper_watch_ns = 10 * LONG_NS; /* the guest's time */
	for (unsigned int i = 0; i < 2; i++) {
		w.costs.lead_ns[0] = w.costs.lead_ns[1] = leads[i];
		a = run(&w, "prefault", INFERRED);
		assert_int_equal(a.used_timely, i);
		/* 978 or 977 looks and two reads of 400, and the build. */
		assert_int_equal(a.helper_busy_ns, (978 - i) * 400 + 2 * 400 + 12000);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_is_guest_time_and_every_exit),
		cmocka_unit_test(avoided_fault_wins_its_exit_less_the_first_use),
		cmocka_unit_test(region_has_its_own_time),
		cmocka_unit_test(speedup_is_base_against_helped_and_its_bound_has_f_base_free),
		cmocka_unit_test(new_exits_and_helper_exits_take_time_as_they_are_charged),
		cmocka_unit_test(beside_another_kvm_the_base_is_that_kvms),
		cmocka_unit_test(what_that_kvm_avoids_itself_is_nobodys_gain),
		cmocka_unit_test(real_clock_has_recorded_exits_less_the_tracing),
		cmocka_unit_test(helpers_costs_are_brought_to_that_machines_measure),
		cmocka_unit_test(looks_at_a_watched_entry_are_in_that_measure_too),
	};

	return cmocka_run_group_tests_name("what-if: speed-up", tests, NULL, NULL);
}
