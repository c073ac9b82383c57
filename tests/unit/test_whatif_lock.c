// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: mmu_lock between vCPUs and helpers, and helpers among each other.
 */
#include "replay/lock.h"
#include "what_if_script.h"

#define EXIT       1000 /* what any #PF exit takes ... */
#define HELD       400 /* ... the last 400 under mmu_lock */

/* A helper asked at T prepares from T + 5000 to T + LOCKS and is done at T + BUILT. */
#define LOCKS      (5000 + 200 + 5000)
#define HELD_BUILD 1000
#define BUILT      (LOCKS + HELD_BUILD)

static struct whatif locked(struct rig *r)
{
	struct whatif w = whatif_of(r, 1);

	w.costs.exit_lock_ns = HELD;
	w.costs.helper_lock_ns = HELD_BUILD;
	return w;
}

static void on_vcpu(struct rig *r, unsigned int vcpu)
{
	r->vcpu = vcpu;
	r->f.tid = 100 + (int)vcpu;
}

static void lock_goes_to_the_first_gap_that_is_long_enough(void **unused)
{
	struct spht_lock l = {0};

	(void)unused;
	assert_int_equal(spht_lock_take(&l, 100, 50), 100);
	assert_int_equal(spht_lock_take(&l, 300, 50), 300);
	assert_int_equal(spht_lock_take(&l, 120, 50), 150);
	assert_int_equal(spht_lock_take(&l, 150, 100), 200); /* 200 to 300: just */
	assert_int_equal(spht_lock_take(&l, 90, 11), 350); /* one too long for before 100 */
	assert_int_equal(spht_lock_take(&l, 90, 10), 90);
	assert_int_equal(spht_lock_take(&l, 0, 0), 0); /* who does not hold it does not wait */
}

static void hold_goes_on_unless_somebody_waits(void **unused)
{
	struct spht_lock l = {0};

	(void)unused;
	assert_false(spht_lock_extend(&l, 100, 10)); /* nobody holds it */
	spht_lock_take(&l, 100, 50);
	assert_false(spht_lock_extend(&l, 140, 10)); /* that is no end */
	assert_true(spht_lock_extend(&l, 150, 10));
	assert_int_equal(spht_lock_take(&l, 155, 20), 160);
	assert_false(spht_lock_extend(&l, 160, 1));
	assert_true(spht_lock_extend(&l, 180, 1));
}

/*
 * Two vCPUs; vCPU 1 faults @later ns after vCPU 0.  Clocks: the first CR3 load is
 * recorded at 1000 and takes 500; 10 ns later the first fault, which takes 1000.
 * vCPU 1 begins with an exit of 500 at the same time, so it is 500 behind after it.
 */
static void two_faults(struct rig *r, uint64_t later)
{
	open_timed(r, 1);
	on_vcpu(r, 1);
	put(r, ev_exit_svm(SVM_HLT, 0, 0, 1));
	put(r, ev_zap(0x99999, ROLE(1)));
	put(r, ev_entry(1));
	guest_runs(r, LONG_NS);
	on_vcpu(r, 0);
	hidden(r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	guest_runs(r, 500 + later);
	on_vcpu(r, 1);
	hidden(r, VPN(1, 2), U, page_pte(2), SPTE_W(0x702));
}

static void second_vcpu_waits_for_the_first(void **unused)
{
	static const struct {
		uint64_t later, waits;
	} c[] = {{0, HELD}, {1, HELD - 1}, {HELD - 1, 1}, {HELD, 0}, {LONG_NS, 0}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_account a;
		struct whatif w;
		struct rig r;

		two_faults(&r, c[i].later);
		w = locked(&r);
		a = run(&w, "none", INFERRED);
		assert_int_equal(a.lock_wait_ns, c[i].waits);
		assert_int_equal(a.base_wait_ns, c[i].waits);
		assert_int_equal(a.f_base_ns, 3 * EXIT + c[i].waits);
		w.costs.exit_lock_ns = 0;
		assert_int_equal(run(&w, "none", INFERRED).lock_wait_ns, 0);
		rig_close(&r);
	}
}

static void guest_faults_and_mmio_do_not_take_the_lock(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	two_faults(&r, LONG_NS);
	on_vcpu(&r, 0);
	guest_fault(&r, VPN(1, 3), U, 0);
	on_vcpu(&r, 1);
	guest_fault(&r, VPN(1, 4), U, 0);
	on_vcpu(&r, 0);
	feed_pf(&r.f, VPN(1, 5) << 12, U, 0);
	put(&r, ev_emulate(0x401000));
	put(&r, ev_mmio(0xfee00020));
	end(&r);
	w = locked(&r);
	a = run(&w, "none", INFERRED);
	assert_int_equal(a.lock_wait_ns, 0);
	rig_close(&r);
}

static void avoided_fault_takes_no_lock_and_the_other_vcpu_does_not_wait(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 1)}, {0, 0}};
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	two_faults(&r, 0);
	w = locked(&r);
	a = run_script(&w, ask, OPTIMISTIC);
	assert_int_equal(a.used_timely, 1);
	assert_int_equal(a.lock_wait_ns, 0);
	assert_int_equal(a.base_wait_ns, HELD);
	assert_int_equal(a.base_ns - a.helped_ns, EXIT + HELD);
	rig_close(&r);
}

/*
 * A vCPU faults on page 1, for which the helper is asked for one page or for three; @gap
 * later it faults on @page, and much later on all that were asked for.
 */
static const struct script ask_one[] = {{VPN(1, 1), VPN(1, 8)}, {0, 0}};
static const struct script ask_three[] = {
	{VPN(1, 1), VPN(1, 8)}, {VPN(1, 1), VPN(1, 9)}, {VPN(1, 1), VPN(1, 10)}, {0, 0}};

static struct whatif helper_and_vcpu(struct rig *r, uint64_t gap, unsigned int page)
{
	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	hidden(r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	guest_runs(r, gap);
	hidden(r, VPN(1, page), U, page_pte(page), SPTE_W(0x700 + page));
	guest_runs(r, LONG_NS);
	for (unsigned int i = 8; i < 11; i++)
		if (i != page)
			hidden(r, VPN(1, i), U, page_pte(i), SPTE_W(0x700 + i));
	return locked(r);
}

/* The gap after which a fault wants the lock @ns after the helper was asked. */
#define WANTS_AT(ns) ((ns)-2 * EXIT + HELD)

static void who_comes_first_to_the_lock_has_it_and_the_other_waits(void **unused)
{
	static const struct {
		uint64_t at, vcpu_waits, helper_waits;
	} c[] = {
		/* Both at once: the helper. */
		{LOCKS, HELD_BUILD, 0}, {LOCKS + 1, HELD_BUILD - 1, 0}, {BUILT - 1, 1, 0},
		{BUILT, 0, 0},          {LOCKS - 1, 0, HELD - 1},       {LOCKS - HELD + 1, 0, 1},
		{LOCKS - HELD, 0, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct rig r;
		struct whatif w = helper_and_vcpu(&r, WANTS_AT(c[i].at), 2);
		struct spht_account a = run_script(&w, ask_one, OPTIMISTIC);

		assert_int_equal(a.lock_wait_ns, c[i].vcpu_waits);
		assert_int_equal(a.helper_wait_ns, c[i].helper_waits);
		assert_int_equal(a.helper_busy_ns, 6200 + c[i].helper_waits);
		assert_int_equal(a.base_wait_ns, 0);
		assert_int_equal(a.used_timely, 1);
		assert_int_equal(a.base_ns - a.helped_ns, EXIT - c[i].vcpu_waits);
		rig_close(&r);
	}
}

static void wait_makes_the_build_late(void **unused)
{
	(void)unused;
	/* Page 2 takes the lock just before the helper, for HELD; page 8 is used then. */
	for (unsigned int early = 0; early <= 1; early++) {
		struct spht_account a;
		struct whatif w;
		struct rig r;

		open_timed(&r, 1);
		guest_runs(&r, LONG_NS);
		hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
		guest_runs(&r, WANTS_AT(LOCKS - 1));
		hidden(&r, VPN(1, 2), U, page_pte(2), SPTE_W(0x702)); /* ends at LOCKS - 1 + HELD */
		guest_runs(&r, HELD_BUILD - early);
		hidden(&r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
		w = locked(&r);
		a = run_script(&w, ask_one, OPTIMISTIC);
		assert_int_equal(a.used_timely, !early);
		assert_int_equal(a.used_late, early);
		rig_close(&r);
	}
}

static void late_build_of_the_very_entry_is_waited_for_as_well(void **unused)
{
	struct rig r;
	struct whatif w = helper_and_vcpu(&r, WANTS_AT(LOCKS + 300), 8);
	struct spht_account a = run_script(&w, ask_one, OPTIMISTIC);

	(void)unused;
	assert_int_equal(a.used_late, 1);
	assert_int_equal(a.lock_wait_ns, HELD_BUILD - 300);
	assert_int_equal(a.helped_ns - a.base_ns, HELD_BUILD - 300);
	rig_close(&r);
}

static void page_that_is_made_is_made_under_the_lock(void **unused)
{
	static const struct script other[] = {{VPN(1, 1), VPN(2, 6)}, {0, 0}};
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	guest_fault(&r, VPN(2, 6), U, 0); /* so that the helper knows where table 2 is */
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	guest_runs(&r, WANTS_AT(LOCKS));
	hidden(&r, VPN(1, 2), U, page_pte(2), SPTE_W(0x702));
	guest_runs(&r, LONG_NS);
	remake(&r, VPN(2, 6), page_pte(6), SPTE_W(0x706));
	w = locked(&r);
	a = run_script(&w, other, OPTIMISTIC);
	assert_int_equal(a.pages_created, 1);
	assert_int_equal(a.lock_wait_ns, HELD_BUILD + 2000);
	rig_close(&r);
}

static void batch_makes_the_vcpu_wait_for_all_of_it(void **unused)
{
	/* The second and the third take a read and their hold, 1200 each, and no preparation. */
	static const uint64_t waits[] = {0, HELD_BUILD, HELD_BUILD + 1200, HELD_BUILD + 2400,
					 HELD_BUILD + 2400};
	/* Of 3 builds, 1 in @batch is prepared. */
	static const uint64_t busy[] = {0, 3 * 6200, 2 * 6200 + 1200, 6200 + 2 * 1200,
					6200 + 2 * 1200};

	(void)unused;
	for (unsigned int batch = 1; batch <= 4; batch++) {
		struct rig r;
		struct whatif w = helper_and_vcpu(&r, WANTS_AT(LOCKS), 2);
		struct spht_account a;

		w.costs.helper_batch = batch;
		a = run_script(&w, ask_three, OPTIMISTIC);
		assert_int_equal(a.lock_wait_ns, waits[batch]);
		assert_int_equal(a.used_timely, 3);
		assert_int_equal(a.helper_wait_ns, 0);
		assert_int_equal(a.helper_busy_ns, busy[batch]);
		rig_close(&r);
	}
}

/* Page 8 + @n is ready @ns after its request: not earlier. */
static void assert_ready(unsigned int n, uint64_t ns, void (*change)(struct whatif *w))
{
	for (unsigned int early = 0; early <= 1; early++) {
		struct spht_account a;
		struct whatif w;
		struct rig r;

		open_timed(&r, 1);
		guest_runs(&r, LONG_NS);
		hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
		guest_runs(&r, ns - EXIT - early);
		hidden(&r, VPN(1, 8 + n), U, page_pte(8 + n), SPTE_W(0x708 + n));
		guest_runs(&r, LONG_NS);
		for (unsigned int i = 8; i < 11; i++)
			if (i != 8 + n)
				hidden(&r, VPN(1, i), U, page_pte(i), SPTE_W(0x700 + i));
		w = locked(&r);
		if (change)
			change(&w);
		a = run_script(&w, ask_three, OPTIMISTIC);
		if (a.used_timely != 3 - early)
			fail_msg("page %u, %" PRIu64 " ns: %s", n, ns - early,
				 early ? "too early" : "too late");
		rig_close(&r);
	}
}

static void two_helpers(struct whatif *w)
{
	w->helpers = 2;
}

static void three_helpers(struct whatif *w)
{
	w->helpers = 3;
}

static void pace_10000(struct whatif *w)
{
	w->costs.helper_pace_ns = 10000;
}

static void pace_1000(struct whatif *w)
{
	w->costs.helper_pace_ns = 1000;
}

static void batch_of_three(struct whatif *w)
{
	w->costs.helper_batch = 3;
}

static void batch_and_pace(struct whatif *w)
{
	w->costs.helper_batch = 3;
	w->costs.helper_pace_ns = 10000;
}

static void one_helper_builds_one_after_the_other(void **unused)
{
	(void)unused;
	for (unsigned int n = 0; n < 3; n++)
		assert_ready(n, BUILT + n * 6200, NULL);
	for (unsigned int n = 0; n < 3; n++)
		assert_ready(n, BUILT + n * (200 + HELD_BUILD), batch_of_three);
}

static void several_prepare_at_once_and_install_one_after_the_other(void **unused)
{
	(void)unused;
	for (unsigned int n = 0; n < 3; n++)
		assert_ready(n, BUILT + n * HELD_BUILD, three_helpers);
	/* The third of two: the first is free at BUILT. */
	for (unsigned int n = 0; n < 2; n++)
		assert_ready(n, BUILT + n * HELD_BUILD, two_helpers);
	assert_ready(2, BUILT + 6200, two_helpers);
}

static void pace_is_from_the_start_of_a_build_to_the_next(void **unused)
{
	(void)unused;
	for (unsigned int n = 0; n < 3; n++) {
		assert_ready(n, BUILT + n * 10000, pace_10000);
		assert_ready(n, BUILT + n * 10000, batch_and_pace);
		assert_ready(n, BUILT + n * 6200, pace_1000);
	}
}

/* Both vCPUs fault at once, and two pages are asked for after each. */
static struct whatif two_askers(struct rig *r)
{
	two_faults(r, 0);
	guest_runs(r, LONG_NS);
	for (unsigned int i = 8; i < 12; i++) {
		on_vcpu(r, i < 10 ? 0 : 1);
		hidden(r, VPN(1, i), U, page_pte(i), SPTE_W(0x700 + i));
	}
	return locked(r);
}

static const struct script two_each[] = {{VPN(1, 1), VPN(1, 8)},
					 {VPN(1, 1), VPN(1, 9)},
					 {VPN(1, 2), VPN(1, 10)},
					 {VPN(1, 2), VPN(1, 11)},
					 {0, 0}};

static void helper_of_a_vcpu_has_a_queue_of_its_own(void **unused)
{
	struct rig r;
	struct whatif w = two_askers(&r);
	struct spht_account a;

	(void)unused;
	w.costs.queue_limit = 2;
	a = run_script(&w, two_each, OPTIMISTIC);
	assert_int_equal(a.queue_full, 2);
	assert_int_equal(a.used_timely, 2);
	w.helpers = 2; /* share one queue */
	a = run_script(&w, two_each, OPTIMISTIC);
	assert_int_equal(a.queue_full, 2);
	w.helper_per_vcpu = true;
	a = run_script(&w, two_each, OPTIMISTIC);
	assert_int_equal(a.queue_full, 0);
	assert_int_equal(a.used_timely, 4);
	rig_close(&r);
}

static void what_one_vcpus_helper_has_in_hand_is_a_duplicate_to_the_other(void **unused)
{
	static const struct script same[] = {
		{VPN(1, 1), VPN(1, 8)}, {VPN(1, 2), VPN(1, 8)}, {0, 0}};
	struct rig r;
	struct whatif w = two_askers(&r);
	struct spht_account a;

	(void)unused;
	w.helper_per_vcpu = true;
	a = run_script(&w, same, OPTIMISTIC);
	assert_int_equal(a.generated, 2);
	assert_int_equal(a.duplicate, 1);
	assert_int_equal(a.used_timely, 1);
	rig_close(&r);
}

/* vCPU 0 asked for it and does not exit again before vCPU 1 comes to the page. */
static void helper_works_while_its_own_vcpu_is_away(void **unused)
{
	static const struct script other[] = {{VPN(1, 1), VPN(1, 10)}, {0, 0}};
	struct rig r;
	struct whatif w;
	struct spht_account a;

	(void)unused;
	two_faults(&r, 0);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 10), U, page_pte(10), SPTE_W(0x70a)); /* still on vCPU 1 */
	w = locked(&r);
	w.helper_per_vcpu = true;
	a = run_script(&w, other, OPTIMISTIC);
	assert_int_equal(a.used_timely, 1);
	assert_int_equal(a.cancelled_demand, 0);
	rig_close(&r);
}

static void vcpus_wait_for_each_other_under_all_rules(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	two_faults(&r, 0);
	w = locked(&r);
	for (w.rules = SPHT_RULES_ALL; w.rules > SPHT_RULES_NAIVE; w.rules--) {
		a = run(&w, "none", INFERRED);
		assert_int_equal(a.lock_wait_ns, HELD);
		assert_int_equal(a.helped_ns, a.base_ns);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_goes_to_the_first_gap_that_is_long_enough),
		cmocka_unit_test(hold_goes_on_unless_somebody_waits),
		cmocka_unit_test(second_vcpu_waits_for_the_first),
		cmocka_unit_test(guest_faults_and_mmio_do_not_take_the_lock),
		cmocka_unit_test(avoided_fault_takes_no_lock_and_the_other_vcpu_does_not_wait),
		cmocka_unit_test(who_comes_first_to_the_lock_has_it_and_the_other_waits),
		cmocka_unit_test(wait_makes_the_build_late),
		cmocka_unit_test(late_build_of_the_very_entry_is_waited_for_as_well),
		cmocka_unit_test(page_that_is_made_is_made_under_the_lock),
		cmocka_unit_test(batch_makes_the_vcpu_wait_for_all_of_it),
		cmocka_unit_test(one_helper_builds_one_after_the_other),
		cmocka_unit_test(several_prepare_at_once_and_install_one_after_the_other),
		cmocka_unit_test(pace_is_from_the_start_of_a_build_to_the_next),
		cmocka_unit_test(helper_of_a_vcpu_has_a_queue_of_its_own),
		cmocka_unit_test(helper_works_while_its_own_vcpu_is_away),
		cmocka_unit_test(vcpus_wait_for_each_other_under_all_rules),
		cmocka_unit_test(what_one_vcpus_helper_has_in_hand_is_a_duplicate_to_the_other),
	};

	return cmocka_run_group_tests_name("what-if: lock", tests, NULL, NULL);
}
