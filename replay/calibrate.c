// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "replay/calibrate.h"

#define PROGRAM "spht-calibrate"

void spht_calibrate(const char *out)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(PROGRAM));

	while (n > 0 && path[n - 1] != '/')
		n--;
	strcpy(path + (n > 0 ? n : 0), PROGRAM);
	execl(path, PROGRAM, "-o", out, (char *)NULL);
	fprintf(stderr,
		"spht-replay: --calibrate: %s cannot be started: %s; it is built on x86-64 and "
		"installed beside spht-replay\n",
		path, strerror(errno));
}
