// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/explain.h"
#include "replay/observe-local.h"

#define MAX_TARGET_S 1e9

static bool count_of(const char *s, uint64_t *nr)
{
	char *end;

	if (*s < '0' || *s > '9' || strlen(s) > 18)
		return false;
	*nr = strtoull(s, &end, 10);
	return !*end && *nr;
}

static bool seconds_of(const char *s, uint64_t *ns)
{
	double v;
	char *end;

	if (*s < '0' || *s > '9' || s[strspn(s, "0123456789.eE+-")])
		return false;
	v = strtod(s, &end);
	*ns = *end || !(v <= MAX_TARGET_S) ? 0 : (uint64_t)(v * 1e9 + 0.5);
	return !*end && v <= MAX_TARGET_S;
}

int spht_target_parse(struct spht_target *t, const char *text, struct spht_error *err)
{
	memset(t, 0, sizeof(*t));
	t->text = text;
	if (!strncmp(text, "t:", 2) && seconds_of(text + 2, &t->ns))
		t->kind = SPHT_TARGET_TIME;
	else if (!strncmp(text, "miss:", 5) && count_of(text + 5, &t->nr))
		t->kind = SPHT_TARGET_MISS;
	else if (count_of(text, &t->nr))
		t->kind = SPHT_TARGET_EXIT;
	if (t->kind)
		return 0;
	spht_error_set(err,
		       "--explain=%.160s: expected the number of an exit, from 1, t:SECONDS or "
		       "miss:N",
		       text);
	return -1;
}

void spht_misses_close(struct spht_misses *m)
{
	free(m->v);
	memset(m, 0, sizeof(*m));
}

/* Where the missed entry is mapped, if that is in the table that the fault is in. */
static gva_t entry_gva(const struct spht_exit *x, const struct spht_miss *miss)
{
	uint64_t low = (uint64_t)(SPHT_PT_ENTRIES - 1) << SPHT_PAGE_SHIFT;

	if (!x->is_pf || miss->index >= SPHT_PT_ENTRIES ||
	    (miss->check != SPHT_CHECK_KEPT && miss->check != SPHT_CHECK_PREFETCHED))
		return x->gva;
	return (x->gva & ~low & ~0xfffull) | (gva_t)miss->index << SPHT_PAGE_SHIFT;
}

int spht_misses_add(struct spht_misses *m, struct spht_observed *o, const struct spht_exit *x,
		    const struct spht_miss *miss)
{
	struct spht_obs_info *info = NULL;

	if (m->nr == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 1024;
		void *p = realloc(m->v, cap * sizeof(*m->v));

		if (!p)
			return -1;
		m->v = p;
		m->cap = cap;
	}
	if (miss->index < SPHT_PT_ENTRIES && miss->belief != SPHT_BELIEF_ABSENT)
		info = spht_obs_info(o, miss->page, miss->index);
	m->v[m->nr++] = (struct spht_miss_at){
		.miss = *miss,
		.number = x->number,
		.ns = x->t_exit,
		.gva = entry_gva(x, miss),
		.gfn = spht_shadow_gfn(&o->shadow, miss->page),
		.role = spht_shadow_role(&o->shadow, miss->page),
		.spte = info && !info->proven ? info->spte : 0,
		.vcpu = x->vcpu,
		.cls = x->cls,
	};
	return 0;
}

/* Looks for an exit. */
struct finder {
	const struct spht_target *t;
	struct spht_found *f;
	struct spht_observed *o;
	const struct spht_exit *x; /* the current one */
	struct spht_miss miss; /* MISS: the one looked for */
	uint64_t start, misses, best_ns;
	uint32_t steps; /* before the current exit */
	uint64_t fixed; /* second pass: the miss is known to be in this exit; 0: not known */
	bool met_miss, found;
};

static void find_miss(void *arg, const struct spht_miss *miss)
{
	struct finder *n = arg;

	if (n->t->kind != SPHT_TARGET_MISS || n->fixed || ++n->misses != n->t->nr)
		return;
	n->miss = *miss;
	n->met_miss = true;
	n->f->number = n->x->number;
}

static void find_start(void *arg, struct spht_observed *o, uint64_t start)
{
	struct finder *n = arg;

	n->o = o;
	n->start = start;
	n->found = false;
	if (!n->fixed) {
		n->misses = 0;
		n->met_miss = false;
	}
	memset(n->f, 0, sizeof(*n->f));
	n->f->number = n->fixed;
	spht_observed_on_miss(o, find_miss, n);
}

static int find_before(void *arg, const struct spht_exit *x)
{
	struct finder *n = arg;

	n->x = x;
	n->steps = spht_observed_steps(n->o)->nr;
	return 0;
}

/* The current exit is the one. */
static void take(struct finder *n)
{
	const struct spht_steps *steps = spht_observed_steps(n->o);
	const struct spht_step *s = steps->last;
	struct spht_found *f = n->f;

	n->found = true;
	f->number = n->x->number;
	f->path = f->table = SPHT_NO_ID;
	f->has_step = steps->nr > n->steps;
	f->step = steps->nr - 1;
	f->has_page = f->has_entry = f->has_step && (s->flags & SPHT_STEP_HAS_LEAF);
	if (!f->has_entry)
		return;
	f->page = s->page;
	f->path = s->path;
	f->table = s->table;
	f->space = s->space;
	f->vpn = s->vpn;
	f->index = s->index;
	f->leaf_level = s->leaf_level;
}

/* The story is to be about the entry that was missed, which may not be the fault's. */
static void take_miss(struct finder *n)
{
	struct spht_found *f = n->f;
	bool has_leaf = f->has_entry;

	f->has_page = true;
	f->has_entry = n->miss.index < SPHT_PT_ENTRIES;
	f->other = !has_leaf || f->page != n->miss.page || f->index != n->miss.index;
	if (!f->other)
		return;
	if (!has_leaf || f->page != n->miss.page)
		f->path = f->table = SPHT_NO_ID;
	f->page = n->miss.page;
	f->index = n->miss.index;
	f->vpn = (f->vpn & ~(uint64_t)(SPHT_PT_ENTRIES - 1)) | n->miss.index;
}

static int find_after(void *arg, const struct spht_exit *x)
{
	struct finder *n = arg;

	if (x->kind != SPHT_EXIT_WINDOW)
		return 0;
	switch (n->t->kind) {
	case SPHT_TARGET_EXIT:
		if (x->number == n->t->nr)
			take(n);
		break;
	case SPHT_TARGET_TIME:
		/* Of several threads' exits a later one may have begun earlier. */
		if (!x->is_pf || x->t_exit < n->start || x->t_exit - n->start < n->t->ns ||
		    (n->found && x->t_exit >= n->best_ns))
			break;
		n->best_ns = x->t_exit;
		take(n);
		break;
	default:
		if (n->met_miss && !n->found && x->number == n->f->number) {
			take(n);
			take_miss(n);
		}
		break;
	}
	return 0;
}

static void not_found(const struct finder *n, const struct spht_recording *r,
		      struct spht_error *err)
{
	switch (n->t->kind) {
	case SPHT_TARGET_EXIT:
		spht_error_set(err, "--explain=%s: the recording has %" PRIu64 " complete exits",
			       n->t->text, r->stats.exits_total);
		break;
	case SPHT_TARGET_TIME:
		spht_error_set(err,
			       "--explain=%s: no page fault begins there or later; the recording "
			       "is %.3f s long",
			       n->t->text, (double)(r->stats.t_last - r->stats.t_first) / 1e9);
		break;
	default:
		if (n->met_miss)
			spht_error_set(err,
				       "--explain=%s: that is in work outside of any exit; "
				       "--list-misses tells of it",
				       n->t->text);
		else
			spht_error_set(err,
				       "--explain=%s: the recording has %" PRIu64 " misses; "
				       "--list-misses lists them",
				       n->t->text, n->misses);
		break;
	}
}

int spht_explain_find(const struct spht_target *t, const char *path,
		      const struct spht_load_options *opt, struct spht_found *found,
		      struct spht_error *err)
{
	struct finder n = {.t = t, .f = found};
	const struct spht_tap tap = {&n, find_start, find_before, find_after};
	struct spht_load_options o = *opt;
	struct spht_recording r;
	int ret = 0;

	o.tap = &tap;
	if (spht_recording_load(&r, path, &o, err))
		return -1;
	if (!n.found && n.met_miss && found->number && !n.fixed) {
		/* In a piece of an exit (order.h) that came after the exit itself. */
		n.fixed = found->number;
		spht_recording_close(&r);
		if (spht_recording_load(&r, path, &o, err))
			return -1;
	}
	if (!n.found) {
		not_found(&n, &r, err);
		ret = -1;
	}
	spht_recording_close(&r);
	return ret;
}
