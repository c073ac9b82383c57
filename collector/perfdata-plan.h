/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PERFDATA_PLAN_H
#define SPHT_PERFDATA_PLAN_H

#include <jansson.h>

#include "perfdata-meta.h"
#include "types.h"

/*
 * What the parent must know before the first event, a new JSON object as that of
 * tracedat_plan(); "stats" is empty, because perf keeps no books of what was written.
 */
json_t *perfdata_plan(const struct perfdata_meta *m, const struct spht_types *types);
/* The name of the clock of event @a, as ftrace calls it; NULL for one that has none. */
const char *perfdata_clock(const struct perfdata_attr *a);

#endif
