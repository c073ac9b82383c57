// SPDX-License-Identifier: LGPL-2.1-or-later
/* The books: every identity is checked, and its failure names it. */
#include "events.h"
#include "replay/account.h"

/* Books that close, every figure different from its neighbours and none 0. */
static const struct spht_account good = {
	.f_base = 100,
	.avoided_direct = 30,
	.avoided_side = 20,
	.remaining = 50,
	.remaining_huge = 20,
	.remaining_ad = 30,
	.remaining_refault = 50,
	.new_exits_lo = 3,
	.new_exits_hi = 7,
	.helper_exits = 2,
	.generated = 1 + 2 + 3 + 4 + 5 + 6 + 7 + 100,
	.duplicate = 1,
	.illegal = 2,
	.unknown = 3,
	.queue_full = 4,
	.cancelled_demand = 5,
	.cancelled_zap = 6,
	.pending_end = 7,
	.issued = 100,
	.build_failed = 9,
	.in_progress_end = 1,
	.built = 90,
	.used_timely = 30,
	.used_late = 11,
	.used_weak = 12,
	.use_unknown = 13,
	.zapped_unused = 14,
	.evicted_unused = 1,
	.lost_epoch = 2,
	.resident_unused = 7,
};

static void books_that_close_pass(void **unused)
{
	static const struct spht_account empty;
	struct spht_error err = {{0}};

	(void)unused;
	assert_int_equal(spht_account_check(&good, false, &err), 0);
	assert_int_equal(spht_account_check(&empty, false, &err), 0);
	assert_int_equal(spht_account_check(&empty, true, &err), 0);
}

#define F_BASE    "F_base = avoided_direct + avoided_side + remaining"
#define GENERATED "generated = duplicate + illegal"
#define ISSUED    "issued = build_failed + in_progress_end + built"
#define BUILT     "built = used_timely + used_late"

static const struct {
	size_t offset;
	const char *first; /* the identity that is found broken first */
} counters[] = {
	{offsetof(struct spht_account, f_base), F_BASE},
	{offsetof(struct spht_account, avoided_direct), F_BASE},
	{offsetof(struct spht_account, avoided_side), F_BASE},
	{offsetof(struct spht_account, remaining), F_BASE},
	{offsetof(struct spht_account, generated), GENERATED},
	{offsetof(struct spht_account, duplicate), GENERATED},
	{offsetof(struct spht_account, illegal), GENERATED},
	{offsetof(struct spht_account, unknown), GENERATED},
	{offsetof(struct spht_account, queue_full), GENERATED},
	{offsetof(struct spht_account, cancelled_demand), GENERATED},
	{offsetof(struct spht_account, cancelled_zap), GENERATED},
	{offsetof(struct spht_account, pending_end), GENERATED},
	{offsetof(struct spht_account, issued), GENERATED},
	{offsetof(struct spht_account, build_failed), ISSUED},
	{offsetof(struct spht_account, in_progress_end), ISSUED},
	{offsetof(struct spht_account, built), ISSUED},
	{offsetof(struct spht_account, used_timely), BUILT},
	{offsetof(struct spht_account, used_late), BUILT},
	{offsetof(struct spht_account, used_weak), BUILT},
	{offsetof(struct spht_account, use_unknown), BUILT},
	{offsetof(struct spht_account, zapped_unused), BUILT},
	{offsetof(struct spht_account, evicted_unused), BUILT},
	{offsetof(struct spht_account, lost_epoch), BUILT},
	{offsetof(struct spht_account, resident_unused), BUILT},
};

static void each_counter_off_by_one_breaks_its_identity_by_name(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		for (int by = -1; by <= 1; by += 2) {
			struct spht_account a = good;
			struct spht_error err = {{0}};
			uint64_t *v = (uint64_t *)(void *)((char *)&a + counters[i].offset);

			*v += (uint64_t)(int64_t)by;
			assert_int_equal(spht_account_check(&a, false, &err), -1);
			if (!strstr(err.text, counters[i].first))
				fail_msg("'%s' does not name '%s'", err.text, counters[i].first);
		}
	}
}

static void parts_of_what_remains_are_no_more_than_all(void **unused)
{
	static const struct {
		size_t offset;
		const char *name;
	} parts[] = {
		{offsetof(struct spht_account, remaining_huge), "remaining_huge + remaining_ad"},
		{offsetof(struct spht_account, remaining_ad), "remaining_huge + remaining_ad"},
		{offsetof(struct spht_account, remaining_refault), "remaining_refault"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct spht_account a = good;
		struct spht_error err = {{0}};
		uint64_t *v = (uint64_t *)(void *)((char *)&a + parts[i].offset);

		--*v;
		assert_int_equal(spht_account_check(&a, false, &err), 0);
		*v += 2;
		assert_int_equal(spht_account_check(&a, false, &err), -1);
		assert_non_null(strstr(err.text, parts[i].name));
	}
}

static void broken_identity_is_told_with_both_sides(void **unused)
{
	struct spht_account a = good;
	struct spht_error err = {{0}};

	(void)unused;
	a.f_base = 12345;
	assert_int_equal(spht_account_check(&a, false, &err), -1);
	assert_non_null(strstr(err.text, "12345 != 100"));
}

static void fewer_possible_new_exits_than_proven_ones_are_an_error(void **unused)
{
	struct spht_account a = good;
	struct spht_error err = {{0}};

	(void)unused;
	a.new_exits_lo = a.new_exits_hi;
	assert_int_equal(spht_account_check(&a, false, &err), 0);
	a.new_exits_lo = a.new_exits_hi + 1;
	assert_int_equal(spht_account_check(&a, false, &err), -1);
	assert_non_null(strstr(err.text, "new_exits_lo <= new_exits_hi"));
}

static void run_without_a_helper_must_leave_no_trace_of_one(void **unused)
{
	static const struct {
		struct spht_account a;
		const char *why;
	} c[] = {
		{{.divergence = 1}, "the what-if equals the observed MMU"},
		{{.f_base = 1, .avoided_direct = 1}, "avoids nothing"},
		{{.f_base = 1, .avoided_side = 1}, "avoids nothing"},
		{{.new_exits_hi = 1}, "causes no exits"},
		{{.helper_exits = 1}, "causes no exits"},
		{{.generated = 1, .unknown = 1}, "asks for nothing"},
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct spht_error err = {{0}};

		assert_int_equal(spht_account_check(&c[i].a, false, &err), 0);
		assert_int_equal(spht_account_check(&c[i].a, true, &err), -1);
		assert_non_null(strstr(err.text, c[i].why));
	}
}

static void avoided_is_what_was_saved_less_what_was_caused(void **unused)
{
	struct spht_account a = good;

	(void)unused;
	assert_true(spht_account_avoided(&a, 0) == 30 + 20 - 2);
	assert_true(spht_account_avoided(&a, 7) == 30 + 20 - 2 - 7);
	assert_true(spht_account_avoided(&a, 3.5) == 44.5);
	a.avoided_direct = a.avoided_side = 0; /* a helper may lose */
	assert_true(spht_account_avoided(&a, 7) == -9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(books_that_close_pass),
		cmocka_unit_test(each_counter_off_by_one_breaks_its_identity_by_name),
		cmocka_unit_test(parts_of_what_remains_are_no_more_than_all),
		cmocka_unit_test(broken_identity_is_told_with_both_sides),
		cmocka_unit_test(fewer_possible_new_exits_than_proven_ones_are_an_error),
		cmocka_unit_test(run_without_a_helper_must_leave_no_trace_of_one),
		cmocka_unit_test(avoided_is_what_was_saved_less_what_was_caused),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
