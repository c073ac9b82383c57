// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/roi.h"

/* 30 years: more is no recording's. */
#define SPHT_WARMUP_MAX_S 1e9

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
		r->begin = r->from = UINT64_MAX;
	return 0;
}

/* SECONDS, or N%: true. */
static bool read_amount(const char *text, double *amount, bool *percent)
{
	char *end;

	if (*text < '0' || *text > '9' || (text[0] == '0' && (text[1] | 32) == 'x'))
		return false;
	*amount = strtod(text, &end);
	*percent = *end == '%';
	return !end[*percent] && *amount >= 0 && *amount < (*percent ? 100 : SPHT_WARMUP_MAX_S);
}

bool spht_warmup_valid(const char *text)
{
	double amount;
	bool percent;

	if (!*text || strlen(text) >= SPHT_ROI_TEXT)
		return false;
	if (read_amount(text, &amount, &percent))
		return true;
	/* Figures that are no amount are no name either. */
	return text[strspn(text, "0123456789.eE+-")] && text[strlen(text) - 1] != '%';
}

static void set_from(struct spht_roi *r)
{
	r->from = r->begin > r->warm ? r->begin : r->warm;
}

int spht_roi_warmup(struct spht_roi *r, const char *text, const json_t *header, uint64_t start,
		    uint64_t end, struct spht_error *err)
{
	double amount, span = end > start ? (double)(end - start) : 0;
	bool percent;

	if (!text)
		return 0;
	snprintf(r->warmup, sizeof(r->warmup), "%s", text);
	if (read_amount(text, &amount, &percent)) {
		amount *= percent ? span / 100 : 1e9;
		if (amount > span) {
			spht_error_set(err,
				       "--warmup=%s: the recording is only %.3f s long; nothing "
				       "is left to count",
				       r->warmup, span / 1e9);
			return -1;
		}
		r->warm = start + (uint64_t)amount;
		set_from(r);
		return 0;
	}
	if (!r->marks)
		r->marks = spht_marks_open(header);
	if (!r->marks) {
		spht_error_set(err, "out of memory");
		return -1;
	}
	r->has_warm_mark = true;
	r->warm_known = spht_mark_find(r->marks, text, &r->warm_mark);
	r->warm = UINT64_MAX;
	set_from(r);
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
	if (r->has_warm_mark && r->warm_known && !r->met_warm_mark && value == r->warm_mark) {
		r->met_warm_mark = true;
		r->warm = ev->ts;
		set_from(r);
	}
	if (r->has_first && !r->met_first) {
		r->met_first = value == r->first;
		if (r->met_first) {
			r->begin = ev->ts;
			set_from(r);
		}
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

/* Marks of @option, which were not @known or not met. */
static void complain(const struct spht_roi *r, const char *option, bool known, uint32_t value,
		     const char *where, struct spht_error *err)
{
	char there[240];

	describe(r, there, sizeof(there));
	if (!r->nr_marks)
		spht_error_set(err,
			       "%s: the recording has no marks (kvm_pio writes to port "
			       "0x%" PRIx32 "); record with kvm:kvm_pio and let the guest mark",
			       option, spht_marks_port(r->marks));
	else if (!known)
		spht_error_set(err, "%s: no such marks; there are %s", option, there);
	else
		spht_error_set(err, "%s: no mark 0x%" PRIx32 "%s; there are %s", option, value,
			       where, there);
}

int spht_roi_finish(const struct spht_roi *r, struct spht_error *err)
{
	bool first = r->has_first && !r->met_first;
	char option[SPHT_ROI_TEXT + 16];

	if (*r->text && (!r->known || first || (r->has_last && !r->met_last))) {
		snprintf(option, sizeof(option), "--roi=%s", r->text);
		complain(r, option, r->known, first ? r->first : r->last,
			 !first && r->has_first ? " after the first one" : "", err);
		return -1;
	}
	if (r->has_warm_mark && !r->met_warm_mark) {
		snprintf(option, sizeof(option), "--warmup=%s", r->warmup);
		complain(r, option, r->warm_known, r->warm_mark, "", err);
		return -1;
	}
	if (!*r->warmup || r->from < r->to)
		return 0;
	spht_error_set(err,
		       "--warmup=%.80s ends where --roi=%.80s is over; nothing is left to count",
		       r->warmup, r->text);
	return -1;
}
