// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tells a recording what the guest is doing: a 32-bit store to an I/O port that no device
 * owns is a kvm_pio event on the host and nothing else.  lab-mark-ko.c does the store.
 *
 *	lab-mark VALUE	stores VALUE
 *	gcc ...		(by that name) is the real compiler; after `-c -o X.o` it stores 0x100 + i,
 *			where X.o is line i of the table, from 0
 *
 * Where its module is not loaded nothing is stored.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_OBJECT 0x100u
#define PARAMETER    "/sys/module/lab_mark/parameters/value"
#define TABLE        "/lab/run/objects"
#define COMPILER     "/usr/bin/gcc"

static volatile pid_t child;

static void mark(unsigned int value)
{
	FILE *f = fopen(PARAMETER, "we");

	if (!f)
		return;
	fprintf(f, "%u", value);
	fclose(f);
}

/* The line of @object in the table, -1 if it has none. */
static int find(const char *object)
{
	char line[256];
	FILE *f = fopen(TABLE, "re");
	int found = -1;

	if (!f)
		return -1;
	for (int i = 0; found < 0 && fgets(line, sizeof(line), f); i++) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, object))
			found = i;
	}
	fclose(f);
	return found;
}

/* What a command line compiles, as a line of the table. */
static int find_object(char **argv)
{
	const char *object = NULL;
	int compiles = 0;

	for (; *argv; argv++) {
		if (!strcmp(*argv, "-c"))
			compiles = 1;
		else if (!strcmp(*argv, "-o") && argv[1])
			object = *++argv;
	}
	return compiles && object ? find(object) : -1;
}

static void forward(int sig)
{
	if (child > 0)
		kill(child, sig);
}

static int run(char **argv, int object)
{
	struct sigaction sa = {.sa_handler = forward, .sa_flags = SA_RESTART};
	sigset_t ours, before;
	int status;

	/* A signal that comes before the child is known must wait for it. */
	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, &before);
	child = fork();
	if (child < 0) {
		perror("lab-mark: fork");
		return 1;
	}
	if (!child) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		execv(COMPILER, argv);
		perror(COMPILER);
		_exit(127);
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
		return 128 + WTERMSIG(status);
	}
	if (!WEXITSTATUS(status))
		mark(FIRST_OBJECT + (unsigned int)object);
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	int object;

	name = name ? name + 1 : argv[0];
	if (!strcmp(name, "lab-mark")) {
		if (argc != 2)
			return 2;
		mark((unsigned int)strtoul(argv[1], NULL, 0));
		return 0;
	}
	object = find_object(argv + 1);
	/* With its full name the compiler finds its parts where it is, not where we are. */
	argv[0] = COMPILER;
	if (object >= 0)
		return run(argv, object);
	execv(COMPILER, argv);
	perror(COMPILER);
	return 127;
}
