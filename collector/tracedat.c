// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trace-cmd.h>

#include "feed.h"
#include "spht_trace.h"
#include "tracedat-meta.h"
#include "tracedat-plan.h"
#include "tracedat.h"
#include "types.h"

#define SLICE (64u << 20) /* bytes of pages that one process reads */

/* One CPU of one buffer, and its next event. */
struct source {
	struct tracecmd_input *in;
	struct tep_record *rec;
	struct tracedat_cursor c;
	uint32_t page_size;
};

struct slice {
	const struct spht_feed_job *job;
	struct spht_feed_out out;
	struct spht_error err;
	struct tracedat_meta meta;
	struct tracecmd_input *in;
	struct tracecmd_input **instances; /* by tracedat_buffer.where */
	struct spht_types *types;
	struct source *sources;
	size_t nr_sources;
	struct source **heap; /* those with a next event, the earliest first */
	size_t nr_heap;
	uint64_t read; /* bytes of pages */
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
		if (spht_feed_flush(&s->out))
			return -1;
	}
	for (size_t i = s->nr_heap; i-- > 0;)
		sift_down(s, i);
	return 0;
}

static int pass_on(struct slice *s, struct source *src)
{
	const struct tep_record *rec = src->rec;
	uint64_t page = rec->offset / src->page_size + 1;
	struct spht_event ev = {.ts = rec->ts, .cpu = (uint16_t)src->c.cpu};
	struct spht_feed_event out;
	uint64_t lost;
	int rc;

	if (page != src->c.last_page) {
		src->c.last_page = page;
		src->c.pages++;
		s->read += src->page_size;
		s->out.done = s->job->done + s->read;
	}
	src->c.read++;
	if (rec->missed_events) {
		lost = rec->missed_events > 0 ? (uint64_t)rec->missed_events : SPHT_LOST_UNKNOWN;
		if (spht_feed_put(&s->out, &out, spht_feed_encode_lost(&out, ev.ts, ev.cpu, lost)))
			return -1;
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
	if (rc && spht_feed_put(&s->out, &out,
				spht_feed_encode(&out, &ev, spht_types_words(s->types, ev.type))))
		return -1;
	return spht_feed_tick(&s->out);
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
	return spht_feed_flush(&s->out);
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
	if (!s->job->rest)
		return 0;
	if (s->job->rest_len != s->nr_sources * sizeof(struct tracedat_cursor))
		return refused(s, "read the same file twice");
	for (size_t i = 0; i < s->nr_sources; i++)
		memcpy(&s->sources[i].c, (const struct tracedat_cursor *)s->job->rest + i,
		       sizeof(s->sources[i].c));
	return 0;
}

static int send_books(struct slice *s)
{
	struct spht_feed_book *books = calloc(s->nr_sources + 1, sizeof(*books));
	int rc;

	if (!books)
		return no_memory(s);
	for (size_t i = 0; i < s->nr_sources; i++) {
		const struct tracedat_cursor *c = &s->sources[i].c;

		books[i].cpu = c->cpu;
		books[i].read = c->read;
		if (c->done && c->pages < c->pages_promised)
			books[i].empty_pages = c->pages_promised - c->pages;
	}
	rc = spht_feed_send(&s->out, SPHT_FEED_BOOKS, books, s->nr_sources * sizeof(*books));
	free(books);
	return rc;
}

static int send_cursors(struct slice *s)
{
	struct tracedat_cursor *c = calloc(s->nr_sources + 1, sizeof(*c));
	bool all_done = true;
	int rc;

	if (!c)
		return no_memory(s);
	for (size_t i = 0; i < s->nr_sources; i++) {
		c[i] = s->sources[i].c;
		all_done &= c[i].done;
	}
	rc = spht_feed_send(&s->out, SPHT_FEED_REST, c, all_done ? 0 : s->nr_sources * sizeof(*c));
	free(c);
	return rc;
}

static int read_slice(struct slice *s)
{
	const struct spht_feed_job *job = s->job;
	bool first = !job->rest;

	/* First our own look at the file: it names what is wrong, libtracecmd does not. */
	if (tracedat_meta_read(&s->meta, job->fd, job->name, first, &s->err))
		return -1;
	if (lseek(job->fd, 0, SEEK_SET))
		return refused(s, "seek in this file");
	s->in = tracecmd_open_fd(job->fd, TRACECMD_FL_LOAD_NO_PLUGINS);
	if (!s->in)
		return refused(s, "open this file");
	s->types = spht_types_new(tracecmd_get_tep(s->in), false, job->name, "trace.dat", &s->err);
	if (!s->types || make_sources(s))
		return -1;
	if (spht_feed_open(&s->out))
		return -1;
	if (first &&
	    spht_feed_send_json(&s->out, SPHT_FEED_PLAN, tracedat_plan(&s->meta, s->types)))
		return -1;
	if (start_sources(s) || run(s))
		return -1;
	if (spht_feed_send_json(&s->out, SPHT_FEED_SKIPPED, spht_types_skipped(s->types)))
		return -1;
	return send_books(s) || send_cursors(s) ? -1 : 0;
}

/* Frees nothing: the process ends, and libtracecmd has its own ideas about what is freed. */
static int read_tracedat(struct spht_pipe *pipe, void *arg)
{
	const struct spht_feed_job *job = arg;
	struct slice s = {.job = job, .out = {.pipe = pipe, .name = job->name, .done = job->done}};

	s.out.err = &s.err;
	tracecmd_set_loglevel(TEP_LOG_NONE);
	if (!read_slice(&s))
		return 0;
	spht_feed_send(&s.out, SPHT_FEED_ERROR, s.err.text, strlen(s.err.text));
	return 1;
}

/*
 * libtracecmd needs up to 160 MiB for the symbols and formats of a whole
 * kernel, keeps the 64 MiB of pages of a slice, and has a pointer for each page
 * of the file, compressed or not.  It maps the data of every CPU and does not
 * always unmap it.
 */
const struct spht_feed spht_feed_tracedat = {
	.kind = "trace.dat",
	.magic = "\x17\x08\x44tracing",
	.magic_len = 10,
	.reader = "libtracecmd",
	.viewer = "trace-cmd report",
	.larger = "trace-cmd record -b KIB",
	.heap = 384ull << 20,
	.heap_share = 16,
	.mapped = 1024ull << 20,
	.mapped_times = 2,
	.child = read_tracedat,
};
