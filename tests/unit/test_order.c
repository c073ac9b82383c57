// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Exits that overlap, and events of other threads, go on in the order of their
 * work and not of their ends.
 */
#include "assemble_rig.h"

/* @vcpu's thread has the word. */
static void on(struct rig *r, unsigned int vcpu)
{
	r->f.tid = 100 + (int32_t)vcpu;
	r->vcpu = vcpu;
}

static void host(struct rig *r, struct spht_event e)
{
	r->f.tid = 7; /* kswapd, say */
	put(r, e);
}

/* A hidden fault up to its walk, and what KVM then does under mmu_lock. */
static void fault_begins(struct rig *r, unsigned int page)
{
	pf(r, PAGE(page), U);
	walk(r, PAGE(page), U, PTE(LEAF_GFN + page, DIRTY));
}

static void fault_works(struct rig *r, unsigned int page)
{
	put(r, ev_requested(LEAF_GFN + page, 1));
	put(r, ev_set(LEAF_GFN + page, SPTE_W(LEAF_GFN + page), SPTEP(0x9000, page), 1));
}

/* "kind tid first-op": one word for each delivery. */
static void assert_order(struct rig *r, const char *expected)
{
	static const char kinds[] = "WLXSP"; /* window, loose, loss, seen, piece */
	char got[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct spht_exit *x = exit_at(r, i);

		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%c%d:%zu", i ? " " : "",
					kinds[x->kind], x->tid, x->nr_ops);
	}
	assert_string_equal(got, expected);
}

static void exit_that_is_held_up_goes_where_it_worked(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	fault_begins(r, 1);
	fault_works(r, 1);
	/* Held up before its kvm_entry; another vCPU zaps what it made, and makes it again. */
	on(r, 1);
	fault_begins(r, 2);
	put(r, ev_zap(0x13, ROLE(1)));
	fault_works(r, 2);
	entry(r);
	assert_int_equal(r->n, 0); /* the first may still work on */
	on(r, 0);
	entry(r);
	finish(r);
	assert_order(r, "W100:2 W101:3");
	assert_false(exit_at(r, 0)->raced);
	assert_false(exit_at(r, 1)->raced);
	rig_free(r);
}

static void
exit_that_is_held_up_before_its_work_goes_where_it_worked_and_is_seen_before(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	fault_begins(r, 1);
	on(r, 1);
	fault_begins(r, 2);
	fault_works(r, 2);
	entry(r);
	on(r, 0);
	fault_works(r, 1);
	entry(r);
	finish(r);
	assert_order(r, "S100:2 W101:2 W100:2");
	assert_true(exit_at(r, 2)->raced);
	assert_int_equal(exit_at(r, 0)->gva, PAGE(1));
	rig_free(r);
}

static void work_of_other_threads_goes_where_it_was_done(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	fault_begins(r, 1);
	fault_works(r, 1);
	host(r, ev_zap(0x13, ROLE(1)));
	on(r, 0);
	entry(r);
	fault_begins(r, 2);
	host(r, ev_zap(0x14, ROLE(1)));
	on(r, 0);
	fault_works(r, 2);
	entry(r);
	host(r, ev_zap(0x15, ROLE(1)));
	assert_order(r, "W100:2 L7:1 S100:2 L7:1 W100:2 L7:1");
	finish(r);
	rig_free(r);
}

static void exit_whose_work_is_overtaken_goes_in_pieces(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	put(r, ev_exit_svm(SVM_CR3, 0, 0, 0));
	put(r, ev_created(0x10, ROLE(4)));
	put(r, ev_sync(0x13, ROLE(1)));
	on(r, 1);
	fault_begins(r, 2);
	put(r, ev_requested(LEAF_GFN, 1));
	put(r, ev_unsync(0x13, ROLE(1)));
	put(r, ev_set(LEAF_GFN, SPTE_W(LEAF_GFN), SPTEP(0x9000, 2), 1));
	entry(r);
	on(r, 0);
	put(r, ev_sync(0x14, ROLE(1)));
	put(r, ev_sync(0x15, ROLE(1)));
	host(r, ev_zap(0x15, ROLE(1)));
	on(r, 0);
	put(r, ev_sync(0x16, ROLE(1)));
	entry(r);
	finish(r);
	assert_order(r, "W100:2 W101:3 P100:2 L7:1 P100:1");
	assert_int_equal(r->seen[2].ops[0].gfn, 0x14);
	assert_int_equal(r->seen[2].ops[1].gfn, 0x15);
	assert_int_equal(r->seen[4].ops[0].gfn, 0x16);
	assert_int_equal(exit_at(r, 2)->vcpu, 0);
	/* A piece has the time of its last operation. */
	assert_true(exit_at(r, 2)->t_exit > exit_at(r, 1)->t_exit);
	assert_int_equal(stats(r)->exits_total, 2);
	rig_free(r);
}

static void what_a_fault_does_under_one_lock_stays_one(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	fault_begins(r, 1);
	put(r, ev_created(0x13, ROLE(1)));
	put(r, ev_requested(LEAF_GFN, 1));
	/* CPUs whose clocks differ by some nanoseconds. */
	host(r, ev_zap(0x20, ROLE(1)));
	on(r, 0);
	put(r, ev_set(LEAF_GFN, SPTE_W(LEAF_GFN), SPTEP(0x9000, 1), 1));
	put(r, ev_set(LEAF_GFN, SPTE_PRE_W(LEAF_GFN), SPTEP(0x9000, 2), 1));
	host(r, ev_zap(0x21, ROLE(1)));
	on(r, 0);
	put(r, ev_sync(0x14, ROLE(1))); /* requested for before the entry: another hold */
	entry(r);
	finish(r);
	assert_order(r, "L7:1 W100:4 L7:1 P100:1");
	assert_class(r, 1, SPHT_CLASS_HIDDEN);
	rig_free(r);
}

static void exits_of_one_thread_keep_their_order(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	fault_begins(r, 9);
	for (unsigned int i = 0; i < 6; i++) {
		on(r, 1);
		if (i & 1) {
			fault_begins(r, i);
			fault_works(r, i);
		} else {
			put(r, ev_exit_svm(SVM_HLT, 0, 0, 1));
		}
		entry(r);
	}
	on(r, 0);
	fault_works(r, 9);
	entry(r);
	finish(r);
	assert_order(r, "S100:2 W101:0 W101:2 W101:0 W101:2 W101:0 W101:2 W100:2");
	for (unsigned int i = 1; i < 6; i++)
		assert_true(exit_at(r, i)->t_exit < exit_at(r, i + 1)->t_exit);
	rig_free(r);
}

static void vcpu_that_waits_without_having_worked_holds_nobody_up(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	put(r, ev_exit_svm(SVM_HLT, 0, 0, 0));
	on(r, 1);
	fault_begins(r, 1);
	fault_works(r, 1);
	entry(r);
	assert_order(r, "W101:2");
	host(r, ev_zap(0x13, ROLE(1)));
	assert_order(r, "W101:2 L7:1");
	on(r, 0);
	entry(r);
	assert_order(r, "W101:2 L7:1 W100:0");
	rig_free(r);
}

static void window_that_never_closes_holds_up_until_its_thread_comes_again(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	fault_begins(r, 1);
	on(r, 1);
	fault_begins(r, 2);
	fault_works(r, 2);
	entry(r);
	assert_int_equal(r->n, 0);
	on(r, 0); /* its kvm_entry is not in the recording */
	fault_begins(r, 3);
	fault_works(r, 3);
	entry(r);
	assert_order(r, "W101:2 W100:2");
	assert_int_equal(stats(r)->exits_incomplete, 1);
	rig_free(r);
}

static void losing_events_lets_go_what_waits(void **unused)
{
	struct rig *r = rig_new(2);

	(void)unused;
	on(r, 0);
	fault_begins(r, 1);
	on(r, 1);
	fault_begins(r, 2);
	fault_works(r, 2);
	entry(r);
	put(r, ev_lost(3));
	assert_order(r, "W101:2 X0:0");
	rig_free(r);
}

/* Counts; a hundred thousand deliveries are not kept. */
static int tally(void *arg, const struct spht_exit *x, struct spht_error *err)
{
	(void)err;
	*(uint64_t *)arg += x->nr_ops;
	return 0;
}

static void thread_that_never_comes_back_does_not_fill_the_memory(void **unused)
{
	struct rig *r = rig_new(2);
	struct spht_error err;
	uint64_t ops = 0;

	(void)unused;
	spht_assemble_close(r->f.assemble);
	r->f.assemble = spht_assemble_open(true, tally, &ops);
	on(r, 0);
	fault_begins(r, 1);
	on(r, 1);
	for (unsigned int i = 0; i < 100000; i++) {
		fault_begins(r, 2);
		fault_works(r, 2);
		entry(r);
	}
	assert_true(ops > 2 * 80000);
	assert_int_equal(spht_assemble_finish(r->f.assemble, &err), 0);
	assert_int_equal(ops, 200000);
	assert_true(stats(r)->unordered > 80000);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_that_is_held_up_goes_where_it_worked),
		cmocka_unit_test(
			exit_that_is_held_up_before_its_work_goes_where_it_worked_and_is_seen_before),
		cmocka_unit_test(work_of_other_threads_goes_where_it_was_done),
		cmocka_unit_test(exit_whose_work_is_overtaken_goes_in_pieces),
		cmocka_unit_test(what_a_fault_does_under_one_lock_stays_one),
		cmocka_unit_test(exits_of_one_thread_keep_their_order),
		cmocka_unit_test(vcpu_that_waits_without_having_worked_holds_nobody_up),
		cmocka_unit_test(window_that_never_closes_holds_up_until_its_thread_comes_again),
		cmocka_unit_test(losing_events_lets_go_what_waits),
		cmocka_unit_test(thread_that_never_comes_back_does_not_fill_the_memory),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
