// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The .spht reader and all that stands on it: whatever the bytes, a message, or events
 * that every command tells alike.  Then the first stages of the replay.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "traces/cmd.h"
#include "traces/sha256.h"

/* More than that takes too long to be copied and replayed each time. */
#define MAX_COPIED   4096
#define MAX_REPLAYED 2048

struct reading {
	bool opened, whole; /* whole: nothing was found wrong up to the end */
	bool complete;
	uint64_t events, lost;
	char sum[65]; /* of all that is told of the events */
};

static void add(struct spht_sha256 *sha, const struct spht_event *ev)
{
	/* Not the structure itself, which has holes. */
	const uint64_t told[] = {ev->ts,      ev->cpu,     (uint64_t)(uint32_t)ev->pid,
				 ev->id,      ev->type,    ev->flags,
				 ev->preempt, ev->preamble};

	spht_sha256_update(sha, told, sizeof(told));
	spht_sha256_update(sha, ev->v, sizeof(ev->v));
}

static void check_order(const struct spht_event *ev, const struct spht_event *last)
{
	if (ev->preamble && !last->preamble)
		fuzz_broken("preamble after the first other event");
	if (ev->preamble == last->preamble &&
	    (ev->ts < last->ts || (ev->ts == last->ts && ev->cpu < last->cpu)))
		fuzz_broken("events out of order: %llu on CPU %u, type %u, after %llu on CPU %u, "
			    "type %u",
			    (unsigned long long)ev->ts, ev->cpu, ev->id,
			    (unsigned long long)last->ts, last->cpu, last->id);
}

static uint64_t promised(const struct spht_reader *r)
{
	size_t nr;
	const struct spht_block_info *b = spht_reader_blocks(r, &nr);
	uint64_t events = 0;

	for (size_t i = 0; i < nr; i++)
		events += b[i].nr_events;
	return events;
}

static struct reading read_all(const char *path, unsigned int flags)
{
	struct spht_event last = {.preamble = true};
	struct reading got = {0};
	const struct spht_event *ev;
	struct spht_sha256 sha;
	struct spht_error err = {""};
	struct spht_reader *r = spht_reader_open(path, flags, &err);
	int more;

	if (!r) {
		fuzz_message(err.text);
		return got;
	}
	got.opened = true;
	spht_sha256_init(&sha);
	while ((more = spht_reader_next(r, &ev, &err)) > 0) {
		check_order(ev, &last);
		last = *ev;
		add(&sha, ev);
		got.lost += ev->id == SPHT_EV_LOST;
		got.events += ev->id != SPHT_EV_LOST;
	}
	spht_sha256_final(&sha, got.sum);
	got.whole = !more;
	got.complete = spht_reader_complete(r);
	if (more)
		fuzz_message(err.text);
	else if (got.complete && got.events != promised(r))
		fuzz_broken("%llu events of %llu", (unsigned long long)got.events,
			    (unsigned long long)promised(r));
	spht_reader_close(r);
	return got;
}

#define RUN(...) run((const char *const[]){"spht-trace", __VA_ARGS__, NULL})

/* The exit status of a command, which must have said why where it is not 0. */
static int run(const char *const *argv)
{
	int status = fuzz_run(spht_trace_main, argv);

	if (status != CMD_OK && status != CMD_FAILED && status != CMD_PARTIAL &&
	    status != CMD_USAGE)
		fuzz_broken("spht-trace %s: exit status %d", argv[1], status);
	if (status && !*fuzz_heard())
		fuzz_broken("spht-trace %s: exit status %d without a word", argv[1], status);
	return status;
}

static void look(const char *path, const struct reading *strict)
{
	if ((RUN("info", path) == CMD_OK) != strict->whole)
		fuzz_broken("info and the reader are not of one mind");
	if ((RUN("info", "--json", "--partial", "--marks", path) == CMD_OK) != strict->whole)
		fuzz_broken("info --json --partial and the reader are not of one mind");
	if ((RUN("dump", path) == CMD_OK) != strict->whole)
		fuzz_broken("dump and the reader are not of one mind");
	RUN("dump", "--format=jsonl", "--partial", "--vcpu=0", path);
	if (RUN("verify", path) == CMD_OK && !strict->whole)
		fuzz_broken("verify takes what the reader does not");
}

static void copy(const char *path, const struct reading *strict)
{
	const char *out = fuzz_output();
	struct reading again;

	if (RUN("repack", "--level=1", "-f", "-o", out, path) == CMD_OK) {
		again = read_all(out, 0);
		if (!again.whole || again.events != strict->events ||
		    strcmp(again.sum, strict->sum))
			fuzz_broken("a packed copy holds something else");
	}
	out = fuzz_output();
	if (RUN("cut", "--level=1", "--exits=3", "--from=0.000001", "-f", "-o", out, path) !=
	    CMD_OK)
		return;
	again = read_all(out, 0);
	if (!again.whole)
		fuzz_broken("what was cut out is not whole");
}

static void replay(const char *path, bool whole)
{
	const char *const argv[] = {"spht-replay", "--heuristic=none", "--partial", "--memory=1",
				    "--explain",   "--list-misses",    path,        NULL};
	int status = fuzz_run(spht_replay_main, argv);

	if (status == 3)
		fuzz_broken("an identity does not hold: %s", fuzz_heard());
	if (status && status != 4 && !*fuzz_heard())
		fuzz_broken("spht-replay: exit status %d without a word", status);
	if (!status && !whole)
		fuzz_broken("spht-replay takes what is not whole for whole");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct reading strict = read_all(path, 0), partial = read_all(path, SPHT_READ_PARTIAL);

	if (strict.whole &&
	    (!partial.whole || !partial.complete || strcmp(strict.sum, partial.sum)))
		fuzz_broken("a whole trace is another one with --partial");
	if (partial.whole && !strict.whole && partial.complete)
		fuzz_broken("damage that --partial does not tell");
	if (!partial.opened)
		return 0;
	look(path, &strict);
	if (strict.whole && strict.events <= MAX_COPIED)
		copy(path, &strict);
	if (partial.events <= MAX_REPLAYED)
		replay(path, strict.whole);
	return 0;
}
