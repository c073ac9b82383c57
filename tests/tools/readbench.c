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

struct sums {
	uint64_t events, one;
	pair_t pair;
};

/* All of them. */
static void add(struct sums *s, const struct spht_event *rows, size_t nr)
{
	pair_t pair = {0, 0};
	uint64_t one = 0;

	for (const struct spht_event *ev = rows; ev < rows + nr; ev++) {
		const struct pairs *words = (const struct pairs *)ev->v;

		one += ev->ts + (uint64_t)ev->pid;
		if (__builtin_expect(ev->id == SPHT_EV_LOST, 0))
			continue;
		/* Those that an event does not have are 0. */
		pair += words->p[0] + words->p[1] + (words->p[2] + words->p[3]) +
			(words->p[4] + words->p[5] + (words->p[6] + words->p[7]));
	}
	s->events += nr;
	s->one += one;
	s->pair += pair;
}

int main(int argc, char **argv)
{
	const struct spht_event *rows;
	struct spht_reader *r;
	struct spht_error err;
	struct sums sums = {0};
	double start, used;
	uint64_t sum;
	size_t nr;
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
	while ((rc = spht_reader_rows(r, &rows, &nr, &err)) > 0)
		add(&sums, rows, nr);
	if (rc < 0) {
		fprintf(stderr, "readbench: %s\n", err.text);
		spht_reader_close(r);
		return 1;
	}
	spht_reader_close(r);
	sum = sums.one + sums.pair[0] + sums.pair[1];
	used = cpu_seconds() - start;
	printf("%" PRIu64 " events, checksum %016" PRIx64 ", %.3f CPU s, %.1f M events/s\n",
	       sums.events, sum, used, used > 0 ? (double)sums.events / used / 1e6 : 0);
	return 0;
}
