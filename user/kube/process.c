/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process-child.h"

#define SAID_MAX ((size_t)64 << 10)
/* At once, so that a program that prints without end doesn't keep us. */
#define CHUNKS_MAX 64

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The program is there to be waited for: with SIGKILL that isn't long. */
static void kill_all(struct process *process)
{
	/* The first process of its session, and so of its group. */
	kill(-process->pid, SIGKILL);
	kill(process->pid, SIGKILL);
	while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
		;
	process->pid = 0;
}

void process_deinit(struct process *process)
{
	if (process->pid)
		kill_all(process);
	if (process->output.data) { /* else all zero, and 0 would be standard input */
		close_fd(&process->out);
		close_fd(&process->err);
		close_fd(&process->pidfd);
		close_fd(&process->fd);
	}
	secret_deinit(&process->output);
	*process = (struct process){.fd = -1, .out = -1, .err = -1, .pidfd = -1};
}

/* --- start --- */

static int watch(const struct process *process, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(process->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int watch_all(struct process *process)
{
	int r;

	process->fd = epoll_create1(EPOLL_CLOEXEC);
	process->pidfd = pidfd_open(process->pid, 0);
	if (process->fd < 0 || process->pidfd < 0)
		return -errno;
	if (fcntl(process->out, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(process->err, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = watch(process, process->out);
	if (r == 0)
		r = watch(process, process->err);
	if (r == 0)
		r = watch(process, process->pidfd);
	return r;
}

/* What the child says before it becomes the program: nothing, or why it can't. */
static int wait_for_exec(int fd, const char **stage)
{
	struct child_failure failure;
	ssize_t n;

	do
		n = read(fd, &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != sizeof(failure))
		return -EIO;
	*stage = failure.stage;
	return -failure.error;
}

static int start(struct process *process, struct child_plan *plan, const char **stage)
{
	int out[2] = {-1, -1}, err[2] = {-1, -1}, report[2] = {-1, -1};
	int r;

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    pipe2(report, O_CLOEXEC) < 0) {
		r = -errno;
		goto done;
	}
	plan->out = out[1];
	plan->err = err[1];
	plan->report = report[1];
	plan->parent = getpid();
	process->pid = fork();
	if (process->pid == 0)
		child_run(plan);
	if (process->pid < 0) {
		r = -errno;
		process->pid = 0;
		goto done;
	}
	close_fd(&report[1]);
	r = wait_for_exec(report[0], stage);
	if (r < 0)
		goto done;
	process->out = out[0];
	process->err = err[0];
	out[0] = err[0] = -1;
	r = watch_all(process);
done:
	close_fd(&out[0]);
	close_fd(&out[1]);
	close_fd(&err[0]);
	close_fd(&err[1]);
	close_fd(&report[0]);
	close_fd(&report[1]);
	return r;
}

int process_start(struct process *process, const char *command, char *const *args, char *const *env,
		  const struct kube_user *user, int64_t now, const char **stage)
{
	struct child_plan plan = {0};
	int r;

	process_deinit(process);
	*stage = "run it";
	process->deadline = now + PROCESS_TIME_MAX;
	process->output.data = malloc(PROCESS_OUTPUT_MAX + 1);
	r = process->output.data ? child_plan(&plan, command, args, env, user) : -ENOMEM;
	if (r == 0)
		r = start(process, &plan, stage);
	child_plan_deinit(&plan);
	if (r < 0)
		process_deinit(process);
	return r;
}

/* --- proceed --- */

/* A pipe that has ended would wake us for ever. */
static void end_pipe(struct process *process, int *fd)
{
	epoll_ctl(process->fd, EPOLL_CTL_DEL, *fd, NULL);
	close_fd(fd);
}

static int read_output(struct process *process)
{
	struct secret *output = &process->output;

	while (process->out >= 0) {
		ssize_t n = read(process->out, output->data + output->size,
				 PROCESS_OUTPUT_MAX + 1 - output->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			end_pipe(process, &process->out);
		output->size += n;
		if (output->size > PROCESS_OUTPUT_MAX)
			return -E2BIG;
	}
	return 0;
}

static void pass_on(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((text[i] < ' ' || text[i] > '~') && text[i] != '\n' && text[i] != '\t')
			text[i] = '?';
	while (size) {
		ssize_t n = write(STDERR_FILENO, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* whoever reads our messages is gone */
		text += n;
		size -= n;
	}
}

static void read_messages(struct process *process)
{
	for (int i = 0; process->err >= 0 && i < CHUNKS_MAX; i++) {
		char text[4096];
		ssize_t n = read(process->err, text, sizeof(text));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			end_pipe(process, &process->err);
			return;
		}
		if (process->said < SAID_MAX)
			pass_on(text, (size_t)n < SAID_MAX - process->said
					      ? (size_t)n
					      : SAID_MAX - process->said);
		process->said += n;
	}
}

int process_proceed(struct process *process, int64_t now, int *status)
{
	/* Asked first: what it printed before its end is then in the pipes. Whether these have
	 * ended says nothing, since what it started may still have them. */
	pid_t ended = waitpid(process->pid, status, WNOHANG);
	int r;

	if (ended < 0 && errno != EINTR) {
		r = -errno;
		process->pid = 0;
		return r;
	}
	if (ended > 0)
		process->pid = 0;
	r = read_output(process);
	read_messages(process);
	if (r < 0 || ended > 0)
		return r;
	return now < process->deadline ? -EINPROGRESS : -ETIMEDOUT;
}
