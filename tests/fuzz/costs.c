// SPDX-License-Identifier: LGPL-2.1-or-later
/* Cost profiles: whatever the bytes, a profile that can be used or a message. */
#include "fuzz.h"
#include "mutate.h"
#include "replay/costs.h"

#define MAX_NS 1000000000u

static void check(const struct spht_costs *c)
{
	uint64_t last = 0;

	for (unsigned int cls = 0; cls < SPHT_CLASS_NR; cls++)
		if (c->exit_ns[cls] > MAX_NS)
			fuzz_broken("an exit of class %u takes too long", cls);
	if (c->nr_leads < 2 || c->nr_leads > SPHT_COSTS_LEADS || !c->helper_batch ||
	    c->helper_lock_ns > c->helper_build_ns ||
	    !(c->touch_probability >= 0 && c->touch_probability <= 1))
		fuzz_broken("a profile was taken that cannot be used");
	for (unsigned int i = 0; i <= 1000; i++) {
		uint64_t lead = spht_costs_lead(c, i / 1000.0);

		if (lead < last || lead > MAX_NS)
			fuzz_broken("lead times do not rise at quantile %u/1000", i);
		last = lead;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spht_error err = {""};
	struct spht_costs c;

	if (spht_costs_load(&c, fuzz_file(data, size), &err))
		fuzz_message(err.text);
	else
		check(&c);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct dice d = dice_of(seed);

	return mutate_json(&d, data, size, max);
}
