/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_PLAN_H
#define SPHT_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "types.h"

/* What the plans of all kinds of recordings have in common. */

/* jansson's integers are signed. */
json_t *spht_plan_hex(uint64_t v);
/* Sets @key unless the text is empty or no UTF-8. */
void spht_plan_text(json_t *object, const char *key, const char *text, size_t len);
/* Puts "formats", "not_stored" and "origin" into @header. */
void spht_plan_common(json_t *header, json_t *formats, const struct spht_types *types,
		      const char *format);
/*
 * The list "missing": what no foreign recording has, "cpu model", "host kernel",
 * "clock" and "event formats" where @header does not have them, and "per-CPU statistics".
 */
json_t *spht_plan_missing(const json_t *header, bool stats_known);

#endif
