// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A VMM whose guest has a helper, if it is given a list of what to touch ahead:
 *
 *	duo [-l LIST] [-t TIMING] [OPTION]... PATTERN [ARGUMENT]...
 *
 * One line of JSON says what the main vCPU did, and what KVM counted of either.
 */
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "calibrate/die.h"
#include "calibrate/machine.h"
#include "calibrate/vm.h"
#include "tests/live/counters.h"
#include "tests/live/duo.h"
#include "tests/live/words.h"

#define SECONDS 60u /* after which a guest that hangs is given up */

struct run {
	struct vm vm;
	struct vcpu vcpu[2]; /* main, helper */
	struct duo duo;
	enum duo_timing timing;
	const char *list, *accesses;
	bool present;
	unsigned int slack;
	uint64_t think;
	int cpu[2]; /* -1: anywhere */
	uint64_t counted[2][COUNTER_NR], flushes;
	uint64_t stored, lead; /* when an entry was; cycles from there to the access, in all */
};

static uint32_t *mail(const struct run *r, uint64_t gva)
{
	return (uint32_t *)(r->duo.guest.mem + r->duo.mail + gva % PAGE);
}

static uint32_t mail_get(const struct run *r, uint64_t gva)
{
	return __atomic_load_n(mail(r, gva), __ATOMIC_ACQUIRE);
}

static void mail_put(const struct run *r, uint32_t value)
{
	__atomic_store_n(mail(r, MAIL_MAIN), value, __ATOMIC_RELEASE);
}

/* The guest's own fault on page @nr of those that the VMM maps: the helper is told. */
static void tell(const struct run *r, uint64_t nr)
{
	const struct duo *d = &r->duo;

	for (size_t k = 0; r->list && k < d->nr_batches; k++) {
		if (d->batches[k].at != nr)
			continue;
		if (r->timing == DUO_LATE) {
			/* Of the one before: the main vCPU is past that. */
			if (k)
				mail_put(r, (uint32_t)(DUO_FIRST + k - 1));
			return;
		}
		mail_put(r, (uint32_t)(DUO_FIRST + k));
		while (r->timing == DUO_AHEAD && mail_get(r, MAIL_DONE) < DUO_FIRST + k)
			sched_yield();
		return;
	}
}

/*
 * The guest has no handler, so its own fault shuts it down, with the registers still at the
 * access that faulted.  Returns whether it can go on.
 */
static bool on_shutdown(struct run *r)
{
	struct duo *d = &r->duo;
	struct vcpu *v = &r->vcpu[0];
	struct kvm_vcpu_events events;
	struct kvm_sregs s;
	uint64_t *entry;

	if (!d->fill || ioctl(v->fd, KVM_GET_SREGS, &s) || s.cr2 < DATA_GVA)
		return false;
	entry = guest_entry(&d->guest, s.cr2, 1);
	if (*entry)
		return false;
	__atomic_store_n(entry, (d->fill + d->filled * PAGE) | GPTE_DIRTY, __ATOMIC_RELEASE);
	r->stored = stamp();
	tell(r, d->filled++);
	memset(&events, 0, sizeof(events));
	if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events))
		die_errno("KVM_GET_VCPU_EVENTS");
	events.exception.injected = events.exception.pending = 0;
	if (ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events) || ioctl(v->fd, KVM_SET_SREGS, &v->start))
		die_errno("KVM refuses to go on after a fault of the guest's own");
	return true;
}

static void run_main(struct run *r)
{
	struct vcpu *v = &r->vcpu[0];

	for (;;) {
		uint32_t reason;

		if (r->stored)
			r->lead += stamp() - r->stored;
		r->stored = 0;
		reason = vcpu_run(v);
		if (reason == KVM_EXIT_INTR || (reason == KVM_EXIT_SHUTDOWN && on_shutdown(r)))
			continue;
		if (reason != KVM_EXIT_MMIO)
			die("the guest stops at 0x%llx with exit reason %u", vcpu_regs(v).rip,
			    reason);
		if (vcpu_command(v) == COMMAND_END)
			return;
		if (vcpu_command(v) == COMMAND_FLUSH)
			vcpu_reload_cr3(v);
	}
}

static void pin(int cpu)
{
	if (cpu >= 0)
		machine_pin(cpu);
}

static void *run_helper(void *arg)
{
	struct run *r = arg;

	pin(r->cpu[1]);
	/* Until then the main vCPU takes the faults that are the same in every run. */
	while (mail_get(r, MAIL_MAIN) < DUO_READY)
		sched_yield();
	vcpu_run_script(&r->vcpu[1]);
	return NULL;
}

static void run_both(struct run *r)
{
	bool helped = r->list;
	pthread_t thread;

	vm_open(&r->vm, &r->duo.guest, 4 * r->duo.guest.tables + 64);
	vcpu_open(&r->vcpu[0], &r->vm, 0, 0);
	if (helped) {
		vcpu_open(&r->vcpu[1], &r->vm, 1,
			  (HELPER_GVA - SCRIPT_GVA) / sizeof(struct guest_op));
		if (pthread_create(&thread, NULL, run_helper, r))
			die("no thread for a vCPU");
	}
	pin(r->cpu[0]);
	run_main(r);
	if (helped)
		pthread_join(thread, NULL);
	for (unsigned int i = 0; i < 1u + helped; i++)
		counters_read(r->vcpu[i].fd, r->counted[i]);
	r->flushes = counter_of_vm(r->vm.fd, "remote_tlb_flush");
}

/* Cycles that the helper took for its batches, without waiting for them. */
static uint64_t helper_cycles(const struct duo *d)
{
	const uint64_t *log = (const uint64_t *)(d->guest.mem + d->log);
	uint64_t sum = 0;

	for (size_t k = 0; k < d->nr_batches; k++)
		sum += log[2 * k + 1] - log[2 * k];
	return sum;
}

/* Page numbers, one a line: a recording has those only that exit. */
static void print_accesses(const struct duo *d, const char *name)
{
	FILE *f = words_output(name);

	for (size_t i = 0; i < d->nr_steps; i++)
		fprintf(f, "%" PRIx64 "\n", d->steps[i]);
	words_close(f, name);
}

static void print_counters(FILE *f, const char *name, const uint64_t *v)
{
	fprintf(f, ",\"%s\":{", name);
	for (unsigned int i = 0; i < COUNTER_NR; i++)
		fprintf(f, "%s\"%s\":%" PRIu64, i ? "," : "", counter_names[i], v[i]);
	fputc('}', f);
}

static void print_result(FILE *f, const struct run *r, char **argv)
{
	const struct duo *d = &r->duo;
	const uint8_t *m = d->guest.mem + d->mail;
	uint64_t from, to;

	memcpy(&from, m + MAIL_FROM % PAGE, sizeof(from));
	memcpy(&to, m + MAIL_TO % PAGE, sizeof(to));
	fputs("{\"pattern\":\"", f);
	for (unsigned int i = 0; argv[i]; i++)
		fprintf(f, "%s%s", i ? " " : "", argv[i]);
	fprintf(f, "\",\"accesses\":%zu,\"expect\":{\"pf_hidden\":%" PRIu64 ",\"pf_ad\":%" PRIu64,
		d->nr_steps, d->expect_hidden, d->expect_ad);
	fprintf(f,
		",\"pf_ptwrite_unsync\":%" PRIu64 ",\"pf_guest\":%" PRIu64 ",\"pf_mmio\":%" PRIu64
		"},\"cycles\":%" PRIu64 ",\"lead_cycles\":%" PRIu64,
		d->expect_unsync, d->expect_guest, d->expect_mmio, to - from, r->lead);
	print_counters(f, "main", r->counted[0]);
	if (r->list) {
		print_counters(f, "helper", r->counted[1]);
		fprintf(f,
			",\"batches\":%zu,\"touches\":%zu,\"foreign\":%zu,\"illegal\":%zu,"
			"\"helper_cycles\":%" PRIu64,
			d->nr_batches, d->nr_touches, d->foreign, d->illegal, helper_cycles(d));
	}
	fprintf(f, ",\"remote_tlb_flush\":%" PRIu64 "}\n", r->flushes);
}

static void usage(FILE *f)
{
	fputs("usage: duo [-l LIST] [-t ahead|race|late] [OPTION]... PATTERN [ARGUMENT]...\n"
	      "\n"
	      "Runs a guest and, with a list, a helper: a second vCPU of its address space that\n"
	      "touches pages.  Prints, as JSON, what KVM counted of either.\n"
	      "\n"
	      "  -l LIST    lines 'BATCH TRIGGER PAGE': the pages of a batch are touched when the\n"
	      "             guest has come to page TRIGGER (page numbers, hexadecimal)\n"
	      "  -t TIMING  ahead (default): the guest waits for each batch; race: it goes on;\n"
	      "             late: a batch begins when the guest is past its pages\n"
	      "  -b N       in a race the helper may be N batches behind (default 1)\n"
	      "  -p         touch pages with the accessed bit clear, too\n"
	      "  -a FILE    write all accesses of the pattern to FILE\n"
	      "  -k CYCLES  that pass after each access\n"
	      "  -c M,H     CPUs of the guest and of its helper\n"
	      "  -o FILE    print to FILE\n"
	      "\n",
	      f);
	for (const struct duo_pattern *pat = duo_patterns; pat->name; pat++)
		fprintf(f, "  %-10s %-7s %s\n", pat->name, pat->args, pat->help);
}

static enum duo_timing timing_of(const char *text)
{
	static const char *const names[] = {"ahead", "race", "late"};

	for (unsigned int i = 0; i < 3; i++)
		if (!strcmp(text, names[i]))
			return (enum duo_timing)i;
	words_bad("no such timing:", text);
}

static void cpus_of(struct run *r, const char *text)
{
	char *comma = strchr(text, ',');

	if (!comma)
		words_bad("two CPUs, M,H, are expected:", text);
	*comma = '\0';
	r->cpu[0] = (int)words_number(text, 0, CPU_SETSIZE - 1);
	r->cpu[1] = (int)words_number(comma + 1, 0, CPU_SETSIZE - 1);
}

static FILE *options(struct run *r, int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	FILE *out = stdout;
	int c;

	while ((c = getopt_long(argc, argv, "+l:t:b:pa:k:c:o:h", longs, NULL)) != -1) {
		if (c == 'l') {
			r->list = optarg;
		} else if (c == 't') {
			r->timing = timing_of(optarg);
		} else if (c == 'b') {
			r->slack = (unsigned int)words_number(optarg, 1, DUO_BATCHES);
		} else if (c == 'p') {
			r->present = true;
		} else if (c == 'a') {
			r->accesses = optarg;
		} else if (c == 'k') {
			r->think = words_number(optarg, 0, 1000000000);
		} else if (c == 'c') {
			cpus_of(r, optarg);
		} else if (c == 'o') {
			out = words_output(optarg);
		} else {
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	return out;
}

int main(int argc, char **argv)
{
	static struct run r = {.slack = 1, .cpu = {-1, -1}};
	const struct duo_pattern *pat = duo_patterns;
	FILE *out = options(&r, argc, argv);
	uint64_t arg[2] = {0, 0};

	argv += optind;
	argc -= optind;
	if (!argc) {
		usage(stderr);
		return 2;
	}
	while (pat->name && strcmp(pat->name, argv[0]))
		pat++;
	if (!pat->name)
		words_bad("no such pattern:", argv[0]);
	words_arguments(argc, argv, pat->nr_args, pat->max, arg);
	duo_build(&r.duo, pat, arg, r.think, r.list);
	if (r.accesses)
		print_accesses(&r.duo, r.accesses);
	if (r.list) {
		duo_read_list(&r.duo, r.list, r.present);
		duo_schedule(&r.duo, r.timing, r.slack);
	}
	/* A guest that waits for what does not come takes no signal's handler along. */
	alarm(SECONDS);
	run_both(&r);
	print_result(out, &r, argv);
	words_close(out, "output");
	return 0;
}
