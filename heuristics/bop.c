// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Best offset: one offset for all, the one that would have been in time most often.
 *
 * The rule.  A trigger is a fault, or the first use of a page that this heuristic had
 * built.  For each trigger X:
 *   learn: the next offset d of the list is tried.  Is X - d among the recent
 *     requests, its score goes up.  When the list is through a round is over; after a
 *     round the phase ends if a score has come to score_max, or after round_max
 *     rounds: the offset with the best score (of equals the first in the list) is
 *     taken, or none if that score is no more than bad_score; all scores are 0 again;
 *   ask: with an offset D, for X + D.
 * The list: 1 to max_offset with no prime factors but 2, 3 and 5; with negative=1 each
 * is followed by its negative.  It begins with D = 1.
 * Recent requests: when a request for Y is done, Y - D; with no offset, X of every fault.
 * That is what makes it timely: X - d is there only if there was time since X - d to
 * build an entry.  A table mapped directly, by the paper's hash of the page.
 *
 * What shadow faults change: page for line, and what must not be left is the 2 MiB
 * region, for X - d too (cross=1: may be).  First uses are not seen as they happen:
 * the last 32 pages asked for are looked at when the next fault comes, and those used
 * since are triggers before it, in the order in which they were asked for; they ask only
 * for what may be asked for at that fault.  A request that came too late is done when
 * its fault is, so it counts for the faults after that one.  The paper keeps 12 bits of
 * a line in its table, this one all of page and space.  A page that is there already is
 * not asked for.  A phase is long (52 offsets, at least 31 rounds: 1612 triggers), so as in
 * a core all address spaces share scores and offset, unless shared=0.
 *
 * Bounds at the defaults: 7.4 KiB (shared=0: 64 times that); a fault looks at 32 + 33
 * entries, tries 33 offsets and asks for 33 pages at most, mostly for one.
 */
#include "heuristic.h"
#include "lru.h"

#define ASKED       32
#define MOST_OFFSET 511
#define OFFSETS     134 /* of 2, 3 and 5 up to MOST_OFFSET, both ways */

enum {
	ENTRIES,
	RECENT,
	SCORE_MAX,
	ROUND_MAX,
	BAD_SCORE,
	MAX_OFFSET,
	NEGATIVE,
	SHARED,
	CROSS,
	ON,
	NR,
};

static const struct spht_param bop_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 64, 1, 256, false, "spaces", NULL,
		     "with shared=0, address spaces followed at a time (LRU); default 64: the "
		     "paper has one"},
	[RECENT] = {"recent", SPHT_PARAM_INT, 256, 16, 1024, true, "pages", NULL,
		    "recent requests, mapped directly; default 256: the paper's RR table"},
	[SCORE_MAX] = {"score_max", SPHT_PARAM_INT, 31, 1, 255, false, "", NULL,
		       "score that ends a phase; default 31: the paper's SCOREMAX"},
	[ROUND_MAX] = {"round_max", SPHT_PARAM_INT, 100, 1, 255, false, "rounds", NULL,
		       "rounds after which a phase ends; default 100: the paper's ROUNDMAX"},
	[BAD_SCORE] = {"bad_score", SPHT_PARAM_INT, 1, 0, 255, false, "", NULL,
		       "best score with which nothing is asked for; default 1: the paper's "
		       "BADSCORE"},
	[MAX_OFFSET] = {"max_offset", SPHT_PARAM_INT, 256, 1, MOST_OFFSET, false, "pages", NULL,
			"largest offset; default 256: the paper's 52 offsets"},
	[NEGATIVE] = {"negative", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		      "1: offsets down too; default 0: the paper has none (its DPC-2 code has)"},
	[SHARED] = {"shared", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: one offset for all address spaces; default 1: the paper has one for a "
		    "core"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 0: the paper stays in a page"},
	[ON] = SPHT_PARAM_ON,
};

struct page {
	uint64_t space, vpn;
};

struct recent {
	struct page page;
	uint64_t from; /* number of the fault from which on it counts; 0: free */
};

struct learner {
	uint64_t faults; /* so far */
	int32_t offset; /* pages; 0: nothing is asked for */
	uint16_t at, round; /* of the phase: offset to be tried next, rounds over */
	uint8_t scores[OFFSETS];
	uint32_t nr_asked;
	struct page asked[ASKED]; /* oldest first, not seen used */
	struct recent recent[];
};

/* In front of the learners. */
struct bop {
	uint64_t nr_offsets;
	int32_t offsets[OFFSETS];
};

static uint32_t nr_learners(const int64_t *params)
{
	return params[SHARED] ? 1 : (uint32_t)params[ENTRIES];
}

static size_t learner_size(const int64_t *params)
{
	return sizeof(struct learner) + (size_t)params[RECENT] * sizeof(struct recent);
}

static size_t bop_state_size(const int64_t *params)
{
	return sizeof(struct bop) + spht_lru_size(nr_learners(params), learner_size(params));
}

static bool is_smooth(int64_t n)
{
	static const int primes[] = {2, 3, 5};

	for (int i = 0; i < 3; i++)
		while (n % primes[i] == 0)
			n /= primes[i];
	return n == 1;
}

static struct spht_lru *learners(void *state)
{
	return (struct spht_lru *)(void *)((struct bop *)state + 1);
}

static void bop_init(void *state, const int64_t *params)
{
	struct bop *b = state;

	for (int32_t d = 1; d <= params[MAX_OFFSET]; d++) {
		if (!is_smooth(d))
			continue;
		b->offsets[b->nr_offsets++] = d;
		if (params[NEGATIVE])
			b->offsets[b->nr_offsets++] = -d;
	}
	spht_lru_init(learners(state), nr_learners(params), learner_size(params));
}

/* Where @page would be among the recent ones. */
static struct recent *recent_of(struct learner *l, const int64_t *params, const struct page *page)
{
	uint64_t size = (uint64_t)params[RECENT];
	uint64_t hash = page->vpn ^ page->vpn / size ^
			page->space * UINT64_C(0x9e3779b97f4a7c15) >> 40;

	return &l->recent[hash & (size - 1)];
}

static void phase_ends(const struct bop *b, struct learner *l, const int64_t *params, uint16_t best)
{
	l->offset = l->scores[best] > params[BAD_SCORE] ? b->offsets[best] : 0;
	l->round = 0;
	memset(l->scores, 0, sizeof(l->scores));
}

static void learn(const struct bop *b, struct learner *l, const int64_t *params,
		  const struct page *x)
{
	struct page base = *x;
	uint16_t best = 0;

	if (spht_vpn_add(x->vpn, -b->offsets[l->at], params[CROSS], &base.vpn)) {
		const struct recent *r = recent_of(l, params, &base);

		l->scores[l->at] += r->from && r->from <= l->faults && r->page.vpn == base.vpn &&
				    r->page.space == base.space;
	}
	if (++l->at < b->nr_offsets)
		return;
	l->at = 0;
	l->round++;
	for (uint16_t i = 1; i < b->nr_offsets; i++)
		if (l->scores[i] > l->scores[best])
			best = i;
	if (l->scores[best] >= params[SCORE_MAX] || l->round >= params[ROUND_MAX])
		phase_ends(b, l, params, best);
}

static void remember(struct learner *l, const struct page *page)
{
	for (uint32_t i = 0; i < l->nr_asked; i++)
		if (l->asked[i].vpn == page->vpn && l->asked[i].space == page->space)
			return;
	if (l->nr_asked == ASKED)
		memmove(&l->asked[0], &l->asked[1], --l->nr_asked * sizeof(l->asked[0]));
	l->asked[l->nr_asked++] = *page;
}

/* Asks for what lies the offset after @x, as far as it may be asked for at @fault. */
static void ask(struct learner *l, const int64_t *params, const struct spht_fault *fault,
		const struct page *x, struct spht_host *host)
{
	struct page to = {fault->space, 0};
	uint64_t unused;

	if (x->space != fault->space || !spht_vpn_add(x->vpn, l->offset, params[CROSS], &unused))
		return;
	if (!spht_vpn_add(fault->vpn, (int64_t)(x->vpn - fault->vpn) + l->offset, params[CROSS],
			  &to.vpn) ||
	    spht_look(host, to.space, to.vpn) != SPHT_ENTRY_ABSENT)
		return;
	spht_request(host, to.space, to.vpn);
	remember(l, &to);
}

/*
 * Takes the pages that were used since out of those asked for.  Returns how many.  One
 * that was used and faults all the same, @x, triggers as the fault.
 */
static uint32_t take_used(struct learner *l, const struct page *x, struct page *used,
			  struct spht_host *host)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < l->nr_asked; i++) {
		struct page p = l->asked[i];

		if (spht_look(host, p.space, p.vpn) != SPHT_ENTRY_USED)
			l->asked[kept++] = p;
		else if (p.vpn != x->vpn || p.space != x->space)
			used[n++] = p;
	}
	l->nr_asked = kept;
	return n;
}

static void bop_fault(void *state, const int64_t *params, const struct spht_fault *fault,
		      struct spht_host *host)
{
	struct page triggers[ASKED + 1], x = {fault->space, fault->vpn};
	const struct bop *b = state;
	struct learner *l;
	uint32_t n;
	bool fresh;

	if (!spht_is_on(fault, params[ON]))
		return;
	l = spht_lru_get(learners(state), params[SHARED] ? 0 : fault->space, 0, &fresh);
	if (fresh)
		l->offset = 1;
	l->faults++;
	n = take_used(l, &x, triggers, host);
	triggers[n++] = x;
	for (uint32_t i = 0; i < n; i++)
		learn(b, l, params, &triggers[i]);
	if (!l->offset) {
		*recent_of(l, params, &x) = (struct recent){x, l->faults + 1};
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		ask(l, params, fault, &triggers[i], host);
}

static void bop_outcome(void *state, const int64_t *params, const struct spht_outcome *outcome,
			struct spht_host *host)
{
	struct learner *l = spht_lru_peek(learners(state), params[SHARED] ? 0 : outcome->space, 0);
	struct page base = {outcome->space, 0};
	bool late = outcome->kind == SPHT_OUTCOME_LATE;

	(void)host;
	/* With no offset by now there is no base. */
	if (!l || outcome->kind == SPHT_OUTCOME_REFUSED ||
	    !spht_vpn_add(outcome->vpn, -l->offset, params[CROSS], &base.vpn))
		return;
	*recent_of(l, params, &base) = (struct recent){base, l->faults + 1 + late};
}

SPHT_HEURISTIC(bop, .name = "bop",
	       .summary = "best offset: the one offset that would have been in time most often",
	       .cite = "Michaud, Best-Offset Hardware Prefetching, HPCA 2016", .params = bop_params,
	       .nr_params = NR, .state_size = bop_state_size, .init = bop_init, .fault = bop_fault,
	       .outcome = bop_outcome);
