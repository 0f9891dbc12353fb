/* SPDX-License-Identifier: MIT */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define PROC_PID_INIT_INO 0xEFFFFFFCU /* linux/proc_ns.h: the first PID namespace always has it */

/* Namespaces seen in one walk: a sorted set of inode numbers. */
struct seen {
	uint32_t *inums;
	size_t n, room;
};

struct walk {
	int (*look)(uint32_t inum, void *arg);
	void *arg;
	const uint32_t *only;
	size_t n_only;
	struct seen seen;
	int failed;
	bool refused; /* of a process it was not told which namespace is its own */
};

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t seen_place(const struct seen *seen, uint32_t inum)
{
	size_t at = 0, end = seen->n;

	while (at < end) {
		size_t middle = (at + end) / 2;

		if (seen->inums[middle] < inum)
			at = middle + 1;
		else
			end = middle;
	}
	return at;
}

static bool seen_has(const struct seen *seen, uint32_t inum)
{
	size_t at = seen_place(seen, inum);

	return at < seen->n && seen->inums[at] == inum;
}

static int seen_add(struct seen *seen, uint32_t inum)
{
	size_t at = seen_place(seen, inum);

	if (seen->n == seen->room) {
		size_t room = seen->room ? seen->room * 2 : 64;
		uint32_t *inums = realloc(seen->inums, room * sizeof(*inums));

		if (!inums)
			return -ENOMEM;
		seen->inums = inums;
		seen->room = room;
	}
	memmove(seen->inums + at + 1, seen->inums + at, (seen->n - at) * sizeof(*seen->inums));
	seen->inums[at] = inum;
	seen->n++;
	return 0;
}

/* The programs write nothing; but a read ends with EAGAIN after a million objects without output.
 */
static int drain(int fd)
{
	char buf[64];
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
	} while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	return n < 0 ? -errno : 0;
}

static int run_link(int link)
{
	int fd = bpf_iter_create(link), r;

	if (fd < 0)
		return fd;
	r = drain(fd);
	close(fd);
	return r;
}

int sweep_run(const struct bpf_program *program)
{
	int link = bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, NULL), r;

	if (link < 0)
		return link;
	r = run_link(link);
	close(link);
	return r;
}

/* Of init it does not matter: its namespace is the node's own, in which others are, too. */
static void refused(struct walk *walk, const char *path)
{
	if (strcmp(path, "/proc/1/ns/net"))
		walk->refused = true;
}

/* Enters the namespace behind `path` unless it was visited, and looks: positive is a failure there.
 */
static int visit(struct walk *walk, const char *path)
{
	struct statfs fs;
	struct stat st;
	uint32_t inum;
	int fd, r = 0;

	/* stat() is cheap and most processes share few namespaces; one that ended is no failure: at
	 * first it may be EACCES, too */
	if (stat(path, &st) && (errno != EACCES || stat(path, &st))) {
		if (errno == EACCES)
			refused(walk, path);
		return 0;
	}
	inum = (uint32_t)st.st_ino;
	if (walk->only && !bsearch(&inum, walk->only, walk->n_only, sizeof(inum), compare))
		return 0;
	if (seen_has(&walk->seen, inum))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		return 0;
	if (fd >= 0 && (fstatfs(fd, &fs) || fs.f_type != NSFS_MAGIC)) {
		/* a plain file that somebody left under /run/netns, or how 5.10 refuses */
		if (!strncmp(path, "/proc/", 6))
			refused(walk, path);
		goto out;
	}
	r = seen_add(&walk->seen, inum);
	if (!r && (fd < 0 || setns(fd, CLONE_NEWNET)))
		walk->failed++;
	else if (!r)
		r = walk->look(inum, walk->arg);
	if (r > 0) {
		walk->failed++;
		r = 0;
	}
out:
	if (fd >= 0)
		close(fd);
	return r;
}

static int visit_all(struct walk *walk, const char *directory, const char *suffix, bool numbers)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return numbers ? -errno : 0;
	while (!r && (entry = readdir(dir))) {
		char path[512];

		if (entry->d_name[0] == '.' ||
		    (numbers && (entry->d_name[0] < '0' || entry->d_name[0] > '9')))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", directory, entry->d_name, suffix);
		r = visit(walk, path);
	}
	closedir(dir);
	return r;
}

static int walk_all(struct walk *walk)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), r;

	if (own < 0)
		return -errno;
	r = visit_all(walk, "/proc", "/ns/net", true);
	if (!r)
		r = visit_all(walk, "/run/netns", "", false);
	if (setns(own, CLONE_NEWNET) && !r)
		r = -errno;
	/* how many namespaces those are is not known: at least one, unless all that are wanted were
	 * seen */
	walk->failed += walk->refused && !(walk->only && walk->seen.n == walk->n_only);
	free(walk->seen.inums);
	close(own);
	return r ? r : walk->failed;
}

static int look_with_link(uint32_t inum, void *arg)
{
	(void)inum;
	return run_link(*(const int *)arg) ? 1 : 0;
}

int sweep_namespaces(const struct bpf_program *program, const uint32_t *only, size_t n_only)
{
	int link = bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, NULL), r;
	struct walk walk = {.look = look_with_link, .arg = &link, .only = only, .n_only = n_only};

	if (link < 0)
		return link;
	r = walk_all(&walk);
	close(link);
	return r;
}

int sweep_look(int (*look)(uint32_t inum, void *arg), void *arg, const uint32_t *only,
	       size_t n_only)
{
	struct walk walk = {.look = look, .arg = arg, .only = only, .n_only = n_only};

	return walk_all(&walk);
}

uint64_t sweep_pause(uint64_t took)
{
	const uint64_t most = 10 * UINT64_C(1000000000);

	return took < most / 200 ? took * 200 : most;
}

uint32_t sweep_own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

bool sweep_own_pids(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino != PROC_PID_INIT_INO;
}
