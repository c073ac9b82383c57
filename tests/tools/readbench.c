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

static double cpu_seconds(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	const struct spht_event_type *types;
	uint8_t words[256] = {0};
	struct spht_reader *r;
	const struct spht_event *ev;
	struct spht_error err;
	uint64_t events = 0, sum = 0;
	unsigned int nr_types, i, f;
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
	/* Words of payload in an event of each type. */
	types = spht_reader_types(r, &nr_types);
	for (i = 0; i < nr_types && i < 256; i++)
		for (f = 0; f < types[i].nr_fields; f++) {
			unsigned int end = types[i].fields[f].slot + types[i].fields[f].nwords;

			if (end > words[i] && end <= SPHT_EVENT_SLOTS)
				words[i] = (uint8_t)end;
		}
	while ((rc = spht_reader_next(r, &ev, &err)) > 0) {
		unsigned int n = ev->id == SPHT_EV_LOST ? 0 : words[ev->type];

		events++;
		sum += ev->ts + (uint64_t)ev->pid;
		for (i = 0; i < n; i++)
			sum += ev->v[i];
	}
	if (rc < 0) {
		fprintf(stderr, "readbench: %s\n", err.text);
		spht_reader_close(r);
		return 1;
	}
	spht_reader_close(r);
	used = cpu_seconds() - start;
	printf("%" PRIu64 " events, checksum %016" PRIx64 ", %.3f CPU s, %.1f M events/s\n", events,
	       sum, used, used > 0 ? (double)events / used / 1e6 : 0);
	return 0;
}
