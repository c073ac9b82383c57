// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs: what the guest does to entries that a helper built, what the guest must
 * have done for them, and what the helper costs the guest.
 */
#include "what_if_script.h"

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
static struct whatif new_table(struct rig *r, uint64_t *second_ns)
{
	open_timed(r, 1);
	guest_fault(r, VPN(2, 5), U, 0);
	guest_runs(r, LONG_NS);
	guest_fault(r, VPN(2, 6), U, 0);
	guest_runs(r, LONG_NS);
	*second_ns = r->f.ts;
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
	uint64_t second_ns;
	struct rig r;
	struct whatif w = new_table(&r, &second_ns);
	struct spht_account a = run_script(&w, both, OPTIMISTIC);

	(void)unused;
	assert_int_equal(a.pages_created, 1);
	assert_int_equal(a.avoided_direct, 2);
	/* The vCPU is kicked to flush; page 6 is stored under write protection. */
	assert_int_equal(a.kicks, 1);
	assert_int_equal(a.helper_exits, 2);
	a = run_script(&w, second, OPTIMISTIC);
	assert_int_equal(a.pages_created, 1);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.kicks, 1);
	assert_int_equal(a.helper_exits, 1); /* all stores came before */
	rig_close(&r);
}

static void such_an_exit_counts_where_the_step_after_the_store_is(void **unused)
{
	static const struct script both[] = {
		{VPN(2, 5), VPN(2, 5)}, {VPN(2, 6), VPN(2, 6)}, {0, 0}};

	(void)unused;
	/* Wherever chunks of steps end. */
	for (unsigned int bits = 0; bits < 4; bits++) {
		uint64_t second_ns;
		struct whatif w;
		struct rig r;

		rig_room.chunk_bits = bits;
		w = new_table(&r, &second_ns);
		w.from = second_ns;
		assert_int_equal(run_script(&w, both, OPTIMISTIC).helper_exits, 1);
		w.from++;
		assert_int_equal(run_script(&w, both, OPTIMISTIC).helper_exits, 0);
		rig_close(&r);
	}
	rig_room = SPHT_ROOM_DEFAULT;
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

/* The entry that a group went over, and that the next fault on it shows to have gone since. */
static void what_a_fault_shows_before_its_turn_has_not_gone_before_the_exit_before_it(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 8);
	hidden(&r, VPN(1, 8), U, page_pte(8), SPTE_W(0x708));
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	write_page_table(&r, 1);
	sync_table(&r, 1);
	hidden(&r, VPN(1, 10), U, page_pte(10), SPTE_W(0x70a));
	begin(&r, VPN(1, 9), U, PTE(0x809, DIRTY));
	/* A thread of KVM's own is faster. */
	r.f.tid = 7;
	set(&r, VPN(1, 12), SPTE_W(0x70c));
	r.f.tid = 100;
	put(&r, ev_requested(0x809, 1));
	set(&r, VPN(1, 9), SPTE_W(0x809));
	end(&r);
	assert_int_equal(
		r.fid->derived[SPHT_DERIVED_SYNCED][0] + r.fid->derived[SPHT_DERIVED_FROZEN][0], 1);
	assert_true(present(&r, VPN(1, 9)));
	w = whatif_of(&r, 8);
	/* The books close: it was there for the group of entry 10. */
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++)
		assert_int_equal(run(&w, "none", world).remaining, 5);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_that_the_guest_takes_back_goes_unused),
		cmocka_unit_test(entry_whose_guest_entry_loses_d_is_read_only_from_then_on),
		cmocka_unit_test(entry_whose_guest_entry_loses_a_goes),
		cmocka_unit_test(invalidation_of_an_address_takes_what_a_helper_built_there),
		cmocka_unit_test(entry_gone_while_it_is_built_is_a_failed_build),
		cmocka_unit_test(read_only_entry_does_not_serve_a_write),
		cmocka_unit_test(page_not_accessed_is_built_only_where_that_is_legal),
		cmocka_unit_test(fault_that_sets_a_bit_above_the_leaf_is_not_avoided_either),
		cmocka_unit_test(table_protected_early_costs_the_guests_next_store_an_exit),
		cmocka_unit_test(such_an_exit_counts_where_the_step_after_the_store_is),
		cmocka_unit_test(page_made_on_the_way_takes_its_time),
		cmocka_unit_test(direct_entries_are_rebuilt_from_their_table),
		cmocka_unit_test(
			what_a_fault_shows_before_its_turn_has_not_gone_before_the_exit_before_it),
	};

	return cmocka_run_group_tests_name("what-if: guest", tests, NULL, NULL);
}
