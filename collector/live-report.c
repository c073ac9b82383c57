// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "live-local.h"
#include "message.h"
#include "now.h"

#define MAX_LINES 8
#define MIB       1048576.0

static void add_counts(struct spht_capture_counts *to, const struct spht_capture_counts *c)
{
	to->read += c->read;
	to->stored += c->stored;
	to->filtered += c->filtered;
	to->skipped += c->skipped;
	to->faults += c->faults;
	to->gaps += c->gaps;
	to->unknown_gaps += c->unknown_gaps;
	to->lost += c->lost;
	to->backwards += c->backwards;
}

void live_totals(struct live *l, struct live_totals *t)
{
	struct stat st;

	memset(t, 0, sizeof(*t));
	for (unsigned int i = 0; i < l->nr_cpus; i++) {
		struct live_cpu *c = &l->cpus[i];
		double fill = l->ring ? (double)c->stats.bytes / (double)spht_ring_bytes(l->ring)
				      : 0;

		spht_capture_counts(c->capture, &c->counts);
		add_counts(&t->counts, &c->counts);
		t->overrun += c->stats.overrun;
		t->dropped += c->stats.dropped;
		t->commit_overrun += c->stats.commit_overrun;
		if (fill > t->fill)
			t->fill = fill;
	}
	t->out_bytes = l->out_bytes;
	if (!t->out_bytes && l->out.part && !stat(l->out.part, &st))
		t->out_bytes = (uint64_t)st.st_size;
	if (l->started_at)
		t->seconds = (double)((l->ended_at ? l->ended_at : spht_now(CLOCK_MONOTONIC)) -
				      l->started_at) /
			     1e9;
}

void live_status(struct live *l)
{
	static uint64_t events, faults, at; /* of the line before this one */
	struct live_totals t;
	uint64_t now = spht_now(CLOCK_MONOTONIC), lost;
	double s;

	live_totals(l, &t);
	s = at ? (double)(now - at) / 1e9 : t.seconds;
	lost = t.overrun + t.dropped + t.commit_overrun;
	spht_progress("%.0f s, %.0f events/s, %.0f #PF/s, %.1f MiB, %s%" PRIu64
		      " lost, buffer %.0f %%",
		      t.seconds, s > 0 ? (double)(t.counts.stored - events) / s : 0.0,
		      s > 0 ? (double)(t.counts.faults - faults) / s : 0.0,
		      (double)t.out_bytes / MIB, lost ? "LOSING EVENTS: " : "", lost, 100 * t.fill);
	events = t.counts.stored;
	faults = t.counts.faults;
	at = now;
}

/* What is wrong with the books of one CPU; false when nothing is. */
static bool describe(const struct live_cpu *c, char *text, size_t size)
{
	const struct spht_ring_stats *s = &c->stats;
	uint64_t lost = live_cpu_lost(c);
	uint64_t written = live_cpu_written(c), accounted = c->counts.read + lost;

	if (c->reset)
		snprintf(text, size,
			 "the kernel's counters went backwards: somebody emptied the buffer, how "
			 "many events were in it is not known");
	else if (written != accounted)
		snprintf(text, size,
			 "%" PRIu64 " events written, %" PRIu64 " read and %" PRIu64
			 " lost: the books do not close",
			 written, c->counts.read, lost);
	else if (lost)
		snprintf(text, size,
			 "%" PRIu64 " of %" PRIu64 " events lost (overrun %" PRIu64
			 ", dropped %" PRIu64 ", commit overrun %" PRIu64 ") in %" PRIu64
			 " gaps: record with a larger --buffer",
			 lost, written, s->overrun, s->dropped, s->commit_overrun, c->counts.gaps);
	else
		return false;
	return true;
}

static void snap_counts(const struct live *l, struct spht_snap_counts *n)
{
	memset(n, 0, sizeof(*n));
	if (l->snap)
		spht_snap_counts(l->snap, n);
}

static bool report_losses(struct live *l)
{
	const char *path = l->o->out;
	struct spht_snap_counts snaps;
	unsigned int bad = 0;
	char text[320];

	snap_counts(l, &snaps);
	for (unsigned int i = 0; i < l->nr_cpus; i++)
		bad += describe(&l->cpus[i], text, sizeof(text));
	if (!bad && !l->touched && !snaps.dropped)
		return false;
	spht_message("%s: INCOMPLETE: events are missing; what is there is valid (exit status %d)",
		     path, SPHT_INCOMPLETE);
	if (l->touched)
		spht_message("%s: somebody switched tracing or an event of our instance off "
			     "meanwhile; since when is not known",
			     path);
	if (snaps.dropped)
		spht_message("%s: %" PRIu64 " snapshots of page tables dropped, %" PRIu64
			     " taken: record with a larger --buffer",
			     path, snaps.dropped, snaps.taken);
	for (unsigned int i = 0, shown = 0; i < l->nr_cpus; i++) {
		if (!describe(&l->cpus[i], text, sizeof(text)))
			continue;
		if (shown++ == MAX_LINES) {
			spht_message("%s: and %u more CPUs", path, bad - MAX_LINES);
			break;
		}
		spht_message("%s: CPU %u: %s", path, spht_capture_cpu(l->cpus[i].capture), text);
	}
	return true;
}

void live_report_command(const struct live *l)
{
	const struct spht_command *c = &l->command;

	if (!l->o->command || !c->ended)
		return;
	if (WIFSIGNALED(c->status))
		spht_message("%s ended by signal %d", l->o->command[0], WTERMSIG(c->status));
	else if (WEXITSTATUS(c->status))
		spht_message("%s ended with exit status %d", l->o->command[0],
			     WEXITSTATUS(c->status));
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *snaps_json(const struct live *l)
{
	struct spht_snap_counts n;

	snap_counts(l, &n);
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "taken", number(n.taken), "entries",
			 number(n.entries), "unreadable", number(n.unreadable), "dropped",
			 number(n.dropped), "late", number(n.late));
}

static void print_json(struct live *l, const struct live_totals *t, bool incomplete)
{
	json_t *j = json_object(), *cpus = json_array();

	json_object_set_new(j, "file", json_string(l->o->out));
	json_object_set_new(j, "seconds", json_real(t->seconds));
	json_object_set_new(j, "events", number(t->counts.stored));
	json_object_set_new(j, "page_faults", number(t->counts.faults));
	json_object_set_new(j, "filtered", number(t->counts.filtered));
	json_object_set_new(j, "bytes", number(t->out_bytes));
	json_object_set_new(j, "lost", number(t->overrun + t->dropped + t->commit_overrun));
	json_object_set_new(j, "gaps", number(t->counts.gaps));
	json_object_set_new(j, "unknown_gaps", number(t->counts.unknown_gaps));
	json_object_set_new(j, "complete", json_boolean(!incomplete));
	if (l->snap)
		json_object_set_new(j, "snapshots", snaps_json(l));
	json_object_set_new(j, "cpu_seconds", json_real(l->cpu_seconds));
	for (unsigned int i = 0; i < l->nr_cpus; i++) {
		const struct live_cpu *c = &l->cpus[i];

		json_array_append_new(cpus,
				      json_pack("{s:i, s:I, s:I, s:I, s:I, s:I}", "cpu",
						(int)spht_capture_cpu(c->capture), "written",
						(json_int_t)live_cpu_written(c), "read",
						(json_int_t)c->counts.read, "overrun",
						(json_int_t)c->stats.overrun, "dropped",
						(json_int_t)c->stats.dropped, "commit_overrun",
						(json_int_t)c->stats.commit_overrun));
	}
	json_object_set_new(j, "cpus", cpus);
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(j);
}

static void print_summary(struct live *l, const struct live_totals *t)
{
	const struct spht_capture_counts *c = &t->counts;
	double events = c->stored ? (double)c->stored : 1.0;

	spht_message("%s: %" PRIu64 " events in %.1f s (%.0f/s), %" PRIu64 " bytes, %.2f bytes an "
		     "event, recorder CPU %.2f s (%.0f ns an event)",
		     l->o->out, c->stored, t->seconds,
		     t->seconds > 0 ? (double)c->stored / t->seconds : 0.0, t->out_bytes,
		     (double)t->out_bytes / events, l->cpu_seconds, l->cpu_seconds * 1e9 / events);
	if (l->snap) {
		struct spht_snap_counts n;

		snap_counts(l, &n);
		spht_message("%s: %" PRIu64 " snapshots of page tables, %" PRIu64
			     " entries that had changed, %" PRIu64 " unreadable",
			     l->o->out, n.taken, n.entries, n.unreadable);
	}
	if (c->filtered)
		spht_message("%s: %" PRIu64 " events of other VMs left out", l->o->out,
			     c->filtered);
	if (c->backwards)
		spht_message("%s: %" PRIu64 " time stamps ran backwards and were set to the one "
			     "before them",
			     l->o->out, c->backwards);
}

enum spht_status live_report(struct live *l)
{
	struct live_totals t;
	bool incomplete;

	live_totals(l, &t);
	if (!l->o->quiet)
		print_summary(l, &t);
	live_report_command(l);
	incomplete = report_losses(l);
	if (!incomplete && !l->o->quiet)
		spht_message("%s: nothing lost, the books of all CPUs close", l->o->out);
	if (l->o->stats_json)
		print_json(l, &t, incomplete);
	return incomplete ? SPHT_INCOMPLETE : SPHT_DONE;
}
