// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "host.h"
#include "json.h"
#include "kvm-facts.h"
#include "kvm-stats.h"
#include "live-local.h"
#include "settings.h"
#include "version.h"

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, spht_json_string(text));
}

static json_t *command_json(char *const *argv)
{
	json_t *list = json_array();

	for (; list && *argv; argv++)
		json_array_append_new(list, spht_json_string(*argv));
	return list;
}

static json_t *recorder(struct live *l)
{
	const struct spht_live *o = l->o;
	json_t *j = json_object();

	set_text(j, "tool", "spht-record " SPHT_VERSION);
	set_text(j, "commit", SPHT_GIT_COMMIT);
	set_text(j, "source", "tracefs");
	set_text(j, "profile", spht_profile_name(o->profile));
	json_object_set_new(j, "buffer_bytes_per_cpu", json_integer((json_int_t)o->buffer));
	json_object_set_new(j, "vms", json_string(l->shared.vms ? "one" : "all"));
	if (o->vm)
		json_object_set_new(j, "vm_pid", json_integer(o->vm));
	if (o->command)
		json_object_set_new(j, "command", command_json(o->command));
	if (l->overhead >= 0)
		json_object_set_new(j, "event_cost_ns",
				    json_real((double)(int)(l->overhead + 0.5)));
	else
		json_array_append_new(l->missing, json_string("tracing overhead"));
	return j;
}

/* The names that the user gave marks come by --set marks.names.0x1=boot. */
static json_t *marks(const struct spht_live *o)
{
	json_t *j = json_object();
	char port[16];

	snprintf(port, sizeof(port), "0x%x", o->mark_port);
	set_text(j, "port", port);
	return j;
}

static json_t *kvm(struct live *l)
{
	json_t *j = spht_kvm_json(l->missing);
	struct spht_error err;

	l->stats_before = spht_kvm_stats(l->o->vm, 0, &err);
	if (l->stats_before)
		json_object_set_new(j, "stats", json_pack("{s:O}", "before", l->stats_before));
	else
		json_array_append_new(l->missing, json_sprintf("debugfs counters: %s", err.text));
	return j;
}

/* Inside of a virtual machine nobody but the user can tell: true, or not known. */
static json_t *clock_real(const json_t *header)
{
	const json_t *host = json_object_get(header, "host");

	return json_is_false(json_object_get(host, "under_hypervisor")) ? json_true() : json_null();
}

json_t *live_header(struct live *l)
{
	json_t *header = json_object(), *name, *j;
	size_t i;

	l->missing = json_array();
	if (!header || !l->missing)
		goto no_memory;
	json_object_set_new(header, "host", spht_host_json());
	set_text(header, "clock", l->o->clock);
	json_object_set_new(header, "clock_real", clock_real(header));
	l->clock_start = spht_clock_snapshot();
	json_object_set(header, "clock_snapshot", l->clock_start);
	json_object_set_new(header, "recorder", recorder(l));
	json_object_set_new(header, "kvm", kvm(l));
	json_object_set_new(header, "marks", marks(l->o));
	if (l->snap)
		json_object_set_new(header, "snap", spht_snap_header(l->snap, live_snap_cpu(l)));
	json_object_set(header, "formats", l->formats);
	j = spht_types_not_stored(l->types);
	if (json_object_size(j))
		json_object_set(header, "not_stored", j);
	json_decref(j);
	json_array_foreach(l->asked_missing, i, name) json_array_append_new(
		l->missing, json_sprintf("event %s", json_string_value(name)));
	/* Nobody but the user can tell; settings take these out again. */
	json_array_append_new(l->missing, json_string("guest description"));
	json_array_append_new(l->missing, json_string("memslots"));
	if (l->foreign)
		json_array_append_new(l->missing, json_string("whose the threads are"));
	json_object_set(header, "missing", l->missing);
	if (spht_settings_apply(header, l->o->settings))
		goto no_memory;
	return header;

no_memory:
	spht_error_set(&l->err, "out of memory");
	json_decref(header);
	return NULL;
}

unsigned int live_snap_cpu(const struct live *l)
{
	unsigned int nr;
	const unsigned int *cpus = spht_ring_cpus(l->ring, &nr);

	return nr ? cpus[nr - 1] + 1 : 0;
}

static const char *end_text(enum live_end why)
{
	switch (why) {
	case LIVE_END_COMMAND:
		return "command ended";
	case LIVE_END_VM:
		return "VM ended";
	case LIVE_END_SIGNAL:
		return "signal";
	case LIVE_END_DURATION:
		return "duration";
	case LIVE_END_SIZE:
		return "size";
	default:
		return "failed";
	}
}

static void add_command_status(const struct spht_command *c, json_t *end)
{
	if (!c->ended)
		return;
	if (WIFEXITED(c->status))
		json_object_set_new(end, "command_status", json_integer(WEXITSTATUS(c->status)));
	else
		json_object_set_new(end, "command_signal", json_integer(WTERMSIG(c->status)));
}

static void add_skipped(json_t *list, const char *system, const char *event, uint64_t count)
{
	if (count)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "system", system, "event",
						      event, "count", (json_int_t)count));
}

json_t *live_footer(struct live *l)
{
	json_t *footer = json_object(), *end, *missing = json_array(), *skipped = json_array();
	struct live_totals t;

	live_totals(l, &t);
	end = json_pack("{s:s, s:b}", "why", end_text(l->why), "touched", (int)l->touched);
	json_object_set_new(end, "ns", spht_json_hex(l->ended_at - l->started_at));
	json_object_set_new(end, "clock_backwards", spht_json_hex(t.counts.backwards));
	add_command_status(&l->command, end);
	json_object_set_new(footer, "end", end);
	json_object_set(footer, "clock_snapshot", l->clock_end);
	if (l->vms && !l->foreign)
		json_object_set_new(footer, "vms", spht_vm_map(l->vms, missing));
	if (l->snap && spht_snap_footer(l->snap, footer)) {
		json_decref(footer);
		return NULL;
	}
	json_object_set_new(footer, "missing", missing);
	if (l->stats_after)
		json_object_set_new(footer, "kvm_stats",
				    json_pack("{s:O}", "after", l->stats_after));
	/* As an import lists what it left out. */
	add_skipped(skipped, "(other VMs)", "*", t.counts.filtered);
	add_skipped(skipped, "(unknown)", "*", t.counts.skipped);
	json_object_set_new(footer, "skipped", skipped);
	return footer;
}

uint64_t live_cpu_written(const struct live_cpu *c)
{
	const struct spht_ring_stats *s = &c->stats;

	return s->entries + s->read + live_cpu_lost(c);
}

uint64_t live_cpu_lost(const struct live_cpu *c)
{
	return c->stats.overrun + c->stats.dropped + c->stats.commit_overrun;
}

struct spht_ledger *live_ledger(const struct live *l, unsigned int *nr)
{
	struct spht_ledger *ledger;

	*nr = l->nr_cpus ? spht_capture_cpu(l->cpus[l->nr_cpus - 1].capture) + 1 : 0;
	ledger = calloc((size_t)*nr + 2, sizeof(*ledger));
	for (unsigned int i = 0; ledger && i < l->nr_cpus; i++) {
		const struct live_cpu *c = &l->cpus[i];
		struct spht_ledger *to = &ledger[spht_capture_cpu(c->capture)];

		to->known = true;
		to->written = live_cpu_written(c);
		to->overrun = c->stats.overrun;
		to->dropped = c->stats.dropped;
		to->commit_overrun = c->stats.commit_overrun;
		to->read = c->counts.read;
	}
	if (ledger && l->snap) {
		spht_snap_ledger(l->snap, &ledger[live_snap_cpu(l)]);
		*nr = live_snap_cpu(l) + 1;
	}
	return ledger;
}
