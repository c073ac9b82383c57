// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Candidates of every shape say what docs/trace-format.md says they say, and
 * events come back with all their words, whatever was in the row before.
 * Writer and reader share the shapes: that they agree proves nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace_util.h"
#include "traces/predict.h"

#define NR_REGS 12
#define BITS    7

/* The words of the format's page: register >> n << n, plus a number or an entry. */
static uint64_t by_the_page(const struct spht_cand *c, const uint64_t *regs, const uint64_t *tables,
			    uint64_t *index)
{
	static const uint64_t mix[] = {0x9e3779b97f4a7c15ull, 0xc2b2ae3d27d4eb4full,
				       0x165667b19e3779f9ull};
	uint64_t base = regs[c->reg] >> c->shr << c->shl, h = 0;

	if (!c->nkeys)
		return base + c->add;
	for (unsigned int i = 0; i < c->nkeys; i++) {
		const struct spht_key *k = &c->keys[i];
		uint64_t levels = k->levels ? regs[k->levels] : 0;

		h += (regs[k->reg] >> ((k->shift + 9 * levels) % 64)) * mix[i];
	}
	*index = h >> (64 - c->bits);
	return base + tables[*index];
}

static uint8_t shift(struct rng *r)
{
	return (uint8_t)(rng_below(r, 3) ? 0 : rng_below(r, 64));
}

static uint16_t reg(struct rng *r)
{
	return (uint16_t)(1 + rng_below(r, NR_REGS - 1));
}

static struct spht_cand random_candidate(struct rng *r)
{
	struct spht_cand c = {
		.reg = rng_below(r, 2) ? SPHT_REG_ZERO : reg(r),
		.shr = shift(r),
		.shl = shift(r),
		.nkeys = (uint8_t)rng_below(r, SPHT_MAX_KEYS + 1),
	};

	if (!c.nkeys)
		c.add = rng_value(r);
	else
		c.bits = BITS;
	for (unsigned int i = 0; i < c.nkeys; i++) {
		c.keys[i].reg = reg(r);
		c.keys[i].shift = shift(r);
		if (!i && !rng_below(r, 3))
			c.keys[i].levels = reg(r);
	}
	return c;
}

static void a_candidate_of_any_shape_says_what_the_page_says(void **state)
{
	uint64_t regs[NR_REGS] = {0}, tables[1 << BITS], nowhere, index = 0;
	unsigned int seen[GUESS_NR] = {0};
	struct rng rng = {7};

	(void)state;
	for (unsigned int i = 0; i < 1 << BITS; i++)
		tables[i] = rng_value(&rng);
	for (unsigned int round = 0; round < 20000; round++) {
		struct spht_cand c = random_candidate(&rng);
		uint64_t want;
		struct opinion o;
		struct guess g;

		for (unsigned int i = 1; i < NR_REGS; i++)
			regs[i] = rng_below(&rng, 4) ? rng_value(&rng) : rng_below(&rng, 6);
		want = by_the_page(&c, regs, tables, &index);
		spht_guess_prepare(&g, &c, tables);
		o = guess_ask(&g, regs, &nowhere);
		assert_true(o.value == want);
		assert_ptr_equal(o.entry, c.nkeys ? &tables[index] : &nowhere);
		/* What it learns makes it right the next time. */
		if (c.nkeys) {
			want = rng_value(&rng);
			*o.entry = want - o.from;
			assert_true(guess_ask(&g, regs, &nowhere).value == want);
		}
		assert_in_range(g.kind, 0, GUESS_NR - 1);
		seen[g.kind]++;
	}
	for (unsigned int kind = 0; kind < GUESS_NR; kind++)
		assert_true(seen[kind] > 50);
}

/* Sixteen words, fifteen of which stay as they are, and an event of one word. */
static void words_that_stay_do_not_stay_in_other_events(void **state)
{
	struct spht_event_field wide[SPHT_EVENT_SLOTS], narrow[1] = {{"x", 0, 1, 8, false, false}};
	struct spht_event_type types[2] = {{.system = "test", .name = "wide", .fields = wide},
					   {.system = "test", .name = "narrow", .fields = narrow}};
	static const char names[SPHT_EVENT_SLOTS][2] = {"a", "b", "c", "d", "e", "f", "g", "h",
							"i", "j", "k", "l", "m", "n", "o", "p"};
	const char *path = temp_path();
	struct reading got;
	struct spht_writer *w;
	struct spht_error err;

	(void)state;
	for (unsigned int i = 0; i < SPHT_EVENT_SLOTS; i++)
		wide[i] = (struct spht_event_field){names[i], (uint8_t)i, 1, 8, false, false};
	types[0].nr_fields = SPHT_EVENT_SLOTS;
	types[1].nr_fields = 1;
	w = spht_writer_open(path, SPHT_WRITE_OVERWRITE, NULL, types, 2, 1, &err);
	assert_non_null(w);
	for (unsigned int i = 0; i < 1000; i++) {
		struct spht_event ev = {.ts = i, .type = i % 3 == 1};

		for (unsigned int s = 0; s < (ev.type ? 1 : SPHT_EVENT_SLOTS); s++)
			ev.v[s] = s ? 1000 + s : i / 100;
		append(w, &ev);
	}
	assert_int_equal(spht_writer_close(w, NULL, 0, NULL, &err), 0);
	got = read_all(path, 0);
	assert_int_equal(got.nr, 1000);
	for (unsigned int i = 0; i < 1000; i++) {
		bool is_wide = i % 3 != 1;

		assert_true(got.events[i].v[0] == i / 100);
		for (unsigned int s = 1; s < SPHT_EVENT_SLOTS; s++)
			assert_true(got.events[i].v[s] == (is_wide ? 1000 + s : 0));
	}
	reading_free(&got);
}

/* Names whose predictions have four candidates with tables, the last one too. */
static struct spht_event_field exit_fields[] = {{"exit_reason", 0, 1, 4, false, false},
						{"guest_rip", 0, 1, 8, false, false},
						{"info1", 0, 1, 8, false, false}};
static struct spht_event_field entry_fields[] = {{"rip", 0, 1, 8, false, false}};
static struct spht_event_field insn_fields[] = {{"rip", 0, 1, 8, false, false}};

static void each_of_four_candidates_learns_what_came(void **state)
{
	struct spht_event_type types[] = {
		{.system = "kvm", .name = "kvm_exit", .fields = exit_fields, .nr_fields = 3},
		{.system = "kvm", .name = "kvm_entry", .fields = entry_fields, .nr_fields = 1},
		{.system = "kvm", .name = "kvm_emulate_insn", .fields = insn_fields, .nr_fields = 1},
	};
	static struct spht_event want[20000];
	const unsigned int nr = sizeof(want) / sizeof(want[0]);
	const char *path = temp_path();
	struct rng rng = {11};
	struct spht_writer *w;
	struct spht_error err;
	struct reading got;
	uint32_t have;

	(void)state;
	for (unsigned int t = 0; t < 3; t++) {
		types[t].id = spht_event_find(types[t].system, types[t].name);
		assert_int_equal(spht_event_layout(types[t].id,
						   (struct spht_event_field *)types[t].fields,
						   types[t].nr_fields, &have),
				 types[t].nr_fields);
	}
	w = spht_writer_open(path, SPHT_WRITE_OVERWRITE, NULL, types, 3, 1, &err);
	assert_non_null(w);
	memset(want, 0, sizeof(want));
	for (unsigned int i = 0; i < nr; i++) {
		struct spht_event *ev = &want[i];
		const struct spht_event_type *t = &types[rng_below(&rng, 3)];

		ev->ts = i;
		ev->type = (uint8_t)(t - types);
		ev->id = (uint8_t)t->id;
		for (unsigned int f = 0; f < t->nr_fields; f++)
			ev->v[t->fields[f].slot] = rng_below(&rng, 20) ? rng_below(&rng, 3) * 4096
								       : rng_below(&rng, 1 << 20);
		append(w, ev);
	}
	assert_int_equal(spht_writer_close(w, NULL, 0, NULL, &err), 0);
	got = read_all(path, 0);
	assert_int_equal(got.nr, nr);
	for (unsigned int i = 0; i < nr; i++)
		assert_event_equal(&got.events[i], &want[i]);
	reading_free(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_candidate_of_any_shape_says_what_the_page_says),
		cmocka_unit_test(words_that_stay_do_not_stay_in_other_events),
		cmocka_unit_test(each_of_four_candidates_learns_what_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
