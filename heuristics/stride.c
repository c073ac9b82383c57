// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reference prediction table.  The paper keys it by the program counter of a
 * load; a #PF exit has none that is always recorded, so an entry follows one
 * 2 MiB region of one address space.
 *
 * The rule, with delta = page - last page of the entry:
 *   first fault of a region: an entry is made, without a stride, with confidence
 *     (conf_max + 1) / 2, which is gem5's 4 of 7;
 *   delta 0: nothing is learned, forgotten or asked;
 *   delta confirms the stride: confidence + 1, at most conf_max; then, if it is at
 *     least conf_threshold_pct of conf_max, degree pages are asked for;
 *   any other delta: confidence - 1, at least 0; below the threshold, or while
 *     there is no stride, delta becomes the stride (a delta beyond
 *     max_stride_pages: none).  Nothing is asked.
 * So with any setting a stride has been seen twice before anything is asked.
 *
 * The paper's table is trained by every access, this one only by faults, and
 * each page built well is a fault not seen.  With follow=1 a fault up to one
 * stride past the pages that this entry asked for at its last fault confirms
 * the stride too, if it is a whole number of strides away.
 */
#include "heuristic.h"

enum { ENTRIES, WAYS, DEGREE, DISTANCE, CONF_MAX, CONF_PCT, LONGEST, FOLLOW, CROSS, ON, NR };

static const struct spht_param stride_params[] = {
	/* name, type, default, min, max, pow2, unit, choices, help */
	[ENTRIES] = {"entries", SPHT_PARAM_INT, 64, 1, 65536, true, "entries", NULL,
		     "regions followed at a time; default 64: gem5 table_entries"},
	[WAYS] = {"ways", SPHT_PARAM_INT, 4, 1, 64, true, "entries", NULL,
		  "entries of a set (LRU), at most all; default 4: gem5 table_assoc"},
	[DEGREE] = {"degree", SPHT_PARAM_INT, 4, 1, 511, false, "pages", NULL,
		    "pages asked for at a time; default 4: gem5 degree"},
	[DISTANCE] = {"distance", SPHT_PARAM_INT, 0, 0, 511, false, "strides", NULL,
		      "strides skipped before the first page; default 0: gem5 distance"},
	[CONF_MAX] = {"conf_max", SPHT_PARAM_INT, 7, 1, 255, false, "", NULL,
		      "top confidence; starts at (top + 1) / 2; default 7: gem5, 3 bits from 4"},
	[CONF_PCT] = {"conf_threshold_pct", SPHT_PARAM_INT, 50, 1, 100, false, "%", NULL,
		      "part of conf_max needed to ask; default 50: gem5 confidence_threshold"},
	[LONGEST] = {"max_stride_pages", SPHT_PARAM_INT, 511, 1, 511, false, "pages", NULL,
		     "longest stride learned, either way; default 511: no limit, as gem5"},
	[FOLLOW] = {"follow", SPHT_PARAM_BOOL, 1, 0, 1, false, "", NULL,
		    "1: a fault past pages asked for confirms too; default 1: as hits train RPT"},
	[CROSS] = {"cross", SPHT_PARAM_BOOL, 0, 0, 1, false, "", NULL,
		   "1: may leave the fault's 2 MiB region; default 0: that takes a second page "
		   "table"},
	[ON] = SPHT_PARAM_ON,
};

struct stride_entry {
	uint64_t space, region, vpn; /* vpn: of the last fault */
	uint64_t used; /* tick of the last fault; 0: free */
	int32_t stride; /* pages; 0: none yet, a real one never is */
	uint8_t conf;
	bool asked; /* at the last fault */
};

struct stride_table {
	uint64_t tick;
	struct stride_entry entries[];
};

static size_t stride_state_size(const int64_t *params)
{
	return sizeof(struct stride_table) + params[ENTRIES] * sizeof(struct stride_entry);
}

/* The entry of the fault's region; a new one, its victim the least recently used of the set. */
static struct stride_entry *find(struct stride_table *table, const int64_t *params,
				 const struct spht_fault *fault)
{
	uint64_t region = fault->vpn >> SPHT_REGION_SHIFT;
	uint64_t ways = params[WAYS] < params[ENTRIES] ? params[WAYS] : params[ENTRIES];
	/* Neighbouring regions get neighbouring sets, address spaces a start of their own. */
	uint64_t set =
		(region + (fault->space * 0x9e3779b97f4a7c15ull >> 32)) % (params[ENTRIES] / ways);
	struct stride_entry *entry = &table->entries[set * ways], *victim = entry;

	for (; entry < &table->entries[(set + 1) * ways]; entry++) {
		if (entry->used && entry->space == fault->space && entry->region == region) {
			entry->used = ++table->tick;
			return entry;
		}
		if (entry->used < victim->used)
			victim = entry;
	}
	*victim = (struct stride_entry){.space = fault->space,
					.region = region,
					.vpn = fault->vpn,
					.used = ++table->tick,
					.conf = (params[CONF_MAX] + 1) / 2};
	return victim;
}

static bool confirms(const struct stride_entry *entry, const int64_t *params, int64_t delta)
{
	int64_t reach = 1;

	if (!entry->stride || delta % entry->stride)
		return false;
	if (entry->asked && params[FOLLOW])
		reach += params[DISTANCE] + params[DEGREE];
	return delta / entry->stride >= 1 && delta / entry->stride <= reach;
}

static bool confident(const struct stride_entry *entry, const int64_t *params)
{
	return entry->conf * 100 >= params[CONF_PCT] * params[CONF_MAX];
}

static void stride_fault(void *state, const int64_t *params, const struct spht_fault *fault,
			 struct spht_host *host)
{
	struct stride_entry *entry;
	int64_t delta;

	if (!spht_is_on(fault, params[ON]))
		return;
	entry = find(state, params, fault);
	delta = (int64_t)(fault->vpn - entry->vpn);
	if (!delta)
		return;
	entry->vpn = fault->vpn;
	if (!confirms(entry, params, delta)) {
		entry->asked = false;
		entry->conf -= entry->conf > 0;
		if (!entry->stride || !confident(entry, params))
			entry->stride = (delta < 0 ? -delta : delta) <= params[LONGEST] ? delta : 0;
		return;
	}
	entry->conf += entry->conf < params[CONF_MAX];
	entry->asked = confident(entry, params);
	if (!entry->asked)
		return;
	for (int64_t i = 1; i <= params[DEGREE]; i++) {
		uint64_t vpn;

		if (!spht_vpn_add(fault->vpn, entry->stride * (params[DISTANCE] + i), params[CROSS],
				  &vpn))
			break;
		spht_request(host, fault->space, vpn);
	}
}

SPHT_HEURISTIC(
	stride, .name = "stride",
	.summary = "reference prediction table: repeated strides inside a 2 MiB region",
	.cite = "Chen and Baer, Effective Hardware-Based Data Prefetching for High-Performance "
		"Processors, IEEE Trans. Computers 44(5), 1995; gem5 StridePrefetcher",
	.params = stride_params, .nr_params = NR, .state_size = stride_state_size,
	.fault = stride_fault);
