// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "feed.h"
#include "import.h"
#include "import-report.h"
#include "input.h"
#include "message.h"
#include "now.h"
#include "output.h"
#include "settings.h"
#include "spht_trace.h"
#include "version.h"

#define CHILD_SILENCE 30000 /* ms; a healthy one speaks every 65536 events */
#define PROGRESS_NS   200000000ull

struct import {
	const struct spht_import *o;
	struct spht_input in;
	struct spht_output out;
	struct spht_writer *w;
	json_t *plan, *skipped; /* system -> event -> count */
	struct spht_event_type *types;
	unsigned int nr_types;
	struct spht_feed_book *books;
	size_t nr_books;
	void *rest; /* what the next slice is to be given */
	size_t rest_len;
	bool ended; /* the slice that is being read has said all */
	bool explained; /* the child has said what is wrong */
	uint64_t bytes, done, progress_at;
	struct spht_import_counts counts;
	struct spht_error err;
};

static int no_memory(struct import *im)
{
	spht_error_set(&im->err, "%s: out of memory", im->out.path);
	return -1;
}

/* A child that was run over by its input may say anything. */
static int nonsense(struct import *im)
{
	spht_error_set(&im->err, "its messages make no sense");
	return -1;
}

static void show_progress(void *arg)
{
	struct import *im = arg;
	uint64_t now = spht_now(CLOCK_MONOTONIC);

	if (now - im->progress_at < PROGRESS_NS)
		return;
	im->progress_at = now;
	spht_progress("importing %s, %" PRIu64 " %%, %.1f million events", im->in.name,
		      im->bytes ? im->done * 100 / im->bytes : 0, (double)im->counts.events / 1e6);
}

static void free_types(struct import *im)
{
	/* Names belong to the plan. */
	for (unsigned int i = 0; im->types && i < im->nr_types; i++)
		free((struct spht_event_field *)im->types[i].fields);
	free(im->types);
}

static int make_type(struct spht_event_type *t, const json_t *j)
{
	const json_t *list = json_object_get(j, "fields"), *f;
	struct spht_event_field *fields;
	size_t i, nr = json_array_size(list);

	t->system = json_string_value(json_object_get(j, "system"));
	t->name = json_string_value(json_object_get(j, "name"));
	if (!t->system || !t->name || nr > SPHT_EVENT_SLOTS)
		return -1;
	fields = calloc(nr + 1, sizeof(*fields));
	if (!fields)
		return -1;
	t->fields = fields;
	t->nr_fields = (unsigned int)nr;
	t->id = spht_event_find(t->system, t->name);
	json_array_foreach(list, i, f)
	{
		json_int_t size = json_integer_value(json_object_get(f, "size"));

		fields[i].name = json_string_value(json_object_get(f, "name"));
		if (!fields[i].name || size < 1 || size > 64)
			return -1;
		fields[i].size = (uint8_t)size;
		fields[i].is_signed = json_is_true(json_object_get(f, "signed"));
		fields[i].is_array = json_is_true(json_object_get(f, "array"));
	}
	if (spht_event_layout(t->id, fields, t->nr_fields, &t->have) != t->nr_fields)
		return -1;
	return 0;
}

static int make_types(struct import *im)
{
	const json_t *list = json_object_get(im->plan, "types"), *j;
	size_t i;

	if (!json_array_size(list) || json_array_size(list) > SPHT_MAX_TYPES)
		return nonsense(im);
	im->types = calloc(json_array_size(list), sizeof(*im->types));
	if (!im->types)
		return no_memory(im);
	im->nr_types = (unsigned int)json_array_size(list);
	json_array_foreach(list, i, j) if (make_type(&im->types[i], j)) return nonsense(im);
	return 0;
}

static int complete_header(struct import *im, json_t *header)
{
	json_t *origin = json_object_get(header, "origin");
	json_t *name = json_string(im->in.name);

	if (!name)
		name = json_string("(not UTF-8)");
	if (!json_is_object(origin)) {
		json_decref(name);
		return nonsense(im);
	}
	if (json_object_set_new(origin, "file", name) ||
	    json_object_set_new(origin, "sha256", json_string(im->in.sha256)) ||
	    json_object_set_new(origin, "size", json_integer((json_int_t)im->in.size)) ||
	    json_object_set_new(origin, "tool", json_string("spht-record " SPHT_VERSION)) ||
	    spht_settings_apply(header, im->o->settings))
		return no_memory(im);
	return 0;
}

static int on_plan(struct import *im, const struct spht_message *m)
{
	json_t *header, *note;
	size_t i;

	if (im->plan)
		return nonsense(im);
	im->plan = json_loadb(m->data, m->len, 0, NULL);
	header = json_object_get(im->plan, "header");
	if (!json_is_object(header))
		return nonsense(im);
	im->bytes = spht_import_hex(json_object_get(im->plan, "bytes"));
	if (make_types(im) || complete_header(im, header))
		return -1;
	if (!im->o->quiet)
		json_array_foreach(json_object_get(im->plan, "notes"), i, note)
			spht_message("%s: note: %s", im->in.path, json_string_value(note));
	im->w = spht_writer_open(im->out.part, im->out.to_stdout ? SPHT_WRITE_OVERWRITE : 0, header,
				 im->types, im->nr_types, im->o->level, &im->err);
	im->explained |= !im->w;
	return im->w ? 0 : -1;
}

static int on_lost(struct import *im, unsigned int cpu, uint64_t lost)
{
	im->counts.gaps++;
	if (lost == SPHT_LOST_UNKNOWN)
		im->counts.unknown_gaps++;
	else
		im->counts.lost += lost;
	return spht_writer_lost(im->w, cpu, lost, &im->err);
}

static int on_events(struct import *im, const struct spht_message *m)
{
	const size_t fixed = offsetof(struct spht_feed_event, v);
	const char *p = m->data;
	size_t left = m->len;
	struct spht_feed_event in;
	struct spht_event ev;

	if (!im->w)
		return nonsense(im);
	memset(&ev, 0, sizeof(ev));
	while (left) {
		size_t words;

		if (left < fixed)
			return nonsense(im);
		memcpy(&in, p, fixed);
		words = in.nwords * sizeof(in.v[0]);
		if (in.nwords > SPHT_EVENT_SLOTS || words > left - fixed || in.cpu >= SPHT_MAX_CPUS)
			return nonsense(im);
		memcpy(ev.v, p + fixed, words);
		memset((char *)ev.v + words, 0, sizeof(ev.v) - words);
		p += fixed + words;
		left -= fixed + words;
		if (in.type == SPHT_FEED_LOST) {
			if (on_lost(im, in.cpu, ev.v[0]))
				goto writer_failed;
			continue;
		}
		if (in.type >= im->nr_types)
			return nonsense(im);
		ev.ts = in.ts;
		ev.pid = in.pid;
		ev.cpu = in.cpu;
		ev.type = in.type;
		ev.id = (uint8_t)im->types[in.type].id;
		ev.flags = in.flags;
		ev.preempt = in.preempt;
		if (spht_writer_append(im->w, &ev, &im->err))
			goto writer_failed;
		/* Only each CPU is in order. */
		if (!im->counts.events++ || ev.ts < im->counts.first_ts)
			im->counts.first_ts = ev.ts;
		if (ev.ts > im->counts.last_ts)
			im->counts.last_ts = ev.ts;
	}
	return 0;

writer_failed:
	im->explained = true;
	return -1;
}

static int on_skipped(struct import *im, const struct spht_message *m)
{
	json_t *list = json_loadb(m->data, m->len, 0, NULL), *entry;
	int rc = 0;
	size_t i;

	if (!list)
		return nonsense(im);
	json_array_foreach(list, i, entry)
	{
		const char *system = json_string_value(json_array_get(entry, 0));
		const char *event = json_string_value(json_array_get(entry, 1));
		json_int_t count = json_integer_value(json_array_get(entry, 2)), before;
		json_t *events;

		if (!system || !event || count < 0) {
			rc = nonsense(im);
			break;
		}
		events = json_object_get(im->skipped, system);
		if (!events) {
			events = json_object();
			json_object_set_new(im->skipped, system, events);
		}
		before = json_integer_value(json_object_get(events, event));
		if (json_object_set_new(events, event, json_integer(before + count))) {
			rc = no_memory(im);
			break;
		}
		/* What is marked is no event. */
		if (!json_array_get(entry, 3))
			im->counts.skipped += (uint64_t)count;
	}
	json_decref(list);
	return rc;
}

/* Replaces *@where by a copy of the message. */
static int keep(struct import *im, const struct spht_message *m, void **where)
{
	void *copy = malloc(m->len + 1);

	if (!copy)
		return no_memory(im);
	memcpy(copy, m->data, m->len);
	free(*where);
	*where = copy;
	return 0;
}

static int on_books(struct import *im, const struct spht_message *m)
{
	void *books = im->books;
	int rc;

	if (m->len % sizeof(*im->books))
		return nonsense(im);
	rc = keep(im, m, &books);
	im->books = books;
	im->nr_books = m->len / sizeof(*im->books);
	return rc;
}

static int on_rest(struct import *im, const struct spht_message *m)
{
	if (im->ended || !im->plan)
		return nonsense(im);
	im->ended = true;
	im->rest_len = m->len;
	return keep(im, m, &im->rest);
}

static int on_message(struct import *im, const struct spht_message *m)
{
	if (m->done > im->done && m->done <= im->bytes)
		im->done = m->done;
	if (!im->o->quiet)
		show_progress(im);
	switch (m->type) {
	case SPHT_FEED_PLAN:
		return on_plan(im, m);
	case SPHT_FEED_EVENTS:
		return on_events(im, m);
	case SPHT_FEED_ALIVE:
		return 0;
	case SPHT_FEED_SKIPPED:
		return on_skipped(im, m);
	case SPHT_FEED_BOOKS:
		return on_books(im, m);
	case SPHT_FEED_REST:
		return on_rest(im, m);
	case SPHT_FEED_ERROR:
		spht_error_set(&im->err, "%.*s", (int)m->len, (const char *)m->data);
		im->explained = true;
		return -1;
	default:
		return nonsense(im);
	}
}

/* One process of the reader; 0, or -1 with the error set as the user is to see it. */
static int read_slice(struct import *im)
{
	const struct spht_feed *feed = im->in.feed;
	struct spht_child_limits limits = {
		.heap = feed->heap + (feed->heap_share ? im->in.size / feed->heap_share : 0),
		.mapped = feed->mapped + feed->mapped_times * im->in.size,
		.silence_ms = CHILD_SILENCE,
	};
	struct spht_feed_job job = {
		.name = im->in.path,
		.fd = SPHT_CHILD_FD,
		.done = im->done,
		.rest = im->rest,
		.rest_len = im->rest_len,
	};
	struct spht_error died = {""};
	struct spht_message m;
	struct spht_child *c;
	int rc;

	im->ended = false;
	c = spht_child_start(feed->child, &job, im->in.fd, &limits, im->o->stop, &im->err);
	if (!c)
		return -1;
	do {
		rc = spht_child_read(c, &m, im->o->quiet ? NULL : show_progress, im, &im->err);
		if (rc > 0 && on_message(im, &m))
			rc = -1;
	} while (rc > 0);
	if (spht_child_end(c, &died) && !rc) {
		im->err = died;
		rc = -1;
	}
	if (!rc && !im->ended)
		rc = nonsense(im);
	if (!rc || im->explained || *im->o->stop)
		return rc;
	died = im->err;
	spht_error_set(
		&im->err,
		"%s: damaged or unsupported %s: reading it with %s failed (%.100s); see what "
		"%s says of it, copy the file again, or record anew",
		im->in.path, feed->kind, feed->reader, died.text, feed->viewer);
	return -1;
}

/* Each slice must bring the reading forward, or it would never end. */
static int read_all(struct import *im)
{
	uint64_t before, read = 0;

	do {
		before = read;
		if (read_slice(im))
			return -1;
		read = 0;
		for (size_t i = 0; i < im->nr_books; i++)
			read += im->books[i].read;
		if (read <= before && im->rest_len) {
			spht_error_set(&im->err,
				       "%s: damaged or unsupported %s: %s stopped in the middle; "
				       "record anew",
				       im->in.path, im->in.feed->kind, im->in.feed->reader);
			return -1;
		}
	} while (im->rest_len);
	return 0;
}

static json_t *footer_extra(const struct import *im)
{
	json_t *extra = json_object(), *list = json_array(), *events, *count;
	const char *system, *event;

	json_object_foreach(im->skipped, system, events) json_object_foreach(events, event, count)
		json_array_append_new(list, json_pack("{s:s, s:s, s:O}", "system", system, "event",
						      event, "count", count));
	json_object_set_new(extra, "skipped", list);
	return extra;
}

static int finish(struct import *im, struct spht_import_ledger *ledger)
{
	json_t *extra = footer_extra(im);
	struct stat st;
	int rc;

	if (spht_import_ledger(ledger, json_object_get(im->plan, "stats"), im->books,
			       im->nr_books)) {
		json_decref(extra);
		return no_memory(im);
	}
	rc = spht_writer_close(im->w, ledger->cpus, ledger->nr_cpus, extra, &im->err);
	json_decref(extra);
	if (rc)
		return -1;
	im->w = NULL;
	if (stat(im->out.part, &st)) {
		spht_error_set(&im->err, "%s: %s", im->out.part, strerror(errno));
		unlink(im->out.part);
		return -1;
	}
	im->counts.out_bytes = (uint64_t)st.st_size;
	if (*im->o->stop) {
		unlink(im->out.part);
		return -1;
	}
	return spht_output_commit(&im->out, im->o->stop, &im->err);
}

enum spht_status spht_import(const struct spht_import *o)
{
	struct import im = {.o = o};
	struct spht_import_ledger ledger = {0};
	enum spht_status status = SPHT_FAILED;

	im.skipped = json_object();
	if (!im.skipped) {
		spht_message("out of memory");
		return SPHT_FAILED;
	}
	if (spht_input_open(&im.in, o->in, o->stop, &im.err))
		goto out;
	if (spht_output_open(&im.out, o->out, o->force, &im.in, &im.err))
		goto close_input;
	if (read_all(&im) || spht_input_unchanged(&im.in, &im.err) || finish(&im, &ledger))
		goto close_output;
	status = spht_import_report(o->out, im.in.feed, &im.counts, &ledger, o->quiet);

close_output:
	spht_writer_abort(im.w);
	spht_output_close(&im.out);
close_input:
	spht_input_close(&im.in);
out:
	if (status == SPHT_FAILED && !*o->stop)
		spht_message("%s", im.err.text);
	spht_progress_end();
	spht_import_ledger_free(&ledger);
	free_types(&im);
	free(im.books);
	free(im.rest);
	json_decref(im.plan);
	json_decref(im.skipped);
	return status;
}
