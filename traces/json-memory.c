// SPDX-License-Identifier: LGPL-2.1-or-later
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "json-memory.h"

static struct {
	const char *program;
	int status;
	void (*leave)(void);
} plan;

/* Without stdio, which may want memory of its own, and without exit(), which would flush it. */
static _Noreturn void give_up(void)
{
	static const char text[] = ": out of memory\n";
	struct iovec say[] = {
		{(void *)plan.program, plan.program ? strlen(plan.program) : 0},
		{(void *)text, sizeof(text) - 1},
	};

	if (plan.leave)
		plan.leave();
	if (plan.program && writev(STDERR_FILENO, say, 2) < 0)
		_exit(plan.status);
	_exit(plan.status);
}

static void *need(size_t size)
{
	void *p = malloc(size);

	/* malloc(0) may be NULL, and jansson has no use for such a block. */
	if (!p && size)
		give_up();
	return p;
}

void spht_json_memory(const char *program, int status, void (*leave)(void))
{
	plan.program = program;
	plan.status = status;
	plan.leave = leave;
	json_set_alloc_funcs(need, free);
}
