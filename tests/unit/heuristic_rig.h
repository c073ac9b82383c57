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

#include "replay/heuristic_spec.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TOP           ((UINT64_C(1) << 36) - 1) /* the highest page */
#define HALF          (UINT64_C(1) << 35) /* the first page of the upper half */

struct request {
	uint64_t space, vpn;
};

/* One copy of a heuristic, and all it has asked for. */
struct rig {
	struct spht_host host; /* first: the hook gets a pointer to it */
	struct spht_spec spec;
	void *state;
	size_t state_size;
	struct request *log;
	size_t n, room;
};

static inline void rig_request(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	struct rig *rig = (struct rig *)host;

	if (rig->n == rig->room) {
		rig->room = rig->room ? 2 * rig->room : 1024;
		rig->log = realloc(rig->log, rig->room * sizeof(*rig->log));
		assert_non_null(rig->log);
	}
	rig->log[rig->n++] = (struct request){space, vpn};
}

/* @guard: bytes after the state that must stay as they are. */
static inline void rig_open_guarded(struct rig *rig, const struct spht_spec *spec, size_t guard)
{
	*rig = (struct rig){.host = {rig_request, rig_request}, .spec = *spec};
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
}

static inline void rig_feed(struct rig *rig, const struct spht_fault *fault)
{
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

#define CHECK(text, cls, ...) \
	do { \
		static const struct step steps[] = {__VA_ARGS__}; \
		check_steps(text, cls, steps, ARRAY_SIZE(steps)); \
	} while (0)
#define HIDDEN(text, ...) CHECK(text, SPHT_FAULT_HIDDEN, __VA_ARGS__)
#define GUEST(text, ...)  CHECK(text, SPHT_FAULT_GUEST, __VA_ARGS__)

#endif
