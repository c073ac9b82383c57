/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TYPES_H
#define SPHT_TYPES_H

#include <event-parse.h>
#include <jansson.h>

#include "spht_error.h"
#include "spht_event.h"

/*
 * The events of a recording that are stored, found out once through
 * libtraceevent: where each value lies in a record and in which slots it goes.
 */
struct spht_types;

/*
 * Of the events that @tep knows those of KVM, or @all of them, sorted by system
 * and name.  @name is the file and @kind what it is ("trace.dat"), for messages;
 * both and @tep are borrowed.  NULL with @err set.
 */
struct spht_types *spht_types_new(struct tep_handle *tep, bool all, const char *name,
				  const char *kind, struct spht_error *err);
void spht_types_free(struct spht_types *t);

/* For spht_writer_open(); borrowed. */
const struct spht_event_type *spht_types_list(const struct spht_types *t, unsigned int *nr);
/* [{"system", "name", "fields": [{"name", "size", "signed", "array"}]}], in order. */
json_t *spht_types_json(const struct spht_types *t);
/* {"system/event": [field, ...]} of what cannot be stored. */
json_t *spht_types_not_stored(const struct spht_types *t);

/*
 * Fills @ev, all but ts, cpu and preamble, from the @size bytes of a raw
 * @record; of v[] only the words that the type has.  1; 0 when the event is
 * none of these (it is counted as skipped); -1 when the record is shorter than
 * its format.  Several threads may do so at once.
 */
int spht_types_read(struct spht_types *t, const void *record, int size, struct spht_event *ev);
/* How many words of v[] events of @type have. */
unsigned int spht_types_words(const struct spht_types *t, unsigned int type);
/* [[system, event, count], ...] since the beginning. */
json_t *spht_types_skipped(const struct spht_types *t);

#endif
