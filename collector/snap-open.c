// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "json.h"
#include "snap-local.h"

/* Above this the last contents are forgotten and told again: 256 MiB. */
#define MAX_TABLES 65536
#define MIN_BUFFER 16384ull /* room for three pages */
#define MAX_BUFFER (128ull << 20)

#define NR(array)  (sizeof(array) / sizeof((array)[0]))

static const char *const kind_names[SPHT_SNAP_KINDS] = {"created", "found", "sync", "unsync",
							"walk"};
static const char *const why_names[SNAP_STATUSES] = {"unknown", "no VM", "several VMs", "no memory",
						     "not resident"};

static struct spht_event_field snap_fields[] = {
	{.name = "gfn", .size = 8},   {.name = "role", .size = 4},    {.name = "kind", .size = 1},
	{.name = "flags", .size = 1}, {.name = "entries", .size = 2},
};
static struct spht_event_field entry_fields[] = {
	{.name = "gfn", .size = 8},
	{.name = "index", .size = 2},
	{.name = "value", .size = 8},
};
static struct spht_event_type types[SPHT_SNAP_TYPES] = {
	{"spht", "snap", SPHT_EV_SNAP, 0, NR(snap_fields), snap_fields},
	{"spht", "snap_entry", SPHT_EV_SNAP_ENTRY, 0, NR(entry_fields), entry_fields},
};

const struct spht_event_type *spht_snap_types(void)
{
	spht_event_layout(SPHT_EV_SNAP, snap_fields, NR(snap_fields), &types[0].have);
	spht_event_layout(SPHT_EV_SNAP_ENTRY, entry_fields, NR(entry_fields), &types[1].have);
	return types;
}

enum spht_snap_level spht_snap_level(const char *name)
{
	if (!strcmp(name, "tables"))
		return SPHT_SNAP_TABLES;
	return strcmp(name, "walks") ? SPHT_SNAP_OFF : SPHT_SNAP_WALKS;
}

/* A power of 2. */
static uint64_t ring_size(uint64_t buffer)
{
	uint64_t size = MIN_BUFFER;

	while (size < buffer && size < MAX_BUFFER)
		size *= 2;
	return size;
}

struct spht_snap *spht_snap_open(enum spht_snap_level level, uint64_t buffer,
				 struct spht_error *err)
{
	struct spht_snap *s = calloc(1, sizeof(*s));

	if (!s) {
		spht_error_set(err, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->level = level;
	s->buffer = ring_size(buffer);
	s->stop = eventfd(0, EFD_CLOEXEC);
	s->order = spht_snap_order_new();
	s->tables = spht_snap_tables_new(MAX_TABLES);
	if (s->stop < 0 || !s->order || !s->tables) {
		spht_error_set(err, "--snap: %s", strerror(errno));
		goto fail;
	}
	s->program = spht_snap_program_open(s->buffer, level == SPHT_SNAP_WALKS, err);
	if (!s->program ||
	    spht_snap_ring_open(&s->ring, spht_snap_program_ring(s->program), s->buffer, err))
		goto fail;
	return s;
fail:
	spht_snap_close(s);
	return NULL;
}

void spht_snap_close(struct spht_snap *s)
{
	struct spht_error err;

	if (!s)
		return;
	spht_snap_stop(s, &err);
	spht_snap_ring_close(&s->ring);
	spht_snap_program_close(s->program);
	spht_snap_tables_free(s->tables);
	spht_snap_order_free(s->order);
	if (s->stop >= 0)
		close(s->stop);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

json_t *spht_snap_header(const struct spht_snap *s, unsigned int cpu)
{
	json_t *moments = json_array();

	for (int i = 0; i < SPHT_SNAP_KINDS; i++)
		if (i != SPHT_SNAP_WALK || s->level == SPHT_SNAP_WALKS)
			json_array_append_new(moments, json_string(kind_names[i]));
	return json_pack("{s:o, s:s, s:i, s:I}", "moments", moments, "clock", "mono", "cpu",
			 (int)cpu, "buffer_bytes", (json_int_t)s->buffer);
}

static int compare_slots(const void *a, const void *b)
{
	const struct snap_slot *x = a, *y = b;

	return (x->gfn > y->gfn) - (x->gfn < y->gfn);
}

/* As they were at the last snapshot. */
static json_t *slots_json(const struct spht_snap *s)
{
	struct snap_slot sorted[SNAP_SLOTS];
	json_t *list = json_array();

	memcpy(sorted, s->slots, s->nr_slots * sizeof(sorted[0]));
	qsort(sorted, s->nr_slots, sizeof(sorted[0]), compare_slots);
	for (unsigned int i = 0; i < s->nr_slots; i++)
		json_array_append_new(list, json_pack("{s:i, s:o, s:I, s:o, s:i}", "id",
						      (int)sorted[i].id, "base_gfn",
						      spht_json_hex(sorted[i].gfn), "npages",
						      (json_int_t)sorted[i].pages, "userspace_addr",
						      spht_json_hex(sorted[i].hva), "flags",
						      (int)sorted[i].flags));
	return list;
}

static json_t *named(const char *const *names, const uint64_t *counts, size_t nr)
{
	json_t *j = json_object();

	for (size_t i = 0; i < nr; i++)
		if (counts[i])
			json_object_set_new(j, names[i], spht_json_hex(counts[i]));
	return j;
}

int spht_snap_footer(const struct spht_snap *s, json_t *footer)
{
	const struct spht_snap_counts *n = &s->n;
	json_t *j = json_object();
	int rc = 0;

	rc |= json_object_set_new(j, "taken", spht_json_hex(n->taken));
	rc |= json_object_set_new(j, "full", spht_json_hex(n->full));
	rc |= json_object_set_new(j, "entries", spht_json_hex(n->entries));
	rc |= json_object_set_new(j, "bytes",
				  spht_json_hex(n->taken * sizeof(uint64_t[SNAP_WORDS])));
	rc |= json_object_set_new(j, "unreadable", spht_json_hex(n->unreadable));
	rc |= json_object_set_new(j, "dropped", spht_json_hex(n->dropped));
	rc |= json_object_set_new(j, "filtered", spht_json_hex(n->filtered));
	rc |= json_object_set_new(j, "late", spht_json_hex(n->late));
	rc |= json_object_set_new(j, "kinds", named(kind_names, s->kinds, SPHT_SNAP_KINDS));
	rc |= json_object_set_new(j, "unreadable_why", named(why_names, s->why, SNAP_STATUSES));
	rc |= json_object_set_new(j, "vms", json_integer((json_int_t)s->vms));
	rc |= json_object_set_new(footer, "snap", j);
	if (s->nr_slots) {
		rc |= json_object_set_new(footer, "memslots", slots_json(s));
		rc |= json_object_set_new(footer, "memslot_changes",
					  json_integer((json_int_t)s->slot_changes - 1));
	}
	return rc ? -1 : 0;
}

void spht_snap_ledger(const struct spht_snap *s, struct spht_ledger *l)
{
	l->known = true;
	l->written = s->seen + s->n.dropped;
	l->dropped = s->n.dropped;
	l->read = s->seen;
}
