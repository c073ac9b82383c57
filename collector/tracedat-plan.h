/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_PLAN_H
#define SPHT_TRACEDAT_PLAN_H

#include <jansson.h>

#include "tracedat-meta.h"
#include "types.h"

/*
 * What the parent must know before the first event, a new JSON object:
 * "header": that part of the .spht header which the trace.dat can fill,
 * "types": the event types, "bytes": how much is to be read (hex),
 * "stats": [[cpu, known, written, overrun, dropped, commit overrun], ...] (hex),
 * "notes": lines for the user.
 */
json_t *tracedat_plan(const struct tracedat_meta *m, const struct spht_types *types);

#endif
