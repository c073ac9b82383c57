// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "replay/costs.h"

#define MAX_NS 1000000000ull

/* {"value": N, "source": "..."}: a number without a source is refused.  Takes it out of @root. */
static int get(json_t *root, const char *key, double max, double *out, struct spht_error *err,
	       const char *path)
{
	const json_t *o = json_object_get(root, key);
	const json_t *v = json_object_get(o, "value");
	const char *source = json_string_value(json_object_get(o, "source"));

	if (!json_is_number(v) || !source || !*source) {
		spht_error_set(err,
			       "%s: %s must be {\"value\": NUMBER, \"source\": TEXT}, see "
			       "replay/costs/default.json",
			       path, key);
		return -1;
	}
	*out = json_number_value(v);
	if (*out >= 0 && *out <= max)
		return json_object_del(root, key);
	spht_error_set(err, "%s: %s = %g is outside of 0..%g", path, key, *out, max);
	return -1;
}

static int get_ns(json_t *root, const char *key, uint64_t *out, struct spht_error *err,
		  const char *path)
{
	double v;

	if (get(root, key, MAX_NS, &v, err, path))
		return -1;
	*out = (uint64_t)v;
	return 0;
}

/* "lead_ns": {"quantiles": [...], "source": "..."} */
static int get_leads(struct spht_costs *c, json_t *root, struct spht_error *err, const char *path)
{
	const json_t *o = json_object_get(root, "lead_ns"), *q = json_object_get(o, "quantiles");
	const char *source = json_string_value(json_object_get(o, "source"));
	size_t nr = json_array_size(q);
	double last = 0;

	if (nr < 2 || nr > SPHT_COSTS_LEADS || !source || !*source) {
		spht_error_set(err,
			       "%s: lead_ns must be {\"quantiles\": [2 to %u ascending NUMBERS], "
			       "\"source\": TEXT}, see replay/costs/default.json",
			       path, SPHT_COSTS_LEADS);
		return -1;
	}
	for (size_t i = 0; i < nr; i++) {
		const json_t *v = json_array_get(q, i);
		double ns = json_number_value(v);

		if (!json_is_number(v) || ns < last || ns > MAX_NS) {
			spht_error_set(err, "%s: lead_ns quantile %zu is no number from %g to %llu",
				       path, i, last, MAX_NS);
			return -1;
		}
		c->lead_ns[i] = (uint64_t)ns;
		last = ns;
	}
	c->nr_leads = (unsigned int)nr;
	return json_object_del(root, "lead_ns");
}

uint64_t spht_costs_lead(const struct spht_costs *c, double u)
{
	double at = u * (c->nr_leads - 1);
	unsigned int i = (unsigned int)at;

	if (i + 1 >= c->nr_leads)
		return c->lead_ns[c->nr_leads - 1];
	return c->lead_ns[i] + (uint64_t)((at - i) * (double)(c->lead_ns[i + 1] - c->lead_ns[i]));
}

static int parse(struct spht_costs *c, json_t *root, const char *path, struct spht_error *err)
{
	const char *name = json_string_value(json_object_get(root, "name"));
	char key[64];
	double limit, tracing, batch;

	if (!name || !*name || strlen(name) >= sizeof(c->name) || strpbrk(name, ",\"\n\r")) {
		spht_error_set(err, "%s: \"name\" must be 1..%zu characters without , or \"", path,
			       sizeof(c->name) - 1);
		return -1;
	}
	strcpy(c->name, name);
	for (unsigned int cls = SPHT_CLASS_MMIO; cls < SPHT_CLASS_NR; cls++) {
		snprintf(key, sizeof(key), "exit_%s_ns", spht_class_name(cls));
		if (get_ns(root, key, &c->exit_ns[cls], err, path))
			return -1;
	}
	if (get_ns(root, "exit_other_ns", &c->other_exit_ns, err, path) ||
	    get_ns(root, "helper_wake_ns", &c->helper_wake_ns, err, path) ||
	    get_ns(root, "helper_read_ns", &c->helper_read_ns, err, path) ||
	    get_ns(root, "helper_build_ns", &c->helper_build_ns, err, path) ||
	    get_ns(root, "helper_page_ns", &c->helper_page_ns, err, path) ||
	    get_ns(root, "exit_lock_ns", &c->exit_lock_ns, err, path) ||
	    get_ns(root, "helper_lock_ns", &c->helper_lock_ns, err, path) ||
	    get_ns(root, "helper_pace_ns", &c->helper_pace_ns, err, path) ||
	    get_ns(root, "helper_poll_ns", &c->helper_poll_ns, err, path) ||
	    get_ns(root, "helper_watch_ns", &c->helper_watch_ns, err, path) ||
	    get_ns(root, "first_use_ns", &c->first_use_ns, err, path) ||
	    get_leads(c, root, err, path) || get(root, "helper_batch", 4096, &batch, err, path) ||
	    get(root, "tracing_percent", 1000, &tracing, err, path) ||
	    get(root, "queue_limit", 1 << 20, &limit, err, path) ||
	    get(root, "touch_probability", 1, &c->touch_probability, err, path))
		return -1;
	c->tracing_percent = (uint64_t)tracing;
	c->queue_limit = (uint64_t)limit;
	c->helper_batch = batch < 1 ? 1 : (uint64_t)batch;
	if (c->helper_lock_ns > c->helper_build_ns) {
		spht_error_set(err, "%s: helper_lock_ns is part of helper_build_ns and larger",
			       path);
		return -1;
	}
	/* What is left says nothing, or is misspelt. */
	json_object_del(root, "name");
	json_object_del(root, "about");
	if (!json_object_size(root))
		return 0;
	spht_error_set(err, "%s: \"%.64s\" is no number of a cost profile", path,
		       json_object_iter_key(json_object_iter(root)));
	return -1;
}

static json_t *read_profile(const char *path, struct spht_error *err)
{
	const char *expected = "expected a cost profile (JSON)";
	json_error_t je;
	json_t *root;
	FILE *f;

	if (!strcmp(path, "default")) {
		root = json_loads(spht_costs_default, JSON_REJECT_DUPLICATES, &je);
	} else {
		f = fopen(path, "re");
		if (!f) {
			spht_error_set(err, "%s: cannot be opened: %s; %s", path, strerror(errno),
				       expected);
			return NULL;
		}
		errno = 0;
		root = json_loadf(f, JSON_REJECT_DUPLICATES, &je);
		if (ferror(f)) {
			spht_error_set(err, "%s: cannot be read: %s; %s", path, strerror(errno),
				       expected);
			fclose(f);
			json_decref(root);
			return NULL;
		}
		fclose(f);
	}
	if (!root)
		spht_error_set(err, "%s: line %d: %s; %s", path, je.line, je.text, expected);
	return root;
}

int spht_costs_load(struct spht_costs *c, const char *path, struct spht_error *err)
{
	json_t *root = read_profile(path, err);
	int ret;

	memset(c, 0, sizeof(*c));
	if (!root)
		return -1;
	ret = parse(c, root, path, err);
	json_decref(root);
	return ret;
}
