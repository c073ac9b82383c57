// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/kvmstats.h"

/* An integer, or hex digits where JSON's are too short. */
static bool value(const json_t *v, uint64_t *out)
{
	const char *s = json_string_value(v);
	char *end;

	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*out = (uint64_t)json_integer_value(v);
		return true;
	}
	if (!s || *s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoull(s, &end, 0);
	return !*end && !errno;
}

/* "vcpu0/pf_taken" and its like, summed. */
static bool sum_vcpus(const json_t *stats, const char *name, uint64_t *out)
{
	bool any = false;
	const char *key;
	json_t *v;

	*out = 0;
	json_object_foreach((json_t *)stats, key, v)
	{
		const char *slash = strchr(key, '/');
		uint64_t one;

		if (strncmp(key, "vcpu", 4) || !slash || strcmp(slash + 1, name) || !value(v, &one))
			continue;
		*out += one;
		any = true;
	}
	return any;
}

/* The one VM's counters; NULL where there are several. */
static const json_t *only_vm(const json_t *vms, const char **key)
{
	void *it = json_object_iter((json_t *)vms);

	if (json_object_size(vms) != 1)
		return NULL;
	*key = json_object_iter_key(it);
	return json_object_iter_value(it);
}

static bool counter(const json_t *stats, const char *name, uint64_t *out)
{
	return value(json_object_get(stats, name), out) || sum_vcpus(stats, name, out);
}

static const json_t *stats_before(const json_t *header)
{
	return json_object_get(json_object_get(json_object_get(header, "kvm"), "stats"), "before");
}

static const json_t *stats_after(const json_t *header, const json_t *footer)
{
	const json_t *stats = json_object_get(json_object_get(header, "kvm"), "stats");
	const json_t *after = json_object_get(stats, "after");

	return after ? after : json_object_get(json_object_get(footer, "kvm_stats"), "after");
}

void spht_kvmstats_span(const json_t *header, const json_t *footer, uint64_t *from, uint64_t *to)
{
	const char *clock = json_string_value(json_object_get(header, "clock"));

	*from = 0;
	*to = UINT64_MAX;
	if (!clock || (strcmp(clock, "mono") && strcmp(clock, "x86-tsc")))
		return;
	if (!value(json_object_get(stats_before(header), "mono"), from) ||
	    !value(json_object_get(stats_after(header, footer), "mono"), to)) {
		*from = 0;
		*to = UINT64_MAX;
	}
}

bool spht_kvmstats_rise(const json_t *header, const json_t *footer, const char *name,
			uint64_t *rise)
{
	const json_t *before = stats_before(header), *after = stats_after(header, footer);
	const json_t *vm, *vms;
	uint64_t from = 0, to;
	const char *key = NULL;

	if (!json_is_object(before) || !json_is_object(after))
		return false;
	vms = json_object_get(after, "vms");
	vm = only_vm(vms, &key);
	if (vm) {
		/* One that was made during the recording began at 0. */
		const json_t *was = json_object_get(json_object_get(before, "vms"), key);

		if (!counter(vm, name, &to) || (was && !counter(was, name, &from)))
			return false;
	} else if (json_object_size(vms)) {
		return false;
	} else if (counter(after, name, &to)) {
		if (!counter(before, name, &from))
			return false;
	} else if (!counter(json_object_get(after, "global"), name, &to) ||
		   !counter(json_object_get(before, "global"), name, &from)) {
		return false;
	}
	*rise = to - from;
	return to >= from;
}
