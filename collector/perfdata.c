// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "feed.h"
#include "le.h"
#include "perfdata-losses.h"
#include "perfdata-meta.h"
#include "perfdata-order.h"
#include "perfdata-plan.h"
#include "perfdata-sample.h"
#include "perfdata-stream.h"
#include "spht_trace.h"
#include "types.h"

#define RECORD_AGAIN "record anew with perf record -a -e 'kvm:*,kvmmmu:*'"

/* The child of an import: one process reads a whole perf.data. */
struct reading {
	const struct spht_feed_job *job;
	struct spht_feed_out out;
	struct spht_error err;
	struct span_file f;
	struct perfdata_meta meta;
	struct perfdata_ids ids;
	struct tep_handle *tep;
	struct spht_types *types;
	struct perfdata_stream *stream;
	struct perfdata_order *order;
	struct perfdata_losses *losses;
	struct spht_feed_book books[SPHT_MAX_CPUS];
	uint64_t *samples; /* by event: those that are not taken */
	uint64_t records[256]; /* by type: those that are nobody's; the last stands for all above */
};

static int refused(struct reading *r, const char *event, const char *why)
{
	spht_error_set(&r->err, "%s: event %.64s %s", r->job->name, event ? event : "?", why);
	return -1;
}

/* What a tracepoint of KVM must have so that nothing is missing from it. */
static int check_attr(struct reading *r, const struct perfdata_attr *a)
{
	if (!(a->sample_type & PERF_SAMPLE_TIME))
		return refused(r, a->name,
			       "has no time stamps: record without --no-timestamp, or with -T");
	if (!(a->sample_type & PERF_SAMPLE_CPU))
		return refused(r, a->name,
			       "does not say on which CPU it happened: record with perf record "
			       "--sample-cpu, or -a");
	if (!(a->sample_type & PERF_SAMPLE_RAW))
		return refused(r, a->name, "has no fields: record with perf record -R");
	if (a->is_freq || a->period != 1)
		return refused(
			r, a->name,
			"was sampled, so that most of its events are missing: record without "
			"-c and -F");
	if (a->sample_type & PERF_SAMPLE_READ && a->read_format >> 5)
		return refused(r, a->name,
			       "has counters of a kind that is not known: record without :S");
	if (!perfdata_clock(a))
		return refused(r, a->name,
			       "has a clock of its own: record with -k mono, or without -k");
	return 0;
}

/* Which events are taken: each tracepoint of KVM once. */
static int choose_attrs(struct reading *r)
{
	const char *clock = NULL;

	for (unsigned int i = 0; i < r->meta.nr_attrs; i++) {
		struct perfdata_attr *a = &r->meta.attrs[i];
		struct tep_event *e = NULL;

		if (a->type == PERF_TYPE_TRACEPOINT && a->config <= INT32_MAX)
			e = tep_find_event(r->tep, (int)a->config);
		if (!e || (strcmp(e->system, "kvm") && strcmp(e->system, "kvmmmu")))
			continue;
		for (unsigned int k = 0; k < i && !a->again; k++)
			a->again = r->meta.attrs[k].wanted && r->meta.attrs[k].config == a->config;
		if (a->again)
			continue;
		a->wanted = true;
		if (check_attr(r, a))
			return -1;
		if (clock && strcmp(clock, perfdata_clock(a)))
			return refused(r, a->name,
				       "has another clock than the others: " RECORD_AGAIN);
		clock = perfdata_clock(a);
	}
	if (clock)
		return 0;
	spht_error_set(&r->err, "%s: has no events of the systems kvm and kvmmmu%s; " RECORD_AGAIN,
		       r->job->name,
		       r->meta.tracing_size ? "" : " (nor the formats of any tracepoint)");
	return -1;
}

static int order_failed(struct reading *r, int why)
{
	uint64_t ts, reached;
	unsigned int cpu;

	if (why == PERFDATA_ORDER_MEMORY) {
		span_no_memory(&r->f);
	} else if (why == PERFDATA_ORDER_LATE) {
		perfdata_order_late(r->order, &cpu, &ts, &reached);
		spht_error_set(&r->err,
			       "%s: damaged or unsupported perf.data: on CPU %u an event of time "
			       "%" PRIu64 " ns comes after those of %" PRIu64
			       " ns have been put in "
			       "order; record anew with smaller buffers (perf record -m), by CPU "
			       "(-a) and not by thread",
			       r->job->name, cpu, ts, reached);
	}
	return -1;
}

/* A loss that stands before the next event of its CPU. */
static int put_lost(void *arg, unsigned int cpu, uint64_t ts, uint64_t lost)
{
	struct reading *r = arg;
	struct spht_feed_event out;
	int rc = perfdata_order_add(r->order, &out, spht_feed_encode_lost(&out, ts, cpu, lost));

	return rc ? order_failed(r, rc) : 0;
}

static int emit(void *arg, const struct spht_feed_event *ev, size_t len)
{
	struct reading *r = arg;

	return spht_feed_put(&r->out, ev, len);
}

static int too_short(struct reading *r, const struct perfdata_record *rec)
{
	return span_damaged(&r->f, rec->offset,
			    "a record of type %u has %zu bytes, too few for "
			    "what it should hold",
			    rec->type, rec->size);
}

static int on_event(struct reading *r, const struct perfdata_record *rec,
		    const struct perfdata_attr *a)
{
	struct perfdata_sample s;
	struct spht_event ev = {0};
	struct spht_feed_event out;
	int rc;

	if (perfdata_sample_read(a, rec, &s))
		return too_short(r, rec);
	if (s.cpu >= SPHT_MAX_CPUS)
		return span_damaged(&r->f, rec->offset, "an event of CPU %u", s.cpu);
	r->books[s.cpu].read++;
	rc = spht_types_read(r->types, s.raw, (int)s.raw_size, &ev);
	if (rc < 0)
		return span_damaged(&r->f, rec->offset,
				    "an event of %u bytes is shorter than its format", s.raw_size);
	if (!rc)
		return 0;
	if (perfdata_losses_before(r->losses, s.cpu, s.time))
		return -1;
	ev.ts = s.time;
	ev.cpu = (uint16_t)s.cpu;
	rc = perfdata_order_add(r->order, &out,
				spht_feed_encode(&out, &ev, spht_types_words(r->types, ev.type)));
	return rc ? order_failed(r, rc) : 0;
}

static int on_sample(struct reading *r, const struct perfdata_record *rec)
{
	unsigned int attr;
	int rc = perfdata_sample_attr(&r->meta, &r->ids, rec, &attr);

	if (rc < 0)
		return too_short(r, rec);
	if (!rc)
		return span_damaged(&r->f, rec->offset, "a sample of an event that is not listed");
	/* Without numbers all lie alike, and the tracepoint's record says which one it is. */
	if (r->meta.attrs[attr].wanted)
		return on_event(r, rec, &r->meta.attrs[attr]);
	r->samples[attr]++;
	return 0;
}

/* LOST: event, number; LOST_SAMPLES: number; THROTTLE: time, event, stream. */
static int on_loss(struct reading *r, const struct perfdata_record *rec)
{
	static const size_t fixed[] = {
		[PERFDATA_LOST] = 16, [PERFDATA_LOST_SAMPLES] = 8, [PERFDATA_THROTTLE] = 24};
	struct perfdata_sample s;
	struct perfdata_id *id;

	if (perfdata_sample_trailer(&r->meta, &r->ids, rec, fixed[rec->type], &s))
		return too_short(r, rec);
	if (s.has_cpu && s.cpu >= SPHT_MAX_CPUS)
		return span_damaged(&r->f, rec->offset, "a loss on CPU %u", s.cpu);
	if (rec->type == PERFDATA_LOST)
		return perfdata_losses_at(r->losses, &s, spht_get64(rec->p + PERFDATA_HEAD + 8));
	id = s.has_id ? perfdata_meta_id(&r->meta, s.id) : NULL;
	if (id && !r->meta.attrs[id->attr].wanted)
		return 0;
	if (rec->type == PERFDATA_THROTTLE)
		return perfdata_losses_at(r->losses, &s, SPHT_LOST_UNKNOWN);
	perfdata_losses_total(r->losses, id, rec->misc, spht_get64(rec->p + PERFDATA_HEAD));
	return 0;
}

/* A number of events, then number, index, CPU and thread of each. */
static int on_id_index(struct reading *r, const struct perfdata_record *rec)
{
	const uint8_t *p = rec->p + PERFDATA_HEAD;
	uint64_t nr;

	if (rec->size < PERFDATA_HEAD + 8)
		return too_short(r, rec);
	nr = spht_get64(p);
	if (nr > (rec->size - PERFDATA_HEAD - 8) / 32)
		return too_short(r, rec);
	for (p += 8; nr--; p += 32) {
		struct perfdata_id *id = perfdata_meta_id(&r->meta, spht_get64(p));

		if (id && spht_get64(p + 16) < SPHT_MAX_CPUS)
			id->cpu = (int32_t)spht_get64(p + 16);
	}
	return 0;
}

static int on_record(struct reading *r, const struct perfdata_record *rec)
{
	int rc;

	switch (rec->type) {
	case PERFDATA_SAMPLE:
		return on_sample(r, rec);
	case PERFDATA_LOST:
	case PERFDATA_LOST_SAMPLES:
	case PERFDATA_THROTTLE:
		return on_loss(r, rec);
	case PERFDATA_FINISHED_ROUND:
		rc = perfdata_order_round(r->order);
		return rc ? order_failed(r, rc) : 0;
	case PERFDATA_ID_INDEX:
		return on_id_index(r, rec);
	case PERFDATA_AUX:
	case PERFDATA_AUXTRACE_INFO:
	case PERFDATA_AUXTRACE:
		spht_error_set(&r->err,
			       "%s: has hardware traces (Intel PT, AUX area); " RECORD_AGAIN,
			       r->job->name);
		return -1;
	case PERFDATA_TRACING_DATA:
		return span_damaged(&r->f, rec->offset, "formats in the middle of the data");
	default:
		r->records[rec->type < 255 ? rec->type : 255]++;
		return 0;
	}
}

static int read_records(struct reading *r)
{
	struct perfdata_record rec;
	int rc;

	while ((rc = perfdata_stream_next(r->stream, &rec)) > 0) {
		r->out.done = perfdata_stream_done(r->stream);
		if (on_record(r, &rec) || spht_feed_tick(&r->out))
			return -1;
	}
	if (rc < 0)
		return -1;
	if (perfdata_losses_end(r->losses, perfdata_stream_is_cut(r->stream)))
		return -1;
	rc = perfdata_order_end(r->order);
	if (rc)
		return order_failed(r, rc);
	return spht_feed_flush(&r->out);
}

/* Only what JSON can hold and a terminal will not obey. */
static bool is_plain(const char *text)
{
	for (; text && *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return text;
}

static void add_skipped(json_t *all, const char *system, const char *event, uint64_t nr,
			bool record)
{
	json_t *j;

	if (!nr)
		return;
	j = json_pack("[s, s, I]", system, event, (json_int_t)(nr & INT64_MAX));
	/* No event of its own: it is named, but not counted with them. */
	if (record)
		json_array_append_new(j, json_true());
	json_array_append_new(all, j);
}

static json_t *skipped(const struct reading *r)
{
	static const char *const names[256] = {
		[1] = "MMAP",
		[3] = "COMM",
		[4] = "EXIT",
		[6] = "UNTHROTTLE",
		[7] = "FORK",
		[8] = "READ",
		[10] = "MMAP2",
		[12] = "ITRACE_START",
		[14] = "SWITCH",
		[15] = "SWITCH_CPU_WIDE",
		[16] = "NAMESPACES",
		[17] = "KSYMBOL",
		[18] = "BPF_EVENT",
		[19] = "CGROUP",
		[20] = "TEXT_POKE",
		[21] = "AUX_OUTPUT_HW_ID",
		[64] = "ATTR",
		[65] = "EVENT_TYPE",
		[67] = "BUILD_ID",
		[72] = "AUXTRACE_ERROR",
		[73] = "THREAD_MAP",
		[74] = "CPU_MAP",
		[75] = "STAT_CONFIG",
		[76] = "STAT",
		[77] = "STAT_ROUND",
		[78] = "EVENT_UPDATE",
		[79] = "TIME_CONV",
		[80] = "FEATURE",
		[82] = "FINISHED_INIT",
		[84] = "BPF_METADATA",
		[255] = "type 255 or above",
	};
	json_t *all = spht_types_skipped(r->types);
	char number[32];

	for (unsigned int i = 0; i < r->meta.nr_attrs; i++) {
		const struct perfdata_attr *a = &r->meta.attrs[i];

		add_skipped(all, a->again ? "recorded again" : "perf",
			    is_plain(a->name) ? a->name : "?", r->samples[i], a->again);
	}
	for (unsigned int type = 0; type < 256; type++) {
		snprintf(number, sizeof(number), "type %u", type);
		add_skipped(all, "perf record", names[type] ? names[type] : number,
			    r->records[type], true);
	}
	add_skipped(all, "perf", "left out by a BPF filter", perfdata_losses_filtered(r->losses),
		    true);
	return all;
}

static int send_end(struct reading *r)
{
	unsigned int nr = 0;

	if (spht_feed_send_json(&r->out, SPHT_FEED_SKIPPED, skipped(r)))
		return -1;
	for (unsigned int cpu = 0; cpu < SPHT_MAX_CPUS; cpu++) {
		r->books[cpu].cpu = cpu;
		r->books[cpu].lost = perfdata_losses_of(r->losses, cpu);
		if (r->books[cpu].read || r->books[cpu].lost)
			nr = cpu + 1;
	}
	if (spht_feed_send(&r->out, SPHT_FEED_BOOKS, r->books, nr * sizeof(r->books[0])))
		return -1;
	return spht_feed_send(&r->out, SPHT_FEED_REST, NULL, 0);
}

static int prepare(struct reading *r)
{
	struct stat st;

	if (fstat(r->f.fd, &st)) {
		spht_error_set(&r->err, "%s: %s", r->job->name, strerror(errno));
		return -1;
	}
	r->f.size = (uint64_t)st.st_size;
	if (perfdata_meta_read(&r->meta, &r->f))
		return -1;
	r->tep = tep_alloc();
	if (!r->tep)
		return span_no_memory(&r->f);
	if (perfdata_meta_formats(&r->meta, &r->f, r->tep) || choose_attrs(r))
		return -1;
	if (perfdata_sample_ids(&r->meta, &r->ids)) {
		spht_error_set(
			&r->err,
			"%s: its events are laid out differently, or recorded twice, and have no "
			"numbers to tell them apart; " RECORD_AGAIN,
			r->job->name);
		return -1;
	}
	r->types = spht_types_new(r->tep, false, r->job->name, "perf.data", &r->err);
	if (!r->types)
		return -1;
	r->samples = calloc(r->meta.nr_attrs, sizeof(*r->samples));
	r->stream = perfdata_stream_new(&r->f, r->meta.data_offset, r->meta.data_size);
	r->order = perfdata_order_new(emit, r);
	r->losses = perfdata_losses_new(&r->meta, put_lost, r);
	if (!r->samples || !r->stream || !r->order || !r->losses)
		return span_no_memory(&r->f);
	return spht_feed_open(&r->out);
}

/* Frees nothing: the process ends. */
static int read_perfdata(struct spht_pipe *pipe, void *arg)
{
	const struct spht_feed_job *job = arg;
	struct reading *r = calloc(1, sizeof(*r));

	if (!r)
		return 1;
	r->job = job;
	r->f = (struct span_file){
		.fd = job->fd, .name = job->name, .kind = "perf.data", .err = &r->err};
	r->out = (struct spht_feed_out){.pipe = pipe, .name = job->name, .err = &r->err};
	tep_set_loglevel(TEP_LOG_NONE);
	if (!prepare(r) &&
	    !spht_feed_send_json(&r->out, SPHT_FEED_PLAN, perfdata_plan(&r->meta, r->types)) &&
	    !read_records(r) && !send_end(r))
		return 0;
	spht_feed_send(&r->out, SPHT_FEED_ERROR, r->err.text, strlen(r->err.text));
	return 1;
}

/*
 * Up to 250 MiB of events wait to be put in order, and zstd may want a window of
 * 128 MiB; that is the worst, 40 MiB are usual.
 */
const struct spht_feed spht_feed_perfdata = {
	.kind = "perf.data",
	.magic = "PERFILE2",
	.magic_len = 8,
	.reader = "libtraceevent",
	.viewer = "perf report --header-only",
	.larger = "perf record -m PAGES",
	.heap = 512ull << 20,
	.mapped = 64ull << 20,
	.child = read_perfdata,
};
