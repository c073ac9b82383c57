// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "heuristic_spec.h"

/* No name is longer; what a user gives is quoted up to here. */
#define MAX_NAME 40

/* A part of the text of a user, not terminated. */
struct span {
	const char *text;
	size_t len;
};

/* A bounded text that remembers what did not fit. */
struct text {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *t, const char *fmt, ...)
{
	size_t room = t->len < t->size ? t->size - t->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? t->buf + t->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += n;
}

static bool span_is(struct span s, const char *name)
{
	return strlen(name) == s.len && !memcmp(s.text, name, s.len);
}

/* One line and no more, whatever the user gave. */
static const char *quoted(struct span s, char buf[MAX_NAME + 6])
{
	size_t n = s.len < MAX_NAME ? s.len : MAX_NAME, at = 0;

	buf[at++] = '\'';
	for (size_t i = 0; i < n; i++)
		buf[at++] = isprint((unsigned char)s.text[i]) ? s.text[i] : '?';
	for (size_t i = 0; n < s.len && i < 3; i++)
		buf[at++] = '.';
	buf[at++] = '\'';
	buf[at] = '\0';
	return buf;
}

/* Levenshtein's distance; far away where @s is too long to be a name. */
static size_t distance(struct span s, const char *name)
{
	size_t row[MAX_NAME + 1], n = strlen(name);

	if (s.len > MAX_NAME || n > MAX_NAME)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= s.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (s.text[i - 1] != name[j - 1]);

			diagonal = row[j];
			if (best > diagonal + 1)
				best = diagonal + 1;
			if (best > row[j - 1] + 1)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

/* Which list of names a message is about. */
typedef const char *(*name_fn)(const void *list, unsigned int i);

static const char *heuristic_name(const void *list, unsigned int i)
{
	(void)list;
	return i < spht_nr_heuristics ? spht_heuristics[i]->name : NULL;
}

static const char *param_name(const void *list, unsigned int i)
{
	const struct spht_heuristic *h = list;

	return i < h->nr_params ? h->params[i].name : NULL;
}

static const char *choice_name(const void *list, unsigned int i)
{
	return ((const char *const *)list)[i];
}

/* The index of @s, or -1. */
static int find_name(struct span s, name_fn name, const void *list)
{
	const char *candidate;

	for (unsigned int i = 0; (candidate = name(list, i)); i++) {
		if (span_is(s, candidate))
			return (int)i;
	}
	return -1;
}

/* Ends a message: the name that was probably meant, and all there are. */
static void add_names(struct text *t, struct span s, name_fn name, const void *list)
{
	size_t limit = s.len > 3 ? 3 : s.len; /* two slips, and not every letter */
	const char *candidate, *nearest = NULL;

	for (unsigned int i = 0; (candidate = name(list, i)); i++) {
		size_t d = distance(s, candidate);

		if (d < limit) {
			limit = d;
			nearest = candidate;
		}
	}
	if (nearest)
		text_add(t, "; did you mean '%s'?", nearest);
	text_add(t, "%s valid:", nearest ? "" : ";");
	for (unsigned int i = 0; (candidate = name(list, i)); i++)
		text_add(t, "%s %s", i ? "," : "", candidate);
}

static struct text message(struct spht_error *err)
{
	return (struct text){.buf = err ? err->text : NULL, .size = err ? sizeof(err->text) : 0};
}

/* "1..64 pages, a power of two", "0 or 1", "hidden|guest|both". */
static void add_range(struct text *t, const struct spht_param *p)
{
	switch (p->type) {
	case SPHT_PARAM_BOOL:
		text_add(t, "0 or 1");
		break;
	case SPHT_PARAM_CHOICE:
		for (unsigned int i = 0; p->choices[i]; i++)
			text_add(t, "%s%s", i ? "|" : "", p->choices[i]);
		break;
	default:
		text_add(t, "%" PRId64 "..%" PRId64 "%s%s%s", p->min, p->max, *p->unit ? " " : "",
			 p->unit, p->pow2 ? ", a power of two" : "");
	}
}

static void add_value(struct text *t, const struct spht_param *p, int64_t value)
{
	if (p->type == SPHT_PARAM_CHOICE)
		text_add(t, "%s", p->choices[value]);
	else
		text_add(t, "%" PRId64, value);
}

static bool is_pow2(int64_t value)
{
	return value > 0 && !(value & (value - 1));
}

enum number { NUMBER, NO_NUMBER, HUGE_NUMBER };

/* Digits, and a minus before them: what is not wholly a number is none. */
static enum number parse_int(struct span s, int64_t *value)
{
	bool negative = s.len && s.text[0] == '-', huge = false;

	if (s.len == negative)
		return NO_NUMBER;
	*value = 0;
	for (size_t i = negative; i < s.len; i++) {
		int digit = s.text[i] - '0';

		if (digit < 0 || digit > 9)
			return NO_NUMBER;
		huge |= __builtin_mul_overflow(*value, 10, value);
		huge |= __builtin_add_overflow(*value, negative ? -digit : digit, value);
	}
	return huge ? HUGE_NUMBER : NUMBER;
}

/* Begins "NAME: KEY='VALUE'WHAT". */
static struct text value_fault(const struct spht_heuristic *h, const struct spht_param *p,
			       struct span s, const char *what, struct spht_error *err)
{
	struct text t = message(err);
	char q[MAX_NAME + 6];

	text_add(&t, "%s: %s=%s%s", h->name, p->name, quoted(s, q), what);
	return t;
}

static int parse_value(const struct spht_heuristic *h, const struct spht_param *p, struct span s,
		       int64_t *value, struct spht_error *err)
{
	static const char *const bools[] = {"0", "1", "no", "yes", NULL};
	const char *what = NULL;
	enum number kind;
	struct text t;
	int found;

	switch (p->type) {
	case SPHT_PARAM_BOOL:
		found = find_name(s, choice_name, bools);
		if (found < 0)
			what = " is neither 0 nor 1; valid: ";
		*value = found & 1;
		break;
	case SPHT_PARAM_CHOICE:
		found = find_name(s, choice_name, p->choices);
		if (found < 0) {
			t = value_fault(h, p, s, " is no choice", err);
			add_names(&t, s, choice_name, p->choices);
			return -1;
		}
		*value = found;
		break;
	default:
		kind = parse_int(s, value);
		if (kind == NO_NUMBER)
			what = " is not a whole number; valid: ";
		else if (kind == HUGE_NUMBER || *value < p->min || *value > p->max)
			what = " is out of range; valid: ";
		else if (p->pow2 && !is_pow2(*value))
			what = " is not a power of two; valid: ";
	}
	if (!what)
		return 0;
	t = value_fault(h, p, s, what, err);
	add_range(&t, p);
	return -1;
}

const struct spht_heuristic *spht_spec_find(const char *text, size_t len, struct spht_error *err)
{
	struct span name = {text, len};
	struct text t = message(err);
	int i = find_name(name, heuristic_name, NULL);
	char q[MAX_NAME + 6];

	if (i >= 0)
		return spht_heuristics[i];
	if (len)
		text_add(&t, "there is no heuristic %s", quoted(name, q));
	else
		text_add(&t, "the name of the heuristic is missing");
	if (len > 3 && !memcmp(text + len - 3, ".so", 3))
		text_add(&t, "; a file is named with its folder, as ./mine.so");
	add_names(&t, name, heuristic_name, NULL);
	return NULL;
}

/* The parameter that "KEY=VALUE..." is about, or -1. */
static int find_param(const struct spht_heuristic *h, struct span pair, struct span key,
		      struct spht_error *err)
{
	int i = find_name(key, param_name, h);
	struct text t = message(err);
	char q[MAX_NAME + 6];

	if (!h->nr_params) {
		text_add(&t, "%s has no parameters, but %s was given", h->name, quoted(pair, q));
		return -1;
	}
	if (i < 0) {
		if (key.len)
			text_add(&t, "%s has no parameter %s", h->name, quoted(key, q));
		else
			text_add(&t, "%s: the name of a parameter is missing", h->name);
		add_names(&t, key, param_name, h);
		return -1;
	}
	if (key.len == pair.len) {
		text_add(&t, "%s: %s has no value; write %s=", h->name, h->params[i].name,
			 h->params[i].name);
		add_range(&t, &h->params[i]);
		return -1;
	}
	return i;
}

/* "VALUE|VALUE..." of parameter @i, each value once. */
static int parse_values(struct spht_ranges *r, int i, struct span s, struct spht_error *err)
{
	const struct spht_param *p = &r->h->params[i];
	int64_t *v = r->memory + r->nr_memory;
	size_t n = 0, at = 0;

	do {
		const char *bar = memchr(s.text + at, '|', s.len - at);
		struct span one = {s.text + at, bar ? (size_t)(bar - s.text) - at : s.len - at};

		if (parse_value(r->h, p, one, &v[n], err))
			return -1;
		for (size_t k = 0; k < n; k++) {
			if (v[k] != v[n])
				continue;
			value_fault(r->h, p, one, " stands twice in its list", err);
			return -1;
		}
		n++;
		at += one.len + 1;
	} while (at <= s.len);
	r->param[r->nr] = (unsigned int)i;
	r->values[r->nr] = v;
	r->nr_values[r->nr++] = n;
	r->nr_memory += n;
	if (__builtin_mul_overflow(r->product, n, &r->product))
		r->product = UINT64_MAX;
	return 0;
}

/* One "KEY=VALUE[|VALUE...]". */
static int parse_pair(struct spht_ranges *r, struct span pair, struct spht_error *err)
{
	const char *equals = memchr(pair.text, '=', pair.len);
	struct span key = {pair.text, equals ? (size_t)(equals - pair.text) : pair.len};
	struct text t = message(err);
	struct span values;
	int i = find_param(r->h, pair, key, err);

	if (i < 0)
		return -1;
	for (unsigned int k = 0; k < r->nr; k++) {
		if (r->param[k] != (unsigned int)i)
			continue;
		text_add(&t, "%s: %s is given twice", r->h->name, r->h->params[i].name);
		return -1;
	}
	values.text = equals + 1;
	values.len = pair.len - key.len - 1;
	return parse_values(r, i, values, err);
}

int spht_ranges_parse(struct spht_ranges *r, const struct spht_heuristic *h, const char *text,
		      struct spht_error *err)
{
	size_t most = 1;

	*r = (struct spht_ranges){.h = h, .product = 1};
	for (const char *c = text; *c; c++)
		most += *c == '|' || *c == ',' || *c == ';';
	r->memory = malloc(most * sizeof(*r->memory));
	if (!r->memory) {
		spht_error_set(err, "out of memory");
		return -2;
	}
	/* An empty list says no parameter. */
	while (*text) {
		struct span pair = {text, strcspn(text, ",;")};

		if (parse_pair(r, pair, err))
			goto fail;
		text += pair.len;
		if (!*text)
			return 0;
		text++;
		/* A separator promises another one. */
		if (!*text && parse_pair(r, (struct span){text, 0}, err))
			goto fail;
	}
	return 0;
fail:
	spht_ranges_close(r);
	return -1;
}

void spht_ranges_close(struct spht_ranges *r)
{
	free(r->memory);
	r->memory = NULL;
}

void spht_ranges_at(const struct spht_ranges *r, uint64_t i, struct spht_spec *spec)
{
	*spec = (struct spht_spec){.h = r->h};
	for (unsigned int p = 0; p < r->h->nr_params; p++)
		spec->params[p] = r->h->params[p].def;
	for (unsigned int k = r->nr; k-- > 0; i /= r->nr_values[k])
		spec->params[r->param[k]] = r->values[k][i % r->nr_values[k]];
}

int spht_spec_parse(struct spht_spec *spec, const char *text, struct spht_error *err)
{
	size_t len = strcspn(text, ":");
	const struct spht_heuristic *h = spht_spec_find(text, len, err);
	struct spht_ranges r;
	int ret = -1;

	if (!h || spht_ranges_parse(&r, h, text[len] ? text + len + 1 : "", err))
		return -1;
	if (r.product == 1) {
		spht_ranges_at(&r, 0, spec);
		ret = 0;
	} else {
		spht_error_set(err, "%s: several values where one is wanted", h->name);
	}
	spht_ranges_close(&r);
	return ret;
}

size_t spht_spec_format(const struct spht_spec *spec, char *buf, size_t size)
{
	struct text t = {.buf = buf, .size = size};

	if (size)
		*buf = '\0';
	for (unsigned int i = 0; i < spec->h->nr_params; i++) {
		text_add(&t, "%s%s=", i ? ";" : "", spec->h->params[i].name);
		add_value(&t, &spec->h->params[i], spec->params[i]);
	}
	return t.len;
}

void spht_spec_print_params(const struct spht_heuristic *h, FILE *out)
{
	static const char *const types[] = {"int", "bool", "choice"};

	if (!h->nr_params)
		fprintf(out, "No parameters.\n");
	for (unsigned int i = 0; i < h->nr_params; i++) {
		const struct spht_param *p = &h->params[i];
		char range[256], def[64];
		struct text r = {.buf = range, .size = sizeof(range)};
		struct text d = {.buf = def, .size = sizeof(def)};

		add_range(&r, p);
		add_value(&d, p, p->def);
		fprintf(out, "  %s=%s\n      %s: %s\n      %s\n", p->name, def, types[p->type],
			range, p->help);
	}
}

static bool valid_name(const char *name)
{
	if (!name || !islower((unsigned char)*name) || strlen(name) > MAX_NAME ||
	    !strcmp(name, "help"))
		return false;
	return !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

static bool one_line(const char *text)
{
	return text && *text && !strchr(text, '\n');
}

/* What is wrong with @p, or NULL. */
static const char *param_fault(const struct spht_param *p)
{
	int64_t count = 0;

	if (!p->unit)
		return "has no unit (\"\" where it has none)";
	if (!one_line(p->help))
		return "needs one line of help";
	switch (p->type) {
	case SPHT_PARAM_INT:
		if (p->pow2 && (!is_pow2(p->def) || !is_pow2(p->min) || !is_pow2(p->max)))
			return "takes powers of two, but not all of its own figures are";
		break;
	case SPHT_PARAM_BOOL:
		if (p->min != 0 || p->max != 1)
			return "is a bool and must range from 0 to 1";
		break;
	case SPHT_PARAM_CHOICE:
		while (p->choices && p->choices[count]) {
			if (!valid_name(p->choices[count++]))
				return "has a choice whose name is not a-z, then a-z, 0-9 or _";
		}
		if (!count || p->min != 0 || p->max != count - 1)
			return "must range over its choices, from 0";
		break;
	default:
		return "has an unknown type";
	}
	if (p->min > p->max || p->def < p->min || p->def > p->max)
		return "has a default outside its range";
	return NULL;
}

int spht_spec_validate(const struct spht_heuristic *h, struct spht_error *err)
{
	const char *fault = NULL, *name;

	if (h->abi != SPHT_HEURISTIC_ABI || h->struct_size != sizeof(*h)) {
		/* Nothing after these two fields can be trusted, not even the name. */
		spht_error_set(err,
			       "heuristic made for interface %u of %u bytes, this program has "
			       "interface %d of %zu: compile it anew",
			       h->abi, h->struct_size, SPHT_HEURISTIC_ABI, sizeof(*h));
		return -1;
	}
	name = valid_name(h->name) ? h->name : "(no valid name)";
	if (!valid_name(h->name))
		fault = "the name must be a-z, then a-z, 0-9 or _, and not help";
	else if (!one_line(h->summary) || !one_line(h->cite))
		fault = "summary and citation must be one line each";
	else if (h->nr_params > SPHT_SPEC_MAX_PARAMS || (h->nr_params && !h->params))
		fault = "too many parameters, or no table of them";
	else if (h->init && !h->state_size)
		fault = "init() without state_size()";
	else if ((h->outcome || h->zapped) && !h->fault)
		fault = "outcome() or zapped() without fault(): a run without it is a baseline";
	else if (h->foresee && h->fault)
		fault = "foresee() beside fault(): a bound that is told the future asks for "
			"nothing";
	if (fault) {
		spht_error_set(err, "%s: %s", name, fault);
		return -1;
	}
	for (unsigned int i = 0; i < h->nr_params; i++) {
		const struct spht_param *p = &h->params[i];

		if (!valid_name(p->name))
			fault = "is not a name: a-z, then a-z, 0-9 or _, and not help";
		else
			fault = param_fault(p);
		for (unsigned int j = 0; !fault && j < i; j++) {
			if (!strcmp(p->name, h->params[j].name))
				fault = "is declared twice";
		}
		if (fault) {
			spht_error_set(err, "%s: parameter %u (%s) %s", name, i + 1,
				       valid_name(p->name) ? p->name : "?", fault);
			return -1;
		}
	}
	return 0;
}
