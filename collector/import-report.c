// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import-report.h"
#include "message.h"

#define MAX_LINES 8 /* CPUs that are named one by one */

uint64_t spht_import_hex(const json_t *j)
{
	const char *text = json_string_value(j);

	return text ? strtoull(text, NULL, 16) : 0;
}

static int grow(struct spht_import_ledger *l, unsigned int nr)
{
	struct spht_ledger *cpus;
	uint64_t *pages;

	if (nr <= l->nr_cpus)
		return 0;
	cpus = realloc(l->cpus, nr * sizeof(*cpus));
	if (!cpus)
		return -1;
	l->cpus = cpus;
	pages = realloc(l->empty_pages, nr * sizeof(*pages));
	if (!pages)
		return -1;
	l->empty_pages = pages;
	memset(cpus + l->nr_cpus, 0, (nr - l->nr_cpus) * sizeof(*cpus));
	memset(pages + l->nr_cpus, 0, (nr - l->nr_cpus) * sizeof(*pages));
	l->nr_cpus = nr;
	return 0;
}

int spht_import_ledger(struct spht_import_ledger *l, const json_t *stats,
		       const struct spht_feed_book *books, size_t nr_books)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(stats, i, entry)
	{
		json_int_t cpu = json_integer_value(json_array_get(entry, 0));
		struct spht_ledger *b;

		if (cpu < 0 || cpu >= SPHT_MAX_CPUS)
			continue;
		if (grow(l, (unsigned int)cpu + 1))
			return -1;
		b = &l->cpus[cpu];
		b->known = json_is_true(json_array_get(entry, 1));
		b->written = spht_import_hex(json_array_get(entry, 2));
		b->overrun = spht_import_hex(json_array_get(entry, 3));
		b->dropped = spht_import_hex(json_array_get(entry, 4));
		b->commit_overrun = spht_import_hex(json_array_get(entry, 5));
	}
	for (i = 0; i < nr_books; i++) {
		const struct spht_feed_book *b = &books[i];

		if (b->cpu >= SPHT_MAX_CPUS)
			continue;
		if (grow(l, b->cpu + 1))
			return -1;
		l->cpus[b->cpu].read += b->read;
		l->empty_pages[b->cpu] += b->empty_pages;
		if (!l->cpus[b->cpu].known)
			l->cpus[b->cpu].dropped += b->lost;
	}
	return 0;
}

void spht_import_ledger_free(struct spht_import_ledger *l)
{
	free(l->cpus);
	free(l->empty_pages);
}

static uint64_t kernel_lost(const struct spht_ledger *b)
{
	return b->overrun + b->dropped + b->commit_overrun;
}

/* What is wrong with one CPU; false when nothing is. */
static bool describe(const struct spht_import_ledger *l, const struct spht_feed *feed,
		     unsigned int cpu, char *text, size_t size)
{
	const struct spht_ledger *b = &l->cpus[cpu];
	uint64_t lost = kernel_lost(b), accounted = b->read + lost;

	if (!b->known && l->empty_pages[cpu]) {
		snprintf(text, size,
			 "%" PRIu64 " pages in which no event could be found, and no statistics "
			 "to hold against: the %s may be damaged",
			 l->empty_pages[cpu], feed->kind);
		return true;
	}
	if (!b->known && lost) {
		snprintf(text, size,
			 "%" PRIu64 " events lost while recording: record with larger buffers, %s",
			 lost, feed->larger);
		return true;
	}
	if (!b->known || (!lost && b->written == b->read))
		return false;
	if (b->written > accounted)
		snprintf(text, size,
			 "%" PRIu64 " of %" PRIu64 " events are not in the file: the %s is "
			 "damaged or was cut",
			 b->written - accounted, b->written, feed->kind);
	else if (b->written < accounted)
		snprintf(text, size,
			 "%" PRIu64 " events more than its statistics tell of: the %s is "
			 "damaged",
			 accounted - b->written, feed->kind);
	else
		snprintf(text, size,
			 "%" PRIu64 " events lost while recording (overrun %" PRIu64
			 ", dropped %" PRIu64 ", commit overrun %" PRIu64
			 "): record with larger buffers, %s",
			 lost, b->overrun, b->dropped, b->commit_overrun, feed->larger);
	return true;
}

enum spht_status spht_import_report(const char *path, const struct spht_feed *feed,
				    const struct spht_import_counts *c,
				    const struct spht_import_ledger *l, bool quiet)
{
	unsigned int bad = 0, known = 0;
	char text[256];

	for (unsigned int cpu = 0; cpu < l->nr_cpus; cpu++) {
		bad += describe(l, feed, cpu, text, sizeof(text));
		known += l->cpus[cpu].known;
	}
	if (!quiet) {
		spht_message(
			"%s: %" PRIu64 " events in %.1f s, %" PRIu64 " bytes, %.2f bytes an event",
			path, c->events, (double)(c->last_ts - c->first_ts) / 1e9, c->out_bytes,
			c->events ? (double)c->out_bytes / (double)c->events : 0.0);
		if (c->skipped)
			spht_message("%s: %" PRIu64 " events of other systems skipped", path,
				     c->skipped);
	}
	if (!bad && !c->gaps) {
		if (!quiet)
			spht_message("%s: %s", path,
				     known && known == l->nr_cpus
					     ? "nothing lost, the books of all CPUs close"
					     : "no loss is marked in the recording");
		return SPHT_DONE;
	}
	spht_message("%s: INCOMPLETE: events are missing; what is there is valid (exit status %d)",
		     path, SPHT_INCOMPLETE);
	if (c->gaps)
		spht_message("%s: %" PRIu64 " gaps are marked, %" PRIu64
			     " of unknown size, the others %" PRIu64 " events together",
			     path, c->gaps, c->unknown_gaps, c->lost);
	for (unsigned int cpu = 0, shown = 0; cpu < l->nr_cpus && shown < MAX_LINES; cpu++) {
		if (!describe(l, feed, cpu, text, sizeof(text)))
			continue;
		spht_message("%s: CPU %u: %s", path, cpu, text);
		shown++;
	}
	if (bad > MAX_LINES)
		spht_message("%s: and %u more CPUs", path, bad - MAX_LINES);
	return SPHT_INCOMPLETE;
}
