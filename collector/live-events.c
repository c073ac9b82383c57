// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live-local.h"
#include "message.h"

#define MAX_NAME 128

/* Is it on already?  A profile may name an event twice, by itself and by "*". */
static bool is_on(const struct live *l, const char *system, const char *event)
{
	char name[2 * MAX_NAME + 2];

	snprintf(name, sizeof(name), "%s/%s", system, event);
	return json_object_get(l->formats, name);
}

static int no_memory(struct live *l)
{
	spht_error_set(&l->err, "out of memory");
	return -1;
}

/* Keeps the format's text, tells libtraceevent of it, and switches the event on. */
static int add(struct live *l, const char *system, const char *event, const char *filter)
{
	char name[2 * MAX_NAME + 2], file[2 * MAX_NAME + 32];
	int len = 0, rc = -1;
	char *text;

	if (is_on(l, system, event))
		return 0;
	snprintf(name, sizeof(name), "%s/%s", system, event);
	snprintf(file, sizeof(file), "events/%s/format", name);
	text = tracefs_instance_file_read(spht_ring_instance(l->ring), file, &len);
	if (!text || len <= 0) {
		spht_error_set(&l->err, "%s: cannot read: %s", file, strerror(errno));
		goto out;
	}
	/* Where its print format is beyond libtraceevent, the fields are there all the same. */
	if (tep_parse_event(l->tep, text, (unsigned long)len, system)) {
		spht_error_set(&l->err, "%s: libtraceevent does not understand this format", file);
		goto out;
	}
	if (json_object_set_new(l->formats, name, json_stringn(text, (size_t)len))) {
		no_memory(l);
		goto out;
	}
	rc = spht_ring_enable(l->ring, system, event, filter, &l->err);
out:
	free(text);
	return rc;
}

/* Marks alone, unless every event was asked for: port accesses are many. */
static const char *filter_of(const struct live *l, const char *event, char *text, size_t size)
{
	if (strcmp(event, "kvm_pio") || l->o->profile == SPHT_PROFILE_FULL)
		return NULL;
	snprintf(text, size, "port == 0x%x && rw == 1", l->o->mark_port);
	return text;
}

static int lacks(struct live *l, const char *system, const char *event)
{
	json_t *name = json_sprintf("%s/%s", system, event);

	return json_array_append_new(l->asked_missing, name) ? no_memory(l) : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* @only: all events of the system, or the one of that name.  How many, or -1. */
static int add_matching(struct live *l, const char *system, const char *only)
{
	char **events = tracefs_system_events(NULL, system);
	int nr = 0, done = 0;

	while (events && events[nr])
		nr++;
	/* The kernel lists them in the order of its modules. */
	if (nr)
		qsort(events, (size_t)nr, sizeof(*events), compare_names);
	for (int i = 0; i < nr; i++) {
		if (strlen(events[i]) >= MAX_NAME || (only && strcmp(only, events[i])))
			continue;
		if (!spht_ring_has_event(l->ring, system, events[i]))
			continue;
		if (add(l, system, events[i], NULL)) {
			done = -1;
			break;
		}
		done++;
	}
	tracefs_list_free(events);
	return done;
}

static int add_profile(struct live *l)
{
	const struct spht_profile_event *e;
	char filter[64];
	size_t nr;

	e = spht_profile_events(&nr);
	for (size_t i = 0; i < nr; i++) {
		if (e[i].from > l->o->profile)
			continue;
		if (!strcmp(e[i].event, "*")) {
			if (add_matching(l, e[i].system, NULL) < 0)
				return -1;
			continue;
		}
		if (!spht_ring_has_event(l->ring, e[i].system, e[i].event)) {
			if (lacks(l, e[i].system, e[i].event))
				return -1;
			if (!e[i].needed)
				continue;
			spht_error_set(&l->err,
				       "this kernel has no event %s:%s; is KVM there (modprobe "
				       "kvm_amd or kvm_intel)? see spht-record --check",
				       e[i].system, e[i].event);
			return -1;
		}
		if (add(l, e[i].system, e[i].event,
			filter_of(l, e[i].event, filter, sizeof(filter))))
			return -1;
	}
	return 0;
}

static int add_asked(struct live *l, const char *text)
{
	const char *colon = text + strcspn(text, ":/");
	const char *event = *colon ? colon + 1 : "*";
	char system[MAX_NAME];
	int nr;

	if (colon == text || (size_t)(colon - text) >= sizeof(system) || !*event ||
	    strlen(event) >= MAX_NAME || strpbrk(event, "/:")) {
		spht_error_set(&l->err, "-e %s: SYSTEM:EVENT is expected, as kvm:kvm_exit", text);
		return -1;
	}
	memcpy(system, text, (size_t)(colon - text));
	system[colon - text] = '\0';
	nr = add_matching(l, system, strcmp(event, "*") ? event : NULL);
	if (!nr)
		spht_error_set(&l->err, "-e %s: this kernel has no such event", text);
	return nr > 0 ? 0 : -1;
}

int live_events_open(struct live *l)
{
	tep_set_loglevel(TEP_LOG_NONE);
	l->tep = tep_alloc();
	l->formats = json_object();
	l->asked_missing = json_array();
	if (!l->tep || !l->formats || !l->asked_missing)
		return no_memory(l);
	/* First, and so without the filters of the profile. */
	for (const char *const *e = l->o->events; e && *e; e++)
		if (add_asked(l, *e))
			return -1;
	if (add_profile(l))
		return -1;
	l->types = spht_types_new(l->tep, true, "tracefs", "event format", &l->err);
	if (!l->types)
		return -1;
	if (json_array_size(l->asked_missing) && !l->o->quiet)
		spht_message("%zu events of profile %s are not on this kernel; the header names "
			     "them",
			     json_array_size(l->asked_missing), spht_profile_name(l->o->profile));
	return 0;
}
