// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/perf_event.h>
#include <string.h>

#include "le.h"
#include "perfdata-sample.h"

/* In the order in which they lie in a sample, each of 8 bytes. */
static const uint64_t in_sample[] = {
	PERF_SAMPLE_IDENTIFIER, PERF_SAMPLE_IP,   PERF_SAMPLE_TID,
	PERF_SAMPLE_TIME,       PERF_SAMPLE_ADDR, PERF_SAMPLE_ID,
	PERF_SAMPLE_STREAM_ID,  PERF_SAMPLE_CPU,  PERF_SAMPLE_PERIOD,
};

/* And at the end of other records, if sample_id_all is set. */
static const uint64_t in_trailer[] = {
	PERF_SAMPLE_TID,       PERF_SAMPLE_TIME, PERF_SAMPLE_ID,
	PERF_SAMPLE_STREAM_ID, PERF_SAMPLE_CPU,  PERF_SAMPLE_IDENTIFIER,
};

#define NR(a) (sizeof(a) / sizeof((a)[0]))

static unsigned int trailer_size(uint64_t type)
{
	unsigned int size = 0;

	for (size_t i = 0; i < NR(in_trailer); i++)
		size += type & in_trailer[i] ? 8 : 0;
	return size;
}

/* Bytes before @field. */
static unsigned int place(const uint64_t *fields, size_t nr, uint64_t type, uint64_t field)
{
	unsigned int at = 0;

	for (size_t i = 0; i < nr && fields[i] != field; i++)
		at += type & fields[i] ? 8 : 0;
	return at;
}

static unsigned int sample_id_place(uint64_t type)
{
	if (type & PERF_SAMPLE_IDENTIFIER)
		return PERFDATA_HEAD;
	if (type & PERF_SAMPLE_ID)
		return PERFDATA_HEAD + place(in_sample, NR(in_sample), type, PERF_SAMPLE_ID);
	return 0;
}

static unsigned int trailer_id_place(uint64_t type)
{
	if (type & PERF_SAMPLE_IDENTIFIER)
		return 8;
	if (type & PERF_SAMPLE_ID)
		return trailer_size(type) - place(in_trailer, NR(in_trailer), type, PERF_SAMPLE_ID);
	return 0;
}

int perfdata_sample_ids(const struct perfdata_meta *m, struct perfdata_ids *ids)
{
	uint64_t type = m->attrs[0].sample_type;
	bool alike = true, again = false;

	ids->any = 0;
	while (ids->any < m->nr_attrs - 1 && !m->attrs[ids->any].wanted)
		ids->any++;
	ids->in_sample = sample_id_place(type);
	ids->in_trailer = m->attrs[0].sample_id_all ? trailer_id_place(type) : 0;
	for (unsigned int i = 1; i < m->nr_attrs; i++) {
		const struct perfdata_attr *a = &m->attrs[i];

		again |= a->again;
		alike &= a->sample_type == type && a->read_format == m->attrs[0].read_format;
		if (sample_id_place(a->sample_type) != ids->in_sample)
			ids->in_sample = 0;
		if (!a->sample_id_all || trailer_id_place(a->sample_type) != ids->in_trailer)
			ids->in_trailer = 0;
	}
	return ids->in_sample || (alike && !again) ? 0 : -1;
}

int perfdata_sample_attr(const struct perfdata_meta *m, const struct perfdata_ids *ids,
			 const struct perfdata_record *r, unsigned int *attr)
{
	const struct perfdata_id *id;

	*attr = ids->any;
	if (m->nr_attrs == 1 || !ids->in_sample)
		return 1;
	if (r->size < ids->in_sample + 8)
		return -1;
	id = perfdata_meta_id(m, spht_get64(r->p + ids->in_sample));
	if (!id)
		return 0;
	*attr = id->attr;
	return 1;
}

/* Keeps the fields that are of use; behind all of them. */
static const uint8_t *take_fields(const uint64_t *fields, size_t nr, uint64_t type,
				  const uint8_t *p, struct perfdata_sample *s)
{
	for (size_t i = 0; i < nr; i++) {
		if (!(type & fields[i]))
			continue;
		switch (fields[i]) {
		case PERF_SAMPLE_TIME:
			s->time = spht_get64(p);
			s->has_time = true;
			break;
		case PERF_SAMPLE_CPU:
			s->cpu = spht_get32(p);
			s->has_cpu = true;
			break;
		case PERF_SAMPLE_ID:
		case PERF_SAMPLE_IDENTIFIER:
			s->id = spht_get64(p);
			s->has_id = true;
			break;
		default:
			break;
		}
		p += 8;
	}
	return p;
}

/* What PERF_SAMPLE_READ adds: counters of the event, or of its whole group. */
static const uint8_t *skip_read(uint64_t format, const uint8_t *p, const uint8_t *end)
{
	uint64_t times = (format & PERF_FORMAT_TOTAL_TIME_ENABLED ? 1 : 0) +
			 (format & PERF_FORMAT_TOTAL_TIME_RUNNING ? 1 : 0);
	uint64_t each = 1 + (format & PERF_FORMAT_ID ? 1 : 0) + (format & 1u << 4 ? 1 : 0);
	uint64_t left = (uint64_t)(end - p) / 8, words = times + each;

	if (format & PERF_FORMAT_GROUP) {
		if (!left || spht_get64(p) > left)
			return NULL;
		words = 1 + times + spht_get64(p) * each;
	}
	return words <= left ? p + 8 * words : NULL;
}

static const uint8_t *skip_callchain(const uint8_t *p, const uint8_t *end)
{
	uint64_t left = (uint64_t)(end - p) / 8;

	return left && spht_get64(p) < left ? p + 8 * (1 + spht_get64(p)) : NULL;
}

int perfdata_sample_read(const struct perfdata_attr *a, const struct perfdata_record *r,
			 struct perfdata_sample *s)
{
	const uint8_t *p = r->p + PERFDATA_HEAD, *end = r->p + r->size;

	memset(s, 0, sizeof(*s));
	if (PERFDATA_HEAD + place(in_sample, NR(in_sample), a->sample_type, 0) > r->size)
		return -1;
	p = take_fields(in_sample, NR(in_sample), a->sample_type, p, s);
	if (a->sample_type & PERF_SAMPLE_READ)
		p = skip_read(a->read_format, p, end);
	if (p && a->sample_type & PERF_SAMPLE_CALLCHAIN)
		p = skip_callchain(p, end);
	if (!p)
		return -1;
	if (!(a->sample_type & PERF_SAMPLE_RAW))
		return 0;
	if (end - p < 4 || spht_get32(p) > (uint64_t)(end - p) - 4)
		return -1;
	s->raw_size = spht_get32(p);
	s->raw = p + 4;
	return 0;
}

int perfdata_sample_trailer(const struct perfdata_meta *m, const struct perfdata_ids *ids,
			    const struct perfdata_record *r, size_t fixed,
			    struct perfdata_sample *s)
{
	const struct perfdata_attr *a = &m->attrs[0];
	const struct perfdata_id *id;
	unsigned int size;

	memset(s, 0, sizeof(*s));
	if (r->size < PERFDATA_HEAD + fixed)
		return -1;
	if (ids->in_trailer && r->size >= PERFDATA_HEAD + fixed + ids->in_trailer) {
		id = perfdata_meta_id(m, spht_get64(r->p + r->size - ids->in_trailer));
		if (id)
			a = &m->attrs[id->attr];
	}
	size = a->sample_id_all ? trailer_size(a->sample_type) : 0;
	if (r->size < PERFDATA_HEAD + fixed + size)
		return -1;
	if (size)
		take_fields(in_trailer, NR(in_trailer), a->sample_type, r->p + r->size - size, s);
	return 0;
}
