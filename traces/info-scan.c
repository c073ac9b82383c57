// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "info.h"

int info_init(struct info *info, struct spht_reader *r)
{
	memset(info, 0, sizeof(*info));
	info->header = spht_reader_header(r);
	info->footer = spht_reader_footer(r);
	info->types = spht_reader_types(r, &info->nr_types);
	cmd_span(r, &info->span);
	info->blocks = spht_reader_blocks(r, &info->span.blocks);
	info->cap_threads = 64;
	info->threads = calloc(info->cap_threads, sizeof(*info->threads));
	info->cpus = calloc(SPHT_MAX_CPUS, sizeof(*info->cpus));
	info->mark_names = spht_marks_open(info->header);
	return info->threads && info->cpus && info->mark_names ? 0 : -1;
}

void info_free(struct info *info)
{
	free(info->threads);
	free(info->cpus);
	free(info->marks);
	spht_marks_close(info->mark_names);
}

/* Its place in the hash, or the free one where it belongs. */
static struct info_thread *thread_slot(struct info_thread *threads, size_t cap, int32_t pid)
{
	size_t i = (uint32_t)pid * 2654435761u & (cap - 1);

	while (threads[i].used && threads[i].pid != pid)
		i = (i + 1) & (cap - 1);
	return &threads[i];
}

static int grow_threads(struct info *info)
{
	size_t cap = info->cap_threads * 2, i;
	struct info_thread *threads = calloc(cap, sizeof(*threads));

	if (!threads)
		return -1;
	for (i = 0; i < info->cap_threads; i++)
		if (info->threads[i].used)
			*thread_slot(threads, cap, info->threads[i].pid) = info->threads[i];
	free(info->threads);
	info->threads = threads;
	info->cap_threads = cap;
	return 0;
}

static struct info_thread *find_thread(struct info *info, int32_t pid)
{
	struct info_thread *t = thread_slot(info->threads, info->cap_threads, pid);

	if (t->used)
		return t;
	if (info->nr_threads * 2 >= info->cap_threads) {
		if (grow_threads(info))
			return NULL;
		t = thread_slot(info->threads, info->cap_threads, pid);
	}
	info->nr_threads++;
	t->used = true;
	t->pid = pid;
	t->vcpu = -1;
	return t;
}

static void count_exit(struct info *info, const struct spht_event *ev)
{
	struct info_exit *x = info->exits, *end = x + info->nr_exits;
	struct cmd_exit e;

	cmd_exit_decode(ev, &e);
	info->exits_total++;
	info->page_faults += cmd_exit_is_page_fault(&e);
	info->tdp_exits += cmd_exit_is_tdp(&e);
	for (; x < end; x++) {
		if (x->exit.reason == e.reason && x->exit.vector == e.vector &&
		    x->exit.isa == e.isa) {
			x->count++;
			return;
		}
	}
	if (info->nr_exits == INFO_MAX_EXITS) {
		info->exits_other++;
		return;
	}
	x->exit = e;
	x->count = 1;
	info->nr_exits++;
}

static int add_mark(struct info *info, const struct spht_event *ev, uint32_t value)
{
	info->marks_total++;
	if (info->nr_marks == INFO_MAX_MARKS)
		return 0;
	if (info->nr_marks == info->cap_marks) {
		size_t cap = info->cap_marks ? info->cap_marks * 2 : 64;
		void *p = realloc(info->marks, cap * sizeof(*info->marks));

		if (!p)
			return -1;
		info->marks = p;
		info->cap_marks = cap;
	}
	info->marks[info->nr_marks++] = (struct info_mark){ev->ts, ev->pid, value, ev->cpu};
	return 0;
}

static int count_port(struct info *info, const struct spht_event *ev)
{
	uint64_t port = ev->v[SPHT_PIO_PORT];
	uint32_t value;
	unsigned int i;

	if (spht_mark_read(info->mark_names, &info->types[ev->type], ev, &value) &&
	    add_mark(info, ev, value))
		return -1;
	info->port_io++;
	for (i = 0; i < info->nr_ports; i++)
		if (info->ports[i].port == port)
			break;
	if (i == INFO_MAX_PORTS)
		return 0;
	if (i == info->nr_ports)
		info->ports[info->nr_ports++].port = port;
	info->ports[i].count++;
	return 0;
}

/* The level of a walk's first entry is the guest's paging mode. */
static void count_mode(struct info *info, struct info_thread *t, const struct spht_event *ev)
{
	uint64_t level = ev->v[SPHT_ELEM_LEVEL];

	if (t->walking)
		info->modes[level < 6 ? level : 0]++;
	t->walking = false;
}

static void count_lost(struct info *info, const struct spht_event *ev)
{
	struct info_cpu *c = &info->cpus[ev->cpu];

	c->used = true;
	c->gaps++;
	info->gaps++;
	if (ev->v[0] == SPHT_LOST_UNKNOWN) {
		c->unknown_gaps++;
		info->unknown_gaps++;
		return;
	}
	c->lost += ev->v[0];
	info->lost += ev->v[0];
}

static void learn_vcpu(struct info_thread *t, uint64_t vcpu)
{
	if (t->vcpu >= 0 && t->vcpu != (int64_t)vcpu)
		t->vcpus_vary = true;
	t->vcpu = (int64_t)vcpu;
}

static void count_snap(struct info *info, const struct spht_event *ev)
{
	uint64_t kind = ev->v[SPHT_SNAP_KIND];

	if (ev->v[SPHT_SNAP_FLAGS] & SPHT_SNAP_UNREADABLE)
		info->snap_unreadable++;
	else if (kind < SPHT_SNAP_KINDS)
		info->snaps[kind]++;
	if (ev->v[SPHT_SNAP_FLAGS] & SPHT_SNAP_FULL)
		info->snap_full++;
}

int info_event(struct info *info, const struct spht_event *ev)
{
	struct info_thread *t;

	if (ev->id == SPHT_EV_LOST) {
		count_lost(info, ev);
		return 0;
	}
	t = find_thread(info, ev->pid);
	if (!t)
		return -1;
	info->cpus[ev->cpu].used = true;
	switch (ev->id) {
	case SPHT_EV_ENTRY:
		if (info->types[ev->type].have & (1u << SPHT_ENTRY_VCPU))
			learn_vcpu(t, (uint32_t)ev->v[SPHT_ENTRY_VCPU]);
		break;
	case SPHT_EV_EXIT:
		if (info->types[ev->type].have & (1u << SPHT_EXIT_VCPU))
			learn_vcpu(t, (uint32_t)ev->v[SPHT_EXIT_VCPU]);
		if (!ev->preamble)
			count_exit(info, ev);
		break;
	case SPHT_EV_PAGE_FAULT:
		if (info->types[ev->type].have & (1u << SPHT_PF_VCPU))
			learn_vcpu(t, (uint32_t)ev->v[SPHT_PF_VCPU]);
		break;
	case SPHT_EV_PAGETABLE_WALK:
		t->walking = true;
		break;
	case SPHT_EV_PAGING_ELEMENT:
		count_mode(info, t, ev);
		break;
	case SPHT_EV_SNAP:
		if (!ev->preamble)
			count_snap(info, ev);
		break;
	case SPHT_EV_PIO:
		if (count_port(info, ev))
			return -1;
		break;
	}
	if (ev->preamble) {
		info->preamble++;
		info->preamble_by_type[ev->type]++;
		return 0;
	}
	info->events++;
	info->by_type[ev->type]++;
	info->cpus[ev->cpu].events++;
	t->events++;
	return 0;
}

uint64_t info_count(const struct info *info, enum spht_event_id id)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < info->nr_types; i++)
		if (info->types[i].id == id)
			n += info->by_type[i];
	return n;
}

const json_t *info_said(const struct info *info, const char *key)
{
	const json_t *value = json_object_get(info->header, key);

	return value ? value : json_object_get(info->footer, key);
}

static int compare_exits(const void *a, const void *b)
{
	const struct info_exit *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (x->exit.reason != y->exit.reason)
		return x->exit.reason < y->exit.reason ? -1 : 1;
	if (x->exit.isa != y->exit.isa)
		return x->exit.isa < y->exit.isa ? -1 : 1;
	return x->exit.vector - y->exit.vector;
}

static int compare_threads(const void *a, const void *b)
{
	const struct info_thread *x = a, *y = b;

	if (x->events != y->events)
		return x->events < y->events ? 1 : -1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int compare_vcpus(const void *a, const void *b)
{
	const struct info_thread *x = a, *y = b;

	return (x->vcpu > y->vcpu) - (x->vcpu < y->vcpu);
}

static void find_vcpus(struct info *info, size_t nr)
{
	const struct info_thread *t = info->threads;
	size_t i;

	qsort(info->threads, nr, sizeof(*info->threads), compare_vcpus);
	for (i = 0; i < nr; i++) {
		info->vcpu_threads += t[i].vcpu >= 0;
		info->vcpu_twice |= i && t[i].vcpu >= 0 && t[i].vcpu == t[i - 1].vcpu;
	}
}

void info_finish(struct info *info)
{
	size_t i, n = 0;

	for (i = 0; i < info->cap_threads; i++)
		if (info->threads[i].used)
			info->threads[n++] = info->threads[i];
	find_vcpus(info, n);
	qsort(info->threads, n, sizeof(*info->threads), compare_threads);
	qsort(info->exits, info->nr_exits, sizeof(info->exits[0]), compare_exits);
}
