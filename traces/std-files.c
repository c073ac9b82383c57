// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "std-files.h"

void spht_std_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/*
		 * The lowest number that is free is this one.  It cannot be written, and a folder
		 * cannot even by the name /dev/stdout.
		 */
		if (fd == STDIN_FILENO ? open("/dev/null", O_WRONLY) != fd
				       : open("/", O_PATH) != fd)
			return;
	}
}
