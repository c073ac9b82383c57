// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "plan.h"

void spht_plan_common(json_t *header, json_t *formats, const struct spht_types *types,
		      const char *format)
{
	json_t *j = spht_types_not_stored(types);

	if (json_object_size(formats))
		json_object_set(header, "formats", formats);
	if (json_object_size(j))
		json_object_set(header, "not_stored", j);
	json_decref(j);
	json_object_set_new(header, "origin", json_pack("{s:s}", "format", format));
}

json_t *spht_plan_missing(const json_t *header, bool stats_known)
{
	static const char *const never[] = {
		"kvm module parameters",
		"guest description",
		"memslots",
		"debugfs counters",
	};
	const json_t *host = json_object_get(header, "host");
	json_t *j = json_array();

	if (!json_object_get(host, "cpu_model"))
		json_array_append_new(j, json_string("cpu model"));
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		json_array_append_new(j, json_string(never[i]));
	if (!json_object_get(host, "kernel"))
		json_array_append_new(j, json_string("host kernel"));
	if (!json_object_get(header, "clock"))
		json_array_append_new(j, json_string("clock"));
	if (!stats_known)
		json_array_append_new(j, json_string("per-CPU statistics"));
	if (!json_object_get(header, "formats"))
		json_array_append_new(j, json_string("event formats"));
	return j;
}
