// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/specs.h"

/* Of the parameters alone: heuristics that share values are rare. */
static size_t hash(const struct spht_spec *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (unsigned int i = 0; i < s->h->nr_params; i++)
		h = (h ^ (uint64_t)s->params[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(h ^ h >> 32);
}

/* The slot of @s, or the free one that it belongs in. */
static uint32_t *slot_of(const struct spht_specs *specs, const struct spht_spec *s)
{
	size_t mask = 2 * specs->cap - 1, i = hash(s) & mask;

	for (; specs->slots[i]; i = (i + 1) & mask) {
		const struct spht_spec *t = &specs->v[specs->slots[i] - 1];

		if (t->h == s->h &&
		    !memcmp(t->params, s->params, s->h->nr_params * sizeof(*s->params)))
			break;
	}
	return &specs->slots[i];
}

/* Room for @more, of which there are few enough. */
static int reserve(struct spht_specs *specs, size_t more)
{
	size_t cap = specs->cap ? specs->cap : 16;
	struct spht_spec *v;
	uint32_t *slots;

	while (cap < specs->nr + more)
		cap *= 2;
	if (cap == specs->cap)
		return 0;
	v = realloc(specs->v, cap * sizeof(*v));
	if (v)
		specs->v = v;
	slots = calloc(2 * cap, sizeof(*slots));
	if (!v || !slots) {
		free(slots);
		return -1;
	}
	free(specs->slots);
	specs->slots = slots;
	specs->cap = cap;
	for (size_t i = 0; i < specs->nr; i++)
		*slot_of(specs, &specs->v[i]) = (uint32_t)i + 1;
	return 0;
}

/* What @text names, up to its parameters: *@params is behind the ':' or at the end. */
static enum spht_specs_status find(struct spht_specs *specs, const char *text, const char **params,
				   struct spht_spec *named, struct spht_error *err)
{
	size_t len = strcspn(text, ":/");
	const char *colon = strrchr(text, ':');
	char *path;

	*named = (struct spht_spec){0};
	if (text[len] != '/') {
		*params = text + len + (text[len] == ':');
		named->h = spht_spec_find(text, len, err);
		return named->h ? SPHT_SPECS_OK : SPHT_SPECS_USAGE;
	}
	/* Folders may have a colon in their name, parameters never have a '/'. */
	if (colon && strchr(colon, '/'))
		colon = NULL;
	*params = colon ? colon + 1 : text + strlen(text);
	path = strndup(text, colon ? (size_t)(colon - text) : strlen(text));
	if (!path) {
		spht_error_set(err, "out of memory");
		return SPHT_SPECS_FAILED;
	}
	named->plugin = spht_plugins_load(&specs->plugins, path, err);
	free(path);
	if (!named->plugin)
		return SPHT_SPECS_FAILED;
	named->h = named->plugin->h;
	return SPHT_SPECS_OK;
}

enum spht_specs_status spht_specs_add(struct spht_specs *specs, const char *text, size_t *again,
				      struct spht_error *err)
{
	enum spht_specs_status ret;
	struct spht_ranges ranges;
	struct spht_spec spec;
	const char *params;

	*again = 0;
	ret = find(specs, text, &params, &spec, err);
	if (ret)
		return ret;
	switch (spht_ranges_parse(&ranges, spec.h, params, err)) {
	case 0:
		break;
	case -2:
		return SPHT_SPECS_FAILED;
	default:
		return SPHT_SPECS_USAGE;
	}
	if (ranges.product > SPHT_MAX_ROWS) {
		spht_error_set(err, "%s%llu configurations, more than the %d of one run: split it",
			       ranges.product == UINT64_MAX ? "at least " : "",
			       (unsigned long long)ranges.product, SPHT_MAX_ROWS);
		ret = SPHT_SPECS_USAGE;
	} else if (reserve(specs, ranges.product)) {
		spht_error_set(err, "out of memory");
		ret = SPHT_SPECS_FAILED;
	}
	for (uint64_t i = 0; !ret && i < ranges.product; i++) {
		struct spht_spec *s = &specs->v[specs->nr];
		uint32_t *slot;

		spht_ranges_at(&ranges, i, s);
		s->plugin = spec.plugin;
		slot = slot_of(specs, s);
		if (*slot)
			++*again;
		else
			*slot = (uint32_t)++specs->nr;
	}
	spht_ranges_close(&ranges);
	if (!ret && specs->nr > SPHT_MAX_ROWS) {
		spht_error_set(err,
			       "with it %zu configurations, more than the %d of one run: "
			       "split it",
			       specs->nr, SPHT_MAX_ROWS);
		ret = SPHT_SPECS_USAGE;
	}
	return ret;
}

static void print_list(const struct spht_plugins *plugins, FILE *out)
{
	fprintf(out, "Heuristics, for --heuristic=NAME[:KEY=VALUE,...]:\n\n");
	for (unsigned int i = 0; i < spht_nr_heuristics; i++)
		fprintf(out, "  %-12s%s\n", spht_heuristics[i]->name, spht_heuristics[i]->summary);
	if (plugins->nr)
		fprintf(out, "\nPlugins, for --heuristic=PATH[:KEY=VALUE,...]:\n\n");
	for (size_t i = 0; i < plugins->nr; i++)
		fprintf(out, "  %-12s%s (%s)\n", plugins->v[i]->h->name, plugins->v[i]->h->summary,
			plugins->v[i]->path);
	fprintf(out, "\n--heuristic=NAME:help tells the parameters of one.\n");
}

enum spht_specs_status spht_specs_help(struct spht_specs *specs, const char *text, FILE *out,
				       bool *asked, struct spht_error *err)
{
	const char *colon = strrchr(text, ':'), *params;
	enum spht_specs_status ret;
	struct spht_spec spec;

	*asked = true;
	if (!strcmp(text, "help")) {
		print_list(&specs->plugins, out);
		return SPHT_SPECS_OK;
	}
	*asked = colon && !strcmp(colon, ":help");
	if (!*asked)
		return SPHT_SPECS_OK;
	ret = find(specs, text, &params, &spec, err);
	if (ret)
		return ret;
	fprintf(out, "%s: %s\n\nFollows: %s\n\n", spec.h->name, spec.h->summary, spec.h->cite);
	if (spec.plugin)
		fprintf(out, "Plugin: %s, sha256 %s\n\n", spec.plugin->path, spec.plugin->sha256);
	spht_spec_print_params(spec.h, out);
	return SPHT_SPECS_OK;
}

void spht_specs_print(const struct spht_specs *specs, FILE *out)
{
	char params[SPHT_SPEC_TEXT];

	for (size_t i = 0; i < specs->nr; i++) {
		const struct spht_spec *s = &specs->v[i];

		spht_spec_format(s, params, sizeof(params));
		fprintf(out, "%s%s%s\n", s->plugin ? s->plugin->path : s->h->name,
			*params ? ":" : "", params);
	}
}

void spht_specs_close(struct spht_specs *specs)
{
	free(specs->v);
	free(specs->slots);
	spht_plugins_close(&specs->plugins);
	*specs = (struct spht_specs){0};
}
