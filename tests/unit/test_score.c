// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Guest tables that were read: what is made of them, and how worlds that were made up
 * without them do.
 */
#include "what_if.h"
#include "replay/score.h"

#define ALL_MOMENTS ((1u << SPHT_SNAP_KINDS) - 1)

/* A recording of the simulated guest, whose tables are read at @moments. */
static struct sim *simulate_read(struct rig *r, unsigned int vcpus, uint64_t seed,
				 unsigned int moments, enum spht_snap_mode mode)
{
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	rig_open_raw(r, 8);
	spht_observed_snapshots(r->o, mode);
	if (mode == SPHT_SNAP_IGNORE)
		spht_assemble_ignore_snaps(r->f.assemble);
	s->f.assemble = r->f.assemble;
	s->silent = true;
	s->hold = vcpus > 1 ? 10 : 0;
	s->snaps = moments;
	sim_start(s, 8, vcpus, seed);
	for (unsigned int i = 0; i < 3000; i++)
		sim_step(s);
	rig_finish(r);
	return s;
}

static void score_of(struct rig *r, struct spht_score *score)
{
	struct spht_error err;

	rig_finish(r);
	if (spht_score_run(score, spht_observed_steps(r->o), spht_observed_shadow(r->o)->tables.nr,
			   &err))
		fail_msg("%s", err.text);
}

static void snapshots_leave_nothing_of_the_observed_mmu_unexplained(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		unsigned int vcpus = 1 + seed % 2;
		uint64_t agreed, all;
		struct rig r;
		struct sim *s = simulate_read(&r, vcpus, seed, ALL_MOMENTS, SPHT_SNAP_USE);

		spht_fidelity_score(r.fid, &agreed, &all);
		/* Where two vCPUs race, who came first is not always told. */
		assert_true(all - agreed < vcpus);
		for (unsigned int d = 0; d < SPHT_DROP_NR; d++)
			assert_int_equal(r.fid->drops[d], 0);
		assert_true(r.fid->derived[SPHT_DERIVED_SNAPSHOT][0] > 50);
		assert_int_equal(r.fid->derived[SPHT_DERIVED_SNAPSHOT][1], 0);
		assert_int_equal(spht_observed_snap_use(r.o)->used, s->nr_snaps);
		/* Another vCPU may store between the reading and the walk's. */
		if (vcpus == 1)
			assert_int_equal(spht_observed_snap_use(r.o)->against_walk, 0);
		rig_close(&r);
		free(s);
	}
}

static void snapshots_narrow_what_a_helper_may_avoid_from_both_sides(void **unused)
{
	uint64_t found[SPHT_SNAP_MODES][SPHT_WORLD_NR] = {{0}};

	(void)unused;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		for (unsigned int mode = 0; mode <= SPHT_SNAP_IGNORE; mode++) {
			struct rig r;
			struct sim *s = simulate_read(&r, 1, seed, ALL_MOMENTS, mode);
			struct whatif w = whatif_of(&r, 8);

			for (unsigned int k = 0; k < SPHT_WORLD_NR; k++) {
				found[mode][k] += run(&w, "oracle", k).avoided_direct +
						  run(&w, "prefault", k).avoided_direct;
				run(&w, "none", k);
			}
			rig_close(&r);
			free(s);
		}
	}
	assert_true(found[SPHT_SNAP_USE][SPHT_WORLD_STRICT] >
		    found[SPHT_SNAP_IGNORE][SPHT_WORLD_STRICT]);
	assert_true(found[SPHT_SNAP_USE][SPHT_WORLD_OPTIMISTIC] <
		    found[SPHT_SNAP_IGNORE][SPHT_WORLD_OPTIMISTIC]);
}

static void score_has_every_entry_of_every_snapshot_once_in_each_world(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		/* Syncs: no walk's entry to leave out. */
		struct rig r;
		struct sim *s = simulate_read(&r, 1 + seed % 2, seed, 1u << SPHT_SNAP_SYNC,
					      SPHT_SNAP_SCORE);
		struct spht_score score;

		score_of(&r, &score);
		assert_true(score.snapshots > 50);
		assert_int_equal(score.snapshots, s->nr_snaps);
		assert_int_equal(score.near_snapshots, 0);
		for (unsigned int w = 0; w < SPHT_WORLD_NR; w++) {
			uint64_t absent = 0, present = 0;

			for (unsigned int k = 0; k < SPHT_SAYS_NR; k++) {
				absent += score.n[w][SPHT_SCORE_ALL][k][0];
				present += score.n[w][SPHT_SCORE_ALL][k][1];
			}
			assert_int_equal(present, s->nr_present);
			assert_int_equal(absent + present, s->nr_snaps * SPHT_PT_ENTRIES);
		}
		rig_close(&r);
		free(s);
	}
}

static void strict_world_calls_nothing_present_that_is_not(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct rig r;
		struct sim *s = simulate_read(&r, 1, seed, ALL_MOMENTS, SPHT_SNAP_SCORE);
		struct spht_score score;
		uint64_t of[2];

		score_of(&r, &score);
		spht_score_precision(&score, SPHT_WORLD_STRICT, SPHT_SCORE_ALL, true, of);
		assert_true(of[1] > 1000);
		assert_int_equal(of[0], of[1]);
		rig_close(&r);
		free(s);
	}
}

/* Of table 1: a snapshot of the current exit, which shows @nr entries. */
static void snap(struct rig *r, enum spht_snap_kind kind, unsigned int flags, unsigned int nr,
		 const uint64_t (*entries)[2])
{
	put(r, ev_snap(TABLE_GFN + 1, kind == SPHT_SNAP_WALK ? 0 : ROLE(1), kind, flags, nr));
	for (unsigned int i = 0; i < nr; i++)
		put(r, ev_snap_entry(TABLE_GFN + 1, (unsigned int)entries[i][0], entries[i][1]));
}

/*
 * Entry 0 is walked (exits 2 and 5), 9 too (3 and 6).  The table is read in exit 5 through
 * the walk of entry 0: 0, 3 and 9 are present, and in exit 7, with no walk: 0 and 3.
 */
static void open_read(struct rig *r, enum spht_snap_mode mode)
{
	static const uint64_t first[][2] = {
		{0, PTE(0x700, DIRTY)}, {3, PTE(0x703, DIRTY)}, {9, PTE(0x709, DIRTY)}};
	static const uint64_t then[][2] = {{9, 0}};

	rig_open_raw(r, 1);
	load_cr3(r, SIM_ROOT_GFN, true);
	spht_observed_snapshots(r->o, mode);
	if (mode == SPHT_SNAP_IGNORE)
		spht_assemble_ignore_snaps(r->f.assemble);
	first_fault(r);
	hidden(r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	write_page_table(r, 1);
	begin(r, VPN(1, 0), U | W | P, PTE(0x700, DIRTY));
	snap(r, SPHT_SNAP_WALK, SPHT_SNAP_FULL, 3, first);
	put(r, ev_requested(0x700, 1));
	end(r);
	hidden(r, VPN(1, 9), U | W | P, PTE(0x709, DIRTY), SPTE_W(0x709));
	put(r, ev_exit_svm(SVM_CR3, 0, 0, r->vcpu));
	put(r, ev_sync(TABLE_GFN + 1, ROLE(1)));
	snap(r, SPHT_SNAP_SYNC, 0, 1, then);
	put(r, ev_entry(r->vcpu));
}

static void assert_counts(const struct spht_score *s, enum spht_world world,
			  enum spht_score_set set, const uint64_t want[SPHT_SAYS_NR][2])
{
	for (unsigned int k = 0; k < SPHT_SAYS_NR; k++)
		for (unsigned int p = 0; p < 2; p++)
			if (s->n[world][set][k][p] != want[k][p])
				fail_msg("%s, set %u, says %u, is %u: %" PRIu64 ", not %" PRIu64,
					 spht_world_name(world), set, k, p, s->n[world][set][k][p],
					 want[k][p]);
}

static void each_world_is_held_against_what_the_snapshots_show(void **unused)
{
	/* Of two snapshots: 3 of 511 entries, less the walked one; 2 of 512. */
	static const uint64_t strict[][2] = {{0, 0}, {0, 1}, {509 + 510, 1 + 2}};
	static const uint64_t other[][2] = {{0, 0}, {1, 2}, {509 + 509, 2}};
	static const uint64_t near[][2] = {{0, 0}, {0, 1}, {13, 1}};
	struct spht_score score;
	uint64_t of[2];
	struct rig r;

	(void)unused;
	open_read(&r, SPHT_SNAP_SCORE);
	score_of(&r, &score);
	assert_int_equal(score.snapshots, 2);
	assert_int_equal(score.near_snapshots, 1);
	/* 9 is proven at the first, and gone at the second; 3 nobody has ever walked. */
	assert_counts(&score, SPHT_WORLD_STRICT, SPHT_SCORE_ALL, strict);
	assert_counts(&score, SPHT_WORLD_INFERRED, SPHT_SCORE_ALL, other);
	assert_counts(&score, SPHT_WORLD_OPTIMISTIC, SPHT_SCORE_ALL, other);
	for (unsigned int w = 0; w < SPHT_WORLD_NR; w++)
		assert_counts(&score, w, SPHT_SCORE_NEAR, near);
	spht_score_precision(&score, SPHT_WORLD_INFERRED, SPHT_SCORE_ALL, true, of);
	assert_int_equal(of[0], 2);
	assert_int_equal(of[1], 3);
	spht_score_recall(&score, SPHT_WORLD_INFERRED, SPHT_SCORE_ALL, true, of);
	assert_int_equal(of[0], 2);
	assert_int_equal(of[1], 4);
	spht_score_recall(&score, SPHT_WORLD_INFERRED, SPHT_SCORE_ALL, false, of);
	assert_int_equal(of[0], 0);
	assert_int_equal(of[1], 1 + 509 + 509);
	rig_close(&r);
}

static void what_the_exit_itself_shows_does_not_count_for_a_world(void **unused)
{
	static const uint64_t two[][2] = {{8, PTE(0x708, DIRTY)}, {9, PTE(0x709, DIRTY)}};
	struct spht_score score;
	struct rig r;

	(void)unused;
	rig_open(&r);
	spht_observed_snapshots(r.o, SPHT_SNAP_SCORE);
	first_fault(&r);
	write_page_table(&r, 1); /* so nothing is frozen */
	begin(&r, VPN(1, 8), U, PTE(0x708, DIRTY));
	snap(&r, SPHT_SNAP_WALK, SPHT_SNAP_FULL, 2, two);
	put(&r, ev_requested(0x708, 1));
	set(&r, VPN(1, 8), SPTE_W(0x708));
	prefetch(&r, VPN(1, 9), 0x709);
	end(&r);
	score_of(&r, &score);
	/* That KVM prefetched 9 is known from this very exit on. */
	assert_int_equal(score.n[SPHT_WORLD_INFERRED][SPHT_SCORE_NEAR][SPHT_SAYS_NOTHING][1], 1);
	assert_int_equal(score.n[SPHT_WORLD_OPTIMISTIC][SPHT_SCORE_NEAR][SPHT_SAYS_PRESENT][1], 1);
	rig_close(&r);
}

static void sync_drops_what_a_snapshot_shows_to_be_gone(void **unused)
{
	struct rig r;

	(void)unused;
	open_read(&r, SPHT_SNAP_IGNORE);
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);

	open_read(&r, SPHT_SNAP_USE);
	assert_false(present(&r, VPN(1, 9)));
	assert_true(present(&r, VPN(1, 0)));
	/* Right, where the hardware has none either. */
	hidden(&r, VPN(1, 9), U, PTE(0x719, DIRTY), SPTE_W(0x719));
	assert_int_equal(r.fid->derived[SPHT_DERIVED_SNAPSHOT][0], 1);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_FROZEN][0], 0);
	rig_close(&r);

	open_read(&r, SPHT_SNAP_USE);
	begin(&r, VPN(1, 9), U | W | P, PTE(0x709, DIRTY));
	put(&r, ev_requested(0x709, 1));
	end(&r);
	assert_int_equal(r.fid->derived[SPHT_DERIVED_SNAPSHOT][1], 1);
	rig_close(&r);
}

static void sync_takes_the_right_to_write_where_the_snapshot_shows_none(void **unused)
{
	static const uint64_t without[][2] = {
		{0, PTE(0x700, READONLY)}, {9, PTE(0x709, TABLE)}, {3, PTE(0x703, DIRTY)}};
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 3), U, PTE(0x703, DIRTY), SPTE_W(0x703));
	hidden(&r, VPN(1, 9), U, PTE(0x709, DIRTY), SPTE_W(0x709));
	write_page_table(&r, 1);
	put(&r, ev_exit_svm(SVM_CR3, 0, 0, r.vcpu));
	snap(&r, SPHT_SNAP_SYNC, SPHT_SNAP_FULL, 3, without);
	put(&r, ev_sync(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_entry(r.vcpu));
	assert_true(present(&r, VPN(1, 0)) && !writable(&r, VPN(1, 0)));
	assert_true(present(&r, VPN(1, 9)) && !writable(&r, VPN(1, 9)));
	assert_true(writable(&r, VPN(1, 3)));
	rig_close(&r);
}

static void snapshot_that_is_not_of_a_sync_drops_nothing(void **unused)
{
	struct rig r;

	(void)unused;
	open_with_entry(&r);
	write_page_table(&r, 1);
	put(&r, ev_exit_svm(SVM_CR3, 0, 0, r.vcpu));
	snap(&r, SPHT_SNAP_UNSYNC, SPHT_SNAP_FULL, 0, NULL);
	put(&r, ev_sync(TABLE_GFN + 1, ROLE(1)));
	put(&r, ev_entry(r.vcpu));
	assert_true(present(&r, VPN(1, 9)));
	rig_close(&r);
}

static void helper_asks_of_what_a_snapshot_has_shown_and_knows(void **unused)
{
	struct whatif w;
	struct rig r;
	struct spht_account a;

	(void)unused;
	/* In exit 5 entries 1 to 16 are asked for: 3 and 9 are there, 9 is known anyway. */
	open_read(&r, SPHT_SNAP_IGNORE);
	w = whatif_of(&r, 1);
	a = run(&w, "window", SPHT_WORLD_STRICT);
	assert_int_equal(a.illegal, 0);
	rig_close(&r);

	open_read(&r, SPHT_SNAP_USE);
	w = whatif_of(&r, 1);
	a = run(&w, "window", SPHT_WORLD_STRICT);
	assert_true(a.illegal > 0 && a.unknown == 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshots_leave_nothing_of_the_observed_mmu_unexplained),
		cmocka_unit_test(snapshots_narrow_what_a_helper_may_avoid_from_both_sides),
		cmocka_unit_test(score_has_every_entry_of_every_snapshot_once_in_each_world),
		cmocka_unit_test(strict_world_calls_nothing_present_that_is_not),
		cmocka_unit_test(each_world_is_held_against_what_the_snapshots_show),
		cmocka_unit_test(what_the_exit_itself_shows_does_not_count_for_a_world),
		cmocka_unit_test(sync_drops_what_a_snapshot_shows_to_be_gone),
		cmocka_unit_test(sync_takes_the_right_to_write_where_the_snapshot_shows_none),
		cmocka_unit_test(snapshot_that_is_not_of_a_sync_drops_nothing),
		cmocka_unit_test(helper_asks_of_what_a_snapshot_has_shown_and_knows),
	};

	return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
