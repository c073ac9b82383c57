// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a what-if tells its heuristic, and what the heuristic finds when it looks.
 */
#include "what_if_script.h"

/* What was told, in words: "F9" a fault on page 9 of table 1, "Z9" its entry zapped. */
static char told[4096];

static void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void tell(const char *fmt, ...)
{
	size_t len = strlen(told);
	va_list ap;

	va_start(ap, fmt);
	assert_true(vsnprintf(told + len, sizeof(told) - len, fmt, ap) < (int)(sizeof(told) - len));
	va_end(ap);
}

static const uint64_t *wanted; /* pages of table 1 to ask for at each fault, 0 ends them */
static const uint64_t *looked_at; /* and to look at before */
static uint64_t last_zap_ns, last_fault_ns;

static void listen_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			 struct spht_host *host)
{
	static const char found[] = {
		[SPHT_ENTRY_ABSENT] = '-', [SPHT_ENTRY_PRESENT] = 'p', [SPHT_ENTRY_USED] = 'u'};

	(void)state;
	(void)params;
	if (fault->vpn >> 9 != 1)
		return;
	tell("F%u", (unsigned int)fault->vpn & 511);
	last_fault_ns = fault->time_ns;
	for (const uint64_t *i = looked_at; i && *i; i++)
		tell("%c", found[spht_look(host, fault->space, VPN(1, *i))]);
	for (const uint64_t *i = wanted; i && *i; i++)
		spht_request(host, fault->space, VPN(1, *i));
	tell(" ");
}

static void listen_zap(void *state, const int64_t *params, const struct spht_zap *zap,
		       struct spht_host *host)
{
	(void)state;
	(void)params;
	(void)host;
	if (zap->vpn >> 9 == 1)
		tell("Z%u ", (unsigned int)zap->vpn & 511);
	last_zap_ns = zap->time_ns;
}

static const struct spht_heuristic listener = {
	.abi = SPHT_HEURISTIC_ABI,
	.struct_size = sizeof(struct spht_heuristic),
	.name = "listener",
	.summary = "writes down what it is told",
	.cite = "this file",
	.fault = listen_fault,
	.zapped = listen_zap,
};

static struct spht_account listen(struct rig *r, enum spht_world world)
{
	const struct spht_spec spec = {.h = &listener};
	struct whatif w = whatif_of(r, 1);
	struct spht_account a;

	told[0] = '\0';
	a = run_spec(&w, &spec, world);
	rig_close(r);
	wanted = looked_at = NULL;
	return a;
}

static void entries_of_a_zapped_page_are_told_once_each_and_in_their_order(void **unused)
{
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	hidden(&r, VPN(1, 3), U, page_pte(3), SPTE_W(0x703));
	put(&r, ev_exit_svm(SVM_HLT, 0, 0, r.vcpu));
	zap_table(&r, 1);
	put(&r, ev_entry(r.vcpu));
	remake(&r, VPN(1, 3), page_pte(3), SPTE_W(0x703));
	listen(&r, INFERRED);
	assert_string_equal(told, "F0 F9 F3 Z0 Z3 Z9 F3 ");
}

static void zap_is_told_when_its_exit_is_over_and_not_before(void **unused)
{
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	guest_runs(&r, LONG_NS);
	put(&r, ev_exit_svm(SVM_HLT, 0, 0, r.vcpu));
	zap_table(&r, 1);
	put(&r, ev_entry(r.vcpu));
	listen(&r, INFERRED);
	/* The fault takes 1000, the guest runs, the other exit takes 500. */
	assert_int_equal(last_zap_ns, last_fault_ns + 1000 + LONG_NS + 500);
}

static void entry_that_invlpg_dropped_is_told(void **unused)
{
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	write_page_table(&r, 1);
	put(&r, ev_exit_svm(SVM_INVLPG, VPN(1, 9) << 12, 0, r.vcpu));
	put(&r, ev_entry(r.vcpu));
	listen(&r, INFERRED);
	assert_string_equal(told, "F0 F9 Z9 ");
}

/* It shows when it is missed, which no helper knows beforehand. */
static void entry_that_a_sync_dropped_is_not_told(void **unused)
{
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	write_page_table(&r, 1);
	sync_table(&r, 1);
	guest_runs(&r, LONG_NS);
	/* Another frame: the entry went with the sync. */
	hidden(&r, VPN(1, 9), U, page_pte(19), SPTE_W(0x713));
	listen(&r, INFERRED);
	assert_string_equal(told, "F0 F9 F9 ");
}

static const uint64_t nine[] = {9, 0};

static void look_finds_an_entry_absent_then_built_then_used_then_gone(void **unused)
{
	struct spht_account a;
	struct rig r;

	(void)unused;
	two_passes(&r, 10);
	wanted = looked_at = nine;
	a = listen(&r, INFERRED);
	/* Built after the fault on page 0; the fault on page 9 is spared: who looks after that? */
	assert_string_equal(told, "F0- F1p F2p F3p F4p F5p F6p F7p F8p "
				  "Z0 Z1 Z2 Z3 Z4 Z5 Z6 Z7 Z8 Z9 "
				  "F0- F1p F2p F3p F4p F5p F6p F7p F8p ");
	assert_int_equal(a.avoided_direct, 2);
}

static void look_finds_used_what_was_built_and_spared_a_fault(void **unused)
{
	struct rig r;

	(void)unused;
	begin_second_pass(&r, 10);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709)); /* spared */
	touch_pages(&r, 1, 2, false);
	zap_table(&r, 1);
	touch_pages(&r, 0, 3, true);
	wanted = looked_at = nine;
	listen(&r, INFERRED);
	/* What was built anew after the second zap has not been used again. */
	assert_string_equal(told + strlen("F0- F1p F2p F3p F4p F5p F6p F7p F8p "),
			    "Z0 Z1 Z2 Z3 Z4 Z5 Z6 Z7 Z8 Z9 F0- F1u F2u Z0 Z1 Z2 Z9 F0- F1p F2p ");
}

/* Built and used before the zap; after it KVM makes it for the guest's own fault. */
static void look_finds_no_use_of_a_life_before_the_zap(void **unused)
{
	struct rig r;

	(void)unused;
	begin_second_pass(&r, 10);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709)); /* spared */
	touch_pages(&r, 1, 1, false);
	zap_table(&r, 1);
	touch_pages(&r, 9, 1, true);
	touch_pages(&r, 0, 1, false);
	wanted = looked_at = nine;
	listen(&r, INFERRED);
	assert_string_equal(told + strlen("F0- F1p F2p F3p F4p F5p F6p F7p F8p "),
			    "Z0 Z1 Z2 Z3 Z4 Z5 Z6 Z7 Z8 Z9 F0- F1u Z0 Z1 Z9 F9p F0p ");
}

/* As before, and INVLPG drops the one entry. */
static void look_finds_no_use_of_a_life_before_invlpg(void **unused)
{
	struct rig r;

	(void)unused;
	begin_second_pass(&r, 10);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709)); /* spared */
	touch_pages(&r, 1, 1, false);
	write_page_table(&r, 1);
	put(&r, ev_exit_svm(SVM_INVLPG, VPN(1, 9) << 12, 0, r.vcpu));
	put(&r, ev_entry(r.vcpu));
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	touch_pages(&r, 2, 1, false);
	wanted = looked_at = nine;
	listen(&r, INFERRED);
	assert_string_equal(told + strlen("F0- F1p F2p F3p F4p F5p F6p F7p F8p "),
			    "Z0 Z1 Z2 Z3 Z4 Z5 Z6 Z7 Z8 Z9 F0- F1u Z9 F9p F2p ");
}

static void ask_again(void *state, const int64_t *params, const struct spht_outcome *outcome,
		      struct spht_host *host)
{
	(void)state;
	(void)params;
	if (outcome->kind == SPHT_OUTCOME_REFUSED)
		spht_request(host, outcome->space, outcome->vpn);
}

static void heuristic_that_asks_again_without_end_is_stopped(void **unused)
{
	static const uint64_t never[] = {300, 0};
	struct spht_heuristic stubborn = listener;
	const struct spht_spec spec = {.h = &stubborn};
	struct spht_account a;
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	w = whatif_of(&r, 1);
	w.costs.helper_wake_ns = w.costs.helper_read_ns = w.costs.helper_build_ns = 0;
	stubborn.outcome = ask_again;
	wanted = never;
	a = run_spec(&w, &spec, INFERRED);
	/* Page 300 is unknown; the helper, which takes no time, says so again and again. */
	/* That of the first fault is answered before the second, whose own finds no place. */
	assert_int_equal(a.queue_full, 2);
	assert_int_equal(a.unknown, 1 + (1 << 14));
	assert_int_equal(a.generated, a.unknown + a.queue_full);
	wanted = NULL;
	rig_close(&r);
}

/* "B9+7" page 9 built, 7 ns after the last fault that was told. */
static void listen_outcome(void *state, const int64_t *params, const struct spht_outcome *outcome,
			   struct spht_host *host)
{
	static const char kinds[] = {
		[SPHT_OUTCOME_BUILT] = 'B', [SPHT_OUTCOME_REFUSED] = 'R', [SPHT_OUTCOME_LATE] = 'L'};

	(void)state;
	(void)params;
	(void)host;
	tell("%c%u+%d ", kinds[outcome->kind], (unsigned int)outcome->vpn & 511,
	     (int)(outcome->time_ns - last_fault_ns));
}

static void outcome_has_the_time_when_it_ended_and_not_of_the_exit_it_is_told_at(void **unused)
{
	static const uint64_t some[] = {300, 9, 0};
	struct spht_heuristic hearer = listener;
	const struct spht_spec spec = {.h = &hearer};
	struct whatif w;
	struct rig r;

	(void)unused;
	open_timed(&r, 1);
	hidden(&r, VPN(1, 9), U, page_pte(9), SPTE_W(0x709));
	zap_table(&r, 1);
	guest_runs(&r, LONG_NS);
	remake(&r, VPN(1, 0), page_pte(0), SPTE_W(0x700));
	guest_runs(&r, LONG_NS);
	hidden(&r, VPN(1, 1), U, page_pte(1), SPTE_W(0x701));
	w = whatif_of(&r, 1);
	hearer.zapped = NULL;
	hearer.outcome = listen_outcome;
	told[0] = '\0';
	wanted = some;
	run_spec(&w, &spec, OPTIMISTIC);
	/* To wake up takes 5000, to read 200, to build 6000; the guest runs on for long. */
	assert_non_null(strstr(told, "F0 R300+5200 B9+11400 F1 "));
	wanted = NULL;
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_of_a_zapped_page_are_told_once_each_and_in_their_order),
		cmocka_unit_test(zap_is_told_when_its_exit_is_over_and_not_before),
		cmocka_unit_test(entry_that_invlpg_dropped_is_told),
		cmocka_unit_test(entry_that_a_sync_dropped_is_not_told),
		cmocka_unit_test(look_finds_an_entry_absent_then_built_then_used_then_gone),
		cmocka_unit_test(look_finds_used_what_was_built_and_spared_a_fault),
		cmocka_unit_test(look_finds_no_use_of_a_life_before_the_zap),
		cmocka_unit_test(look_finds_no_use_of_a_life_before_invlpg),
		cmocka_unit_test(
			outcome_has_the_time_when_it_ended_and_not_of_the_exit_it_is_told_at),
		cmocka_unit_test(heuristic_that_asks_again_without_end_is_stopped),
	};

	return cmocka_run_group_tests_name("what-ifs: what is told", tests, NULL, NULL);
}
