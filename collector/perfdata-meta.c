// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "formats.h"
#include "le.h"
#include "perfdata-meta.h"

#define HEADER_SIZE      104u
#define PIPE_HEADER_SIZE 16u
#define SECTION_SIZE     16u /* offset, size */
#define MIN_ATTR         64u /* struct perf_event_attr of the first kernels */
#define MAX_ATTR         4096u
#define MAX_ATTRS        16384u
#define MAX_FEATURES     256u /* bits in the header */
#define MAX_TEXT         (1u << 20) /* of a feature that is text */
#define MAX_FORMATS      (64u << 20) /* all formats of a kernel are some 5 MB */

/* Bits of the header, which stand for sections behind the data. */
enum {
	FEATURE_TRACING_DATA = 1,
	FEATURE_OSRELEASE = 4,
	FEATURE_VERSION = 5,
	FEATURE_ARCH = 6,
	FEATURE_NRCPUS = 7,
	FEATURE_CPUDESC = 8,
	FEATURE_CPUID = 9,
	FEATURE_CMDLINE = 11,
	FEATURE_EVENT_DESC = 12,
	FEATURE_AUXTRACE = 18,
	FEATURE_COMPRESSED = 27,
	FEATURE_CLOCK_DATA = 29,
};

/* Where fields of struct perf_event_attr lie, and bits of its flags. */
enum {
	ATTR_SIZE = 4,
	ATTR_CONFIG = 8,
	ATTR_PERIOD = 16,
	ATTR_SAMPLE_TYPE = 24,
	ATTR_READ_FORMAT = 32,
	ATTR_FLAGS = 40,
	ATTR_CLOCKID = 92,

	FLAG_FREQ = 10,
	FLAG_SAMPLE_ID_ALL = 18,
	FLAG_USE_CLOCKID = 25,
	FLAG_WRITE_BACKWARD = 27,
};

static bool bit(uint64_t flags, unsigned int nr)
{
	return flags >> nr & 1;
}

static void take_attr(struct perfdata_attr *a, const uint8_t *p, uint32_t room)
{
	uint32_t size = spht_get32(p + ATTR_SIZE);
	uint64_t flags = spht_get64(p + ATTR_FLAGS);

	a->type = spht_get32(p);
	a->config = spht_get64(p + ATTR_CONFIG);
	a->period = spht_get64(p + ATTR_PERIOD);
	a->sample_type = spht_get64(p + ATTR_SAMPLE_TYPE);
	a->read_format = spht_get64(p + ATTR_READ_FORMAT);
	a->is_freq = bit(flags, FLAG_FREQ);
	a->sample_id_all = bit(flags, FLAG_SAMPLE_ID_ALL);
	a->overwrites = bit(flags, FLAG_WRITE_BACKWARD);
	/* 0 is what the first perf wrote. */
	if (room >= ATTR_CLOCKID + 4 && (!size || size >= ATTR_CLOCKID + 4)) {
		a->has_clockid = bit(flags, FLAG_USE_CLOCKID);
		a->clockid = (int32_t)spht_get32(p + ATTR_CLOCKID);
	}
}

static int take_ids(struct perfdata_meta *m, const struct span_file *f, unsigned int attr,
		    uint64_t offset, uint64_t size)
{
	struct perfdata_id *grown;
	uint8_t *ids;
	size_t nr = size / 8;

	if (!size)
		return 0;
	/* Sections that overlap must not add up to more than the file. */
	if (size % 8 || nr > f->size / 8 - m->nr_ids)
		return span_damaged(f, offset, "the numbers of event %u have %" PRIu64 " bytes",
				    attr, size);
	ids = span_load(f, offset, size, f->size, "the numbers of an event");
	if (!ids)
		return -1;
	grown = realloc(m->ids, (m->nr_ids + nr) * sizeof(*grown));
	if (!grown) {
		free(ids);
		return span_no_memory(f);
	}
	m->ids = grown;
	for (size_t i = 0; i < nr; i++)
		m->ids[m->nr_ids++] = (struct perfdata_id){spht_get64(ids + 8 * i), attr, -1};
	free(ids);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct perfdata_id *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->attr < y->attr ? -1 : x->attr > y->attr;
}

struct perfdata_id *perfdata_meta_id(const struct perfdata_meta *m, uint64_t id)
{
	size_t low = 0, high = m->nr_ids;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->ids[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->nr_ids && m->ids[low].id == id ? &m->ids[low] : NULL;
}

static int read_attrs(struct perfdata_meta *m, const struct span_file *f, uint64_t each,
		      uint64_t offset, uint64_t size)
{
	uint8_t *attrs;
	int rc = 0;

	if (each < MIN_ATTR + SECTION_SIZE || each > MAX_ATTR || size % each)
		return span_damaged(f, offset, "%" PRIu64 " bytes of events, %" PRIu64 " for each",
				    size, each);
	if (!size || size / each > MAX_ATTRS)
		return span_damaged(f, offset, "%" PRIu64 " events", size / each);
	attrs = span_load(f, offset, size, f->size, "the list of events");
	if (!attrs)
		return -1;
	m->attrs = calloc(size / each, sizeof(*m->attrs));
	if (!m->attrs) {
		free(attrs);
		return span_no_memory(f);
	}
	m->nr_attrs = (unsigned int)(size / each);
	for (unsigned int i = 0; i < m->nr_attrs && !rc; i++) {
		const uint8_t *p = attrs + i * each, *ids = p + each - SECTION_SIZE;

		take_attr(&m->attrs[i], p, (uint32_t)each - SECTION_SIZE);
		rc = take_ids(m, f, i, spht_get64(ids), spht_get64(ids + 8));
	}
	if (m->nr_ids)
		qsort(m->ids, m->nr_ids, sizeof(*m->ids), compare_ids);
	free(attrs);
	return rc;
}

/* A length, and a text of at most that many bytes. */
static int take_text(struct span *s, char **text)
{
	const uint8_t *p;
	uint32_t len;

	if (span_take32(s, &len) || span_take(s, len, &p))
		return -1;
	free(*text);
	*text = span_string(p, len);
	return *text ? 0 : span_no_memory(s->file);
}

/* Of the words only whether events were left out: the others may hold secrets. */
static int take_cmdline(struct perfdata_meta *m, struct span *s)
{
	char *word = NULL;
	uint32_t nr;
	int rc = span_take32(s, &nr);

	for (uint32_t i = 0; i < nr && !rc; i++) {
		rc = take_text(s, &word);
		if (!rc && (!strcmp(word, "--filter") || !strncmp(word, "--filter=", 9)))
			m->filtered = true;
	}
	free(word);
	return rc;
}

/* Names of the events, in the order of the list. */
static int take_names(struct perfdata_meta *m, struct span *s)
{
	uint32_t nr, each, nr_ids;
	const uint8_t *p;

	if (span_take32(s, &nr) || span_take32(s, &each))
		return -1;
	for (uint32_t i = 0; i < nr && i < m->nr_attrs; i++)
		if (span_take(s, each, &p) || span_take32(s, &nr_ids) ||
		    take_text(s, &m->attrs[i].name) || span_take(s, 8 * (size_t)nr_ids, &p))
			return -1;
	return 0;
}

static int take_clock_data(struct perfdata_meta *m, struct span *s)
{
	uint32_t version, clockid;

	if (span_take32(s, &version) || span_take32(s, &clockid) ||
	    span_take64(s, &m->clock_wall) || span_take64(s, &m->clock_time))
		return -1;
	m->has_clock_data = version == 1;
	return 0;
}

static int take_feature(struct perfdata_meta *m, struct span *s, unsigned int id)
{
	uint32_t available;

	switch (id) {
	case FEATURE_OSRELEASE:
		return take_text(s, &m->release);
	case FEATURE_VERSION:
		return take_text(s, &m->version);
	case FEATURE_ARCH:
		return take_text(s, &m->arch);
	case FEATURE_CPUDESC:
		return take_text(s, &m->cpu_model);
	case FEATURE_CPUID:
		return take_text(s, &m->cpu_id);
	case FEATURE_NRCPUS:
		return span_take32(s, &available) || span_take32(s, &m->cpus_online) ? -1 : 0;
	case FEATURE_CMDLINE:
		return take_cmdline(m, s);
	case FEATURE_EVENT_DESC:
		return take_names(m, s);
	case FEATURE_CLOCK_DATA:
		return take_clock_data(m, s);
	default:
		return 0;
	}
}

/* The sections of the set bits stand behind the data, in their order. */
static int read_features(struct perfdata_meta *m, const struct span_file *f, const uint8_t *bits)
{
	uint64_t at = m->data_offset + m->data_size;
	uint8_t section[SECTION_SIZE];

	for (unsigned int id = 0; id < MAX_FEATURES; id++) {
		struct span s = {.file = f, .what = "a feature of the header"};
		uint8_t *body;
		int rc;

		if (!(bits[id / 8] >> (id % 8) & 1))
			continue;
		if (span_pread(f, at, section, sizeof(section), "the list of features"))
			return -1;
		at += sizeof(section);
		s.offset = spht_get64(section);
		s.left = spht_get64(section + 8);
		if (s.offset > f->size || s.left > f->size - s.offset)
			return span_truncated(f, at - sizeof(section), s.what);
		if (id == FEATURE_AUXTRACE) {
			spht_error_set(f->err,
				       "%s: has hardware traces (Intel PT, AUX area); record KVM's "
				       "events alone: perf record -a -e 'kvm:*,kvmmmu:*'",
				       f->name);
			return -1;
		}
		m->compressed |= id == FEATURE_COMPRESSED;
		if (id == FEATURE_TRACING_DATA) {
			m->tracing_offset = s.offset;
			m->tracing_size = s.left;
			continue;
		}
		/* What is that large is none of those below. */
		if (s.left > MAX_TEXT && id != FEATURE_EVENT_DESC)
			continue;
		body = span_load(f, s.offset, s.left, MAX_FORMATS, s.what);
		if (!body)
			return -1;
		s.p = body;
		s.start = body;
		rc = take_feature(m, &s, id);
		free(body);
		if (rc)
			return -1;
	}
	return 0;
}

int perfdata_meta_read(struct perfdata_meta *m, const struct span_file *f)
{
	uint64_t size, each, attrs, attrs_size;
	uint8_t h[HEADER_SIZE];

	memset(m, 0, sizeof(*m));
	if (span_pread(f, 0, h, PIPE_HEADER_SIZE, "the header"))
		return -1;
	size = spht_get64(h + 8);
	if (size == PIPE_HEADER_SIZE) {
		spht_error_set(
			f->err,
			"%s: recorded by perf into a pipe (-o -), which gives a file without "
			"an index; let perf write the file: perf record -o FILE",
			f->name);
		return -1;
	}
	if (size != HEADER_SIZE)
		return span_damaged(f, 8, "the header has %" PRIu64 " bytes, not %u", size,
				    HEADER_SIZE);
	if (span_pread(f, 0, h, sizeof(h), "the header"))
		return -1;
	each = spht_get64(h + 16);
	attrs = spht_get64(h + 24);
	attrs_size = spht_get64(h + 32);
	m->data_offset = spht_get64(h + 40);
	m->data_size = spht_get64(h + 48);
	if (!m->data_size) {
		spht_error_set(
			f->err,
			"%s: perf record was killed before it could complete the file: it has "
			"neither an end nor the formats of its events; end perf record by ^C or "
			"SIGTERM and record anew",
			f->name);
		return -1;
	}
	if (m->data_offset > f->size || m->data_size > f->size - m->data_offset)
		return span_truncated(f, m->data_offset, "the data");
	if (read_attrs(m, f, each, attrs, attrs_size))
		return -1;
	return read_features(m, f, h + 72);
}

/* A size of 8 bytes and as many bytes, which have a use in trace.dat only. */
static int skip_sized(struct span *s)
{
	const uint8_t *p;
	uint64_t size;

	return span_take64(s, &size) || span_take(s, size, &p) ? -1 : 0;
}

struct formats {
	struct perfdata_meta *m;
	struct tep_handle *tep;
	const struct span_file *f;
};

static int take_format(void *arg, const char *system, const uint8_t *text, size_t len)
{
	struct formats *x = arg;
	char *copy;

	if (spht_formats_keep(x->m->formats, system, text, len))
		return span_no_memory(x->f);
	/* libtraceevent is given an end to stop at. */
	copy = malloc(len + 1);
	if (!copy)
		return span_no_memory(x->f);
	memcpy(copy, text, len);
	copy[len] = '\0';
	/* It complains of print formats that nobody needs; what fields it found is seen later. */
	tep_parse_event(x->tep, copy, len, system);
	free(copy);
	return 0;
}

static int take_formats(struct formats *x, struct span *s)
{
	static const char magic[] = "\x17\x08\x44tracing";
	const uint8_t *p;
	const char *version;
	uint32_t nr;

	if (span_take(s, strlen(magic), &p))
		return -1;
	if (memcmp(p, magic, strlen(magic)))
		return span_damaged(x->f, s->offset, "no formats start like this");
	if (span_take_string(s, &version) || span_take(s, 2, &p))
		return -1;
	if (p[0] || (p[1] != 4 && p[1] != 8))
		return span_damaged(x->f, span_where(s), "byte order %u, longs of %u bytes", p[0],
				    p[1]);
	tep_set_file_bigendian(x->tep, TEP_LITTLE_ENDIAN);
	tep_set_long_size(x->tep, p[1]);
	if (span_take32(s, &nr) || span_take(s, 12, &p))
		return -1;
	if (memcmp(p, "header_page", 12))
		return span_damaged(x->f, span_where(s), "the description of pages is missing");
	if (skip_sized(s) || span_take(s, 13, &p))
		return -1;
	if (memcmp(p, "header_event", 13))
		return span_damaged(x->f, span_where(s), "the description of events is missing");
	/* Then ftrace's own events, which are in no perf.data, and those of the systems. */
	if (skip_sized(s) || span_take32(s, &nr))
		return -1;
	for (uint32_t i = 0; i < nr; i++)
		if (skip_sized(s))
			return -1;
	return spht_formats_take(s, take_format, x);
}

int perfdata_meta_formats(struct perfdata_meta *m, const struct span_file *f,
			  struct tep_handle *tep)
{
	struct span s = {.file = f, .offset = m->tracing_offset, .what = "the formats of events"};
	struct formats x = {m, tep, f};
	uint8_t *body;
	int rc;

	m->formats = json_object();
	if (!m->formats)
		return span_no_memory(f);
	if (!m->tracing_size)
		return 0;
	body = span_load(f, m->tracing_offset, m->tracing_size, MAX_FORMATS, s.what);
	if (!body)
		return -1;
	s.p = body;
	s.start = body;
	s.left = m->tracing_size;
	rc = take_formats(&x, &s);
	free(body);
	return rc;
}

void perfdata_meta_free(struct perfdata_meta *m)
{
	for (unsigned int i = 0; i < m->nr_attrs; i++)
		free(m->attrs[i].name);
	free(m->attrs);
	free(m->ids);
	free(m->release);
	free(m->version);
	free(m->arch);
	free(m->cpu_model);
	free(m->cpu_id);
	json_decref(m->formats);
}
