// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What libtracecmd needs to pass over a trace.dat: the peer that `make bench`
 * holds the .spht reader against.  With --fields it also reads every numeric
 * field of every event, which is what a .spht reader has always done.
 */
#include <event-parse.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <trace-cmd.h>

struct count {
	bool fields;
	uint64_t events;
	uint64_t sum;
};

static int visit(struct tracecmd_input *in, struct tep_record *rec, int cpu, void *data)
{
	struct tep_handle *tep = tracecmd_get_tep(in);
	struct count *c = data;
	struct tep_event *event;
	struct tep_format_field *field;
	unsigned long long val;

	(void)cpu;
	c->events++;
	c->sum += rec->ts;
	if (c->fields) {
		event = tep_find_event_by_record(tep, rec);
		for (field = event ? event->format.fields : NULL; field; field = field->next) {
			if (field->flags & (TEP_FIELD_IS_ARRAY | TEP_FIELD_IS_STRING))
				continue;
			if (!tep_read_number_field(field, rec->data, &val))
				c->sum += val;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct tracecmd_input *in;
	struct count c = {0};
	struct rusage ru;
	double used;
	int i = 1;

	if (i < argc && !strcmp(argv[i], "--fields")) {
		c.fields = true;
		i++;
	}
	if (i + 1 != argc) {
		fprintf(stderr, "usage: tracecmd-count [--fields] trace.dat\n");
		return 2;
	}
	in = tracecmd_open(argv[i], 0);
	if (!in) {
		fprintf(stderr, "tracecmd-count: %s: libtracecmd cannot open it\n", argv[i]);
		return 1;
	}
	if (tracecmd_iterate_events(in, NULL, 0, visit, &c) < 0) {
		fprintf(stderr, "tracecmd-count: %s: libtracecmd cannot read it\n", argv[i]);
		return 1;
	}
	tracecmd_close(in);
	getrusage(RUSAGE_SELF, &ru);
	used = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	printf("%" PRIu64 " events, checksum %016" PRIx64 ", %.3f CPU s, %.1f M events/s\n",
	       c.events, c.sum, used, used > 0 ? (double)c.events / used / 1e6 : 0);
	return 0;
}
