/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPHT_TEST_HEURISTIC_RIG_H
#define SPHT_TEST_HEURISTIC_RIG_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heuristics/lru.h"
#include "replay/heuristic_spec.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TOP           ((UINT64_C(1) << 36) - 1) /* the highest page */
#define HALF          (UINT64_C(1) << 35) /* the first page of the upper half */

struct request {
	uint64_t space, vpn;
	uint64_t watched; /* 1: by watch; as wide as the others, so that logs compare as bytes */
};

/* How many entries a rig's shadow table holds: more than any test builds. */
#define RIG_ENTRIES (1u << 17)

/* One copy of a heuristic, all it has asked for, and what it finds when it looks. */
struct rig {
	struct spht_host host; /* first: the hook gets a pointer to it */
	struct spht_spec spec;
	void *state;
	size_t state_size;
	struct request *log;
	size_t n, room;
	struct spht_lru *table; /* enum spht_entry_state of (space, vpn); NULL: all absent */
	bool lives; /* what is asked for is built before the next fault, and then used */
	size_t built; /* how many of the log have been */
};

static inline uint8_t rig_look(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	const struct rig *rig = (const struct rig *)host;
	const uint8_t *state = rig->table ? spht_lru_peek(rig->table, space, vpn) : NULL;

	return state ? *state : SPHT_ENTRY_ABSENT;
}

/* What the heuristic will find at (@space, @vpn) from now on. */
static inline void rig_set(struct rig *rig, uint64_t space, uint64_t vpn, uint8_t state)
{
	bool fresh;

	if (!rig->table) {
		rig->table = malloc(spht_lru_size(RIG_ENTRIES, 1));
		assert_non_null(rig->table);
		spht_lru_init(rig->table, RIG_ENTRIES, 1);
	}
	*(uint8_t *)spht_lru_get(rig->table, space, vpn, &fresh) = state;
}

/* A request has ended. */
static inline void rig_outcome(struct rig *rig, uint64_t time_ns, uint64_t space, uint64_t vpn,
			       uint8_t kind)
{
	const struct spht_outcome o = {time_ns, space, vpn, kind};

	if (rig->spec.h->outcome)
		rig->spec.h->outcome(rig->state, rig->spec.params, &o, &rig->host);
}

static inline void rig_zap(struct rig *rig, uint64_t time_ns, uint64_t space, uint64_t vpn)
{
	const struct spht_zap zap = {time_ns, space, vpn};

	rig_set(rig, space, vpn, SPHT_ENTRY_ABSENT);
	if (rig->spec.h->zapped)
		rig->spec.h->zapped(rig->state, rig->spec.params, &zap, &rig->host);
}

static inline void rig_log(struct spht_host *host, uint64_t space, uint64_t vpn, bool watched)
{
	struct rig *rig = (struct rig *)host;

	if (rig->n == rig->room) {
		rig->room = rig->room ? 2 * rig->room : 1024;
		rig->log = realloc(rig->log, rig->room * sizeof(*rig->log));
		assert_non_null(rig->log);
	}
	rig->log[rig->n++] = (struct request){space, vpn, watched};
}

static inline void rig_request(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	rig_log(host, space, vpn, false);
}

static inline void rig_watch(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	rig_log(host, space, vpn, true);
}

/* @guard: bytes after the state that must stay as they are. */
static inline void rig_open_guarded(struct rig *rig, const struct spht_spec *spec, size_t guard)
{
	*rig = (struct rig){.host = {rig_request, rig_watch, rig_look}, .spec = *spec};
	if (spec->h->state_size)
		rig->state_size = spec->h->state_size(spec->params);
	if (rig->state_size + guard) {
		rig->state = malloc(rig->state_size + guard);
		assert_non_null(rig->state);
		memset(rig->state, 0, rig->state_size);
		memset((char *)rig->state + rig->state_size, 0xa5, guard);
	}
	if (spec->h->init)
		spec->h->init(rig->state, rig->spec.params);
}

static inline void rig_open(struct rig *rig, const char *text)
{
	struct spht_error err = {{0}};
	struct spht_spec spec;

	if (spht_spec_parse(&spec, text, &err))
		fail_msg("%s: %s", text, err.text);
	rig_open_guarded(rig, &spec, 0);
}

static inline void rig_close(struct rig *rig)
{
	free(rig->state);
	free(rig->log);
	free(rig->table);
}

/* Builds the request @i of the log, if nobody was before it. */
static inline void rig_build(struct rig *rig, uint64_t time_ns, size_t i)
{
	const struct request q = rig->log[i];

	if (rig_look(&rig->host, q.space, q.vpn) != SPHT_ENTRY_ABSENT)
		return;
	rig_set(rig, q.space, q.vpn, SPHT_ENTRY_PRESENT);
	rig_outcome(rig, time_ns, q.space, q.vpn, SPHT_OUTCOME_BUILT);
}

/*
 * A live rig in small: what was asked for before this fault is built, an entry that is
 * there spares the fault, and now and then a neighbour of the fault and a page of the
 * region beside it are zapped.
 * False: there is no fault.
 */
static inline bool rig_live(struct rig *rig, const struct spht_fault *fault)
{
	while (rig->built < rig->n)
		rig_build(rig, fault->time_ns, rig->built++);
	if (rig_look(&rig->host, fault->space, fault->vpn) != SPHT_ENTRY_ABSENT &&
	    fault->cls != SPHT_FAULT_GUEST) {
		rig_set(rig, fault->space, fault->vpn, SPHT_ENTRY_USED);
		return false;
	}
	return true;
}

static inline void rig_feed(struct rig *rig, const struct spht_fault *fault)
{
	if (rig->lives && !rig_live(rig, fault))
		return;
	if (rig->lives && fault->vpn % 16 == 5) {
		rig_zap(rig, fault->time_ns, fault->space, fault->vpn ^ 1);
		rig_zap(rig, fault->time_ns, fault->space, fault->vpn ^ SPHT_REGION_PAGES);
	}
	if (rig->spec.h->fault)
		rig->spec.h->fault(rig->state, rig->spec.params, fault, &rig->host);
}

/* A fault, and the pages asked for in answer to it as "A B C". */
static inline const char *ask(struct rig *rig, uint8_t cls, uint64_t space, uint64_t vpn)
{
	static char text[16384];
	struct spht_fault fault = {.space = space, .vpn = vpn, .cls = cls};
	size_t len = 0;

	rig->n = 0;
	rig_feed(rig, &fault);
	text[0] = '\0';
	for (size_t i = 0; i < rig->n; i++) {
		assert_int_equal(rig->log[i].space, space);
		len += snprintf(text + len, sizeof(text) - len, "%s%" PRIu64, i ? " " : "",
				rig->log[i].vpn);
		assert_true(len < sizeof(text));
	}
	return text;
}

struct step {
	uint64_t vpn;
	const char *asked;
};

static inline void check_steps(const char *text, uint8_t cls, const struct step *steps, size_t n)
{
	struct rig rig;

	rig_open(&rig, text);
	for (size_t i = 0; i < n; i++) {
		const char *asked = ask(&rig, cls, 7, steps[i].vpn);

		if (strcmp(asked, steps[i].asked))
			fail_msg("%s: fault %zu, page %" PRIu64 ": asked for '%s', not '%s'", text,
				 i + 1, steps[i].vpn, asked, steps[i].asked);
	}
	rig_close(&rig);
}

/* The same in several address spaces. */
struct space_step {
	uint64_t space, vpn;
	const char *asked;
};

static inline void check_spaces(const char *text, const struct space_step *steps, size_t n)
{
	struct rig rig;

	rig_open(&rig, text);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(ask(&rig, SPHT_FAULT_HIDDEN, steps[i].space, steps[i].vpn),
				    steps[i].asked);
	rig_close(&rig);
}

/* Pages 0 to @pages - 1 touched in order, what is asked for built at once: how many fault. */
static inline unsigned int faults_of_run(const char *text, unsigned int pages)
{
	bool present[SPHT_REGION_PAGES] = {false};
	unsigned int faults = 0;
	struct rig rig;

	rig_open(&rig, text);
	for (uint64_t vpn = 0; vpn < pages; vpn++) {
		if (present[vpn])
			continue;
		faults++;
		ask(&rig, SPHT_FAULT_HIDDEN, 1, vpn);
		for (size_t i = 0; i < rig.n; i++)
			present[rig.log[i].vpn] = true;
	}
	rig_close(&rig);
	return faults;
}

#define CHECK(text, cls, ...) \
	do { \
		static const struct step steps[] = {__VA_ARGS__}; \
		check_steps(text, cls, steps, ARRAY_SIZE(steps)); \
	} while (0)
#define HIDDEN(text, ...) CHECK(text, SPHT_FAULT_HIDDEN, __VA_ARGS__)
#define GUEST(text, ...)  CHECK(text, SPHT_FAULT_GUEST, __VA_ARGS__)

#endif
