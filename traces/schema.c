// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "spht_trace.h"

#define PREDICT_TEXT 512 /* longest prediction text */
#define NAME_MAX_LEN 127 /* bytes of a system, event or field name */

void spht_schema_free(struct spht_schema *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; s->types && i < s->nr_types; i++) {
		struct spht_event_type *t = &s->types[i];

		for (unsigned int f = 0; t->fields && f < t->nr_fields; f++)
			free((void *)t->fields[f].name);
		free((void *)t->fields);
		free((void *)t->system);
		free((void *)t->name);
	}
	free(s->types);
	free(s->first_part);
	free(s->parts);
	free(s);
}

static struct spht_schema *schema_alloc(unsigned int nr_types)
{
	struct spht_schema *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->nr_types = nr_types;
	s->types = calloc(nr_types + 1, sizeof(*s->types));
	s->first_part = calloc(nr_types + 1, sizeof(*s->first_part));
	if (!s->types || !s->first_part) {
		spht_schema_free(s);
		return NULL;
	}
	return s;
}

/* Copies names and fields of @src; 0, or -1 without memory. */
static int copy_type(struct spht_event_type *dst, const struct spht_event_type *src)
{
	struct spht_event_field *fields = calloc(src->nr_fields + 1, sizeof(*fields));

	dst->system = strdup(src->system);
	dst->name = strdup(src->name);
	dst->fields = fields;
	dst->nr_fields = src->nr_fields;
	if (!dst->system || !dst->name || !fields)
		return -1;
	for (unsigned int f = 0; f < src->nr_fields; f++) {
		fields[f] = src->fields[f];
		fields[f].name = strdup(src->fields[f].name);
		if (!fields[f].name)
			return -1;
	}
	return 0;
}

/* Names are shown, and written as CSV: no control characters, quotes, commas or blanks. */
static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("\",=", name[i]))
			return false;
	return len >= 1 && len <= NAME_MAX_LEN;
}

/* Lays out @t and says what is wrong with it, or NULL. */
static const char *check_type(struct spht_event_type *t, bool given_slots)
{
	struct spht_event_field laid[SPHT_EVENT_SLOTS];

	if (!name_valid(t->system) || !name_valid(t->name))
		return "a name that is empty, too long or not plain text";
	if (t->nr_fields > SPHT_EVENT_SLOTS)
		return "more fields than an event has slots";
	for (unsigned int f = 0; f < t->nr_fields; f++) {
		laid[f] = t->fields[f];
		if (!name_valid(laid[f].name))
			return "a field name that is empty, too long or not plain text";
		for (unsigned int g = 0; g < f; g++)
			if (!strcmp(laid[f].name, laid[g].name))
				return "two fields of one name";
	}
	t->id = spht_event_find(t->system, t->name);
	if (spht_event_layout(t->id, laid, t->nr_fields, &t->have) != t->nr_fields)
		return "a field too large to be stored";
	for (unsigned int f = 0; given_slots && f < t->nr_fields; f++)
		if (laid[f].slot != t->fields[f].slot || laid[f].nwords != t->fields[f].nwords)
			return "fields laid out in other slots than spht_event_layout() gives";
	memcpy((struct spht_event_field *)t->fields, laid, t->nr_fields * sizeof(laid[0]));
	return NULL;
}

static struct spht_part *add_part(struct spht_schema *s)
{
	struct spht_part *p = &s->parts[s->nr_parts];

	memset(p, 0, sizeof(*p));
	p->reg = (uint16_t)(SPHT_REG_PARTS + s->nr_parts);
	p->width = 64;
	s->nr_parts++;
	return p;
}

/* Room for the most parts that the types can have. */
static int parts_alloc(struct spht_schema *s)
{
	size_t max = 1;

	for (unsigned int i = 0; i < s->nr_types; i++)
		max += 2 * SPHT_EVENT_SLOTS;
	s->parts = calloc(max, sizeof(*s->parts));
	return s->parts ? 0 : -1;
}

/* The register that @name means to part @self; false where the file has no such thing. */
static bool resolve_name(const struct spht_schema *s, const struct spht_part *self,
			 const char *name, size_t len, unsigned int *reg)
{
	static const char *const special[] = {"0", "prev", "prev2", "pid"};

	if (len == 1 && *name == '.') {
		*reg = self->reg;
		return true;
	}
	for (unsigned int i = 0; i < SPHT_REG_PARTS; i++) {
		if (strlen(special[i]) == len && !memcmp(special[i], name, len)) {
			*reg = i;
			return true;
		}
	}
	for (unsigned int i = 0; i < s->nr_types; i++) {
		const struct spht_event_type *t = &s->types[i];
		size_t n = strlen(t->name);

		if (t->id == SPHT_EV_UNKNOWN || len <= n || memcmp(name, t->name, n) ||
		    name[n] != '.')
			continue;
		for (uint32_t p = s->first_part[i]; p < s->first_part[i + 1]; p++) {
			const struct spht_part *part = &s->parts[p];
			char full[2 * NAME_MAX_LEN + 8];

			for (unsigned int f = 0; f < t->nr_fields; f++) {
				if (t->fields[f].slot != part->slot)
					continue;
				snprintf(full, sizeof(full), "%s.%s%s", t->name, t->fields[f].name,
					 part->width == 64 ? ""
					 : part->shift     ? ".hi"
							   : ".lo");
				if (strlen(full) == len && !memcmp(full, name, len)) {
					*reg = part->reg;
					return true;
				}
			}
		}
	}
	return false;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* One candidate of a spec with names as register numbers; false to leave it out. */
static bool resolve_candidate(const struct spht_schema *s, const struct spht_part *part,
			      const char *text, size_t len, char *out, size_t size)
{
	size_t used = 0;
	bool name_next = true; /* digits after an operator are a number, not the zero register */

	for (size_t i = 0; i < len;) {
		size_t n = 0;

		while (i + n < len && name_char(text[i + n]))
			n++;
		if (n && name_next && !(n == 3 && !memcmp(text + i, "raw", 3))) {
			unsigned int reg;

			if (!resolve_name(s, part, text + i, n, &reg))
				return false;
			used += (size_t)snprintf(out + used, size - used, "r%u", reg);
		} else {
			n = n ? n : 1;
			used += (size_t)snprintf(out + used, size - used, "%.*s", (int)n, text + i);
			name_next = text[i] == '(' || text[i] == ',' || text[i] == '*';
			i += n;
			continue;
		}
		name_next = false;
		i += n;
	}
	return used < size;
}

/* Sets the prediction of @part from a spec's text. */
static int set_prediction(struct spht_schema *s, struct spht_part *part, const char *text)
{
	char out[PREDICT_TEXT] = "";
	size_t used = 0;

	while (*text) {
		size_t len = strcspn(text, "|");
		char one[PREDICT_TEXT];

		if (resolve_candidate(s, part, text, len, one, sizeof(one)))
			used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s",
						 used ? "|" : "", one);
		if (used >= sizeof(out))
			return -1;
		text += len + (text[len] == '|');
	}
	if (!used)
		snprintf(out, sizeof(out), "r%u", part->reg);
	return spht_predict_parse(part, out, s->nr_regs, &s->nr_entries);
}

static void add_word(struct spht_schema *s, const struct spht_prediction *spec, unsigned int slot)
{
	struct spht_part *p = add_part(s);

	p->slot = (uint8_t)slot;
	if (!spec->width)
		return;
	p->rot = spec->rot;
	p->width = spec->width;
	p = add_part(s);
	p->slot = (uint8_t)slot;
	p->rot = spec->rot;
	p->shift = spec->width;
	p->width = (uint8_t)(64 - spec->width);
}

/* The parts of type @i; fields in the order of the specs, so that keys come before their use. */
static void make_parts(struct spht_schema *s, unsigned int i)
{
	const struct spht_event_type *t = &s->types[i];
	unsigned int rank[SPHT_EVENT_SLOTS], sorted[SPHT_EVENT_SLOTS];

	for (unsigned int f = 0; f < t->nr_fields; f++) {
		unsigned int at = f;

		spht_prediction_find(t->name, t->fields[f].name, &rank[f]);
		for (; at > 0 && rank[sorted[at - 1]] > rank[f]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = f;
	}
	s->first_part[i] = s->nr_parts;
	for (unsigned int n = 0; n < t->nr_fields; n++) {
		const struct spht_event_field *f = &t->fields[sorted[n]];

		for (unsigned int w = 0; w < f->nwords; w++)
			add_word(s, spht_prediction_find(t->name, f->name, NULL), f->slot + w);
	}
	s->first_part[i + 1] = s->nr_parts;
}

static const char *field_of_slot(const struct spht_event_type *t, unsigned int slot)
{
	for (unsigned int f = 0; f < t->nr_fields; f++)
		if (slot >= t->fields[f].slot && slot < t->fields[f].slot + t->fields[f].nwords)
			return t->fields[f].name;
	return "";
}

struct spht_schema *spht_schema_new(const struct spht_event_type *types, unsigned int nr_types,
				    struct spht_error *err)
{
	struct spht_schema *s;

	if (nr_types > SPHT_MAX_TYPES) {
		spht_error_set(err, "%u event types, a trace holds at most %u; record fewer events",
			       nr_types, SPHT_MAX_TYPES);
		return NULL;
	}
	s = schema_alloc(nr_types);
	if (!s || parts_alloc(s))
		goto no_memory;
	for (unsigned int i = 0; i < nr_types; i++) {
		const char *wrong;

		if (copy_type(&s->types[i], &types[i]))
			goto no_memory;
		wrong = check_type(&s->types[i], true);
		if (wrong) {
			spht_error_set(err, "event %s:%s cannot be stored: it has %s",
				       types[i].system, types[i].name, wrong);
			goto fail;
		}
		make_parts(s, i);
	}
	s->nr_regs = SPHT_REG_PARTS + s->nr_parts;
	for (unsigned int i = 0; i < nr_types; i++) {
		for (uint32_t p = s->first_part[i]; p < s->first_part[i + 1]; p++) {
			struct spht_part *part = &s->parts[p];
			const struct spht_event_type *t = &s->types[i];
			const struct spht_prediction *spec =
				spht_prediction_find(t->name, field_of_slot(t, part->slot), NULL);
			const char *text = part->shift ? spec->high : spec->low;

			/* With hundreds of types the tables run out: then the plain last value. */
			if (set_prediction(s, part, text) && set_prediction(s, part, ".")) {
				spht_error_set(err, "event %s:%s: bad prediction \"%s\"", t->system,
					       t->name, text);
				goto fail;
			}
		}
	}
	return s;

no_memory:
	spht_error_set(err, "out of memory for %u event types", nr_types);
fail:
	spht_schema_free(s);
	return NULL;
}

json_t *spht_schema_to_json(const struct spht_schema *s)
{
	json_t *types = json_array();

	for (unsigned int i = 0; types && i < s->nr_types; i++) {
		const struct spht_event_type *t = &s->types[i];
		json_t *fields = json_array(), *parts = json_array(), *type;
		int bad = 0;

		for (unsigned int f = 0; f < t->nr_fields; f++)
			bad |= json_array_append_new(
				fields,
				json_pack("{s:s, s:i, s:b, s:b}", "name", t->fields[f].name, "size",
					  t->fields[f].size, "signed", t->fields[f].is_signed,
					  "array", t->fields[f].is_array));
		for (uint32_t p = s->first_part[i]; p < s->first_part[i + 1]; p++) {
			const struct spht_part *part = &s->parts[p];
			char text[PREDICT_TEXT];
			int field = 0, word = 0;

			for (unsigned int f = 0; f < t->nr_fields; f++) {
				if (part->slot < t->fields[f].slot ||
				    part->slot >= t->fields[f].slot + t->fields[f].nwords)
					continue;
				field = (int)f;
				word = part->slot - t->fields[f].slot;
			}
			spht_predict_print(part, text, sizeof(text));
			bad |= json_array_append_new(
				parts,
				json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s}", "reg", part->reg,
					  "field", field, "word", word, "rot", part->rot, "shift",
					  part->shift, "width", part->width, "predict", text));
		}
		type = json_pack("{s:s, s:s, s:o, s:o}", "system", t->system, "name", t->name,
				 "fields", fields, "parts", parts);
		if (bad || !type || json_array_append_new(types, type)) {
			json_decref(types);
			return NULL;
		}
	}
	return types;
}

/* A non-negative integer member of at most @max; false where there is none. */
static bool get_int(const json_t *obj, const char *key, int min, int max, int *v)
{
	const json_t *j = json_object_get(obj, key);

	if (!json_is_integer(j) || json_integer_value(j) < min || json_integer_value(j) > max)
		return false;
	*v = (int)json_integer_value(j);
	return true;
}

/* Fills @t; what is wrong, or NULL. */
static const char *type_from_json(struct spht_event_type *t, const json_t *type)
{
	struct spht_event_field fields[SPHT_EVENT_SLOTS] = {0};
	const char *name = json_string_value(json_object_get(type, "name"));
	const char *system = json_string_value(json_object_get(type, "system"));
	const json_t *list = json_object_get(type, "fields");
	struct spht_event_type tmp = {.system = system, .name = name, .fields = fields};

	if (!name || !system || !json_is_array(list))
		return "no system, name or fields";
	if (json_array_size(list) > SPHT_EVENT_SLOTS)
		return "more fields than an event has slots";
	tmp.nr_fields = (unsigned int)json_array_size(list);
	for (unsigned int f = 0; f < tmp.nr_fields; f++) {
		const json_t *field = json_array_get(list, f);
		const json_t *is_signed = json_object_get(field, "signed");
		const json_t *is_array = json_object_get(field, "array");
		int size;

		fields[f].name = json_string_value(json_object_get(field, "name"));
		if (!fields[f].name || !json_is_boolean(is_signed) || !json_is_boolean(is_array) ||
		    !get_int(field, "size", 1, 64, &size))
			return "a field without name, size, signed or array";
		fields[f].size = (uint8_t)size;
		fields[f].is_signed = json_is_true(is_signed);
		fields[f].is_array = json_is_true(is_array);
	}
	if (copy_type(t, &tmp))
		return "more than there is memory for";
	return check_type(t, false);
}

/* Adds the part that @json describes; what is wrong, or NULL. */
static const char *part_from_json(struct spht_schema *s, const struct spht_event_type *t,
				  const json_t *json)
{
	int reg, field, word, rot, shift, width;
	struct spht_part *part;

	if (!get_int(json, "reg", 0, UINT16_MAX, &reg) ||
	    !get_int(json, "field", 0, (int)t->nr_fields - 1, &field) ||
	    !get_int(json, "word", 0, 7, &word) || !get_int(json, "rot", 0, 63, &rot) ||
	    !get_int(json, "shift", 0, 63, &shift) || !get_int(json, "width", 1, 64, &width) ||
	    shift + width > 64)
		return "a part without reg, field, word, rot, shift or width";
	if (word >= t->fields[field].nwords)
		return "a part of a word that its field lacks";
	part = add_part(s);
	if (part->reg != reg)
		return "parts that are not numbered in order";
	part->slot = (uint8_t)(t->fields[field].slot + word);
	part->rot = (uint8_t)rot;
	part->shift = (uint8_t)shift;
	part->width = (uint8_t)width;
	return NULL;
}

/* True when the parts of type @i cover every bit of every stored word once. */
static bool parts_cover(const struct spht_schema *s, unsigned int i)
{
	uint64_t seen[SPHT_EVENT_SLOTS] = {0};

	for (uint32_t p = s->first_part[i]; p < s->first_part[i + 1]; p++) {
		const struct spht_part *part = &s->parts[p];
		uint64_t bits = (UINT64_MAX >> (64 - part->width)) << part->shift;

		bits = bits >> part->rot | bits << (-part->rot & 63);
		if (seen[part->slot] & bits)
			return false;
		seen[part->slot] |= bits;
	}
	for (unsigned int slot = 0; slot < SPHT_EVENT_SLOTS; slot++)
		if (seen[slot] != (s->types[i].have >> slot & 1 ? UINT64_MAX : 0))
			return false;
	return true;
}

struct spht_schema *spht_schema_from_json(const json_t *types, const char *path,
					  struct spht_error *err)
{
	size_t nr = json_array_size(types);
	const char *wrong = NULL;
	struct spht_schema *s;
	unsigned int i = 0;

	if (!json_is_array(types) || nr > SPHT_MAX_TYPES) {
		spht_error_set(err, "%s: the header has no list of at most %u event types", path,
			       SPHT_MAX_TYPES);
		return NULL;
	}
	s = schema_alloc((unsigned int)nr);
	if (!s || parts_alloc(s)) {
		spht_error_set(err, "%s: out of memory for %zu event types", path, nr);
		goto fail;
	}
	for (i = 0; i < nr; i++) {
		const json_t *type = json_array_get(types, i), *parts;

		wrong = type_from_json(&s->types[i], type);
		if (wrong)
			goto bad;
		parts = json_object_get(type, "parts");
		wrong = "no parts, or more than its fields have";
		if (!json_is_array(parts) || json_array_size(parts) > 2 * SPHT_EVENT_SLOTS)
			goto bad;
		s->first_part[i] = s->nr_parts;
		for (size_t p = 0; p < json_array_size(parts); p++) {
			wrong = part_from_json(s, &s->types[i], json_array_get(parts, p));
			if (wrong)
				goto bad;
		}
		s->first_part[i + 1] = s->nr_parts;
		wrong = "parts that do not make up its fields";
		if (!parts_cover(s, i))
			goto bad;
	}
	s->nr_regs = SPHT_REG_PARTS + s->nr_parts;
	for (i = 0; i < nr; i++) {
		const json_t *parts = json_object_get(json_array_get(types, i), "parts");

		for (uint32_t p = s->first_part[i]; p < s->first_part[i + 1]; p++) {
			const json_t *json = json_array_get(parts, p - s->first_part[i]);
			const char *text = json_string_value(json_object_get(json, "predict"));

			wrong = "a prediction this program does not know";
			if (!text ||
			    spht_predict_parse(&s->parts[p], text, s->nr_regs, &s->nr_entries))
				goto bad;
		}
	}
	return s;

bad:
	spht_error_set(err, "%s: the header's event type %u has %s; it was made by another version",
		       path, i, wrong);
fail:
	spht_schema_free(s);
	return NULL;
}
