/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_WHATIF_H
#define SPHT_WHATIF_H

#include "replay/account.h"
#include "replay/costs.h"
#include "replay/guest.h"
#include "replay/heuristic_spec.h"
#include "replay/mmu.h"
#include "replay/step.h"

/*
 * A what-if: the recording's exogenous events replayed against an MMU of its
 * own, in one world of the guest's page tables, with a helper on a second core.
 */
enum spht_legality { SPHT_LEGAL_ACCESSED, SPHT_LEGAL_PRESENT };

struct spht_whatif_config {
	struct spht_shadow *shadow;
	const struct spht_steps *steps;
	const struct spht_change *changes; /* of the world */
	size_t nr_changes;
	const struct spht_mmu *observed; /* at the end: what `none` must equal */
	enum spht_world world;
	const struct spht_spec *spec;
	const struct spht_costs *costs;
	enum spht_legality legality;
	unsigned int window; /* KVM's own prefetch */
	bool helper_prefetch;
	bool clock_real; /* recorded durations hold */
	double guest_time_scale;
	/*
	 * Steps from @from on and before @to (ns of the recording's clock) count; 0 and
	 * UINT64_MAX: all.  Exits count where they are, requests where they are made, and
	 * what becomes of a request with it.
	 */
	uint64_t from, to;
};

/* Runs it.  Returns 0, or -1 with @err set (memory). */
int spht_whatif_run(const struct spht_whatif_config *config, struct spht_account *account,
		    struct spht_error *err);

#endif
