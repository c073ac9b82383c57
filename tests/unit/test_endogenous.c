// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Zaps that KVM does of its own accord, as the observed MMU derives them from its
 * state: write flooding, recycling, unsync pages that go with others.
 */
#include "housekeeping_rig.h"

static void open_b(struct rig *r)
{
	rig_open(r);
	first_fault(r);
	fault_b(r, 0, 2);
}

/* Which cause the zap of the last step's @n-th operation was given; -1: it is no zap. */
static int cause_of(const struct rig *r, unsigned int n)
{
	const struct spht_steps *s = spht_observed_steps(r->o);
	const struct spht_step *last = last_step(r);

	for (uint32_t i = 0; i < last->nr_do; i++)
		if (s->dos[last->first_do + i].kind == SPHT_DO_ZAP && !n--)
			return s->dos[last->first_do + i].index;
	return -1;
}

/* Write flooding */

static void third_store_into_an_upper_table_without_a_fetch_floods_it(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	store_b(&r, 8);
	store_b(&r, 9);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 0, 0);
	store_b_that_zaps(&r, 10);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 1, 0, 0);
	assert_int_equal(cause_of(&r, 0), SPHT_ZAP_FLOODED);
	rig_close(&r);
}

static void fetch_through_the_table_starts_the_count_again(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	store_b(&r, 8);
	store_b(&r, 9);
	fault_b(&r, 1, 0);
	store_b(&r, 10);
	store_b(&r, 11);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 0, 0);
	store_b(&r, 12);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 1, 0);
	rig_close(&r);
}

static void fetch_past_the_table_does_not_start_the_count_again(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	store_b(&r, 8);
	hidden(&r, VPN(1, 1), U, PTE(0x701, DIRTY), SPTE_W(0x701));
	store_b(&r, 9);
	store_b_that_zaps(&r, 10);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 1, 0, 0);
	rig_close(&r);
}

static void flooding_that_is_not_recorded_is_spared_and_counts_anew(void **unused)
{
	const struct spht_do *d;
	struct rig r;

	(void)unused;
	open_b(&r);
	for (unsigned int i = 8; i < 11; i++)
		store_b(&r, i);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 1, 0);
	d = spht_observed_steps(r.o)->dos + last_step(&r)->first_do;
	assert_int_equal(d[0].kind, SPHT_DO_STORE);
	assert_int_equal(d[1].kind, SPHT_DO_SPARE);
	assert_int_equal(d[1].index, SPHT_ZAP_FLOODED);
	store_b(&r, 11);
	store_b(&r, 12);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 1, 0);
	rig_close(&r);
}

static void flooding_that_is_recorded_too_early_is_replayed(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	store_b_that_zaps(&r, 8);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 0, 1);
	assert_int_equal(cause_of(&r, 0), SPHT_ZAP_EXOGENOUS);
	rig_close(&r);
}

static void store_of_a_part_of_an_entry_floods_at_once(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	begin_store(&r, ((uint64_t)L2B_GFN << 12) + 8 * 8 + 1, MOV_1);
	put(&r, ev_zap(L2B_GFN, ROLE(2)));
	end(&r);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 1, 0, 0);
	rig_close(&r);
}

static void store_of_an_entry_s_first_byte_is_none_of_a_part(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	begin_store(&r, ((uint64_t)L2B_GFN << 12) + 8 * 8, MOV_1);
	end(&r);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 0, 0);
	rig_close(&r);
}

static void level_1_table_is_not_flooded(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	for (unsigned int i = 8; i < 12; i++) {
		begin_store(&r, (uint64_t)TABLE_B << 12 | i << 3, MOV_8);
		end(&r);
	}
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 0, 0);
	rig_close(&r);
}

static void instruction_that_writes_no_page_table_does_not_flood(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	store_b(&r, 8);
	store_b(&r, 9);
	/* KVM gives the page up instead: the guest's doing, replayed. */
	begin_store(&r, (uint64_t)L2B_GFN << 12, REP_STOS);
	put(&r, ev_zap(L2B_GFN, ROLE(2)));
	end(&r);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 0, 0, 0);
	assert_zaps(&r, SPHT_ZAP_EXOGENOUS, 0, 0, 1);
	rig_close(&r);
}

/* Unsync pages */

static void unsync_page_goes_when_its_gfn_becomes_an_upper_table(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	make_pages(&r, L2B_GFN, 1);
	put(&r, ev_unsync(L2B_GFN, ROLE(1)));
	begin_b(&r, 0, U, PTE(0x800, DIRTY));
	put(&r, ev_zap_unsync(L2B_GFN, ROLE(1)));
	put(&r, ev_created(L2B_GFN, ROLE(2)));
	put(&r, ev_created(TABLE_B, ROLE(1)));
	finish_b(&r, 0, SPTE_W(0x800));
	assert_zaps(&r, SPHT_ZAP_UPPER, 1, 0, 0);
	assert_int_equal(cause_of(&r, 0), SPHT_ZAP_UPPER);
	rig_close(&r);
}

static void unsync_page_that_stays_beside_its_upper_table_is_spared(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	make_pages(&r, L2B_GFN, 1);
	put(&r, ev_unsync(L2B_GFN, ROLE(1)));
	fault_b(&r, 0, 2);
	assert_zaps(&r, SPHT_ZAP_UPPER, 0, 1, 0);
	rig_close(&r);
}

static void unsync_page_goes_with_the_table_above_it(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	put(&r, ev_unsync(TABLE_B, ROLE(1)));
	store_b(&r, 8);
	store_b(&r, 9);
	begin_store(&r, (uint64_t)L2B_GFN << 12 | 10 << 3, MOV_8);
	put(&r, ev_zap(L2B_GFN, ROLE(2)));
	put(&r, ev_zap_unsync(TABLE_B, ROLE(1)));
	end(&r);
	assert_zaps(&r, SPHT_ZAP_FLOODED, 1, 0, 0);
	assert_zaps(&r, SPHT_ZAP_CHILD, 1, 0, 0);
	assert_int_equal(cause_of(&r, 1), SPHT_ZAP_CHILD);
	rig_close(&r);
}

static void synced_page_stays_when_the_table_above_it_goes(void **unused)
{
	struct rig r;

	(void)unused;
	open_b(&r);
	put(&r, ev_zap(L2B_GFN, ROLE(2)));
	assert_zaps(&r, SPHT_ZAP_CHILD, 0, 0, 0);
	rig_close(&r);
}

/* Recycling */

static void oldest_pages_but_no_root_make_room_for_a_fetch(void **unused)
{
	struct rig r;

	(void)unused;
	for (unsigned int avail = 0; avail < 5; avail++) {
		open_full(&r, LIMIT, avail);
		assert_int_equal(spht_observed_mmu(r.o)->nr_existing, LIMIT - avail);
		fault_that_recycles(&r, 25 - avail);
		assert_zaps(&r, SPHT_ZAP_RECYCLED, 25 - avail, 0, 0);
		rig_close(&r);
	}
}

static void five_free_pages_are_enough(void **unused)
{
	struct rig r;

	(void)unused;
	open_full(&r, LIMIT, 5);
	fault_b(&r, 0, 2);
	assert_zaps(&r, SPHT_ZAP_RECYCLED, 0, 0, 0);
	rig_close(&r);
}

static void recycling_that_is_not_recorded_is_spared(void **unused)
{
	struct rig r;

	(void)unused;
	open_full(&r, LIMIT, 4);
	fault_b(&r, 0, 2);
	assert_zaps(&r, SPHT_ZAP_RECYCLED, 0, 21, 0);
	rig_close(&r);
}

static void recycling_tells_a_limit_that_nobody_gave(void **unused)
{
	struct rig r;

	(void)unused;
	for (unsigned int avail = 0; avail < 5; avail++) {
		open_full(&r, SPHT_UNLIMITED, avail);
		assert_int_equal(spht_observed_limit_seen(r.o), 0);
		fault_that_recycles(&r, 25 - avail);
		assert_int_equal(spht_observed_limit_seen(r.o), LIMIT);
		assert_zaps(&r, SPHT_ZAP_RECYCLED, 0, 0, 25 - avail);
		rig_close(&r);
	}
}

static void fewer_zaps_than_a_recycling_tell_no_limit(void **unused)
{
	struct rig r;

	(void)unused;
	open_full(&r, SPHT_UNLIMITED, 4);
	fault_that_recycles(&r, 20);
	assert_int_equal(spht_observed_limit_seen(r.o), 0);
	assert_zaps(&r, SPHT_ZAP_EXOGENOUS, 0, 0, 20);
	rig_close(&r);
}

static void root_that_no_vcpu_holds_any_more_is_recycled(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open_raw(&r, 8);
	spht_observed_set_limit(r.o, LIMIT);
	for (unsigned int i = 0; i < 5; i++)
		load_cr3(&r, SIM_ROOT_GFN + 0x100 + i, true);
	make_pages(&r, MANY, LIMIT - 9); /* 4 free */
	begin_b(&r, 0, U, PTE(0x800, DIRTY));
	put(&r, ev_zap(SIM_ROOT_GFN + 0x100, ROLE(4)));
	zap_pages(&r, MANY, 20);
	put(&r, ev_created(SIM_L3_GFN, ROLE(3)));
	put(&r, ev_created(L2B_GFN, ROLE(2)));
	put(&r, ev_created(TABLE_B, ROLE(1)));
	finish_b(&r, 0, SPTE_W(0x800));
	assert_zaps(&r, SPHT_ZAP_RECYCLED, 21, 0, 0);
	rig_close(&r);
}

static void page_older_than_the_recording_is_the_oldest(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open_raw(&r, 8);
	spht_observed_set_limit(r.o, LIMIT);
	load_cr3(&r, SIM_ROOT_GFN, true);
	make_pages(&r, MANY, LIMIT - 6);
	put(&r, ev_found(MANY + 0x100, ROLE(1), false));
	begin_b(&r, 0, U, PTE(0x800, DIRTY));
	put(&r, ev_zap(MANY + 0x100, ROLE(1)));
	zap_pages(&r, MANY, 20);
	put(&r, ev_created(SIM_L3_GFN, ROLE(3)));
	put(&r, ev_created(L2B_GFN, ROLE(2)));
	put(&r, ev_created(TABLE_B, ROLE(1)));
	finish_b(&r, 0, SPTE_W(0x800));
	assert_zaps(&r, SPHT_ZAP_RECYCLED, 21, 0, 0);
	rig_close(&r);
}

static void limit_is_a_fiftieth_of_the_guest_s_memory_and_at_least_64(void **unused)
{
	(void)unused;
	assert_int_equal(spht_default_mmu_pages(4ull << 18), 20971);
	assert_int_equal(spht_default_mmu_pages(3200), 64);
	assert_int_equal(spht_default_mmu_pages(3250), 65);
	assert_int_equal(spht_default_mmu_pages(1), 64);
	assert_true(spht_default_mmu_pages(UINT64_MAX) == UINT32_MAX);
}

/* Instructions */

static void page_table_writes_are_told_from_other_stores(void **unused)
{
	static const struct {
		uint8_t insn[16];
		unsigned int flags, bytes;
	} rows[] = {
		{{0x48, 0x89, 0x03}, 9, 8}, /* mov %rax,(%rbx) */
		{{0x89, 0x03}, 9, 4},
		{{0x66, 0x89, 0x03}, 9, 2},
		{{0x88, 0x03}, 9, 1},
		{{0x89, 0x03}, 1, 2}, /* a 16-bit code segment */
		{{0x89, 0x03}, 5, 4},
		{{0x48, 0xc7, 0x03}, 9, 8}, /* movq $imm */
		{{0x48, 0x87, 0x03}, 9, 8}, /* xchg */
		{{0xf0, 0x48, 0x0f, 0xb1, 0x13}, 9, 8}, /* lock cmpxchg */
		{{0xf0, 0x0f, 0xc7, 0x0b}, 9, 8}, /* cmpxchg8b */
		{{0xf0, 0x48, 0x0f, 0xc7, 0x0b}, 9, 16}, /* cmpxchg16b */
		{{0x0f, 0xc7, 0x33}, 9, 0}, /* rdrand's group: no store to a table */
		{{0xf0, 0x80, 0x23, 0xfd}, 9, 1}, /* lock andb */
		{{0xf0, 0x48, 0x83, 0x0b, 0x40}, 9, 8}, /* lock or $imm */
		{{0x48, 0x83, 0x03, 0x01}, 9, 0}, /* add $imm */
		{{0xf0, 0x48, 0x0f, 0xba, 0x2b, 5}, 9, 8}, /* lock bts $imm */
		{{0xf0, 0x48, 0x0f, 0xba, 0x33, 5}, 9, 0}, /* btr */
		{{0x48, 0x8c, 0x03}, 9, 2}, /* mov %es */
		{{0xf3, 0x48, 0xab}, 9, 0}, /* rep stos */
		{{0xf3, 0xa4}, 9, 0}, /* rep movsb */
		{{0x48, 0x0f, 0xc3, 0x03}, 9, 0}, /* movnti */
		{{0}, 9, 0}, /* not recorded */
		{{0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		  0x66, 0x66},
		 9,
		 0},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (spht_insn_table_store(rows[i].insn, rows[i].flags) != rows[i].bytes)
			fail_msg("row %zu: %u", i,
				 spht_insn_table_store(rows[i].insn, rows[i].flags));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(third_store_into_an_upper_table_without_a_fetch_floods_it),
		cmocka_unit_test(fetch_through_the_table_starts_the_count_again),
		cmocka_unit_test(fetch_past_the_table_does_not_start_the_count_again),
		cmocka_unit_test(flooding_that_is_not_recorded_is_spared_and_counts_anew),
		cmocka_unit_test(flooding_that_is_recorded_too_early_is_replayed),
		cmocka_unit_test(store_of_a_part_of_an_entry_floods_at_once),
		cmocka_unit_test(store_of_an_entry_s_first_byte_is_none_of_a_part),
		cmocka_unit_test(level_1_table_is_not_flooded),
		cmocka_unit_test(instruction_that_writes_no_page_table_does_not_flood),
		cmocka_unit_test(unsync_page_goes_when_its_gfn_becomes_an_upper_table),
		cmocka_unit_test(unsync_page_that_stays_beside_its_upper_table_is_spared),
		cmocka_unit_test(unsync_page_goes_with_the_table_above_it),
		cmocka_unit_test(synced_page_stays_when_the_table_above_it_goes),
		cmocka_unit_test(oldest_pages_but_no_root_make_room_for_a_fetch),
		cmocka_unit_test(five_free_pages_are_enough),
		cmocka_unit_test(recycling_that_is_not_recorded_is_spared),
		cmocka_unit_test(recycling_tells_a_limit_that_nobody_gave),
		cmocka_unit_test(fewer_zaps_than_a_recycling_tell_no_limit),
		cmocka_unit_test(root_that_no_vcpu_holds_any_more_is_recycled),
		cmocka_unit_test(page_older_than_the_recording_is_the_oldest),
		cmocka_unit_test(limit_is_a_fiftieth_of_the_guest_s_memory_and_at_least_64),
		cmocka_unit_test(page_table_writes_are_told_from_other_stores),
	};

	return cmocka_run_group_tests_name("endogenous", tests, NULL, NULL);
}
