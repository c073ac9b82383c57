// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "now.h"
#include "proc.h"
#include "vm-vcpus.h"
#include "vm.h"

#define RECHECK_NS   1000000000u
#define LOOKUPS_MAX  4000u /* in RECHECK_NS */
#define TABLE_MIN    256u
/* As many threads as a host has at a time; beyond it all is forgotten and asked anew. */
#define TABLE_MAX    (1u << 17)

/* Looking through all processes takes at most one part of this of the time. */
#define SEARCH_SHARE 50u

struct entry {
	pid_t tid; /* 0: free */
	uint8_t class;
	uint64_t start;
	uint64_t checked;
};

struct spht_vms {
	pthread_mutex_t lock; /* of the table */
	pid_t pid;
	uint64_t start; /* of @pid; 0: it was not seen yet */
	struct entry *table;
	uint32_t size, used; /* a power of two */
	uint64_t window; /* begin of the second in which look-ups are counted */
	unsigned int lookups;
	/* Apart, so that whoever reads events does not wait for a search. */
	pthread_mutex_t scan_lock;
	struct spht_vm_vcpus *vcpus;
	uint64_t next_search; /* of all processes, not before */
};

struct spht_vms *spht_vm_open(pid_t pid)
{
	struct spht_vms *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->pid = pid;
	v->start = pid ? spht_proc_start(pid) : 0;
	v->size = TABLE_MIN;
	v->table = calloc(v->size, sizeof(*v->table));
	v->vcpus = spht_vm_vcpus_new();
	if (!v->table || !v->vcpus) {
		spht_vm_vcpus_free(v->vcpus);
		free(v->table);
		free(v);
		return NULL;
	}
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->scan_lock, NULL);
	return v;
}

void spht_vm_close(struct spht_vms *v)
{
	if (!v)
		return;
	pthread_mutex_destroy(&v->scan_lock);
	pthread_mutex_destroy(&v->lock);
	spht_vm_vcpus_free(v->vcpus);
	free(v->table);
	free(v);
}

static struct entry *find(const struct spht_vms *v, pid_t tid)
{
	uint32_t i = (uint32_t)tid * 0x9e3779b1u;

	for (i ^= i >> 15;; i++) {
		struct entry *e = &v->table[i & (v->size - 1)];

		if (!e->tid || e->tid == tid)
			return e;
	}
}

/* Before an entry is added; without memory, or at the limit, the table starts anew. */
static void make_room(struct spht_vms *v)
{
	struct entry *old = v->table;
	uint32_t size = v->size;

	if (v->used < size / 2)
		return;
	v->table = size < TABLE_MAX ? calloc(size * 2, sizeof(*old)) : NULL;
	if (!v->table) {
		v->table = old;
		memset(old, 0, size * sizeof(*old));
		v->used = 0;
		return;
	}
	v->size = size * 2;
	for (uint32_t i = 0; i < size; i++)
		if (old[i].tid)
			*find(v, old[i].tid) = old[i];
	free(old);
}

static struct entry *add(struct spht_vms *v, pid_t tid)
{
	struct entry *e = find(v, tid);

	if (e->tid)
		return e;
	make_room(v);
	e = find(v, tid);
	e->tid = tid;
	v->used++;
	return e;
}

/* May another look-up be made in this second? */
static bool may_look(struct spht_vms *v, uint64_t now)
{
	if (now - v->window >= RECHECK_NS) {
		v->window = now;
		v->lookups = 0;
	}
	return v->lookups++ < LOOKUPS_MAX;
}

/* Is the process @tgid the one asked for, and not a later one of its number? */
static bool is_asked_for(struct spht_vms *v, pid_t tgid)
{
	uint64_t start;

	if (!v->pid || tgid != v->pid)
		return false;
	start = spht_proc_start(tgid);
	if (!v->start)
		v->start = start;
	return start == v->start;
}

/* Of the process of @tid, whose own view of the files serves where the main thread is gone. */
static int classify_process(struct spht_vms *v, pid_t tgid, pid_t tid)
{
	int holds;

	if (is_asked_for(v, tgid))
		return SPHT_VM_OURS;
	holds = spht_proc_kvm(tid, NULL);
	if (holds < 0)
		return SPHT_VM_UNKNOWN;
	if (!holds)
		return SPHT_VM_NOBODY;
	if (!v->pid || (tgid != v->pid && spht_proc_belongs(tgid, v->pid)))
		return SPHT_VM_OURS;
	return SPHT_VM_OTHER;
}

static int remember(struct spht_vms *v, pid_t tid, int class, uint64_t start, uint64_t now)
{
	struct entry *e = add(v, tid);

	e->class = (uint8_t) class;
	e->start = start;
	e->checked = now;
	return class;
}

/* A process of a hundred threads has its files looked through once. */
static int look_up(struct spht_vms *v, pid_t tid, uint64_t now)
{
	const struct entry *e = find(v, tid), *leader;
	struct spht_proc p;
	int class;

	/* Gone: what it was it remains, and its next event asks for nothing. */
	if (spht_proc_get(tid, &p))
		return remember(v, tid, e->tid ? e->class : SPHT_VM_UNKNOWN, e->start, now);
	leader = find(v, p.tgid);
	if (p.tgid != tid && leader->tid && now - leader->checked < RECHECK_NS &&
	    leader->class != SPHT_VM_UNKNOWN)
		return remember(v, tid, leader->class, p.start, now);
	class = classify_process(v, p.tgid, tid);
	if (p.tgid != tid)
		remember(v, p.tgid, class, spht_proc_start(p.tgid), now);
	return remember(v, tid, class, p.start, now);
}

static bool is_settled(int class)
{
	return class == SPHT_VM_OURS || class == SPHT_VM_OTHER;
}

/* Idle tasks have the number 0. */
int spht_vm_of(struct spht_vms *v, pid_t tid)
{
	struct entry *e;
	uint64_t now, start;
	int class;

	if (tid <= 0)
		return tid ? SPHT_VM_UNKNOWN : SPHT_VM_NOBODY;
	now = spht_now(CLOCK_MONOTONIC_COARSE);
	pthread_mutex_lock(&v->lock);
	e = find(v, tid);
	class = e->tid ? e->class : SPHT_VM_UNKNOWN;
	if ((e->tid && now - e->checked < RECHECK_NS) || !may_look(v, now))
		goto out;
	start = e->tid && is_settled(class) ? spht_proc_start(tid) : 0;
	/* The same thread, or none: what it was it remains. */
	if (e->tid && is_settled(class) && (!start || start == e->start)) {
		e->checked = now;
		goto out;
	}
	class = look_up(v, tid, now);
out:
	pthread_mutex_unlock(&v->lock);
	return class;
}

static int scan_process(pid_t pid, void *arg)
{
	struct spht_vms *v = arg;
	struct spht_proc_kvm kvm;

	if (spht_proc_kvm(pid, &kvm) <= 0 || (v->pid && !spht_proc_belongs(pid, v->pid)))
		return 0;
	return spht_vm_vcpus_scan(v->vcpus, pid, &kvm);
}

/* The processes that are known to hold a VM; all others now and then, or if @all. */
static int scan(struct spht_vms *v, bool all)
{
	uint64_t begin = spht_now(CLOCK_MONOTONIC);
	pid_t pid;

	if (all || begin >= v->next_search) {
		if (spht_proc_each(0, scan_process, v) < 0)
			return -1;
		v->next_search = spht_now(CLOCK_MONOTONIC);
		v->next_search += (v->next_search - begin) * SEARCH_SHARE;
		return 0;
	}
	if (v->pid && scan_process(v->pid, v))
		return -1;
	for (size_t i = 0; (pid = spht_vm_vcpus_process(v->vcpus, i)); i++)
		if (pid != v->pid && scan_process(pid, v))
			return -1;
	return 0;
}

int spht_vm_scan(struct spht_vms *v)
{
	int ret;

	pthread_mutex_lock(&v->scan_lock);
	ret = scan(v, false) ? -1 : spht_vm_vcpus_count(v->vcpus);
	pthread_mutex_unlock(&v->scan_lock);
	return ret;
}

json_t *spht_vm_map(struct spht_vms *v, json_t *missing)
{
	json_t *map;

	pthread_mutex_lock(&v->scan_lock);
	scan(v, true);
	map = spht_vm_vcpus_json(v->vcpus, missing);
	pthread_mutex_unlock(&v->scan_lock);
	json_array_append_new(missing, json_string("memslots"));
	return map;
}

struct count {
	unsigned int vms;
	int processes;
};

static int count_process(pid_t pid, void *arg)
{
	struct count *c = arg;
	struct spht_proc_kvm kvm;

	if (spht_proc_kvm(pid, &kvm) > 0) {
		c->processes++;
		c->vms += kvm.vms;
	}
	return 0;
}

int spht_vm_count(unsigned int *vms)
{
	struct count c = {0, 0};

	if (spht_proc_each(0, count_process, &c) < 0)
		return -1;
	*vms = c.vms;
	return c.processes;
}
