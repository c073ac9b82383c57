/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_ROI_H
#define SPHT_ROI_H

#include "mark.h"
#include "spht_trace.h"

/*
 * A region of interest: from the first mark of one value to the first of
 * another after it; and a warm-up, before whose end nothing counts.  All of the
 * recording is replayed; what begins inside of the one and after the other counts.
 */
#define SPHT_ROI_TEXT   160
#define SPHT_ROI_LISTED 32 /* distinct marks that an error message can name */

struct spht_roi {
	char text[SPHT_ROI_TEXT]; /* as given: "make..end"; "": all of the recording */
	char warmup[SPHT_ROI_TEXT]; /* as given: "30", "10%", "make"; "": none */
	struct spht_marks *marks;
	uint32_t first, last; /* values of the marks, */
	bool has_first, has_last; /* where they are given; */
	bool met_first, met_last; /* and met */
	bool known; /* both are names or numbers */
	uint32_t warm_mark; /* ends the warm-up, */
	bool has_warm_mark, warm_known, met_warm_mark; /* if it is a mark; one that there is; met */
	uint64_t begin, warm; /* where region and warm-up let counting begin, UINT64_MAX: not yet */
	uint64_t from,
		to; /* ns of the recording's clock, @to excluded: @from is the later of both */
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
/* Whether @text is SECONDS (30, 1.5), N% (below 100) or may be a mark. */
bool spht_warmup_valid(const char *text);
/*
 * After spht_roi_open(): nothing counts before the warm-up @text (NULL: none) of a
 * recording with this @header, from @start to @end, ns, has ended.  Digits alone are
 * seconds; a mark's number has to begin with 0x.  Returns 0 or -1 with @err set.
 */
int spht_roi_warmup(struct spht_roi *roi, const char *text, const json_t *header, uint64_t start,
		    uint64_t end, struct spht_error *err);
void spht_roi_close(struct spht_roi *roi);
/* Before the event goes to anyone else: is it a mark that begins or ends the region? */
void spht_roi_event(struct spht_roi *roi, const struct spht_event_type *type,
		    const struct spht_event *ev);
/* Every event has been seen.  -1 with @err set where marks were not met or nothing is left. */
int spht_roi_finish(const struct spht_roi *roi, struct spht_error *err);

/* Is there anything that does not count? */
static inline bool spht_roi_given(const struct spht_roi *roi)
{
	return *roi->text || *roi->warmup;
}

/* Does what began at @ns count? */
static inline bool spht_roi_has(const struct spht_roi *roi, uint64_t ns)
{
	return ns >= roi->from && ns < roi->to;
}

#endif
