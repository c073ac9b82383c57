// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "replay/role.h"

static const struct spht_role_layout layouts[] = {
	{"2.6.32", 4, 16, 17, 3, 20, 1, 2, 4, 0},
	{"5.10-6.18", 0, 7, 8, 3, 11, 1, 2, 4, 17},
	{"7.2", 0, 7, 8, 4, 12, 8, 2, 4, 17},
};

const struct spht_role_layout *spht_role_layout(const char *release, struct spht_error *err)
{
	unsigned int major = 0, minor = 0, patch = 0, v;

	if (!release || sscanf(release, "%u.%u.%u", &major, &minor, &patch) < 2) {
		spht_error_set(
			err, "the trace does not say which host kernel recorded it, so role words "
			     "cannot be decoded; import with --set host.kernel=RELEASE");
		return NULL;
	}
	v = major * 1000 + minor;
	if (v == 2006 && patch == 32)
		return &layouts[0];
	if (v >= 5010 && v <= 6018)
		return &layouts[1];
	if (v == 7002)
		return &layouts[2];
	spht_error_set(err,
		       "no role layout is known for host kernel %s; known are 2.6.32, 5.10 to 6.18 "
		       "and 7.2",
		       release);
	return NULL;
}
