// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The same as info-text.c for programs.  Counts are numbers, time stamps and
 * addresses hex strings.  Without memory a member is null, never wrong.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "info.h"

static json_t *count(uint64_t v)
{
	return v > INT64_MAX ? cmd_json_hex(v) : json_integer((json_int_t)v);
}

/* A reference that survives json_object_set_new(), null when @value is not there. */
static json_t *copy(const json_t *value)
{
	return value ? json_deep_copy(value) : json_null();
}

static json_t *events_json(const struct info *info)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < info->nr_types; i++) {
		const struct spht_event_type *t = &info->types[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:o, s:o, s:b}", "system", t->system,
						"event", t->name, "count", count(info->by_type[i]),
						"preamble", count(info->preamble_by_type[i]),
						"known", t->id != SPHT_EV_UNKNOWN));
	}
	return list;
}

static json_t *ledger_json(const struct spht_ledger *l)
{
	if (!l->known)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "written", count(l->written), "read",
			 count(l->read), "overrun", count(l->overrun), "dropped", count(l->dropped),
			 "commit_overrun", count(l->commit_overrun), "closed",
			 cmd_ledger_closed(l));
}

static json_t *cpus_json(const struct info *info)
{
	json_t *list = json_array();
	unsigned int cpu;

	for (cpu = 0; cpu < SPHT_MAX_CPUS; cpu++) {
		const struct info_cpu *c = &info->cpus[cpu];
		struct spht_ledger l;
		bool known = cmd_ledger(info->footer, cpu, &l);

		if (c->used || known)
			json_array_append_new(
				list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "cpu", (int)cpu,
						"events", count(c->events), "lost", count(c->lost),
						"gaps", count(c->gaps), "unknown_gaps",
						count(c->unknown_gaps), "ledger",
						known ? ledger_json(&l) : json_null()));
	}
	return list;
}

static json_t *exits_json(const struct info *info)
{
	json_t *list = json_array();
	unsigned int i;
	char name[64];

	for (i = 0; i < info->nr_exits; i++) {
		const struct cmd_exit *e = &info->exits[i].exit;

		json_array_append_new(
			list, json_pack("{s:I, s:I, s:o, s:s, s:o}", "isa", (json_int_t)e->isa,
					"reason", (json_int_t)e->reason, "vector",
					e->vector < 0 ? json_null() : json_integer(e->vector),
					"name", cmd_exit_name(e, name, sizeof(name)), "count",
					count(info->exits[i].count)));
	}
	return list;
}

static json_t *threads_json(const struct info *info)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < info->nr_threads; i++) {
		const struct info_thread *t = &info->threads[i];

		json_array_append_new(
			list, json_pack("{s:i, s:o, s:o, s:b}", "tid", (int)t->pid, "events",
					count(t->events), "vcpu",
					t->vcpu < 0 ? json_null() : count((uint64_t)t->vcpu),
					"vcpus_vary", t->vcpus_vary));
	}
	return list;
}

static json_t *port_io_json(const struct info *info)
{
	json_t *ports = json_array();
	unsigned int i;

	for (i = 0; i < info->nr_ports; i++)
		json_array_append_new(ports, json_pack("{s:o, s:o}", "port",
						       cmd_json_hex(info->ports[i].port), "count",
						       count(info->ports[i].count)));
	return json_pack("{s:o, s:o}", "count", count(info->port_io), "ports", ports);
}

static json_t *marks_json(const struct info *info)
{
	uint32_t port = spht_marks_port(info->mark_names);
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < info->nr_marks; i++) {
		const struct info_mark *m = &info->marks[i];
		const char *name = spht_mark_name(info->mark_names, m->value);

		json_array_append_new(list, json_pack("{s:o, s:f, s:o, s:o, s:i, s:i}", "ts",
						      cmd_json_hex(m->ts), "time_s",
						      (double)(m->ts - info->span.first_ts) / 1e9,
						      "value", cmd_json_hex(m->value), "name",
						      name ? json_string(name) : json_null(), "cpu",
						      (int)m->cpu, "tid", (int)m->pid));
	}
	return json_pack("{s:o, s:o, s:o}", "port",
			 port == SPHT_MARK_NO_PORT ? json_null() : cmd_json_hex(port), "count",
			 count(info->marks_total), "list", list);
}

/* Of the guest's page tables; null where the recorder was not told to take any. */
static json_t *snaps_json(const struct info *info)
{
	static const char *const names[SPHT_SNAP_KINDS] = {"created", "found", "sync", "unsync",
							   "walk"};
	json_t *j;

	if (!json_object_get(info->header, "snap"))
		return json_null();
	j = json_pack("{s:o, s:o, s:o, s:O?, s:O?}", "entries",
		      count(info_count(info, SPHT_EV_SNAP_ENTRY)), "full", count(info->snap_full),
		      "unreadable", count(info->snap_unreadable), "asked",
		      json_object_get(info->header, "snap"), "recorder",
		      json_object_get(info->footer, "snap"));
	for (int i = 0; i < SPHT_SNAP_KINDS; i++)
		json_object_set_new(j, names[i], count(info->snaps[i]));
	return j;
}

static json_t *modes_json(const struct info *info)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "32bit", count(info->modes[2]), "pae",
			 count(info->modes[3]), "4level", count(info->modes[4]), "5level",
			 count(info->modes[5]));
}

static void add_missing(void *arg, enum info_weight weight, const char *what, const char *effect)
{
	static const char *const weights[] = {"note", "missing", "fatal"};

	json_array_append_new(arg, json_pack("{s:s, s:s, s:s}", "weight", weights[weight], "what",
					     what, "effect", effect));
}

static json_t *file_json(const struct info *info, const char *path)
{
	uint64_t all = info->events + info->preamble;
	json_t *size = json_null(), *per_event = json_null();

	if (info->file_size)
		size = count(info->file_size);
	if (info->file_size && all)
		per_event = json_real((double)info->file_size / (double)all);
	return json_pack("{s:o?, s:i, s:b, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:f}", "file",
			 json_string(path), "format", SPHT_FORMAT_VERSION, "whole", info->complete,
			 "size", size, "bytes_per_event", per_event, "blocks",
			 (json_int_t)info->span.blocks, "events", count(info->events), "preamble",
			 count(info->preamble), "first_ts", cmd_json_hex(info->span.first_ts),
			 "last_ts", cmd_json_hex(info->span.last_ts), "span_s",
			 (double)(info->span.last_ts - info->span.first_ts) / 1e9);
}

/* The cut without its list of frames, which is for programs that read the events. */
static json_t *cut_json(const json_t *header)
{
	json_t *cut = json_deep_copy(json_object_get(header, "cut"));
	size_t frames = json_array_size(json_object_get(cut, "frames"));

	if (!cut)
		return json_null();
	json_object_set_new(cut, "frames", json_integer((json_int_t)frames));
	return cut;
}

/* What the header says of itself, word for word. */
static void add_header(json_t *top, const struct info *info)
{
	static const char *const keys[] = {"clock",   "clock_real", "host",     "guest",
					   "kvm",     "origin",     "recorder", "repacked",
					   "skipped", "not_stored", "missing"};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		json_object_set_new(top, keys[i], copy(info_said(info, keys[i])));
	json_object_set_new(top, "cut", cut_json(info->header));
}

void info_print_json(const struct info *info, const char *path, struct cmd_out *out)
{
	json_t *top = file_json(info, path), *missing = json_array();
	char *text;

	add_header(top, info);
	json_object_set_new(top, "lost",
			    json_pack("{s:o, s:o, s:o}", "events", count(info->lost), "gaps",
				      count(info->gaps), "unknown_gaps",
				      count(info->unknown_gaps)));
	json_object_set_new(top, "types", events_json(info));
	json_object_set_new(top, "cpus", cpus_json(info));
	json_object_set_new(top, "exits_total", count(info->exits_total));
	json_object_set_new(top, "exits_pf", count(info->page_faults));
	json_object_set_new(top, "exits", exits_json(info));
	json_object_set_new(top, "threads", threads_json(info));
	json_object_set_new(top, "walks", modes_json(info));
	json_object_set_new(top, "snaps", snaps_json(info));
	json_object_set_new(top, "memslots", copy(info_said(info, "memslots")));
	json_object_set_new(top, "port_io", port_io_json(info));
	json_object_set_new(top, "marks", marks_json(info));
	info_missing(info, add_missing, missing);
	json_object_set_new(top, "lacks", missing);
	text = json_dumps(top, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	json_decref(top);
	if (text) {
		cmd_out_printf(out, "%s\n", text);
	} else {
		cmd_message("%s: no memory for its description in JSON", path);
		out->failed = true;
	}
	free(text);
}
