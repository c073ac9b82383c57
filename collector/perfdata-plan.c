// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "perfdata-plan.h"
#include "plan.h"

const char *perfdata_clock(const struct perfdata_attr *a)
{
	/* The kernel's sched_clock(), made to agree between CPUs; ftrace has it by this name too. */
	if (!a->has_clockid)
		return "perf";
	switch (a->clockid) {
	case CLOCK_MONOTONIC:
		return "mono";
	case CLOCK_MONOTONIC_RAW:
		return "mono_raw";
	case CLOCK_BOOTTIME:
		return "boot";
	case CLOCK_TAI:
		return "tai";
	case CLOCK_REALTIME:
		return "realtime";
	default:
		return NULL;
	}
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		spht_json_text(object, key, text, strlen(text));
}

/* The name of the machine is nobody's business. */
static json_t *host(const struct perfdata_meta *m)
{
	json_t *j = json_object();

	set_text(j, "kernel", m->release);
	set_text(j, "machine", m->arch);
	set_text(j, "cpu_model", m->cpu_model);
	/* "GenuineIntel,6,85,4" */
	if (m->cpu_id)
		spht_json_text(j, "cpu_vendor", m->cpu_id, strcspn(m->cpu_id, ","));
	if (m->cpus_online)
		json_object_set_new(j, "cpus", json_integer(m->cpus_online));
	return j;
}

static json_t *recorder(const struct perfdata_meta *m)
{
	json_t *j = json_object();
	char tool[96];

	if (m->version && *m->version) {
		snprintf(tool, sizeof(tool), "perf %s", m->version);
		set_text(j, "tool", tool);
	}
	if (m->has_clock_data)
		json_object_set_new(j, "clock_reference",
				    json_pack("{s:o, s:o}", "realtime",
					      spht_json_hex(m->clock_wall), "clock",
					      spht_json_hex(m->clock_time)));
	if (m->filtered)
		json_object_set_new(j, "filtered", json_true());
	return j;
}

static json_t *notes(const struct perfdata_meta *m)
{
	unsigned int again = 0;
	bool overwrites = false;
	json_t *j = json_array();

	for (unsigned int i = 0; i < m->nr_attrs; i++) {
		again += m->attrs[i].again;
		overwrites |= m->attrs[i].wanted && m->attrs[i].overwrites;
	}
	if (again)
		json_array_append_new(j,
				      json_sprintf("%u tracepoints were recorded more than once; "
						   "of each the first is taken",
						   again));
	if (m->filtered)
		json_array_append_new(j,
				      json_string("perf record was given a --filter: events that "
						  "it left out are not counted"));
	if (overwrites)
		json_array_append_new(j, json_string("recorded with --overwrite: only the last "
						     "events before its end are there"));
	return j;
}

static const char *clock_of(const struct perfdata_meta *m)
{
	for (unsigned int i = 0; i < m->nr_attrs; i++)
		if (m->attrs[i].wanted)
			return perfdata_clock(&m->attrs[i]);
	return NULL;
}

json_t *perfdata_plan(const struct perfdata_meta *m, const struct spht_types *types)
{
	json_t *plan = json_object(), *header = json_object();

	json_object_set_new(header, "host", host(m));
	set_text(header, "clock", clock_of(m));
	json_object_set_new(header, "clock_real", json_null());
	json_object_set_new(header, "recorder", recorder(m));
	spht_plan_common(header, m->formats, types,
			 m->compressed ? "perf.data v2 zstd" : "perf.data v2 none");
	json_object_set_new(header, "missing", spht_plan_missing(header, false));
	json_object_set_new(plan, "header", header);
	json_object_set_new(plan, "types", spht_types_json(types));
	json_object_set_new(plan, "stats", json_array());
	json_object_set_new(plan, "notes", notes(m));
	json_object_set_new(plan, "bytes", spht_json_hex(m->data_size));
	return plan;
}
