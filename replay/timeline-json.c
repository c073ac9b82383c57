// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <string.h>

#include "replay/report.h"

/* Processes of the trace.  Threads are numbered from 1: 0 has a meaning of its own. */
enum { PID_GUEST = 1, PID_HELPERS, PID_LOCK };

#define GVA_SIGN UINT64_C(0xffff000000000000)

static const char *const outcomes[SPHT_TL_OUTCOMES] = {
	[SPHT_TL_NOTHING] = "not avoidable",
	[SPHT_TL_REMAINS] = "remains",
	[SPHT_TL_DIRECT] = "avoided direct",
	[SPHT_TL_SIDE] = "avoided side",
	[SPHT_TL_LATE] = "late",
	[SPHT_TL_WEAK] = "too weak",
	[SPHT_TL_UNREACHED] = "out of reach",
	[SPHT_TL_REFLECTED] = "reflected",
	[SPHT_TL_TAKEN] = "taken up",
	[SPHT_TL_WATCH] = "watched",
	[SPHT_TL_ILLEGAL] = "illegal",
	[SPHT_TL_UNKNOWN] = "unknown",
	[SPHT_TL_DUPLICATE] = "duplicate",
	[SPHT_TL_BUILT] = "built",
	[SPHT_TL_REFUSED] = "refused",
};

static const char *const notes[SPHT_TL_NOTES] = {
	[SPHT_TL_PROVEN] = "new exit, proven", [SPHT_TL_POSSIBLE] = "new exit, possible",
	[SPHT_TL_KICK] = "helper exit",        [SPHT_TL_FULL] = "queue full",
	[SPHT_TL_LOSS] = "events lost",
};

static const char *const counters[SPHT_TL_COUNTERS] = {
	[SPHT_TL_QUEUED] = "requests queued",
	[SPHT_TL_WATCHED] = "entries watched",
	[SPHT_TL_UNUSED] = "entries built and unused",
	[SPHT_TL_WAITERS] = "waiting for mmu_lock",
};

struct writer {
	FILE *out;
	const struct spht_timeline *t;
	const struct spht_recording *rec;
	bool comma;
	int64_t value[SPHT_TL_COUNTERS], told[SPHT_TL_COUNTERS];
	uint64_t ns; /* of the change */
};

static unsigned int pid_of(const struct spht_tl_event *e)
{
	if (e->kind == SPHT_TL_HOLD || e->room == SPHT_TL_NOBODY)
		return PID_LOCK;
	return e->room == SPHT_TL_VCPU ? PID_GUEST : PID_HELPERS;
}

/* Microseconds, with the nanoseconds kept: a double would lose them. */
static void put_us(FILE *out, const char *key, uint64_t ns)
{
	fprintf(out, "\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned int)(ns % 1000));
}

static void begin(struct writer *w, const char *phase, unsigned int pid, unsigned int tid,
		  uint64_t ns)
{
	fprintf(w->out, "%s\n{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,", w->comma ? "," : "", phase,
		pid, tid);
	put_us(w->out, "ts", ns);
	w->comma = true;
}

/* A page as an address: which byte of it was touched is not kept. */
static void put_page(FILE *out, uint64_t vpn)
{
	gva_t gva = vpn << SPHT_PAGE_SHIFT;

	fprintf(out, "\"gva\":\"0x%" PRIx64 "\"", spht_vpn_upper(vpn) ? gva | GVA_SIGN : gva);
}

/* The shadow page by its gfn, which is that of the guest's table or of what it maps. */
static void put_entry(struct writer *w, const struct spht_tl_event *e)
{
	const struct spht_shadow *shadow = spht_observed_shadow(w->rec->observed);

	if (e->page == SPHT_NO_ID)
		return;
	fprintf(w->out, ",\"%s\":\"0x%" PRIx64 "\",\"index\":%u", e->direct ? "gfn" : "table_gfn",
		spht_shadow_gfn(shadow, e->page) + (e->direct ? e->index : 0), e->index);
}

static void put_exit(struct writer *w, const struct spht_tl_event *e)
{
	FILE *out = w->out;

	fprintf(out, ",\"args\":{\"recorded_s\":%" PRIu64 ".%09" PRIu64,
		e->recorded_ns / 1000000000, e->recorded_ns % 1000000000);
	if (e->pf) {
		fprintf(out, ",\"class\":\"%s\",", spht_class_name(e->cls));
		put_page(out, e->vpn);
		put_entry(w, e);
		fprintf(out,
			",\"error_code\":\"0x%x\",\"rip\":\"0x%" PRIx64 "\",\"outcome\":\"%s\"",
			e->pfec, e->rip, outcomes[e->outcome]);
		if (e->refault)
			fputs(",\"refault\":true", out);
	}
	if (e->n)
		fprintf(out, ",\"requests\":%u", e->n);
	fputs(e->outside ? ",\"counts\":false}" : "}", out);
}

static void put_work(struct writer *w, const struct spht_tl_event *e)
{
	fputs(",\"args\":{", w->out);
	put_page(w->out, e->vpn);
	put_entry(w, e);
	if (e->kind != SPHT_TL_BUILD)
		fprintf(w->out, ",\"outcome\":\"%s\"",
			e->kind == SPHT_TL_INSTALL && e->outcome == SPHT_TL_NOTHING
				? "not over"
				: outcomes[e->outcome]);
	fputs(e->outside ? ",\"counts\":false}" : "}", w->out);
}

static bool is_avoided(const struct spht_tl_event *e)
{
	return e->outcome == SPHT_TL_DIRECT || e->outcome == SPHT_TL_SIDE;
}

static const char *exit_name(const struct spht_tl_event *e)
{
	if (is_avoided(e) || e->outcome == SPHT_TL_REFLECTED)
		return outcomes[e->outcome];
	return e->pf ? spht_class_name(e->cls) : "exit";
}

static void slice(struct writer *w, const struct spht_tl_event *e, const char *cat,
		  const char *name)
{
	bool hold = e->kind == SPHT_TL_HOLD;

	begin(w, "X", pid_of(e), 1u + (hold ? e->index : e->number), e->ns);
	fputc(',', w->out);
	put_us(w->out, "dur", e->dur);
	fprintf(w->out, ",\"cat\":\"%s\",\"name\":\"%s", cat, name);
	if (hold)
		fprintf(w->out, "%u", e->number);
	fputc('"', w->out);
}

static void put_slice(struct writer *w, const struct spht_tl_event *e)
{
	switch (e->kind) {
	case SPHT_TL_GUEST:
		slice(w, e, "guest", "guest");
		break;
	case SPHT_TL_OTHERS:
		slice(w, e, "exit", "other exits");
		fprintf(w->out, ",\"args\":{\"exits\":%u}", e->n);
		break;
	case SPHT_TL_BEHIND:
		slice(w, e, "guest", "not running");
		break;
	case SPHT_TL_EXIT:
		slice(w, e, is_avoided(e) ? "avoided" : "exit", exit_name(e));
		put_exit(w, e);
		break;
	case SPHT_TL_SERVED:
		slice(w, e, "lock", "mmu_lock");
		break;
	case SPHT_TL_WAIT:
		slice(w, e, "wait", "wait for mmu_lock");
		break;
	case SPHT_TL_HOLD:
		slice(w, e, "lock", e->room == SPHT_TL_VCPU ? "vCPU " : "helper ");
		break;
	case SPHT_TL_KEEP:
		slice(w, e, "helper", "keep mmu_lock");
		break;
	default:
		slice(w, e, "helper",
		      e->kind == SPHT_TL_READ    ? "look"
		      : e->kind == SPHT_TL_BUILD ? "build"
						 : "install");
		put_work(w, e);
		break;
	}
	fputc('}', w->out);
}

static void put_note(struct writer *w, const struct spht_tl_event *e)
{
	begin(w, "i", pid_of(e), 1u + e->number, e->ns);
	fprintf(w->out, ",\"s\":\"%s\",\"cat\":\"note\",\"name\":\"%s\",\"args\":{\"n\":%u}}",
		e->what == SPHT_TL_LOSS ? "g" : "t", notes[e->what], e->n);
}

static void put_point(struct writer *w, const struct spht_tl_event *e)
{
	static const char *const phases[] = {"s", "t", "f"};

	begin(w, phases[e->what], pid_of(e), 1u + e->number, e->ns);
	fprintf(w->out, ",\"bp\":\"e\",\"cat\":\"request\",\"name\":\"request\",\"id\":%u}", e->n);
}

/* What counters came to at one instant, once. */
static void put_counters(struct writer *w)
{
	for (unsigned int i = 0; i < SPHT_TL_COUNTERS; i++) {
		/* What a vCPU that lags behind uses may be told before it was built. */
		int64_t value = w->value[i] > 0 ? w->value[i] : 0;

		if (value == w->told[i])
			continue;
		w->told[i] = value;
		begin(w, "C", i == SPHT_TL_WAITERS ? PID_LOCK : PID_HELPERS, 0, w->ns);
		fprintf(w->out, ",\"name\":\"%s\",\"args\":{\"value\":%" PRId64 "}}", counters[i],
			value);
	}
}

static void put_events(struct writer *w)
{
	/* All of them are told once, at the beginning. */
	for (unsigned int i = 0; i < SPHT_TL_COUNTERS; i++)
		w->told[i] = -1;
	w->ns = w->t->v[w->t->order[0]].ns;
	for (uint32_t i = 0; i < w->t->nr; i++) {
		const struct spht_tl_event *e = &w->t->v[w->t->order[i]];

		if (e->ns != w->ns)
			put_counters(w);
		w->ns = e->ns;
		if (e->kind == SPHT_TL_COUNT) {
			w->value[e->what] += e->delta;
		} else if (e->kind == SPHT_TL_NOTE) {
			put_note(w, e);
		} else if (e->kind == SPHT_TL_FLOW) {
			put_point(w, e);
		} else {
			put_slice(w, e);
		}
	}
	put_counters(w);
}

/* @number < 0: of the process, else of a thread; its place in the list is its number. */
static void name_it(struct writer *w, unsigned int pid, int number, const char *text)
{
	const char *what = number < 0 ? "process" : "thread";
	int place = number < 0 ? (int)pid : number;

	begin(w, "M", pid, (unsigned int)(number + 1), 0);
	fprintf(w->out, ",\"name\":\"%s_name\",\"args\":{\"name\":\"%s\"}}", what, text);
	begin(w, "M", pid, (unsigned int)(number + 1), 0);
	fprintf(w->out, ",\"name\":\"%s_sort_index\",\"args\":{\"sort_index\":%d}}", what, place);
}

static void name_threads(struct writer *w, unsigned int pid, unsigned int nr, const char *what)
{
	char text[64];

	for (unsigned int i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "%s %u", what, i);
		name_it(w, pid, (int)i, text);
	}
}

static double seconds(const struct spht_timeline *t, uint64_t ns)
{
	return (double)(ns - t->start) / 1e9;
}

static void put_names(struct writer *w)
{
	const struct spht_timeline *t = w->t;

	name_it(w, PID_GUEST, -1, "guest (virtual time)");
	name_threads(w, PID_GUEST, t->vcpus, "vCPU");
	name_it(w, PID_HELPERS, -1, "helpers (virtual time)");
	name_threads(w, PID_HELPERS, t->helpers, "helper");
	name_it(w, PID_LOCK, -1, "mmu_lock (virtual time)");
	name_it(w, PID_LOCK, 0, "held by");
	for (unsigned int i = 1; i < t->lanes; i++)
		name_it(w, PID_LOCK, (int)i, "held by, overlapping");
	if (!t->full)
		return;
	begin(w, "M", PID_GUEST, 0, 0);
	fprintf(w->out,
		",\"name\":\"process_labels\",\"args\":{\"labels\":\"CUT at %.9f s of the "
		"recording: "
		"%u events are all that a timeline holds\"}}",
		seconds(t, t->end_ns), t->max_events);
}

/* The row's columns that say whose it is, and what is shown of that.  NULL: memory. */
static json_t *provenance(const struct writer *w, const struct spht_row *row)
{
	const struct spht_timeline *t = w->t;
	json_t *o = json_object();
	bool bad = !o;

	for (unsigned int i = 0; i < row->nr && strcmp(row->f[i].name, "seed"); i++) {
		const struct spht_field *f = &row->f[i];
		json_t *v = f->kind == SPHT_FIELD_TEXT    ? json_string(f->text)
			    : f->kind == SPHT_FIELD_COUNT ? json_integer((json_int_t)f->count)
			    : f->kind == SPHT_FIELD_REAL  ? json_real(f->real)
							  : json_null();

		/* A name need not be UTF-8; JSON must be. */
		bad |= json_object_set_new(o, f->name, v ? v : json_string("(not UTF-8)"));
	}
	bad |= json_object_set_new(
		o, "time",
		json_string("ts and dur are virtual time of the what-if run, in microseconds; "
			    "recorded_s in args is the recording's clock"));
	bad |= json_object_set_new(o, "window_from_s", json_real(seconds(t, t->from)));
	bad |= json_object_set_new(o, "window_to_s",
				   t->full || t->all_exits ? json_real(seconds(t, t->end_ns))
				   : t->to == UINT64_MAX   ? json_null()
							   : json_real(seconds(t, t->to)));
	bad |= json_object_set_new(o, "exits", json_integer(t->exits));
	bad |= json_object_set_new(
		o, "cut",
		t->full ? json_sprintf("after %u events, all that a timeline holds", t->max_events)
		: t->all_exits
			? json_sprintf("after %u exits, the default; --timeline-window=FROM..TO "
				       "takes more",
				       t->max_exits)
			: json_null());
	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

int spht_timeline_write(FILE *out, const struct spht_timeline *t, const struct spht_recording *rec,
			const struct spht_row *row)
{
	struct writer w = {.out = out, .t = t, .rec = rec};
	json_t *meta = provenance(&w, row);
	int ret;

	if (!meta)
		return -1;
	fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":", out);
	ret = json_dumpf(meta, out, JSON_COMPACT | JSON_REAL_PRECISION(15) | JSON_ENSURE_ASCII);
	json_decref(meta);
	/* What could not be written shows in ferror(). */
	if (ret && !ferror(out))
		return -1;
	fputs(",\n\"traceEvents\":[", out);
	put_names(&w);
	put_events(&w);
	fputs("\n]}\n", out);
	return 0;
}

void spht_text_timeline(FILE *out, const struct spht_timeline *t, const char *path)
{
	uint64_t builds = 0, first = t->nr ? t->v[t->order[0]].ns : 0, last = first;

	for (uint32_t i = 0; i < t->nr; i++) {
		builds += t->v[i].kind == SPHT_TL_INSTALL;
		last = t->v[i].ns + t->v[i].dur > last ? t->v[i].ns + t->v[i].dur : last;
	}
	fprintf(out,
		"      timeline          %s: %u exits from %.6f s on, %" PRIu64
		" builds, %.6f s of virtual time%s\n",
		path, t->exits, seconds(t, t->from), builds, (double)(last - first) / 1e9,
		t->full        ? "; CUT"
		: t->all_exits ? "; --timeline-window for more"
			       : "");
}
