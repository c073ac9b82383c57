/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TRACEDAT_TYPES_H
#define SPHT_TRACEDAT_TYPES_H

#include <event-parse.h>
#include <jansson.h>

#include "spht_error.h"
#include "tracedat.h"

/*
 * The events of a trace.dat that are stored, found out once through
 * libtraceevent: where each value lies in a record and in which slots it goes.
 */
struct tracedat_types;

/* NULL with @err set; @name is that of the file. */
struct tracedat_types *tracedat_types_new(struct tep_handle *tep, const char *name,
					  struct spht_error *err);
void tracedat_types_free(struct tracedat_types *t);

/* [{"system", "name", "fields": [{"name", "size", "signed", "array"}]}], in order. */
json_t *tracedat_types_json(const struct tracedat_types *t);
/* {"system/event": [field, ...]} of what cannot be stored. */
json_t *tracedat_types_not_stored(const struct tracedat_types *t);
unsigned int tracedat_types_count(const struct tracedat_types *t);

/*
 * Fills all of @ev but ts and cpu from @rec.  1; 0 when the event belongs to
 * another system (it is counted as skipped); -1 with @err set when the record
 * is shorter than its format.
 */
int tracedat_types_read(struct tracedat_types *t, const struct tep_record *rec,
			struct tracedat_event *ev, struct spht_error *err);
/* [[system, event, count], ...] since the beginning. */
json_t *tracedat_types_skipped(const struct tracedat_types *t);

#endif
