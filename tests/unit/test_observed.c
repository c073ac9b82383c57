// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The observed MMU: what it believes before each fault, and how that is held
 * against what the hardware and KVM did.
 */
#include "machine.h"
#include "replay/observe-local.h"

/* Check 1: the P bit */

static void entry_never_built_is_believed_absent(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	before = *r.fid;
	first_fault(&r);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	before = *r.fid;
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	assert_true(present(&r, VPN(1, 9)));
	assert_false(present(&r, VPN(1, 10)));
	rig_close(&r);
}

static void read_only_entry_is_too_weak_for_a_write(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U, PTE(0x709, CLEAN), SPTE_RO(0x709));
	before = *r.fid;
	begin(&r, VPN(1, 9), P | W | U, PTE(0x709, CLEAN));
	put(&r, ev_set_dirty(0x101048));
	put(&r, ev_requested(0x709, 1));
	set(&r, VPN(1, 9), SPTE_W(0x709));
	end(&r);
	assert_believed(&r, &before, SPHT_CLASS_AD, 1, SPHT_BELIEF_WEAK);
	assert_true(writable(&r, VPN(1, 9)));
	rig_close(&r);
}

static void entry_without_the_right_asked_for_is_too_weak(void **unused)
{
	static const struct {
		uint64_t spte;
		uint32_t code;
		unsigned int belief;
	} c[] = {
		{SPTE_W(0x709) & ~SPHT_PTE_U, P | U, SPHT_BELIEF_WEAK},
		{SPTE_W(0x709) & ~SPHT_PTE_U, P, SPHT_BELIEF_STRONG},
		{SPTE_W(0x709) | SPHT_PTE_NX, P | U | FETCH, SPHT_BELIEF_WEAK},
		{SPTE_W(0x709) | SPHT_PTE_NX, P | U, SPHT_BELIEF_STRONG},
		{SPTE_W(0x709), P | U | W, SPHT_BELIEF_STRONG},
		{SPTE_RO(0x709), P | U | W, SPHT_BELIEF_WEAK},
		{SPTE_RO(0x709), P | U, SPHT_BELIEF_STRONG},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_fidelity before;
		struct rig r;

		rig_open(&r);
		first_fault(&r);
		hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), c[i].spte);
		before = *r.fid;
		hidden(&r, VPN(1, 9), c[i].code, PTE(0x709, DIRTY), SPTE_W(0x709) | 1ull << 52);
		assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, c[i].belief);
		rig_close(&r);
	}
}

static void entry_below_a_missing_page_is_believed_absent(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	put(&r, ev_zap(SIM_L2_GFN, ROLE(2)));
	assert_true(present(&r, VPN(1, 0))); /* the table survives, unlinked */
	before = *r.fid;
	begin(&r, VPN(1, 0), U, PTE(0x700, DIRTY));
	put(&r, ev_created(SIM_L2_GFN, ROLE(2)));
	put(&r, ev_found(TABLE_GFN + 1, ROLE(1), false));
	put(&r, ev_requested(0x700, 1));
	set(&r, VPN(1, 0), SPTE_W(0x700) | 1ull << 52);
	end(&r);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	/* Linked again: its other entries can be reached. */
	before = *r.fid;
	hidden(&r, VPN(1, 0), P | U | W, PTE(0x700, DIRTY), SPTE_W(0x700));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_STRONG);
	rig_close(&r);
}

static void zapped_page_has_no_entries_when_it_comes_again(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	put(&r, ev_zap(TABLE_GFN + 1, ROLE(1)));
	assert_false(present(&r, VPN(1, 0)));
	before = *r.fid;
	begin(&r, VPN(1, 0), U, PTE(0x700, DIRTY));
	put(&r, ev_created(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_requested(0x700, 1));
	set(&r, VPN(1, 0), SPTE_W(0x700));
	end(&r);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	before = *r.fid;
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

static void zapping_all_pages_leaves_nothing_present(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	put(&r, ev_bare(SPHT_EV_ZAP_ALL_FAST));
	assert_false(present(&r, VPN(1, 0)));
	assert_int_equal(spht_observed_mmu(r.o)->nr_existing, 0);
	load_cr3(&r, SIM_ROOT_GFN, true);
	before = *r.fid;
	first_fault(&r);
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

static void root_zapped_in_use_does_not_take_its_successor_along(void **unused)
{
	struct rig r;
	uint32_t root;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	/* Valid, in use; another vCPU frees it when its successor is there already. */
	put(&r, ev_zap(SIM_ROOT_GFN, ROLE(4)));
	load_cr3(&r, SIM_ROOT_GFN, true);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	root = spht_shadow_page(spht_observed_shadow(r.o), SIM_ROOT_GFN, ROLE(4));
	put(&r, ev_zap(SIM_ROOT_GFN, ROLE(4) | ROLE_INVALID));
	assert_true(spht_observed_mmu(r.o)->pages[root].exists);
	assert_int_not_equal(spht_mmu_child(spht_observed_mmu(r.o), root, 0), SPHT_NO_ID);
	rig_close(&r);
}

/* Silent drops */

/* Entry 9 is there; then @between; then it is found gone, mapping @gfn. */
static void drop_after(void (*between)(struct rig *r), uint64_t gfn, enum spht_drop_cause cause)
{
	struct spht_fidelity before;
	struct rig r;

	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	between(&r);
	before = *r.fid;
	hidden(&r, VPN(1, 9), U, PTE(gfn, DIRTY), SPTE_W(gfn));
	assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 0, SPHT_BELIEF_STRONG);
	for (unsigned int d = 0; d < SPHT_DROP_NR; d++)
		assert_int_equal(r.fid->drops[d] - before.drops[d], d == (unsigned int)cause);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void do_nothing(struct rig *r)
{
	(void)r;
}

static void do_sync(struct rig *r)
{
	sync_table(r, 1);
}

static void do_sync_elsewhere(struct rig *r)
{
	sync_table(r, 0);
}

static void do_flush(struct rig *r)
{
	other_exit(r, SVM_CR3);
}

static void do_found_unsync(struct rig *r)
{
	put(r, ev_found(TABLE_GFN + 1, ROLE(1), true));
}

static void entry_found_gone_is_a_drop_explained_by_the_nearest_evidence(void **unused)
{
	(void)unused;
	drop_after(do_nothing, 0x709, SPHT_DROP_UNEXPLAINED);
	drop_after(do_nothing, 0x70a, SPHT_DROP_CHANGED);
	drop_after(do_sync, 0x709, SPHT_DROP_SYNCED);
	drop_after(do_found_unsync, 0x709, SPHT_DROP_SYNCED);
	drop_after(do_flush, 0x709, SPHT_DROP_FLUSHED);
	drop_after(do_sync_elsewhere, 0x709, SPHT_DROP_FLUSHED); /* that is a CR3 load */
}

static void drop_before_the_entry_was_made_explains_nothing(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	sync_table(&r, 1);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_int_equal(r.fid->drops[SPHT_DROP_UNEXPLAINED], 1);
	assert_int_equal(r.fid->drops[SPHT_DROP_SYNCED], 0);
	rig_close(&r);
}

static void fault_on_what_a_prefetch_set_tells_that_it_was_used(void **unused)
{
	struct spht_chunk chunk;
	struct spht_error err;
	unsigned int touched = 0;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	begin(&r, VPN(1, 8), U, PTE(0x708, DIRTY));
	put(&r, ev_requested(0x708, 1));
	set(&r, VPN(1, 8), SPTE_W(0x708));
	set(&r, VPN(1, 9), SPTE_PRE_RO(0x709));
	set(&r, VPN(1, 10), SPTE_PRE_RO(0x70a));
	end(&r);
	/* The write finds the entry, and it read-only; twice, as after a fork. */
	for (unsigned int i = 0; i < 2; i++) {
		begin(&r, VPN(1, 9), P | W | U, PTE(0x709, CLEAN));
		put(&r, ev_set_dirty(0x101048));
		put(&r, ev_requested(0x709, 1));
		set(&r, VPN(1, 9), SPTE_RO(0x709));
		end(&r);
	}
	assert_int_equal(spht_observed_finish(r.o, &err), 0);
	first_chunk(&r, &chunk);
	for (uint32_t i = 0; i < chunk.nr; i++) {
		const struct spht_do *d = chunk.dos + chunk.steps[i].first_do;

		for (uint32_t k = 0; k < chunk.steps[i].nr_do; k++) {
			if (!d[k].touched)
				continue;
			assert_int_equal(d[k].kind, SPHT_DO_PREFETCH);
			assert_int_equal(d[k].index, 9);
			touched++;
		}
	}
	assert_int_equal(touched, 1);
	spht_chunk_close(&chunk);
	rig_close(&r);
}

static void drop_is_dated_back_to_the_sync_that_explains_it(void **unused)
{
	const struct spht_change *drop;
	struct spht_chunk chunk;
	struct spht_error err;
	uint32_t at;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	sync_table(&r, 1);
	at = spht_observed_steps(r.o)->nr - 1;
	hidden(&r, VPN(1, 20), U, PTE(0x714, DIRTY), SPTE_W(0x714));
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_int_equal(spht_observed_finish(r.o, &err), 0);
	first_chunk(&r, &chunk);
	drop = chunk.changes[SPHT_CHANGE_DROP];
	assert_int_equal(chunk.nr_changes[SPHT_CHANGE_DROP], 1);
	assert_int_equal(drop->step, at);
	assert_int_equal(drop->index, 9);
	spht_chunk_close(&chunk);
	rig_close(&r);
}

static void guest_fault_with_p_clear_takes_the_entry_away_without_a_verdict(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	before = *r.fid;
	guest_fault(&r, VPN(1, 9), U, 0);
	assert_false(present(&r, VPN(1, 9)));
	assert_memory_equal(r.fid, &before, sizeof(before));
	rig_close(&r);
}

static void guest_fault_under_a_table_never_shadowed_does_not_make_its_page(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	guest_fault(&r, VPN(2, 9), U, 0);
	begin(&r, VPN(2, 9), U, PTE(0x709, DIRTY));
	put(&r, ev_created(TABLE_GFN + 2, ROLE(1)));
	put(&r, ev_requested(0x709, 1));
	set(&r, VPN(2, 9), SPTE_W(0x709));
	end(&r);
	assert_int_equal(r.fid->get_page[true][true], 0);
	assert_int_equal(r.fid->get_page[false][true], 5);
	rig_close(&r);
}

static void sync_printed_after_a_zap_is_no_sync(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	put(&r, ev_zap(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_sync(TABLE_GFN + 1, ROLE(1)));
	assert_int_equal(last_step(&r)->nr_do, 0);
	assert_false(present(&r, VPN(1, 0)));
	rig_close(&r);
}

/* Large pages */

static void large_page_on_large_backing_is_one_level_2_entry(void **unused)
{
	struct spht_fidelity before;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	before = *r.fid;
	walk_large(&r, VPN(3, 5), U, DIRTY);
	put(&r, ev_requested(0x400, 2));
	put(&r, ev_set(0x400, SPTE_W(0x400) | SPHT_PTE_PS, SPTEP(0x9500, 3), 2));
	end(&r);
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 0, SPHT_BELIEF_ABSENT);
	assert_int_equal(last_step(&r)->leaf_level, 2);
	assert_int_equal(last_step(&r)->index, 3);
	assert_true(last_step(&r)->flags & SPHT_STEP_BASE);
	/* Any page of it is mapped now. */
	before = *r.fid;
	walk_large(&r, VPN(3, 300), P | U | W, DIRTY);
	put(&r, ev_requested(0x400, 2));
	put(&r, ev_set(0x400, SPTE_W(0x400) | SPHT_PTE_PS, SPTEP(0x9500, 3), 2));
	end(&r);
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 1, SPHT_BELIEF_STRONG);
	rig_close(&r);
}

static void large_page_on_small_backing_has_a_direct_page_for_its_entries(void **unused)
{
	struct spht_fidelity before;
	uint32_t page;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	walk_large(&r, VPN(3, 5), U, CLEAN);
	put(&r, ev_requested(0x405, 1));
	put(&r, ev_created(0x400, ROLE_DIRECT(5))); /* clean: without W until it is written */
	put(&r, ev_set(0x405, SPTE_RO(0x405), SPTEP(0x9500, 5), 1));
	put(&r, ev_set(0x406, SPTE_PRE_RO(0x406), SPTEP(0x9500, 6), 1));
	end(&r);
	page = spht_shadow_page(spht_observed_shadow(r.o), 0x400, ROLE_DIRECT(5));
	assert_int_equal(last_step(&r)->page, page);
	assert_true(last_step(&r)->flags & SPHT_STEP_DIRECT);
	assert_int_equal(r.fid->role_mismatch, 0);
	assert_int_equal(r.fid->prefetched[0], 1);
	assert_true(spht_mmu_present(spht_observed_mmu(r.o), page, 5));
	assert_true(spht_mmu_present(spht_observed_mmu(r.o), page, 6));
	before = *r.fid;
	walk_large(&r, VPN(3, 7), U, CLEAN);
	put(&r, ev_requested(0x407, 1));
	put(&r, ev_set(0x407, SPTE_RO(0x407), SPTEP(0x9500, 7), 1));
	end(&r);
	assert_believed(&r, &before, SPHT_CLASS_HUGE, 0, SPHT_BELIEF_ABSENT);
	rig_close(&r);
}

/* Several address spaces */

/* A hidden fault in a process whose level-3 table is @l3. */
static void fault_in(struct rig *r, uint64_t l3, bool made, uint32_t code)
{
	const uint64_t walk[4] = {PTE(l3, TABLE), PTE(l3 + 1, TABLE), PTE(l3 + 2, TABLE),
				  PTE(0x700, DIRTY)};

	feed_pf(&r->f, VPN(1, 0) << 12, code, r->vcpu);
	put(r, ev_walk(VPN(1, 0) << 12, code));
	feed_elems(&r->f, 4, walk, 4);
	for (unsigned int i = 0; made && i < 3; i++)
		put(r, ev_created(l3 + i, ROLE(3 - i)));
	put(r, ev_requested(0x700, 1));
	put(r, ev_set(0x700, SPTE_W(0x700), SPTEP(0xa000 + l3, 0), 1));
	end(r);
}

static void process_is_told_by_its_tables_where_the_loaded_cr3_is_not_recorded(void **unused)
{
	struct spht_fidelity before;
	uint32_t one, two, space;
	struct rig r;

	(void)unused;
	rig_open(&r);
	fault_in(&r, 0x20, true, U);
	one = last_step(&r)->path;
	space = last_step(&r)->space;
	load_cr3(&r, 0x19, true);
	fault_in(&r, 0x30, true, U);
	two = last_step(&r)->path;
	assert_int_not_equal(one, two);
	assert_int_not_equal(space, last_step(&r)->space);
	/* Back and forth, from KVM's root cache: no get_page, no kvm_cr. */
	for (unsigned int i = 0; i < 4; i++) {
		before = *r.fid;
		other_exit(&r, SVM_CR3);
		fault_in(&r, i & 1 ? 0x30 : 0x20, false, P | U | W);
		assert_int_equal(last_step(&r)->path, i & 1 ? two : one);
		assert_believed(&r, &before, SPHT_CLASS_HIDDEN, 1, SPHT_BELIEF_STRONG);
	}
	assert_int_equal(r.fid->root_unknown, 0);
	rig_close(&r);
}

/* Steps */

static void step_says_what_a_what_if_needs(void **unused)
{
	const struct spht_step *s;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	r.f.ts += 500;
	other_exit(&r, SVM_HLT); /* 10 ns long */
	r.f.ts += 700;
	other_exit(&r, SVM_HLT);
	r.f.ts += 300;
	begin(&r, VPN(1, 9), P | W | U, PTE(0x709, DIRTY));
	put(&r, ev_requested(0x709, 1));
	set(&r, VPN(1, 9), SPTE_W(0x709));
	end(&r);
	s = last_step(&r);
	assert_int_equal(s->vpn, VPN(1, 9));
	assert_int_equal(s->cls, SPHT_CLASS_HIDDEN);
	assert_int_equal(s->pfec, P | W | U);
	assert_int_equal(s->rip, 0x401000);
	/* From each entry to the next exit, one tick more than the pauses. */
	assert_int_equal(s->gap_ns, 500 + 700 + 300 + 3 * 10);
	assert_int_equal(s->other_exits, 2);
	assert_int_equal(s->other_ns, 2 * 10);
	assert_int_equal(s->window_ns, 90);
	assert_int_equal(s->index, 9);
	assert_int_equal(s->leaf_level, 1);
	assert_int_equal(s->flags, SPHT_STEP_PF | SPHT_STEP_NEED_W | SPHT_STEP_BASE |
					   SPHT_STEP_HAS_LEAF | SPHT_STEP_REQUESTED |
					   SPHT_STEP_STOP);
	rig_close(&r);
}

static void exits_that_change_nothing_are_no_steps_however_long(void **unused)
{
	uint32_t nr;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	nr = spht_observed_steps(r.o)->nr;
	for (unsigned int i = 0; i < 3; i++) { /* a halted guest: 3 s each */
		put(&r, ev_exit_svm(SVM_HLT, 0, 0, 0));
		r.f.ts += 3000000000u;
		put(&r, ev_entry(0));
	}
	assert_int_equal(spht_observed_steps(r.o)->nr, nr);
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_int_equal(spht_observed_steps(r.o)->nr, nr + 1);
	assert_int_equal(last_step(&r)->other_exits, 3);
	assert_int_equal(last_step(&r)->other_ns, UINT32_MAX); /* saturates */
	rig_close(&r);
}

static void fault_that_only_w_could_have_spared_is_not_forced(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 9), U, PTE(0x709, CLEAN), SPTE_RO(0x709));
	assert_false(last_step(&r)->flags & SPHT_STEP_FORCED);
	hidden(&r, VPN(1, 9), P | W | U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_false(last_step(&r)->flags & SPHT_STEP_FORCED);
	hidden(&r, VPN(1, 9), P | W | U, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_true(last_step(&r)->flags & SPHT_STEP_FORCED);
	hidden(&r, VPN(1, 9), P | U | FETCH, PTE(0x709, DIRTY), SPTE_W(0x709));
	assert_true(last_step(&r)->flags & SPHT_STEP_FORCED);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_never_built_is_believed_absent),
		cmocka_unit_test(read_only_entry_is_too_weak_for_a_write),
		cmocka_unit_test(entry_without_the_right_asked_for_is_too_weak),
		cmocka_unit_test(entry_below_a_missing_page_is_believed_absent),
		cmocka_unit_test(zapped_page_has_no_entries_when_it_comes_again),
		cmocka_unit_test(zapping_all_pages_leaves_nothing_present),
		cmocka_unit_test(root_zapped_in_use_does_not_take_its_successor_along),
		cmocka_unit_test(entry_found_gone_is_a_drop_explained_by_the_nearest_evidence),
		cmocka_unit_test(drop_before_the_entry_was_made_explains_nothing),
		cmocka_unit_test(fault_on_what_a_prefetch_set_tells_that_it_was_used),
		cmocka_unit_test(drop_is_dated_back_to_the_sync_that_explains_it),
		cmocka_unit_test(guest_fault_with_p_clear_takes_the_entry_away_without_a_verdict),
		cmocka_unit_test(guest_fault_under_a_table_never_shadowed_does_not_make_its_page),
		cmocka_unit_test(sync_printed_after_a_zap_is_no_sync),
		cmocka_unit_test(large_page_on_large_backing_is_one_level_2_entry),
		cmocka_unit_test(large_page_on_small_backing_has_a_direct_page_for_its_entries),
		cmocka_unit_test(
			process_is_told_by_its_tables_where_the_loaded_cr3_is_not_recorded),
		cmocka_unit_test(step_says_what_a_what_if_needs),
		cmocka_unit_test(exits_that_change_nothing_are_no_steps_however_long),
		cmocka_unit_test(fault_that_only_w_could_have_spared_is_not_forced),
	};

	return cmocka_run_group_tests_name("observed", tests, NULL, NULL);
}
