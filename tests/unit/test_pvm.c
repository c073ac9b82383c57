// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Windows of recordings without kvm_exit, as kvm_pvm makes them: which walks are
 * a fault's, and which the emulator's or a delivered exception's.  The sequences
 * are those of Linux 6.18 (tests/live records them anew).
 */
#include "assemble_rig.h"

#define MMIO_GVA  0x40000000ull
#define MMIO_PTE  PTE(0xe0000, DIRTY)
#define ALIAS     0x80000010ull
#define TABLE_GFN 0x10u

static void fetch_walk(struct rig *r, uint64_t rip)
{
	walk(r, rip, U | FETCH, PTE(0x2, DIRTY));
}

static void hidden(struct rig *r, uint64_t gva)
{
	walk(r, gva, U, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
}

static void leave(struct rig *r)
{
	put(r, ev_bare(SPHT_EV_USERSPACE_EXIT));
}

/* A store that leaves the guest: without MMIO SPTEs KVM walks, then emulates. */
static void mmio_store(struct rig *r, uint64_t gva)
{
	walk(r, gva, U | W, MMIO_PTE);
	fetch_walk(r, RIP);
	put(r, ev_emulate(RIP));
	put(r, ev_mmio(0xe0000000));
}

static void emulated_store(struct rig *r, uint64_t gva, uint32_t code)
{
	walk(r, gva, code, PTE(TABLE_GFN, DIRTY));
	if (!(code & P)) {
		request(r);
		put(r, ev_set(TABLE_GFN, SPTE_RO(TABLE_GFN), SPTEP(0x9100, 2), 1));
	}
	fetch_walk(r, RIP);
	put(r, ev_emulate(RIP));
	walk(r, gva, U | W, PTE(TABLE_GFN, DIRTY));
}

/* Its own fault, and what KVM reads of a guest whose exceptions it delivers itself. */
static void guest_fault_delivered(struct rig *r, uint64_t gva)
{
	walk(r, gva, U, 0);
	put(r, ev_walker_error(U));
	put(r, ev_inject(14, U));
	for (unsigned int i = 0; i < 2; i++) {
		put(r, ev_walk(i ? 0x80 : 0xe0, 0));
		put(r, ev_elem(PTE(0x11, TABLE), 4));
		put(r, ev_elem(0, 3));
		put(r, ev_walker_error(0));
	}
}

static void assert_classes(struct rig *r, const enum spht_class *cls, size_t nr)
{
	finish(r);
	assert_int_equal(r->n, nr);
	for (size_t i = 0; i < nr; i++)
		assert_class(r, i, cls[i]);
	assert_int_equal(stats(r)->exits_incomplete, 0);
}

#define CLASSES(r, ...) \
	do { \
		static const enum spht_class cls_[] = {__VA_ARGS__}; \
		assert_classes(r, cls_, ARRAY_SIZE(cls_)); \
	} while (0)

static void instruction_that_is_fetched_to_be_emulated_is_part_of_the_fault(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	hidden(r, GVA);
	mmio_store(r, MMIO_GVA + 8);
	CLASSES(r, SPHT_CLASS_HIDDEN, SPHT_CLASS_MMIO);
	assert_int_equal(exit_at(r, 1)->gva, MMIO_GVA + 8);
	assert_int_equal(exit_at(r, 1)->pfec, U | W);
	assert_int_equal(exit_at(r, 1)->walk.addr, MMIO_GVA + 8);
	rig_free(r);
}

static void instruction_that_crosses_a_page_is_fetched_with_two_walks(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	walk(r, MMIO_GVA, U | W, MMIO_PTE);
	fetch_walk(r, 0x400ffe);
	fetch_walk(r, 0x401000);
	put(r, ev_emulate(0x400ffe));
	put(r, ev_mmio(0xe0000000));
	CLASSES(r, SPHT_CLASS_MMIO);
	rig_free(r);
}

static void each_access_to_a_device_is_a_window(void **unused)
{
	for (unsigned int to_user = 0; to_user < 2; to_user++) {
		struct rig *r = rig_new(0);

		(void)unused;
		for (unsigned int i = 0; i < 3; i++) {
			mmio_store(r, MMIO_GVA + 8 * i);
			if (to_user)
				leave(r);
		}
		CLASSES(r, SPHT_CLASS_MMIO, SPHT_CLASS_MMIO, SPHT_CLASS_MMIO);
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(exit_at(r, i)->gva, MMIO_GVA + 8 * i);
		rig_free(r);
	}
}

static void value_read_from_a_device_belongs_to_the_read(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	walk(r, MMIO_GVA, U, MMIO_PTE);
	fetch_walk(r, RIP);
	put(r, ev_emulate(RIP));
	put(r, ev_mmio(0xe0000000));
	leave(r);
	put(r, ev_mmio(0xe0000000));
	hidden(r, GVA);
	CLASSES(r, SPHT_CLASS_MMIO, SPHT_CLASS_HIDDEN);
	rig_free(r);
}

static void store_to_a_table_is_one_window_with_its_fetch_and_its_operand(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	emulated_store(r, ALIAS, U | W); /* c3 */
	emulated_store(r, ALIAS + 8, P | U | W); /* c2 */
	put(r, ev_zap(TABLE_GFN, ROLE(2))); /* c4 */
	hidden(r, GVA);
	emulated_store(r, ALIAS + 16, P | U | W);
	CLASSES(r, SPHT_CLASS_PTWRITE_EMUL, SPHT_CLASS_PTWRITE_EMUL, SPHT_CLASS_HIDDEN,
		SPHT_CLASS_PTWRITE_EMUL);
	assert_int_equal(exit_at(r, 0)->sub, SPHT_EMUL_C3);
	assert_int_equal(exit_at(r, 1)->sub, SPHT_EMUL_C4);
	assert_int_equal(exit_at(r, 3)->sub, SPHT_EMUL_C2);
	for (unsigned int i = 0; i < 4; i++) {
		bool store = i != 2;

		assert_int_equal(exit_at(r, i)->store_known, store);
		if (store)
			assert_int_equal(exit_at(r, i)->store_gpa,
					 (uint64_t)TABLE_GFN << 12 | (exit_at(r, i)->gva & 0xfff));
	}
	rig_free(r);
}

static void device_after_a_store_to_a_table_is_a_window(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	emulated_store(r, ALIAS, P | U | W);
	mmio_store(r, MMIO_GVA);
	CLASSES(r, SPHT_CLASS_PTWRITE_EMUL, SPHT_CLASS_MMIO);
	/* The walk of the device's page was no operand of the store. */
	assert_int_equal(exit_at(r, 0)->store_gpa, (uint64_t)TABLE_GFN << 12 | (ALIAS & 0xfff));
	rig_free(r);
}

static void walk_of_an_operand_elsewhere_belongs_to_the_emulation(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	walk(r, ALIAS, P | U | W, PTE(TABLE_GFN, DIRTY));
	fetch_walk(r, RIP);
	put(r, ev_emulate(RIP));
	walk(r, GVA, U, PTE(LEAF_GFN, DIRTY)); /* the source of a copy */
	walk(r, ALIAS, U | W, PTE(TABLE_GFN, DIRTY));
	fetch_walk(r, RIP + 4);
	put(r, ev_emulate(RIP + 4)); /* the next instruction, emulated without a fault */
	CLASSES(r, SPHT_CLASS_PTWRITE_EMUL, SPHT_CLASS_NONE);
	assert_true(exit_at(r, 0)->store_known);
	rig_free(r);
}

static void instruction_fetch_can_be_what_faults(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	mmio_store(r, MMIO_GVA);
	fetch_walk(r, 0x500000);
	put(r, ev_created(0x13, ROLE(1)));
	request(r);
	set(r);
	fetch_walk(r, 0x600000); /* KVM lets the guest try again */
	fetch_walk(r, 0x600000);
	request(r);
	set(r);
	fetch_walk(r, 0x700000);
	put(r, ev_walker_error(U | FETCH));
	put(r, ev_inject(14, U | FETCH));
	CLASSES(r, SPHT_CLASS_MMIO, SPHT_CLASS_HIDDEN, SPHT_CLASS_RETRY, SPHT_CLASS_HIDDEN,
		SPHT_CLASS_GUEST);
	assert_int_equal(exit_at(r, 1)->gva, 0x500000);
	assert_int_equal(exit_at(r, 1)->nr_ops, 3);
	assert_int_equal(exit_at(r, 1)->walk.nr, 4);
	assert_int_equal(exit_at(r, 4)->pfec, U | FETCH);
	rig_free(r);
}

static void walks_that_deliver_an_exception_are_no_faults(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	guest_fault_delivered(r, GVA);
	leave(r);
	/* The root is got again on the way back: no sign of a fault. */
	put(r, ev_found(0x1, ROLE(4), false));
	hidden(r, GVA);
	guest_fault_delivered(r, PAGE(9));
	hidden(r, PAGE(9));
	CLASSES(r, SPHT_CLASS_GUEST, SPHT_CLASS_HIDDEN, SPHT_CLASS_GUEST, SPHT_CLASS_HIDDEN);
	assert_int_equal(stats(r)->refault, 2);
	assert_int_equal(exit_at(r, 0)->nr_ops, 1);
	assert_int_equal(exit_at(r, 1)->gva, GVA);
	rig_free(r);
}

static void root_that_is_got_while_a_walk_is_held_makes_it_no_fault(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	guest_fault_delivered(r, GVA);
	put(r, ev_found(0x1, ROLE(4), false));
	CLASSES(r, SPHT_CLASS_GUEST);
	rig_free(r);
}

static void device_after_an_injected_fault_is_a_window(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	walk(r, GVA, U, 0);
	put(r, ev_walker_error(U));
	put(r, ev_inject(14, U));
	mmio_store(r, MMIO_GVA);
	CLASSES(r, SPHT_CLASS_GUEST, SPHT_CLASS_MMIO);
	rig_free(r);
}

static void root_got_before_the_first_walk_is_the_vcpus(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	r->f.tid = 7;
	put(r, ev_zap(0x13, ROLE(1))); /* another thread: no vCPU */
	r->f.tid = 101;
	put(r, ev_created(0x1, ROLE(4)));
	fetch_walk(r, 0x400000);
	put(r, ev_created(0x3, ROLE(3)));
	request(r);
	set(r);
	finish(r);
	assert_int_equal(r->n, 3);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(exit_at(r, 1)->kind, SPHT_EXIT_WINDOW);
	assert_false(exit_at(r, 1)->is_pf);
	assert_int_equal(exit_at(r, 1)->vcpu, 0);
	assert_int_equal(exit_at(r, 1)->nr_ops, 1);
	assert_class(r, 1, SPHT_CLASS_NONE);
	assert_class(r, 2, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 2)->walk.nr, 4);
	assert_int_equal(stats(r)->vcpus, 1);
	rig_free(r);
}

static void root_of_another_vm_takes_no_part(void **unused)
{
	static const int32_t tids[] = {101};
	struct rig *r = rig_new(0);

	(void)unused;
	assert_int_equal(spht_assemble_select(r->f.assemble, tids, ARRAY_SIZE(tids)), 0);
	put(r, ev_created(0x1, ROLE(4)));
	hidden(r, GVA);
	r->f.tid = 101;
	put(r, ev_created(0x1, ROLE(4)));
	hidden(r, GVA);
	CLASSES(r, SPHT_CLASS_NONE, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 1)->tid, 101);
	assert_int_equal(stats(r)->vcpus, 1);
	rig_free(r);
}

static void instruction_emulated_without_a_fault_is_an_exit_but_no_fault(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	fetch_walk(r, RIP); /* the first walk of all */
	put(r, ev_emulate(RIP));
	hidden(r, GVA);
	fetch_walk(r, RIP);
	put(r, ev_emulate(RIP));
	leave(r);
	hidden(r, PAGE(1));
	CLASSES(r, SPHT_CLASS_NONE, SPHT_CLASS_HIDDEN, SPHT_CLASS_NONE, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 3)->gva, PAGE(1));
	rig_free(r);
}

static void device_whose_fault_needs_no_walk_is_a_window(void **unused)
{
	struct rig *r = rig_new(0);

	(void)unused;
	hidden(r, GVA);
	put(r, ev_bare(SPHT_EV_HANDLE_MMIO_PAGE_FAULT));
	fetch_walk(r, RIP);
	put(r, ev_emulate(RIP));
	put(r, ev_mmio(0xe0000000));
	leave(r);
	/* KVM still knows the page: not even that event. */
	fetch_walk(r, RIP);
	put(r, ev_emulate(RIP));
	put(r, ev_mmio(0xe0000000));
	CLASSES(r, SPHT_CLASS_HIDDEN, SPHT_CLASS_MMIO, SPHT_CLASS_MMIO);
	rig_free(r);
}

static void window_ends_before_the_walk_that_was_held(void **unused)
{
	struct rig *r = rig_new(0);
	uint64_t end;

	(void)unused;
	mmio_store(r, MMIO_GVA);
	leave(r);
	end = r->f.ts - r->f.tick;
	hidden(r, GVA);
	CLASSES(r, SPHT_CLASS_MMIO, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 0)->t_entry, end);
	assert_int_equal(exit_at(r, 1)->t_exit, end + r->f.tick);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instruction_that_is_fetched_to_be_emulated_is_part_of_the_fault),
		cmocka_unit_test(instruction_that_crosses_a_page_is_fetched_with_two_walks),
		cmocka_unit_test(each_access_to_a_device_is_a_window),
		cmocka_unit_test(value_read_from_a_device_belongs_to_the_read),
		cmocka_unit_test(store_to_a_table_is_one_window_with_its_fetch_and_its_operand),
		cmocka_unit_test(device_after_a_store_to_a_table_is_a_window),
		cmocka_unit_test(walk_of_an_operand_elsewhere_belongs_to_the_emulation),
		cmocka_unit_test(instruction_fetch_can_be_what_faults),
		cmocka_unit_test(walks_that_deliver_an_exception_are_no_faults),
		cmocka_unit_test(root_that_is_got_while_a_walk_is_held_makes_it_no_fault),
		cmocka_unit_test(device_after_an_injected_fault_is_a_window),
		cmocka_unit_test(root_got_before_the_first_walk_is_the_vcpus),
		cmocka_unit_test(root_of_another_vm_takes_no_part),
		cmocka_unit_test(instruction_emulated_without_a_fault_is_an_exit_but_no_fault),
		cmocka_unit_test(device_whose_fault_needs_no_walk_is_a_window),
		cmocka_unit_test(window_ends_before_the_walk_that_was_held),
	};

	return cmocka_run_group_tests_name("pvm", tests, NULL, NULL);
}
