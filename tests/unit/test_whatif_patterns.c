// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs over patterns of which one can count beforehand what is avoided: pages one
 * after the other, a forked child, tables that are zapped and come back.
 */
#include "what_if_script.h"

static void window_of_w_spares_all_but_one_in_w(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	touch_pages(&r, 1, 63, false);
	w = whatif_of(&r, 1);
	for (unsigned int size = 2; size <= 64; size *= 2) {
		struct spht_account a;
		char text[32];

		snprintf(text, sizeof(text), "window:size=%u", size);
		a = run(&w, text, OPTIMISTIC);
		assert_int_equal(a.f_base, 64);
		assert_int_equal(a.remaining, 64 / size);
		assert_int_equal(a.used_timely, 64 - 64 / size);
		assert_int_equal(a.generated, 64 / size * (size - 1));
		assert_int_equal(a.built, a.generated);
		snprintf(text, sizeof(text), "nextline:degree=%u", size - 1);
		assert_int_equal(run(&w, text, OPTIMISTIC).used_timely, 64 - 64 / size);
	}
	rig_close(&r);
}

static void reader_that_is_slower_than_the_helper_is_overtaken(void **unused)
{
	static const struct {
		uint64_t gap; /* from one page to the next */
		unsigned int late, cancelled, timely;
	} c[] = {
		/*
		 * Page k is ready at 5000 + 6200 k and, as long as each fault takes its 1000,
		 * touched at k (1000 + gap).  At 7000: 1 and 2 at 8000 and 16000, while they are
		 * built; 3 at 24000, ready at 23600; the next ones 7000 later each, ready 6200
		 * later each.
		 */
		{7000, 2, 0, 5},
		/* 1 just in time at 11200; then the gap is longer than a build. */
		{10200, 0, 0, 7},
		{10199, 1, 0, 6},
		/* Asked for 1..7 again and again: all are touched before the helper wakes up. */
		{0, 0, 4, 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_account a;
		struct whatif w;
		struct rig r;

		open_timed(&r, 1);
		for (unsigned int p = 1; p < (c[i].gap ? 8 : 5); p++) {
			guest_runs(&r, c[i].gap);
			hidden(&r, VPN(1, p), U, page_pte(p), SPTE_W(0x700 + p));
		}
		w = whatif_of(&r, 1);
		a = run(&w, "window:size=8", OPTIMISTIC);
		assert_int_equal(a.used_late, c[i].late);
		assert_int_equal(a.cancelled_demand, c[i].cancelled);
		assert_int_equal(a.used_timely, c[i].timely);
		rig_close(&r);
	}
}

/*
 * A child reads 16 pages that fork() has copied with A=0 into its own table 2, which
 * is shadowed with the first of them.
 */
static struct whatif forked_child(struct rig *r, unsigned int window)
{
	open_timed(r, window);
	for (unsigned int i = 0; i < 16; i++) {
		guest_runs(r, LONG_NS);
		begin(r, VPN(2, i), U, PTE(0x900 + i, UNTOUCHED));
		put(r, ev_set_accessed((TABLE_GFN + 2ull) << 12 | i << 3));
		if (!i)
			put(r, ev_created(TABLE_GFN + 2, ROLE(1)));
		put(r, ev_requested(0x900 + i, 1));
		set(r, VPN(2, i), SPTE_RO(0x900 + i));
		end(r);
	}
	return whatif_of(r, window);
}

static void forked_childs_pages_may_only_be_built_where_a_clear_is_allowed(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = forked_child(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.f_base, 17);
	assert_int_equal(a.built + a.used_timely, 0);
	/* The fault on page i finds the i before it there; the 15 - i after it have A=0. */
	assert_int_equal(a.illegal, 15 * 16 / 2);
	assert_int_equal(a.duplicate, 15 * 16 / 2);
	w.legality = SPHT_LEGAL_PRESENT;
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.used_timely, 15);
	assert_int_equal(a.illegal, 0);
	/* Inferred: known from the first fault in the table on, which write-protects it. */
	assert_int_equal(run(&w, "window:size=16", INFERRED).used_timely, 15);
	assert_int_equal(run(&w, "oracle", INFERRED).avoided_direct, 15);
	assert_int_equal(run(&w, "oracle", OPTIMISTIC).avoided_direct, 17);
	rig_close(&r);
}

static void kvms_own_prefetch_leaves_a_forked_childs_pages_alone(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = forked_child(&r, 1);
	w.window = 8;
	w.counterfactual = true;
	w.legality = SPHT_LEGAL_PRESENT; /* a licence of the helper's, not of KVM's */
	a = run(&w, "none", OPTIMISTIC);
	assert_int_equal(a.avoided_side, 0);
	w.helper_prefetch = true; /* goes through KVM, too */
	a = run(&w, "nextline", OPTIMISTIC);
	assert_int_equal(a.side_built, 0);
	assert_int_equal(a.used_timely, 8); /* every second one */
	rig_close(&r);
}

static void table_that_is_zapped_is_rebuilt_from_its_first_fault_on(void **unused)
{
	static const unsigned int passes = 4;
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	touch_pages(&r, 1, 15, false);
	for (unsigned int pass = 1; pass < passes; pass++) {
		zap_table(&r, 1);
		touch_pages(&r, 0, 16, true);
	}
	w = whatif_of(&r, 1);
	/* Strict knows nothing in the first pass, and all of it between passes. */
	a = run(&w, "window:size=16", STRICT);
	assert_int_equal(a.used_timely, (passes - 1) * 15);
	assert_int_equal(a.zapped_unused, 0);
	/* Who asks for more than is used has the rest zapped, or left at the end. */
	a = run(&w, "window:size=64", OPTIMISTIC);
	assert_int_equal(a.used_timely, passes * 15);
	assert_int_equal(a.unknown, passes * 48);
	rig_close(&r);
}

static void entries_that_are_built_and_zapped_are_in_vain(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	/* Both passes begin; the second half of the pages is never reached in the first. */
	open_timed(&r, 1);
	touch_pages(&r, 1, 7, false);
	guest_runs(&r, LONG_NS);
	zap_table(&r, 1);
	touch_pages(&r, 0, 16, true);
	w = whatif_of(&r, 1);
	a = run(&w, "window:size=16", OPTIMISTIC);
	assert_int_equal(a.used_timely, 7 + 15);
	assert_int_equal(a.zapped_unused, 8);
	assert_int_equal(a.built, 15 + 15);
	rig_close(&r);
}

/*
 * The page above is zapped: the table's own page stays, with all that is in it, and
 * hangs in the air until a fault links it again (__kvm_mmu_prepare_zap_page).
 */
static struct whatif zapped_above(struct rig *r, unsigned int first)
{
	open_timed(r, 1);
	guest_runs(r, LONG_NS);
	hidden(r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701)); /* asks for 8 and 9 */
	pause_long(r);
	put(r, ev_zap(SIM_L2_GFN, ROLE(2)));
	guest_runs(r, LONG_NS);
	begin(r, VPN(1, first), U, page_pte(first));
	put(r, ev_created(SIM_L2_GFN, ROLE(2)));
	put(r, ev_found(TABLE_GFN + 1, ROLE(1), false));
	put(r, ev_requested(0x700 + first, 1));
	set(r, VPN(1, first), SPTE_W(0x700 + first));
	end(r);
	for (unsigned int i = 8; i < 10; i++)
		if (i != first)
			hidden(r, VPN(1, i), U, page_pte(i), SPTE_W(0x700 + i));
	return whatif_of(r, 1);
}

static const struct script ask_two[] = {{VPN(1, 1), VPN(1, 8)}, {VPN(1, 1), VPN(1, 9)}, {0, 0}};

static void children_of_a_zapped_page_keep_what_was_built_in_them(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = zapped_above(&r, 2); /* a third page links it */
	a = run_script(&w, ask_two, OPTIMISTIC);
	assert_int_equal(a.used_timely, 2);
	assert_int_equal(a.zapped_unused, 0);
	assert_int_equal(a.remaining, 3);
	rig_close(&r);
}

static void entry_whose_path_is_gone_does_not_serve(void **unused)
{
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	w = zapped_above(&r, 8); /* its own fault links it, for the other */
	a = run_script(&w, ask_two, OPTIMISTIC);
	assert_int_equal(a.used_timely, 1);
	assert_int_equal(a.zapped_unused, 1);
	assert_int_equal(a.remaining, 3);
	rig_close(&r);
}

/* The guest faults under a level-2 table that has no shadow page either. */
static void path_that_the_helper_makes_is_not_made_again(void **unused)
{
	static const struct script ask[] = {{VPN(1, 0), VPN(1, 0)}, {0, 0}};
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	rig_open_raw(&r, 1);
	load_cr3(&r, SIM_ROOT_GFN, true);
	r.f.tick = 0;
	guest_fault(&r, VPN(1, 0), U, 0);
	guest_runs(&r, LONG_NS);
	first_fault(&r); /* makes three pages */
	w = whatif_of(&r, 1);
	a = run_script(&w, ask, OPTIMISTIC);
	assert_int_equal(a.used_timely, 1);
	assert_int_equal(a.pages_created, 3);
	assert_int_equal(a.kicks, 3);
	assert_int_equal(a.remaining, 0);
	assert_int_equal(a.helper_busy_ns, 200 + 6000 + 3 * 2000);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_of_w_spares_all_but_one_in_w),
		cmocka_unit_test(reader_that_is_slower_than_the_helper_is_overtaken),
		cmocka_unit_test(forked_childs_pages_may_only_be_built_where_a_clear_is_allowed),
		cmocka_unit_test(kvms_own_prefetch_leaves_a_forked_childs_pages_alone),
		cmocka_unit_test(table_that_is_zapped_is_rebuilt_from_its_first_fault_on),
		cmocka_unit_test(entries_that_are_built_and_zapped_are_in_vain),
		cmocka_unit_test(children_of_a_zapped_page_keep_what_was_built_in_them),
		cmocka_unit_test(entry_whose_path_is_gone_does_not_serve),
		cmocka_unit_test(path_that_the_helper_makes_is_not_made_again),
	};

	return cmocka_run_group_tests_name("what-if: patterns", tests, NULL, NULL);
}
