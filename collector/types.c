// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "le.h"
#include "spht_trace.h"
#include "types.h"

/* common_type is an unsigned short in every kernel so far. */
#define MAX_ID     65536u
#define MAX_RECORD 65536 /* bytes; a page holds no more */
#define NOT_STORED -1
/* Loads are of 8 bytes; no record is shorter than that, which is what the common fields take. */
#define MIN_RECORD 8

/*
 * How a word comes out of a record without a question of its size: the 8 bytes
 * that end with it, or the record's first 8, shifted up and down.
 */
struct load {
	uint64_t mask;
	uint32_t at;
	uint8_t up, down;
};

struct type {
	char *system, *name;
	struct spht_event_field fields[SPHT_EVENT_SLOTS];
	int offsets[SPHT_EVENT_SLOTS]; /* of the fields, in a record */
	unsigned int nr_fields;
	struct load loads[SPHT_EVENT_SLOTS]; /* one for each word of v[] in use */
	int min_size; /* of a record that holds all of them */
	uint8_t nwords; /* of v[] in use */
	json_t *not_stored; /* names */
};

struct spht_types {
	const char *file, *kind;
	struct tep_handle *tep;
	struct load id, pid, flags, preempt;
	int min_size; /* of a record that holds these */
	struct type *types;
	struct spht_event_type *list; /* the same for the writer */
	unsigned int nr_types;
	int16_t by_id[MAX_ID];
	_Atomic uint64_t skipped[MAX_ID];
};

static bool is_kvm(const struct tep_event *e)
{
	return !strcmp(e->system, "kvm") || !strcmp(e->system, "kvmmmu");
}

/* Names become CSV columns and JSON keys; the kernel's are C identifiers. */
static bool is_name(const char *s)
{
	return s && *s && strlen(s) < 128 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		       strlen(s);
}

static bool in_record(const struct tep_format_field *f)
{
	return f->offset >= 0 && f->size >= 0 && f->offset <= MAX_RECORD && f->size <= MAX_RECORD;
}

/* Of @size bytes, 1 to 8, at @offset. */
static struct load make_load(int offset, int size, bool is_signed)
{
	int end = offset + size;

	return (struct load){
		.mask = is_signed ? UINT64_MAX : UINT64_MAX >> (64 - 8 * size),
		.at = (uint32_t)(end > 8 ? end - 8 : 0),
		.up = (uint8_t)(end > 8 ? 0 : 8 * (8 - end)),
		.down = (uint8_t)(64 - 8 * size),
	};
}

static inline uint64_t load(const uint8_t *record, const struct load *l)
{
	int64_t word = (int64_t)(spht_get64(record + l->at) << l->up);

	return (uint64_t)(word >> l->down) & l->mask;
}

static int find_common(struct spht_types *t, struct tep_event *e, const char *name, struct load *l)
{
	struct tep_format_field *f = tep_find_common_field(e, name);

	if (!f || !in_record(f) || f->size < 1 || f->size > 8)
		return -1;
	*l = make_load(f->offset, f->size, f->flags & TEP_FIELD_IS_SIGNED);
	if (f->offset + f->size > t->min_size)
		t->min_size = f->offset + f->size;
	return 0;
}

/* What the writer would refuse is left out here and named. */
static bool can_store(const struct type *t, const struct tep_format_field *f,
		      struct spht_event_field *as)
{
	if (t->nr_fields == SPHT_EVENT_SLOTS || !in_record(f) || f->size < 1 || f->size > 64)
		return false;
	if (f->flags & (TEP_FIELD_IS_DYNAMIC | TEP_FIELD_IS_RELATIVE))
		return false;
	for (unsigned int i = 0; i < t->nr_fields; i++)
		if (!strcmp(t->fields[i].name, f->name))
			return false;
	as->size = (uint8_t)f->size;
	as->is_array = (f->flags & TEP_FIELD_IS_ARRAY) ||
		       (f->size != 1 && f->size != 2 && f->size != 4 && f->size != 8);
	as->is_signed = !as->is_array && (f->flags & TEP_FIELD_IS_SIGNED);
	return true;
}

static int name_not_stored(struct type *t, const char *name)
{
	return json_array_append_new(t->not_stored, json_string(name));
}

/* Loads for all words of @f, whose first byte becomes the lowest of the first word. */
static void make_loads(struct type *t, const struct spht_event_field *f, int offset)
{
	for (int w = 0; w < f->nwords; w++) {
		int size = f->size - 8 * w < 8 ? f->size - 8 * w : 8;

		t->loads[f->slot + w] = make_load(offset + 8 * w, size, f->is_signed);
	}
	if (offset + f->size > t->min_size)
		t->min_size = offset + f->size;
	if (f->slot + f->nwords > t->nwords)
		t->nwords = (uint8_t)(f->slot + f->nwords);
}

static int lay_out(struct type *t)
{
	enum spht_event_id id = spht_event_find(t->system, t->name);
	unsigned int kept = 0;

	spht_event_layout(id, t->fields, t->nr_fields, NULL);
	for (unsigned int i = 0; i < t->nr_fields; i++) {
		if (!t->fields[i].nwords) {
			if (name_not_stored(t, t->fields[i].name))
				return -1;
			free((char *)t->fields[i].name);
			continue;
		}
		t->fields[kept] = t->fields[i];
		t->offsets[kept++] = t->offsets[i];
	}
	t->nr_fields = kept;
	spht_event_layout(id, t->fields, kept, NULL);
	for (unsigned int i = 0; i < kept; i++)
		make_loads(t, &t->fields[i], t->offsets[i]);
	return 0;
}

static int add_type(struct spht_types *t, struct tep_event *e, struct spht_error *err)
{
	struct type *type = &t->types[t->nr_types];

	if (!is_name(e->name) || e->id < 0 || e->id >= (int)MAX_ID) {
		spht_error_set(err,
			       "%s: damaged or unsupported %s: an event of system %s has no valid "
			       "name or number; record anew",
			       t->file, t->kind, e->system);
		return -1;
	}
	type->system = strdup(e->system);
	type->name = strdup(e->name);
	type->not_stored = json_array();
	t->nr_types++;
	if (!type->system || !type->name || !type->not_stored)
		goto no_memory;
	for (struct tep_format_field *f = e->format.fields; f; f = f->next) {
		struct spht_event_field *as = &type->fields[type->nr_fields];
		struct spht_event_field field = {0};

		if (!is_name(f->name))
			continue;
		if (!can_store(type, f, &field)) {
			if (name_not_stored(type, f->name))
				goto no_memory;
			continue;
		}
		field.name = strdup(f->name);
		if (!field.name)
			goto no_memory;
		*as = field;
		type->offsets[type->nr_fields++] = f->offset;
	}
	type->min_size = t->min_size;
	if (lay_out(type))
		goto no_memory;
	t->by_id[e->id] = (int16_t)(t->nr_types - 1);
	return 0;

no_memory:
	spht_error_set(err, "%s: out of memory", t->file);
	return -1;
}

static int compare_events(const void *a, const void *b)
{
	const struct tep_event *x = *(struct tep_event *const *)a;
	const struct tep_event *y = *(struct tep_event *const *)b;
	int rc = strcmp(x->system, y->system);

	return rc ? rc : strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

/* What the writer wants to know. */
static int list_types(struct spht_types *t)
{
	t->list = calloc(t->nr_types, sizeof(*t->list));
	if (!t->list)
		return -1;
	for (unsigned int i = 0; i < t->nr_types; i++) {
		struct type *type = &t->types[i];

		t->list[i] = (struct spht_event_type){
			.system = type->system,
			.name = type->name,
			.id = spht_event_find(type->system, type->name),
			.nr_fields = type->nr_fields,
			.fields = type->fields,
		};
		spht_event_layout(t->list[i].id, type->fields, type->nr_fields, &t->list[i].have);
	}
	return 0;
}

struct spht_types *spht_types_new(struct tep_handle *tep, bool all, const char *name,
				  const char *kind, struct spht_error *err)
{
	int total = tep_get_events_count(tep), nr = 0;
	struct spht_types *t = calloc(1, sizeof(*t));
	struct tep_event **wanted = calloc((size_t)(total > 0 ? total : 0) + 1, sizeof(*wanted));

	if (!t || !wanted) {
		spht_error_set(err, "%s: out of memory", name);
		goto fail;
	}
	t->file = name;
	t->kind = kind;
	t->tep = tep;
	t->min_size = MIN_RECORD;
	memset(t->by_id, 0xff, sizeof(t->by_id));
	for (int i = 0; i < total; i++) {
		struct tep_event *e = tep_get_event(tep, i);

		if (e && e->system && (all ? is_name(e->system) : is_kvm(e)))
			wanted[nr++] = e;
	}
	if (!nr) {
		spht_error_set(err,
			       "%s: has no events of the systems kvm and kvmmmu; record with "
			       "trace-cmd record -e kvm -e kvmmmu",
			       name);
		goto fail;
	}
	if ((unsigned int)nr > SPHT_MAX_TYPES) {
		spht_error_set(err, "%s: %d kinds of KVM events, %u can be stored", name, nr,
			       SPHT_MAX_TYPES);
		goto fail;
	}
	/* The numbers differ from boot to boot, names do not. */
	qsort(wanted, (size_t)nr, sizeof(*wanted), compare_events);
	if (find_common(t, wanted[0], "common_type", &t->id) ||
	    find_common(t, wanted[0], "common_pid", &t->pid) ||
	    find_common(t, wanted[0], "common_flags", &t->flags) ||
	    find_common(t, wanted[0], "common_preempt_count", &t->preempt)) {
		spht_error_set(
			err,
			"%s: damaged or unsupported %s: its events have no type, pid, flags or "
			"preempt count; record anew",
			name, kind);
		goto fail;
	}
	t->types = calloc((size_t)nr, sizeof(*t->types));
	if (!t->types) {
		spht_error_set(err, "%s: out of memory", name);
		goto fail;
	}
	for (int i = 0; i < nr; i++) {
		if (i && !compare_events(&wanted[i - 1], &wanted[i])) {
			spht_error_set(
				err,
				"%s: damaged or unsupported %s: two formats of the event %s; "
				"record anew",
				name, kind, wanted[i]->name);
			goto fail;
		}
		if (add_type(t, wanted[i], err))
			goto fail;
	}
	if (list_types(t)) {
		spht_error_set(err, "%s: out of memory", name);
		goto fail;
	}
	free(wanted);
	return t;

fail:
	free(wanted);
	spht_types_free(t);
	return NULL;
}

void spht_types_free(struct spht_types *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->nr_types; i++) {
		for (unsigned int k = 0; k < t->types[i].nr_fields; k++)
			free((char *)t->types[i].fields[k].name);
		free(t->types[i].system);
		free(t->types[i].name);
		json_decref(t->types[i].not_stored);
	}
	free(t->types);
	free(t->list);
	free(t);
}

const struct spht_event_type *spht_types_list(const struct spht_types *t, unsigned int *nr)
{
	*nr = t->nr_types;
	return t->list;
}

json_t *spht_types_json(const struct spht_types *t)
{
	json_t *all = json_array();

	for (unsigned int i = 0; all && i < t->nr_types; i++) {
		const struct type *type = &t->types[i];
		json_t *fields = json_array();

		for (unsigned int k = 0; k < type->nr_fields; k++)
			json_array_append_new(fields,
					      json_pack("{s:s, s:i, s:b, s:b}", "name",
							type->fields[k].name, "size",
							(int)type->fields[k].size, "signed",
							(int)type->fields[k].is_signed, "array",
							(int)type->fields[k].is_array));
		json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "system", type->system,
						     "name", type->name, "fields", fields));
	}
	return all;
}

json_t *spht_types_not_stored(const struct spht_types *t)
{
	json_t *all = json_object();
	char name[300];

	for (unsigned int i = 0; all && i < t->nr_types; i++) {
		const struct type *type = &t->types[i];

		if (!json_array_size(type->not_stored))
			continue;
		snprintf(name, sizeof(name), "%s/%s", type->system, type->name);
		json_object_set(all, name, type->not_stored);
	}
	return all;
}

json_t *spht_types_skipped(const struct spht_types *t)
{
	json_t *all = json_array();

	for (unsigned int id = 0; all && id < MAX_ID; id++) {
		struct tep_event *e;
		char unknown[32];
		bool named;

		if (!t->skipped[id])
			continue;
		e = tep_find_event(t->tep, (int)id);
		named = e && is_name(e->system) && is_name(e->name);
		snprintf(unknown, sizeof(unknown), "number %u", id);
		json_array_append_new(all, json_pack("[s, s, I]", named ? e->system : "?",
						     named ? e->name : unknown,
						     (json_int_t)t->skipped[id]));
	}
	return all;
}

int spht_types_read(struct spht_types *t, const void *record, int size, struct spht_event *ev)
{
	const uint8_t *data = record;
	const struct type *type;
	unsigned int id;
	int index;

	if (size < t->min_size)
		return -1;
	id = load(data, &t->id) & (MAX_ID - 1);
	index = t->by_id[id];
	if (index == NOT_STORED) {
		t->skipped[id]++;
		return 0;
	}
	type = &t->types[index];
	if (size < type->min_size)
		return -1;
	ev->type = (uint8_t)index;
	ev->id = (uint8_t)t->list[index].id;
	ev->pid = (int32_t)load(data, &t->pid);
	ev->flags = (uint8_t)load(data, &t->flags);
	ev->preempt = (uint8_t)load(data, &t->preempt);
	/* A slot without a field has a mask of nothing. */
	for (unsigned int i = 0; i < type->nwords; i++)
		ev->v[i] = load(data, &type->loads[i]);
	return 1;
}

unsigned int spht_types_words(const struct spht_types *t, unsigned int type)
{
	return t->types[type].nwords;
}
