// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/roi.h"

bool spht_roi_valid(const char *text)
{
	return strlen(text) > 2 && strlen(text) < SPHT_ROI_TEXT && strstr(text, "..");
}

/* One side of the text, @len bytes of it.  False where it is no mark of this recording's. */
static bool find_side(const struct spht_marks *m, const char *s, size_t len, uint32_t *value,
		      bool *given)
{
	char side[SPHT_ROI_TEXT];

	*given = len != 0;
	if (!len)
		return true;
	memcpy(side, s, len);
	side[len] = '\0';
	return spht_mark_find(m, side, value);
}

/* Names may have dots in them: the first ".." that has a mark on each side divides. */
static bool find_sides(struct spht_roi *r)
{
	for (const char *dots = r->text; (dots = strstr(dots, "..")); dots++) {
		const char *end = dots + 2;

		if (find_side(r->marks, r->text, (size_t)(dots - r->text), &r->first,
			      &r->has_first) &&
		    find_side(r->marks, end, strlen(end), &r->last, &r->has_last) &&
		    (r->has_first || r->has_last))
			return true;
	}
	return false;
}

int spht_roi_open(struct spht_roi *r, const char *text, const json_t *header,
		  struct spht_error *err)
{
	memset(r, 0, sizeof(*r));
	r->to = UINT64_MAX;
	r->known = true;
	if (!text)
		return 0;
	snprintf(r->text, sizeof(r->text), "%s", text);
	r->marks = spht_marks_open(header);
	if (!r->marks) {
		spht_error_set(err, "out of memory");
		return -1;
	}
	r->known = find_sides(r);
	/* Nothing counts until its first mark has come. */
	if (r->has_first || !r->known)
		r->from = UINT64_MAX;
	return 0;
}

void spht_roi_close(struct spht_roi *r)
{
	spht_marks_close(r->marks);
	r->marks = NULL;
}

static void list(struct spht_roi *r, uint32_t value)
{
	r->nr_marks++;
	for (unsigned int i = 0; i < r->nr_listed; i++)
		if (r->listed[i] == value)
			return;
	if (r->nr_listed < SPHT_ROI_LISTED)
		r->listed[r->nr_listed++] = value;
}

void spht_roi_event(struct spht_roi *r, const struct spht_event_type *type,
		    const struct spht_event *ev)
{
	uint32_t value;

	if (!r->marks || !spht_mark_read(r->marks, type, ev, &value))
		return;
	list(r, value);
	if (r->has_first && !r->met_first) {
		r->met_first = value == r->first;
		if (r->met_first)
			r->from = ev->ts;
		return; /* the other one comes after it */
	}
	if (r->has_last && !r->met_last && value == r->last) {
		r->met_last = true;
		r->to = ev->ts;
	}
}

#define FEW_MARKS 8
#define MANY_FROM 0x100

/* "0x1 (boot), 0x2 (make)": the marks that there are. */
static void describe(const struct spht_roi *r, char *buf, size_t size)
{
	unsigned int more = 0;
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < r->nr_listed && len < size; i++) {
		const char *name = spht_mark_name(r->marks, r->listed[i]);

		/* Objects are many; what one wants to name are the phases, which have low numbers. */
		if (r->nr_listed > FEW_MARKS && r->listed[i] >= MANY_FROM) {
			more++;
			continue;
		}
		len += (size_t)snprintf(buf + len, size - len, "%s0x%" PRIx32, len ? ", " : "",
					r->listed[i]);
		if (name && len < size)
			len += (size_t)snprintf(buf + len, size - len, " (%.40s)", name);
	}
	if (more && len < size)
		len += (size_t)snprintf(buf + len, size - len,
					"%s%u more (spht-trace info --marks)", len ? " and " : "",
					more);
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	if (len >= size)
		strcpy(buf + size - 4, "...");
}

int spht_roi_finish(const struct spht_roi *r, struct spht_error *err)
{
	bool first = r->has_first && !r->met_first;
	char there[240];

	if (!r->marks || (r->known && !first && (!r->has_last || r->met_last)))
		return 0;
	describe(r, there, sizeof(there));
	if (!r->nr_marks)
		spht_error_set(err,
			       "--roi=%s: the recording has no marks (kvm_pio writes to port "
			       "0x%" PRIx32 "); record with kvm:kvm_pio and let the guest mark",
			       r->text, spht_marks_port(r->marks));
	else if (!r->known)
		spht_error_set(err, "--roi=%s: no such marks; there are %s", r->text, there);
	else
		spht_error_set(err, "--roi=%s: no mark 0x%" PRIx32 "%s; there are %s", r->text,
			       first ? r->first : r->last,
			       !first && r->has_first ? " after the first one" : "", there);
	return -1;
}
