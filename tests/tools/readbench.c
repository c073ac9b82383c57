// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads every event of a .spht file and does as little as possible with it:
 * the speed of the reader alone.  The checksum keeps the compiler from
 * dropping the work and lets two readers be compared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "spht_trace.h"

/* All words of an event, two at a time. */
typedef uint64_t pair_t __attribute__((vector_size(16), aligned(8), may_alias));
struct pairs {
	pair_t p[SPHT_EVENT_SLOTS / 2];
};

static double cpu_seconds(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	struct spht_reader *r;
	const struct spht_event *ev;
	struct spht_error err;
	uint64_t events = 0, sum = 0;
	pair_t pair = {0, 0};
	const struct pairs *words;
	double start, used;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: readbench FILE.spht\n");
		return 2;
	}
	start = cpu_seconds();
	r = spht_reader_open(argv[1], 0, &err);
	if (!r) {
		fprintf(stderr, "readbench: %s\n", err.text);
		return 1;
	}
	while ((rc = spht_reader_next(r, &ev, &err)) > 0) {
		events++;
		sum += ev->ts + (uint64_t)ev->pid;
		if (__builtin_expect(ev->id == SPHT_EV_LOST, 0))
			continue;
		/* Those that an event does not have are 0. */
		words = (const struct pairs *)ev->v;
		pair += words->p[0] + words->p[1] + (words->p[2] + words->p[3]) +
			(words->p[4] + words->p[5] + (words->p[6] + words->p[7]));
	}
	if (rc < 0) {
		fprintf(stderr, "readbench: %s\n", err.text);
		spht_reader_close(r);
		return 1;
	}
	spht_reader_close(r);
	sum += pair[0] + pair[1];
	used = cpu_seconds() - start;
	printf("%" PRIu64 " events, checksum %016" PRIx64 ", %.3f CPU s, %.1f M events/s\n", events,
	       sum, used, used > 0 ? (double)events / used / 1e6 : 0);
	return 0;
}
