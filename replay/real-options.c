// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "replay/real-options.h"

/* A longer queue than that is none. */
#define MAX_QUEUE (1u << 14)

int spht_clock_option(struct spht_clock_options *o, const char *arg, struct spht_error *err)
{
	o->real = !strcmp(arg, "real");
	if (o->real || !strcmp(arg, "virtual"))
		return 0;
	spht_error_set(err, "--clock=%s: expected virtual or real", arg);
	return -1;
}

static int parse_count(const char *name, const char *arg, unsigned int least, unsigned int *n,
		       struct spht_error *err)
{
	unsigned long v;
	char *end;

	if (!arg)
		return 0;
	v = strtoul(arg, &end, 10);
	if (*arg < '0' || *arg > '9' || *end || v < least || v > SPHT_MAX_REPETITIONS) {
		spht_error_set(err, "%s=%s: expected %u to %d", name, arg, least,
			       SPHT_MAX_REPETITIONS);
		return -2;
	}
	*n = (unsigned int)v;
	return 0;
}

static int parse_pace(const char *arg, double *pace, struct spht_error *err)
{
	char *end;

	*pace = 1;
	if (!arg || !strcmp(arg, "recorded"))
		return 0;
	*pace = 0;
	if (!strcmp(arg, "max"))
		return 0;
	*pace = strtod(arg, &end);
	if (end != arg && !*end && *pace >= 1e-3 && *pace <= 1e9)
		return 0;
	spht_error_set(err, "--pace=%s: expected recorded, max, or a factor from 0.001 to 1e9",
		       arg);
	return -2;
}

/* What only the real clock has, without it. */
static int check_virtual(const struct spht_clock_options *o, struct spht_error *err)
{
	const char *name = o->pace          ? "--pace"
			   : o->repetitions ? "--repetitions"
			   : o->warmups     ? "--warmup-runs"
			   : o->cpus        ? "--cpus"
			   : o->smt         ? "--smt"
					    : NULL;

	if (!name)
		return 0;
	spht_error_set(err, "%s goes with --clock=real alone", name);
	return -2;
}

/* The first option that the real clock does not go with; NULL: none. */
static const char *unfit(const struct spht_run_options *run, bool intervals, bool story)
{
	for (unsigned int i = 0; i < run->nr_specs; i++)
		if (run->specs[i].h->foresee)
			return "an oracle, which takes no time";
	if (run->jobs > 1)
		return "--jobs, whose threads would be in the way";
	if (run->helpers != 1)
		return "--helpers, it has one";
	if (run->curve)
		return "--curve, which is without a clock";
	if (run->rules != SPHT_RULES_ALL)
		return "--rules, whose lower levels take no time";
	if (run->verify)
		return "--verify, which takes time of its own";
	if (intervals)
		return "--interval, --intervals or --histograms";
	return story ? "--explain=EXIT" : NULL;
}

static int parse_plan(struct spht_clock_options *o, struct spht_error *err)
{
	struct spht_real_plan *p = &o->plan;
	int asked[2], ret;
	cpu_set_t set;

	*p = (struct spht_real_plan){.warmups = 1, .repetitions = 5};
	ret = parse_pace(o->pace, &p->pace, err);
	if (!ret)
		ret = parse_count("--repetitions", o->repetitions, 1, &p->repetitions, err);
	if (!ret)
		ret = parse_count("--warmup-runs", o->warmups, 0, &p->warmups, err);
	if (ret)
		return ret;
	if (o->cpus && spht_cpus_parse(o->cpus, asked)) {
		spht_error_set(err,
			       "--cpus=%s: expected two CPUs, the vCPU's and the helper's: 2,3",
			       o->cpus);
		return -2;
	}
	if (spht_cpus_allowed(&set, err))
		return -1;
	return spht_cpus_choose(&p->cpus, SPHT_CPUS_SYSFS, &set, o->cpus ? asked : NULL, o->smt,
				err);
}

int spht_clock_check(struct spht_clock_options *o, struct spht_run_options *run, bool intervals,
		     bool story, struct spht_error *err)
{
	const char *what;
	int ret;

	if (!o->real)
		return check_virtual(o, err);
	what = unfit(run, intervals, story);
	if (what) {
		spht_error_set(err, "--clock=real does not go with %s", what);
		return -2;
	}
	if (run->costs.queue_limit > MAX_QUEUE) {
		spht_error_set(err,
			       "--clock=real: the profile's queue_limit is %llu, at most %u go",
			       (unsigned long long)run->costs.queue_limit, MAX_QUEUE);
		return -2;
	}
	ret = parse_plan(o, err);
	if (!ret)
		run->real = &o->plan;
	return ret;
}

int spht_clock_suits(const struct spht_run_options *run, const struct spht_recording *r,
		     struct spht_error *err)
{
	if (!run->real)
		return 0;
	if (!r->stats.has_exits) {
		spht_error_set(err, "--clock=real: without kvm_exit and kvm_entry nothing says how "
				    "long the guest ran");
		return -1;
	}
	if (r->stats.vcpus <= 1)
		return 0;
	spht_error_set(err,
		       "--clock=real plays one vCPU, and the recording has %u; --vm=TID "
		       "chooses the thread of one",
		       r->stats.vcpus);
	return -1;
}
