/* SPDX-License-Identifier: MIT */
#include "process-child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "config-parts.h"

#define GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

/* --- before fork() --- */

/* Folders that are not absolute are left out, as Go does: a program in the folder where we happen
 * to be is nobody's wish. */
static int plan_paths(struct child_plan *plan, const char *command)
{
	const char *path = getenv("PATH");

	if (strchr(command, '/'))
		return strings_add(&plan->paths, strdup(command));
	if (!path)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path) {
		int length = (int)strcspn(path, ":");
		char *full = NULL;

		if (*path == '/') {
			if (asprintf(&full, "%.*s/%s", length, path, command) < 0)
				full = NULL;
			if (strings_add(&plan->paths, full) < 0)
				return -ENOMEM;
		}
		path += length + (path[length] == ':');
	}
	return plan->paths ? 0 : -ENOENT;
}

/* Takes "NAME=VALUE" in the place of what was called so. */
static int set_env(struct child_plan *plan, char *line)
{
	size_t name = line ? strcspn(line, "=") + 1 : 0;

	if (!line)
		return -ENOMEM;
	for (size_t i = 0; plan->env && plan->env[i]; i++) {
		if (strncmp(plan->env[i], line, name) != 0)
			continue;
		secret_free(plan->env[i]);
		plan->env[i] = line;
		return 0;
	}
	return strings_add(&plan->env, line);
}

static int set_named(struct child_plan *plan, const char *name, const char *value)
{
	char *line = NULL;

	if (value && asprintf(&line, "%s=%s", name, value) < 0)
		line = NULL;
	return value ? set_env(plan, line) : 0;
}

static int plan_env(struct child_plan *plan, char *const *env)
{
	int r = 0;

	for (size_t i = 0; r == 0 && environ[i]; i++)
		r = set_env(plan, strdup(environ[i]));
	if (r == 0 && plan->user) {
		r = set_named(plan, "HOME", plan->user->home);
		if (r == 0)
			r = set_named(plan, "USER", plan->user->name);
		if (r == 0)
			r = set_named(plan, "LOGNAME", plan->user->name);
	}
	for (size_t i = 0; r == 0 && env && env[i]; i++)
		r = set_env(plan, strdup(env[i]));
	return r;
}

static int plan_groups(struct child_plan *plan)
{
	int n = 64;

	for (;;) {
		int room = n;
		gid_t *groups = realloc(plan->groups, room * sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		plan->groups = groups;
		if (!plan->user->name) {
			groups[0] = plan->user->gid;
			plan->n_groups = 1;
			return 0;
		}
		if (getgrouplist(plan->user->name, plan->user->gid, groups, &n) >= 0) {
			plan->n_groups = n;
			return 0;
		}
		if (n <= room)
			n = room * 2;
		if (n > GROUPS_MAX)
			return -E2BIG;
	}
}

int child_plan(struct child_plan *plan, const char *command, char *const *args, char *const *env,
	       const struct kube_user *user)
{
	int r;

	if (user && user->set && geteuid() == 0)
		plan->user = user;
	r = plan_paths(plan, command);
	if (r == 0)
		r = strings_add(&plan->args, strdup(command));
	for (size_t i = 0; r == 0 && args && args[i]; i++)
		r = strings_add(&plan->args, strdup(args[i]));
	if (r == 0)
		r = plan_env(plan, env);
	if (r == 0 && plan->user)
		r = plan_groups(plan);
	return r;
}

void child_plan_deinit(struct child_plan *plan)
{
	strings_free(plan->paths);
	strings_free(plan->args);
	strings_free(plan->env);
	free(plan->groups);
	*plan = (struct child_plan){0};
}

/* --- after it --- */

static _Noreturn void fail(int report, const char *stage)
{
	struct child_failure failure = {.error = errno, .stage = stage};

	if (write(report, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

/* Ours may be any number, also 0 to 2 if we were started without these: out of the way first.
 * Returns the report's, the only one that stays besides 0 to 2. */
static int place_fds(const struct child_plan *plan)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int out = fcntl(plan->out, F_DUPFD_CLOEXEC, 10);
	int err = fcntl(plan->err, F_DUPFD_CLOEXEC, 10);
	int report = fcntl(plan->report, F_DUPFD_CLOEXEC, 10);

	if (report < 0)
		_exit(127); /* which the parent sees as a program that failed */
	if (null < 0 || out < 0 || err < 0 || (null > 0 && dup2(null, 0) < 0) || dup2(out, 1) < 0 ||
	    dup2(err, 2) < 0)
		fail(report, "start it");
	if (null == 0)
		fcntl(0, F_SETFD, 0);
	if (report != 3 && dup3(report, 3, O_CLOEXEC) < 0)
		fail(report, "start it");
	/* A sandbox may not know close_range(); all of ours are to be closed by exec anyway. */
	close_range(4, ~0U, 0);
	return 3;
}

/* We may have blocked signals to read them, and ignore SIGPIPE. */
static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become(const struct child_plan *plan, int report)
{
	const struct kube_user *user = plan->user;

	if (!user)
		return;
	if (setgroups(plan->n_groups, plan->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		fail(report, "become the user who called sudo");
}

_Noreturn void child_run(const struct child_plan *plan)
{
	int report = place_fds(plan);
	int error = ENOENT;

	reset_signals();
	/* No terminal: a plugin that asks for a password must fail, not wait unseen. */
	if (setsid() < 0)
		fail(report, "start it");
	become(plan, report);
	/* After the change of user, which resets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != plan->parent)
		_exit(127);
	for (size_t i = 0; plan->paths[i]; i++) {
		execve(plan->paths[i], plan->args, plan->env);
		if (errno == EACCES)
			error = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR)
			fail(report, "run it");
	}
	errno = error;
	fail(report, "run it");
}
