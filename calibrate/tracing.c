// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calibrate/tracing.h"

static char instance[128];

static bool enable(const char *system)
{
	char path[192];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "%s/events/%s/enable", instance, system);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, "1", 1) == 1;
	close(fd);
	return done;
}

bool tracing_on(void)
{
	static const char *const tracefs[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	static bool registered;

	for (unsigned int i = 0; i < 2 && !*instance; i++) {
		snprintf(instance, sizeof(instance), "%s/instances/spht-calibrate-%d", tracefs[i],
			 (int)getpid());
		if (mkdir(instance, 0700))
			*instance = '\0';
	}
	if (!*instance)
		return false;
	if (!registered)
		registered = !atexit(tracing_off);
	if (enable("kvm") && enable("kvmmmu"))
		return true;
	tracing_off();
	return false;
}

void tracing_off(void)
{
	if (!*instance)
		return;
	/* Its events go with it. */
	rmdir(instance);
	*instance = '\0';
}
