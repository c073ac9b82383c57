// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What-ifs with a KVM that was not recorded: a wider prefetch, or the rules of
 * another release.  What it does without a helper is known by hand.
 */
#include "what_if_script.h"

static struct whatif other_kvm(struct rig *r, unsigned int window, const char *release)
{
	struct whatif w = whatif_of(r, window);

	w.counterfactual = true;
	if (release)
		w.kvm = spht_kvm_find(release);
	return w;
}

struct expected {
	unsigned int side, remaining, hi;
};

static void assert_none(const struct whatif *w, enum spht_world world, struct expected e)
{
	struct spht_account a = run(w, "none", world);

	if (a.avoided_side != e.side || a.remaining != e.remaining || a.new_exits_hi != e.hi)
		fail_msg("%s: %" PRIu64 " avoided, %" PRIu64 " remain, %" PRIu64 " new",
			 spht_world_name(world), a.avoided_side, a.remaining, a.new_exits_hi);
	assert_int_equal(a.avoided_direct + a.generated + a.new_exits_lo, 0);
}

/* A recording with a window of 1 shows every touch: what a window of 8 would have spared. */

static void pages_one_after_the_other_are_spared_by_groups(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	touch_pages(&r, 1, 15, false);
	w = other_kvm(&r, 8, NULL);
	/* Nothing is proven before it is seen. */
	assert_none(&w, STRICT, (struct expected){0, 16, 0});
	/* Known since the table was made, that is after the first fault: 1 brings 2..7, 8 9..15. */
	assert_none(&w, INFERRED, (struct expected){13, 3, 0});
	/* Known from the start: 0 brings 1..7. */
	assert_none(&w, OPTIMISTIC, (struct expected){14, 2, 0});
	w.window = 16;
	assert_none(&w, OPTIMISTIC, (struct expected){15, 1, 0});
	w.window = 1;
	assert_none(&w, OPTIMISTIC, (struct expected){0, 16, 0});
	rig_close(&r);
}

static void second_pass_is_spared_in_every_world(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	two_passes(&r, 16);
	w = other_kvm(&r, 8, NULL);
	assert_none(&w, STRICT, (struct expected){14, 18, 0});
	assert_none(&w, INFERRED, (struct expected){13 + 14, 5, 0});
	assert_none(&w, OPTIMISTIC, (struct expected){14 + 14, 4, 0});
	rig_close(&r);
}

static void group_ends_at_a_neighbour_of_which_nothing_is_known(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	touch_pages(&r, 1, 2, false);
	touch_pages(&r, 4, 4, false); /* and never 3 */
	w = other_kvm(&r, 8, NULL);
	/* 1 brings 2; the groups of 4 5 6 7 end at 3, each of them. */
	assert_none(&w, INFERRED, (struct expected){1, 6, 0});
	/* 3 may have been there: then 0 brings all. */
	assert_none(&w, OPTIMISTIC, (struct expected){6, 1, 0});
	rig_close(&r);
}

static void group_ends_at_a_neighbour_that_is_not_there(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	guest_fault(&r, VPN(1, 3), U, 0);
	touch_pages(&r, 1, 2, false);
	touch_pages(&r, 4, 4, false);
	guest_fault(&r, VPN(1, 3), U, 0);
	w = other_kvm(&r, 8, NULL);
	assert_none(&w, INFERRED, (struct expected){1, 6, 0});
	/* Before its first fault nothing is known of 3, and 0 brings all. */
	assert_none(&w, OPTIMISTIC, (struct expected){6, 1, 0});
	rig_close(&r);

	open_timed(&r, 1);
	guest_fault(&r, VPN(1, 3), U, 0);
	zap_table(&r, 1);
	touch_pages(&r, 0, 3, true);
	touch_pages(&r, 4, 4, false);
	guest_fault(&r, VPN(1, 3), U, 0);
	w = other_kvm(&r, 8, NULL);
	/* First fault: 0 alone is used.  Then 0 brings 1 2; 4 5 6 7 fault. */
	assert_none(&w, OPTIMISTIC, (struct expected){2, 6, 0});
	rig_close(&r);
}

static void group_of_a_page_not_accessed_ends_there(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	for (unsigned int i = 1; i < 8; i++) {
		begin(&r, VPN(1, i), U, i == 3 ? PTE(0x703, UNTOUCHED) : page_pte(i));
		if (i == 3)
			put(&r, ev_set_accessed(0x101018));
		put(&r, ev_requested(0x700 + i, 1));
		set(&r, VPN(1, i), SPTE_RO(0x700 + i));
		end(&r);
	}
	w = other_kvm(&r, 8, NULL);
	/* 0 brings 1 2; the fault on 3, which sets A, brings the others. */
	assert_none(&w, OPTIMISTIC, (struct expected){6, 2, 0});
	rig_close(&r);
}

/* A refault on 9, whose handler maps the pages around; then 12, which had no fault of its own. */
static void mapped_around(struct rig *r)
{
	open_timed(r, 1);
	write_page_table(r, 1);
	guest_fault(r, VPN(1, 9), U, 0);
	guest_runs(r, LONG_NS);
	hidden(r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	guest_runs(r, LONG_NS);
	hidden(r, VPN(1, 12), U, page_pte(12), SPTE_W(0x70c));
}

static void group_goes_over_what_was_mapped_around(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	mapped_around(&r);
	w = other_kvm(&r, 8, NULL);
	assert_none(&w, STRICT, (struct expected){0, 3, 0});
	/* 8, 10 and 11 are guessed: without them the group would end at 8. */
	assert_none(&w, INFERRED, (struct expected){1, 2, 0});
	assert_none(&w, OPTIMISTIC, (struct expected){1, 2, 0});
	w.window = 1;
	assert_none(&w, INFERRED, (struct expected){0, 3, 0});
	rig_close(&r);
}

static void group_ends_at_what_was_guessed_and_refuted(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	mapped_around(&r);
	guest_fault(&r, VPN(1, 10), U, 0);
	w = other_kvm(&r, 8, NULL);
	/* 9 does not bring 12: 10 lies between. */
	assert_none(&w, INFERRED, (struct expected){0, 3, 0});
	rig_close(&r);
}

/* A recording with a window of 8 has neighbours that a wider one would not reach. */
static void wider_group_that_ends_early_lacks_what_the_narrower_brought(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 8);
	guest_fault(&r, VPN(1, 3), U, 0);
	group(&r, 0, 0xfe); /* 8 brings 9..15 */
	guest_fault(&r, VPN(1, 3), U, 0);
	w = other_kvm(&r, 8, NULL);
	assert_none(&w, STRICT, (struct expected){0, 2, 0});
	w.window = 16; /* from 0 up: ends at 3 */
	for (unsigned int world = 0; world < SPHT_WORLD_NR; world++)
		assert_none(&w, world, (struct expected){0, 2, 7});
	rig_close(&r);
}

/* Other releases */

static void releases_have_their_rules_from_the_kernel_on_that_brought_them(void **unused)
{
	static const struct {
		const char *release, *rules;
	} c[] = {
		{"2.6.32-5-amd64", "2.6.32"},
		{"2.6.38", "2.6.32"},
		{"4.19.0", "5.10"},
		{"5.14.21", "5.10"},
		{"5.15.0", "6.1"},
		{"6.1.0-56-amd64", "6.1"},
		{"6.3.13", "6.1"},
		{"6.4.0", "6.12"},
		{"6.18.44", "6.12"},
		{"7.2.13", "6.12"},
		{"?", "6.12"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_string_equal(spht_kvm_of_release(c[i].release)->name, c[i].rules);
	assert_null(spht_kvm_find("6.2"));
	assert_null(spht_kvm_find(""));
	assert_false(spht_kvm_find("2.6.32")->prefetches);
	assert_true(spht_kvm_find("5.10")->prefetches);
}

/* INVLPG brings page 10 in, which no fault had; later a write to it faults with P=1. */
static void invlpg_brings(struct rig *r)
{
	open_timed(r, 8);
	put(r, ev_exit_svm(SVM_INVLPG, VPN(1, 10) << 12, 0, 0));
	set(r, VPN(1, 10), SPTE_PRE_RO(0x70a));
	end(r);
	hidden(r, VPN(1, 10), P | W | U, page_pte(10), SPTE_W(0x70a));
}

static void invlpg_of_a_later_kvm_brings_nothing_in(void **unused)
{
	static const struct {
		const char *release;
		unsigned int lacks;
	} c[] = {{"5.10", 0}, {"6.1", 0}, {"6.12", 1}, {"2.6.32", 1}};
	struct whatif w;
	struct rig r;

	(void)unused;
	invlpg_brings(&r);
	w = other_kvm(&r, 8, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_account a;

		w.kvm = spht_kvm_find(c[i].release);
		a = run(&w, "none", STRICT);
		assert_int_equal(a.new_exits_hi, c[i].lacks);
		assert_int_equal(a.new_exits_lo, c[i].lacks); /* the write proves a touch */
		assert_int_equal(a.remaining, 2);
	}
	rig_close(&r);
}

static void invlpg_of_a_later_kvm_keeps_what_is_there(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 8);
	hidden(&r, VPN(1, 10), U, page_pte(10), SPTE_RO(0x70a));
	put(&r, ev_exit_svm(SVM_INVLPG, VPN(1, 10) << 12, 0, 0));
	set(&r, VPN(1, 10), SPTE_PRE_W(0x70a));
	end(&r);
	w = other_kvm(&r, 8, "6.12");
	assert_none(&w, STRICT, (struct expected){0, 2, 0});
	rig_close(&r);
}

/* Page @self of a 2 MiB page, in small ones; its group set the entries in @bits. */
static void direct_group(struct rig *r, unsigned int self, unsigned int bits, bool made)
{
	walk_large(r, VPN(3, self), U, DIRTY);
	put(r, ev_requested(0x400 + self, 1));
	if (made)
		put(r, ev_created(0x400, ROLE_DIRECT(7)));
	put(r, ev_set(0x400 + self, SPTE_W(0x400 + self), SPTEP(0x9500, self), 1));
	for (unsigned int i = 0; i < 8; i++)
		if (bits >> i & 1)
			put(r, ev_set(0x400 + i, SPTE_PRE_W(0x400 + i), SPTEP(0x9500, i), 1));
	end(r);
}

static void earlier_kvm_leaves_out_what_trails_in_a_direct_page(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 8);
	direct_group(&r, 3, 0xf7, true);
	w = other_kvm(&r, 8, "6.1");
	assert_none(&w, STRICT, (struct expected){0, 2, 0});
	w.kvm = spht_kvm_find("5.10"); /* 0..2, up to the fault itself; not 4..7 */
	assert_none(&w, STRICT, (struct expected){0, 2, 4});
	rig_close(&r);

	open_timed(&r, 8);
	direct_group(&r, 6, 0, true);
	direct_group(&r, 3, 0xb7, false);
	w = other_kvm(&r, 8, "5.10"); /* up to 6, which is there: not 7 */
	assert_none(&w, STRICT, (struct expected){0, 3, 1});
	rig_close(&r);
}

static void wider_window_finds_all_host_pages_of_a_direct_page(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	for (unsigned int i = 0; i < 8; i++)
		direct_group(&r, i, 0, !i);
	w = other_kvm(&r, 8, "6.1");
	/* Nothing in the recording proves that a host page was there. */
	assert_none(&w, STRICT, (struct expected){0, 9, 0});
	/* 0 brings all: another page's fault comes before, that of the rig's own. */
	assert_none(&w, INFERRED, (struct expected){7, 2, 0});
	assert_none(&w, OPTIMISTIC, (struct expected){7, 2, 0});
	w.kvm = spht_kvm_find("5.10"); /* nothing is there behind the fault itself */
	assert_none(&w, INFERRED, (struct expected){0, 9, 0});
	rig_close(&r);
}

static void recorded_group_of_a_direct_page_is_believed(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 8);
	direct_group(&r, 3, 0xf0, true); /* 0..2 are not resident */
	direct_group(&r, 1, 0, false);
	direct_group(&r, 9, 0, false);
	w = other_kvm(&r, 16, "6.1");
	w.recorded_window = 8;
	assert_none(&w, INFERRED, (struct expected){1, 3, 0}); /* 9; 1 faults as it did */
	w.recorded_window = 1;
	assert_none(&w, INFERRED, (struct expected){2, 2, 0});
	rig_close(&r);
}

/*
 * Guest faults: on an entry that is not there in a table in sync; on one that is, and does
 * not permit it; on a table that is not shadowed; on one out of sync.
 */
static void guest_faults_of_all_kinds(struct rig *r)
{
	open_timed(r, 1);
	guest_fault(r, VPN(1, 9), U, 0);
	guest_fault(r, VPN(1, 10), W | U, PTE(0x70a, READONLY));
	guest_fault(r, VPN(2, 9), U, 0);
	write_page_table(r, 1);
	guest_fault(r, VPN(1, 11), U, 0);
}

static void kvm_of_2010_does_not_see_faults_that_a_synced_table_answers(void **unused)
{
	struct spht_account a, b;
	struct whatif w;
	struct rig r;

	(void)unused;
	guest_faults_of_all_kinds(&r);
	w = other_kvm(&r, 1, "2.6.32");
	b = run(&w, "none", INFERRED);
	w.bypass_guest_pf = true;
	a = run(&w, "none", INFERRED);
	assert_int_equal(a.bypassed, 1);
	assert_int_equal(b.base_ns - a.base_ns, 1000); /* it takes no time */
	assert_int_equal(b.helped_ns - a.helped_ns, 1000);
	rig_close(&r);
}

static void fault_that_does_not_exit_is_told_to_nobody(void **unused)
{
	struct whatif w;
	struct rig r;

	(void)unused;
	guest_faults_of_all_kinds(&r);
	w = other_kvm(&r, 1, "2.6.32");
	assert_int_equal(run(&w, "prefault", INFERRED).generated, 4);
	w.bypass_guest_pf = true;
	assert_int_equal(run(&w, "prefault", INFERRED).generated, 3);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_one_after_the_other_are_spared_by_groups),
		cmocka_unit_test(second_pass_is_spared_in_every_world),
		cmocka_unit_test(group_ends_at_a_neighbour_of_which_nothing_is_known),
		cmocka_unit_test(group_ends_at_a_neighbour_that_is_not_there),
		cmocka_unit_test(group_of_a_page_not_accessed_ends_there),
		cmocka_unit_test(group_goes_over_what_was_mapped_around),
		cmocka_unit_test(group_ends_at_what_was_guessed_and_refuted),
		cmocka_unit_test(wider_group_that_ends_early_lacks_what_the_narrower_brought),
		cmocka_unit_test(releases_have_their_rules_from_the_kernel_on_that_brought_them),
		cmocka_unit_test(invlpg_of_a_later_kvm_brings_nothing_in),
		cmocka_unit_test(invlpg_of_a_later_kvm_keeps_what_is_there),
		cmocka_unit_test(earlier_kvm_leaves_out_what_trails_in_a_direct_page),
		cmocka_unit_test(wider_window_finds_all_host_pages_of_a_direct_page),
		cmocka_unit_test(recorded_group_of_a_direct_page_is_believed),
		cmocka_unit_test(kvm_of_2010_does_not_see_faults_that_a_synced_table_answers),
		cmocka_unit_test(fault_that_does_not_exit_is_told_to_nobody),
	};

	return cmocka_run_group_tests_name("what-if: another KVM", tests, NULL, NULL);
}
