// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "le.h"
#include "spht_trace.h"
#include "tracedat-parser.h"

/* A size of 8 or 4 bytes, and as many bytes that nobody needs. */
static int skip_sized(struct span *s, bool wide)
{
	const uint8_t *data;
	uint32_t size32 = 0;
	uint64_t size = 0;

	if (wide ? span_take64(s, &size) : span_take32(s, &size32))
		return -1;
	return span_take(s, wide ? size : size32, &data);
}

static int take_tag(struct span *s, char tag[10])
{
	const uint8_t *p;

	if (span_take(s, 10, &p))
		return -1;
	memcpy(tag, p, 10);
	return 0;
}

/* Options, if there are any, then what kind of data follows; then where it is. */
static int take_data_v6(struct tracedat_parser *p, struct span *s, unsigned int buffer)
{
	struct tracedat_buffer *b;
	unsigned int nr;
	const uint8_t *data;
	char tag[10];
	uint64_t size;

	if (take_tag(s, tag))
		return -1;
	if (!memcmp(tag, "options", 7)) {
		for (;;) {
			uint16_t id;
			uint32_t len;

			if (span_take16(s, &id))
				return -1;
			if (id == TRACEDAT_OPTION_DONE)
				break;
			if (span_take32(s, &len) || span_take(s, len, &data) ||
			    tracedat_take_option(p, id, data, len, s->offset))
				return -1;
		}
		if (take_tag(s, tag))
			return -1;
	}
	b = &p->m->buffers[buffer];
	if (!memcmp(tag, "latency", 7)) {
		p->m->has_text = true;
		return tracedat_alloc_cpus(p, b, 0, s->offset);
	}
	if (memcmp(tag, "flyrecord", 9))
		return span_damaged(&p->f, span_where(s), "neither events nor a latency trace");
	nr = p->m->nr_cpus;
	if (tracedat_alloc_cpus(p, b, nr, s->offset))
		return -1;
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t where;

		if (span_take64(s, &where) || span_take64(s, &size) ||
		    tracedat_add_cpu(p, b, i, where, size, false))
			return -1;
	}
	/* The clock was added later, without a mark; where it is missing the file goes on. */
	if (s->left >= 8 && spht_get64(s->p) <= 4096 && spht_get64(s->p) <= s->left - 8) {
		size = spht_get64(s->p);
		if (!p->m->clock && tracedat_keep_clock(p, s->p + 8, size))
			return -1;
	}
	return 0;
}

/* Version 6 is one stream of things without an index. */
int tracedat_read_v6(struct tracedat_parser *p, uint64_t offset, const uint8_t *map)
{
	struct span whole = {&p->f, map, map, p->f.size, 0, "the head of the file"};
	struct span *s = &whole;
	struct tracedat_meta *m = p->m;
	const uint8_t *tag;
	uint32_t nr;

	if (span_take(s, offset, &tag) || span_take(s, 12, &tag))
		return -1;
	if (memcmp(tag, "header_page", 12))
		return span_damaged(&p->f, 0, "the description of pages is missing");
	if (skip_sized(s, true) || span_take(s, 13, &tag))
		return -1;
	if (memcmp(tag, "header_event", 13))
		return span_damaged(&p->f, 0, "the description of events is missing");
	if (skip_sized(s, true) || span_take32(s, &nr))
		return -1;
	for (uint32_t i = 0; i < nr; i++)
		if (skip_sized(s, true))
			return -1;
	if (tracedat_take_formats(p, s))
		return -1;
	/* Symbols, formats of trace_printk(), names of threads. */
	if (skip_sized(s, false) || skip_sized(s, false) || skip_sized(s, true) ||
	    span_take32(s, &nr))
		return -1;
	if (!nr || nr > SPHT_MAX_CPUS)
		return span_damaged(&p->f, span_where(s), "%u CPUs", nr);
	m->nr_cpus = nr;
	if (!tracedat_add_buffer(p, "") || take_data_v6(p, s, 0))
		return -1;
	nr = m->nr_cpus;
	p->nested = true;
	for (unsigned int i = 1; i < m->nr_buffers; i++) {
		struct span at = {&p->f, map, map, p->f.size, 0, "the data of a buffer"};

		if (span_take(&at, m->buffers[i].offset, &tag) || take_data_v6(p, &at, i))
			return -1;
		m->nr_cpus = nr;
	}
	return 0;
}
