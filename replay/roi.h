/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ROI_H
#define SPHT_ROI_H

#include "mark.h"
#include "spht_trace.h"

/*
 * A region of interest: from the first mark of one value to the first of
 * another after it.  All of the recording is replayed; what begins inside counts.
 */
#define SPHT_ROI_TEXT   160
#define SPHT_ROI_LISTED 32 /* distinct marks that an error message can name */

struct spht_roi {
	char text[SPHT_ROI_TEXT]; /* as given: "make..end"; "": all of the recording */
	struct spht_marks *marks;
	uint32_t first, last; /* values of the marks, */
	bool has_first, has_last; /* where they are given; */
	bool met_first, met_last; /* and met */
	bool known; /* both are names or numbers */
	uint64_t from, to; /* ns of the recording's clock, @to excluded */
	uint64_t nr_marks;
	uint32_t listed[SPHT_ROI_LISTED];
	unsigned int nr_listed;
};

/* Whether @text has the form MARK..MARK, one of which may be empty. */
bool spht_roi_valid(const char *text);
/*
 * The region @text (NULL: all) of a recording with this @header, which gives
 * marks their names.  Returns 0 or -1 with @err set.
 */
int spht_roi_open(struct spht_roi *roi, const char *text, const json_t *header,
		  struct spht_error *err);
void spht_roi_close(struct spht_roi *roi);
/* Before the event goes to anyone else: is it a mark that begins or ends the region? */
void spht_roi_event(struct spht_roi *roi, const struct spht_event_type *type,
		    const struct spht_event *ev);
/* Every event has been seen.  -1 with @err set where the marks were not met. */
int spht_roi_finish(const struct spht_roi *roi, struct spht_error *err);

/* Does what began at @ns count? */
static inline bool spht_roi_has(const struct spht_roi *roi, uint64_t ns)
{
	return ns >= roi->from && ns < roi->to;
}

#endif
