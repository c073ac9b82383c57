// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "spht_trace.h"
#include "tracedat-plan.h"

/* "Linux host.example 6.1.0-56-amd64 x86_64"; the name of the machine is nobody's business. */
static json_t *host(const char *uname)
{
	json_t *j = json_object();
	const char *last, *word;

	last = uname ? strrchr(uname, ' ') : NULL;
	if (!last)
		return j;
	for (word = last; word > uname && word[-1] != ' '; word--)
		;
	if (word > uname) {
		spht_json_text(j, "kernel", word, (size_t)(last - word));
		spht_json_text(j, "machine", last + 1, strlen(last + 1));
	}
	return j;
}

static const char *clock_of(const struct tracedat_meta *m)
{
	for (unsigned int i = 0; i < m->nr_buffers; i++)
		if (m->buffers[i].nr_cpus && m->buffers[i].clock && *m->buffers[i].clock)
			return m->buffers[i].clock;
	return m->clock;
}

static json_t *recorder(const struct tracedat_meta *m)
{
	json_t *j = json_object(), *buffers = json_array();
	char tool[96];

	/* "3.1.6 not-a-git-repo" */
	if (m->recorder && *m->recorder) {
		snprintf(tool, sizeof(tool), "trace-cmd %.*s", (int)strcspn(m->recorder, " "),
			 m->recorder);
		spht_json_text(j, "tool", tool, strlen(tool));
	}
	for (unsigned int i = 0; i < m->nr_buffers; i++) {
		const char *name = m->buffers[i].name;
		json_t *entry = json_string(*name ? name : "(top)");

		json_array_append_new(buffers, entry ? entry : json_string("?"));
	}
	json_object_set_new(j, "buffers", buffers);
	if (m->has_trace_id)
		json_object_set_new(j, "trace_id", spht_json_hex(m->trace_id));
	/* libtracecmd has added these to the time stamps. */
	if (m->date)
		spht_json_text(j, "date", m->date, strlen(m->date));
	if (m->offset)
		spht_json_text(j, "offset", m->offset, strlen(m->offset));
	return j;
}

static bool has_data(const struct tracedat_buffer *b, unsigned int cpu)
{
	for (unsigned int k = 0; k < b->nr_cpus; k++)
		if (b->cpus[k].cpu == cpu && b->cpus[k].size)
			return true;
	return false;
}

/* Adds up the statistics of @cpu over the buffers; false where one of them has none. */
static bool add_stats(const struct tracedat_meta *m, unsigned int cpu, struct spht_ledger *l)
{
	bool any = false;

	memset(l, 0, sizeof(*l));
	for (unsigned int i = 0; i < m->nr_buffers; i++) {
		const struct tracedat_buffer *b = &m->buffers[i];
		bool found = false;

		for (unsigned int k = 0; k < m->nr_stats; k++) {
			const struct tracedat_stat *st = &m->stats[k];

			if (st->cpu != cpu || strcmp(st->buffer, b->name))
				continue;
			found = true;
			l->overrun += st->overrun;
			l->dropped += st->dropped;
			l->commit_overrun += st->commit_overrun;
			/* Read before the statistics, or still in the buffer then and read after. */
			l->written += st->entries + st->read;
		}
		if (!found && has_data(b, cpu))
			return false;
		any |= found;
	}
	l->written += l->overrun + l->dropped + l->commit_overrun;
	return any;
}

static json_t *stats(const struct tracedat_meta *m, bool *all_known)
{
	json_t *list = json_array();

	*all_known = true;
	for (unsigned int cpu = 0; cpu < m->nr_cpus; cpu++) {
		struct spht_ledger l;
		bool known = add_stats(m, cpu, &l);

		*all_known &= known;
		json_array_append_new(
			list, json_pack("[i, b, o, o, o, o]", (int)cpu, (int)known,
					spht_json_hex(l.written), spht_json_hex(l.overrun),
					spht_json_hex(l.dropped), spht_json_hex(l.commit_overrun)));
	}
	return list;
}

static bool clock_counts_ns(const struct tracedat_meta *m, const char *clock)
{
	return m->has_tsc2nsec || (strcmp(clock, "x86-tsc") && strcmp(clock, "counter"));
}

json_t *tracedat_plan(const struct tracedat_meta *m, const struct spht_types *types)
{
	json_t *plan = json_object(), *header = json_object(), *notes = json_array();
	const char *clock = clock_of(m);
	uint64_t bytes = 0;
	bool known;
	char text[128];

	for (unsigned int i = 0; i < m->nr_buffers; i++)
		for (unsigned int k = 0; k < m->buffers[i].nr_cpus; k++)
			bytes += m->buffers[i].cpus[k].data_size;
	json_object_set_new(header, "host", host(m->uname));
	if (clock)
		spht_json_text(header, "clock", clock, strlen(clock));
	json_object_set_new(header, "clock_real", json_null());
	json_object_set_new(header, "recorder", recorder(m));
	snprintf(text, sizeof(text), "trace.dat v%u %s", m->version, m->compression);
	spht_plan_common(header, m->formats, types, text);
	json_object_set_new(plan, "stats", stats(m, &known));
	json_object_set_new(header, "missing", spht_plan_missing(header, known));
	if (clock && !clock_counts_ns(m, clock))
		json_array_append_new(notes,
				      json_sprintf("the clock %.32s does not count nanoseconds; "
						   "times are in its own unit",
						   clock));
	if (!known)
		json_array_append_new(notes,
				      json_string("no statistics of the ring buffers: whether the "
						  "recorder lost events at its ends is not known"));
	json_object_set_new(plan, "header", header);
	json_object_set_new(plan, "types", spht_types_json(types));
	json_object_set_new(plan, "notes", notes);
	json_object_set_new(plan, "bytes", spht_json_hex(bytes));
	return plan;
}
