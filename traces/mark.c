// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

#define PIO_OUT 1 /* KVM_PIO_OUT */

struct spht_marks {
	uint32_t port;
	json_t *names; /* "0x1f" -> name */
};

static bool number(const char *s, uint64_t max, uint64_t *value)
{
	char *end;

	if (!s || *s < '0' || *s > '9')
		return false;
	errno = 0;
	*value = strtoull(s, &end, !strncmp(s, "0x", 2) ? 16 : 10);
	return !*end && !errno && *value <= max;
}

static uint32_t read_port(const json_t *marks)
{
	const json_t *port = json_object_get(marks, "port");
	uint64_t value;

	if (!port)
		return SPHT_MARK_PORT;
	if (json_is_integer(port) && json_integer_value(port) >= 0 &&
	    json_integer_value(port) < SPHT_MARK_NO_PORT)
		return (uint32_t)json_integer_value(port);
	return number(json_string_value(port), SPHT_MARK_NO_PORT - 1, &value) ? (uint32_t)value
									      : SPHT_MARK_NO_PORT;
}

/* Whatever way the values are written, they are kept in one. */
static int read_names(struct spht_marks *m, const json_t *marks)
{
	const char *key;
	json_t *name;

	json_object_foreach(json_object_get(marks, "names"), key, name)
	{
		uint64_t value;
		char canonical[16];

		if (!number(key, UINT32_MAX, &value) || !json_is_string(name))
			continue;
		snprintf(canonical, sizeof(canonical), "0x%" PRIx64, value);
		if (json_object_set(m->names, canonical, name))
			return -1;
	}
	return 0;
}

struct spht_marks *spht_marks_open(const json_t *header)
{
	const json_t *marks = json_object_get(header, "marks");
	struct spht_marks *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->port = read_port(marks);
	m->names = json_object();
	if (m->names && !read_names(m, marks))
		return m;
	spht_marks_close(m);
	return NULL;
}

void spht_marks_close(struct spht_marks *m)
{
	if (!m)
		return;
	json_decref(m->names);
	free(m);
}

uint32_t spht_marks_port(const struct spht_marks *m)
{
	return m->port;
}

bool spht_mark_read(const struct spht_marks *m, const struct spht_event_type *type,
		    const struct spht_event *ev, uint32_t *value)
{
	uint64_t size = ev->v[SPHT_PIO_SIZE], val = ev->v[SPHT_PIO_VAL];

	if (ev->id != SPHT_EV_PIO || ev->v[SPHT_PIO_PORT] != m->port ||
	    ev->v[SPHT_PIO_RW] != PIO_OUT || ev->v[SPHT_PIO_COUNT] != 1 || ev->preamble)
		return false;
	if (!(type->have & 1u << SPHT_PIO_VAL) || (size != 1 && size != 2 && size != 4))
		return false;
	*value = (uint32_t)(val & (size == 4 ? UINT32_MAX : (1u << 8 * size) - 1));
	return true;
}

const char *spht_mark_name(const struct spht_marks *m, uint32_t value)
{
	char key[16];

	snprintf(key, sizeof(key), "0x%" PRIx32, value);
	return json_string_value(json_object_get(m->names, key));
}

bool spht_mark_find(const struct spht_marks *m, const char *text, uint32_t *value)
{
	const char *key;
	json_t *name;
	uint64_t v;

	json_object_foreach(m->names, key, name)
	{
		if (strcmp(json_string_value(name), text))
			continue;
		*value = (uint32_t)strtoul(key, NULL, 16);
		return true;
	}
	if (!number(text, UINT32_MAX, &v))
		return false;
	*value = (uint32_t)v;
	return true;
}
