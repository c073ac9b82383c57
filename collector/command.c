// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "message.h"

/* The child: waits for the word, then becomes the program. */
static void become(const struct spht_command *c, char *const *argv, bool stdout_taken)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ};
	struct sigaction hup;
	sigset_t none;
	int saved;
	char go;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	if (!sigaction(SIGHUP, NULL, &hup) && hup.sa_handler != SIG_IGN)
		signal(SIGHUP, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (stdout_taken && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	/* Nothing comes when the recorder gave up or was killed. */
	if (read(c->go, &go, 1) != 1)
		_exit(0);
	execvp(argv[0], argv);
	saved = errno;
	if (write(c->says, &saved, sizeof(saved)) != sizeof(saved))
		_exit(126);
	_exit(127);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int spht_command_open(struct spht_command *c, char *const *argv, bool stdout_taken,
		      struct spht_error *err)
{
	int go[2] = {-1, -1}, says[2] = {-1, -1};

	*c = (struct spht_command){.pidfd = -1, .go = -1, .says = -1};
	if (pipe2(go, O_CLOEXEC) || pipe2(says, O_CLOEXEC))
		goto fail;
	c->pid = fork();
	if (c->pid < 0)
		goto fail;
	if (!c->pid) {
		close(go[1]);
		close(says[0]);
		c->go = go[0];
		c->says = says[1];
		become(c, argv, stdout_taken);
	}
	close_fd(&go[0]);
	close_fd(&says[1]);
	c->go = go[1];
	c->says = says[0];
	c->pidfd = pidfd_open(c->pid, 0);
	if (c->pidfd >= 0)
		return 0;
fail:
	spht_error_set(err, "%s: cannot start a process: %s", argv[0], strerror(errno));
	close_fd(&go[0]);
	close_fd(&says[1]);
	if (c->pid > 0) {
		spht_command_close(c, 0);
	} else {
		close_fd(&go[1]);
		close_fd(&says[0]);
	}
	c->pid = 0;
	return -1;
}

int spht_command_start(struct spht_command *c, const char *name, struct spht_error *err)
{
	int why = 0;
	ssize_t n;

	if (write(c->go, "", 1) != 1)
		why = errno;
	close_fd(&c->go);
	do
		n = read(c->says, &why, sizeof(why)); /* its end is closed when it has begun */
	while (n < 0 && errno == EINTR);
	close_fd(&c->says);
	if (!why)
		return 0;
	spht_error_set(err, "%s: cannot run: %s", name, strerror(why));
	return -1;
}

bool spht_command_ended(struct spht_command *c)
{
	if (c->pid && !c->ended && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->ended = true;
	return c->ended;
}

void spht_command_close(struct spht_command *c, int seconds)
{
	struct pollfd end = {.fd = c->pidfd, .events = POLLIN};
	bool begun = c->go < 0;

	if (!c->pid)
		return;
	close_fd(&c->go); /* which ends one that waits for its word */
	close_fd(&c->says);
	if (!spht_command_ended(c)) {
		kill(c->pid, begun ? SIGTERM : SIGKILL);
		poll(&end, 1, begun ? seconds * 1000 : -1);
		if (!spht_command_ended(c))
			spht_message("the command goes on after SIGTERM, pid %d", (int)c->pid);
	}
	close_fd(&c->pidfd);
	c->pid = 0;
}
