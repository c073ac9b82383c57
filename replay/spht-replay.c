// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "json-memory.h"
#include "replay/calibrate.h"
#include "replay/choose.h"
#include "replay/emit.h"
#include "replay/model-options.h"
#include "replay/reading.h"
#include "replay/real-options.h"
#include "replay/report.h"
#include "replay/status.h"
#include "replay/timeline-options.h"
#include "replay/usage.h"
#include "std-files.h"
#include "version.h"

#define MAX_VM_THREADS 1024
#define MAX_MEMORY_MIB (1u << 20)
/* Memory for what-ifs that run together, in multiples of that for the recording. */
#define WAVE_SHARE     4

struct args {
	struct spht_run_options run;
	struct spht_specs specs;
	struct spht_reading reading;
	struct spht_clock_options clock;
	const char *csv, *json, *vm;
	int32_t vm_tids[MAX_VM_THREADS];
	size_t nr_vm;
	struct spht_room room;
	struct spht_model_options model;
	struct spht_timeline_options timeline;
	bool partial, timing, quiet, list;
};

__attribute__((format(printf, 1, 2))) static int usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("spht-replay: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see spht-replay --help\n", stderr);
	return EXIT_USAGE;
}

static int parse_vm(struct args *a, const char *s)
{
	char *end = (char *)s;

	a->vm = s;
	a->nr_vm = 0;
	do {
		long v = strtol(s, &end, 10);

		if (end == s || v <= 0 || v > INT32_MAX || a->nr_vm == MAX_VM_THREADS ||
		    (*end && *end != ','))
			return usage_error("--vm=%s: expected thread ids, e.g. --vm=1234,1235",
					   a->vm);
		a->vm_tids[a->nr_vm++] = (int32_t)v;
		s = end + 1;
	} while (*end);
	return 0;
}

static int parse_scales(struct args *a, const char *list)
{
	const char *s = list;
	char *end;

	a->run.nr_scales = 0;
	do {
		double v = strtod(s, &end);

		if (end == s || !(v > 0) || v > 1e6 || a->run.nr_scales == SPHT_MAX_SCALES ||
		    (*end && *end != ','))
			return usage_error(
				"--guest-time-scale=%s: expected up to 16 factors > 0, e.g. "
				"0.333,1,3",
				list);
		a->run.scales[a->run.nr_scales++] = v;
		s = end + 1;
	} while (*end);
	return 0;
}

enum {
	OPT_HEURISTIC = 256,
	OPT_LIST,
	OPT_CSV,
	OPT_JSON,
	OPT_COSTS,
	OPT_SCALE,
	OPT_CLOCK,
	OPT_PACE,
	OPT_REPETITIONS,
	OPT_WARMUP_RUNS,
	OPT_CPUS,
	OPT_SMT,
	OPT_VM,
	OPT_PARTIAL,
	OPT_EXPLAIN,
	OPT_LIST_MISSES,
	OPT_TIMING,
	OPT_VERIFY,
	OPT_QUIET,
	OPT_ROI,
	OPT_MEMORY,
	OPT_WARMUP,
	OPT_CALIBRATE,
	OPT_INTERVAL,
	OPT_INTERVALS,
	OPT_HISTOGRAMS,
	OPT_TIMELINE,
	OPT_TIMELINE_WINDOW,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{"heuristic", required_argument, NULL, OPT_HEURISTIC},
	{"list-configurations", no_argument, NULL, OPT_LIST},
	{"csv", required_argument, NULL, OPT_CSV},
	{"json", required_argument, NULL, OPT_JSON},
	{"jobs", required_argument, NULL, 'j'},
	{"knowledge", required_argument, NULL, SPHT_OPT_KNOWLEDGE},
	{"legality", required_argument, NULL, SPHT_OPT_LEGALITY},
	{"helper-prefetch", required_argument, NULL, SPHT_OPT_HELPER_PREFETCH},
	{"prefetch-window", required_argument, NULL, SPHT_OPT_WINDOW},
	{"mmu-pages", required_argument, NULL, SPHT_OPT_MMU_PAGES},
	{"costs", required_argument, NULL, OPT_COSTS},
	{"guest-time-scale", required_argument, NULL, OPT_SCALE},
	{"clock", required_argument, NULL, OPT_CLOCK},
	{"pace", required_argument, NULL, OPT_PACE},
	{"repetitions", required_argument, NULL, OPT_REPETITIONS},
	{"warmup-runs", required_argument, NULL, OPT_WARMUP_RUNS},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"smt", no_argument, NULL, OPT_SMT},
	{"helpers", required_argument, NULL, SPHT_OPT_HELPERS},
	{"curve", required_argument, NULL, SPHT_OPT_CURVE},
	{"bypass-guest-pf", required_argument, NULL, SPHT_OPT_BYPASS},
	{"rules", required_argument, NULL, SPHT_OPT_RULES},
	{"kvm", required_argument, NULL, SPHT_OPT_KVM},
	{"vm", required_argument, NULL, OPT_VM},
	{"partial", no_argument, NULL, OPT_PARTIAL},
	{"explain", optional_argument, NULL, OPT_EXPLAIN},
	{"list-misses", no_argument, NULL, OPT_LIST_MISSES},
	{"timing", no_argument, NULL, OPT_TIMING},
	{"verify", no_argument, NULL, OPT_VERIFY},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"roi", required_argument, NULL, OPT_ROI},
	{"warmup", required_argument, NULL, OPT_WARMUP},
	{"calibrate", optional_argument, NULL, OPT_CALIBRATE},
	{"interval", required_argument, NULL, OPT_INTERVAL},
	{"intervals", required_argument, NULL, OPT_INTERVALS},
	{"histograms", required_argument, NULL, OPT_HISTOGRAMS},
	{"timeline", required_argument, NULL, OPT_TIMELINE},
	{"timeline-window", required_argument, NULL, OPT_TIMELINE_WINDOW},
	{"snapshots", required_argument, NULL, SPHT_OPT_SNAPSHOTS},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

/* Which part of a recording counts, and how it is cut.  Returns 0 or an exit status. */
static int reading_option(struct args *a, int opt, const char *arg)
{
	struct spht_error err;
	int ret = 0;

	if (opt == OPT_ROI)
		ret = spht_reading_roi(&a->reading, arg, &err);
	else if (opt == OPT_WARMUP)
		ret = spht_reading_warmup(&a->reading, arg, &err);
	else if (opt == OPT_INTERVAL)
		ret = spht_reading_interval(&a->reading, arg, &err);
	else if (opt == OPT_EXPLAIN)
		ret = spht_reading_explain(&a->reading, arg, &err);
	else if (opt == OPT_LIST_MISSES)
		a->reading.list_misses = true;
	else if (opt == OPT_HISTOGRAMS)
		a->reading.histograms = arg;
	else
		a->reading.intervals = arg;
	return ret ? usage_error("%s", err.text) : 0;
}

/* What the clock is, and how the real one is played.  Returns 0 or an exit status. */
static int clock_option(struct args *a, int opt, const char *arg)
{
	struct spht_error err;

	if (opt == OPT_CLOCK)
		return spht_clock_option(&a->clock, arg, &err) ? usage_error("%s", err.text) : 0;
	if (opt == OPT_PACE)
		a->clock.pace = arg;
	else if (opt == OPT_REPETITIONS)
		a->clock.repetitions = arg;
	else if (opt == OPT_WARMUP_RUNS)
		a->clock.warmups = arg;
	else if (opt == OPT_CPUS)
		a->clock.cpus = arg;
	else
		a->clock.smt = true;
	return 0;
}

/* All options are there.  Returns 0 or an exit status. */
static int check_clock(struct args *a)
{
	struct spht_error err;
	int ret = spht_clock_check(&a->clock, &a->run,
				   a->reading.interval_ns || a->reading.intervals ||
					   a->reading.histograms,
				   a->reading.target.kind, &err);

	if (ret == -2)
		return usage_error("%s", err.text);
	if (ret)
		fprintf(stderr, "spht-replay: %s\n", err.text);
	return ret ? EXIT_INPUT : 0;
}

/* Options of the model, of the clock, and of what is shown.  Returns 0 or an exit status. */
static int other_option(struct args *a, int opt, const char *arg)
{
	struct spht_error err;

	if (opt >= SPHT_OPT_KNOWLEDGE && opt < SPHT_OPT_MODEL_END)
		return spht_model_option(&a->run, &a->model, opt, arg, &err)
			       ? usage_error("%s", err.text)
			       : 0;
	if (opt == OPT_TIMELINE) {
		a->timeline.file = arg;
		return 0;
	}
	if (opt == OPT_TIMELINE_WINDOW)
		return spht_tl_window_parse(&a->timeline.window, arg, &err)
			       ? usage_error("%s", err.text)
			       : 0;
	return opt >= OPT_CLOCK && opt <= OPT_SMT ? clock_option(a, opt, arg)
						  : reading_option(a, opt, arg);
}

static int one_option(struct args *a, int opt, const char *arg)
{
	struct spht_error err;
	unsigned long v;

	switch (opt) {
	case OPT_HEURISTIC:
		return spht_choose(&a->specs, arg);
	case OPT_LIST:
		a->list = true;
		return 0;
	case OPT_CSV:
		a->csv = arg;
		return 0;
	case OPT_JSON:
		a->json = arg;
		return 0;
	case 'j':
		if (!spht_parse_uint(arg, 1024, &v) || !v)
			return usage_error("-j %s: expected 1..1024", arg);
		a->run.jobs = (unsigned int)v;
		return 0;
	case OPT_MEMORY:
		if (!spht_parse_uint(arg, MAX_MEMORY_MIB, &v))
			return usage_error("--memory=%s: expected MiB, 0 to %u", arg,
					   MAX_MEMORY_MIB);
		a->room.memory = (size_t)v << 20;
		a->run.memory = a->room.memory * WAVE_SHARE;
		return 0;
	case OPT_COSTS:
		if (!spht_costs_load(&a->run.costs, arg, &err))
			return 0;
		fprintf(stderr, "spht-replay: %s\n", err.text);
		return EXIT_INPUT;
	case OPT_SCALE:
		return parse_scales(a, arg);
	case OPT_VM:
		return parse_vm(a, arg);
	case OPT_PARTIAL:
		a->partial = true;
		return 0;
	case OPT_TIMING:
		a->timing = true;
		return 0;
	case OPT_VERIFY:
		a->run.verify = true;
		return 0;
	case OPT_QUIET:
		a->quiet = true;
		return 0;
	case OPT_HELP:
		fputs(spht_replay_usage, stdout);
		spht_answered();
	case OPT_VERSION:
		printf("spht-replay %s (%s)\n", SPHT_VERSION, SPHT_GIT_COMMIT);
		spht_answered();
	case '?':
		fputs("spht-replay: see spht-replay --help\n", stderr);
		return EXIT_USAGE;
	default:
		return other_option(a, opt, arg);
	}
}

/* Outputs are files of their own, at most one of them stdout. */
static int check_outputs(const struct args *a, int argc, char **argv)
{
	const char *const name[] = {"--csv", "--json", "--intervals", "--histograms", "--timeline"};
	const char *const path[] = {a->csv, a->json, a->reading.intervals, a->reading.histograms,
				    a->timeline.file};
	bool report = !a->quiet;
	struct spht_error err;

	for (unsigned int i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		if (!path[i])
			continue;
		report = report && strcmp(path[i], "-");
		if (!*path[i])
			return usage_error("%s takes a file name", name[i]);
		for (unsigned int k = 0; k < i; k++)
			if (path[k] && !strcmp(path[i], path[k]))
				return usage_error("%s and %s cannot both be %s", name[k], name[i],
						   strcmp(path[i], "-") ? path[i] : "stdout");
		for (int k = optind; k < argc; k++)
			if (spht_output_is(path[i], argv[k]))
				return usage_error("%s would be replaced by its own results",
						   argv[k]);
	}
	if (spht_reading_check(&a->reading, a->json, report, argv + optind, argc - optind, &err))
		return usage_error("%s", err.text);
	return 0;
}

static int parse_args(struct args *a, int argc, char **argv)
{
	struct spht_error err;
	int opt, ret;

	memset(a, 0, sizeof(*a));
	a->run.knowledge = SPHT_WORLD_INFERRED;
	a->run.helper_prefetch = true;
	a->run.helpers = 1;
	a->run.rules = SPHT_RULES_ALL;
	a->run.bypass_guest_pf = true;
	a->run.jobs = 1;
	a->room = SPHT_ROOM_DEFAULT;
	a->run.memory = a->room.memory * WAVE_SHARE;
	a->run.scales[0] = 1;
	a->run.nr_scales = 1;
	if (spht_costs_load(&a->run.costs, "default", &err)) {
		fprintf(stderr, "spht-replay: built-in %s\n", err.text);
		return EXIT_INPUT;
	}
	while ((opt = getopt_long(argc, argv, "j:", options, NULL)) >= 0) {
		if (opt == OPT_CALIBRATE && (argc != 2 || (optarg && !*optarg)))
			return usage_error("--calibrate[=FILE] stands alone");
		if (opt == OPT_CALIBRATE) {
			spht_calibrate(optarg ? optarg : "-");
			return EXIT_INPUT;
		}
		ret = one_option(a, opt, optarg);
		if (ret)
			return ret;
	}
	if (!a->specs.nr)
		return usage_error("--heuristic=NAME is missing (try --heuristic=help)");
	/* A story is told once, of all results. */
	if (a->reading.target.kind && a->specs.nr > SPHT_SPECS_AT_ONCE)
		return usage_error("--explain=EXIT takes at most %d configurations",
				   SPHT_SPECS_AT_ONCE);
	ret = spht_chosen(&a->specs, &a->run, a->list);
	if (ret)
		return ret;
	if (optind == argc)
		return usage_error("which FILE.spht?");
	if (spht_model_check(&a->run, &err))
		return usage_error("%s", err.text);
	ret = check_outputs(a, argc, argv);
	if (!ret && spht_timeline_check(&a->timeline, &a->run, a->clock.real, argc - optind, &err))
		return usage_error("%s", err.text);
	return ret ? ret : check_clock(a);
}

static void progress(uint64_t events, void *arg)
{
	fprintf(stderr, "\r%s: %.1f M events", (const char *)arg, (double)events / 1e6);
}

/* What one wants to hear of a recording before any result, on stderr. */
static void warn(const struct spht_recording *rec)
{
	if (!rec->complete)
		fprintf(stderr,
			"spht-replay: %s: INCOMPLETE, it has no valid end: read as far as it is "
			"whole\n",
			rec->path);
	if (rec->stats.lost_events || rec->stats.lost_unknown)
		fprintf(stderr,
			"spht-replay: %s: THE RECORDING LOST EVENTS (%llu counted, %llu gaps of "
			"unknown "
			"size); results around the gaps are guesses\n",
			rec->path, (unsigned long long)rec->stats.lost_events,
			(unsigned long long)rec->stats.lost_unknown);
	if (rec->stats.snaps.damaged)
		fprintf(stderr,
			"spht-replay: %s: %llu of its snapshots of guest tables are damaged; their "
			"tables count as unknown\n",
			rec->path, (unsigned long long)rec->stats.snaps.damaged);
	if (*rec->window_said)
		fprintf(stderr,
			"spht-replay: %s: the header's kvm.prefetch_window is %s, not a power of "
			"two "
			"from 1 to 64; not used\n",
			rec->path, rec->window_said);
}

static int load_one(const struct args *a, const char *path, struct spht_recording *rec,
		    struct spht_telling *telling)
{
	bool tty = isatty(STDERR_FILENO);
	struct spht_load_options load = {
		.partial = a->partial,
		.window = a->run.window,
		.mmu_pages = a->model.mmu_pages,
		.snaps = a->model.snaps,
		.vm = a->vm_tids,
		.nr_vm = a->nr_vm,
		.roi = a->reading.roi,
		.warmup = a->reading.warmup,
		.interval_ns = spht_reading_length(&a->reading),
		.room = a->room,
		.mock = -1,
		.progress = tty && !a->quiet ? progress : NULL,
		.arg = (void *)path,
	};
	struct spht_error err;

	if (spht_telling_open(telling, &a->reading.target, a->reading.list_misses, path, &load,
			      &err) ||
	    spht_recording_load(rec, path, &load, &err)) {
		bool named = !strcmp(path, "-") || !strncmp(err.text, path, strlen(path));

		fprintf(stderr, "%sspht-replay: %s%s%s\n", load.progress ? "\r\033[K" : "",
			named ? "" : path, named ? "" : ": ", err.text);
		return -1;
	}
	if (load.progress)
		fputs("\r\033[K", stderr);
	warn(rec);
	return 0;
}

static int replay_one(struct args *a, const char *path, struct spht_outputs *out)
{
	struct spht_timeline timeline = {0};
	struct spht_telling telling;
	struct spht_recording rec;
	struct spht_error err;
	int ret = EXIT_INPUT;

	if (load_one(a, path, &rec, &telling))
		goto out_telling;
	a->run.timeline = a->timeline.file ? &timeline : NULL;
	if (spht_clock_suits(&a->run, &rec, &err) ||
	    (a->timeline.file && spht_timeline_begin(&timeline, &a->timeline, &rec, &err))) {
		fprintf(stderr, "spht-replay: %s: %s\n", path, err.text);
		spht_recording_close(&rec);
		goto out_telling;
	}
	if (out->report) {
		spht_text_recording(out->report, &rec);
		if (a->reading.explain) {
			spht_text_explain(out->report, &rec);
			spht_text_phases(out->report, &rec);
		}
		if (a->reading.list_misses)
			spht_text_misses(out->report, &rec, &telling.misses);
	}
	a->run.look_at = spht_telling_look_at(&telling);
	ret = spht_outputs_run(out, &rec, &a->run, a->vm,
			       a->reading.target.kind ? &telling.story : NULL, &err);
	if (ret) {
		fprintf(stderr, "spht-replay: %s: %s\n", path, err.text);
		ret = ret == -3 ? EXIT_IDENTITY : EXIT_INPUT;
	} else {
		ret = rec.complete ? EXIT_OK : EXIT_PARTIAL;
	}
	spht_timeline_close(&timeline);
	spht_recording_close(&rec);
out_telling:
	spht_telling_close(&telling);
	return ret;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_timing(double start)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	fprintf(stderr, "timing: wall_s=%.3f cpu_s=%.3f maxrss_kb=%ld\n",
		seconds(CLOCK_MONOTONIC) - start, seconds(CLOCK_PROCESS_CPUTIME_ID), ru.ru_maxrss);
}

static int replay_all(struct args *a, int argc, char **argv, struct spht_outputs *out)
{
	bool to_stdout = out->csv.f == stdout || out->json.f == stdout ||
			 out->intervals.f == stdout || out->histograms.f == stdout ||
			 out->timeline.f == stdout;
	int ret = EXIT_OK;

	out->report = a->quiet || to_stdout ? NULL : stdout;
	out->rows = out->json.f ? json_array() : NULL;
	for (int i = optind; i < argc && (ret == EXIT_OK || ret == EXIT_PARTIAL); i++) {
		int one = replay_one(a, argv[i], out);

		if (one)
			ret = one;
		if (out->report && i + 1 < argc)
			fputs("\n", out->report);
	}
	if ((ret == EXIT_OK || ret == EXIT_PARTIAL) && spht_outputs_finish(out))
		ret = EXIT_INPUT;
	if (out->report && (fflush(out->report) || ferror(out->report))) {
		fprintf(stderr, "spht-replay: stdout: cannot be written: %s\n", strerror(errno));
		ret = EXIT_INPUT;
	}
	return ret;
}

static struct spht_outputs out;

static void leave(void)
{
	spht_outputs_leave(&out);
}

int main(int argc, char **argv)
{
	double start = seconds(CLOCK_MONOTONIC);
	static struct args a;
	int ret;

	spht_std_files();
	/* A file that may grow no more is an error that is told, not the end. */
	signal(SIGXFSZ, SIG_IGN);
	spht_json_memory("spht-replay", EXIT_INPUT, leave);
	ret = parse_args(&a, argc, argv);
	if (ret)
		return ret;
	if ((a.csv && spht_output_open(&out.csv, a.csv)) ||
	    (a.json && spht_output_open(&out.json, a.json)) ||
	    (a.reading.intervals && spht_output_open(&out.intervals, a.reading.intervals)) ||
	    (a.reading.histograms && spht_output_open(&out.histograms, a.reading.histograms)) ||
	    (a.timeline.file && spht_output_open(&out.timeline, a.timeline.file)) ||
	    spht_outputs_apart(&out)) {
		spht_outputs_close(&out, false);
		return EXIT_INPUT;
	}
	ret = replay_all(&a, argc, argv, &out);
	/* A failed run leaves no table that could be taken for its result. */
	if (spht_outputs_close(&out, ret == EXIT_OK || ret == EXIT_PARTIAL))
		ret = EXIT_INPUT;
	spht_specs_close(&a.specs);
	if (a.timing)
		print_timing(start);
	return ret;
}
