// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "info.h"

#define MAX_THREADS_SHOWN 32

/* 13654500 as "13,654,500"; @buf has 32 bytes. */
static const char *grouped(uint64_t v, char *buf)
{
	char plain[24];
	size_t len = (size_t)snprintf(plain, sizeof(plain), "%" PRIu64, v), i;
	char *p = buf;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = plain[i];
	}
	*p = '\0';
	return buf;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

#define INDENT  10 /* of what stands behind a key */
#define COLUMNS 100

static void print_key(struct cmd_out *out, const char *key)
{
	cmd_out_printf(out, "%-9s ", key);
}

/* A JSON value as a person writes it: strings bare, the rest compact. */
static void print_value(struct cmd_out *out, const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		cmd_out_text(out, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	cmd_out_text(out, text ? text : "?");
	free(text);
}

static bool listed(const char *const *keys, const char *key)
{
	for (; *keys; keys++)
		if (!strcmp(*keys, key))
			return true;
	return false;
}

/* One item of a list, on a line of its own where it does not fit behind those before it. */
static void print_item(struct cmd_out *out, const char *key, const json_t *value, size_t *column)
{
	char *text = json_is_string(value) ? NULL
					   : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *shown = json_is_string(value) ? json_string_value(value) : text ? text : "?";
	size_t len = strlen(shown) + (key ? strlen(key) + 1 : 0);

	if (*column > INDENT && *column + 2 + len > COLUMNS) {
		cmd_out_printf(out, ",\n%*s", INDENT, "");
		*column = INDENT;
	} else if (*column > INDENT) {
		cmd_out_printf(out, ", ");
		*column += 2;
	}
	if (key) {
		cmd_out_text(out, key);
		cmd_out_printf(out, " ");
	}
	cmd_out_text(out, shown);
	*column += len;
	free(text);
}

/* "key value, key value" of the members of @object; those in @first come first and bare. */
static void print_object(struct cmd_out *out, const char *title, const json_t *object,
			 const char *const *first)
{
	size_t column = INDENT;
	const char *const *k, *key;
	json_t *value;

	if (!json_object_size(object))
		return;
	print_key(out, title);
	for (k = first; *k; k++) {
		value = json_object_get(object, *k);
		if (value && !json_is_null(value))
			print_item(out, NULL, value, &column);
	}
	json_object_foreach((json_t *)object, key, value)
	{
		if (!listed(first, key))
			print_item(out, key, value, &column);
	}
	cmd_out_printf(out, "\n");
}

static void print_file(const struct info *info, const char *path, struct cmd_out *out)
{
	const json_t *cut = json_object_get(info->header, "cut");
	uint64_t all = info->events + info->preamble;
	char a[32], b[32];

	cmd_out_text(out, path);
	cmd_out_printf(out, "\n");
	print_key(out, "format");
	cmd_out_printf(out, ".spht %d, %zu blocks, %u event types, %s\n", SPHT_FORMAT_VERSION,
		       info->span.blocks, info->nr_types,
		       info->complete ? "whole" : "NOT WHOLE: read what was possible");
	if (info->file_size && all) {
		print_key(out, "size");
		cmd_out_printf(out, "%s bytes, %.2f bytes/event\n", grouped(info->file_size, a),
			       (double)info->file_size / (double)all);
	}
	print_key(out, "events");
	cmd_out_printf(out, "%s", grouped(info->events, a));
	if (info->preamble)
		cmd_out_printf(out, ", before them %s of a preamble (state, counts in nothing)",
			       grouped(info->preamble, b));
	cmd_out_printf(out, "\n");
	if (info->span.events) {
		uint64_t ns = info->span.last_ts - info->span.first_ts;

		print_key(out, "span");
		cmd_out_printf(
			out, "%" PRIu64 ".%06u s, from time stamp %" PRIu64 " to %" PRIu64 " ns\n",
			ns / 1000000000, (unsigned int)(ns % 1000000000 / 1000),
			info->span.first_ts, info->span.last_ts);
	}
	if (cut) {
		const char *file = json_string_value(json_object_get(cut, "file"));
		const char *sha = json_string_value(json_object_get(cut, "sha256"));

		print_key(out, "cut");
		cmd_out_printf(out, "from ");
		cmd_out_text(out, file ? file : "?");
		cmd_out_printf(out, ", sha256 ");
		cmd_out_text(out, sha ? sha : "?");
		cmd_out_printf(out, "\n");
	}
}

/* Without what is long and for programs: counters, the layout of role words. */
static void print_kvm(const struct info *info, struct cmd_out *out)
{
	static const char *const none[] = {NULL};
	json_t *kvm = json_copy(json_object_get(info->header, "kvm")), *params, *of_module;
	const char *module;

	params = json_incref(json_object_get(kvm, "params"));
	json_object_del(kvm, "stats");
	json_object_del(kvm, "role");
	if (json_is_object(params))
		json_object_del(kvm, "params");
	print_object(out, "kvm", kvm, none);
	json_object_foreach(params, module, of_module)
	{
		if (json_is_object(of_module))
			print_object(out, module, of_module, none);
	}
	json_decref(params);
	json_decref(kvm);
}

static void print_clock(const struct info *info, struct cmd_out *out)
{
	const char *clock = json_string_value(json_object_get(info->header, "clock"));
	const json_t *real = json_object_get(info->header, "clock_real");

	print_key(out, "clock");
	cmd_out_text(out, clock ? clock : "not named");
	if (json_is_true(real))
		cmd_out_printf(out, ", real time\n");
	else if (json_is_false(real))
		cmd_out_printf(out, ", NOT REAL: order is exact, durations are an emulator's\n");
	else
		cmd_out_printf(out, ", not known whether its durations are real\n");
}

static void print_losses(const struct info *info, struct cmd_out *out)
{
	char a[32];

	print_key(out, "losses");
	if (!info->gaps) {
		cmd_out_printf(out, "none\n");
		return;
	}
	cmd_out_printf(out, "*** %s EVENTS LOST at %" PRIu64 " places", grouped(info->lost, a),
		       info->gaps);
	if (info->unknown_gaps)
		cmd_out_printf(out, ", AND UNCOUNTED ONES at %" PRIu64 " of them",
			       info->unknown_gaps);
	cmd_out_printf(out, " ***\n");
}

static void print_types(const struct info *info, struct cmd_out *out)
{
	unsigned int i;
	char a[32], b[32];

	cmd_out_printf(out, "\nevents by type%s\n",
		       info->preamble ? " (second number: of these in the preamble)" : "");
	for (i = 0; i < info->nr_types; i++) {
		if (!info->by_type[i] && !info->preamble_by_type[i])
			continue;
		cmd_out_printf(out, "  %14s %5.1f %%", grouped(info->by_type[i], a),
			       percent(info->by_type[i], info->events));
		if (info->preamble)
			cmd_out_printf(out, " %10s", grouped(info->preamble_by_type[i], b));
		cmd_out_printf(out, "  %s:%s%s\n", info->types[i].system, info->types[i].name,
			       info->types[i].id == SPHT_EV_UNKNOWN ? "  (kept, not interpreted)"
								    : "");
	}
	for (i = 0; i < info->nr_types; i++)
		if (!info->by_type[i] && !info->preamble_by_type[i])
			break;
	if (i == info->nr_types)
		return;
	cmd_out_printf(out, "  none of");
	for (i = 0; i < info->nr_types; i++)
		if (!info->by_type[i] && !info->preamble_by_type[i])
			cmd_out_printf(out, " %s", info->types[i].name);
	cmd_out_printf(out, "\n");
}

/* Which pseudo-CPU they are on is in the header. */
static int snap_cpu(const struct info *info)
{
	const json_t *cpu = json_object_get(json_object_get(info->header, "snap"), "cpu");

	return json_is_integer(cpu) ? (int)json_integer_value(cpu) : -1;
}

static void print_snaps(const struct info *info, struct cmd_out *out)
{
	static const char *const names[SPHT_SNAP_KINDS] = {"created", "found unsync", "synced",
							   "made unsync", "walked through"};
	const json_t *said = json_object_get(info->footer, "snap");
	const char *dropped = json_string_value(json_object_get(said, "dropped"));
	uint64_t bytes = 0, all = info_count(info, SPHT_EV_SNAP);
	char a[32];

	if (snap_cpu(info) < 0)
		return;
	for (size_t i = 0; i < info->span.blocks; i++)
		if (info->blocks[i].cpu == (uint32_t)snap_cpu(info))
			bytes += info->blocks[i].comp_size;
	print_key(out, "snapshots");
	cmd_out_printf(out, "%s of guest page tables:", grouped(all, a));
	for (int i = 0; i < SPHT_SNAP_KINDS; i++)
		if (info->snaps[i])
			cmd_out_printf(out, " %s %s,", grouped(info->snaps[i], a), names[i]);
	cmd_out_printf(out, " %s unreadable;\n", grouped(info->snap_unreadable, a));
	cmd_out_printf(out, "%*s%s entries", INDENT, "",
		       grouped(info_count(info, SPHT_EV_SNAP_ENTRY), a));
	cmd_out_printf(out, ", %s in full", grouped(info->snap_full, a));
	if (bytes)
		cmd_out_printf(out, ", %.1f bytes a snapshot",
			       (double)bytes / (double)(all ? all : 1));
	if (dropped)
		cmd_out_printf(out, ", %s dropped", grouped(strtoull(dropped, NULL, 16), a));
	cmd_out_printf(out, "\n");
}

static void print_ledger(const struct info *info, struct cmd_out *out)
{
	bool any = false;
	unsigned int cpu;
	char a[32], b[32];

	cmd_out_printf(out, "\nCPUs and their ledger\n");
	for (cpu = 0; cpu < SPHT_MAX_CPUS; cpu++) {
		const struct info_cpu *c = &info->cpus[cpu];
		struct spht_ledger l;
		bool known = cmd_ledger(info->footer, cpu, &l);

		if (!c->used && !known)
			continue;
		any = true;
		cmd_out_printf(out, "  cpu %-4u %14s events%s", cpu, grouped(c->events, a),
			       (int)cpu == snap_cpu(info) ? " of snapshots" : "");
		if (c->gaps)
			cmd_out_printf(out, ", %s%s LOST", grouped(c->lost, b),
				       c->unknown_gaps ? " and more" : "");
		if (known && l.known)
			cmd_out_printf(out,
				       "; written %" PRIu64 ", read %" PRIu64 ", overrun %" PRIu64
				       ", dropped %" PRIu64 ", commit overrun %" PRIu64 ": %s",
				       l.written, l.read, l.overrun, l.dropped, l.commit_overrun,
				       cmd_ledger_closed(&l) ? "closed" : "NOT CLOSED");
		else
			cmd_out_printf(out, "; no ledger");
		cmd_out_printf(out, "\n");
	}
	if (!any)
		cmd_out_printf(out, "  none\n");
}

static void print_exits(const struct info *info, struct cmd_out *out)
{
	unsigned int i;
	char a[32], name[64];

	cmd_out_printf(out, "\nexits by reason (classes of #PF exits need the model: "
			    "spht-replay prints them)\n");
	if (!info->exits_total)
		cmd_out_printf(out, "  no kvm_exit\n");
	for (i = 0; i < info->nr_exits; i++) {
		const struct cmd_exit *e = &info->exits[i].exit;

		cmd_out_printf(out, "  %14s %5.1f %%  %s 0x%" PRIx32 " %s\n",
			       grouped(info->exits[i].count, a),
			       percent(info->exits[i].count, info->exits_total),
			       e->isa == CMD_ISA_SVM   ? "SVM"
			       : e->isa == CMD_ISA_VMX ? "VMX"
						       : "isa?",
			       e->reason, cmd_exit_name(e, name, sizeof(name)));
	}
	if (info->exits_other)
		cmd_out_printf(out, "  %14s %5.1f %%  further reasons\n",
			       grouped(info->exits_other, a),
			       percent(info->exits_other, info->exits_total));
	if (info->exits_total)
		cmd_out_printf(out, "  %14s          in all, %" PRIu64 " of them #PF\n",
			       grouped(info->exits_total, a), info->page_faults);
}

static void print_threads(const struct info *info, struct cmd_out *out)
{
	size_t i;
	char a[32];

	cmd_out_printf(out, "\nthreads\n");
	for (i = 0; i < info->nr_threads && i < MAX_THREADS_SHOWN; i++) {
		const struct info_thread *t = &info->threads[i];

		cmd_out_printf(out, "  %14s events  tid %" PRId32, grouped(t->events, a), t->pid);
		if (t->vcpu >= 0)
			cmd_out_printf(out, "  vCPU %" PRId64 "%s", t->vcpu,
				       t->vcpus_vary ? " and others" : "");
		cmd_out_printf(out, "\n");
	}
	if (i < info->nr_threads)
		cmd_out_printf(out, "  and %zu more\n", info->nr_threads - i);
	if (!i)
		cmd_out_printf(out, "  none\n");
}

static void print_marks(const struct info *info, size_t max, struct cmd_out *out)
{
	uint32_t port = spht_marks_port(info->mark_names);
	size_t i;

	if (port == SPHT_MARK_NO_PORT)
		cmd_out_printf(out, "\nmarks: the port that the header names is none\n");
	else
		cmd_out_printf(out, "\nmarks (kvm_pio to port 0x%" PRIx32 ") %" PRIu64 "\n", port,
			       info->marks_total);
	for (i = 0; i < info->nr_marks && i < max; i++) {
		const struct info_mark *m = &info->marks[i];
		const char *name = spht_mark_name(info->mark_names, m->value);
		uint64_t ns = m->ts - info->span.first_ts;

		cmd_out_printf(out, "  %7" PRIu64 ".%06u s  cpu %-3u tid %-7" PRId32 " 0x%" PRIx32,
			       ns / 1000000000, (unsigned int)(ns % 1000000000 / 1000), m->cpu,
			       m->pid, m->value);
		if (name) {
			cmd_out_printf(out, "  ");
			cmd_out_text(out, name);
		}
		cmd_out_printf(out, "\n");
	}
	if (i < info->marks_total)
		cmd_out_printf(out, "  and %" PRIu64 " more%s\n", info->marks_total - i,
			       i < info->nr_marks ? " (--marks lists them)" : "");
}

static void print_port_io(const struct info *info, struct cmd_out *out)
{
	unsigned int i;

	cmd_out_printf(out, "\nport I/O (kvm_pio) %" PRIu64, info->port_io);
	for (i = 0; i < info->nr_ports; i++)
		cmd_out_printf(out, "%s port 0x%" PRIx64 " %" PRIu64, i ? "," : ":",
			       info->ports[i].port, info->ports[i].count);
	cmd_out_printf(out, "%s\n", info->nr_ports == INFO_MAX_PORTS ? ", ..." : "");
}

/* What the importer or recorder left out, in its own words. */
static void print_left_out(const struct info *info, struct cmd_out *out)
{
	static const struct {
		const char *key, *title;
	} lists[] = {
		{"skipped", "skipped by the recorder (system, event, count)"},
		{"not_stored", "fields not stored"},
		{"missing", "asked for and not there"},
	};
	const json_t *list;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		list = info_said(info, lists[i].key);
		if (!json_array_size(list) && !json_object_size(list))
			continue;
		cmd_out_printf(out, "\n%s\n  ", lists[i].title);
		print_value(out, list);
		cmd_out_printf(out, "\n");
	}
}

static void print_missing(void *arg, enum info_weight weight, const char *what, const char *effect)
{
	static const char *const marks[] = {"  ", "- ", "! "};

	cmd_out_printf(arg, "  %s%s: %s\n", marks[weight], what, effect);
}

void info_print_text(const struct info *info, const char *path, size_t marks, struct cmd_out *out)
{
	static const char *const host_first[] = {"kernel", "machine", "cpu_model", NULL};
	static const char *const guest_first[] = {"kernel", "workload", NULL};
	static const char *const origin_first[] = {"file", NULL};
	static const char *const none[] = {NULL};
	const json_t *h = info->header;

	print_file(info, path, out);
	print_object(out, "host", json_object_get(h, "host"), host_first);
	print_object(out, "guest", json_object_get(h, "guest"), guest_first);
	print_kvm(info, out);
	print_object(out, "origin", json_object_get(h, "origin"), origin_first);
	print_object(out, "repacked", json_object_get(h, "repacked"), origin_first);
	print_object(out, "recorder", json_object_get(h, "recorder"), none);
	print_clock(info, out);
	print_losses(info, out);
	print_snaps(info, out);
	print_types(info, out);
	print_ledger(info, out);
	print_exits(info, out);
	print_threads(info, out);
	print_marks(info, marks, out);
	print_port_io(info, out);
	print_left_out(info, out);
	cmd_out_printf(out,
		       "\nmissing, and for what ('!' cannot be replayed, '-' results are empty "
		       "or weaker)\n");
	info_missing(info, print_missing, out);
}
