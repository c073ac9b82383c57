// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Builds a .spht file from text, so that tests can write event sequences by
 * hand.  It is the inverse of `spht-trace dump --format=csv`:
 *
 *	mktrace [-l LEVEL] -o OUT.spht [IN]
 *
 * One event a line, in order of time, as a CSV row of dump
 *
 *	1000,0,7,0,0,0,kvm,kvm_exit,exit_reason=0x4e vcpu_id=1
 *
 * in which any of the first seven columns may be empty, or shorter:
 *
 *	[@TS | +NS] [cpu=N] [pid=N] [flags=N] [preempt=N] [preamble=1] EVENT [FIELD=VALUE]...
 *
 * What is not given: time stamp 10 ns after the last event, cpu and pid of the
 * last event, 0.  Fields in any order; one that is missing is 0; byte arrays are
 * hex digits.  Further lines:
 *
 *	lost CPU COUNT|unknown		events are missing here
 *	#header {"host":{"kernel":"6.1.0"}}
 *	#footer {"key":"value"}
 *	#ledger CPU WRITTEN READ [OVERRUN [DROPPED [COMMIT_OVERRUN]]]
 *	#event SYSTEM NAME FIELD:SIZE[s|a]...	another layout, or an unknown event;
 *					s signed, a bytes
 *	# comment
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spht_trace.h"

#define MAX_FIELDS  32
#define MAX_LEDGER  64
#define DEFAULT_GAP 10 /* ns */

/* Linux 6.1; kvm_age_page and the like as their kernels had them. */
static const char *const known_events[] = {
	"kvm kvm_entry vcpu_id:4 rip:8 immediate_exit:1",
	"kvm kvm_exit exit_reason:4 guest_rip:8 isa:4 info1:8 info2:8 intr_info:4 error_code:4 "
	"vcpu_id:4",
	"kvm kvm_page_fault vcpu_id:4 guest_rip:8 fault_address:8 error_code:8",
	"kvm kvm_inj_exception exception:1 has_error:1 error_code:4 reinjected:1",
	"kvm kvm_inj_virq vector:4 soft:1 reinjected:1",
	"kvm kvm_cr rw:4 cr:4 val:8",
	"kvm kvm_emulate_insn rip:8 csbase:4 len:1 insn:15a flags:1 failed:1",
	"kvm kvm_mmio type:4 len:4 gpa:8 val:8",
	"kvm vcpu_match_mmio gva:8 gpa:8 write:1 gpa_match:1",
	"kvm kvm_pio rw:4 port:4 size:4 count:4 val:4",
	"kvm kvm_invlpga rip:8 asid:4s address:8",
	"kvm kvm_hypercall nr:8 a0:8 a1:8 a2:8 a3:8",
	"kvm kvm_userspace_exit reason:4 errno:4s",
	"kvm kvm_unmap_hva_range start:8 end:8",
	"kvm kvm_age_hva start:8 end:8",
	"kvm kvm_test_age_hva hva:8",
	"kvm kvm_age_page hva:8 gfn:8 level:1 referenced:1",
	"kvm kvm_set_spte_hva hva:8",
	"kvm kvm_try_async_get_page gva:8 gfn:8",
	"kvm kvm_async_pf_repeated_fault gva:8 gfn:8",
	"kvm kvm_async_pf_doublefault gva:8 gfn:8",
	"kvm kvm_async_pf_not_present token:8 gva:8",
	"kvm kvm_async_pf_ready token:8 gva:8",
	"kvm kvm_async_pf_completed address:8 gva:8",
	"kvm kvm_msr write:4 ecx:4 data:8 exception:1",
	"kvm kvm_pv_tlb_flush vcpu_id:4 need_flush_tlb:1",
	"kvm kvm_vcpu_wakeup ns:8 waited:1 valid:1",
	"kvmmmu kvm_mmu_pagetable_walk addr:8 pferr:4",
	"kvmmmu kvm_mmu_paging_element pte:8 level:4",
	"kvmmmu kvm_mmu_set_accessed_bit gpa:8",
	"kvmmmu kvm_mmu_set_dirty_bit gpa:8",
	"kvmmmu kvm_mmu_walker_error pferr:4",
	"kvmmmu kvm_mmu_get_page mmu_valid_gen:1 gfn:8 role:4 root_count:4 unsync:1 created:1",
	"kvmmmu kvm_mmu_sync_page mmu_valid_gen:1 gfn:8 role:4 root_count:4 unsync:1",
	"kvmmmu kvm_mmu_unsync_page mmu_valid_gen:1 gfn:8 role:4 root_count:4 unsync:1",
	"kvmmmu kvm_mmu_prepare_zap_page mmu_valid_gen:1 gfn:8 role:4 root_count:4 unsync:1",
	"kvmmmu kvm_mmu_set_spte gfn:8 spte:8 sptep:8 level:1 r:1 x:1 u:1s",
	"kvmmmu kvm_mmu_spte_requested gfn:8 pfn:8 level:1",
	"kvmmmu mark_mmio_spte sptep:8 gfn:8 access:4 gen:4",
	"kvmmmu handle_mmio_page_fault addr:8 gfn:8 access:4",
	"kvmmmu check_mmio_spte kvm_gen:4 spte_gen:4 spte:8",
	"kvmmmu fast_page_fault vcpu_id:4s cr2_or_gpa:8 error_code:4 sptep:8 old_spte:8 new_spte:8 "
	"ret:4s",
	"kvmmmu kvm_mmu_zap_all_fast mmu_valid_gen:1 mmu_used_pages:4",
	"kvmmmu kvm_tdp_mmu_spte_changed gfn:8 old_spte:8 new_spte:8 level:1 as_id:1",
	"kvmmmu kvm_mmu_split_huge_page gfn:8 spte:8 level:4s errno:4s",
	"spht snap gfn:8 role:4 kind:1 flags:1 entries:2",
	"spht snap_entry gfn:8 index:2 value:8",
};
#define NR_KNOWN (sizeof(known_events) / sizeof(known_events[0]))

/* An event, or a loss: ev.id SPHT_EV_LOST. */
struct mktrace {
	const char *name; /* of the input */
	unsigned int line;
	json_t *header, *footer;
	struct spht_event_type types[SPHT_MAX_TYPES];
	unsigned int nr_types;
	struct spht_event *events;
	size_t nr, cap;
	struct spht_event last; /* what is not given is taken from here */
	struct spht_ledger ledger[MAX_LEDGER];
	unsigned int nr_ledger;
};

__attribute__((format(printf, 2, 3), noreturn)) static void fail(const struct mktrace *m,
								 const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "mktrace: %s:%u: ", m->name, m->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void *need(const struct mktrace *m, void *p)
{
	if (!p)
		fail(m, "no memory");
	return p;
}

static uint64_t number(const struct mktrace *m, const char *text)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (!*text || *end || errno)
		fail(m, "'%s' is not a number", text);
	return v;
}

/* "name:size[s|a]" */
static struct spht_event_field parse_field(const struct mktrace *m, char *text)
{
	struct spht_event_field f = {0};
	char *size = strchr(text, ':');

	if (!size)
		fail(m, "'%s' is not FIELD:SIZE", text);
	*size++ = '\0';
	f.is_signed = strchr(size, 's') != NULL;
	f.is_array = strchr(size, 'a') != NULL;
	size[strspn(size, "0123456789")] = '\0';
	f.name = need(m, strdup(text));
	f.size = (uint8_t)number(m, size);
	return f;
}

/* "SYSTEM NAME FIELD:SIZE..." as a new type of the file, or instead of one that has no events. */
static struct spht_event_type *add_type(struct mktrace *m, const char *spec)
{
	char *copy = need(m, strdup(spec)), *rest = copy, *word;
	struct spht_event_field *fields = need(m, calloc(MAX_FIELDS, sizeof(*fields)));
	struct spht_event_type *t = &m->types[m->nr_types];
	const char *system = strsep(&rest, " "), *name = strsep(&rest, " ");

	if (!name || m->nr_types == SPHT_MAX_TYPES)
		fail(m, "an event type without a name, or too many of them");
	t->system = need(m, strdup(system));
	t->name = need(m, strdup(name));
	t->id = spht_event_find(system, name);
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		if (t->nr_fields == MAX_FIELDS)
			fail(m, "more than %d fields", MAX_FIELDS);
		fields[t->nr_fields++] = parse_field(m, word);
	}
	if (spht_event_layout(t->id, fields, t->nr_fields, &t->have) != t->nr_fields)
		fail(m, "%s has a field that cannot be stored", name);
	t->fields = fields;
	free(copy);
	m->nr_types++;
	return t;
}

static bool names(const char *spec, const char *system, const char *name)
{
	const char *blank = strchr(spec, ' ');
	size_t len = strlen(name);

	if (*system && (strncmp(spec, system, (size_t)(blank - spec)) || system[blank - spec]))
		return false;
	return !strncmp(blank + 1, name, len) && blank[1 + len] == ' ';
}

/* An empty @system is any. */
static const struct spht_event_type *find_type(struct mktrace *m, const char *system,
					       const char *name)
{
	size_t i;

	for (i = 0; i < m->nr_types; i++)
		if (!strcmp(m->types[i].name, name) &&
		    (!*system || !strcmp(m->types[i].system, system)))
			return &m->types[i];
	for (i = 0; i < NR_KNOWN; i++)
		if (names(known_events[i], system, name))
			return add_type(m, known_events[i]);
	fail(m, "unknown event '%s'; describe it with #event", name);
}

static void set_bytes(const struct mktrace *m, struct spht_event *ev,
		      const struct spht_event_field *f, const char *text)
{
	unsigned int i, byte;

	if (strlen(text) != 2u * f->size || strspn(text, "0123456789abcdef") != 2u * f->size)
		fail(m, "%s is %u bytes as hex digits", f->name, f->size);
	for (i = 0; i < f->size; i++) {
		sscanf(text + 2 * i, "%2x", &byte);
		ev->v[f->slot + i / 8] |= (uint64_t)byte << (8 * (i % 8));
	}
}

static void set_number(const struct mktrace *m, struct spht_event *ev,
		       const struct spht_event_field *f, const char *text)
{
	uint64_t v = number(m, text);
	unsigned int unused = 64 - 8 * f->size;
	uint64_t narrow = f->is_signed ? (uint64_t)((int64_t)(v << unused) >> unused)
				       : v << unused >> unused;

	if (narrow != v)
		fail(m, "%s does not fit into %u bytes", text, f->size);
	ev->v[f->slot] = v;
}

static void set_fields(const struct mktrace *m, struct spht_event *ev,
		       const struct spht_event_type *type, char *text)
{
	char *word, *value;
	unsigned int i;

	while ((word = strsep(&text, " "))) {
		if (!*word)
			continue;
		value = strchr(word, '=');
		if (!value)
			fail(m, "'%s' is not FIELD=VALUE", word);
		*value++ = '\0';
		for (i = 0; i < type->nr_fields; i++)
			if (!strcmp(type->fields[i].name, word))
				break;
		if (i == type->nr_fields)
			fail(m, "%s has no field '%s'", type->name, word);
		if (type->fields[i].is_array)
			set_bytes(m, ev, &type->fields[i], value);
		else
			set_number(m, ev, &type->fields[i], value);
	}
}

static void add_event(struct mktrace *m, const struct spht_event *ev)
{
	if (m->nr == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 1024;
		m->events = need(m, realloc(m->events, m->cap * sizeof(*m->events)));
	}
	m->events[m->nr++] = *ev;
}

static void add_lost(struct mktrace *m, const char *cpu, const char *count)
{
	struct spht_event ev = {.id = SPHT_EV_LOST};

	ev.cpu = (uint16_t)number(m, cpu);
	ev.v[0] = !strcmp(count, "unknown") ? SPHT_LOST_UNKNOWN : number(m, count);
	add_event(m, &ev);
}

/* Head of a new event: what is not said is as before. */
static struct spht_event next_event(const struct mktrace *m)
{
	struct spht_event ev = {
		.ts = m->last.ts + DEFAULT_GAP, .cpu = m->last.cpu, .pid = m->last.pid};

	return ev;
}

static void finish_event(struct mktrace *m, struct spht_event *ev, const char *system,
			 const char *name, char *fields)
{
	const struct spht_event_type *type = find_type(m, system, name);

	ev->type = (uint8_t)(type - m->types);
	ev->id = (uint8_t)type->id;
	set_fields(m, ev, type, fields);
	add_event(m, ev);
	m->last = *ev;
}

static void csv_line(struct mktrace *m, char *line)
{
	struct spht_event ev = next_event(m);
	char *column[8];
	int i;

	for (i = 0; i < 8; i++) {
		column[i] = strsep(&line, ",");
		if (!line)
			fail(m, "fewer than 9 columns");
	}
	if (!strcmp(column[7], "LOST")) {
		if (strncmp(line, "count=", 6))
			fail(m, "LOST without count=");
		add_lost(m, column[1], line + 6);
		return;
	}
	if (*column[0])
		ev.ts = number(m, column[0]);
	if (*column[1])
		ev.cpu = (uint16_t)number(m, column[1]);
	if (*column[2])
		ev.pid = (int32_t)number(m, column[2]);
	if (*column[3])
		ev.flags = (uint8_t)number(m, column[3]);
	if (*column[4])
		ev.preempt = (uint8_t)number(m, column[4]);
	if (*column[5])
		ev.preamble = number(m, column[5]);
	finish_event(m, &ev, column[6], column[7], line);
}

/* A word before the event's name; false for the name. */
static bool head_word(const struct mktrace *m, struct spht_event *ev, const char *word)
{
	const char *value = strchr(word, '=');

	if (*word == '@')
		ev->ts = number(m, word + 1);
	else if (*word == '+')
		ev->ts = m->last.ts + number(m, word + 1);
	else if (!value)
		return false;
	else if (!strncmp(word, "cpu=", 4))
		ev->cpu = (uint16_t)number(m, value + 1);
	else if (!strncmp(word, "pid=", 4))
		ev->pid = (int32_t)number(m, value + 1);
	else if (!strncmp(word, "flags=", 6))
		ev->flags = (uint8_t)number(m, value + 1);
	else if (!strncmp(word, "preempt=", 8))
		ev->preempt = (uint8_t)number(m, value + 1);
	else if (!strncmp(word, "preamble=", 9))
		ev->preamble = number(m, value + 1);
	else
		fail(m, "'%s' before the event's name", word);
	return true;
}

static void short_line(struct mktrace *m, char *line)
{
	struct spht_event ev = next_event(m);
	char *word;

	while ((word = strsep(&line, " \t")))
		if (*word && !head_word(m, &ev, word))
			break;
	if (!word)
		fail(m, "no event on this line");
	finish_event(m, &ev, "", word, line);
}

static json_t *json_line(const struct mktrace *m, json_t *old, const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, 0, &error);

	if (!json_is_object(value))
		fail(m, "not a JSON object: %s", error.text);
	json_decref(old);
	return value;
}

static void ledger_line(struct mktrace *m, const char *text)
{
	struct spht_ledger l = {.known = true};
	unsigned long long v[5] = {0};
	unsigned int cpu;

	if (sscanf(text, "%u %llu %llu %llu %llu %llu", &cpu, &v[0], &v[1], &v[2], &v[3], &v[4]) <
		    3 ||
	    cpu >= MAX_LEDGER)
		fail(m, "not CPU WRITTEN READ [OVERRUN [DROPPED [COMMIT_OVERRUN]]]");
	l.written = v[0];
	l.read = v[1];
	l.overrun = v[2];
	l.dropped = v[3];
	l.commit_overrun = v[4];
	m->ledger[cpu] = l;
	if (cpu >= m->nr_ledger)
		m->nr_ledger = cpu + 1;
}

/* The text behind @word at the start of @line, NULL when it begins otherwise. */
static char *after(char *line, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(line, word, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

static void parse_line(struct mktrace *m, char *line)
{
	char *text;

	line[strcspn(line, "\r\n")] = '\0';
	line += strspn(line, " \t");
	if ((text = after(line, "#header")))
		m->header = json_line(m, m->header, text);
	else if ((text = after(line, "#footer")))
		m->footer = json_line(m, m->footer, text);
	else if ((text = after(line, "#ledger")))
		ledger_line(m, text);
	else if ((text = after(line, "#event")))
		add_type(m, text);
	else if (!*line || *line == '#' || !strncmp(line, "ts,cpu,", 7))
		return;
	else if ((text = after(line, "lost"))) {
		char *cpu = strsep(&text, " ");

		if (!text)
			fail(m, "not 'lost CPU COUNT'");
		add_lost(m, cpu, text);
	} else if (strchr(line, ','))
		csv_line(m, line);
	else
		short_line(m, line);
}

static int write_trace(struct mktrace *m, const char *out, int level, struct spht_error *err)
{
	struct spht_writer *w;
	size_t i;
	int rc = 0;

	w = spht_writer_open(out, SPHT_WRITE_OVERWRITE, m->header, m->types, m->nr_types, level,
			     err);
	if (!w)
		return -1;
	for (i = 0; i < m->nr && !rc; i++) {
		const struct spht_event *ev = &m->events[i];

		if (ev->id == SPHT_EV_LOST)
			rc = spht_writer_lost(w, ev->cpu, ev->v[0], err);
		else
			rc = spht_writer_append(w, ev, err);
	}
	if (!rc &&
	    !spht_writer_close(w, m->nr_ledger ? m->ledger : NULL, m->nr_ledger, m->footer, err))
		return 0;
	spht_writer_abort(w);
	return -1;
}

static void free_all(struct mktrace *m)
{
	unsigned int i, f;

	for (i = 0; i < m->nr_types; i++) {
		for (f = 0; f < m->types[i].nr_fields; f++)
			free((char *)m->types[i].fields[f].name);
		free((void *)m->types[i].fields);
		free((char *)m->types[i].system);
		free((char *)m->types[i].name);
	}
	free(m->events);
	json_decref(m->header);
	json_decref(m->footer);
}

int main(int argc, char **argv)
{
	static struct mktrace m = {.name = "-"};
	const char *out = NULL;
	struct spht_error err;
	size_t size = 0;
	char *line = NULL;
	FILE *in = stdin;
	int level = 3, opt;

	while ((opt = getopt(argc, argv, "l:o:")) != -1) {
		if (opt == 'l')
			level = atoi(optarg);
		else if (opt == 'o')
			out = optarg;
		else
			out = NULL;
	}
	if (!out || argc - optind > 1) {
		fprintf(stderr, "usage: mktrace [-l LEVEL] -o OUT.spht [IN]\n");
		return 2;
	}
	if (optind < argc && strcmp(argv[optind], "-")) {
		m.name = argv[optind];
		in = fopen(m.name, "r");
		if (!in)
			fail(&m, "%s", strerror(errno));
	}
	m.header = need(&m, json_object());
	while (getline(&line, &size, in) > 0) {
		m.line++;
		parse_line(&m, line);
	}
	if (ferror(in))
		fail(&m, "%s", strerror(errno));
	free(line);
	if (in != stdin)
		fclose(in);
	if (write_trace(&m, out, level, &err)) {
		fprintf(stderr, "mktrace: %s\n", err.text);
		return 1;
	}
	free_all(&m);
	return 0;
}
