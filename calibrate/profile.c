// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/profile.h"
#include "part.h"
#include "replay/costs.h"

struct profile {
	json_t *root;
};

static json_t *checked(json_t *v)
{
	if (!v)
		die("out of memory");
	return v;
}

static void set(json_t *o, const char *key, json_t *v)
{
	if (json_object_set_new(o, key, checked(v)))
		die("out of memory");
}

struct profile *profile_new(const char *name, const char *about)
{
	struct profile *p = calloc(1, sizeof(*p));
	json_error_t err;
	const char *key, *base;
	json_t *o;

	if (!p)
		die("out of memory");
	p->root = json_loads(spht_costs_default, JSON_REJECT_DUPLICATES, &err);
	if (!p->root)
		die("the built-in cost profile cannot be read: %s", err.text);
	base = json_string_value(json_object_get(p->root, "name"));
	json_object_foreach(p->root, key, o)
	{
		const char *source = json_string_value(json_object_get(o, "source"));

		if (source)
			set(o, "source", json_sprintf("copied from %s: %s", base, source));
	}
	set(p->root, "name", json_string(name));
	set(p->root, "about", json_string(about));
	return p;
}

void profile_free(struct profile *p)
{
	json_decref(p->root);
	free(p);
}

static json_t *entry_of(struct profile *p, const char *key)
{
	json_t *o = json_object_get(p->root, key);

	if (!json_is_object(o))
		die("%s is no number of the built-in cost profile", key);
	return o;
}

void profile_set(struct profile *p, const char *key, double value, const char *source, ...)
{
	json_t *o = entry_of(p, key);
	va_list ap;

	va_start(ap, source);
	set(o, "value", json_integer(llround(value)));
	set(o, "source", json_vsprintf(source, ap));
	va_end(ap);
}

void profile_set_leads(struct profile *p, const double *ns, size_t nr, const char *source, ...)
{
	json_t *o = entry_of(p, "lead_ns"), *list = checked(json_array());
	va_list ap;

	for (size_t i = 0; i < nr; i++)
		if (json_array_append_new(list, checked(json_integer(llround(ns[i])))))
			die("out of memory");
	va_start(ap, source);
	set(o, "quantiles", list);
	set(o, "source", json_vsprintf(source, ap));
	va_end(ap);
}

/* One number a line, as the built-in profile is written. */
static void print(const struct profile *p, FILE *f)
{
	size_t left = json_object_size(p->root);
	const char *key;
	json_t *v;

	fputs("{\n", f);
	json_object_foreach(p->root, key, v)
	{
		char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

		if (!text)
			die("out of memory");
		fprintf(f, "  \"%s\": %s%s\n", key, text, --left ? "," : "");
		free(text);
	}
	fputs("}\n", f);
}

/* Written beside its name, read as spht-replay reads it, then renamed. */
static void write_file(const struct profile *p, const char *path)
{
	struct spht_costs costs;
	struct spht_error err;
	struct stat st;
	bool direct;
	char *part = NULL;
	FILE *f;

	/* A device, a pipe or a link is written to: /dev/null must not become a file. */
	direct = !lstat(path, &st) && !S_ISREG(st.st_mode);
	f = direct ? fopen(path, "w") : spht_part_open(path, &part);
	if (!f)
		die_errno("%s: cannot be created", path);
	print(p, f);
	if (ferror(f) | fclose(f)) {
		if (!direct)
			unlink(part);
		die_errno("%s: cannot be written", path);
	}
	if (direct)
		return;
	if (spht_costs_load(&costs, part, &err)) {
		unlink(part);
		die("what was measured is no cost profile: %s", err.text);
	}
	if (rename(part, path)) {
		unlink(part);
		die_errno("%s: cannot be written", path);
	}
	free(part);
}

void profile_write(const struct profile *p, const char *path)
{
	if (strcmp(path, "-")) {
		write_file(p, path);
		return;
	}
	print(p, stdout);
	if (fflush(stdout) || ferror(stdout))
		die_errno("standard output cannot be written");
}
