// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The functions of the C library that allocate, for libraries too: in a child that reads with
 * libtraceevent an allocation that fails must end it.  libtraceevent goes on without the field
 * or the event that it had no memory for, and the trace would lack it without a word.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "must-malloc.h"

static int must; /* exit status of a process that gets no memory; 0: it is told */

void spht_malloc_must(int status)
{
	must = status;
}

/* A sanitizer has an allocator of its own, which ends the process by itself. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

void *malloc(size_t size);
void *calloc(size_t nr, size_t size);
void *realloc(void *p, size_t size);

/* Whoever comes next: the C library, or what LD_PRELOAD puts before it. */
static void *(*next_malloc)(size_t size);
static void *(*next_calloc)(size_t nr, size_t size);
static void *(*next_realloc)(void *p, size_t size);

static void look_up(void)
{
	*(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
	if (!next_malloc || !next_calloc || !next_realloc)
		_exit(1);
}

static void *checked(void *p, bool wanted)
{
	if (!p && wanted && must)
		_exit(must);
	return p;
}

void *malloc(size_t size)
{
	if (!next_malloc)
		look_up();
	return checked(next_malloc(size), size);
}

void *calloc(size_t nr, size_t size)
{
	if (!next_calloc)
		look_up();
	return checked(next_calloc(nr, size), nr && size);
}

void *realloc(void *p, size_t size)
{
	if (!next_realloc)
		look_up();
	return checked(next_realloc(p, size), size);
}

#endif
