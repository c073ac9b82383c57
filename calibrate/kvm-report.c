// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/faults.h"
#include "calibrate/host.h"
#include "calibrate/kvm-report.h"
#include "calibrate/pair.h"
#include "calibrate/tracing.h"

#define GROUP_ENTRIES 8 /* that one fault makes */
#define ELSEWHERE     "; spht-calibrate --lead measures what needs no KVM"

struct figures {
	struct cost fault[FAULT_NR], pair[PAIR_NR], pair_mean[PAIR_NR];
	struct cost plain, traced; /* hidden, 7 neighbours, by turns */
	struct cost wake, read, read_one, memory;
	char where[320]; /* KVM and machine, for sources */
};

static bool reads_yes(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = 'N';

	if (fd < 0)
		return false;
	if (read(fd, &c, 1) != 1)
		c = 'N';
	close(fd);
	return c == 'Y' || c == '1';
}

const char *kvm_check(void)
{
	static const char *const modules[] = {"kvm_pvm", "kvm_intel", "kvm_amd"};
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	char path[64];

	if (fd < 0)
		die_errno("/dev/kvm cannot be opened, so exits cannot be measured" ELSEWHERE);
	close(fd);
	if (reads_yes("/sys/module/kvm_intel/parameters/ept"))
		die("KVM does not shadow here: kvm_intel has ept=1, load it with ept=0" ELSEWHERE);
	if (reads_yes("/sys/module/kvm_amd/parameters/npt"))
		die("KVM does not shadow here: kvm_amd has npt=1, load it with npt=0" ELSEWHERE);
	for (unsigned int i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", modules[i]);
		if (!access(path, F_OK))
			return modules[i];
	}
	return "kvm";
}

/* By turns, so that what the machine does meanwhile falls on all of them. */
static void measure(const struct machine *m, unsigned int runs, struct figures *f)
{
	bool traces = true;

	for (unsigned int run = 0; run < runs; run++) {
		machine_pin(m->main_cpu);
		for (unsigned int i = 0; i < FAULT_NR; i++)
			fault_measure(m, i, &f->fault[i]);
		fault_measure(m, FAULT_HIDDEN, &f->plain);
		traces = traces && tracing_on();
		if (traces)
			fault_measure(m, FAULT_HIDDEN, &f->traced);
		tracing_off();
		for (unsigned int i = 0; i < PAIR_NR; i++)
			pair_measure(m, i, &f->pair[i], &f->pair_mean[i]);
		host_wake(m, &f->wake);
		host_read_written(m, 4, &f->read);
		host_read_written(m, 1, &f->read_one);
		host_read_memory(m, &f->memory);
	}
}

static void print(FILE *out, const char *name, const struct cost *c)
{
	if (c->runs)
		fprintf(out, "%-36s %8.0f ns, most %6.0f; medians of %zu each\n", name,
			cost_value(c), cost_most(c), c->per_run);
}

static void print_all(FILE *out, const struct figures *f)
{
	for (unsigned int i = 0; i < FAULT_NR; i++)
		print(out, fault_names[i], &f->fault[i]);
	for (unsigned int i = 0; i < PAIR_NR; i++) {
		print(out, pair_names[i], &f->pair[i]);
		print(out, "  mean without outliers", &f->pair_mean[i]);
	}
	print(out, "hidden, 7 neighbours, once more", &f->plain);
	print(out, "the same, all events traced", &f->traced);
	print(out, "wake-up on the other CPU", &f->wake);
	print(out, "4 lines the other CPU has written", &f->read);
	print(out, "1 line the other CPU has written", &f->read_one);
	print(out, "4 lines no cache has", &f->memory);
}

static void set(struct profile *p, const struct figures *f, const char *key, const struct cost *c,
		const char *what)
{
	profile_set(
		p, key, cost_value(c),
		"measured: %s; the least disturbed of %u runs, median of %zu; the most %.0f ns; %s",
		what, c->runs, c->per_run, cost_most(c), f->where);
}

static void set_exits(struct profile *p, const struct figures *f)
{
	const struct cost *c = f->fault;
	char what[160];

	snprintf(what, sizeof(what), "one hidden fault with 7 neighbours, without any %.0f ns",
		 cost_value(&c[FAULT_ALONE]));
	set(p, f, "exit_hidden_ns", &c[FAULT_HIDDEN], what);
	set(p, f, "exit_huge_ns", &c[FAULT_HUGE],
	    "a fault in a guest page of 2 MiB on small host pages, 7 neighbours");
	set(p, f, "exit_ad_ns", &c[FAULT_AD], "first touch of a page with A=0, no neighbour");
	set(p, f, "exit_ptwrite_unsync_ns", &c[FAULT_UNSYNC],
	    "first store into a page table mapped as data, alone");
	set(p, f, "exit_ptwrite_emul_ns", &c[FAULT_EMUL],
	    "a store into a page table of level 2, its page mapped");
	set(p, f, "exit_mmio_ns", &c[FAULT_MMIO],
	    "a store to no memory, to user space and back at once");
	set(p, f, "exit_spurious_ns", &c[FAULT_SPURIOUS],
	    "an access whose entry is there and whose path is linked anew");
	profile_set(p, "exit_retry_ns", cost_value(&c[FAULT_SPURIOUS]),
		    "not measured, taken as exit_spurious_ns is here");
}

/*
 * Neighbours are made under mmu_lock and differ from the entry that was asked for only
 * in that they are prefetched; so all 8 hold it 8/7 as long as 7 do.
 */
static void set_locks(struct profile *p, const struct figures *f)
{
	const struct cost *c = f->fault;
	double hidden = cost_value(&c[FAULT_HIDDEN]);
	double lock = (hidden - cost_value(&c[FAULT_ALONE])) * GROUP_ENTRIES / (GROUP_ENTRIES - 1);
	double build = cost_value(&f->pair[PAIR_HELPER]);
	double helper = lock * build / hidden;

	if (lock <= 0 || lock > hidden || helper > build)
		return;
	profile_set(p, "exit_lock_ns", lock,
		    "estimate from measurements: 8/7 of what 7 neighbours add to a hidden fault, "
		    "since they are made under mmu_lock; a lower bound, the walk of the shadow "
		    "table is not in it; two vCPUs of one VM that fault at once take %.0f ns each "
		    "on average, of two VMs %.0f ns; %s",
		    cost_value(&f->pair_mean[PAIR_SHARED]), cost_value(&f->pair_mean[PAIR_APART]),
		    f->where);
	profile_set(p, "helper_lock_ns", helper,
		    "estimate from measurements: exit_lock_ns in proportion to helper_build_ns; %s",
		    f->where);
}

static void set_helper(struct profile *p, const struct figures *f)
{
	const struct cost *c = f->fault;
	double page = cost_value(&c[FAULT_PAGE]) - cost_value(&c[FAULT_HIDDEN]);
	double use = cost_value(&c[FAULT_FIRST]) - cost_value(&c[FAULT_AGAIN]);
	char what[160];

	set(p, f, "helper_build_ns", &f->pair[PAIR_HELPER],
	    "a second vCPU on the other CPU reads pages first, 7 neighbours each, while the first "
	    "one runs; an upper bound, its own exit and entry are in it");
	profile_set(p, "helper_page_ns", page > 0 ? page : 0,
		    "measured: a hidden fault in a table not shadowed yet, %.0f ns (at most "
		    "%.0f), less exit_hidden_ns; no other vCPU to flush; %s",
		    cost_value(&c[FAULT_PAGE]), cost_most(&c[FAULT_PAGE]), f->where);
	set(p, f, "helper_wake_ns", &f->wake,
	    "futex wake-up until a thread on the idle other CPU "
	    "runs, its CPU's own wake-up included");
	snprintf(
		what, sizeof(what),
		"4 dependent reads of lines that another CPU has just written; one %.0f ns, 4 from "
		"memory %.0f ns",
		cost_value(&f->read_one), cost_value(&f->memory));
	set(p, f, "helper_read_ns", &f->read, what);
	profile_set(p, "helper_poll_ns", cost_value(&f->read),
		    "helper_read_ns as measured here, one read after the other");
	profile_set(p, "first_use_ns", use > 0 ? use : 0,
		    "measured: first use of an entry that came along %.0f ns, a later one, "
		    "after more pages than a TLB holds, %.0f ns (7 in a row, per page); %s",
		    cost_value(&c[FAULT_FIRST]), cost_value(&c[FAULT_AGAIN]), f->where);
}

static void set_tracing(struct profile *p, const struct figures *f)
{
	if (f->traced.runs != f->plain.runs)
		return;
	profile_set(p, "tracing_percent",
		    100 * (cost_value(&f->traced) / cost_value(&f->plain) - 1),
		    "measured: one hidden fault with 7 neighbours, all events of kvm and kvmmmu "
		    "into a buffer that nobody reads, %.0f ns (at most %.0f), by turns "
		    "without %.0f ns; %s",
		    cost_value(&f->traced), cost_most(&f->traced), cost_value(&f->plain), f->where);
}

void kvm_report(const struct machine *m, unsigned int runs, FILE *report, struct profile *p)
{
	static struct figures f;
	const char *module = kvm_check();
	char text[256];

	memset(&f, 0, sizeof(f));
	snprintf(f.where, sizeof(f.where), "untraced, %s, %s", module,
		 machine_text(m, text, sizeof(text)));
	measure(m, runs, &f);
	print_all(report, &f);
	set_exits(p, &f);
	set_helper(p, &f);
	set_locks(p, &f);
	/* Of that, one figure is traced. */
	snprintf(f.where, sizeof(f.where), "%s, %s", module, text);
	set_tracing(p, &f);
}
