// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/kvmstats.h"
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

static void read_header(struct spht_recording *r, const json_t *h)
{
	const json_t *real = json_object_get(h, "clock_real");

	copy(r->host_kernel, sizeof(r->host_kernel), h, "host", "kernel");
	copy(r->guest_kernel, sizeof(r->guest_kernel), h, "guest", "kernel");
	r->clock_known = json_is_boolean(real);
	r->clock_real = json_is_true(real);
}

static bool has_kvm_exit(const struct spht_reader *reader)
{
	const json_t *kvm = json_object_get(spht_reader_header(reader), "kvm");
	const char *module = json_string_value(json_object_get(kvm, "module"));
	const json_t *counts = json_object_get(spht_reader_footer(reader), "events_by_type");
	const struct spht_event_type *types;
	const char *count;
	unsigned int nr;

	types = spht_reader_types(reader, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		if (types[i].id != SPHT_EV_EXIT)
			continue;
		/* Without a footer the type's being listed has to do; kvm_pvm has it and never uses it. */
		count = json_string_value(json_array_get(counts, i));
		return count ? strtoull(count, NULL, 0) > 0 : !module || strcmp(module, "kvm_pvm");
	}
	return false;
}

/* Windows that begin in the region of interest, as assemble counts all of them. */
static void count_window(struct spht_assemble_stats *c, const struct spht_exit *x)
{
	c->exits_total++;
	c->by_class[x->cls] += x->cls != SPHT_CLASS_NONE;
	c->emul_sub[x->sub]++;
	c->nopaging += x->nopaging;
	c->refault += x->refault;
	c->mode_skipped += x->is_pf && x->cls == SPHT_CLASS_NONE;
}

/*
 * KVM's pf_taken counts in kvm_mmu_do_page_fault(), which a fault on a cached
 * MMIO entry, told by the error code's bit for reserved bits, does not reach
 * (arch/x86/kvm/mmu/mmu.c:kvm_mmu_page_fault).
 */
static void compare_counter(struct spht_recording *r, const struct spht_exit *x)
{
	if (x->t_exit < r->pf_from || x->t_exit > r->pf_to)
		return;
	for (size_t i = 0; i < x->nr_ops; i++)
		r->zaps.recorded += x->ops[i].kind == SPHT_OP_ZAP;
	if (x->kind != SPHT_EXIT_WINDOW || !x->is_pf)
		return;
	if (x->pfec & SPHT_PF_RSVD)
		r->pf_mmio++;
	else
		r->pf_counted++;
}

static int on_counted_exit(void *arg, const struct spht_exit *x, struct spht_error *err)
{
	struct spht_recording *r = arg;
	struct spht_phase *phase = NULL;

	if (r->phases.nr)
		phase = spht_phases_exit(&r->phases, x->t_exit,
					 spht_observed_fidelity(r->observed));
	compare_counter(r, x);
	if (x->kind == SPHT_EXIT_WINDOW) {
		if (spht_roi_has(&r->roi, x->t_exit)) {
			count_window(&r->counted, x);
			if (phase)
				count_window(&phase->exits, x);
		}
	}
	if (!r->tap)
		return spht_observed_exit(r->observed, x, err);
	if (r->tap->before(r->tap->arg, x))
		goto no_memory;
	if (spht_observed_exit(r->observed, x, err))
		return -1;
	if (!r->tap->after(r->tap->arg, x))
		return 0;
no_memory:
	spht_error_set(err, "out of memory for what is to be explained");
	return -1;
}

/* Marks are of the VM that is followed. */
static bool is_followed(const struct spht_load_options *opt, int32_t tid)
{
	for (size_t i = 0; i < opt->nr_vm; i++)
		if (opt->vm[i] == tid)
			return true;
	return !opt->nr_vm;
}

static int feed(struct spht_recording *r, struct spht_reader *reader, struct spht_assemble *a,
		const struct spht_load_options *opt, struct spht_error *err)
{
	const struct spht_event_type *types;
	const struct spht_event *rows, *ev;
	unsigned int nr_types;
	uint64_t n = 0;
	size_t nr;
	int ret;

	types = spht_reader_types(reader, &nr_types);
	while ((ret = spht_reader_rows(reader, &rows, &nr, err)) > 0) {
		for (ev = rows; ev < rows + nr; ev++) {
			r->notifier_events += ev->id == SPHT_EV_UNMAP_HVA_RANGE;
			if (ev->id == SPHT_EV_PIO && is_followed(opt, ev->pid))
				spht_roi_event(&r->roi, &types[ev->type], ev);
			if (spht_assemble_event(a, ev, err))
				return -1;
			if (opt->progress && !(++n & (PROGRESS_EVENTS - 1)))
				opt->progress(n, opt->arg);
		}
	}
	/* With --partial the reader has made losses of all damage: this is another reason. */
	if (ret < 0)
		return -1;
	/* Blocks in the middle that cannot be read show only now. */
	r->complete = r->complete && spht_reader_complete(reader);
	return spht_assemble_finish(a, err);
}

uint64_t spht_recording_pf(const struct spht_recording *r)
{
	uint64_t pf = r->stats.mode_skipped;

	for (unsigned int c = 0; c < SPHT_CLASS_NR; c++)
		pf += r->stats.by_class[c];
	return pf;
}

static int check_guest(const struct spht_recording *r, struct spht_error *err)
{
	const struct spht_assemble_stats *st = &r->stats;
	uint64_t pf = spht_recording_pf(r);

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

/* The kernel's own description, where it was recorded, before what is known of its version. */
static const struct spht_role_layout *find_layout(struct spht_recording *r, const json_t *h,
						  struct spht_error *err)
{
	const json_t *fields = json_object_get(json_object_get(h, "kvm"), "role");
	struct spht_error why;

	if (!fields || json_is_null(fields))
		return spht_role_layout(r->host_kernel, err);
	if (!spht_role_from_json(fields, &r->role, &why))
		return &r->role;
	spht_error_set(err, "%.200s: %.300s", r->path, why.text);
	return NULL;
}

/* First and last time stamp of what is no preamble, as the index has them; 0 and 0: nothing. */
static void find_span(const struct spht_reader *reader, uint64_t *start, uint64_t *end)
{
	const struct spht_block_info *b;
	size_t nr;

	*start = UINT64_MAX;
	*end = 0;
	b = spht_reader_blocks(reader, &nr);
	for (size_t i = 0; i < nr; i++) {
		if (b[i].preamble)
			continue;
		if (b[i].first_ts < *start)
			*start = b[i].first_ts;
		if (b[i].last_ts > *end)
			*end = b[i].last_ts;
	}
	if (*start > *end)
		*start = *end = 0;
}

/* What is to be counted, and by what. */
static int open_counts(struct spht_recording *r, const struct spht_reader *reader,
		       const struct spht_load_options *opt, struct spht_error *err)
{
	const json_t *h = spht_reader_header(reader);
	uint64_t start, end;

	memset(&r->counted, 0, sizeof(r->counted));
	r->pf_counted = r->pf_mmio = r->zaps.recorded = 0;
	find_span(reader, &start, &end);
	r->start = start;
	if (spht_roi_open(&r->roi, opt->roi, h, err) ||
	    spht_roi_warmup(&r->roi, opt->warmup, h, start, end, err))
		return -1;
	return spht_phases_open(&r->phases, opt->interval_ns, start, end, err);
}

/* One pass over the file with a given idea of KVM's prefetch window. */
static int load_pass(struct spht_recording *r, struct spht_reader *reader,
		     const struct spht_role_layout *layout, const struct spht_load_options *opt,
		     struct spht_error *err)
{
	bool all = !opt->roi && !opt->warmup && !opt->interval_ns && !opt->tap && !r->has_pf_taken;
	struct spht_assemble *a = NULL;
	int ret = -1;

	if (open_counts(r, reader, opt, err))
		return -1;
	r->observed = spht_observed_open(layout, r->window, opt->room);
	if (r->observed)
		a = spht_assemble_open(has_kvm_exit(reader),
				       all ? spht_observed_exit : on_counted_exit,
				       all ? (void *)r->observed : r);
	if (!a || (opt->nr_vm && spht_assemble_select(a, opt->vm, opt->nr_vm))) {
		spht_error_set(err, "out of memory");
		goto out;
	}
	spht_observed_mock(r->observed, opt->mock);
	spht_observed_snapshots(r->observed, opt->snaps);
	if (opt->snaps == SPHT_SNAP_IGNORE)
		spht_assemble_ignore_snaps(a);
	r->snap_mode = opt->snaps;
	r->tap = opt->tap;
	if (r->tap)
		r->tap->start(r->tap->arg, r->observed, r->start);
	spht_observed_set_limit(r->observed, r->mmu_pages);
	if (feed(r, reader, a, opt, err) || (opt->nr_vm && spht_assemble_check_selected(a, err)) ||
	    spht_roi_finish(&r->roi, err))
		goto out;
	r->stats = *spht_assemble_stats(a);
	r->counted.has_exits = r->stats.has_exits;
	if (!spht_roi_given(&r->roi))
		r->counted = r->stats;
	for (uint32_t i = 0; i < r->phases.nr; i++)
		r->phases.v[i].exits.has_exits = r->stats.has_exits;
	spht_phases_finish(&r->phases, spht_observed_fidelity(r->observed));
	ret = spht_observed_finish(r->observed, err);
	if (!ret && opt->snaps == SPHT_SNAP_SCORE && r->stats.snaps.taken)
		ret = spht_score_run(&r->score, spht_observed_steps(r->observed),
				     spht_observed_shadow(r->observed)->tables.nr, err);
out:
	spht_assemble_close(a);
	return ret;
}

static unsigned int header_window(struct spht_recording *r, const json_t *h)
{
	const json_t *said = json_object_get(json_object_get(h, "kvm"), "prefetch_window");
	json_int_t w = json_integer_value(said);
	char *text;

	if (w >= 1 && w <= SPHT_WINDOW_MAX && !(w & (w - 1)))
		return (unsigned int)w;
	if (said && !json_is_null(said)) {
		text = json_dumps(said, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
		snprintf(r->window_said, sizeof(r->window_said), "%s", text ? text : "?");
		free(text);
	}
	return 0;
}

/* KVM's own count of page faults; a cut has only some of them. */
static void read_counters(struct spht_recording *r, const struct spht_reader *reader)
{
	const json_t *h = spht_reader_header(reader), *f = spht_reader_footer(reader);
	struct spht_zap_counters *z = &r->zaps;

	if (!json_object_get(h, "cut"))
		r->has_pf_taken =
			spht_kvmstats_rise(h, spht_reader_footer(reader), "pf_taken", &r->pf_taken);
	spht_kvmstats_span(h, spht_reader_footer(reader), &r->pf_from, &r->pf_to);
	z->known = r->has_pf_taken && spht_kvmstats_rise(h, f, "mmu_shadow_zapped", &z->zapped) &&
		   spht_kvmstats_rise(h, f, "mmu_flooded", &z->flooded) &&
		   spht_kvmstats_rise(h, f, "mmu_recycled", &z->recycled);
}

/*
 * The limit of shadow pages, where user or header tell: "memslots", in the header
 * or its "kvm", are objects with their number of pages, "npages".
 */
static void read_limit(struct spht_recording *r, const json_t *h, uint32_t given)
{
	const json_t *slots = json_object_get(h, "memslots"), *slot;
	uint64_t pages = 0;
	size_t i;

	if (!slots)
		slots = json_object_get(json_object_get(h, "kvm"), "memslots");
	json_array_foreach(slots, i, slot)
	{
		json_int_t n = json_integer_value(json_object_get(slot, "npages"));

		/* No address has more bits than 52. */
		if (n > 0 && n < 1ll << 40)
			pages += (uint64_t)n;
	}
	r->mmu_pages = given ? given : pages ? spht_default_mmu_pages(pages) : SPHT_UNLIMITED;
	r->mmu_pages_from = given ? SPHT_LIMIT_GIVEN : pages ? SPHT_LIMIT_HEADER : SPHT_LIMIT_NONE;
}

/* Recycling was recorded and no limit known: it tells the limit. */
static bool learn_limit(struct spht_recording *r)
{
	uint32_t seen = spht_observed_limit_seen(r->observed);

	/* Around a gap a VM that ends looks like one that is short of pages. */
	if (r->stats.lost_events || r->stats.lost_unknown)
		return false;
	if (r->mmu_pages != SPHT_UNLIMITED || !seen)
		return false;
	r->mmu_pages = seen;
	r->mmu_pages_from = SPHT_LIMIT_SEEN;
	return true;
}

/*
 * KVM's events do not name their VM, so the shadow pages of two VMs cannot be
 * told apart unless the threads of one are picked.  The recorder's list, where
 * there is one, tells whether there were two.
 */
static int check_vms(const struct spht_recording *r, const struct spht_reader *reader,
		     const struct spht_load_options *opt, struct spht_error *err)
{
	const json_t *vms = json_object_get(spht_reader_footer(reader), "vms"), *vm;
	char tids[200] = "";
	unsigned int running = 0;
	size_t i;

	if (opt->nr_vm)
		return 0;
	json_array_foreach(vms, i, vm)
	{
		const json_t *vcpus = json_object_get(vm, "vcpus");
		const char *tid;
		json_t *id;

		if (!json_object_size(vcpus))
			continue;
		strncat(tids, running++ ? " or --vm=" : "--vm=", sizeof(tids) - strlen(tids) - 1);
		json_object_foreach((json_t *)vcpus, tid, id)
		{
			if (tids[strlen(tids) - 1] != '=')
				strncat(tids, ",", sizeof(tids) - strlen(tids) - 1);
			strncat(tids, tid, sizeof(tids) - strlen(tids) - 1);
		}
	}
	if (running < 2)
		return 0;
	spht_error_set(err, "%s: %u VMs are in it, follow one of them: %s", r->path, running, tids);
	return -1;
}

/*
 * Do the recorded groups, which span @seen entries, fit the window?  Few faults
 * prove nothing; a header is believed.
 */
static bool window_fits(const struct spht_recording *r, unsigned int seen)
{
	if (seen > r->window)
		return false;
	return seen == r->window || r->stats.by_class[SPHT_CLASS_HIDDEN] < WINDOW_MIN_FAULTS ||
	       !r->window_derived;
}

/* What KVM prefetched was touched without a trace: nobody can say what no prefetch would do. */
static int check_window(const struct spht_recording *r, const struct spht_load_options *opt,
			struct spht_error *err)
{
	if (!opt->window || opt->window >= r->window)
		return 0;
	spht_error_set(err,
		       "%s: recorded with KVM's own prefetch of %u entries, whose touches left no "
		       "trace: --prefetch-window=%u needs a recording of %u or less",
		       r->path, r->window, opt->window, opt->window);
	return -1;
}

/* The window that the recording shows, if it is *@other than the one it was read with. */
static int learn_window(struct spht_recording *r, bool *other, struct spht_error *err)
{
	unsigned int seen = spht_observed_window(r->observed);

	if (seen > SPHT_WINDOW_MAX)
		seen = SPHT_WINDOW_MAX;
	*other = !window_fits(r, seen);
	if (!*other)
		return 0;
	if (!r->window_derived) {
		spht_error_set(err,
			       "%s: its prefetch groups span %u entries, not %u as its header says",
			       r->path, seen, r->window);
		return -1;
	}
	r->window = seen;
	return 0;
}

/* What the first pass found, before the second one. */
static void forget(struct spht_recording *r)
{
	spht_observed_close(r->observed);
	r->observed = NULL;
	spht_roi_close(&r->roi);
	spht_phases_close(&r->phases);
	r->notifier_events = 0;
}

int spht_recording_load(struct spht_recording *r, const char *path,
			const struct spht_load_options *opt, struct spht_error *err)
{
	unsigned int flags = opt->partial ? SPHT_READ_PARTIAL : 0, known;
	bool other_window, other_limit;
	const struct spht_role_layout *layout;
	struct spht_reader *reader;
	int ret = -1;

	memset(r, 0, sizeof(*r));
	reader = spht_reader_open(path, flags, err);
	if (!reader)
		return -1;
	r->path = strdup(path);
	r->complete = spht_reader_complete(reader);
	if (!r->path) {
		spht_error_set(err, "%s: out of memory", path);
		goto out;
	}
	read_header(r, spht_reader_header(reader));
	if (spht_reader_sha256(reader, r->sha256, err))
		goto out;
	layout = find_layout(r, spht_reader_header(reader), err);
	if (!layout || check_vms(r, reader, opt, err))
		goto out;
	known = header_window(r, spht_reader_header(reader));
	/* 8 since Linux 2.6.37; whether that holds here, the recorded groups tell. */
	r->window = known ? known : opt->window ? opt->window : 8;
	r->window_derived = !known;
	read_counters(r, reader);
	read_limit(r, spht_reader_header(reader), opt->mmu_pages);
	if (load_pass(r, reader, layout, opt, err))
		goto out;
	if (learn_window(r, &other_window, err))
		goto out;
	other_limit = learn_limit(r);
	if ((other_window || other_limit) && spht_trace_once(path)) {
		spht_error_set(err,
			       "%s: a pipe cannot be read again with what it has shown; use "
			       "--prefetch-window=%u --mmu-pages=%u, or a file",
			       path, r->window, r->mmu_pages);
		goto out;
	}
	if (other_window || other_limit) {
		forget(r);
		spht_reader_close(reader);
		reader = spht_reader_open(path, flags, err);
		if (!reader || load_pass(r, reader, layout, opt, err))
			goto out;
	}
	ret = check_window(r, opt, err);
	if (!ret)
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
	spht_roi_close(&r->roi);
	spht_phases_close(&r->phases);
	free(r->path);
	r->path = NULL;
}
