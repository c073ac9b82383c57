// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What holds for every heuristic in the folder, shown on a long mixed stream.
 */
#include "heuristic_rig.h"

#define GUARD  64
#define STREAM 6000

struct stream {
	struct spht_fault faults[STREAM];
	size_t n;
};

static uint64_t rnd(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

/* Four walks interleaved, with changing steps, jumps, refaults and classes. */
static void make_stream(struct stream *s, uint64_t seed, uint64_t space, unsigned int spaces,
			unsigned int regions)
{
	static const uint64_t bases[] = {0, 512 * 300, HALF - 512, HALF, TOP - 511};
	struct spht_fault walk[4] = {{0}};
	bool walking[4] = {false};
	int64_t step[4] = {0};

	for (s->n = 0; s->n < STREAM; s->n++) {
		unsigned int w = rnd(&seed) % 4;
		unsigned int dice = rnd(&seed) % 32;

		if (dice == 0 || !walking[w]) {
			walking[w] = true;
			walk[w].space = space + rnd(&seed) % spaces;
			walk[w].vpn = bases[rnd(&seed) % ARRAY_SIZE(bases)];
			if (regions)
				walk[w].vpn = rnd(&seed) % (regions * SPHT_REGION_PAGES);
			else if (walk[w].vpn == bases[1])
				walk[w].vpn += rnd(&seed) % (200 * SPHT_REGION_PAGES);
			else
				walk[w].vpn += rnd(&seed) % SPHT_REGION_PAGES;
			step[w] = (int64_t)(rnd(&seed) % 17) - 8;
		}
		if (dice == 1)
			walk[w].cls = rnd(&seed) % (SPHT_FAULT_OTHER + 1);
		if (dice > 2)
			walk[w].vpn += step[w];
		if (dice == 2)
			walk[w].vpn ^= rnd(&seed) % 256;
		walk[w].vpn &= regions ? regions * SPHT_REGION_PAGES - 1 : TOP;
		walk[w].time_ns = s->n;
		s->faults[s->n] = walk[w];
	}
}

static void feed(struct rig *rig, const struct stream *s)
{
	for (size_t i = 0; i < s->n; i++)
		rig_feed(rig, &s->faults[i]);
}

static bool same_log(const struct rig *a, const struct rig *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->log, b->log, a->n * sizeof(*a->log)));
}

/* Calls @fn for the defaults of @h and with each parameter at some other values. */
static void for_settings(const struct spht_heuristic *h,
			 void (*fn)(const struct spht_spec *spec, int changed, void *arg),
			 void *arg)
{
	struct spht_error err;
	struct spht_spec spec;

	assert_int_equal(spht_spec_parse(&spec, h->name, &err), 0);
	fn(&spec, -1, arg);
	for (unsigned int i = 0; i < h->nr_params; i++) {
		const struct spht_param *p = &h->params[i];
		const int64_t values[] = {p->min,     p->max,     p->def - 1, p->def + 1,
					  p->def / 2, p->def * 2, p->def / 4, p->def * 4};

		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			if (values[v] < p->min || values[v] > p->max || values[v] == p->def ||
			    (p->pow2 && values[v] & (values[v] - 1)))
				continue;
			spec.params[i] = values[v];
			fn(&spec, (int)i, arg);
		}
		spec.params[i] = p->def;
	}
}

static struct stream mixed, other;

static int set_up_streams(void **unused)
{
	(void)unused;
	make_stream(&mixed, 1, 1, 2, 0);
	return 0;
}

static int64_t param(const struct spht_spec *spec, const char *name)
{
	for (unsigned int i = 0; i < spec->h->nr_params; i++) {
		if (!strcmp(spec->h->params[i].name, name))
			return spec->params[i];
	}
	return 0;
}

static bool set_param(struct spht_spec *spec, const char *name, int64_t value)
{
	for (unsigned int i = 0; i < spec->h->nr_params; i++) {
		if (!strcmp(spec->h->params[i].name, name)) {
			spec->params[i] = value;
			return true;
		}
	}
	return false;
}

static void check_requests(const struct spht_spec *spec, int changed, void *arg)
{
	struct rig rig;

	(void)changed;
	(void)arg;
	rig_open_guarded(&rig, spec, 0);
	for (size_t i = 0; i < mixed.n; i++) {
		const struct spht_fault *f = &mixed.faults[i];

		rig.n = 0;
		rig_feed(&rig, f);
		assert_true(rig.n <= SPHT_REGION_PAGES);
		for (size_t r = 0; r < rig.n; r++) {
			const struct request *q = &rig.log[r];

			assert_int_equal(q->space, f->space);
			assert_true(q->vpn <= TOP);
			assert_int_equal(q->vpn >= HALF, f->vpn >= HALF);
			if (!param(spec, "cross"))
				assert_int_equal(q->vpn >> SPHT_REGION_SHIFT,
						 f->vpn >> SPHT_REGION_SHIFT);
			/* It has been served; the guest's own is to come. */
			if (f->cls != SPHT_FAULT_GUEST)
				assert_true(q->vpn != f->vpn);
			for (size_t o = 0; o < r; o++)
				assert_true(rig.log[o].vpn != q->vpn);
		}
	}
	rig_close(&rig);
}

static void requests_are_distinct_in_bounds_in_the_region_and_not_the_fault(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++)
		for_settings(spht_heuristics[i], check_requests, NULL);
}

struct params_seen {
	struct rig defaults;
	uint64_t differ; /* a bit per parameter */
	bool unshared;
};

/* The oracle asks for nothing: what it says yes to is logged in its place. */
static void feed_all(struct rig *rig, const struct stream *s)
{
	const struct spht_heuristic *h = rig->spec.h;

	/* Some learn for thousands of faults before they think again. */
	for (int i = 0; i < 4; i++)
		feed(rig, s);
	for (size_t i = 0; h->foresee && i < s->n; i++) {
		const struct spht_fault *f = &s->faults[i];
		const struct spht_prospect p = {.time_ns = f->time_ns,
						.space = f->space,
						.vpn = f->vpn,
						.legal_for_ns = f->vpn % 8,
						.buildable = true};

		if (h->foresee(rig->state, rig->spec.params, &p))
			rig_request(&rig->host, f->space, f->vpn);
	}
}

static void compare_with_defaults(const struct spht_spec *given, int changed, void *arg)
{
	struct spht_spec own = *given, *spec = &own;
	struct params_seen *seen = arg;
	struct rig rig;

	if (seen->unshared)
		set_param(spec, "shared", 0);
	if (changed < 0) {
		rig_open_guarded(&seen->defaults, spec, 0);
		seen->defaults.lives = true;
		feed_all(&seen->defaults, &mixed);
		return;
	}
	rig_open_guarded(&rig, spec, 0);
	rig.lives = true;
	feed_all(&rig, &mixed);
	if (!same_log(&rig, &seen->defaults))
		seen->differ |= UINT64_C(1) << changed;
	rig_close(&rig);
}

static void every_parameter_changes_what_is_asked(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		const struct spht_heuristic *h = spht_heuristics[i];
		struct params_seen seen = {.differ = 0};
		struct spht_spec spec = {.h = h};

		for_settings(h, compare_with_defaults, &seen);
		/* With one table for all there is nothing of which there may be more or fewer. */
		seen.unshared = set_param(&spec, "shared", 0);
		if (seen.unshared) {
			rig_close(&seen.defaults);
			for_settings(h, compare_with_defaults, &seen);
		}
		for (unsigned int p = 0; p < h->nr_params; p++) {
			if (!(seen.differ >> p & 1))
				fail_msg("%s: %s changes nothing", h->name, h->params[p].name);
		}
		rig_close(&seen.defaults);
	}
}

static void every_heuristic_with_a_fault_hook_asks_for_something(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		struct rig rig;

		rig_open(&rig, spht_heuristics[i]->name);
		rig.lives = true;
		feed(&rig, &mixed);
		assert_int_equal(rig.n > 0, spht_heuristics[i]->fault != NULL);
		rig_close(&rig);
	}
}

/* What @rig asked for in @space, against all that @alone asked for. */
static void assert_part_is(const struct rig *rig, uint64_t space, const struct rig *alone)
{
	size_t at = 0;

	for (size_t i = 0; i < rig->n; i++) {
		if (rig->log[i].space != space)
			continue;
		assert_true(at < alone->n);
		assert_int_equal(rig->log[i].vpn, alone->log[at++].vpn);
	}
	assert_int_equal(at, alone->n);
}

/* Does it say how much a table holds? */
static bool is_room(const struct spht_param *p)
{
	return !strcmp(p->unit, "entries") || !strcmp(p->name, "entries");
}

/* Room for all that two streams touch, a few thousand pages, in each table. */
static void make_roomy(struct spht_spec *spec)
{
	for (unsigned int i = 0; i < spec->h->nr_params; i++) {
		const struct spht_param *p = &spec->h->params[i];

		if (is_room(p) && p->def < 4096)
			spec->params[i] = p->def * 8 < p->max ? p->def * 8 : p->max;
	}
}

static void check_isolation(const struct spht_spec *given, int changed, void *arg)
{
	struct spht_spec alone_spec = *given, *spec = &alone_spec;
	struct rig both, alone[2];
	uint64_t seed = 99;
	size_t a = 0, b = 0;

	(void)arg;
	/* A table too small for both is shared, and each then loses by the other. */
	if (changed >= 0 && is_room(&spec->h->params[changed]))
		return;
	make_roomy(spec);
	/* With the parameter `shared` what one space teaches serves others, on purpose. */
	set_param(spec, "shared", 0);
	rig_open_guarded(&both, spec, 0);
	rig_open_guarded(&alone[0], spec, 0);
	rig_open_guarded(&alone[1], spec, 0);
	while (a < mixed.n || b < other.n) {
		bool first = b == other.n || (a < mixed.n && rnd(&seed) % 2);

		rig_feed(&both, first ? &mixed.faults[a++] : &other.faults[b++]);
	}
	feed(&alone[0], &mixed);
	feed(&alone[1], &other);
	assert_part_is(&both, mixed.faults[0].space, &alone[0]);
	assert_part_is(&both, other.faults[0].space, &alone[1]);
	rig_close(&both);
	rig_close(&alone[0]);
	rig_close(&alone[1]);
}

static void address_spaces_do_not_disturb_each_other(void **unused)
{
	(void)unused;
	/*
	 * The same two regions in both, so that only the space tells them apart;
	 * many spaces, since a table may well part most of them by chance.
	 */
	make_stream(&mixed, 2, 0, 1, 2);
	for (uint64_t space = 1; space <= 64; space *= 4) {
		make_stream(&other, 3, space, 1, 2);
		for (unsigned int i = 0; i < spht_nr_heuristics; i++)
			for_settings(spht_heuristics[i], check_isolation, NULL);
	}
}

static void copies_that_run_side_by_side_do_not_disturb_each_other(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++) {
		struct rig a, b, alone;

		rig_open(&a, spht_heuristics[i]->name);
		rig_open(&b, spht_heuristics[i]->name);
		rig_open(&alone, spht_heuristics[i]->name);
		for (size_t f = 0; f < mixed.n; f++) {
			rig_feed(&a, &mixed.faults[f]);
			rig_feed(&b, &mixed.faults[mixed.n - 1 - f]);
			rig_feed(&b, &mixed.faults[f]);
		}
		feed(&alone, &mixed);
		assert_true(same_log(&a, &alone));
		rig_close(&a);
		rig_close(&b);
		rig_close(&alone);
	}
}

static void check_state_bound(const struct spht_spec *spec, int changed, void *arg)
{
	struct rig rig;

	(void)changed;
	(void)arg;
	rig_open_guarded(&rig, spec, GUARD);
	assert_true(rig.state_size <= 64 << 20);
	feed(&rig, &mixed);
	for (size_t i = 0; i < GUARD; i++)
		assert_int_equal(((unsigned char *)rig.state)[rig.state_size + i], 0xa5);
	rig_close(&rig);
}

static void no_heuristic_writes_beyond_the_state_that_it_declared(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < spht_nr_heuristics; i++)
		for_settings(spht_heuristics[i], check_state_bound, NULL);
}

#define MIXED(f) cmocka_unit_test_setup(f, set_up_streams)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIXED(requests_are_distinct_in_bounds_in_the_region_and_not_the_fault),
		MIXED(every_parameter_changes_what_is_asked),
		MIXED(every_heuristic_with_a_fault_hook_asks_for_something),
		MIXED(address_spaces_do_not_disturb_each_other),
		MIXED(copies_that_run_side_by_side_do_not_disturb_each_other),
		MIXED(no_heuristic_writes_beyond_the_state_that_it_declared),
	};

	return cmocka_run_group_tests_name("heuristic rules", tests, NULL, NULL);
}
