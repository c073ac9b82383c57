// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/model-options.h"

bool spht_parse_uint(const char *s, unsigned long max, unsigned long *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoul(s, &end, 10);
	return !*end && !errno && *out <= max;
}

static int expected(struct spht_error *err, const char *option, const char *arg, const char *what)
{
	spht_error_set(err, "--%s=%.160s: expected %s", option, arg, what);
	return -1;
}

/* Which of @nr names @arg is; @nr: none. */
static unsigned int which(const char *arg, const char *(*name)(unsigned int), unsigned int nr)
{
	unsigned int i = 0;

	while (i < nr && strcmp(arg, name(i)))
		i++;
	return i;
}

static const char *world_name(unsigned int i)
{
	return spht_world_name(i);
}

static const char *snap_mode_name(unsigned int i)
{
	return spht_snap_mode_name(i);
}

static const char *rules_name(unsigned int i)
{
	return spht_rules_name(i);
}

static int window_option(struct spht_run_options *run, const char *arg, struct spht_error *err)
{
	unsigned long v;

	run->window = 0;
	if (!strcmp(arg, "auto"))
		return 0;
	if (!spht_parse_uint(arg, 64, &v) || (v != 1 && v != 8 && v != 16 && v != 32 && v != 64))
		return expected(err, "prefetch-window", arg, "auto, 1, 8, 16, 32 or 64");
	run->window = (unsigned int)v;
	return 0;
}

static int mmu_pages_option(struct spht_model_options *m, const char *arg, struct spht_error *err)
{
	unsigned long v;

	m->mmu_pages = 0;
	if (!strcmp(arg, "auto"))
		return 0;
	if (!spht_parse_uint(arg, INT32_MAX, &v) || v < SPHT_MIN_MMU_PAGES) {
		spht_error_set(err,
			       "--mmu-pages=%.160s: expected auto or a number from %u to "
			       "2147483647",
			       arg, SPHT_MIN_MMU_PAGES);
		return -1;
	}
	m->mmu_pages = (uint32_t)v;
	return 0;
}

static int helpers_option(struct spht_run_options *run, const char *arg, struct spht_error *err)
{
	unsigned long v;

	run->helpers = SPHT_HELPERS_PER_VCPU;
	if (!strcmp(arg, "vcpu"))
		return 0;
	if (!spht_parse_uint(arg, 64, &v) || !v)
		return expected(err, "helpers", arg, "vcpu or 1..64");
	run->helpers = (unsigned int)v;
	return 0;
}

static int flag_option(bool *flag, const char *option, const char *arg, struct spht_error *err)
{
	unsigned long v;

	if (!spht_parse_uint(arg, 1, &v))
		return expected(err, option, arg, "0 or 1");
	*flag = v;
	return 0;
}

/* Options whose value is one of a few names. */
static int named_option(struct spht_run_options *run, struct spht_model_options *m,
			enum spht_model_opt opt, const char *arg, struct spht_error *err)
{
	switch (opt) {
	case SPHT_OPT_KNOWLEDGE:
		run->knowledge = which(arg, world_name, SPHT_WORLD_NR);
		return run->knowledge < SPHT_WORLD_NR
			       ? 0
			       : expected(err, "knowledge", arg, "strict, inferred or optimistic");
	case SPHT_OPT_LEGALITY:
		run->legality = !strcmp(arg, "present") ? SPHT_LEGAL_PRESENT : SPHT_LEGAL_ACCESSED;
		return run->legality == SPHT_LEGAL_PRESENT || !strcmp(arg, "accessed")
			       ? 0
			       : expected(err, "legality", arg, "accessed or present");
	case SPHT_OPT_SNAPSHOTS:
		m->snaps = which(arg, snap_mode_name, SPHT_SNAP_MODES);
		return m->snaps < SPHT_SNAP_MODES
			       ? 0
			       : expected(err, "snapshots", arg, "use, ignore or score");
	case SPHT_OPT_RULES:
		run->rules = which(arg, rules_name, SPHT_RULES_NR);
		return run->rules < SPHT_RULES_NR
			       ? 0
			       : expected(err, "rules", arg,
					  "naive, validity, lifetime, prefetch or all");
	case SPHT_OPT_KVM:
		run->kvm = spht_kvm_find(arg);
		if (run->kvm || !strcmp(arg, "auto"))
			return 0;
		spht_error_set(err, "--kvm=%.160s: expected auto, %s", arg, spht_kvm_names());
		return -1;
	default:
		run->curve = true;
		return strcmp(arg, "latency") ? expected(err, "curve", arg, "latency") : 0;
	}
}

int spht_model_option(struct spht_run_options *run, struct spht_model_options *m,
		      enum spht_model_opt opt, const char *arg, struct spht_error *err)
{
	switch (opt) {
	case SPHT_OPT_WINDOW:
		return window_option(run, arg, err);
	case SPHT_OPT_MMU_PAGES:
		return mmu_pages_option(m, arg, err);
	case SPHT_OPT_HELPERS:
		return helpers_option(run, arg, err);
	case SPHT_OPT_HELPER_PREFETCH:
		return flag_option(&run->helper_prefetch, "helper-prefetch", arg, err);
	case SPHT_OPT_BYPASS:
		return flag_option(&run->bypass_guest_pf, "bypass-guest-pf", arg, err);
	default:
		return named_option(run, m, opt, arg, err);
	}
}

int spht_model_check(struct spht_run_options *run, struct spht_error *err)
{
	if (!run->kvm || run->kvm->prefetches)
		return 0;
	if (run->window > 1) {
		spht_error_set(err, "--kvm=%s did not prefetch: not with --prefetch-window=%u",
			       run->kvm->name, run->window);
		return -1;
	}
	run->window = 1;
	return 0;
}
