// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every row is put together by hand from pieces that were made once per event
 * type: printf() would take ten times as long.
 */
#include <stdlib.h>
#include <string.h>

#include "dump-rows.h"

#define HEAD_MAX   160 /* the columns before "system" with their names */
#define NUMBER_MAX 24 /* a formatted number with its quotes */

enum value_kind { VALUE_HEX, VALUE_HEX_STRING, VALUE_UNSIGNED, VALUE_SIGNED, VALUE_BYTES };

/* One field: the text up to its value, and how the value is written. */
struct piece {
	char *lead;
	size_t lead_len;
	enum value_kind kind;
	uint8_t slot, size;
};

/* Names come from the file: nothing in them may end a column, a string or a line. */
static void add_name(char **p, const char *name)
{
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;
		bool bad = c <= ' ' || c >= 127 || strchr(",=\"\\", c);

		*(*p)++ = bad ? '?' : (char)c;
	}
}

static char *new_lead(const char *before, const char *name, const char *after, size_t *len)
{
	char *text = malloc(strlen(before) + strlen(name) + strlen(after) + 1), *p;

	if (!text)
		return NULL;
	p = stpcpy(text, before);
	add_name(&p, name);
	p = stpcpy(p, after);
	*len = (size_t)(p - text);
	return text;
}

static enum value_kind kind_of(const struct spht_event_field *f, bool json)
{
	if (f->is_array)
		return VALUE_BYTES;
	if (f->is_signed)
		return VALUE_SIGNED;
	if (!json)
		return VALUE_HEX;
	/* Not every reader of JSON holds 64 bits in a number. */
	return f->size > 4 ? VALUE_HEX_STRING : VALUE_UNSIGNED;
}

static char *row_name(const struct spht_event_type *type, bool json, size_t *len)
{
	size_t room = strlen(type->system) + strlen(type->name) + 64;
	char *text = malloc(room), *p;

	if (!text)
		return NULL;
	p = stpcpy(text, json ? ",\"system\":\"" : ",");
	add_name(&p, type->system);
	p = stpcpy(p, json ? "\",\"event\":\"" : ",");
	add_name(&p, type->name);
	p = stpcpy(p, json ? "\",\"fields\":{" : ",");
	*len = (size_t)(p - text);
	return text;
}

int dump_row_init(struct dump_row *row, const struct spht_event_type *type, bool json)
{
	unsigned int i;

	row->vcpu_slot = cmd_vcpu_slot(type);
	row->name = row_name(type, json, &row->name_len);
	row->pieces = calloc(type->nr_fields + 1, sizeof(*row->pieces));
	if (!row->name || !row->pieces)
		return -1;
	row->max = HEAD_MAX + row->name_len + 4;
	for (i = 0; i < type->nr_fields; i++) {
		const struct spht_event_field *f = &type->fields[i];
		struct piece *p = &row->pieces[row->nr++];

		p->lead = new_lead(json ? (i ? ",\"" : "\"") : (i ? " " : ""), f->name,
				   json ? "\":" : "=", &p->lead_len);
		if (!p->lead)
			return -1;
		p->kind = kind_of(f, json);
		p->slot = f->slot;
		p->size = f->size;
		row->max += p->lead_len + (f->is_array ? 2u * f->size + 2u : NUMBER_MAX);
	}
	return 0;
}

void dump_row_free(struct dump_row *row)
{
	for (unsigned int i = 0; i < row->nr; i++)
		free(row->pieces[i].lead);
	free(row->pieces);
	free(row->name);
}

static const char digits[] = "0123456789abcdef";

static char *put(char *p, const char *text, size_t len)
{
	memcpy(p, text, len);
	return p + len;
}

#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

static char *put_hex(char *p, uint64_t v)
{
	int shift = v ? (63 - __builtin_clzll(v)) & ~3 : 0;

	*p++ = '0';
	*p++ = 'x';
	for (; shift >= 0; shift -= 4)
		*p++ = digits[v >> shift & 15];
	return p;
}

static char *put_unsigned(char *p, uint64_t v)
{
	char text[20], *q = text + sizeof(text);

	do {
		*--q = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return put(p, q, (size_t)(text + sizeof(text) - q));
}

static char *put_signed(char *p, int64_t v)
{
	if (v >= 0)
		return put_unsigned(p, (uint64_t)v);
	*p++ = '-';
	return put_unsigned(p, 0 - (uint64_t)v);
}

static char *put_bytes(char *p, const uint64_t *words, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++) {
		unsigned int byte = words[i / 8] >> (8 * (i % 8)) & 255;

		*p++ = digits[byte >> 4];
		*p++ = digits[byte & 15];
	}
	return p;
}

static char *put_value(char *p, const struct piece *piece, const uint64_t *v, bool json)
{
	switch (piece->kind) {
	case VALUE_HEX:
		return put_hex(p, v[piece->slot]);
	case VALUE_UNSIGNED:
		return put_unsigned(p, v[piece->slot]);
	case VALUE_SIGNED:
		return put_signed(p, (int64_t)v[piece->slot]);
	case VALUE_HEX_STRING:
		*p++ = '"';
		p = put_hex(p, v[piece->slot]);
		*p++ = '"';
		return p;
	case VALUE_BYTES:
		break;
	}
	if (json)
		*p++ = '"';
	p = put_bytes(p, v + piece->slot, piece->size);
	if (json)
		*p++ = '"';
	return p;
}

static char *put_csv_head(char *p, const struct spht_event *ev)
{
	p = put_unsigned(p, ev->ts);
	*p++ = ',';
	p = put_unsigned(p, ev->cpu);
	*p++ = ',';
	p = put_signed(p, ev->pid);
	*p++ = ',';
	p = put_unsigned(p, ev->flags);
	*p++ = ',';
	p = put_unsigned(p, ev->preempt);
	*p++ = ',';
	*p++ = ev->preamble ? '1' : '0';
	return p;
}

static char *put_json_head(char *p, const struct spht_event *ev)
{
	p = put_unsigned(PUT(p, "{\"ts\":"), ev->ts);
	p = put_unsigned(PUT(p, ",\"cpu\":"), ev->cpu);
	p = put_signed(PUT(p, ",\"pid\":"), ev->pid);
	p = put_unsigned(PUT(p, ",\"flags\":"), ev->flags);
	p = put_unsigned(PUT(p, ",\"preempt\":"), ev->preempt);
	return ev->preamble ? PUT(p, ",\"preamble\":true") : PUT(p, ",\"preamble\":false");
}

void dump_row_print(struct cmd_out *out, const struct dump_row *row, const struct spht_event *ev,
		    bool json)
{
	const struct piece *piece = row->pieces, *end = piece + row->nr;
	char *p;

	if (out->size - out->len < row->max)
		cmd_out_flush(out);
	p = out->buf + out->len;
	p = json ? put_json_head(p, ev) : put_csv_head(p, ev);
	p = put(p, row->name, row->name_len);
	for (; piece < end; piece++) {
		p = put(p, piece->lead, piece->lead_len);
		p = put_value(p, piece, ev->v, json);
	}
	if (json)
		p = PUT(p, "}}");
	*p++ = '\n';
	out->len = (size_t)(p - out->buf);
}
