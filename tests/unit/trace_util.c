// SPDX-License-Identifier: LGPL-2.1-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace_util.h"
#include "traces/crc32c.h"
#include "traces/le.h"

static const struct spht_event_field entry_fields[] = {
	{"vcpu_id", 0, 1, 4, false, false},
	{"rip", 1, 1, 8, false, false},
};
static const struct spht_event_field set_spte_fields[] = {
	{"gfn", 0, 1, 8, false, false},   {"spte", 1, 1, 8, false, false},
	{"sptep", 2, 1, 8, false, false}, {"level", 3, 1, 1, false, false},
	{"r", 4, 1, 1, false, false},     {"x", 5, 1, 1, false, false},
	{"u", 6, 1, 1, true, false},
};
static const struct spht_event_field emulate_fields[] = {
	{"rip", 0, 1, 8, false, false},   {"csbase", 1, 1, 4, false, false},
	{"len", 2, 1, 1, false, false},   {"insn", 3, 2, 15, false, true},
	{"flags", 5, 1, 1, false, false}, {"failed", 6, 1, 1, false, false},
	{"later", 7, 1, 4, true, false},
};
static const struct spht_event_field element_fields[] = {
	{"pte", 0, 1, 8, false, false},
	{"level", 1, 1, 4, false, false},
};
static const struct spht_event_field odd_fields[] = {
	{"signed_small", 0, 1, 2, true, false},
	{"bytes", 1, 8, 61, false, true},
	{"big", 9, 1, 8, true, false},
	{"one", 10, 1, 1, false, true},
};

#define TYPE(sys, event, id_, f) \
	{ \
		.system = sys, .name = event, .id = id_, .nr_fields = sizeof(f) / sizeof(f[0]), \
		.fields = f \
	}
const struct spht_event_type test_types[] = {
	TYPE("kvm", "kvm_entry", SPHT_EV_ENTRY, entry_fields),
	TYPE("kvmmmu", "kvm_mmu_paging_element", SPHT_EV_PAGING_ELEMENT, element_fields),
	TYPE("kvmmmu", "kvm_mmu_set_spte", SPHT_EV_SET_SPTE, set_spte_fields),
	TYPE("kvm", "kvm_emulate_insn", SPHT_EV_EMULATE_INSN, emulate_fields),
	TYPE("other", "some_event", SPHT_EV_UNKNOWN, odd_fields),
	{.system = "other", .name = "no_fields", .id = SPHT_EV_UNKNOWN},
};
const unsigned int nr_test_types = sizeof(test_types) / sizeof(test_types[0]);

uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_next(r) % n;
}

uint64_t rng_value(struct rng *r)
{
	static const uint64_t ends[] = {
		0,   1,   UINT64_MAX, INT64_MAX, 1ull << 63, UINT32_MAX, UINT64_MAX - 1,
		187, 188, 255,        256};

	switch (rng_below(r, 6)) {
	case 0:
		return ends[rng_below(r, sizeof(ends) / sizeof(ends[0]))];
	case 1:
		return rng_next(r);
	case 2:
		return rng_next(r) >> rng_below(r, 64);
	case 3:
		return 0 - (rng_next(r) >> rng_below(r, 64));
	default:
		return rng_below(r, 8);
	}
}

struct spht_event random_event(struct rng *r, unsigned int nr_types, unsigned int cpu, uint64_t ts)
{
	unsigned int type = (unsigned int)rng_below(r, nr_types);
	const struct spht_event_type *t = &test_types[type];
	struct spht_event ev = {
		.ts = ts, .cpu = (uint16_t)cpu, .type = (uint8_t)type, .id = (uint8_t)t->id};

	ev.pid = rng_below(r, 8) ? 1234 : (int32_t)rng_next(r);
	ev.flags = rng_below(r, 8) ? 1 : (uint8_t)rng_next(r);
	ev.preempt = rng_below(r, 8) ? 0 : (uint8_t)rng_next(r);
	for (unsigned int f = 0; f < t->nr_fields; f++)
		for (unsigned int w = 0; w < t->fields[f].nwords; w++)
			ev.v[t->fields[f].slot + w] = rng_value(r);
	return ev;
}

static char temp_dir[] = "/tmp/spht-test-XXXXXX";
static unsigned int nr_temps;

static void remove_temps(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%u.spht", temp_dir, i);
		unlink(path);
	}
	rmdir(temp_dir);
}

const char *temp_path(void)
{
	static char paths[4][64];
	char *path = paths[nr_temps % 4];

	if (!nr_temps) {
		assert_non_null(mkdtemp(temp_dir));
		atexit(remove_temps);
	}
	snprintf(path, sizeof(paths[0]), "%s/%u.spht", temp_dir, nr_temps++ % 4);
	unlink(path);
	return path;
}

uint8_t *load_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	*len = (size_t)ftell(f);
	rewind(f);
	bytes = malloc(*len + 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *len, f), *len);
	fclose(f);
	return bytes;
}

void save_file(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

struct spht_writer *open_writer(const char *path, unsigned int nr_types)
{
	struct spht_error err;
	json_t *header = json_pack("{s:s}", "clock", "mono");
	struct spht_writer *w =
		spht_writer_open(path, SPHT_WRITE_OVERWRITE, header, test_types, nr_types, 3, &err);

	json_decref(header);
	if (!w)
		fail_msg("%s", err.text);
	return w;
}

void append(struct spht_writer *w, const struct spht_event *ev)
{
	struct spht_error err;

	if (spht_writer_append(w, ev, &err))
		fail_msg("%s", err.text);
}

void close_writer(struct spht_writer *w)
{
	struct spht_error err;

	if (spht_writer_close(w, NULL, 0, NULL, &err))
		fail_msg("%s", err.text);
}

struct reading read_all(const char *path, unsigned int flags)
{
	struct reading r = {.status = -2};
	struct spht_reader *reader = spht_reader_open(path, flags, &r.err);
	const struct spht_event *rows;
	size_t cap = 0, nr = 1;

	if (!reader)
		return r;
	/* By turns one event, and all that are at hand then. */
	for (unsigned int turn = 0;; turn++) {
		r.status = turn % 2 ? spht_reader_rows(reader, &rows, &nr, &r.err)
				    : spht_reader_next(reader, &rows, &r.err);
		if (r.status <= 0)
			break;
		nr = turn % 2 ? nr : 1;
		assert_true(nr > 0);
		while (r.nr + nr > cap) {
			cap = cap ? 2 * cap : 1024;
			r.events = realloc(r.events, cap * sizeof(*r.events));
			assert_non_null(r.events);
		}
		memcpy(r.events + r.nr, rows, nr * sizeof(*rows));
		r.nr += nr;
	}
	r.complete = spht_reader_complete(reader);
	spht_reader_close(reader);
	return r;
}

void reading_free(struct reading *r)
{
	free(r->events);
	r->events = NULL;
}

void assert_event_equal(const struct spht_event *a, const struct spht_event *b)
{
	assert_int_equal(a->ts, b->ts);
	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->cpu, b->cpu);
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->preempt, b->preempt);
	assert_int_equal(a->preamble, b->preamble);
	assert_memory_equal(a->v, b->v, sizeof(a->v));
}

struct parts find_parts(const uint8_t *file, size_t len)
{
	struct parts p = {0};
	size_t at = 28 + spht_get32(file + 20);

	p.footer = (size_t)spht_get64(file + len - 24);
	p.index = p.footer + 24 + spht_get32(file + p.footer + 8);
	while (at < p.footer && p.nr_blocks < 64) {
		p.block[p.nr_blocks++] = at;
		at += 72 + spht_get32(file + at + 8 + 48);
	}
	return p;
}

void refresh_sums(uint8_t *file, size_t len)
{
	struct parts p = find_parts(file, len);

	for (unsigned int i = 0; i < p.nr_blocks; i++) {
		uint8_t *h = file + p.block[i] + 8;

		spht_put32(h + 56, spht_crc32c(0, h + 64, spht_get32(h + 48)));
		spht_put32(h + 60, spht_crc32c(0, h, 60));
		memcpy(file + p.index + 72 * i + 8, h, 64);
	}
	spht_put32(file + len - 12, spht_crc32c(0, file + p.footer, len - 12 - p.footer));
}
