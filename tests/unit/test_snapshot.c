// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Snapshots of guest tables from events to the exits that they were taken in, and what
 * becomes of those that are damaged.
 */
#include "events.h"
#include "replay/snapshot.h"

#define GFN      0x101u
#define MAX_SEEN 16

struct seen {
	uint8_t kind; /* of the exit */
	int32_t tid;
	uint32_t nr, nr_entries[4];
	struct spht_snap snap[4];
	struct spht_snap_entry first[4];
};

struct rig {
	struct feeder f;
	size_t n;
	struct seen seen[MAX_SEEN];
};

static int deliver(void *arg, const struct spht_exit *x, struct spht_error *err)
{
	struct rig *r = arg;
	struct seen *s = &r->seen[r->n++];

	(void)err;
	assert_true(r->n <= MAX_SEEN);
	s->kind = x->kind;
	s->tid = x->tid;
	for (uint32_t i = 0; x->snaps && i < x->snaps->nr; i++) {
		assert_true(s->nr < 4);
		s->snap[s->nr] = x->snaps->v[i];
		if (x->snaps->v[i].nr)
			s->first[s->nr] = x->snaps->entries[x->snaps->v[i].first];
		s->nr++;
	}
	return 0;
}

static void rig_open(struct rig *r)
{
	*r = (struct rig){.f = {.ts = 1000, .tick = 10, .tid = 100}};
	r->f.assemble = spht_assemble_open(true, deliver, r);
	assert_non_null(r->f.assemble);
}

static void rig_close(struct rig *r)
{
	spht_assemble_close(r->f.assemble);
}

static const struct spht_snap_stats *stats(struct rig *r)
{
	return &spht_assemble_stats(r->f.assemble)->snaps;
}

static void put(struct rig *r, struct spht_event e)
{
	feed(&r->f, e);
}

static void begin(struct rig *r)
{
	put(r, ev_exit_svm(SVM_HLT, 0, 0, (unsigned int)r->f.tid - 100));
}

static void end(struct rig *r)
{
	put(r, ev_entry((unsigned int)r->f.tid - 100));
}

static void snap(struct rig *r, unsigned int flags, unsigned int nr)
{
	put(r, ev_snap(GFN, 0, SPHT_SNAP_WALK, flags, nr));
}

static void snapshot_is_of_the_exit_and_the_thread_in_which_it_was_taken(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	begin(&r);
	snap(&r, SPHT_SNAP_FULL, 2);
	put(&r, ev_snap_entry(GFN, 5, 0x1067));
	put(&r, ev_snap_entry(GFN, 6, 0x2067));
	snap(&r, 0, 0);
	end(&r);
	begin(&r);
	end(&r);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.seen[0].nr, 2);
	assert_int_equal(r.seen[0].snap[0].gfn, GFN);
	assert_int_equal(r.seen[0].snap[0].nr, 2);
	assert_int_equal(r.seen[0].snap[0].flags, SPHT_SNAP_FULL);
	assert_int_equal(r.seen[0].first[0].index, 5);
	assert_int_equal(r.seen[0].first[0].value, 0x1067);
	assert_int_equal(r.seen[0].snap[1].nr, 0);
	assert_int_equal(r.seen[0].snap[1].serial, 2);
	assert_int_equal(r.seen[1].nr, 0);
	assert_int_equal(stats(&r)->taken, 2);
	assert_int_equal(stats(&r)->entries, 2);
	assert_int_equal(stats(&r)->damaged, 0);
	rig_close(&r);
}

/* Another thread's exit is open as this one ends: it is kept, and its snapshots with it. */
static void snapshot_waits_with_its_exit_for_other_threads(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	r.f.tid = 101;
	put(&r, ev_exit_svm(SVM_PF, 0, 0x1000, 1));
	r.f.tid = 100;
	begin(&r);
	snap(&r, SPHT_SNAP_FULL, 1);
	put(&r, ev_snap_entry(GFN, 5, 0x1067));
	end(&r);
	begin(&r);
	snap(&r, 0, 1);
	put(&r, ev_snap_entry(GFN, 6, 0x2067));
	end(&r);
	assert_int_equal(r.n, 0);
	r.f.tid = 101;
	end(&r);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.seen[0].nr + r.seen[1].nr + r.seen[2].nr, 2);
	for (unsigned int i = 0, k = 0; i < 3; i++) {
		if (!r.seen[i].nr)
			continue;
		assert_int_equal(r.seen[i].tid, 100);
		assert_int_equal(r.seen[i].first[0].index, 5 + k++);
	}
	rig_close(&r);
}

static void snapshot_of_an_exit_that_does_not_end_comes_with_the_next_as_an_old_one(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	begin(&r);
	snap(&r, SPHT_SNAP_FULL, 0);
	begin(&r);
	end(&r);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.seen[0].nr, 1);
	assert_int_equal(r.seen[0].snap[0].flags, SPHT_SNAP_FULL | SPHT_SNAP_OLD);
	rig_close(&r);
}

static void snapshots_of_a_cuts_preamble_stand_alone(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	r.f.preamble = true;
	snap(&r, SPHT_SNAP_FULL, 1);
	assert_int_equal(r.n, 0);
	put(&r, ev_snap_entry(GFN, 5, 0x1067));
	assert_int_equal(r.n, 1);
	assert_int_equal(r.seen[0].kind, SPHT_EXIT_LOOSE);
	assert_int_equal(r.seen[0].nr, 1);
	assert_int_equal(r.seen[0].snap[0].flags, SPHT_SNAP_FULL);
	rig_close(&r);
}

static void ignored_snapshots_are_counted_all_the_same(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	spht_assemble_ignore_snaps(r.f.assemble);
	begin(&r);
	snap(&r, SPHT_SNAP_FULL, 1);
	put(&r, ev_snap_entry(GFN, 5, 0x1067));
	end(&r);
	assert_int_equal(r.seen[0].nr, 0);
	assert_int_equal(stats(&r)->taken, 1);
	rig_close(&r);
}

/* One exit with what @feed puts there; the table is known before, from one entry. */
static void damage(struct rig *r, void (*fill)(struct rig *r))
{
	rig_open(r);
	begin(r);
	snap(r, SPHT_SNAP_FULL, 1);
	put(r, ev_snap_entry(GFN, 5, 0x1067));
	end(r);
	begin(r);
	fill(r);
	end(r);
	begin(r);
	snap(r, 0, 1);
	put(r, ev_snap_entry(GFN, 6, 0x2067));
	end(r);
	begin(r);
	snap(r, SPHT_SNAP_FULL, 0);
	end(r);
	assert_int_equal(r->n, 4);
}

/* The table is unreadable from exit 2 on, its change in exit 3 has no base, exit 4 mends it. */
static void assert_damaged(struct rig *r, unsigned int damaged)
{
	const struct seen *s = &r->seen[1];

	assert_true(s->nr >= 1);
	assert_int_equal(s->snap[s->nr - 1].flags, SPHT_SNAP_UNREADABLE);
	assert_int_equal(s->snap[s->nr - 1].gfn, GFN);
	assert_int_equal(s->snap[s->nr - 1].nr, 0);
	assert_int_equal(r->seen[2].snap[0].flags, SPHT_SNAP_UNREADABLE);
	assert_int_equal(r->seen[3].snap[0].flags, SPHT_SNAP_FULL);
	assert_int_equal(stats(r)->damaged, damaged);
	rig_close(r);
}

static void cut_short(struct rig *r)
{
	snap(r, 0, 2);
	put(r, ev_snap_entry(GFN, 6, 0x2067));
}

static void out_of_range(struct rig *r)
{
	snap(r, 0, 1);
	put(r, ev_snap_entry(GFN, SPHT_PT_ENTRIES, 0x2067));
}

static void stray(struct rig *r)
{
	put(r, ev_snap_entry(GFN, 7, 0x2067));
}

static void too_many(struct rig *r)
{
	snap(r, 0, SPHT_PT_ENTRIES + 1);
}

static void other_kind(struct rig *r)
{
	put(r, ev_snap(GFN, 0, SPHT_SNAP_KINDS, 0, 0));
}

static void unreadable(struct rig *r)
{
	snap(r, SPHT_SNAP_UNREADABLE, 0);
}

static void damaged_snapshot_makes_its_table_unknown_until_it_is_read_in_full(void **unused)
{
	void (*const how[])(struct rig *) = {cut_short, out_of_range, stray, too_many, other_kind};
	struct rig r;

	(void)unused;
	for (unsigned int i = 0; i < ARRAY_SIZE(how); i++) {
		damage(&r, how[i]);
		assert_damaged(&r, 2);
	}
	/* The recorder's own word is no damage; a change after it is. */
	damage(&r, unreadable);
	assert_int_equal(stats(&r)->unreadable, 1);
	assert_damaged(&r, 1);
}

static void change_of_a_table_that_was_never_read_in_full_is_damage(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	begin(&r);
	snap(&r, 0, 1);
	put(&r, ev_snap_entry(GFN, 6, 0x2067));
	end(&r);
	assert_int_equal(r.seen[0].nr, 1);
	assert_int_equal(r.seen[0].snap[0].flags, SPHT_SNAP_UNREADABLE);
	assert_int_equal(stats(&r)->damaged, 1);
	rig_close(&r);
}

static void modes_have_names(void **unused)
{
	(void)unused;
	assert_string_equal(spht_snap_mode_name(SPHT_SNAP_USE), "use");
	assert_string_equal(spht_snap_mode_name(SPHT_SNAP_IGNORE), "ignore");
	assert_string_equal(spht_snap_mode_name(SPHT_SNAP_SCORE), "score");
	assert_string_equal(spht_snap_mode_name(SPHT_SNAP_MODES), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshot_is_of_the_exit_and_the_thread_in_which_it_was_taken),
		cmocka_unit_test(snapshot_waits_with_its_exit_for_other_threads),
		cmocka_unit_test(
			snapshot_of_an_exit_that_does_not_end_comes_with_the_next_as_an_old_one),
		cmocka_unit_test(snapshots_of_a_cuts_preamble_stand_alone),
		cmocka_unit_test(ignored_snapshots_are_counted_all_the_same),
		cmocka_unit_test(damaged_snapshot_makes_its_table_unknown_until_it_is_read_in_full),
		cmocka_unit_test(change_of_a_table_that_was_never_read_in_full_is_damage),
		cmocka_unit_test(modes_have_names),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
