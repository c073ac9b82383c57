// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trace-cmd.h>

#include "spht_trace.h"
#include "tracedat-meta.h"
#include "tracedat-plan.h"
#include "tracedat.h"
#include "types.h"

#define BATCH        (256u << 10) /* bytes of events in one message */
#define SLICE        (64u << 20) /* bytes of pages that one process reads */
#define ALIVE_EVENTS 65536u /* a sign of life at least that often */

/* One CPU of one buffer, and its next event. */
struct source {
	struct tracecmd_input *in;
	struct tep_record *rec;
	struct tracedat_cursor c;
	uint32_t page_size;
};

struct slice {
	const struct tracedat_job *job;
	struct spht_pipe *pipe;
	struct spht_error err;
	struct tracedat_meta meta;
	struct tracecmd_input *in;
	struct tracecmd_input **instances; /* by tracedat_buffer.where */
	struct spht_types *types;
	struct source *sources;
	size_t nr_sources;
	struct source **heap; /* those with a next event, the earliest first */
	size_t nr_heap;
	uint8_t *batch;
	size_t batch_len;
	uint64_t read, quiet; /* bytes of pages; events since the last message */
};

static int no_memory(struct slice *s)
{
	spht_error_set(&s->err, "%s: out of memory", s->job->name);
	return -1;
}

/* What cannot be told apart from damage: libtracecmd gives no reasons. */
static int refused(struct slice *s, const char *what)
{
	spht_error_set(&s->err,
		       "%s: damaged or unsupported trace.dat: libtracecmd cannot %s; see what "
		       "trace-cmd report says of it, copy the file again, or record anew",
		       s->job->name, what);
	return -1;
}

/* The pipe is broken only when the parent is gone or has lost interest. */
static int parent_gone(struct slice *s)
{
	spht_error_set(&s->err, "%s: interrupted", s->job->name);
	return -1;
}

static uint64_t bytes_done(const struct slice *s)
{
	return s->job->done + s->read;
}

static int flush_batch(struct slice *s)
{
	size_t len = s->batch_len;

	s->batch_len = 0;
	s->quiet = 0;
	if (spht_pipe_send(s->pipe, len ? SPHT_FEED_EVENTS : SPHT_FEED_ALIVE, bytes_done(s),
			   s->batch, len))
		return parent_gone(s);
	return 0;
}

static int send_json(struct slice *s, uint32_t type, json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	int rc;

	json_decref(j);
	if (!text)
		return no_memory(s);
	rc = spht_pipe_send(s->pipe, type, bytes_done(s), text, strlen(text));
	free(text);
	return rc ? parent_gone(s) : 0;
}

/* Earlier time first; at the same time the order of the CPUs, then that of the buffers. */
static bool before(const struct source *a, const struct source *b)
{
	if (a->rec->ts != b->rec->ts)
		return a->rec->ts < b->rec->ts;
	if (a->c.cpu != b->c.cpu)
		return a->c.cpu < b->c.cpu;
	return a->c.buffer < b->c.buffer;
}

static void sift_down(struct slice *s, size_t i)
{
	for (;;) {
		size_t first = i, l = 2 * i + 1, r = l + 1;
		struct source *swap;

		if (l < s->nr_heap && before(s->heap[l], s->heap[first]))
			first = l;
		if (r < s->nr_heap && before(s->heap[r], s->heap[first]))
			first = r;
		if (first == i)
			return;
		swap = s->heap[i];
		s->heap[i] = s->heap[first];
		s->heap[first] = swap;
		i = first;
	}
}

/* Looks at what libtracecmd returned as next event of @src, NULL at its end. */
static int take_next(struct slice *s, struct source *src, struct tep_record *rec)
{
	src->rec = rec;
	if (!rec) {
		src->c.done = 1;
		return 0;
	}
	if (rec->cpu != (int)src->c.cpu || rec->size < 0 || !rec->data)
		return refused(s, "keep the CPUs of this file apart");
	if (src->c.started && rec->ts < src->c.ts) {
		spht_error_set(
			&s->err,
			"%s: damaged or unsupported trace.dat: on CPU %u time runs backwards "
			"from %" PRIu64 " to %llu ns; copy the file again, or record anew",
			s->job->name, src->c.cpu, src->c.ts, rec->ts);
		return -1;
	}
	src->c.started = 1;
	src->c.ts = rec->ts;
	src->c.offset = rec->offset;
	return 0;
}

/* Goes on where the slice before this one stopped. */
static int resume(struct slice *s, struct source *src)
{
	struct tep_record *rec;
	int cpu = -1;

	rec = tracecmd_read_at(src->in, src->c.offset, &cpu);
	if (!rec || cpu != (int)src->c.cpu || rec->offset != src->c.offset || rec->ts != src->c.ts)
		return refused(s, "find a place again where it has been");
	return take_next(s, src, rec);
}

static int start_sources(struct slice *s)
{
	s->heap = calloc(s->nr_sources + 1, sizeof(struct source *));
	if (!s->heap)
		return no_memory(s);
	for (size_t i = 0; i < s->nr_sources; i++) {
		struct source *src = &s->sources[i];

		if (src->c.done)
			continue;
		if (src->c.started
			    ? resume(s, src)
			    : take_next(s, src, tracecmd_read_data(src->in, (int)src->c.cpu)))
			return -1;
		if (!src->c.done)
			s->heap[s->nr_heap++] = src;
		/* Opening a CPU unpacks its first pages. */
		if (spht_pipe_send(s->pipe, SPHT_FEED_ALIVE, bytes_done(s), NULL, 0))
			return parent_gone(s);
	}
	for (size_t i = s->nr_heap; i-- > 0;)
		sift_down(s, i);
	return 0;
}

static void put(struct slice *s, const struct spht_event *ev, unsigned int nwords)
{
	struct spht_feed_event out = {
		.ts = ev->ts,
		.pid = ev->pid,
		.cpu = ev->cpu,
		.type = ev->type,
		.flags = ev->flags,
		.preempt = ev->preempt,
		.nwords = (uint8_t)nwords,
	};
	const size_t fixed = offsetof(struct spht_feed_event, v);

	memcpy(s->batch + s->batch_len, &out, fixed);
	memcpy(s->batch + s->batch_len + fixed, ev->v, nwords * sizeof(ev->v[0]));
	s->batch_len += fixed + nwords * sizeof(ev->v[0]);
}

static int pass_on(struct slice *s, struct source *src)
{
	const struct tep_record *rec = src->rec;
	uint64_t page = rec->offset / src->page_size + 1;
	struct spht_event ev = {.ts = rec->ts, .cpu = (uint16_t)src->c.cpu};
	int rc;

	if (page != src->c.last_page) {
		src->c.last_page = page;
		src->c.pages++;
		s->read += src->page_size;
	}
	src->c.read++;
	if (rec->missed_events) {
		ev.type = SPHT_FEED_LOST;
		ev.v[0] = rec->missed_events > 0 ? (uint64_t)rec->missed_events : SPHT_LOST_UNKNOWN;
		put(s, &ev, 1);
	}
	rc = spht_types_read(s->types, rec->data, rec->size, &ev);
	if (rc < 0) {
		spht_error_set(&s->err,
			       "%s: damaged or unsupported trace.dat: CPU %u, time %llu: an event "
			       "of %d bytes is shorter than its format; copy the file again, or "
			       "record anew",
			       s->job->name, src->c.cpu, rec->ts, rec->size);
		return -1;
	}
	if (rc)
		put(s, &ev, spht_types_words(s->types, ev.type));
	if (s->batch_len > BATCH - 2 * sizeof(struct spht_feed_event) || ++s->quiet > ALIVE_EVENTS)
		return flush_batch(s);
	return 0;
}

/* Until the end, or until libtracecmd has had enough pages in its hands. */
static int run(struct slice *s)
{
	while (s->nr_heap && s->read < SLICE) {
		struct source *src = s->heap[0];

		if (pass_on(s, src))
			return -1;
		tracecmd_free_record(src->rec);
		if (take_next(s, src, tracecmd_read_data(src->in, (int)src->c.cpu)))
			return -1;
		if (src->c.done)
			s->heap[0] = s->heap[--s->nr_heap];
		sift_down(s, 0);
	}
	return s->batch_len ? flush_batch(s) : 0;
}

/* The main handle is the top buffer; instances have handles of their own. */
static struct tracecmd_input *handle_of(struct slice *s, const struct tracedat_buffer *b)
{
	if (!*b->name)
		return s->in;
	if (!s->instances[b->where])
		s->instances[b->where] = tracecmd_buffer_instance_handle(s->in, (int)b->where);
	return s->instances[b->where];
}

static int make_sources(struct slice *s)
{
	const struct tracedat_meta *m = &s->meta;
	int known = tracecmd_buffer_instances(s->in);
	size_t nr = 0;

	for (unsigned int i = 0; i < m->nr_buffers; i++)
		nr += m->buffers[i].nr_cpus;
	s->sources = calloc(nr + 1, sizeof(*s->sources));
	s->instances = calloc((size_t)m->nr_buffers + 1, sizeof(struct tracecmd_input *));
	if (!s->sources || !s->instances)
		return no_memory(s);
	for (unsigned int i = 0; i < m->nr_buffers; i++) {
		const struct tracedat_buffer *b = &m->buffers[i];

		for (unsigned int k = 0; k < b->nr_cpus; k++) {
			struct source *src = &s->sources[s->nr_sources];

			if (!b->cpus[k].size)
				continue;
			if (*b->name &&
			    ((int)b->where >= known ||
			     strcmp(tracecmd_buffer_instance_name(s->in, (int)b->where), b->name)))
				return refused(s, "find an instance of this file");
			src->in = handle_of(s, b);
			if (!src->in)
				return refused(s, "open an instance of this file");
			src->c.buffer = i;
			src->c.cpu = b->cpus[k].cpu;
			src->page_size = b->page_size;
			src->c.pages_promised = b->cpus[k].data_size / b->page_size;
			s->nr_sources++;
		}
	}
	if (!s->job->first) {
		if (s->nr_sources != s->job->nr_cursors)
			return refused(s, "read the same file twice");
		for (size_t i = 0; i < s->nr_sources; i++)
			s->sources[i].c = s->job->cursors[i];
	}
	return 0;
}

static int send_cursors(struct slice *s)
{
	struct tracedat_cursor *c = calloc(s->nr_sources + 1, sizeof(*c));
	int rc;

	if (!c)
		return no_memory(s);
	for (size_t i = 0; i < s->nr_sources; i++)
		c[i] = s->sources[i].c;
	rc = spht_pipe_send(s->pipe, SPHT_FEED_CURSORS, bytes_done(s), c,
			    s->nr_sources * sizeof(*c));
	free(c);
	return rc ? parent_gone(s) : 0;
}

static int read_slice(struct slice *s)
{
	const struct tracedat_job *job = s->job;

	/* First our own look at the file: it names what is wrong, libtracecmd does not. */
	if (tracedat_meta_read(&s->meta, job->fd, job->name, job->first, &s->err))
		return -1;
	if (lseek(job->fd, 0, SEEK_SET))
		return refused(s, "seek in this file");
	s->in = tracecmd_open_fd(job->fd, TRACECMD_FL_LOAD_NO_PLUGINS);
	if (!s->in)
		return refused(s, "open this file");
	s->types = spht_types_new(tracecmd_get_tep(s->in), false, job->name, "trace.dat", &s->err);
	if (!s->types || make_sources(s))
		return -1;
	s->batch = malloc(BATCH);
	if (!s->batch)
		return no_memory(s);
	if (job->first && send_json(s, SPHT_FEED_PLAN, tracedat_plan(&s->meta, s->types)))
		return -1;
	if (start_sources(s) || run(s))
		return -1;
	if (send_json(s, SPHT_FEED_SKIPPED, spht_types_skipped(s->types)))
		return -1;
	return send_cursors(s);
}

/* Frees nothing: the process ends, and libtracecmd has its own ideas about what is freed. */
int tracedat_child(struct spht_pipe *pipe, void *job)
{
	struct slice s = {.job = job, .pipe = pipe};

	tracecmd_set_loglevel(TEP_LOG_NONE);
	if (!read_slice(&s))
		return 0;
	spht_pipe_send(pipe, SPHT_FEED_ERROR, 0, s.err.text, strlen(s.err.text));
	return 1;
}
