// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A heuristic of the replayer's, and beside it what it asks for: one plugin for each, with
 * ASKS its name and ASKS_FILE its source.  The files $SPHT_ASKS.1, .2, ... are the lists of
 * tests/live/duo of the what-ifs in their order: strict, inferred, optimistic (-j1).
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include ASKS_FILE

#define PASTE(a, b) a##b
#define NAME(a, b)  PASTE(a, b)
#define TEXT(a)     #a
#define STRING(a)   TEXT(a)

#define INNER       (&NAME(spht_heuristic_, ASKS))

struct asks {
	struct spht_host host; /* what the heuristic sees */
	struct spht_host *outer;
	const struct spht_fault *fault;
	uint64_t batch; /* faults told */
	FILE *list;
	_Alignas(16) unsigned char state[];
};

static void note(struct asks *a, uint64_t vpn)
{
	fprintf(a->list, "%llu %llx %llx\n", (unsigned long long)a->batch,
		(unsigned long long)a->fault->vpn, (unsigned long long)vpn);
	/* Nobody tells a plugin that all is over. */
	fflush(a->list);
}

static void on_request(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	struct asks *a = (struct asks *)host;

	note(a, vpn);
	spht_request(a->outer, space, vpn);
}

static void on_watch(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	struct asks *a = (struct asks *)host;

	note(a, vpn);
	spht_watch(a->outer, space, vpn);
}

static uint8_t on_look(struct spht_host *host, uint64_t space, uint64_t vpn)
{
	return spht_look(((struct asks *)host)->outer, space, vpn);
}

static size_t asks_size(const int64_t *params)
{
	return sizeof(struct asks) + (INNER->state_size ? INNER->state_size(params) : 0);
}

static void asks_init(void *state, const int64_t *params)
{
	static atomic_uint instances;
	const char *base = getenv("SPHT_ASKS");
	struct asks *a = state;
	char name[4096];

	snprintf(name, sizeof(name), "%s.%u", base ? base : "asks",
		 atomic_fetch_add(&instances, 1) + 1);
	a->list = fopen(name, "w");
	if (!a->list) {
		perror(name);
		exit(1);
	}
	a->host = (struct spht_host){on_request, on_watch, on_look};
	if (INNER->init)
		INNER->init(a->state, params);
}

static void asks_fault(void *state, const int64_t *params, const struct spht_fault *fault,
		       struct spht_host *host)
{
	struct asks *a = state;

	a->outer = host;
	a->fault = fault;
	a->batch++;
	INNER->fault(a->state, params, fault, &a->host);
}

SPHT_HEURISTIC(asks, .name = "asks_" STRING(ASKS), .summary = "the same, written to files",
	       .cite = "tests/live/README", .params = NAME(ASKS, _params),
	       .nr_params = sizeof(NAME(ASKS, _params)) / sizeof(NAME(ASKS, _params)[0]),
	       .state_size = asks_size, .init = asks_init, .fault = asks_fault);
SPHT_PLUGIN(asks);
