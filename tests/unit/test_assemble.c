// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The grammar of one exit: event sequences written by hand from the list of
 * fault classes (docs/model.md), on SVM, on VMX and without kvm_exit.
 */
#include "events.h"

#define GVA       0x00007f0012345678ull
#define PAGE(i)   (GVA + ((uint64_t)(i) << 12))
#define RIP       0x401000ull
#define LEAF_GFN  0x700u

#define P         SPHT_PF_P
#define W         SPHT_PF_W
#define U         SPHT_PF_U
#define RSVD      SPHT_PF_RSVD
#define FETCH     SPHT_PF_FETCH

#define MAX_EXITS 512
#define MAX_OPS   16

struct seen {
	struct spht_exit x;
	struct spht_op ops[MAX_OPS];
};

/* An assembler and all it has delivered. */
struct rig {
	struct feeder f; /* first: feed() gets a pointer to it */
	unsigned int isa, vcpu;
	size_t n;
	int stop_at; /* fail at this delivery; -1: never */
	struct seen seen[MAX_EXITS];
};

static int deliver(void *arg, const struct spht_exit *x, struct spht_error *err)
{
	struct rig *r = arg;
	struct seen *s = &r->seen[r->n];

	if ((int)r->n == r->stop_at) {
		spht_error_set(err, "stopped");
		return -1;
	}
	assert_true(r->n++ < MAX_EXITS && x->nr_ops <= MAX_OPS);
	s->x = *x;
	for (size_t i = 0; i < x->nr_ops; i++)
		s->ops[i] = x->ops[i];
	return 0;
}

static struct rig *rig_new(unsigned int isa)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->f.assemble = spht_assemble_open(isa != 0, deliver, r);
	assert_non_null(r->f.assemble);
	r->f.ts = 1000;
	r->f.tick = 10;
	r->f.tid = 100;
	r->isa = isa;
	r->stop_at = -1;
	return r;
}

static void rig_free(struct rig *r)
{
	spht_assemble_close(r->f.assemble);
	free(r);
}

static const struct spht_assemble_stats *stats(const struct rig *r)
{
	return spht_assemble_stats(r->f.assemble);
}

static void finish(struct rig *r)
{
	if (spht_assemble_finish(r->f.assemble, &r->f.err))
		fail_msg("%s", r->f.err.text);
}

static void put(struct rig *r, struct spht_event e)
{
	feed(&r->f, e);
}

/* A #PF exit; a reading of CR2 and of the error code as the vendor records them. */
static void pf(struct rig *r, uint64_t gva, uint32_t code)
{
	if (r->isa == 2)
		put(r, ev_exit_svm(SVM_PF, code, gva, r->vcpu));
	else if (r->isa == 1)
		put(r, ev_exit_vmx(0, gva, VMX_PF_INTR, code, r->vcpu));
	if (r->isa)
		put(r, ev_page_fault(gva, code));
}

static void entry(struct rig *r)
{
	if (r->isa)
		put(r, ev_entry(r->vcpu));
}

/* A walk down to level 1 that ends at @leaf. */
static void walk(struct rig *r, uint64_t gva, uint32_t code, uint64_t leaf)
{
	const uint64_t pte[4] = {PTE(0x11, TABLE), PTE(0x12, TABLE), PTE(0x13, TABLE), leaf};

	put(r, ev_walk(gva, code & ~RSVD));
	feed_elems(&r->f, 4, pte, 4);
}

static void request(struct rig *r)
{
	put(r, ev_requested(LEAF_GFN, 1));
}

static void set(struct rig *r)
{
	put(r, ev_set(LEAF_GFN, SPTE_W(LEAF_GFN), SPTEP(0x9000, (GVA >> 12) & 511), 1));
}

/* Exits of the classes that are prerequisites elsewhere. */
static void guest_fault(struct rig *r, uint64_t gva)
{
	pf(r, gva, U);
	walk(r, gva, U, 0);
	put(r, ev_walker_error(U));
	put(r, ev_inject(14, U));
	entry(r);
}

static void hidden_fault(struct rig *r, uint64_t gva)
{
	pf(r, gva, U);
	walk(r, gva, U, PTE(LEAF_GFN, DIRTY));
	request(r);
	set(r);
	entry(r);
}

static void other_exit(struct rig *r)
{
	if (r->isa == 2)
		put(r, ev_exit_svm(SVM_HLT, 0, 0, r->vcpu));
	else
		put(r, ev_exit_vmx(12, 0, 0, 0, r->vcpu));
	entry(r);
}

static const struct spht_exit *exit_at(const struct rig *r, size_t i)
{
	assert_true(i < r->n);
	return &r->seen[i].x;
}

static void assert_class(const struct rig *r, size_t i, enum spht_class cls)
{
	assert_string_equal(spht_class_name(exit_at(r, i)->cls), spht_class_name(cls));
}

/* The only exit so far, of class @cls, and counted as that and as nothing else. */
static void assert_only(struct rig *r, enum spht_class cls)
{
	assert_int_equal(r->n, 1);
	assert_class(r, 0, cls);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_WINDOW);
	assert_true(exit_at(r, 0)->is_pf);
	assert_int_equal(stats(r)->exits_total, 1);
	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++)
		assert_int_equal(stats(r)->by_class[c], c == cls);
}

/* Runs @body on both vendors' exits: the class must not depend on them. */
static void on_both(void (*body)(struct rig *r), enum spht_class cls)
{
	for (unsigned int isa = 1; isa <= 2; isa++) {
		struct rig *r = rig_new(isa);

		body(r);
		assert_only(r, cls);
		rig_free(r);
	}
}

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
	assert_class(r, 0, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 0)->vcpu, 1);
	assert_int_equal(exit_at(r, 0)->tid, 101);
	assert_int_equal(exit_at(r, 0)->gva, PAGE(5));
	assert_int_equal(exit_at(r, 0)->nr_ops, 2);
	assert_class(r, 1, SPHT_CLASS_GUEST);
	assert_int_equal(exit_at(r, 1)->vcpu, 0);
	assert_int_equal(exit_at(r, 1)->nr_ops, 0);
	assert_int_equal(stats(r)->vcpus, 2);
	rig_free(r);
}

static void shadow_event_outside_of_a_window_is_delivered_at_once_and_alone(void **unused)
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
	assert_int_equal(r->n, 4);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(exit_at(r, 0)->tid, 7);
	assert_int_equal(exit_at(r, 0)->nr_ops, 1);
	assert_int_equal(r->seen[0].ops[0].kind, SPHT_OP_ZAP);
	assert_int_equal(r->seen[0].ops[0].gfn, 0x13);
	assert_int_equal(exit_at(r, 0)->t_exit, 1020);
	assert_int_equal(r->seen[1].ops[0].kind, SPHT_OP_ZAP_ALL);
	assert_class(r, 2, SPHT_CLASS_HIDDEN);
	assert_int_equal(exit_at(r, 2)->nr_ops, 2);
	assert_int_equal(exit_at(r, 3)->kind, SPHT_EXIT_LOOSE);
	assert_int_equal(r->seen[3].ops[0].kind, SPHT_OP_SYNC);
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
	retry(r);
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
	d_accessed(r);
	r->f.tid = 7;
	put(r, ev_zap(0x14, ROLE(1))); /* of no vCPU: may concern any VM */
	finish(r);
	assert_int_equal(r->n, 3);
	assert_class(r, 0, SPHT_CLASS_HIDDEN);
	assert_class(r, 1, SPHT_CLASS_AD);
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
	assert_int_equal(r->n, 3);
	assert_int_equal(exit_at(r, 0)->kind, SPHT_EXIT_LOOSE);
	assert_class(r, 1, SPHT_CLASS_HIDDEN);
	assert_class(r, 2, SPHT_CLASS_GUEST);
	assert_int_equal(exit_at(r, 1)->vcpu, 0);
	assert_int_equal(exit_at(r, 2)->vcpu, 1);
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
		cmocka_unit_test(window_without_an_entry_is_incomplete_and_counts_in_nothing_else),
		cmocka_unit_test(events_before_the_first_exit_open_no_window),
		cmocka_unit_test(exits_for_other_reasons_are_counted_and_have_no_class),
		cmocka_unit_test(vcpus_that_interleave_do_not_mix),
		cmocka_unit_test(shadow_event_outside_of_a_window_is_delivered_at_once_and_alone),
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

	return cmocka_run_group_tests_name("assemble", tests, NULL, NULL);
}
