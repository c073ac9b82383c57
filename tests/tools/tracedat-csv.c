// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Prints the kvm and kvmmmu events of a trace.dat as `spht-trace dump
 * --format=csv` prints those of a .spht file.  A second opinion: it reads
 * through libtracecmd's own loop over all buffers and shares no code with
 * collector/ and traces/.
 */
#include <event-parse.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trace-cmd.h>
#include <unistd.h>

#define MAX_EVENT_ID 65536
#define OUT_SIZE     (1 << 20)
#define ROW_SIZE     (16 << 10) /* longest row: 128 fields */
#define MAX_FIELDS   128
#define MAX_SAME     4096 /* rows of one nanosecond */

struct col {
	char lead[140]; /* " name=" */
	int lead_len, offset, size, is_signed, is_bytes;
};

struct fmt {
	char name[300]; /* "kvm,kvm_exit," */
	int name_len, nr;
	struct col cols[MAX_FIELDS];
};

/* Rows that have the same time stamp are printed by CPU. */
struct row {
	int cpu, start, len;
};

static struct fmt *formats[MAX_EVENT_ID];
static struct tep_handle *tep;
static int type_offset, type_size, pid_offset, flags_offset, preempt_offset;
static int out_fd;
static char out[OUT_SIZE], group[MAX_SAME * 512];
static size_t out_len, group_len;
static struct row rows[MAX_SAME];
static int nr_rows;
static unsigned long long group_ts;
static unsigned long long lost;

static void die(const char *what)
{
	fprintf(stderr, "tracedat-csv: %s\n", what);
	exit(1);
}

static void flush_out(void)
{
	const char *p = out;

	while (out_len) {
		ssize_t n = write(out_fd, p, out_len);

		if (n <= 0)
			die("cannot write");
		p += n;
		out_len -= (size_t)n;
	}
}

static char *decimal(char *p, uint64_t v)
{
	char rev[20];
	int n = 0;

	do
		rev[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*p++ = rev[--n];
	return p;
}

static char *signed_decimal(char *p, int64_t v)
{
	if (v < 0)
		*p++ = '-';
	return decimal(p, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static char hex_digit(unsigned int nibble)
{
	return (char)(nibble < 10 ? '0' + nibble : 'a' + nibble - 10);
}

static char *hex(char *p, uint64_t v)
{
	char rev[16];
	int n = 0;

	*p++ = '0';
	*p++ = 'x';
	do
		rev[n++] = hex_digit(v & 15);
	while (v >>= 4);
	while (n)
		*p++ = rev[--n];
	return p;
}

/* tep_read_number() gives up on odd sizes; those are treated as bytes before. */
static uint64_t value(const char *at, int size, int is_signed)
{
	uint64_t v = tep_read_number(tep, at, size);

	if (is_signed && size < 8 && v >> (8 * size - 1))
		v |= ~0ull << (8 * size);
	return v;
}

static int common_offset(struct tep_event *e, const char *name, int *size)
{
	struct tep_format_field *f = tep_find_common_field(e, name);

	if (!f)
		die("a common field is missing");
	if (size)
		*size = f->size;
	return f->offset;
}

static void learn(struct tep_event *e)
{
	struct fmt *f = calloc(1, sizeof(*f));

	if (!f)
		die("out of memory");
	f->name_len = snprintf(f->name, sizeof(f->name), "%s,%s,", e->system, e->name);
	for (struct tep_format_field *x = e->format.fields; x; x = x->next) {
		struct col *c = &f->cols[f->nr];

		/* What a .spht file cannot hold. */
		if (x->flags & (TEP_FIELD_IS_DYNAMIC | TEP_FIELD_IS_RELATIVE) || x->size > 64)
			continue;
		if (f->nr == MAX_FIELDS)
			die("too many fields");
		c->lead_len =
			snprintf(c->lead, sizeof(c->lead), "%s%s=", f->nr ? " " : "", x->name);
		c->offset = x->offset;
		c->size = x->size;
		c->is_signed = !!(x->flags & TEP_FIELD_IS_SIGNED);
		c->is_bytes = (x->flags & TEP_FIELD_IS_ARRAY) ||
			      !(x->size == 1 || x->size == 2 || x->size == 4 || x->size == 8);
		f->nr++;
	}
	type_offset = common_offset(e, "common_type", &type_size);
	pid_offset = common_offset(e, "common_pid", NULL);
	flags_offset = common_offset(e, "common_flags", NULL);
	preempt_offset = common_offset(e, "common_preempt_count", NULL);
	formats[e->id] = f;
}

static int by_cpu(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->cpu != y->cpu ? x->cpu - y->cpu : x->start - y->start;
}

static void flush_group(void)
{
	if (nr_rows > 1)
		qsort(rows, (size_t)nr_rows, sizeof(rows[0]), by_cpu);
	for (int i = 0; i < nr_rows; i++) {
		if (out_len + (size_t)rows[i].len > sizeof(out))
			flush_out();
		memcpy(out + out_len, group + rows[i].start, (size_t)rows[i].len);
		out_len += (size_t)rows[i].len;
	}
	nr_rows = 0;
	group_len = 0;
}

static char *put_field(char *p, const struct col *c, const char *data)
{
	memcpy(p, c->lead, (size_t)c->lead_len);
	p += c->lead_len;
	if (!c->is_bytes) {
		uint64_t v = value(data + c->offset, c->size, c->is_signed);

		return c->is_signed ? signed_decimal(p, (int64_t)v) : hex(p, v);
	}
	for (int i = 0; i < c->size; i++) {
		unsigned char byte = (unsigned char)data[c->offset + i];

		*p++ = hex_digit(byte >> 4);
		*p++ = hex_digit(byte & 15);
	}
	return p;
}

static int visit(struct tracecmd_input *in, struct tep_record *rec, int cpu, void *unused)
{
	const char *data = rec->data;
	const struct fmt *f;
	char *start, *p;
	uint64_t id;

	(void)in;
	(void)cpu;
	(void)unused;
	if (rec->missed_events > 0)
		lost += (unsigned long long)rec->missed_events;
	else if (rec->missed_events)
		fprintf(stderr, "tracedat-csv: CPU %d: unknown number of events lost\n", rec->cpu);
	id = tep_read_number(tep, data + type_offset, type_size);
	f = id < MAX_EVENT_ID ? formats[id] : NULL;
	if (!f)
		return 0;
	if (rec->ts != group_ts || nr_rows == MAX_SAME || group_len + ROW_SIZE > sizeof(group)) {
		flush_group();
		group_ts = rec->ts;
	}
	start = p = group + group_len;
	p = decimal(p, rec->ts);
	*p++ = ',';
	p = decimal(p, (uint64_t)rec->cpu);
	*p++ = ',';
	p = signed_decimal(p, (int64_t)value(data + pid_offset, 4, 1));
	*p++ = ',';
	p = decimal(p, (unsigned char)data[flags_offset]);
	*p++ = ',';
	p = decimal(p, (unsigned char)data[preempt_offset]);
	memcpy(p, ",0,", 3);
	p += 3;
	memcpy(p, f->name, (size_t)f->name_len);
	p += f->name_len;
	for (int i = 0; i < f->nr; i++)
		p = put_field(p, &f->cols[i], data);
	*p++ = '\n';
	rows[nr_rows].cpu = rec->cpu;
	rows[nr_rows].start = (int)(start - group);
	rows[nr_rows].len = (int)(p - start);
	nr_rows++;
	group_len += (size_t)(p - start);
	return 0;
}

int main(int argc, char **argv)
{
	struct tracecmd_input **handles;
	int nr, total;

	if (argc != 2) {
		fprintf(stderr, "usage: tracedat-csv trace.dat\n");
		return 2;
	}
	/* Some releases of libtracecmd speak on stdout. */
	out_fd = dup(STDOUT_FILENO);
	if (out_fd < 0 || !freopen("/dev/null", "w", stdout))
		die("cannot set up stdout");
	tracecmd_set_loglevel(TEP_LOG_NONE);
	handles = calloc(1000, sizeof(struct tracecmd_input *));
	if (handles)
		handles[0] = tracecmd_open(argv[1], TRACECMD_FL_LOAD_NO_PLUGINS);
	if (!handles || !handles[0])
		die("libtracecmd cannot open this file");
	tep = tracecmd_get_tep(handles[0]);
	nr = 1 + tracecmd_buffer_instances(handles[0]);
	for (int i = 1; i < nr && i < 1000; i++) {
		handles[i] = tracecmd_buffer_instance_handle(handles[0], i - 1);
		if (!handles[i])
			die("libtracecmd cannot open an instance");
	}
	total = tep_get_events_count(tep);
	for (int i = 0; i < total; i++) {
		struct tep_event *e = tep_get_event(tep, i);

		if (e && e->id < MAX_EVENT_ID &&
		    (!strcmp(e->system, "kvm") || !strcmp(e->system, "kvmmmu")))
			learn(e);
	}
	out_len = (size_t)sprintf(out, "ts,cpu,pid,flags,preempt,preamble,system,event,fields\n");
	if (tracecmd_iterate_events_multi(handles, nr, visit, NULL))
		die("libtracecmd stopped in the middle");
	flush_group();
	flush_out();
	if (lost)
		fprintf(stderr, "tracedat-csv: %llu events lost\n", lost);
	/* Past the search for leaks: libtracecmd has its own. */
	_exit(0);
}
