// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "replay/whatif-local.h"

/*
 * The curve over the helper's latency, in one pass: for every base fault, how
 * long its entry had been both asked for and there to be built.  A helper that
 * takes no longer avoids it.  Queue, lock and second-order effects are left out.
 */
const uint64_t spht_curve_ns[SPHT_CURVE_POINTS] = {
	0,    50,    100,   200,   300,   500,    700,    1000,   1500,    2000,    3000,     5000,
	7000, 10000, 15000, 20000, 50000, 100000, 200000, 500000, 1000000, 5000000, 10000000,
};

#define NOT_LEGAL (1ull << 63) /* asked for then, and not legal yet */
#define WATCHED   (1ull << 62) /* and waited for; else given up when the helper has looked */

void spht_w_want(struct spht_whatif *w, uint32_t page, uint32_t table, unsigned int index,
		 bool watch)
{
	bool legal = spht_w_legal(w, spht_w_state(w, table, index));
	struct spht_wpage *p = &w->pages[page];

	if (!p->wanted_ns) {
		p->wanted_ns = calloc(SPHT_PT_ENTRIES, sizeof(*p->wanted_ns));
		if (!p->wanted_ns) {
			w->no_memory = true;
			return;
		}
		spht_w_list(w, table, page);
	}
	if (p->wanted_ns[index] && !(p->wanted_ns[index] & NOT_LEGAL))
		return;
	/* 0 says that nobody asked. */
	p->wanted_ns[index] = w->now_ns + 1;
	if (!legal)
		p->wanted_ns[index] |= NOT_LEGAL | (watch ? WATCHED : 0);
}

void spht_w_want_changed(struct spht_whatif *w, uint32_t page, unsigned int index, bool legal)
{
	uint64_t *want = &w->pages[page].wanted_ns[index];

	if (!*want)
		return;
	if (!legal && !(*want & NOT_LEGAL)) {
		*want = 0; /* what was built of it is gone */
	} else if (legal && (*want & NOT_LEGAL)) {
		/* What the fault itself shows, and what the guest does at once, is seen at once. */
		if (!(*want & WATCHED) && (*want & ~NOT_LEGAL) != w->now_ns + 1) {
			*want = 0;
			return;
		}
		*want &= ~(NOT_LEGAL | WATCHED);
		if (*want < w->changed_ns + 1)
			*want = w->changed_ns + 1;
	}
}

void spht_w_want_met(struct spht_whatif *w, uint32_t page, unsigned int index)
{
	uint64_t *want = w->pages[page].wanted_ns ? &w->pages[page].wanted_ns[index] : NULL;

	if (!want || !*want)
		return;
	/* Another vCPU's clock may be behind the one that asked. */
	if (!(*want & NOT_LEGAL) && *want <= w->now_ns + 1)
		spht_w_curve_add(w, w->now_ns + 1 - *want);
	*want = 0;
}

void spht_w_curve_add(struct spht_whatif *w, uint64_t slack)
{
	struct spht_account *book = spht_w_book(w, w->outside);

	for (unsigned int i = 0; i < SPHT_CURVE_POINTS && spht_curve_ns[i] <= slack; i++)
		book->curve[i]++;
}
