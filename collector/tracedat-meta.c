// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "formats.h"
#include "le.h"
#include "spht_trace.h"
#include "tracedat-parser.h"

#define MAX_OPTION_SECTIONS 1000
#define MAX_BUFFERS         1000u
#define MAX_PAGE            (1u << 20)

/* Section ids of version 7; the options of the same number hold their offsets. */
enum {
	SECTION_OPTIONS = 0,
	SECTION_BUFFER = 3,
	SECTION_FORMATS = 18,
};

enum {
	OPTION_DATE = 1,
	OPTION_CPUSTAT = 2,
	OPTION_BUFFER = 3,
	OPTION_TRACECLOCK = 4,
	OPTION_UNAME = 5,
	OPTION_OFFSET = 7,
	OPTION_CPUCOUNT = 8,
	OPTION_VERSION = 9,
	OPTION_TRACEID = 11,
	OPTION_TIME_SHIFT = 12,
	OPTION_GUEST = 13,
	OPTION_TSC2NSEC = 14,
	OPTION_EVENT_FORMATS = 18,
	OPTION_BUFFER_TEXT = 22,
};

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

int tracedat_no_memory(const struct tracedat_parser *p)
{
	return span_no_memory(&p->f);
}

static bool is_page_size(uint32_t size)
{
	return size >= 512 && size <= MAX_PAGE && !(size & (size - 1));
}

static int keep_string(struct tracedat_parser *p, char **where, const uint8_t *text, size_t len)
{
	free(*where);
	*where = span_string(text, len);
	return *where ? 0 : tracedat_no_memory(p);
}

int tracedat_keep_clock(struct tracedat_parser *p, const uint8_t *text, size_t len)
{
	const uint8_t *open = len ? memchr(text, '[', len) : NULL;
	const uint8_t *close;

	if (!open)
		return 0;
	open++;
	close = memchr(open, ']', len - (size_t)(open - text));
	return close ? keep_string(p, &p->m->clock, open, (size_t)(close - open)) : 0;
}

struct tracedat_buffer *tracedat_add_buffer(struct tracedat_parser *p, const char *name)
{
	struct tracedat_meta *m = p->m;
	struct tracedat_buffer *b;
	unsigned int instances = 0;

	for (unsigned int i = 0; i < m->nr_buffers; i++) {
		instances += *m->buffers[i].name ? 1 : 0;
		if (!strcmp(m->buffers[i].name, name)) {
			span_damaged(&p->f, 0, "two buffers have the name \"%.64s\"", name);
			return NULL;
		}
	}
	if (m->nr_buffers >= MAX_BUFFERS) {
		span_damaged(&p->f, 0, "more than %u buffers", MAX_BUFFERS);
		return NULL;
	}
	b = realloc(m->buffers, (m->nr_buffers + 1) * sizeof(*b));
	if (!b) {
		tracedat_no_memory(p);
		return NULL;
	}
	m->buffers = b;
	b += m->nr_buffers;
	memset(b, 0, sizeof(*b));
	b->name = strdup(name);
	if (!b->name) {
		tracedat_no_memory(p);
		return NULL;
	}
	b->where = instances;
	b->page_size = m->page_size;
	m->nr_buffers++;
	return b;
}

int tracedat_alloc_cpus(struct tracedat_parser *p, struct tracedat_buffer *b, uint64_t nr,
			uint64_t offset)
{
	if (nr > SPHT_MAX_CPUS)
		return span_damaged(&p->f, offset, "%" PRIu64 " CPUs", nr);
	b->cpus = calloc(nr ? nr : 1, sizeof(*b->cpus));
	return b->cpus ? 0 : tracedat_no_memory(p);
}

int tracedat_add_cpu(struct tracedat_parser *p, struct tracedat_buffer *b, unsigned int cpu,
		     uint64_t offset, uint64_t size, bool compressed)
{
	struct tracedat_cpu *c = &b->cpus[b->nr_cpus];
	char what[64];

	for (unsigned int i = 0; i < b->nr_cpus; i++)
		if (b->cpus[i].cpu == cpu)
			return span_damaged(&p->f, offset, "CPU %u is there twice", cpu);
	c->cpu = cpu;
	c->offset = offset;
	c->size = size;
	c->data_size = size;
	b->nr_cpus++;
	if (!size)
		return 0;
	snprintf(what, sizeof(what), "the data of CPU %u", cpu);
	if (offset > p->f.size || size > p->f.size - offset)
		return span_truncated(&p->f, offset, what);
	if (compressed)
		return tracedat_chunks(&p->f, offset, size, b->page_size, &c->data_size);
	if (offset % b->page_size || size % b->page_size)
		return span_damaged(&p->f, offset, "%s are not whole pages", what);
	return 0;
}

/* Version 7: where, name, clock, page size, then the CPUs. */
static int take_buffer_v7(struct tracedat_parser *p, struct span *s)
{
	struct tracedat_buffer *b;
	unsigned int flags;
	uint32_t page_size, nr;
	const char *name, *clock;
	uint64_t offset;

	if (span_take64(s, &offset) || span_take_string(s, &name) || span_take_string(s, &clock) ||
	    span_take32(s, &page_size) || span_take32(s, &nr))
		return -1;
	b = tracedat_add_buffer(p, name);
	if (!b)
		return -1;
	b->clock = strdup(clock);
	if (!b->clock)
		return tracedat_no_memory(p);
	b->offset = offset;
	/* A kernel can be told to have larger pages in its ring buffers. */
	b->page_size = page_size;
	if (!is_page_size(page_size))
		return span_damaged(&p->f, s->offset, "buffer \"%.64s\" has pages of %u bytes",
				    name, page_size);
	if (tracedat_section_flags(&p->f, offset, SECTION_BUFFER, "the data of a buffer", &flags) ||
	    tracedat_alloc_cpus(p, b, nr, s->offset))
		return -1;
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t where, size;
		uint32_t cpu;

		if (span_take32(s, &cpu) || span_take64(s, &where) || span_take64(s, &size))
			return -1;
		/* libtracecmd uses the number as an index without looking at it. */
		if (cpu >= SPHT_MAX_CPUS || cpu >= p->m->nr_cpus)
			return span_damaged(&p->f, s->offset, "data of CPU %u, with %u CPUs", cpu,
					    p->m->nr_cpus);
		if (tracedat_add_cpu(p, b, cpu, where, size, flags & TRACEDAT_SECTION_COMPRESSED))
			return -1;
	}
	return 0;
}

/* Version 6: where another list of CPUs is, and a name. */
static int take_buffer_v6(struct tracedat_parser *p, struct span *s)
{
	struct tracedat_buffer *b;
	const char *name;
	uint64_t offset;

	if (span_take64(s, &offset) || span_take_string(s, &name))
		return -1;
	b = tracedat_add_buffer(p, name);
	if (!b)
		return -1;
	b->offset = offset;
	return 0;
}

static int stat_value(const char *text, const char *key, uint64_t *v)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char *end;

		line += *line == '\n';
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		errno = 0;
		*v = strtoull(line + len + 1, &end, 10);
		return errno || end == line + len + 1 ? -1 : 0;
	}
	return -1;
}

/* The statistics of the top buffer come first, those of an instance after a line with its name. */
static int take_stat(struct tracedat_parser *p, const char *text)
{
	static const char marker[] = "\nBuffer: ";
	struct tracedat_meta *m = p->m;
	struct tracedat_stat st = {0}, *grown;
	uint64_t cpu;

	if (!strncmp(text, marker, strlen(marker))) {
		text += strlen(marker);
		free(p->stat_buffer);
		p->stat_buffer = strndup(text, strcspn(text, "\n"));
		return p->stat_buffer ? 0 : tracedat_no_memory(p);
	}
	/* An old or foreign text is no statistics; the ledger then says "unknown". */
	if (stat_value(text, "CPU", &cpu) || cpu >= SPHT_MAX_CPUS ||
	    stat_value(text, "entries", &st.entries) || stat_value(text, "overrun", &st.overrun) ||
	    stat_value(text, "commit overrun", &st.commit_overrun) ||
	    stat_value(text, "dropped events", &st.dropped) ||
	    stat_value(text, "read events", &st.read))
		return 0;
	grown = realloc(m->stats, (m->nr_stats + 1) * sizeof(*grown));
	if (!grown)
		return tracedat_no_memory(p);
	m->stats = grown;
	st.cpu = (unsigned int)cpu;
	st.buffer = strdup(p->stat_buffer ? p->stat_buffer : "");
	if (!st.buffer)
		return tracedat_no_memory(p);
	m->stats[m->nr_stats++] = st;
	return 0;
}

int tracedat_take_option(struct tracedat_parser *p, unsigned int id, const uint8_t *data,
			 size_t len, uint64_t offset)
{
	struct span s = {&p->f, NULL, data, len, offset, "an option"};
	struct tracedat_meta *m = p->m;
	char *text;
	uint32_t nr;
	int rc;

	/* libtracecmd knows no buffers inside of buffers, and counts only CPUs there. */
	if (p->nested && id != OPTION_CPUCOUNT)
		return 0;
	switch (id) {
	case OPTION_DATE:
		return keep_string(p, &m->date, data, len);
	case OPTION_OFFSET:
		return keep_string(p, &m->offset, data, len);
	case OPTION_UNAME:
		return keep_string(p, &m->uname, data, len);
	case OPTION_VERSION:
		return keep_string(p, &m->recorder, data, len);
	case OPTION_TRACECLOCK:
		return tracedat_keep_clock(p, data, len);
	case OPTION_CPUSTAT:
		text = span_string(data, len);
		if (!text)
			return tracedat_no_memory(p);
		rc = take_stat(p, text);
		free(text);
		return rc;
	case OPTION_CPUCOUNT:
		if (span_take32(&s, &nr))
			return -1;
		if (!nr || nr > SPHT_MAX_CPUS)
			return span_damaged(&p->f, offset, "%u CPUs", nr);
		m->nr_cpus = nr;
		return 0;
	case OPTION_TRACEID:
		m->has_trace_id = true;
		return span_take64(&s, &m->trace_id);
	case OPTION_TIME_SHIFT:
		m->has_time_shift = true;
		return 0;
	case OPTION_GUEST:
		m->nr_guests++;
		return 0;
	case OPTION_TSC2NSEC:
		m->has_tsc2nsec = true;
		return 0;
	case OPTION_BUFFER:
		return m->version == 6 ? take_buffer_v6(p, &s) : take_buffer_v7(p, &s);
	case OPTION_BUFFER_TEXT:
		m->has_text = true;
		return 0;
	case OPTION_EVENT_FORMATS:
		return span_take64(&s, &p->formats_at);
	default:
		return 0;
	}
}

static int keep_format(void *arg, const char *system, const uint8_t *text, size_t len)
{
	struct tracedat_parser *p = arg;

	if (p->m->formats && spht_formats_keep(p->m->formats, system, text, len))
		return tracedat_no_memory(p);
	return 0;
}

int tracedat_take_formats(struct tracedat_parser *p, struct span *s)
{
	return spht_formats_take(s, keep_format, p);
}

/* One section of options; the offset of the next one, or 0, in @next. */
static int take_options_v7(struct tracedat_parser *p, uint64_t offset, uint64_t *next)
{
	size_t len = 0;
	uint8_t *body =
		tracedat_section(&p->f, offset, SECTION_OPTIONS, "a section of options", &len);
	struct span s = {&p->f, NULL, body, len, offset, "a section of options"};
	const uint8_t *data;
	uint16_t id;
	uint32_t size;
	int rc = -1;

	if (!body)
		return -1;
	for (;;) {
		if (span_take16(&s, &id) || span_take32(&s, &size) || span_take(&s, size, &data))
			goto out;
		if (id == TRACEDAT_OPTION_DONE)
			break;
		if (tracedat_take_option(p, id, data, size, offset))
			goto out;
	}
	if (size < 8) {
		span_damaged(&p->f, offset, "the last option has no offset");
		goto out;
	}
	*next = spht_get64(data);
	rc = 0;
out:
	free(body);
	return rc;
}

static int read_v7(struct tracedat_parser *p, struct span *s)
{
	struct span formats = {.file = &p->f, .what = "the section of event formats"};
	uint64_t seen[MAX_OPTION_SECTIONS], next;
	const char *name, *version;
	unsigned int nr = 0;
	uint8_t *body;
	int rc;

	if (span_take_string(s, &name) || span_take_string(s, &version) || span_take64(s, &next))
		return -1;
	snprintf(p->m->compression, sizeof(p->m->compression), "%s", name);
	if (!*name || strlen(name) > 16 || strspn(name, name_chars) != strlen(name))
		return span_damaged(&p->f, 18, "the compression has no valid name");
	if (strcmp(name, "none") && strcmp(name, "zstd")) {
		spht_error_set(p->f.err,
			       "%s: compressed with %s; trace-cmd convert --compression zstd "
			       "makes a file that can be read",
			       p->f.name, name);
		return -1;
	}
	while (next) {
		/* A chain that bites its tail keeps libtracecmd busy until its stack ends. */
		for (unsigned int i = 0; i < nr; i++)
			if (seen[i] == next)
				return span_damaged(&p->f, next, "options lead in a circle");
		if (nr == MAX_OPTION_SECTIONS)
			return span_damaged(&p->f, next, "more than %d sections of options",
					    MAX_OPTION_SECTIONS);
		seen[nr++] = next;
		if (take_options_v7(p, next, &next))
			return -1;
	}
	if (!p->want_formats || !p->formats_at)
		return 0;
	body = tracedat_section(&p->f, p->formats_at, SECTION_FORMATS,
				"the section of event formats", &formats.left);
	if (!body)
		return -1;
	formats.p = body;
	formats.offset = p->formats_at;
	rc = tracedat_take_formats(p, &formats);
	free(body);
	return rc;
}

static int compare_cpus(const void *a, const void *b)
{
	const struct tracedat_cpu *x = *(const struct tracedat_cpu *const *)a;
	const struct tracedat_cpu *y = *(const struct tracedat_cpu *const *)b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Data that two CPUs share would be counted twice, and libtracecmd would mix them up. */
static int check_overlap(const struct tracedat_parser *p)
{
	const struct tracedat_meta *m = p->m;
	const struct tracedat_cpu **all;
	size_t nr = 0, n = 0;
	int rc = 0;

	for (unsigned int i = 0; i < m->nr_buffers; i++)
		nr += m->buffers[i].nr_cpus;
	all = calloc(nr ? nr : 1, sizeof(const struct tracedat_cpu *));
	if (!all)
		return tracedat_no_memory(p);
	for (unsigned int i = 0; i < m->nr_buffers; i++)
		for (unsigned int k = 0; k < m->buffers[i].nr_cpus; k++)
			if (m->buffers[i].cpus[k].size)
				all[n++] = &m->buffers[i].cpus[k];
	qsort(all, n, sizeof(const struct tracedat_cpu *), compare_cpus);
	for (size_t i = 1; i < n && !rc; i++)
		if (all[i]->offset - all[i - 1]->offset < all[i - 1]->size)
			rc = span_damaged(&p->f, all[i]->offset,
					  "the data of CPU %u and CPU %u overlap", all[i - 1]->cpu,
					  all[i]->cpu);
	free(all);
	return rc;
}

static int read_versions(struct tracedat_parser *p)
{
	static const uint8_t magic[] = {0x17, 0x08, 0x44, 't', 'r', 'a', 'c', 'i', 'n', 'g'};
	struct span s = {.file = &p->f, .what = "the head of the file"};
	struct tracedat_meta *m = p->m;
	uint8_t head[512];
	const uint8_t *b;
	const char *version;
	void *map;
	int rc;

	s.p = head;
	s.start = head;
	s.left = p->f.size < sizeof(head) ? p->f.size : sizeof(head);
	if (span_pread(&p->f, 0, head, s.left, s.what) || span_take(&s, 10, &b))
		return -1;
	if (memcmp(b, magic, sizeof(magic)))
		return span_damaged(&p->f, 0, "no trace.dat starts like this");
	if (span_take_string(&s, &version) || span_take(&s, 2, &b) ||
	    span_take32(&s, &m->page_size))
		return -1;
	if (strcmp(version, "6") && strcmp(version, "7")) {
		spht_error_set(p->f.err,
			       "%s: trace.dat of version \"%.16s\"; versions 6 and 7 can be read, "
			       "trace-cmd convert --file-version 7 makes one of them",
			       p->f.name, version);
		return -1;
	}
	m->version = (unsigned int)(version[0] - '0');
	if (b[0]) {
		spht_error_set(p->f.err,
			       "%s: recorded on a big-endian machine; KVM's shadow MMU "
			       "is a matter of x86",
			       p->f.name);
		return -1;
	}
	if (!is_page_size(m->page_size))
		return span_damaged(&p->f, 0, "pages of %u bytes", m->page_size);
	if (m->version == 7)
		return read_v7(p, &s);
	snprintf(m->compression, sizeof(m->compression), "none");
	map = mmap(NULL, p->f.size, PROT_READ, MAP_PRIVATE, p->f.fd, 0);
	if (map == MAP_FAILED) {
		spht_error_set(p->f.err, "%s: cannot map: %s", p->f.name, strerror(errno));
		return -1;
	}
	rc = tracedat_read_v6(p, (uint64_t)(s.p - head), map);
	munmap(map, p->f.size);
	return rc;
}

int tracedat_meta_read(struct tracedat_meta *m, int fd, const char *name, bool want_formats,
		       struct spht_error *err)
{
	struct tracedat_parser p = {.f = {.fd = fd, .name = name, .kind = "trace.dat", .err = err},
				    .m = m,
				    .want_formats = want_formats};
	struct stat st;
	int rc = -1;

	memset(m, 0, sizeof(*m));
	if (fstat(fd, &st)) {
		spht_error_set(err, "%s: %s", name, strerror(errno));
		return -1;
	}
	p.f.size = (uint64_t)st.st_size;
	if (want_formats) {
		m->formats = json_object();
		if (!m->formats)
			return tracedat_no_memory(&p);
	}
	if (read_versions(&p))
		goto out;
	if (m->has_time_shift) {
		spht_error_set(err,
			       "%s: the guest's half of a recording of host and guest; import the "
			       "host's file, where KVM's events are",
			       name);
		goto out;
	}
	if (!m->nr_buffers || (m->has_text && !m->buffers[0].nr_cpus)) {
		if (m->has_text)
			spht_error_set(err,
				       "%s: the text of a latency tracer, not events; record with "
				       "trace-cmd record -e kvm -e kvmmmu",
				       name);
		else
			span_damaged(&p.f, p.f.size, "no buffer with events is described");
		goto out;
	}
	rc = check_overlap(&p);
out:
	free(p.stat_buffer);
	return rc;
}

void tracedat_meta_free(struct tracedat_meta *m)
{
	for (unsigned int i = 0; i < m->nr_buffers; i++) {
		free(m->buffers[i].name);
		free(m->buffers[i].clock);
		free(m->buffers[i].cpus);
	}
	for (unsigned int i = 0; i < m->nr_stats; i++)
		free(m->stats[i].buffer);
	free(m->buffers);
	free(m->stats);
	free(m->uname);
	free(m->recorder);
	free(m->clock);
	free(m->date);
	free(m->offset);
	json_decref(m->formats);
}
