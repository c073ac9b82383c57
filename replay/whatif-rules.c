// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "replay/whatif-local.h"

/*
 * What a result would look like without some of the rules, for the table that
 * shows what each of them is worth (--rules).  The first two levels have no
 * helper and no MMU of their own: they count faults on pages asked for before.
 */
static const char *const names[SPHT_RULES_NR] = {"naive", "validity", "lifetime", "prefetch",
						 "all"};

const char *spht_rules_name(enum spht_rules rules)
{
	return rules < SPHT_RULES_NR ? names[rules] : "?";
}

/* Remembers for good that the page was asked for. */
static void mark(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	struct spht_whatif *w = (struct spht_whatif *)host;
	uint32_t id;

	if (vpn > SPHT_VPN_MASK)
		return;
	/* No fault is ever in a region that the recording does not know. */
	id = spht_idmap_find(&w->c->shadow->regions, space, vpn >> SPHT_LEVEL_BITS);
	if (id == SPHT_NO_ID)
		return;
	if (!w->asked[id])
		w->asked[id] = calloc(SPHT_MMU_WORDS, sizeof(**w->asked));
	if (w->asked[id])
		spht_bit_set(w->asked[id], spht_vpn_index(vpn, 1));
	else
		w->no_memory = true;
}

int spht_rules_init(struct spht_whatif *w)
{
	if (w->c->rules > SPHT_RULES_VALIDITY)
		return 0;
	w->asked = calloc(w->c->shadow->regions.nr + 1u, sizeof(*w->asked));
	w->host.request = w->host.watch = mark;
	return w->asked ? 0 : -1;
}

void spht_rules_close(struct spht_whatif *w)
{
	for (uint32_t i = 0; w->asked && i < w->c->shadow->regions.nr; i++)
		free(w->asked[i]);
	free(w->asked);
}

void spht_rules_count(struct spht_whatif *w, const struct spht_step *s)
{
	struct spht_account *here = spht_w_book(w, w->outside);
	bool base = s->flags & SPHT_STEP_BASE;
	bool met = base && w->asked[s->region] &&
		   spht_bit(w->asked[s->region], spht_vpn_index(s->vpn, 1));

	if (met && w->c->rules == SPHT_RULES_VALIDITY) {
		uint8_t st = spht_w_state(w, s->table, s->index);

		met = !(s->flags & SPHT_STEP_FORCED) && spht_w_may_avoid(w, s) &&
		      spht_w_legal(w, st) &&
		      (!(s->flags & SPHT_STEP_NEED_W) || (st & SPHT_GPTE_WRITABLE));
	}
	here->avoided_direct += met;
	if (!met && (s->flags & (SPHT_STEP_BASE | SPHT_STEP_UNMODELLED)))
		spht_w_remains(here, s);
}
