// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: the curve over the helper's latency, and the oracle with a latency
 * and a bandwidth.
 */
#include "what_if_script.h"

static const struct script ask_8[] = {{VPN(1, 1), VPN(1, 8)}, {0, 0}};
static const struct script ask_9[] = {{VPN(1, 9), VPN(1, 9)}, {0, 0}};

static struct whatif free_exits(struct rig *r)
{
	struct whatif w = whatif_of(r, 1);

	memset(w.costs.exit_ns, 0, sizeof(w.costs.exit_ns));
	return w;
}

/* One fault whose entry could have been built for @slack; less than 0: none. */
static void assert_slack(const struct spht_account *a, int64_t slack)
{
	for (unsigned int i = 0; i < SPHT_CURVE_POINTS; i++)
		if (a->curve[i] != ((int64_t)spht_curve_ns[i] <= slack))
			fail_msg("%" PRIu64 " faults at %" PRIu64 " ns, slack %" PRId64,
				 a->curve[i], spht_curve_ns[i], slack);
}

/* Page 8 is asked for at the fault on page 1, and faults @ns later. */
static struct whatif asked_then_used(struct rig *r, uint64_t ns)
{
	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	hidden(r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	guest_runs(r, ns);
	hidden(r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
	return free_exits(r);
}

static void fault_counts_up_to_the_time_that_its_entry_could_take(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < SPHT_CURVE_POINTS; i++) {
		for (int off = -1; off <= 1; off++) {
			int64_t slack = (int64_t)spht_curve_ns[i] + off;
			struct spht_account a;
			struct whatif w;
			struct rig r;

			if (slack < 0)
				continue;
			w = asked_then_used(&r, (uint64_t)slack);
			a = run_script(&w, ask_8, OPTIMISTIC);
			assert_slack(&a, slack);
			rig_close(&r);
		}
	}
}

static void points_go_up_from_none(void **unused)
{
	(void)unused;
	assert_int_equal(spht_curve_ns[0], 0);
	for (unsigned int i = 1; i < SPHT_CURVE_POINTS; i++)
		assert_true(spht_curve_ns[i] > spht_curve_ns[i - 1]);
}

static void curve_does_not_depend_on_the_helper_there_is(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = asked_then_used(&r, 50000);
	w.costs.queue_limit = 0;
	a = run_script(&w, ask_8, OPTIMISTIC);
	assert_int_equal(a.queue_full, 1);
	assert_slack(&a, 50000);
	w.costs.queue_limit = 256;
	w.costs.helper_build_ns = LONG_NS;
	a = run_script(&w, ask_8, OPTIMISTIC);
	assert_int_equal(a.used_late, 1);
	assert_slack(&a, 50000);
	rig_close(&r);
}

static void entry_that_nobody_asked_for_or_that_is_not_there_counts_nowhere(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = asked_then_used(&r, 50000);
	a = run(&w, "none", OPTIMISTIC);
	assert_slack(&a, -1);
	a = run_script(&w, ask_8, STRICT);
	assert_int_equal(a.unknown, 1);
	assert_slack(&a, -1);
	rig_close(&r);
}

static void first_of_two_requests_counts_unless_a_zap_came_between(void **unused)
{
	static const struct script twice[] = {
		{VPN(1, 1), VPN(1, 8)}, {VPN(1, 2), VPN(1, 8)}, {0, 0}};

	(void)unused;
	for (unsigned int zap = 0; zap <= 1; zap++) {
		struct spht_account a;
		struct whatif w;
		struct rig r;

		open_timed(&r, 1);
		guest_runs(&r, LONG_NS);
		hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
		guest_runs(&r, 6000);
		if (zap)
			zap_table(&r, 1);
		if (zap)
			remake(&r, VPN(1, 2), page_pte(2), SPTE_W(0x702));
		else
			hidden(&r, VPN(1, 2), U, page_pte(2), SPTE_W(0x702));
		guest_runs(&r, 3000);
		hidden(&r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
		w = free_exits(&r);
		w.costs.queue_limit = 0; /* or the second is a duplicate */
		a = run_script(&w, twice, OPTIMISTIC);
		assert_slack(&a, zap ? 3000 : 9000);
		a = run_script(&w, ask_8, OPTIMISTIC);
		assert_slack(&a, zap ? -1 : 9000);
		rig_close(&r);
	}
}

static void entry_that_is_stored_later_counts_from_its_store_if_it_is_watched(void **unused)
{
	static const struct {
		uint64_t ns, lead, slack;
	} c[] = {{LONG_NS, 700, 700}, {LONG_NS, 699, 699}, {5000, 2 * LONG_NS, 5000}};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_account a;
		struct whatif w;
		struct rig r;

		open_timed(&r, 1);
		write_page_table(&r, 1);
		guest_fault(&r, VPN(1, 9), U, 0);
		guest_runs(&r, c[i].ns);
		hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
		w = free_exits(&r);
		w.costs.lead_ns[0] = w.costs.lead_ns[1] = c[i].lead;
		w.costs.helper_watch_ns = 10 * LONG_NS;
		w.costs.helper_poll_ns = 1;
		a = run_watching(&w, ask_9, INFERRED);
		assert_slack(&a, (int64_t)c[i].slack);
		/* Where nobody waits it is refused, however slow the guest is. */
		a = run_script(&w, ask_9, INFERRED);
		assert_slack(&a, -1);
		a = run_watching(&w, ask_9, STRICT);
		assert_slack(&a, -1);
		rig_close(&r);
	}
}

static void used_and_lost_and_used_again_counts_twice(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	for (unsigned int pass = 0; pass < 2; pass++) {
		guest_runs(&r, LONG_NS);
		touch_pages(&r, 1, 1, pass);
		guest_runs(&r, pass ? 2000 : 20000);
		hidden(&r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
		zap_table(&r, 1);
	}
	w = free_exits(&r);
	a = run_script(&w, ask_8, OPTIMISTIC);
	for (unsigned int i = 0; i < SPHT_CURVE_POINTS; i++)
		assert_int_equal(a.curve[i],
				 (spht_curve_ns[i] <= 2000) + (spht_curve_ns[i] <= 20000));
	rig_close(&r);
}

/*
 * The oracle's family.  All pages are legal from the end of the CR3 load on; the first
 * fault comes 10 later and takes 1000; LONG_NS later pages 1 to 15 fault at once.
 */
#define BURST (10 + 1000 + LONG_NS)

static struct whatif burst(struct rig *r)
{
	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	for (unsigned int i = 1; i < 16; i++)
		hidden(r, VPN(1, i), U, page_pte(i), SPTE_W(0x700 + i));
	return whatif_of(r, 1);
}

static unsigned int spared(const struct whatif *w, unsigned int latency, unsigned int bandwidth)
{
	char text[64];

	snprintf(text, sizeof(text), "oracle:latency=%u,bandwidth=%u", latency, bandwidth);
	return (unsigned int)run(w, text, OPTIMISTIC).avoided_direct;
}

static void oracle_with_a_latency_spares_what_has_been_there_for_so_long(void **unused)
{
	struct rig r;
	struct whatif w = burst(&r);

	(void)unused;
	assert_int_equal(spared(&w, 0, 0), 16);
	/* The first fault, after 10, is not spared, and takes its time. */
	assert_int_equal(spared(&w, BURST, 0), 15);
	/* Nor is the first of the others then, and the next comes 1000 later. */
	assert_int_equal(spared(&w, BURST + 1, 0), 14);
	assert_int_equal(spared(&w, BURST + 1000, 0), 14);
	assert_int_equal(spared(&w, BURST + 1001, 0), 13);
	assert_int_equal(spared(&w, 2 * BURST, 0), 0);
	rig_close(&r);
}

static void oracle_with_a_bandwidth_spares_so_many_in_that_time(void **unused)
{
	struct rig r;
	struct whatif w = burst(&r);

	(void)unused;
	/* One in 100000 ns: ten by BURST, all begun as soon as the one before was over. */
	assert_int_equal(spared(&w, 0, 10), 10);
	/* One in 66666: fifteen; in 71428: fourteen. */
	assert_int_equal(spared(&w, 0, 15), 15);
	assert_int_equal(spared(&w, 0, 14), 14);
	/* One in 100000 that takes 200000: the tenth would be over at 1100000. */
	assert_int_equal(spared(&w, 200000, 10), 9);
	rig_close(&r);
}

static void oracles_curve_is_that_of_oracles_with_a_latency(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	write_page_table(&r, 1);
	for (unsigned int i = 0; i < 24; i++) {
		guest_runs(&r, LONG_NS);
		guest_fault(&r, VPN(1, 9 + i), U, 0);
		guest_runs(&r, LONG_NS);
		hidden(&r, VPN(1, 9 + i), U, page_pte(9 + i), SPTE_W(0x709 + i));
	}
	w = whatif_of(&r, 1);
	w.costs.lead_ns[1] = 12000;
	a = run(&w, "oracle", INFERRED);
	assert_int_equal(a.curve[0], 24);
	for (unsigned int i = 0; i < SPHT_CURVE_POINTS; i++) {
		char text[40];

		snprintf(text, sizeof(text), "oracle:latency=%" PRIu64, spht_curve_ns[i]);
		assert_int_equal(run(&w, text, INFERRED).avoided_direct, a.curve[i]);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fault_counts_up_to_the_time_that_its_entry_could_take),
		cmocka_unit_test(points_go_up_from_none),
		cmocka_unit_test(curve_does_not_depend_on_the_helper_there_is),
		cmocka_unit_test(entry_that_nobody_asked_for_or_that_is_not_there_counts_nowhere),
		cmocka_unit_test(first_of_two_requests_counts_unless_a_zap_came_between),
		cmocka_unit_test(entry_that_is_stored_later_counts_from_its_store_if_it_is_watched),
		cmocka_unit_test(used_and_lost_and_used_again_counts_twice),
		cmocka_unit_test(oracle_with_a_latency_spares_what_has_been_there_for_so_long),
		cmocka_unit_test(oracle_with_a_bandwidth_spares_so_many_in_that_time),
		cmocka_unit_test(oracles_curve_is_that_of_oracles_with_a_latency),
	};

	return cmocka_run_group_tests_name("what-if: curve", tests, NULL, NULL);
}
