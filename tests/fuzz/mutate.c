// SPDX-License-Identifier: LGPL-2.1-or-later
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "mutate.h"

#define MAX_NODES 2048
#define MAX_TEXT  256

struct dice dice_of(unsigned int seed)
{
	return (struct dice){seed * 0x9e3779b97f4a7c15u + 1};
}

uint64_t dice_roll(struct dice *d, uint64_t n)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % n;
}

uint64_t dice_edge(struct dice *d)
{
	uint64_t v = (uint64_t)1 << dice_roll(d, 64);

	switch (dice_roll(d, 6)) {
	case 0:
		return dice_roll(d, 17);
	case 1:
		return v - 1;
	case 2:
		return v + 1;
	case 3:
		return ~v;
	case 4:
		return -dice_roll(d, 3);
	default:
		return v;
	}
}

uint64_t dice_change(struct dice *d, uint64_t v)
{
	switch (dice_roll(d, 5)) {
	case 0:
		return v + 1;
	case 1:
		return v - 1;
	case 2:
		return v ^ (uint64_t)1 << dice_roll(d, 64);
	case 3:
		return v * 2;
	default:
		return dice_edge(d);
	}
}

/* A value and where it stands: in an object under @key, or in an array at @index. */
struct node {
	json_t *parent, *value;
	const char *key;
	size_t index;
};

static size_t collect(json_t *parent, struct node *nodes, size_t nr)
{
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach(parent, key, value)
	{
		if (nr == MAX_NODES)
			return nr;
		nodes[nr++] = (struct node){parent, value, key, 0};
		nr = collect(value, nodes, nr);
	}
	json_array_foreach(parent, i, value)
	{
		if (nr == MAX_NODES)
			return nr;
		nodes[nr++] = (struct node){parent, value, NULL, i};
		nr = collect(value, nodes, nr);
	}
	return nr;
}

static json_t *any_value(struct dice *d)
{
	switch (dice_roll(d, 8)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(dice_roll(d, 2));
	case 2:
		return json_array();
	case 3:
		return json_object();
	case 4:
		return json_sprintf("0x%llx", (unsigned long long)dice_edge(d));
	case 5:
		return json_real((double)(int64_t)dice_edge(d) * 1.5);
	case 6:
		return json_string("");
	default:
		return json_integer((json_int_t)dice_edge(d));
	}
}

static json_t *changed_text(const char *text)
{
	uint8_t bytes[MAX_TEXT];
	size_t len = strlen(text);
	json_t *v;

	if (len > MAX_TEXT)
		len = MAX_TEXT;
	memcpy(bytes, text, len);
	len = LLVMFuzzerMutate(bytes, len, MAX_TEXT);
	v = json_stringn((const char *)bytes, len);
	if (v)
		return v;
	for (size_t i = 0; i < len; i++)
		bytes[i] &= 0x7f;
	return json_stringn((const char *)bytes, len);
}

static json_t *changed(struct dice *d, const json_t *v)
{
	if (json_is_string(v) && !strncmp(json_string_value(v), "0x", 2))
		return json_sprintf("0x%llx", (unsigned long long)dice_change(
						      d, strtoull(json_string_value(v), NULL, 16)));
	if (json_is_string(v))
		return changed_text(json_string_value(v));
	if (json_is_integer(v))
		return json_integer((json_int_t)dice_change(d, (uint64_t)json_integer_value(v)));
	if (json_is_real(v))
		return json_real(json_real_value(v) * ((double)dice_roll(d, 5) - 1.5));
	return any_value(d);
}

static void put(const struct node *n, json_t *value)
{
	if (!value)
		return;
	if (n->key)
		json_object_set_new(n->parent, n->key, value);
	else
		json_array_set_new(n->parent, n->index, value);
}

static void change_node(struct dice *d, const struct node *n, const struct node *other)
{
	char key[48];

	switch (dice_roll(d, 8)) {
	case 0:
		put(n, any_value(d));
		break;
	case 1:
		if (n->key)
			json_object_del(n->parent, n->key);
		else
			json_array_remove(n->parent, n->index);
		break;
	case 2:
		put(n, json_deep_copy(other->value));
		break;
	case 3:
		strcpy(key, "new");
		if (other->key && strlen(other->key) < sizeof(key))
			strcpy(key, other->key);
		if (n->key)
			json_object_set_new(n->parent, key, json_deep_copy(other->value));
		else
			json_array_insert_new(n->parent, n->index, json_deep_copy(other->value));
		break;
	default:
		put(n, changed(d, n->value));
	}
}

size_t mutate_json(struct dice *d, uint8_t *text, size_t size, size_t max)
{
	static struct node nodes[MAX_NODES];
	json_t *root = NULL;
	char *out = NULL;
	size_t len, nr;

	if (dice_roll(d, 8))
		root = json_loadb((const char *)text, size, 0, NULL);
	for (uint64_t again = 1 + dice_roll(d, 3); root && again; again--) {
		nr = collect(root, nodes, 0);
		if (nr)
			change_node(d, &nodes[dice_roll(d, nr)], &nodes[dice_roll(d, nr)]);
	}
	if (root)
		out = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(root);
	len = out ? strlen(out) : 0;
	if (!out || len > max) {
		free(out);
		return LLVMFuzzerMutate(text, size, max);
	}
	memcpy(text, out, len);
	free(out);
	return len;
}
