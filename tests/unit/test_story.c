// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * --explain: what the story of an entry says of it, why it went, and where the
 * model and a check disagreed.  Each recording is fed twice, as the program
 * does: ids are the same in both.
 */
#include "replay/story.h"
#include "what_if.h"

/* A rig with somebody who looks on. */
struct told {
	struct rig r;
	struct spht_story story;
	struct spht_misses misses;
	struct spht_tap tap;
};

static int deliver(void *arg, const struct spht_exit *x, struct spht_error *err)
{
	struct told *t = arg;

	assert_int_equal(t->tap.before(t->tap.arg, x), 0);
	if (spht_observed_exit(t->r.o, x, err))
		return -1;
	return t->tap.after(t->tap.arg, x);
}

/* @script is the recording; the story is of its exit @number and entry @vpn of table 1. */
static void tell(struct told *t, void (*script)(struct rig *r), uint64_t number, uint64_t vpn)
{
	struct spht_found found = {.number = number,
				   .has_step = true,
				   .has_page = true,
				   .has_entry = true,
				   .path = SPHT_NO_ID,
				   .table = SPHT_NO_ID,
				   .vpn = vpn,
				   .index = vpn & 511,
				   .leaf_level = 1};
	struct rig first;

	rig_open(&first);
	script(&first);
	found.page =
		spht_shadow_page(spht_observed_shadow(first.o), TABLE_GFN + (vpn >> 9), ROLE(1));
	rig_close(&first);
	memset(t, 0, sizeof(*t));
	spht_story_init(&t->story, &found, &t->misses);
	t->tap = spht_story_tap(&t->story);
	rig_open_raw(&t->r, 8);
	spht_assemble_close(t->r.f.assemble);
	t->r.f.assemble = spht_assemble_open(true, deliver, t);
	assert_non_null(t->r.f.assemble);
	t->tap.start(t->tap.arg, t->r.o, 1000);
	load_cr3(&t->r, SIM_ROOT_GFN, true);
	script(&t->r);
}

static void untell(struct told *t)
{
	spht_story_close(&t->story);
	spht_misses_close(&t->misses);
	rig_close(&t->r);
}

/* The @i-th event from the end: what, in which exit, and why. */
static void assert_event(const struct told *t, size_t i, unsigned int kind, uint64_t number,
			 unsigned int why)
{
	const struct spht_story_event *e;

	assert_true(i < t->story.nr);
	e = &t->story.v[t->story.nr - 1 - i];
	assert_int_equal(e->kind, kind);
	assert_int_equal(e->number, number);
	assert_int_equal(e->why, why);
}

#define SELF VPN(1, 8)

/* Exit 1 loads CR3, 2 makes the path and table 1, 3 sets the entry, and so on. */
static void entry_is_set(struct rig *r)
{
	first_fault(r);
	hidden(r, SELF, U, PTE(0x708, DIRTY), SPTE_W(0x708));
	hidden(r, VPN(1, 32), U, PTE(0x720, DIRTY), SPTE_W(0x720));
}

static void story_begins_with_the_page_and_how_the_entry_came(void **unused)
{
	struct told t;

	(void)unused;
	tell(&t, entry_is_set, 4, SELF);
	assert_true(t.story.met);
	assert_int_equal(t.story.nr, 2);
	assert_event(&t, 1, SPHT_DO_CREATE, 2, SPHT_STORY_WHY_NONE);
	assert_event(&t, 0, SPHT_DO_SET, 3, SPHT_STORY_WHY_NONE);
	assert_int_equal(t.story.v[0].place, SPHT_STORY_PAGE);
	assert_int_equal(t.story.v[1].spte, SPTE_W(0x708));
	assert_true(t.story.v[1].writable);
	/* Present at the exit since exit 3. */
	assert_true(t.story.present && t.story.writable && !t.story.proven);
	assert_int_equal(t.story.own, 1);
	assert_int_equal(t.story.spte, SPTE_W(0x708));
	/* And what that exit did is not history, but its own. */
	assert_int_equal(t.story.x.number, 4);
	assert_int_equal(t.story.x.nr_ops, 2);
	assert_int_equal(t.story.nr_do, 1);
	assert_int_equal(t.misses.nr, 0);
	untell(&t);
}

static void entry_came_with_a_prefetch(struct rig *r)
{
	first_fault(r);
	group(r, 0, 0x6);
	hidden(r, VPN(1, 32), U, PTE(0x720, DIRTY), SPTE_W(0x720));
}

static void prefetched_entry_names_the_fault_beside_it(void **unused)
{
	struct told t;

	(void)unused;
	tell(&t, entry_came_with_a_prefetch, 4, VPN(1, 9));
	assert_event(&t, 0, SPHT_DO_PREFETCH, 3, SPHT_STORY_WHY_NONE);
	assert_true(t.story.v[t.story.nr - 1].has_gva);
	assert_int_equal(t.story.v[t.story.nr - 1].gva, VPN(1, 8) << 12);
	untell(&t);
}

static void guest_faults_on_it(struct rig *r)
{
	entry_is_set(r);
	guest_fault(r, SELF, U, 0);
	hidden(r, VPN(1, 40), U, PTE(0x728, DIRTY), SPTE_W(0x728));
}

static void protection_fault_invalidates_it(struct rig *r)
{
	first_fault(r);
	write_page_table(r, 1);
	hidden(r, SELF, U, PTE(0x708, DIRTY & ~SPHT_PTE_W), SPTE_RO(0x708));
	guest_fault(r, SELF, P | W | U, PTE(0x708, DIRTY & ~SPHT_PTE_W));
	hidden(r, VPN(1, 40), U, PTE(0x728, DIRTY), SPTE_W(0x728));
}

static void page_is_zapped(struct rig *r)
{
	entry_is_set(r);
	put(r, ev_exit_svm(SVM_HLT, 0, 0, r->vcpu));
	put(r, ev_zap(TABLE_GFN + 1, ROLE(1)));
	put(r, ev_entry(r->vcpu));
	hidden(r, VPN(0, 40), U, PTE(0x728, DIRTY), SPTE_W(0x728));
}

static void it_went_without_an_event(struct rig *r)
{
	entry_is_set(r);
	hidden(r, SELF, U, PTE(0x709, DIRTY), SPTE_W(0x709));
	hidden(r, VPN(1, 40), U, PTE(0x728, DIRTY), SPTE_W(0x728));
}

static void kvm_prefetches_it_anew(struct rig *r)
{
	entry_is_set(r);
	group(r, 1, 0x1);
	hidden(r, VPN(1, 40), U, PTE(0x728, DIRTY), SPTE_W(0x728));
}

/* What went before, elsewhere, is no cause of this. */
static void guest_faults_after_another_went_silently(struct rig *r)
{
	entry_is_set(r);
	hidden(r, VPN(1, 32), U, PTE(0x721, DIRTY), SPTE_W(0x721));
	guest_fault(r, SELF, U, 0);
	hidden(r, VPN(1, 40), U, PTE(0x728, DIRTY), SPTE_W(0x728));
}

static void drop_is_told_with_its_cause(void **unused)
{
	static const struct {
		void (*script)(struct rig *r);
		uint64_t end, number;
		size_t i;
		unsigned int kind, why;
	} cases[] = {
		{guest_faults_on_it, 6, 5, 0, SPHT_DO_DROP, SPHT_STORY_WHY_WALK},
		{guest_faults_after_another_went_silently, 7, 6, 0, SPHT_DO_DROP,
		 SPHT_STORY_WHY_WALK},
		{protection_fault_invalidates_it, 6, 5, 0, SPHT_DO_DROP, SPHT_STORY_WHY_INJECTED},
		{page_is_zapped, 6, 5, 0, SPHT_DO_ZAP, SPHT_STORY_WHY_NONE},
		{it_went_without_an_event, 6, 5, 1, SPHT_DO_DROP,
		 SPHT_STORY_WHY_SILENT + SPHT_DROP_CHANGED},
		{kvm_prefetches_it_anew, 6, 5, 1, SPHT_DO_DROP, SPHT_STORY_WHY_REPLACED},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct told t;

		tell(&t, cases[i].script, cases[i].end, SELF);
		assert_true(t.story.met);
		assert_event(&t, cases[i].i, cases[i].kind, cases[i].number, cases[i].why);
		untell(&t);
	}
}

static void miss_tells_check_entry_and_belief(void **unused)
{
	struct told t;

	(void)unused;
	tell(&t, it_went_without_an_event, 5, SELF);
	assert_int_equal(t.misses.nr, 1);
	assert_int_equal(t.misses.v[0].number, 5);
	assert_int_equal(t.misses.v[0].miss.check, SPHT_CHECK_P_BIT);
	assert_false(t.misses.v[0].miss.p);
	assert_int_equal(t.misses.v[0].miss.belief, SPHT_BELIEF_STRONG);
	assert_int_equal(t.misses.v[0].spte, SPTE_W(0x708));
	assert_int_equal(t.misses.v[0].gva, SELF << 12);
	assert_int_equal(t.story.missed.nr, 1);
	untell(&t);
	tell(&t, kvm_prefetches_it_anew, 5, VPN(1, 9));
	assert_int_equal(t.misses.nr, 1);
	assert_int_equal(t.misses.v[0].miss.check, SPHT_CHECK_PREFETCHED);
	assert_int_equal(t.misses.v[0].gva, SELF << 12);
	untell(&t);
}

/* Every failed check of a simulated recording is told, and none else. */
static void misses_are_as_many_as_the_checks_that_failed(void **unused)
{
	uint64_t all = 0;

	(void)unused;
	for (int always = -1; always <= 1; always++) {
		struct spht_fidelity_sides sides;
		struct sim *s = calloc(1, sizeof(*s));
		struct told t = {.r = {.f = {.ts = 1000, .tick = 10, .tid = 100}}};
		struct spht_error err;
		uint64_t failed;

		assert_non_null(s);
		rig_open_raw(&t.r, 8);
		spht_observed_mock(t.r.o, always);
		spht_assemble_close(t.r.f.assemble);
		t.r.f.assemble = spht_assemble_open(true, deliver, &t);
		spht_story_init(&t.story, NULL, &t.misses);
		t.tap = spht_story_tap(&t.story);
		t.tap.start(t.tap.arg, t.r.o, 1000);
		s->f.assemble = t.r.f.assemble;
		s->silent = true;
		sim_start(s, 8, 2, 7);
		for (unsigned int i = 0; i < 3000; i++)
			sim_step(s);
		assert_int_equal(spht_assemble_finish(t.r.f.assemble, &err), 0);
		spht_fidelity_sides(t.r.fid, &sides);
		failed = sides.absent[1] - sides.absent[0] + sides.present[1] - sides.present[0] +
			 t.r.fid->get_page[0][0] + t.r.fid->get_page[1][1];
		assert_int_equal(t.misses.nr, failed);
		all += failed;
		untell(&t);
		free(s);
	}
	assert_true(all > 1000);
}

/* Which exit */

static void exits_are_named_by_number_time_or_miss(void **unused)
{
	static const char *const bad[] = {
		"",    "0",      "-1",     "x",      "1x",    "t:",  "t:-1",
		"t:x", "t:1e10", "miss:0", "miss:x", "miss:", "1.5", "99999999999999999999"};
	struct spht_target t;
	struct spht_error err;

	(void)unused;
	assert_int_equal(spht_target_parse(&t, "123", &err), 0);
	assert_int_equal(t.kind, SPHT_TARGET_EXIT);
	assert_int_equal(t.nr, 123);
	assert_int_equal(spht_target_parse(&t, "t:1.5", &err), 0);
	assert_int_equal(t.kind, SPHT_TARGET_TIME);
	assert_int_equal(t.ns, 1500000000);
	assert_int_equal(spht_target_parse(&t, "miss:7", &err), 0);
	assert_int_equal(t.kind, SPHT_TARGET_MISS);
	assert_int_equal(t.nr, 7);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(spht_target_parse(&t, bad[i], &err), -1);
}

/* What-ifs */

/* The what-if of @text looks at (table 1, @vpn) at the step of its last fault. */
static struct spht_look look(struct rig *r, struct whatif *w, const char *text, uint64_t vpn)
{
	struct spht_shadow *shadow = spht_observed_shadow(r->o);
	struct spht_look_at at = {.step = spht_observed_steps(r->o)->nr - 1,
				  .page = spht_shadow_page(shadow, TABLE_GFN + 1, ROLE(1)),
				  .table = spht_shadow_table(shadow, TABLE_GFN + 1, 1),
				  .vpn = vpn,
				  .index = vpn & 511};
	struct spht_account with, without;
	struct spht_look l = {.nr = 0};
	struct spht_chunk chunk;

	first_chunk(r, &chunk);
	at.space = chunk.steps[at.step].space;
	spht_chunk_close(&chunk);
	without = run(w, text, SPHT_WORLD_OPTIMISTIC);
	w->look_at = &at;
	w->look = &l;
	with = run(w, text, SPHT_WORLD_OPTIMISTIC);
	w->look = NULL;
	assert_memory_equal(&with, &without, sizeof(with));
	assert_true(l.met);
	return l;
}

static bool was_told(const struct spht_look *l, enum spht_told what)
{
	for (uint64_t i = 0; i < l->nr; i++)
		if (l->told[i].what == what)
			return true;
	return false;
}

static void what_if_tells_what_it_did_with_the_entry(void **unused)
{
	struct spht_look l;
	struct whatif w;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 16), U, PTE(0x710, DIRTY), SPTE_W(0x710));
	r.f.ts += 1000000;
	hidden(&r, VPN(1, 17), U, PTE(0x711, DIRTY), SPTE_W(0x711));
	w = whatif_of(&r, 8);
	/* Asked for after the fault on its neighbour, built in the millisecond after that. */
	l = look(&r, &w, "nextline", VPN(1, 17));
	assert_true(was_told(&l, SPHT_TOLD_ASKED));
	assert_true(was_told(&l, SPHT_TOLD_BUILT));
	assert_true(was_told(&l, SPHT_TOLD_USED));
	assert_true(l.present && l.helper && l.reached && l.avoided);
	assert_true(l.guest_known && (l.guest & SPHT_GPTE_PRESENT));
	/* Nobody asks for it: the fault itself makes it. */
	l = look(&r, &w, "none", VPN(1, 17));
	assert_int_equal(l.nr, 1);
	assert_true(was_told(&l, SPHT_TOLD_BY_KVM));
	assert_false(l.present || l.avoided);
	/* Asked for, and there is nothing to build. */
	l = look(&r, &w, "nextline:degree=2", VPN(1, 18));
	assert_true(was_told(&l, SPHT_TOLD_UNKNOWN));
	assert_false(l.present);
	rig_close(&r);
}

static void entry_that_kvm_prefetches_too_is_not_spent(void **unused)
{
	struct spht_look l;
	struct whatif w;
	struct rig r;

	(void)unused;
	rig_open(&r);
	first_fault(&r);
	hidden(&r, VPN(1, 16), U, PTE(0x710, DIRTY), SPTE_W(0x710));
	r.f.ts += 1000000;
	begin(&r, VPN(1, 18), U, PTE(0x712, DIRTY));
	put(&r, ev_requested(0x712, 1));
	set(&r, VPN(1, 18), SPTE_W(0x712));
	prefetch(&r, VPN(1, 17), 0x711);
	end(&r);
	w = whatif_of(&r, 8);
	l = look(&r, &w, "nextline", VPN(1, 17));
	assert_true(was_told(&l, SPHT_TOLD_BUILT));
	assert_true(was_told(&l, SPHT_TOLD_BY_KVM));
	assert_false(was_told(&l, SPHT_TOLD_SPENT) || was_told(&l, SPHT_TOLD_USED));
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(story_begins_with_the_page_and_how_the_entry_came),
		cmocka_unit_test(prefetched_entry_names_the_fault_beside_it),
		cmocka_unit_test(drop_is_told_with_its_cause),
		cmocka_unit_test(miss_tells_check_entry_and_belief),
		cmocka_unit_test(misses_are_as_many_as_the_checks_that_failed),
		cmocka_unit_test(exits_are_named_by_number_time_or_miss),
		cmocka_unit_test(what_if_tells_what_it_did_with_the_entry),
		cmocka_unit_test(entry_that_kvm_prefetches_too_is_not_spent),
	};

	return cmocka_run_group_tests_name("story", tests, NULL, NULL);
}
