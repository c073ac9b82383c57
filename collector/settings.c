// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define MAX_DEPTH 4
#define MAX_WORD  64u
#define MAX_VALUE 4096u
#define WORD_CHARS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789_-"

/* The parts of a header that are not the recorder's own business. */
enum kind {
	OBJECT, /* anything may stand below it */
	TRUTH, /* true, false or null */
	TEXT
};

static const struct {
	const char *name;
	enum kind kind;
} known[] = {
	{"host", OBJECT}, {"guest", OBJECT}, {"kvm", OBJECT},       {"marks", OBJECT},
	{"lab", OBJECT},  {"note", TEXT},    {"clock_real", TRUTH},
};
#define KNOWN_NAMES "guest, host, kvm, marks, lab, clock_real, note"

/* The names that the user gives the values of marks, whatever they look like. */
#define MARK_NAMES  "marks.names."

/* Keys whose values would be read wrongly as something else. */
static const struct {
	const char *key;
	json_int_t min, max;
} counts[] = {
	{"guest.vcpus", 1, 4096},
	{"guest.memory_mib", 1, (json_int_t)1 << 40},
	{"kvm.prefetch_window", 0, 4096},
};

/* Last words of keys whose values are text even if they look like a number: 6.12. */
static const char *const texts[] = {"kernel",    "version",  "machine",
				    "cpu_model", "workload", "name"};

static const struct {
	const char *missing, *object, *key;
} tells[] = {
	{"cpu model", "host", "cpu_model"},
	{"host kernel", "host", "kernel"},
	{"kvm module parameters", "kvm", NULL},
	{"guest description", "guest", NULL},
};

/* A JSON scalar where it is one, otherwise the text itself; NULL for what is no UTF-8. */
static json_t *parse_value(const char *key, const char *text)
{
	const char *word = strrchr(key, '.');
	json_t *j = NULL;

	if (!strncmp(key, MARK_NAMES, strlen(MARK_NAMES)))
		return json_string(text);
	for (size_t i = 0; word && i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(word + 1, texts[i]))
			return json_string(text);
	/* Lists and objects are not scalars: they stay text. */
	if (*text != '[' && *text != '{')
		j = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	return j ? j : json_string(text);
}

static int check_value(const char *key, const json_t *value, enum kind kind, struct spht_error *err)
{
	if (kind == TRUTH && !json_is_boolean(value) && !json_is_null(value)) {
		spht_error_set(err, "--set %s: true, false or null is expected", key);
		return -1;
	}
	if (kind == TEXT && !json_is_string(value)) {
		spht_error_set(err, "--set %s: text is expected, not a number", key);
		return -1;
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (strcmp(key, counts[i].key))
			continue;
		if (json_is_integer(value) && json_integer_value(value) >= counts[i].min &&
		    json_integer_value(value) <= counts[i].max)
			continue;
		spht_error_set(err,
			       "--set %s: a number from %" JSON_INTEGER_FORMAT
			       " to %" JSON_INTEGER_FORMAT " is expected",
			       key, counts[i].min, counts[i].max);
		return -1;
	}
	return 0;
}

/* Descends along @key, whose dots become NULs, and sets @value. */
static int put(json_t *settings, char *key, json_t *value, const char *text, struct spht_error *err)
{
	json_t *object = settings, *below;
	char *word = key, *dot;

	for (dot = strchr(word, '.'); dot; dot = strchr(word, '.')) {
		*dot = '\0';
		below = json_object_get(object, word);
		if (!below) {
			below = json_object();
			if (json_object_set_new(object, word, below))
				goto no_memory;
		}
		if (!json_is_object(below))
			goto clash;
		object = below;
		word = dot + 1;
	}
	if (json_object_get(object, word))
		goto clash;
	if (json_object_set(object, word, value))
		goto no_memory;
	return 0;

clash:
	spht_error_set(err, "--set %.80s: %s has been set already", text, word);
	return -1;
no_memory:
	spht_error_set(err, "out of memory");
	return -1;
}

/* How many words @key has; 0 with @err set when it is no key. */
static unsigned int count_words(const char *key, const char *text, struct spht_error *err)
{
	unsigned int nr = 0;
	size_t len;

	for (const char *p = key;; p += len + 1) {
		len = strspn(p, WORD_CHARS);
		if (!len || len > MAX_WORD || ++nr > MAX_DEPTH || (p[len] && p[len] != '.')) {
			spht_error_set(err,
				       "--set %.80s: a key is made of at most %d words of letters, "
				       "digits, - and _ with dots between them",
				       text, MAX_DEPTH);
			return 0;
		}
		if (!p[len])
			return nr;
	}
}

/* What kind of value @key takes; -1 with @err set when there is no such key. */
static int find_kind(const char *key, const char *text, struct spht_error *err)
{
	size_t len = strcspn(key, ".");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) != len || strncmp(key, known[i].name, len))
			continue;
		if (known[i].kind == OBJECT && !key[len]) {
			spht_error_set(err, "--set %.80s: a word after %s is missing, as in %s.x=1",
				       text, key, key);
			return -1;
		}
		if (known[i].kind != OBJECT && key[len]) {
			spht_error_set(err, "--set %.80s: nothing can stand below %s", text,
				       known[i].name);
			return -1;
		}
		return (int)known[i].kind;
	}
	spht_error_set(err, "--set %.80s: the first word must be one of " KNOWN_NAMES, text);
	return -1;
}

int spht_settings_add(json_t *settings, const char *text, struct spht_error *err)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0;
	json_t *value = NULL;
	char *key;
	int kind, rc = -1;

	if (!len || len > MAX_DEPTH * (MAX_WORD + 1)) {
		spht_error_set(err, "--set %.80s: KEY=VALUE is expected, as in guest.vcpus=1",
			       text);
		return -1;
	}
	key = strndup(text, len);
	if (!key) {
		spht_error_set(err, "out of memory");
		return -1;
	}
	if (!count_words(key, text, err))
		goto out;
	kind = find_kind(key, text, err);
	if (kind < 0)
		goto out;
	if (strlen(equals + 1) > MAX_VALUE) {
		spht_error_set(err, "--set %s: a value has at most %u bytes", key, MAX_VALUE);
		goto out;
	}
	value = parse_value(key, equals + 1);
	if (!value) {
		spht_error_set(err, "--set %s: the value is not UTF-8 text", key);
		goto out;
	}
	if (check_value(key, value, (enum kind)kind, err))
		goto out;
	rc = put(settings, key, value, text, err);
out:
	json_decref(value);
	free(key);
	return rc;
}

int spht_settings_apply(json_t *header, const json_t *settings)
{
	json_t *copy = json_deep_copy(settings), *missing = json_object_get(header, "missing");
	int rc;

	if (!copy)
		return -1;
	rc = json_object_update_recursive(header, copy);
	json_decref(copy);
	for (size_t i = 0; i < sizeof(tells) / sizeof(tells[0]); i++) {
		const json_t *object = json_object_get(settings, tells[i].object);

		if (!object || (tells[i].key && !json_object_get(object, tells[i].key)))
			continue;
		for (size_t k = json_array_size(missing); k-- > 0;)
			if (!strcmp(json_string_value(json_array_get(missing, k)),
				    tells[i].missing))
				json_array_remove(missing, k);
	}
	return rc;
}
