// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/timeline.h"

#define MAX_SECONDS 1e9

/* One end of a window: digits with at most one point, up to @stop.  False: it is none. */
static bool parse_end(const char *s, const char *stop, uint64_t none, uint64_t *ns)
{
	size_t len = (size_t)(stop - s), digits = strspn(s, "0123456789");
	char text[32], *end;
	double v;

	*ns = none;
	if (!len)
		return true;
	if (len >= sizeof(text) || !digits)
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	if (text[strspn(text, "0123456789.")])
		return false;
	v = strtod(text, &end);
	if (*end || v > MAX_SECONDS)
		return false;
	*ns = (uint64_t)(v * 1e9 + 0.5);
	return true;
}

int spht_tl_window_parse(struct spht_tl_window *w, const char *arg, struct spht_error *err)
{
	const char *dots = strstr(arg, "..");

	w->given = true;
	if (dots && parse_end(arg, dots, 0, &w->from) &&
	    parse_end(dots + 2, dots + strlen(dots), UINT64_MAX, &w->to) && w->from < w->to)
		return 0;
	spht_error_set(err,
		       "--timeline-window=%.160s: expected FROM..TO in seconds of the recording, "
		       "FROM before TO, e.g. 12.5..13; one may be left out",
		       arg);
	return -1;
}

static uint64_t after(uint64_t a, uint64_t b)
{
	return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

void spht_timeline_init(struct spht_timeline *t, const struct spht_tl_window *w, uint64_t start,
			uint64_t begin)
{
	memset(t, 0, sizeof(*t));
	t->start = start;
	t->from = w->given ? after(start, w->from) : begin;
	t->to = w->given ? after(start, w->to) : after(begin, SPHT_TL_SECOND);
	t->max_exits = w->given ? UINT32_MAX : SPHT_TL_EXITS;
	t->max_events = SPHT_TL_MAX_EVENTS;
}

void spht_timeline_close(struct spht_timeline *t)
{
	for (uint32_t i = 0; t->built && i < t->nr_built; i++)
		free(t->built[i]);
	free(t->built);
	free(t->v);
	free(t->order);
	free(t->requests);
	memset(t, 0, sizeof(*t));
}

/* Room for one more of @size bytes in @v. */
static bool has_room(struct spht_timeline *t, void **v, uint32_t nr, uint32_t *cap, size_t size)
{
	uint32_t more = *cap ? 2 * *cap : 1024;
	void *p;

	if (nr < *cap)
		return true;
	p = more > *cap ? realloc(*v, more * size) : NULL;
	if (!p) {
		t->no_memory = true;
		return false;
	}
	*v = p;
	*cap = more;
	return true;
}

uint32_t spht_timeline_add(struct spht_timeline *t, enum spht_tl_kind kind, uint64_t ns,
			   uint64_t dur)
{
	void *v = t->v;

	if (!has_room(t, &v, t->nr, &t->cap, sizeof(*t->v)))
		return 0;
	t->v = v;
	t->v[t->nr++] = (struct spht_tl_event){.kind = (uint8_t)kind, .ns = ns, .dur = dur};
	return t->nr;
}

uint32_t spht_timeline_ask(struct spht_timeline *t, uint64_t ns, unsigned int vcpu)
{
	void *v = t->requests;

	if (!has_room(t, &v, t->nr_requests, &t->cap_requests, sizeof(*t->requests)))
		return 0;
	t->requests = v;
	t->requests[t->nr_requests++] =
		(struct spht_tl_request){.ns = ns, .asked = t->current, .vcpu = (uint16_t)vcpu};
	return t->nr_requests;
}

/* A point of arrow @n in slice @at (+ 1), at @ns or as near as the slice goes. */
static void add_point(struct spht_timeline *t, uint32_t n, uint32_t at, uint64_t ns,
		      enum spht_tl_point what)
{
	const struct spht_tl_event in = t->v[at - 1];
	uint64_t last = in.dur ? in.ns + in.dur - 1 : in.ns;
	uint32_t i = spht_timeline_add(t, SPHT_TL_FLOW,
				       ns < in.ns  ? in.ns
				       : ns > last ? last
						   : ns,
				       0);

	if (!i)
		return;
	t->v[i - 1].n = n;
	t->v[i - 1].what = (uint8_t)what;
	t->v[i - 1].room = in.room;
	t->v[i - 1].number = in.number;
}

/* From the request to the build to the fault; an arrow has two ends at least. */
static void add_arrows(struct spht_timeline *t)
{
	for (uint32_t i = 0; i < t->nr_requests && !t->no_memory; i++) {
		const struct spht_tl_request *r = &t->requests[i];
		bool built = r->built;

		/* Another vCPU's fault can be before the build: that came late from the start. */
		if (built && r->met && t->v[r->met - 1].ns < t->v[r->built - 1].ns)
			built = false;
		if (!r->asked || (!built && !r->met))
			continue;
		add_point(t, i + 1, r->asked, r->ns, SPHT_TL_BEGIN);
		if (built)
			add_point(t, i + 1, r->built, t->v[r->built - 1].ns,
				  r->met ? SPHT_TL_STEP : SPHT_TL_END);
		if (r->met)
			add_point(t, i + 1, r->met, t->v[r->met - 1].ns, SPHT_TL_END);
	}
}

static int by_time(const void *a, const void *b, void *timeline)
{
	const struct spht_timeline *t = timeline;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	/* What encloses another was added before it. */
	if (t->v[x].ns != t->v[y].ns)
		return t->v[x].ns < t->v[y].ns ? -1 : 1;
	return x < y ? -1 : x > y;
}

#define MAX_LANES 16

/*
 * The model remembers only the last holds of mmu_lock: where vCPUs are far apart two can
 * overlap, and then the second one is shown beside the first.
 */
static void part_holds(struct spht_timeline *t)
{
	uint64_t until[MAX_LANES] = {0};

	t->lanes = 1;
	for (uint32_t i = 0; i < t->nr; i++) {
		struct spht_tl_event *e = &t->v[t->order[i]];
		uint16_t lane = 0;

		if (e->kind != SPHT_TL_HOLD)
			continue;
		while (until[lane] > e->ns && lane < MAX_LANES - 1)
			lane++;
		e->index = lane;
		until[lane] = e->ns + e->dur;
		if (lane >= t->lanes)
			t->lanes = lane + 1u;
	}
}

int spht_timeline_finish(struct spht_timeline *t, struct spht_error *err)
{
	if (!t->exits) {
		spht_error_set(err, "no exit of this recording is in the timeline's window, %.9f..",
			       (double)(t->from - t->start) / 1e9);
		return -1;
	}
	add_arrows(t);
	t->order = t->no_memory ? NULL : malloc(t->nr * sizeof(*t->order));
	if (!t->order) {
		spht_error_set(err, "out of memory for a timeline of %u exits", t->exits);
		return -1;
	}
	for (uint32_t i = 0; i < t->nr; i++)
		t->order[i] = i;
	qsort_r(t->order, t->nr, sizeof(*t->order), by_time, t);
	part_holds(t);
	return 0;
}
