/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PLAN_H
#define SPHT_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "json.h"
#include "types.h"

/* What the plans of all kinds of recordings have in common. */

/* Puts "formats", "not_stored" and "origin" into @header. */
void spht_plan_common(json_t *header, json_t *formats, const struct spht_types *types,
		      const char *format);
/*
 * The list "missing": what no foreign recording has, "cpu model", "host kernel",
 * "clock" and "event formats" where @header does not have them, and "per-CPU statistics".
 */
json_t *spht_plan_missing(const json_t *header, bool stats_known);

#endif
