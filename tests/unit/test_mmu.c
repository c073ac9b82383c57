// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The shadow MMU's bookkeeping: pages, entries, links between pages; and the
 * numbers that pages, tables and paths have.
 */
#include "events.h"
#include "replay/mmu.h"

#define RELEASE "6.1.0-56-amd64"
#define VPN     (((uint64_t)1 << 27) | (2u << 18) | (3u << 9) | 4u)

/* Four pages of one walk, and the path above the leaf. */
struct rig {
	struct spht_shadow shadow;
	struct spht_mmu mmu;
	uint32_t root, l3, l2, l1, path;
};

static void rig_open(struct rig *r)
{
	struct spht_error err;
	const struct spht_role_layout *layout = spht_role_layout(RELEASE, &err);

	assert_non_null(layout);
	assert_int_equal(spht_shadow_init(&r->shadow, layout), 0);
	r->root = spht_shadow_page(&r->shadow, 0x10, ROLE(4));
	r->l3 = spht_shadow_page(&r->shadow, 0x11, ROLE(3));
	r->l2 = spht_shadow_page(&r->shadow, 0x12, ROLE(2));
	r->l1 = spht_shadow_page(&r->shadow, 0x13, ROLE(1));
	r->path = spht_shadow_path(&r->shadow, r->root, r->l3, r->l2);
	spht_mmu_init(&r->mmu, &r->shadow);
	assert_int_equal(spht_mmu_reserve(&r->mmu, r->shadow.pages.nr), 0);
	for (uint32_t p = r->root; p <= r->l1; p++)
		spht_mmu_create(&r->mmu, p, 1);
}

static void rig_close(struct rig *r)
{
	spht_mmu_close(&r->mmu);
	spht_shadow_close(&r->shadow);
}

static unsigned int missing(const struct rig *r)
{
	return spht_mmu_missing(&r->mmu, r->path, r->l1, 1, VPN);
}

static void link_all(struct rig *r)
{
	assert_int_equal(spht_mmu_link_path(&r->mmu, r->path, r->l1, 1, VPN), 0);
}

/* Pages and entries */

static void created_page_is_empty_synced_and_exists(void **unused)
{
	struct rig r;
	struct spht_mmu_page *p;

	(void)unused;
	rig_open(&r);
	p = &r.mmu.pages[r.l1];
	spht_mmu_set(&r.mmu, r.l1, 0, true);
	spht_mmu_set(&r.mmu, r.l1, 511, false);
	p->unsync = true;
	spht_mmu_create(&r.mmu, r.l1, 77);
	assert_true(p->exists);
	assert_false(p->unsync);
	assert_int_equal(p->sync_pos, 77);
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		assert_false(spht_mmu_present(&r.mmu, r.l1, i));
		assert_false(spht_bit(p->writable, i));
		assert_false(spht_bit(p->unknown, i));
	}
	rig_close(&r);
}

static void entry_is_set_weakened_and_dropped_alone(void **unused)
{
	struct rig r;
	struct spht_mmu_page *p;

	(void)unused;
	rig_open(&r);
	p = &r.mmu.pages[r.l1];
	for (unsigned int i = 62; i < 67; i++)
		spht_mmu_set(&r.mmu, r.l1, i, true);
	spht_bit_set(p->unknown, 64);
	spht_mmu_set(&r.mmu, r.l1, 64, false); /* now it is known, and read-only */
	assert_true(spht_mmu_present(&r.mmu, r.l1, 64));
	assert_false(spht_bit(p->writable, 64));
	assert_false(spht_bit(p->unknown, 64));
	spht_bit_set(p->unknown, 65);
	spht_mmu_drop(&r.mmu, r.l1, 65);
	assert_false(spht_mmu_present(&r.mmu, r.l1, 65));
	assert_false(spht_bit(p->writable, 65));
	assert_false(spht_bit(p->unknown, 65));
	for (unsigned int i = 62; i < 67; i++) {
		if (i == 64 || i == 65)
			continue;
		assert_true(spht_mmu_present(&r.mmu, r.l1, i));
		assert_true(spht_bit(p->writable, i));
	}
	rig_close(&r);
}

static void page_whose_creation_nobody_saw_is_unknown_in_every_entry(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	spht_mmu_zap(&r.mmu, r.l1);
	spht_mmu_assume(&r.mmu, r.l1, 9);
	assert_true(r.mmu.pages[r.l1].exists);
	for (unsigned int i = 0; i < SPHT_PT_ENTRIES; i++) {
		assert_true(spht_bit(r.mmu.pages[r.l1].unknown, i));
		assert_false(spht_mmu_present(&r.mmu, r.l1, i));
	}
	rig_close(&r);
}

static void page_that_exists_is_not_forgotten_by_assuming_it(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	spht_mmu_set(&r.mmu, r.l1, 4, true);
	spht_mmu_assume(&r.mmu, r.l1, 9);
	assert_true(spht_mmu_present(&r.mmu, r.l1, 4));
	assert_false(spht_bit(r.mmu.pages[r.l1].unknown, 5));
	assert_int_equal(r.mmu.pages[r.l1].sync_pos, 1);
	rig_close(&r);
}

static void existing_pages_are_counted_once_each(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	assert_int_equal(r.mmu.nr_existing, 4);
	spht_mmu_create(&r.mmu, r.l1, 2);
	spht_mmu_assume(&r.mmu, r.l2, 2);
	assert_int_equal(r.mmu.nr_existing, 4);
	spht_mmu_zap(&r.mmu, r.l1);
	spht_mmu_zap(&r.mmu, r.l1);
	assert_int_equal(r.mmu.nr_existing, 3);
	spht_mmu_zap_all(&r.mmu);
	assert_int_equal(r.mmu.nr_existing, 0);
	rig_close(&r);
}

static void page_beyond_the_reserved_ones_has_nothing_present(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	assert_false(spht_mmu_present(&r.mmu, r.mmu.nr, 0));
	assert_false(spht_mmu_present(&r.mmu, SPHT_NO_ID, 0));
	rig_close(&r);
}

static void making_room_keeps_what_is_there(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	link_all(&r);
	spht_mmu_set(&r.mmu, r.l1, 4, true);
	assert_int_equal(spht_mmu_reserve(&r.mmu, 100000), 0);
	assert_true(r.mmu.nr >= 100000);
	assert_true(spht_mmu_present(&r.mmu, r.l1, 4));
	assert_int_equal(missing(&r), 0);
	assert_false(r.mmu.pages[99999].exists);
	assert_false(spht_mmu_present(&r.mmu, 99999, 0));
	rig_close(&r);
}

/* Links */

static void linked_path_is_complete_and_for_its_addresses_only(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	assert_int_equal(missing(&r), 3);
	link_all(&r);
	assert_int_equal(missing(&r), 0);
	assert_int_equal(spht_mmu_child(&r.mmu, r.root, 1), r.l3);
	assert_int_equal(spht_mmu_child(&r.mmu, r.l3, 2), r.l2);
	assert_int_equal(spht_mmu_child(&r.mmu, r.l2, 3), r.l1);
	assert_int_equal(spht_mmu_child(&r.mmu, r.l2, 4), SPHT_NO_ID);
	assert_int_equal(spht_mmu_missing(&r.mmu, r.path, r.l1, 1, VPN + 512), 1);
	assert_int_equal(spht_mmu_missing(&r.mmu, r.path, r.l1, 1, VPN + (512u << 9)), 2);
	assert_int_equal(spht_mmu_missing(&r.mmu, r.path, r.l1, 1, VPN + (512ull << 18)), 3);
	rig_close(&r);
}

static void missing_page_is_named_by_its_level_topmost_first(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	link_all(&r);
	spht_mmu_drop(&r.mmu, r.l2, 3);
	assert_int_equal(missing(&r), 1);
	spht_mmu_drop(&r.mmu, r.l3, 2);
	assert_int_equal(missing(&r), 2);
	spht_mmu_drop(&r.mmu, r.root, 1);
	assert_int_equal(missing(&r), 3);
	rig_close(&r);
}

static void large_page_needs_only_the_path_above_level_2(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	assert_int_equal(spht_mmu_link_path(&r.mmu, r.path, r.l2, 2, VPN), 0);
	assert_int_equal(spht_mmu_missing(&r.mmu, r.path, r.l2, 2, VPN), 0);
	assert_int_equal(missing(&r), 1);
	spht_mmu_drop(&r.mmu, r.l3, 2);
	assert_int_equal(spht_mmu_missing(&r.mmu, r.path, r.l2, 2, VPN), 2);
	rig_close(&r);
}

static void another_page_at_the_same_place_is_not_the_one_looked_for(void **unused)
{
	struct rig r;
	uint32_t other;

	(void)unused;
	rig_open(&r);
	other = spht_shadow_page(&r.shadow, 0x14, ROLE(1));
	assert_int_equal(spht_mmu_reserve(&r.mmu, r.shadow.pages.nr), 0);
	spht_mmu_create(&r.mmu, other, 1);
	link_all(&r);
	assert_int_equal(spht_mmu_link(&r.mmu, r.l2, 3, other), 0);
	assert_int_equal(missing(&r), 1);
	assert_int_equal(spht_mmu_missing(&r.mmu, r.path, other, 1, VPN), 0);
	/* The one that was replaced has no say in its old place any more. */
	spht_mmu_zap(&r.mmu, r.l1);
	assert_int_equal(spht_mmu_missing(&r.mmu, r.path, other, 1, VPN), 0);
	rig_close(&r);
}

static void zapped_page_is_unlinked_from_every_parent(void **unused)
{
	struct rig r;
	uint32_t other;

	(void)unused;
	rig_open(&r);
	other = spht_shadow_page(&r.shadow, 0x22, ROLE(2));
	assert_int_equal(spht_mmu_reserve(&r.mmu, r.shadow.pages.nr), 0);
	spht_mmu_create(&r.mmu, other, 1);
	link_all(&r);
	/* Processes share page tables: many parents, more than the first allocation. */
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(spht_mmu_link(&r.mmu, other, 100 + i, r.l1), 0);
	spht_mmu_zap(&r.mmu, r.l1);
	assert_int_equal(missing(&r), 1);
	for (unsigned int i = 0; i < 20; i++) {
		assert_false(spht_mmu_present(&r.mmu, other, 100 + i));
		assert_int_equal(spht_mmu_child(&r.mmu, other, 100 + i), SPHT_NO_ID);
	}
	assert_true(r.mmu.pages[other].exists);
	rig_close(&r);
}

static void children_survive_the_zap_of_their_parent_unlinked(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	link_all(&r);
	spht_mmu_set(&r.mmu, r.l1, 4, true);
	spht_mmu_zap(&r.mmu, r.l2);
	assert_true(r.mmu.pages[r.l1].exists);
	assert_true(spht_mmu_present(&r.mmu, r.l1, 4));
	assert_int_equal(missing(&r), 2);
	/* A new parent starts without the old one's links. */
	spht_mmu_create(&r.mmu, r.l2, 5);
	assert_int_equal(spht_mmu_child(&r.mmu, r.l2, 3), SPHT_NO_ID);
	assert_int_equal(missing(&r), 2);
	link_all(&r);
	assert_int_equal(missing(&r), 0);
	assert_true(spht_mmu_present(&r.mmu, r.l1, 4));
	rig_close(&r);
}

static void relinked_page_is_unlinked_again_by_its_next_zap(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	for (unsigned int round = 0; round < 5; round++) {
		link_all(&r);
		assert_int_equal(missing(&r), 0);
		if (round & 1) {
			spht_mmu_zap(&r.mmu, r.l2);
			spht_mmu_create(&r.mmu, r.l2, round);
			link_all(&r);
		}
		spht_mmu_zap(&r.mmu, r.l1);
		assert_int_equal(missing(&r), 1);
		assert_int_equal(spht_mmu_child(&r.mmu, r.l2, 3), SPHT_NO_ID);
		spht_mmu_create(&r.mmu, r.l1, round);
		assert_int_equal(missing(&r), 1);
	}
	rig_close(&r);
}

static void linking_what_is_linked_changes_nothing(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	for (unsigned int i = 0; i < 1000; i++)
		link_all(&r);
	assert_int_equal(r.mmu.pages[r.l1].nr_parents, 1);
	/* Nor does a link that was dropped and made again add up. */
	for (unsigned int i = 0; i < 1000; i++) {
		spht_mmu_drop(&r.mmu, r.l2, 3);
		link_all(&r);
	}
	assert_int_equal(r.mmu.pages[r.l1].nr_parents, 1);
	rig_close(&r);
}

static void place_that_changes_its_child_does_not_fill_the_lists(void **unused)
{
	uint32_t other;
	struct rig r;

	(void)unused;
	rig_open(&r);
	link_all(&r);
	other = spht_shadow_page(&r.shadow, 0x777, ROLE(1));
	assert_int_equal(spht_mmu_reserve(&r.mmu, other + 1), 0);
	spht_mmu_create(&r.mmu, other, 0);
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(spht_mmu_link(&r.mmu, r.l2, 7, other), 0);
		assert_int_equal(spht_mmu_link(&r.mmu, r.l2, 9, other), 0);
		assert_int_equal(spht_mmu_link(&r.mmu, r.l2, 7, r.l1), 0);
	}
	assert_int_equal(r.mmu.pages[other].nr_parents, 1);
	spht_mmu_zap(&r.mmu, other);
	assert_int_equal(spht_mmu_child(&r.mmu, r.l2, 7), r.l1);
	assert_int_equal(spht_mmu_child(&r.mmu, r.l2, 9), SPHT_NO_ID);
	spht_mmu_zap(&r.mmu, r.l1);
	assert_int_equal(spht_mmu_child(&r.mmu, r.l2, 7), SPHT_NO_ID);
	rig_close(&r);
}

static void unknown_entry_on_the_path_makes_it_unknown_unless_more_is_missing(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	link_all(&r);
	spht_mmu_zap(&r.mmu, r.l3);
	spht_mmu_assume(&r.mmu, r.l3, 3);
	assert_int_equal(missing(&r), 3); /* the root's link went with the zap */
	assert_int_equal(spht_mmu_link(&r.mmu, r.root, 1, r.l3), 0);
	assert_int_equal(missing(&r), SPHT_PATH_UNKNOWN);
	spht_mmu_drop(&r.mmu, r.l2, 3);
	assert_int_equal(missing(&r), 1);
	rig_close(&r);
}

static void unknown_root_counts_as_linked_to_what_is_below_it(void **unused)
{
	struct rig r;
	uint32_t path;

	(void)unused;
	rig_open(&r);
	path = spht_shadow_path(&r.shadow, SPHT_NO_ID, r.l3, r.l2);
	assert_int_equal(spht_mmu_link_path(&r.mmu, path, r.l1, 1, VPN), 0);
	assert_int_equal(spht_mmu_missing(&r.mmu, path, r.l1, 1, VPN), 0);
	assert_int_equal(missing(&r), 3);
	spht_mmu_zap(&r.mmu, r.l3);
	assert_int_equal(spht_mmu_missing(&r.mmu, path, r.l1, 1, VPN), 2);
	rig_close(&r);
}

static void zapping_all_leaves_no_page_and_no_link(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	link_all(&r);
	spht_mmu_set(&r.mmu, r.l1, 4, true);
	spht_mmu_zap_all(&r.mmu);
	for (uint32_t p = r.root; p <= r.l1; p++) {
		assert_false(r.mmu.pages[p].exists);
		spht_mmu_create(&r.mmu, p, 9);
	}
	assert_int_equal(missing(&r), 3);
	assert_false(spht_mmu_present(&r.mmu, r.l1, 4));
	rig_close(&r);
}

/* Names */

static void page_is_its_gfn_and_role_but_for_the_invalid_bit(void **unused)
{
	struct rig r;

	(void)unused;
	rig_open(&r);
	assert_int_equal(spht_shadow_page(&r.shadow, 0x13, ROLE(1) | ROLE_INVALID), r.l1);
	assert_int_not_equal(spht_shadow_page(&r.shadow, 0x13, ROLE(2)), r.l1);
	assert_int_not_equal(spht_shadow_page(&r.shadow, 0x13, ROLE(1) & ~(2u << 8)), r.l1);
	assert_int_not_equal(spht_shadow_page(&r.shadow, 0x14, ROLE(1)), r.l1);
	assert_int_equal(spht_shadow_gfn(&r.shadow, r.l1), 0x13);
	assert_int_equal(spht_shadow_role(&r.shadow, r.l1), ROLE(1));
	rig_close(&r);
}

static void table_is_one_for_all_roles_and_a_direct_page_has_its_own(void **unused)
{
	struct rig r;
	uint32_t t;

	(void)unused;
	rig_open(&r);
	t = spht_shadow_table(&r.shadow, 0x13, 1);
	assert_int_equal(spht_shadow_table(&r.shadow, 0x13, 1), t);
	assert_int_not_equal(spht_shadow_table(&r.shadow, 0x13, 2), t);
	/* A page id that equals a gfn, and a level that a walk can have: never the same. */
	for (uint32_t page = 0; page < 32; page++) {
		uint32_t direct = spht_shadow_direct_table(&r.shadow, page);

		for (unsigned int level = 1; level <= 5; level++)
			assert_int_not_equal(spht_shadow_table(&r.shadow, page, level), direct);
	}
	rig_close(&r);
}

static void path_gives_its_pages_back_even_where_the_root_is_unknown(void **unused)
{
	struct rig r;
	uint32_t p;

	(void)unused;
	rig_open(&r);
	assert_int_equal(spht_path_root(&r.shadow, r.path), r.root);
	assert_int_equal(spht_path_l3(&r.shadow, r.path), r.l3);
	assert_int_equal(spht_path_l2(&r.shadow, r.path), r.l2);
	p = spht_shadow_path(&r.shadow, SPHT_NO_ID, r.l3, SPHT_NO_ID);
	assert_int_equal(spht_path_root(&r.shadow, p), SPHT_NO_ID);
	assert_int_equal(spht_path_l3(&r.shadow, p), r.l3);
	assert_int_equal(spht_path_l2(&r.shadow, p), SPHT_NO_ID);
	rig_close(&r);
}

/* xorshift64*, Vigna 2016: the same numbers everywhere. */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static void idmap_numbers_pairs_as_a_plain_list_does(void **unused)
{
	enum { PAIRS = 6000, TRIES = 20000 };
	static uint64_t list[PAIRS][2];
	uint64_t seed = 20100929;
	struct spht_idmap m;
	uint32_t nr = 0;

	(void)unused;
	assert_int_equal(spht_idmap_init(&m), 0);
	for (unsigned int i = 0; i < TRIES; i++) {
		/* Close numbers, as frames and levels are, and a few extreme ones. */
		uint64_t a = random_next(&seed) % 100, b = random_next(&seed) % 60;
		uint32_t at = 0;

		if (a == 99)
			a = UINT64_MAX - b % 2;
		if (b == 59)
			b = (uint64_t)1 << (a % 64);
		while (at < nr && (list[at][0] != a || list[at][1] != b))
			at++;
		assert_int_equal(spht_idmap_find(&m, a, b), at < nr ? at : SPHT_NO_ID);
		assert_int_equal(m.nr, nr); /* looking for a pair does not make it */
		if (at == nr) {
			assert_true(nr < PAIRS);
			list[nr][0] = a;
			list[nr++][1] = b;
		}
		assert_int_equal(spht_idmap_get(&m, a, b), at);
	}
	assert_true(nr > 4000); /* beyond two growths */
	assert_int_equal(m.nr, nr);
	for (uint32_t i = 0; i < nr; i++) {
		assert_int_equal(m.keys[i][0], list[i][0]);
		assert_int_equal(m.keys[i][1], list[i][1]);
		assert_int_equal(spht_idmap_find(&m, list[i][0], list[i][1]), i);
	}
	assert_int_equal(spht_idmap_find(&m, 1ull << 40, 1), SPHT_NO_ID);
	spht_idmap_close(&m);
}

static void swapped_pair_is_another_pair(void **unused)
{
	struct spht_idmap m;

	(void)unused;
	assert_int_equal(spht_idmap_init(&m), 0);
	assert_int_equal(spht_idmap_get(&m, 1, 2), 0);
	assert_int_equal(spht_idmap_get(&m, 2, 1), 1);
	assert_int_equal(spht_idmap_get(&m, 0, 0), 2);
	assert_int_equal(spht_idmap_get(&m, 1, 2), 0);
	spht_idmap_close(&m);
}

/* Role words */

static void role_words_are_read_as_the_recording_kernel_wrote_them(void **unused)
{
	static const struct {
		const char *release;
		uint32_t role;
		unsigned int level, access;
		bool direct;
	} c[] = {
		{"6.1.0-56-amd64", 1u | 7u << 8 | 1u << 12 | 1u << 13, 1, 7, false},
		{"5.10.223", 4u | 1u << 4 | 3u << 8, 4, 3, false},
		{"6.18.44-fc", 2u | 1u << 7 | 5u << 8, 2, 5, true},
		{"2.6.32.9", 3u << 4 | 1u << 16 | 6u << 17, 3, 6, true},
		{"7.2.13", 1u | 15u << 8 | 1u << 13, 1, 15, false},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_error err;
		const struct spht_role_layout *l = spht_role_layout(c[i].release, &err);

		assert_non_null(l);
		assert_int_equal(spht_role_level(l, c[i].role), c[i].level);
		assert_int_equal(spht_role_access(l, c[i].role), c[i].access);
		assert_int_equal(spht_role_direct(l, c[i].role), c[i].direct);
		assert_int_equal(spht_role_identity(l, c[i].role | 1u << l->invalid_bit),
				 c[i].role);
	}
}

static void kernel_whose_role_words_nobody_knows_is_refused(void **unused)
{
	static const char *const unknown[] = {"2.6.31", "2.6.39", "3.0.1", "5.9.16", "6.19.0",
					      "7.1",    "7.3",    "",      "linux",  NULL};
	struct spht_error err;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		err.text[0] = '\0';
		assert_null(spht_role_layout(unknown[i], &err));
		assert_true(err.text[0]);
	}
}

static void role_of_a_child_has_the_access_of_the_path_above_it(void **unused)
{
	struct spht_error err;
	const struct spht_role_layout *l = spht_role_layout(RELEASE, &err);
	unsigned int access = spht_pte_access(l, PTE(0x11, TABLE));

	(void)unused;
	assert_int_equal(access, 7);
	assert_int_equal(spht_pte_access(l, PTE(0x11, READONLY)), 1 | 4);
	assert_int_equal(spht_pte_access(l, PTE(0x11, TABLE) | SPHT_PTE_NX), 2 | 4);
	assert_int_equal(spht_pte_access(l, PTE(0x11, SPHT_PTE_P | SPHT_PTE_W)), 1 | 2);
	assert_int_equal(spht_role_child(l, ROLE(4), 3, access, false), ROLE(3));
	assert_int_equal(spht_role_child(l, ROLE(4) | ROLE_INVALID, 1, 5, true), ROLE_DIRECT(5));
	l = spht_role_layout("7.2", &err);
	assert_int_equal(spht_pte_access(l, PTE(0x11, TABLE)), 15);
	assert_int_equal(spht_pte_access(l, PTE(0x11, READONLY) | SPHT_PTE_NX), 1 | 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(created_page_is_empty_synced_and_exists),
		cmocka_unit_test(entry_is_set_weakened_and_dropped_alone),
		cmocka_unit_test(page_whose_creation_nobody_saw_is_unknown_in_every_entry),
		cmocka_unit_test(page_that_exists_is_not_forgotten_by_assuming_it),
		cmocka_unit_test(existing_pages_are_counted_once_each),
		cmocka_unit_test(page_beyond_the_reserved_ones_has_nothing_present),
		cmocka_unit_test(making_room_keeps_what_is_there),
		cmocka_unit_test(linked_path_is_complete_and_for_its_addresses_only),
		cmocka_unit_test(missing_page_is_named_by_its_level_topmost_first),
		cmocka_unit_test(large_page_needs_only_the_path_above_level_2),
		cmocka_unit_test(another_page_at_the_same_place_is_not_the_one_looked_for),
		cmocka_unit_test(zapped_page_is_unlinked_from_every_parent),
		cmocka_unit_test(children_survive_the_zap_of_their_parent_unlinked),
		cmocka_unit_test(relinked_page_is_unlinked_again_by_its_next_zap),
		cmocka_unit_test(linking_what_is_linked_changes_nothing),
		cmocka_unit_test(place_that_changes_its_child_does_not_fill_the_lists),
		cmocka_unit_test(unknown_entry_on_the_path_makes_it_unknown_unless_more_is_missing),
		cmocka_unit_test(unknown_root_counts_as_linked_to_what_is_below_it),
		cmocka_unit_test(zapping_all_leaves_no_page_and_no_link),
		cmocka_unit_test(page_is_its_gfn_and_role_but_for_the_invalid_bit),
		cmocka_unit_test(table_is_one_for_all_roles_and_a_direct_page_has_its_own),
		cmocka_unit_test(path_gives_its_pages_back_even_where_the_root_is_unknown),
		cmocka_unit_test(idmap_numbers_pairs_as_a_plain_list_does),
		cmocka_unit_test(swapped_pair_is_another_pair),
		cmocka_unit_test(role_words_are_read_as_the_recording_kernel_wrote_them),
		cmocka_unit_test(kernel_whose_role_words_nobody_knows_is_refused),
		cmocka_unit_test(role_of_a_child_has_the_access_of_the_path_above_it),
	};

	return cmocka_run_group_tests_name("mmu", tests, NULL, NULL);
}
