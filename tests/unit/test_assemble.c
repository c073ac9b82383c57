// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The grammar of one exit: event sequences written by hand from the list of
 * fault classes (docs/model.md), on SVM, on VMX and without kvm_exit.
 */
#include "assemble_rig.h"

/* (a) */

static void a_guest(struct rig *r)
{
	pf(r, GVA, U | W);
	walk(r, GVA, U | W, 0);
	put(r, ev_walker_error(U | W));
	put(r, ev_inject(14, U | W));
	entry(r);
	assert_true(exit_at(r, 0)->walk.failed);
	assert_int_equal(exit_at(r, 0)->walk.error, U | W);
	assert_int_equal(exit_at(r, 0)->walk.nr, 4);
	assert_false(exit_at(r, 0)->requested);
}

static void a_guest_at_the_top(struct rig *r)
{
	pf(r, GVA, U);
	put(r, ev_walk(GVA, U));
	put(r, ev_elem(0, 4));
	put(r, ev_walker_error(U));
	entry(r);
	assert_int_equal(exit_at(r, 0)->walk.nr, 1);
}

static void a_protection(struct rig *r)
{
	pf(r, GVA, P | U | W);
	walk(r, GVA, P | U | W, PTE(LEAF_GFN, READONLY));
	put(r, ev_walker_error(P | U | W));
	/* KVM invalidates the address then and, up to 6.1, maps it again without a request. */
	set(r);
	put(r, ev_inject(14, P | U | W));
	entry(r);
}

static void walk_that_fails_is_a_guest_fault(void **unused)
{
	(void)unused;
	on_both(a_guest, SPHT_CLASS_GUEST);
	on_both(a_guest_at_the_top, SPHT_CLASS_GUEST);
	on_both(a_protection, SPHT_CLASS_GUEST);
}

/* (b) */

static void b_hidden(struct rig *r)
{
	const struct spht_exit *x;

	pf(r, GVA, U);
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	put(r, ev_found(0x12, ROLE(2), false));
	put(r, ev_created(0x13, ROLE(1)));
	request(r);
	set(r);
	put(r, ev_set(LEAF_GFN + 1, SPTE_PRE_W(LEAF_GFN + 1), SPTEP(0x9000, 0x46), 1));
	put(r, ev_set(LEAF_GFN + 2, SPTE_PRE_RO(LEAF_GFN + 2), SPTEP(0x9000, 0x47), 1));
	entry(r);
	x = exit_at(r, 0);
	assert_true(x->requested);
	assert_int_equal(x->req_level, 1);
	assert_false(x->walk.failed || x->walk.set_a || x->walk.set_d);
	assert_int_equal(x->pfec, U);
	assert_int_equal(x->gva, GVA);
	assert_int_equal(x->rip, RIP);
	assert_int_equal(x->t_exit, 1000);
	assert_int_equal(x->t_entry, r->f.ts - r->f.tick);
}

static void b_hidden_too_weak(struct rig *r)
{
	pf(r, GVA, P | U | W);
	walk(r, GVA, P | U | W, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
	entry(r);
	assert_int_equal(exit_at(r, 0)->pfec, P | U | W);
}

static void entry_requested_and_set_is_hidden_whatever_the_p_bit(void **unused)
{
	(void)unused;
	on_both(b_hidden, SPHT_CLASS_HIDDEN);
	on_both(b_hidden_too_weak, SPHT_CLASS_HIDDEN);
}

static void shadow_events_of_an_exit_come_in_recorded_order_with_their_fields(void **unused)
{
	struct rig *r = rig_new(2);
	const struct spht_op *op = r->seen[0].ops;

	(void)unused;
	b_hidden(r);
	assert_int_equal(exit_at(r, 0)->nr_ops, 6);
	assert_int_equal(op[0].kind, SPHT_OP_GET);
	assert_int_equal(op[0].gfn, 0x12);
	assert_false(op[0].created);
	assert_int_equal(op[1].kind, SPHT_OP_GET);
	assert_int_equal(op[1].gfn, 0x13);
	assert_int_equal(op[1].role, ROLE(1));
	assert_true(op[1].created);
	assert_int_equal(op[2].kind, SPHT_OP_REQUESTED);
	assert_int_equal(op[2].gfn, LEAF_GFN);
	assert_int_equal(op[2].level, 1);
	for (unsigned int i = 3; i < 6; i++) {
		assert_int_equal(op[i].kind, SPHT_OP_SET);
		assert_int_equal(op[i].gfn, LEAF_GFN + i - 3);
		assert_int_equal(op[i].sptep >> 12, 0x9000);
		assert_int_equal(op[i].level, 1);
	}
	assert_int_equal(op[4].spte, SPTE_PRE_W(LEAF_GFN + 1));
	rig_free(r);
}

static void exit_with_more_shadow_events_than_usual_keeps_them_all(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	/* More than one growth of the list, but no delivery: the last one is looked at. */
	pf(r, GVA, U);
	for (unsigned int i = 0; i < 200; i++)
		put(r, ev_zap(0x1000 + i, ROLE(1)));
	assert_int_equal(r->n, 0);
	put(r, ev_exit_svm(SVM_HLT, 0, 0, 0)); /* the long one is incomplete now */
	assert_int_equal(stats(r)->exits_incomplete, 1);
	put(r, ev_zap(0x42, ROLE(1)));
	entry(r);
	assert_int_equal(exit_at(r, 0)->nr_ops, 1);
	assert_int_equal(r->seen[0].ops[0].gfn, 0x42);
	rig_free(r);
}

/* (c) */

static void c1_unsync(struct rig *r)
{
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	request(r);
	put(r, ev_unsync(LEAF_GFN, ROLE(1)));
	set(r);
	put(r, ev_set(LEAF_GFN + 1, SPTE_PRE_W(LEAF_GFN + 1), SPTEP(0x9000, 0x46), 1));
	entry(r);
}

static void c1_later_unsync(struct rig *r)
{
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
	put(r, ev_unsync(LEAF_GFN + 1, ROLE(1)));
	entry(r);
}

static void unsync_before_the_first_set_is_a_write_to_a_page_table(void **unused)
{
	(void)unused;
	on_both(c1_unsync, SPHT_CLASS_PTWRITE_UNSYNC);
	on_both(c1_later_unsync, SPHT_CLASS_HIDDEN);
}

/* The emulator: fetches the instruction, executes it, translates its operand. */
static void emulate(struct rig *r, uint64_t operand, uint64_t operand_pte)
{
	walk(r, RIP, FETCH, PTE(0x500, READONLY));
	put(r, ev_emulate(RIP));
	walk(r, operand, W, operand_pte);
}

static void c2(struct rig *r)
{
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	emulate(r, GVA, PTE(LEAF_GFN, DIRTY));
	entry(r);
	assert_int_equal(exit_at(r, 0)->sub, SPHT_EMUL_C2);
	assert_int_equal(stats(r)->emul_sub[SPHT_EMUL_C2], 1);
}

static void c3(struct rig *r)
{
	pf(r, GVA, W);
	walk(r, GVA, W, PTE(LEAF_GFN, DIRTY));
	request(r);
	put(r, ev_set(LEAF_GFN, SPTE_RO(LEAF_GFN), SPTEP(0x9000, 0x45), 1));
	emulate(r, GVA, PTE(LEAF_GFN, DIRTY));
	entry(r);
	assert_int_equal(exit_at(r, 0)->sub, SPHT_EMUL_C3);
	assert_int_equal(stats(r)->emul_sub[SPHT_EMUL_C3], 1);
}

static void c4(struct rig *r)
{
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	emulate(r, GVA, PTE(LEAF_GFN, DIRTY));
	put(r, ev_zap(LEAF_GFN, ROLE(2)));
	entry(r);
	assert_int_equal(exit_at(r, 0)->sub, SPHT_EMUL_C4);
	assert_int_equal(stats(r)->emul_sub[SPHT_EMUL_C4], 1);
}

static void c2_with_a_zap_elsewhere(struct rig *r)
{
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	emulate(r, GVA, PTE(LEAF_GFN, DIRTY));
	put(r, ev_zap(LEAF_GFN + 1, ROLE(2)));
	entry(r);
	assert_int_equal(exit_at(r, 0)->sub, SPHT_EMUL_C2);
}

static void emulated_instruction_is_a_write_to_a_page_table_of_three_kinds(void **unused)
{
	(void)unused;
	on_both(c2, SPHT_CLASS_PTWRITE_EMUL);
	on_both(c3, SPHT_CLASS_PTWRITE_EMUL);
	on_both(c4, SPHT_CLASS_PTWRITE_EMUL);
	on_both(c2_with_a_zap_elsewhere, SPHT_CLASS_PTWRITE_EMUL);
}

static void only_emulated_writes_have_a_sub_class(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	c1_unsync(r);
	hidden_fault(r, GVA);
	assert_int_equal(exit_at(r, 0)->sub, SPHT_EMUL_NONE);
	assert_int_equal(exit_at(r, 1)->sub, SPHT_EMUL_NONE);
	rig_free(r);
}

/* (d) */

static void d_accessed(struct rig *r)
{
	pf(r, GVA, U);
	walk(r, GVA, U, PTE(LEAF_GFN, UNTOUCHED));
	put(r, ev_set_accessed(0x13228));
	request(r);
	set(r);
	entry(r);
	assert_true(exit_at(r, r->n - 1)->walk.set_a);
	assert_false(exit_at(r, r->n - 1)->walk.set_d);
}

static void d_dirty(struct rig *r)
{
	pf(r, GVA, P | U | W);
	walk(r, GVA, P | U | W, PTE(LEAF_GFN, CLEAN));
	put(r, ev_set_dirty(0x13228));
	request(r);
	set(r);
	entry(r);
	assert_false(exit_at(r, 0)->walk.set_a);
	assert_true(exit_at(r, 0)->walk.set_d);
}

static void hidden_fault_whose_walk_sets_a_or_d_is_an_ad_fault(void **unused)
{
	(void)unused;
	on_both(d_accessed, SPHT_CLASS_AD);
	on_both(d_dirty, SPHT_CLASS_AD);
}

/* (e) */

static void e_first(struct rig *r)
{
	pf(r, GVA, W);
	walk(r, GVA, W, PTE(0xfec00, DIRTY));
	request(r);
	put(r, ev_bare(SPHT_EV_MARK_MMIO_SPTE));
	put(r, ev_emulate(RIP));
	put(r, ev_mmio(0xfec00000));
	entry(r);
}

static void e_marked_only(struct rig *r)
{
	pf(r, GVA, W);
	walk(r, GVA, W, PTE(0xfec00, DIRTY));
	request(r);
	put(r, ev_bare(SPHT_EV_MARK_MMIO_SPTE));
	entry(r);
}

static void e_handled_only(struct rig *r)
{
	pf(r, GVA, P | W);
	put(r, ev_bare(SPHT_EV_HANDLE_MMIO_PAGE_FAULT));
	entry(r);
}

static void e_access_only(struct rig *r)
{
	pf(r, GVA, W);
	walk(r, GVA, W, PTE(0xfec00, DIRTY));
	put(r, ev_mmio(0xfec00000));
	entry(r);
}

static void e_cached(struct rig *r)
{
	pf(r, GVA, P | W | RSVD);
	put(r, ev_emulate(RIP));
	entry(r);
}

static void mmio_shows_in_the_error_code_or_in_any_of_three_events(void **unused)
{
	(void)unused;
	on_both(e_first, SPHT_CLASS_MMIO);
	on_both(e_marked_only, SPHT_CLASS_MMIO);
	on_both(e_handled_only, SPHT_CLASS_MMIO);
	on_both(e_access_only, SPHT_CLASS_MMIO);
	on_both(e_cached, SPHT_CLASS_MMIO);
}

/* (f) */

static void f_spurious(struct rig *r)
{
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	request(r);
	entry(r);
}

static void entry_requested_and_not_set_is_spurious(void **unused)
{
	(void)unused;
	on_both(f_spurious, SPHT_CLASS_SPURIOUS);
}

/* (h) */

static void walk_to_a_large_page(struct rig *r)
{
	const uint64_t pte[3] = {PTE(0x11, TABLE), PTE(0x12, TABLE),
				 PTE(0x400, DIRTY | SPHT_PTE_PS)};

	put(r, ev_walk(GVA, U));
	feed_elems(&r->f, 4, pte, 3);
}

static void h_large(struct rig *r)
{
	pf(r, GVA, U);
	walk_to_a_large_page(r);
	put(r, ev_requested(0x400, 2));
	put(r, ev_set(0x400, SPTE_W(0x400) | SPHT_PTE_PS, SPTEP(0x9001, 3), 2));
	entry(r);
	assert_int_equal(exit_at(r, 0)->req_level, 2);
	assert_false(exit_at(r, 0)->direct_after);
	assert_false(exit_at(r, 0)->nopaging);
}

static void h_direct(struct rig *r)
{
	pf(r, GVA, U);
	walk_to_a_large_page(r);
	put(r, ev_requested(0x545, 1));
	put(r, ev_created(0x400, ROLE_DIRECT(7)));
	put(r, ev_set(0x545, SPTE_W(0x545), SPTEP(0x9002, 0x145), 1));
	entry(r);
	assert_true(exit_at(r, 0)->direct_after);
}

/* The two signs other than a walk that ends above level 1, each by itself. */
static void h_level_only(struct rig *r)
{
	pf(r, GVA, U);
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	put(r, ev_requested(0x400, 2));
	set(r);
	entry(r);
}

static void h_direct_only(struct rig *r)
{
	pf(r, GVA, U);
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	request(r);
	put(r, ev_created(0x400, ROLE_DIRECT(7)));
	set(r);
	entry(r);
}

static void h_direct_before(struct rig *r)
{
	pf(r, GVA, U);
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	put(r, ev_created(0x400, ROLE_DIRECT(7)));
	request(r);
	set(r);
	entry(r);
}

static void h_not_fixed(struct rig *r)
{
	pf(r, GVA, U);
	walk_to_a_large_page(r);
	entry(r);
}

static void h_nopaging(struct rig *r)
{
	pf(r, 0x7c00, W);
	request(r);
	set(r);
	entry(r);
	assert_true(exit_at(r, 0)->nopaging);
	assert_int_equal(stats(r)->nopaging, 1);
}

static void large_page_direct_page_or_walk_without_a_leaf_is_huge(void **unused)
{
	(void)unused;
	on_both(h_large, SPHT_CLASS_HUGE);
	on_both(h_direct, SPHT_CLASS_HUGE);
	on_both(h_level_only, SPHT_CLASS_HUGE);
	on_both(h_direct_only, SPHT_CLASS_HUGE);
	on_both(h_not_fixed, SPHT_CLASS_HUGE);
	on_both(h_direct_before, SPHT_CLASS_HIDDEN);
}

static void exit_without_a_walk_is_huge_and_counted_as_not_paging(void **unused)
{
	(void)unused;
	on_both(h_nopaging, SPHT_CLASS_HUGE);
}

/* retry */

static void retry(struct rig *r)
{
	pf(r, GVA, U);
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	put(r, ev_created(0x13, ROLE(1)));
	entry(r);
}

static void walk_and_nothing_requested_is_a_retry(void **unused)
{
	(void)unused;
	on_both(retry, SPHT_CLASS_RETRY);
}

/* The order of the rules: each exit satisfies its own rule and every later one. */

struct signs {
	bool mmio, failed, emulated, unsync, huge, no_set, ad, requested;
};

static void exit_with(struct rig *r, struct signs s)
{
	pf(r, GVA, U | W);
	walk(r, GVA, U | W, PTE(LEAF_GFN, CLEAN));
	if (s.ad)
		put(r, ev_set_dirty(0x13228));
	if (s.failed)
		put(r, ev_walker_error(U | W));
	if (s.requested)
		put(r, ev_requested(LEAF_GFN, s.huge ? 2 : 1));
	if (s.unsync)
		put(r, ev_unsync(LEAF_GFN, ROLE(1)));
	if (s.requested && !s.no_set)
		set(r);
	if (s.emulated)
		put(r, ev_emulate(RIP));
	if (s.mmio)
		put(r, ev_mmio(0xfec00000));
	entry(r);
}

static void first_rule_that_holds_names_the_class(void **unused)
{
	struct signs s = {true, true, true, true, true, true, true, true};
	struct rig *r = rig_new(2);

	(void)unused;
	exit_with(r, s);
	s.mmio = false;
	exit_with(r, s);
	s.failed = false;
	exit_with(r, s);
	s.emulated = false;
	exit_with(r, s);
	s.unsync = false;
	exit_with(r, s);
	s.huge = false;
	exit_with(r, s);
	s.no_set = false;
	exit_with(r, s);
	s.ad = false;
	exit_with(r, s);
	s.requested = false;
	exit_with(r, s);
	assert_int_equal(r->n, 9);
	for (unsigned int i = 0; i < 9; i++)
		assert_class(r, i, SPHT_CLASS_MMIO + i);
	rig_free(r);
}

static void every_class_has_a_name_of_its_own(void **unused)
{
	(void)unused;
	for (unsigned int a = 0; a < SPHT_CLASS_NR; a++)
		for (unsigned int b = 0; b < a; b++)
			assert_string_not_equal(spht_class_name(a), spht_class_name(b));
	assert_string_equal(spht_class_name(SPHT_CLASS_PTWRITE_EMUL), "ptwrite_emul");
	assert_string_equal(spht_class_name(SPHT_CLASS_NR), "?");
}

/* Walks */

static void walk_that_starts_again_counts_from_its_last_descent(void **unused)
{
	static const uint64_t first[4] = {PTE(0x21, TABLE), PTE(0x22, TABLE), PTE(0x23, TABLE),
					  PTE(0x24, UNTOUCHED)};
	static const uint64_t second[4] = {PTE(0x11, TABLE), PTE(0x12, TABLE), PTE(0x13, TABLE),
					   PTE(LEAF_GFN, CLEAN)};
	struct rig *r = rig_new(2);
	const struct spht_walk *k = &r->seen[0].x.walk;

	(void)unused;
	pf(r, GVA, U);
	put(r, ev_walk(GVA, U));
	feed_elems(&r->f, 4, first, 4);
	put(r, ev_set_accessed(0x24228)); /* and the cmpxchg loses its race */
	feed_elems(&r->f, 4, second, 4);
	request(r);
	set(r);
	entry(r);
	assert_int_equal(k->nr, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(k->level[i], 4 - i);
		assert_int_equal(k->pte[i], second[i]);
	}
	rig_free(r);
}

static void walk_that_starts_again_at_its_top_is_noticed_too(void **unused)
{
	struct rig *r = rig_new(2);
	const struct spht_walk *k = &r->seen[0].x.walk;

	(void)unused;
	pf(r, GVA, U);
	put(r, ev_walk(GVA, U));
	put(r, ev_elem(PTE(0x21, UNTOUCHED), 4));
	put(r, ev_elem(PTE(0x11, TABLE), 4));
	put(r, ev_elem(PTE(0x12, TABLE), 3));
	entry(r);
	assert_int_equal(k->nr, 2);
	assert_int_equal(k->pte[0], PTE(0x11, TABLE));
	assert_int_equal(k->pte[1], PTE(0x12, TABLE));
	rig_free(r);
}

static void walk_of_the_emulator_leaves_the_walk_of_the_fault_alone(void **unused)
{
	struct rig *r = rig_new(2);
	const struct spht_exit *x = &r->seen[0].x;

	(void)unused;
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	walk(r, RIP, FETCH, PTE(0x500, UNTOUCHED));
	put(r, ev_set_accessed(0x13008));
	put(r, ev_emulate(RIP));
	walk(r, GVA + 0x1000, W, 0);
	put(r, ev_set_dirty(0x13008));
	put(r, ev_walker_error(W));
	entry(r);
	assert_only(r, SPHT_CLASS_PTWRITE_EMUL);
	assert_int_equal(x->walk.addr, GVA);
	assert_int_equal(x->walk.pferr, P | W);
	assert_int_equal(x->walk.nr, 4);
	assert_int_equal(x->walk.pte[3], PTE(LEAF_GFN, DIRTY));
	assert_false(x->walk.failed || x->walk.set_a || x->walk.set_d);
	rig_free(r);
}

/* Feeds a c2 exit whose operand walk is given; what is known of the store. */
static const struct spht_exit *store(struct rig *r, uint64_t gva, uint32_t code, unsigned int top,
				     const uint64_t *pte, unsigned int nr)
{
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	put(r, ev_emulate(RIP));
	put(r, ev_walk(gva, code));
	feed_elems(&r->f, top, pte, nr);
	entry(r);
	return exit_at(r, r->n - 1);
}

static void emulated_store_goes_where_its_operand_walk_ends(void **unused)
{
	static const uint64_t small[4] = {PTE(0x11, TABLE), PTE(0x12, TABLE), PTE(0x13, TABLE),
					  PTE(0x345, DIRTY) | SPHT_PTE_NX};
	static const uint64_t large[3] = {PTE(0x11, TABLE), PTE(0x12, TABLE),
					  PTE(0x400, DIRTY | SPHT_PTE_PS) | 1ull << 12};
	static const uint64_t huge[2] = {PTE(0x11, TABLE),
					 PTE(0x80000, DIRTY | SPHT_PTE_PS) | 1ull << 12};
	struct rig *r = rig_new(2);
	const struct spht_exit *x;

	(void)unused;
	x = store(r, 0xffff888000abc128, W, 4, small, 4);
	assert_true(x->store_known);
	assert_int_equal(x->store_gpa, 0x345128);
	/* Bit 12 of a large entry is PAT, not address. */
	x = store(r, 0xffff8880001b7008, W, 4, large, 3);
	assert_true(x->store_known);
	assert_int_equal(x->store_gpa, 0x400000 + 0x1b7008);
	x = store(r, 0xffff88801fabc128, W, 4, huge, 2);
	assert_true(x->store_known);
	assert_int_equal(x->store_gpa, 0x80000000 + 0x1fabc128);
	rig_free(r);
}

static void store_is_unknown_where_the_emulator_reads_or_finds_nothing(void **unused)
{
	static const uint64_t small[4] = {PTE(0x11, TABLE), PTE(0x12, TABLE), PTE(0x13, TABLE),
					  PTE(0x345, DIRTY)};
	static const uint64_t hole[4] = {PTE(0x11, TABLE), PTE(0x12, TABLE), PTE(0x13, TABLE), 0};
	struct rig *r = rig_new(2);

	(void)unused;
	assert_false(store(r, 0xffff888000abc128, 0, 4, small, 4)->store_known);
	assert_false(store(r, 0xffff888000abc128, W, 4, hole, 4)->store_known);
	assert_false(store(r, 0xffff888000abc128, W, 4, small, 3)->store_known);
	/* Without an emulation nobody stores, whatever is walked. */
	pf(r, GVA, P | W);
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	walk(r, GVA, W, PTE(0x345, DIRTY));
	entry(r);
	assert_false(exit_at(r, 3)->store_known);
	rig_free(r);
}

/* Refaults */

static uint64_t refaults_after(unsigned int exits_between)
{
	struct rig *r = rig_new(2);
	uint64_t n;

	guest_fault(r, GVA);
	for (unsigned int i = 0; i < exits_between; i++)
		other_exit(r);
	hidden_fault(r, GVA + 8); /* same page */
	n = stats(r)->refault;
	rig_free(r);
	return n;
}

static void refault_comes_fewer_than_64_exits_after_its_guest_fault(void **unused)
{
	(void)unused;
	assert_int_equal(refaults_after(0), 1);
	assert_int_equal(refaults_after(62), 1); /* the 63rd after it */
	assert_int_equal(refaults_after(63), 0); /* the 64th */
	assert_int_equal(refaults_after(200), 0);
}

static void refault_is_hidden_or_ad_and_on_the_same_page(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	guest_fault(r, GVA);
	hidden_fault(r, PAGE(1));
	assert_int_equal(stats(r)->refault, 0);
	c1_unsync(r); /* same page, another class */
	assert_int_equal(stats(r)->refault, 0);
	d_accessed(r);
	assert_int_equal(stats(r)->by_class[SPHT_CLASS_AD], 1);
	assert_int_equal(stats(r)->refault, 1);
	rig_free(r);
}

static void guest_fault_is_followed_once(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	guest_fault(r, GVA);
	guest_fault(r, GVA); /* it may fail twice before it is served */
	hidden_fault(r, GVA);
	hidden_fault(r, GVA);
	assert_int_equal(stats(r)->refault, 1);
	guest_fault(r, GVA);
	hidden_fault(r, GVA);
	assert_int_equal(stats(r)->refault, 2);
	rig_free(r);
}

static void guest_fault_of_another_vcpu_is_not_followed(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	guest_fault(r, GVA);
	r->f.tid = 101;
	r->vcpu = 1;
	hidden_fault(r, GVA);
	assert_int_equal(stats(r)->refault, 0);
	/* Its exits do not age the first vCPU's fault either. */
	for (unsigned int i = 0; i < 100; i++)
		other_exit(r);
	r->f.tid = 100;
	r->vcpu = 0;
	hidden_fault(r, GVA);
	assert_int_equal(stats(r)->refault, 1);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walk_that_fails_is_a_guest_fault),
		cmocka_unit_test(entry_requested_and_set_is_hidden_whatever_the_p_bit),
		cmocka_unit_test(shadow_events_of_an_exit_come_in_recorded_order_with_their_fields),
		cmocka_unit_test(exit_with_more_shadow_events_than_usual_keeps_them_all),
		cmocka_unit_test(unsync_before_the_first_set_is_a_write_to_a_page_table),
		cmocka_unit_test(emulated_instruction_is_a_write_to_a_page_table_of_three_kinds),
		cmocka_unit_test(only_emulated_writes_have_a_sub_class),
		cmocka_unit_test(hidden_fault_whose_walk_sets_a_or_d_is_an_ad_fault),
		cmocka_unit_test(mmio_shows_in_the_error_code_or_in_any_of_three_events),
		cmocka_unit_test(entry_requested_and_not_set_is_spurious),
		cmocka_unit_test(large_page_direct_page_or_walk_without_a_leaf_is_huge),
		cmocka_unit_test(exit_without_a_walk_is_huge_and_counted_as_not_paging),
		cmocka_unit_test(walk_and_nothing_requested_is_a_retry),
		cmocka_unit_test(first_rule_that_holds_names_the_class),
		cmocka_unit_test(every_class_has_a_name_of_its_own),
		cmocka_unit_test(walk_that_starts_again_counts_from_its_last_descent),
		cmocka_unit_test(walk_that_starts_again_at_its_top_is_noticed_too),
		cmocka_unit_test(walk_of_the_emulator_leaves_the_walk_of_the_fault_alone),
		cmocka_unit_test(emulated_store_goes_where_its_operand_walk_ends),
		cmocka_unit_test(store_is_unknown_where_the_emulator_reads_or_finds_nothing),
		cmocka_unit_test(refault_comes_fewer_than_64_exits_after_its_guest_fault),
		cmocka_unit_test(refault_is_hidden_or_ad_and_on_the_same_page),
		cmocka_unit_test(guest_fault_is_followed_once),
		cmocka_unit_test(guest_fault_of_another_vcpu_is_not_followed),
	};

	return cmocka_run_group_tests_name("assemble", tests, NULL, NULL);
}
