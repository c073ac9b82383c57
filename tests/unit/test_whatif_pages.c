// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs in which KVM's housekeeping goes otherwise than in the recording, for the
 * helper's sake: pages recycled at the limit, stores that flood a table.
 */
#include "housekeeping_rig.h"
#include "what_if_script.h"

/*
 * The guest faults on a page whose table has no shadow page, and stores the entry.
 * Then a fault elsewhere fetches, and after it the page is touched: a hidden fault
 * that makes the shadow page.  *@pages: that there are before the fetch.
 */
static struct whatif fetch_before_use(struct rig *r, uint32_t *pages)
{
	open_timed(r, 1);
	guest_fault(r, VPN(2, 5), U, 0);
	guest_runs(r, LONG_NS);
	*pages = (uint32_t)spht_observed_mmu(r->o)->nr_existing;
	hidden(r, VPN(1, 30), U, page_pte(30), SPTE_W(0x71e));
	guest_runs(r, LONG_NS);
	remake(r, VPN(2, 5), page_pte(5), SPTE_W(0x705));
	return whatif_of(r, 1);
}

static const struct script for_the_page[] = {{VPN(2, 5), VPN(2, 5)}, {0, 0}};

static void page_of_the_helpers_is_kept_while_five_are_free(void **unused)
{
	uint32_t pages;
	struct rig r;
	struct whatif w = fetch_before_use(&r, &pages);
	struct spht_account a;

	(void)unused;
	w.mmu_pages = pages + 1 + 5;
	a = run_script(&w, for_the_page, OPTIMISTIC);
	assert_int_equal(a.pages_created, 1);
	assert_int_equal(a.built, 1);
	assert_int_equal(a.evicted_unused, 0);
	/* Of three base faults: the first of all, the fetch, and the use. */
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.remaining, 2);
	rig_close(&r);
}

static void page_of_the_helpers_that_leaves_four_free_is_recycled_by_the_next_fetch(void **unused)
{
	uint32_t pages;
	struct rig r;
	struct whatif w = fetch_before_use(&r, &pages);
	struct spht_account a;

	(void)unused;
	/* 21 are to go; there are fewer, so all but the root do, the helper's among them. */
	w.mmu_pages = pages + 1 + 4;
	a = run_script(&w, for_the_page, OPTIMISTIC);
	assert_int_equal(a.built, 1);
	assert_int_equal(a.evicted_unused, 1);
	assert_int_equal(a.zapped_unused, 0);
	assert_int_equal(a.avoided_direct, 0);
	assert_int_equal(a.remaining, 3);
	/* What the recording kept and this run lost: all but the root and the helper's. */
	assert_int_equal(a.zapped_alone, pages - 1);
	rig_close(&r);
}

/* The same where a level-2 page is missing, too. */
static struct whatif fetch_before_use_in_b(struct rig *r, uint32_t *pages)
{
	open_timed(r, 1);
	begin_b(r, 0, U, 0);
	put(r, ev_walker_error(U));
	put(r, ev_inject(14, U));
	end(r);
	guest_runs(r, LONG_NS);
	*pages = (uint32_t)spht_observed_mmu(r->o)->nr_existing;
	hidden(r, VPN(1, 30), U, page_pte(30), SPTE_W(0x71e));
	guest_runs(r, LONG_NS);
	fault_b(r, 0, 2);
	return whatif_of(r, 1);
}

static void pages_above_that_a_helper_makes_count_for_the_limit(void **unused)
{
	static const struct script for_b[] = {{VPN_B(0), VPN_B(0)}, {0, 0}};
	struct spht_account a;

	(void)unused;
	for (unsigned int avail = 4; avail < 6; avail++) {
		uint32_t pages;
		struct rig r;
		struct whatif w = fetch_before_use_in_b(&r, &pages);

		w.mmu_pages = pages + 2 + avail;
		a = run_script(&w, for_b, OPTIMISTIC);
		assert_int_equal(a.pages_created, 2);
		assert_int_equal(a.evicted_unused, avail < 5);
		assert_int_equal(a.avoided_direct, avail >= 5);
		rig_close(&r);
	}
}

/* Two stores into an upper table, a fault through it, and a third store. */
static struct whatif stores_around_a_fetch(struct rig *r)
{
	open_timed(r, 1);
	hidden(r, VPN(0, 7), U, PTE(L2B_GFN, DIRTY), SPTE_W(L2B_GFN));
	guest_runs(r, LONG_NS);
	fault_b(r, 0, 2);
	guest_runs(r, LONG_NS);
	store_b(r, 5);
	store_b(r, 6);
	guest_runs(r, LONG_NS);
	fault_b(r, 1, 0);
	guest_runs(r, LONG_NS);
	store_b(r, 7);
	return whatif_of(r, 1);
}

static void fetch_that_is_spared_does_not_start_the_count_of_stores_again(void **unused)
{
	static const struct script second[] = {{VPN_B(0), VPN_B(1)}, {0, 0}};
	static const struct script nothing[] = {{0, 0}};
	struct rig r;
	struct whatif w = stores_around_a_fetch(&r);
	struct spht_account a = run_script(&w, nothing, OPTIMISTIC);

	(void)unused;
	/* As recorded: the fault between them starts the count again. */
	assert_int_equal(a.zapped_alone, 0);
	assert_int_equal(a.avoided_direct, 0);
	/* Built before the stores, used between them: the helper's fetch came before all three. */
	a = run_script(&w, second, OPTIMISTIC);
	assert_int_equal(a.avoided_direct, 1);
	assert_int_equal(a.zapped_alone, 1);
	/* Its link to the table that maps region B is not there when it is wanted next. */
	assert_in_range(a.new_exits_hi, 1, 2);
	rig_close(&r);
}

/* A fault recycles 21 pages, and an entry of one of them is used again. */
static struct whatif use_after_recycling(struct rig *r)
{
	open_full(r, LIMIT, 4);
	fault_that_recycles(r, 21);
	begin(r, VPN(1, 0), U, page_pte(0));
	put(r, ev_created(SIM_L2_GFN, ROLE(2)));
	put(r, ev_created(TABLE_GFN + 1, ROLE(1)));
	put(r, ev_requested(0x700, 1));
	set(r, VPN(1, 0), SPTE_W(0x700));
	end(r);
	return whatif_of(r, 8);
}

static void what_is_kept_of_a_page_that_the_recording_recycled_avoids_no_fault(void **unused)
{
	static const struct script nothing[] = {{0, 0}};
	struct rig r;
	struct whatif w = use_after_recycling(&r);
	struct spht_account a;

	(void)unused;
	w.mmu_pages = LIMIT;
	a = run_script(&w, nothing, OPTIMISTIC);
	assert_int_equal(a.kept_pages, 0);
	assert_int_equal(a.remaining, 3);
	/* The same without a limit: the entry is there, and nobody's merit. */
	w.mmu_pages = SPHT_UNLIMITED;
	a = run_script(&w, nothing, OPTIMISTIC);
	assert_int_equal(a.kept_pages, 21);
	assert_int_equal(a.kept_met, 1);
	assert_int_equal(a.avoided_direct + a.avoided_side, 0);
	assert_int_equal(a.remaining, 3);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_of_the_helpers_is_kept_while_five_are_free),
		cmocka_unit_test(
			page_of_the_helpers_that_leaves_four_free_is_recycled_by_the_next_fetch),
		cmocka_unit_test(pages_above_that_a_helper_makes_count_for_the_limit),
		cmocka_unit_test(fetch_that_is_spared_does_not_start_the_count_of_stores_again),
		cmocka_unit_test(
			what_is_kept_of_a_page_that_the_recording_recycled_avoids_no_fault),
	};

	return cmocka_run_group_tests_name("what-if: pages", tests, NULL, NULL);
}
