// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which events make an exit: windows of several vCPUs, losses, other threads
 * and other VMs, guests that are refused, and recordings without kvm_exit.
 */
#include "assemble_rig.h"

/* Windows */

static void window_without_an_entry_is_incomplete_and_counts_in_nothing_else(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	pf(r, GVA, U);
	walk(r, GVA, U, 0);
	put(r, ev_walker_error(U));
	hidden_fault(r, GVA); /* the next kvm_exit of the thread */
	assert_only(r, SPHT_CLASS_HIDDEN);
	assert_int_equal(stats(r)->exits_incomplete, 1);
	assert_false(exit_at(r, 0)->walk.failed);
	assert_int_equal(stats(r)->refault, 0);

	pf(r, GVA, U);
	finish(r);
	assert_int_equal(r->n, 1);
	assert_int_equal(stats(r)->exits_incomplete, 2);
	assert_int_equal(stats(r)->exits_total, 1);
	rig_free(r);
}

static void events_before_the_first_exit_open_no_window(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	walk(r, GVA, U, 0);
	put(r, ev_walker_error(U));
	put(r, ev_emulate(RIP));
	put(r, ev_mmio(0xfec00000));
	entry(r);
	assert_int_equal(r->n, 0);
	assert_int_equal(stats(r)->exits_total, 0);
	hidden_fault(r, GVA);
	assert_only(r, SPHT_CLASS_HIDDEN);
	rig_free(r);
}

static void exits_for_other_reasons_are_counted_and_have_no_class(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	other_exit(r);
	put(r, ev_exit_vmx(0, GVA, 0x80000306, 0, 0)); /* #UD */
	entry(r);
	put(r, ev_exit_vmx(0, GVA, 0x0000030e, U, 0)); /* not valid */
	entry(r);
	put(r, ev_exit_vmx(1, GVA, VMX_PF_INTR, U, 0)); /* an interrupt */
	entry(r);
	assert_int_equal(r->n, 4);
	assert_int_equal(stats(r)->exits_total, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_false(exit_at(r, i)->is_pf);
		assert_class(r, i, SPHT_CLASS_NONE);
	}
	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++)
		assert_int_equal(stats(r)->by_class[c], 0);
	rig_free(r);
}

static void vcpus_that_interleave_do_not_mix(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	pf(r, GVA, U);
	r->f.tid = 101;
	r->vcpu = 1;
	pf(r, PAGE(5), U | W);
	r->f.tid = 100;
	r->vcpu = 0;
	walk(r, GVA, U, 0);
	r->f.tid = 101;
	walk(r, PAGE(5), U | W, PTE(LEAF_GFN, DIRTY));
	r->f.tid = 100;
	put(r, ev_walker_error(U));
	r->f.tid = 101;
	request(r);
	set(r);
	r->vcpu = 1;
	entry(r);
	r->f.tid = 100;
	r->vcpu = 0;
	entry(r);
	finish(r);
	assert_int_equal(r->n, 2);
	/* The guest's fault walked before the other vCPU worked, and ended later. */
	assert_class(r, 0, SPHT_CLASS_GUEST);
	assert_int_equal(exit_at(r, 0)->vcpu, 0);
	assert_int_equal(exit_at(r, 0)->nr_ops, 0);
	assert_class(r, 1, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 1)->vcpu, 1);
	assert_int_equal(exit_at(r, 1)->tid, 101);
	assert_int_equal(exit_at(r, 1)->gva, PAGE(5));
	assert_int_equal(exit_at(r, 1)->nr_ops, 2);
	assert_int_equal(stats(r)->vcpus, 2);
	rig_free(r);
}

static void shadow_event_outside_of_a_window_is_delivered_at_its_time_and_alone(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	pf(r, GVA, U);
	r->f.tid = 7; /* kswapd, say */
	put(r, ev_zap(0x13, ROLE(1)));
	put(r, ev_bare(SPHT_EV_ZAP_ALL_FAST));
	r->f.tid = 100;
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
	entry(r);
	put(r, ev_sync(0x14, ROLE(1))); /* between two windows */
	assert_int_equal(r->n, 5);
	/* The fault came before the zap: what it found is to be asked for then. */
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_SEEN);
	assert_int_equal(exit_at(r, 1)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(exit_at(r, 1)->tid, 7);
	assert_int_equal(exit_at(r, 1)->nr_ops, 1);
	assert_int_equal(r->seen[1].ops[0].kind, SPHT_OP_ZAP);
	assert_int_equal(r->seen[1].ops[0].gfn, 0x13);
	assert_int_equal(exit_at(r, 1)->t_exit, 1020);
	assert_int_equal(r->seen[2].ops[0].kind, SPHT_OP_ZAP_ALL);
	assert_class(r, 3, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 3)->nr_ops, 2);
	assert_int_equal(exit_at(r, 4)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(r->seen[4].ops[0].kind, SPHT_OP_SYNC);
	assert_int_equal(stats(r)->exits_total, 1);
	finish(r);
	assert_int_equal(stats(r)->vcpus, 1);
	rig_free(r);
}

static void receiver_that_fails_stops_the_stream(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	r->stop_at = 1;
	hidden_fault(r, GVA);
	pf(r, GVA, U);
	assert_int_equal(feed_raw(&r->f, ev_entry(0)), -1);
	assert_string_equal(r->f.err.text, "stopped");
	assert_int_equal(feed_raw(&r->f, ev_zap(0x13, ROLE(1))), -1);
	assert_int_equal(feed_raw(&r->f, ev_lost(1)), -1);
	rig_free(r);
}

static void events_are_counted_with_their_span_and_unknown_ones_apart(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	other_exit(r);
	put(r, ev_bare(SPHT_EV_UNKNOWN));
	r->f.ts = 5000;
	put(r, ev_bare(SPHT_EV_PIO));
	assert_int_equal(stats(r)->events, 4);
	assert_int_equal(stats(r)->unknown_events, 1);
	assert_int_equal(stats(r)->t_first, 1000);
	assert_int_equal(stats(r)->t_last, 5000);
	rig_free(r);
}

/* Losses */

static void losing_events_drops_every_open_window(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	pf(r, GVA, U);
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	r->f.tid = 101;
	r->vcpu = 1;
	pf(r, GVA, U);
	put(r, ev_lost(42));
	put(r, ev_lost(UINT64_MAX));
	entry(r);
	r->f.tid = 100;
	r->vcpu = 0;
	request(r);
	set(r);
	entry(r);
	assert_int_equal(r->n, 4);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_LOSS);
	assert_int_equal(exit_at(r, 0)->lost, 42);
	assert_int_equal(exit_at(r, 1)->kind, SPHT_EXIT_LOSS);
	assert_int_equal(exit_at(r, 2)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(stats(r)->exits_total, 0);
	assert_int_equal(stats(r)->exits_incomplete, 2);
	assert_int_equal(stats(r)->lost_events, 42);
	assert_int_equal(stats(r)->lost_unknown, 1);
	assert_int_equal(stats(r)->events, 1 + 1 + 4 + 1 + 2 + 1 + 2 + 1); /* a gap is no event */
	hidden_fault(r, GVA);
	assert_class(r, 4, SPHT_CLASS_HIDDEN);
	rig_free(r);
}

/* Several VMs */

static void two_vms(struct rig *r)
{
	hidden_fault(r, GVA);
	r->f.tid = 200; /* vCPU 0 of another VM */
	guest_fault(r, GVA);
	put(r, ev_zap(0x13, ROLE(1)));
	other_exit(r);
	r->f.tid = 100;
}

static void two_vms_in_a_recording_are_refused_with_what_to_do(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	two_vms(r);
	assert_int_equal(spht_assemble_finish(r->f.assemble, &r->f.err), -1);
	assert_non_null(strstr(r->f.err.text, "threads 100 and 200"));
	assert_non_null(strstr(r->f.err.text, "--vm="));
	rig_free(r);
}

static void chosen_vm_is_followed_and_nothing_of_the_other(void **unused)
{
	static const int32_t tids[] = {100};
	struct rig *r = rig_new(2);

	(void)unused;
	assert_int_equal(spht_assemble_select(r->f.assemble, tids, ARRAY_SIZE(tids)), 0);
	two_vms(r);
	guest_fault(r, PAGE(1));
	r->f.tid = 7;
	put(r, ev_zap(0x14, ROLE(1))); /* of no vCPU: may concern any VM */
	finish(r);
	assert_int_equal(r->n, 3);
	assert_class(r, 0, SPHT_CLASS_HIDDEN);
	assert_class(r, 1, SPHT_CLASS_GUEST);
	assert_int_equal(exit_at(r, 2)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(exit_at(r, 2)->tid, 7);
	assert_int_equal(stats(r)->exits_total, 2);
	assert_int_equal(stats(r)->exits_incomplete, 0);
	assert_int_equal(stats(r)->vcpus, 1);
	rig_free(r);
}

static void other_vm_may_come_first_when_one_is_chosen(void **unused)
{
	static const int32_t tids[] = {100, 102};
	struct rig *r = rig_new(2);

	(void)unused;
	assert_int_equal(spht_assemble_select(r->f.assemble, tids, ARRAY_SIZE(tids)), 0);
	r->f.tid = 200;
	entry(r);
	hidden_fault(r, GVA);
	put(r, ev_zap(0x13, ROLE(1)));
	r->f.tid = 102;
	r->vcpu = 1;
	guest_fault(r, GVA);
	finish(r);
	assert_int_equal(r->n, 1);
	assert_class(r, 0, SPHT_CLASS_GUEST);
	assert_int_equal(stats(r)->vcpus, 1);
	rig_free(r);
}

/* Guests that are not modelled */

static void assert_refused(struct spht_event e, const char *why)
{
	struct rig *r = rig_new(2);

	other_exit(r);
	assert_int_equal(feed_raw(&r->f, e), -1);
	assert_non_null(strstr(r->f.err.text, why));
	rig_free(r);
}

static void recording_of_a_guest_on_nested_page_tables_is_refused(void **unused)
{
	(void)unused;
	assert_refused(ev_exit_svm(0x400, 0, 0x1000, 0), "npt=0");
	assert_refused(ev_exit_vmx(48, 0, 0, 0, 0), "ept=0");
	assert_refused(ev_exit_vmx(49, 0, 0, 0, 0), "ept=0");
	assert_refused(ev_bare(SPHT_EV_TDP_SPTE_CHANGED), "kvm_tdp_mmu_spte_changed");
}

/* A hidden fault whose walk has its top at @level. */
static void fault_under(struct rig *r, unsigned int level)
{
	const uint64_t pte[5] = {PTE(0x11, TABLE), PTE(0x12, TABLE), PTE(0x13, TABLE),
				 PTE(0x14, TABLE), PTE(0x15, DIRTY)};

	pf(r, GVA, U);
	put(r, ev_walk(GVA, U));
	feed_elems(&r->f, level, pte, level);
	request(r);
	set(r);
	entry(r);
}

static void exits_under_other_paging_modes_are_skipped_and_counted(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	fault_under(r, 5);
	fault_under(r, 3);
	fault_under(r, 3);
	fault_under(r, 2);
	fault_under(r, 2);
	fault_under(r, 2);
	fault_under(r, 4);
	assert_int_equal(stats(r)->mode_skipped, 6);
	assert_int_equal(stats(r)->mode_5level, 1);
	assert_int_equal(stats(r)->mode_pae, 2);
	assert_int_equal(stats(r)->mode_32bit, 3);
	assert_int_equal(stats(r)->exits_total, 7);
	assert_int_equal(stats(r)->by_class[SPHT_CLASS_HIDDEN], 1);
	for (unsigned int i = 0; i < 6; i++)
		assert_class(r, i, SPHT_CLASS_NONE);
	assert_class(r, 6, SPHT_CLASS_HIDDEN);
	rig_free(r);
}

/* Preamble of a cut */

static void preamble_gives_state_and_counts_in_nothing(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	r->f.preamble = true;
	entry(r);
	put(r, ev_created(0x10, ROLE(4)));
	put(r, ev_unsync(0x13, ROLE(1)));
	put(r, ev_set(LEAF_GFN, SPTE_W(LEAF_GFN), SPTEP(0x9000, 5), 1));
	assert_int_equal(r->n, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(exit_at(r, i)->kind, SPHT_EXIT_LOOSE);
		assert_true(exit_at(r, i)->preamble);
		assert_int_equal(exit_at(r, i)->nr_ops, 1);
	}
	assert_int_equal(r->seen[0].ops[0].kind, SPHT_OP_GET);
	assert_int_equal(r->seen[1].ops[0].kind, SPHT_OP_UNSYNC);
	assert_int_equal(r->seen[2].ops[0].kind, SPHT_OP_SET);
	assert_int_equal(stats(r)->events, 0);
	assert_int_equal(stats(r)->preamble, 4);
	assert_int_equal(stats(r)->exits_total, 0);

	r->f.preamble = false;
	r->f.ts = 7000;
	hidden_fault(r, GVA);
	finish(r);
	assert_int_equal(stats(r)->exits_incomplete, 0);
	assert_int_equal(stats(r)->t_first, 7000);
	assert_false(exit_at(r, 3)->preamble);
	assert_int_equal(stats(r)->vcpus, 1);
	rig_free(r);
}

/* What else an exit says */

static void loads_of_cr3_and_invalidations_are_told_by_their_reasons(void **unused)
{
	static const struct {
		uint32_t isa, reason;
		uint64_t info1;
		bool cr3, invlpg;
	} c[] = {
		{2, SVM_CR3, 0, true, false}, /* SVM: write of CR3 */
		{2, 0x03, 0, false, false}, /* read of CR3 */
		{2, SVM_INVLPG, 0, false, true},   {2, 0xa2, 0, false, true}, /* INVPCID */
		{1, 28, 3, true, false}, /* VMX: MOV to CR3 */
		{1, 28, 3 | 1 << 4, false, false}, /* MOV from CR3 */
		{1, 28, 4, false, false}, /* MOV to CR4 */
		{1, 28, 3 | 7 << 8, true, false}, /* from another register */
		{1, 14, GVA, false, true},         {1, 58, 0, false, true},
		{1, 12, 3, false, false},
	};
	struct rig *r = rig_new(2);

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		put(r, c[i].isa == 2 ? ev_exit_svm(c[i].reason, c[i].info1, 0, 0)
				     : ev_exit_vmx(c[i].reason, c[i].info1, 0, 0, 0));
		entry(r);
		assert_int_equal(exit_at(r, i)->cr3_load, c[i].cr3);
		assert_int_equal(exit_at(r, i)->invlpg, c[i].invlpg);
		assert_false(exit_at(r, i)->cr3_known);
	}
	rig_free(r);
}

static void written_cr3_is_known_where_kvm_cr_tells_it(void **unused)
{
	struct spht_event read = ev_cr3(0x1000), cr4 = ev_cr3(0x2000);
	struct rig *r = rig_new(2);

	(void)unused;
	read.v[SPHT_CR_RW] = 0;
	cr4.v[SPHT_CR_CR] = 4;
	put(r, ev_exit_svm(SVM_CR3, 0, 0, 0));
	put(r, read);
	put(r, cr4);
	put(r, ev_cr3(0x12345000));
	entry(r);
	put(r, ev_exit_svm(0x03, 0, 0, 0));
	put(r, read);
	put(r, cr4);
	entry(r);
	assert_true(exit_at(r, 0)->cr3_known);
	assert_int_equal(exit_at(r, 0)->cr3, 0x12345000);
	assert_false(exit_at(r, 1)->cr3_known || exit_at(r, 1)->cr3_load);
	rig_free(r);
}

static void old_kernels_tell_the_fault_by_kvm_page_fault_alone(void **unused)
{
	struct spht_event exit = ev_exit_svm(SVM_PF, 0, 0, 0);
	struct rig *r = rig_new(2);

	(void)unused;
	exit.v[SPHT_EXIT_ISA] = 0; /* 2.6.32: reason and rip only */
	put(r, exit);
	put(r, ev_page_fault(GVA, U | W));
	walk(r, GVA, U | W, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
	entry(r);
	assert_only(r, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 0)->gva, GVA);
	assert_int_equal(exit_at(r, 0)->pfec, U | W);
	rig_free(r);
}

/* kvm_pvm: neither kvm_exit nor kvm_entry */

static void without_kvm_exit_a_walk_opens_a_window(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	walk(r, GVA, U, 0);
	put(r, ev_walker_error(U));
	put(r, ev_inject(14, U));
	assert_int_equal(r->n, 0);
	walk(r, PAGE(1), P | U | W, PTE(LEAF_GFN, DIRTY));
	assert_int_equal(r->n, 1);
	assert_class(r, 0, SPHT_CLASS_GUEST);
	assert_int_equal(exit_at(r, 0)->gva, GVA);
	assert_int_equal(exit_at(r, 0)->pfec, U);
	request(r);
	set(r);
	assert_int_equal(r->n, 1);
	finish(r); /* nothing else can end the last one */
	assert_int_equal(r->n, 2);
	assert_class(r, 1, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 1)->gva, PAGE(1));
	assert_int_equal(exit_at(r, 1)->pfec, P | U | W);
	assert_int_equal(exit_at(r, 1)->nr_ops, 2);
	assert_int_equal(stats(r)->exits_incomplete, 0);
	assert_false(stats(r)->has_exits);
	rig_free(r);
}

/* An emulated store, as far as its operand walk; the next walk is the question. */
static void pvm_emulated(struct rig *r)
{
	walk(r, GVA, P | W, PTE(LEAF_GFN, DIRTY));
	put(r, ev_emulate(RIP));
	walk(r, GVA, W, PTE(LEAF_GFN, DIRTY));
}

static void without_kvm_exit_an_operand_walk_belongs_to_its_emulation(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	pvm_emulated(r);
	finish(r);
	assert_int_equal(r->n, 1);
	assert_class(r, 0, SPHT_CLASS_PTWRITE_EMUL);
	assert_true(exit_at(r, 0)->store_known);
	assert_int_equal(exit_at(r, 0)->store_gpa, (uint64_t)LEAF_GFN << 12 | (GVA & 0xfff));
	rig_free(r);
}

static void without_kvm_exit_a_p_bit_opens_a_window_after_an_emulation(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	pvm_emulated(r);
	walk(r, PAGE(3), P | U | W, PTE(LEAF_GFN, DIRTY));
	assert_int_equal(r->n, 1);
	assert_class(r, 0, SPHT_CLASS_PTWRITE_EMUL);
	assert_true(exit_at(r, 0)->store_known);
	finish(r);
	assert_int_equal(r->n, 2);
	assert_class(r, 1, SPHT_CLASS_RETRY);
	assert_int_equal(exit_at(r, 1)->gva, PAGE(3));
	rig_free(r);
}

/* The walk after an emulation, without the P bit, followed by @e: is it a window? */
static void assert_promotes(struct spht_event e, bool error, enum spht_class cls)
{
	struct rig *r = rig_new(0);

	pvm_emulated(r);
	walk(r, PAGE(3), U, error ? 0 : PTE(0x345, DIRTY));
	if (error)
		put(r, ev_walker_error(U));
	put(r, e);
	finish(r);
	if (cls == SPHT_CLASS_NONE) {
		assert_int_equal(r->n, 1);
		assert_class(r, 0, SPHT_CLASS_PTWRITE_EMUL);
		rig_free(r);
		return;
	}
	assert_int_equal(r->n, 2);
	assert_class(r, 0, SPHT_CLASS_PTWRITE_EMUL);
	assert_int_equal(exit_at(r, 0)->walk.addr, GVA);
	assert_int_equal(exit_at(r, 0)->nr_ops, 0);
	assert_class(r, 1, cls);
	assert_int_equal(exit_at(r, 1)->gva, PAGE(3));
	assert_int_equal(exit_at(r, 1)->pfec, U);
	assert_int_equal(exit_at(r, 1)->walk.nr, 4);
	assert_int_equal(exit_at(r, 1)->walk.addr, PAGE(3));
	assert_int_equal(exit_at(r, 1)->walk.failed, error);
	rig_free(r);
}

static void without_kvm_exit_fault_handling_opens_a_window_after_an_emulation(void **unused)
{
	struct spht_event set_one = ev_set(LEAF_GFN, SPTE_W(LEAF_GFN), SPTEP(0x9000, 5), 1);

	(void)unused;
	assert_promotes(ev_created(0x13, ROLE(1)), false, SPHT_CLASS_RETRY);
	assert_promotes(ev_requested(LEAF_GFN, 1), false, SPHT_CLASS_SPURIOUS);
	assert_promotes(ev_unsync(LEAF_GFN, ROLE(1)), false, SPHT_CLASS_PTWRITE_UNSYNC);
	assert_promotes(set_one, false, SPHT_CLASS_RETRY);
	assert_promotes(ev_inject(14, U), true, SPHT_CLASS_GUEST);

	assert_promotes(ev_inject(14, U), false, SPHT_CLASS_NONE); /* without a failed walk */
	assert_promotes(ev_inject(6, 0), true, SPHT_CLASS_NONE); /* not a page fault */
	assert_promotes(ev_zap(0x99, ROLE(1)), false, SPHT_CLASS_NONE);
	assert_promotes(ev_set_accessed(0x1000), false, SPHT_CLASS_NONE);
}

static void without_kvm_exit_a_store_is_kept_when_a_fault_follows_it(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	pvm_emulated(r);
	walk(r, PAGE(3), U | W, PTE(0x345, DIRTY)); /* a write fault, P=0 */
	request(r);
	set(r);
	finish(r);
	assert_int_equal(r->n, 2);
	assert_true(exit_at(r, 0)->store_known);
	assert_int_equal(exit_at(r, 0)->store_gpa, (uint64_t)LEAF_GFN << 12 | (GVA & 0xfff));
	assert_class(r, 1, SPHT_CLASS_HIDDEN);
	assert_false(exit_at(r, 1)->store_known);
	rig_free(r);
}

static void without_kvm_exit_threads_are_vcpus_of_their_own(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	r->f.tid = 101;
	walk(r, PAGE(1), U, 0);
	put(r, ev_walker_error(U));
	r->f.tid = 7;
	put(r, ev_zap(0x13, ROLE(1)));
	r->f.tid = 100;
	request(r);
	set(r);
	finish(r);
	assert_int_equal(r->n, 4);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_SEEN);
	assert_int_equal(exit_at(r, 0)->vcpu, 0);
	assert_class(r, 1, SPHT_CLASS_GUEST);
	assert_int_equal(exit_at(r, 1)->vcpu, 1);
	assert_int_equal(exit_at(r, 2)->kind, SPHT_EXIT_LOOSE);
	assert_class(r, 3, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 3)->vcpu, 0);
	assert_int_equal(stats(r)->vcpus, 2);
	rig_free(r);
}

static void without_kvm_exit_the_chosen_threads_alone_are_followed(void **unused)
{
	static const int32_t tids[] = {101};
	struct rig *r = rig_new(0);

	(void)unused;
	assert_int_equal(spht_assemble_select(r->f.assemble, tids, ARRAY_SIZE(tids)), 0);
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
	r->f.tid = 101;
	walk(r, PAGE(1), U, 0);
	put(r, ev_walker_error(U));
	finish(r);
	assert_int_equal(r->n, 1);
	assert_class(r, 0, SPHT_CLASS_GUEST);
	assert_int_equal(stats(r)->vcpus, 1);
	rig_free(r);
}

static void without_kvm_exit_losing_events_drops_the_open_window(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY));
	put(r, ev_lost(3));
	request(r);
	finish(r);
	assert_int_equal(r->n, 2);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_LOSS);
	assert_int_equal(exit_at(r, 1)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(stats(r)->exits_incomplete, 1);
	assert_int_equal(stats(r)->exits_total, 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_without_an_entry_is_incomplete_and_counts_in_nothing_else),
		cmocka_unit_test(events_before_the_first_exit_open_no_window),
		cmocka_unit_test(exits_for_other_reasons_are_counted_and_have_no_class),
		cmocka_unit_test(vcpus_that_interleave_do_not_mix),
		cmocka_unit_test(
			shadow_event_outside_of_a_window_is_delivered_at_its_time_and_alone),
		cmocka_unit_test(receiver_that_fails_stops_the_stream),
		cmocka_unit_test(events_are_counted_with_their_span_and_unknown_ones_apart),
		cmocka_unit_test(losing_events_drops_every_open_window),
		cmocka_unit_test(two_vms_in_a_recording_are_refused_with_what_to_do),
		cmocka_unit_test(chosen_vm_is_followed_and_nothing_of_the_other),
		cmocka_unit_test(other_vm_may_come_first_when_one_is_chosen),
		cmocka_unit_test(recording_of_a_guest_on_nested_page_tables_is_refused),
		cmocka_unit_test(exits_under_other_paging_modes_are_skipped_and_counted),
		cmocka_unit_test(preamble_gives_state_and_counts_in_nothing),
		cmocka_unit_test(loads_of_cr3_and_invalidations_are_told_by_their_reasons),
		cmocka_unit_test(written_cr3_is_known_where_kvm_cr_tells_it),
		cmocka_unit_test(old_kernels_tell_the_fault_by_kvm_page_fault_alone),
		cmocka_unit_test(without_kvm_exit_a_walk_opens_a_window),
		cmocka_unit_test(without_kvm_exit_an_operand_walk_belongs_to_its_emulation),
		cmocka_unit_test(without_kvm_exit_a_p_bit_opens_a_window_after_an_emulation),
		cmocka_unit_test(without_kvm_exit_fault_handling_opens_a_window_after_an_emulation),
		cmocka_unit_test(without_kvm_exit_a_store_is_kept_when_a_fault_follows_it),
		cmocka_unit_test(without_kvm_exit_threads_are_vcpus_of_their_own),
		cmocka_unit_test(without_kvm_exit_the_chosen_threads_alone_are_followed),
		cmocka_unit_test(without_kvm_exit_losing_events_drops_the_open_window),
	};

	return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
