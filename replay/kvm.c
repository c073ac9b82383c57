// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>

#include "replay/kvm.h"

static const struct {
	unsigned int from[2]; /* first release, major and minor, with these rules */
	struct spht_kvm kvm;
} rules[] = {
	/* name, prefetches, invlpg_prefetches, direct_trails, bypasses */
	{{0, 0}, {"2.6.32", false, false, false, true}},
	{{2, 7}, {"5.10", true, true, false, false}},
	{{5, 15}, {"6.1", true, true, true, false}},
	{{6, 4}, {"6.12", true, false, true, false}},
};

#define NR_RULES (sizeof(rules) / sizeof(rules[0]))

const struct spht_kvm *spht_kvm_of_release(const char *release)
{
	unsigned int major = 0, minor = 0, found = NR_RULES - 1;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return &rules[found].kvm;
	while (found && (major < rules[found].from[0] ||
			 (major == rules[found].from[0] && minor < rules[found].from[1])))
		found--;
	return &rules[found].kvm;
}

const struct spht_kvm *spht_kvm_find(const char *name)
{
	for (unsigned int i = 0; i < NR_RULES; i++)
		if (!strcmp(name, rules[i].kvm.name))
			return &rules[i].kvm;
	return NULL;
}

const char *spht_kvm_names(void)
{
	return "2.6.32, 5.10, 6.1 or 6.12";
}
