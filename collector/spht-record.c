// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "json-memory.h"
#include "message.h"
#include "options.h"
#include "output.h"
#include "std-files.h"

static volatile sig_atomic_t stop, hurry;

static void on_signal(int sig)
{
	if (stop)
		hurry = sig;
	stop = sig;
}

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal}, hup;

	/* No SA_RESTART: a blocked read returns and sees that it is to stop. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* nohup(1) has it ignored. */
	if (sigaction(SIGHUP, NULL, &hup) || hup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	/* A limit of file size is met like a full disk. */
	sigaction(SIGXFSZ, &sa, NULL);
}

static int import(const struct spht_import *i)
{
	enum spht_status status = spht_import(i);

	if (stop && status == SPHT_FAILED) {
		spht_message("interrupted, no trace was written");
		return 128 + (int)stop;
	}
	return (int)status;
}

int main(int argc, char **argv)
{
	struct spht_options o;
	int status;

	spht_std_files();
	spht_json_memory("spht-record", SPHT_FAILED, spht_output_leave);
	/* jansson writes and reads numbers as the C locale has them. */
	setlocale(LC_ALL, "C");
	status = spht_options_parse(&o, argc, argv, &stop);
	o.live.hurry = &hurry;
	if (!status) {
		catch_signals();
		switch (o.mode) {
		case SPHT_MODE_DONE:
			break;
		case SPHT_MODE_IMPORT:
			status = import(&o.import);
			break;
		case SPHT_MODE_LIVE:
			status = (int)spht_live(&o.live);
			break;
		case SPHT_MODE_CHECK:
			status = spht_check(stdout);
			break;
		}
	}
	spht_options_close(&o);
	if (fflush(stdout) || ferror(stdout)) {
		spht_message("cannot write to stdout: %s", strerror(errno));
		status = status ? status : (int)SPHT_FAILED;
	}
	return status;
}
