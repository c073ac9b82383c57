// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/recording.h"
#include "spht_trace.h"

#define PROGRESS_EVENTS    (1u << 20)

/* Hidden faults below which the absence of wide prefetch groups says nothing. */
#define WINDOW_MIN_FAULTS  100
#define SPHT_WINDOW_MAX    64u

/* More than this share of #PF exits under other paging modes: not a 4-level guest. */
#define MODE_LIMIT_PERCENT 1

static void copy(char *to, size_t size, const json_t *o, const char *section, const char *key)
{
	const char *s = json_string_value(json_object_get(json_object_get(o, section), key));

	snprintf(to, size, "%s", s ? s : "");
}

static int read_header(struct spht_recording *r, const json_t *h)
{
	const json_t *real = json_object_get(h, "clock_real");

	copy(r->host_kernel, sizeof(r->host_kernel), h, "host", "kernel");
	copy(r->guest_kernel, sizeof(r->guest_kernel), h, "guest", "kernel");
	r->clock_known = json_is_boolean(real);
	r->clock_real = json_is_true(real);
	return 0;
}

static bool has_kvm_exit(const struct spht_reader *reader)
{
	const json_t *counts = json_object_get(spht_reader_footer(reader), "events_by_type");
	const struct spht_event_type *types;
	const char *count;
	unsigned int nr;

	types = spht_reader_types(reader, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		if (types[i].id != SPHT_EV_EXIT)
			continue;
		/* Without a footer the type's being listed has to do. */
		count = json_string_value(json_array_get(counts, i));
		return !count || strtoull(count, NULL, 0) > 0;
	}
	return false;
}

static int feed(struct spht_recording *r, struct spht_reader *reader, struct spht_assemble *a,
		const struct spht_load_options *opt, struct spht_error *err)
{
	const struct spht_event *ev;
	struct spht_error damage;
	uint64_t n = 0;
	int ret;

	while ((ret = spht_reader_next(reader, &ev, &damage)) > 0) {
		r->notifier_events += ev->id == SPHT_EV_UNMAP_HVA_RANGE;
		if (spht_assemble_event(a, ev, err))
			return -1;
		if (opt->progress && !(++n & (PROGRESS_EVENTS - 1)))
			opt->progress(n, opt->arg);
	}
	if (ret < 0) {
		if (!opt->partial) {
			*err = damage;
			return -1;
		}
		r->complete = false;
	}
	/* Blocks in the middle that cannot be read show only now. */
	r->complete = r->complete && spht_reader_complete(reader);
	return spht_assemble_finish(a, err);
}

static int check_guest(const struct spht_recording *r, struct spht_error *err)
{
	const struct spht_assemble_stats *st = &r->stats;
	uint64_t pf = st->mode_skipped;

	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++)
		pf += st->by_class[c];
	if (!pf) {
		spht_error_set(err,
			       "%s: no page-fault exit in it; record a running guest under shadow "
			       "paging with the kvm and kvmmmu events",
			       r->path);
		return -1;
	}
	if (st->mode_skipped * 100 <= pf * MODE_LIMIT_PERCENT)
		return 0;
	spht_error_set(err,
		       "%s: %" PRIu64 " of %" PRIu64
		       " #PF exits ran under %s page tables; only 4-level guests are modelled",
		       r->path, st->mode_skipped, pf,
		       st->mode_5level >= st->mode_pae && st->mode_5level >= st->mode_32bit
			       ? "5-level"
		       : st->mode_pae >= st->mode_32bit ? "PAE"
							: "32-bit");
	return -1;
}

/* One pass over the file with a given idea of KVM's prefetch window. */
static int load_pass(struct spht_recording *r, struct spht_reader *reader,
		     const struct spht_role_layout *layout, const struct spht_load_options *opt,
		     struct spht_error *err)
{
	struct spht_assemble *a = NULL;
	int ret = -1;

	r->observed = spht_observed_open(layout, r->window);
	if (r->observed)
		a = spht_assemble_open(has_kvm_exit(reader), spht_observed_exit, r->observed);
	if (!a || (opt->nr_vm && spht_assemble_select(a, opt->vm, opt->nr_vm))) {
		spht_error_set(err, "out of memory");
		goto out;
	}
	spht_observed_mock(r->observed, opt->mock);
	if (feed(r, reader, a, opt, err))
		goto out;
	r->stats = *spht_assemble_stats(a);
	ret = spht_observed_finish(r->observed, err);
out:
	spht_assemble_close(a);
	return ret;
}

static unsigned int header_window(const json_t *h)
{
	json_int_t w =
		json_integer_value(json_object_get(json_object_get(h, "kvm"), "prefetch_window"));

	return w >= 1 && w <= 64 && !(w & (w - 1)) ? (unsigned int)w : 0;
}

/*
 * Do the recorded groups, which span @seen entries, fit the window?  Few faults
 * prove nothing; a window that the user gave must be the recording's own.
 */
static bool window_fits(const struct spht_recording *r, unsigned int given, unsigned int seen)
{
	if (seen > r->window)
		return false;
	if (seen == r->window || r->stats.by_class[SPHT_CLASS_HIDDEN] < WINDOW_MIN_FAULTS)
		return true;
	return !given && !r->window_derived;
}

int spht_recording_load(struct spht_recording *r, const char *path,
			const struct spht_load_options *opt, struct spht_error *err)
{
	unsigned int flags = opt->partial ? SPHT_READ_PARTIAL : 0, known, seen;
	const struct spht_role_layout *layout;
	struct spht_reader *reader;
	int ret = -1;

	memset(r, 0, sizeof(*r));
	reader = spht_reader_open(path, flags, err);
	if (!reader)
		return -1;
	r->path = strdup(path);
	r->complete = spht_reader_complete(reader);
	if (!r->path || read_header(r, spht_reader_header(reader)) ||
	    spht_reader_sha256(reader, r->sha256, err))
		goto out;
	layout = spht_role_layout(r->host_kernel, err);
	if (!layout)
		goto out;
	known = header_window(spht_reader_header(reader));
	/* 8 since Linux 2.6.37; whether that holds here, the recorded groups tell. */
	r->window = opt->window ? opt->window : known ? known : 8;
	r->window_derived = !opt->window && !known;
	if (load_pass(r, reader, layout, opt, err))
		goto out;
	seen = spht_observed_window(r->observed);
	if (seen > SPHT_WINDOW_MAX)
		seen = SPHT_WINDOW_MAX;
	if (!window_fits(r, opt->window, seen)) {
		if (!r->window_derived || !strcmp(path, "-")) {
			spht_error_set(err,
				       "%s: its prefetch groups span %u entries, not %u; use "
				       "--prefetch-window=%u",
				       path, seen, r->window, seen);
			goto out;
		}
		r->window = seen;
		spht_observed_close(r->observed);
		r->observed = NULL;
		r->notifier_events = 0;
		spht_reader_close(reader);
		reader = spht_reader_open(path, flags, err);
		if (!reader || load_pass(r, reader, layout, opt, err))
			goto out;
	}
	ret = check_guest(r, err);
out:
	spht_reader_close(reader);
	if (ret)
		spht_recording_close(r);
	return ret;
}

void spht_recording_close(struct spht_recording *r)
{
	spht_observed_close(r->observed);
	r->observed = NULL;
	free(r->path);
	r->path = NULL;
}
