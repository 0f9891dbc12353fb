/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#define FOLLOWED_MAX ((size_t)1 << 20)

/* The kernel takes root's capabilities over files away with the user ID, and gives them back. */
static int open_as(const char *path, int flags, const struct kube_user *as)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int fd;

	if (!as || !as->set || uid != 0)
		return open(path, flags);
	setfsgid(as->gid);
	setfsuid(as->uid);
	/* They return what was; whether they worked only another call tells. */
	if ((uid_t)setfsuid((uid_t)-1) == as->uid && (gid_t)setfsgid((gid_t)-1) == as->gid) {
		fd = open(path, flags);
	} else {
		fd = -1;
		errno = EPERM;
	}
	{
		int saved = errno;

		setfsuid(uid);
		setfsgid(gid);
		errno = saved;
	}
	return fd;
}

static int fail_system(const char *path, const struct kube_user *as, const struct problem *problem)
{
	int r = -errno;

	if (as && as->set)
		problem_set(problem, r,
			    "%s: cannot be read as %s, who called sudo: %s; make it readable for "
			    "them, or give it with --kubeconfig to have it read by root",
			    path, as->name ? as->name : "the user", strerror(-r));
	else
		problem_set(problem, r, "%s: cannot be read: %s; make it readable, or give another",
			    path, strerror(-r));
	return r;
}

static int read_fd(int fd, const char *path, size_t max, const struct kube_user *as,
		   struct secret *out, const struct problem *problem)
{
	size_t room = 0;

	for (;;) {
		ssize_t n;

		if (out->size == room) {
			struct secret larger = {0};

			room = room ? room * 2 : 16 << 10;
			larger.data = calloc(1, room + 1);
			if (!larger.data)
				return problem_no_memory(problem);
			larger.size = out->size;
			if (out->size)
				memcpy(larger.data, out->data, out->size);
			secret_deinit(out);
			*out = larger;
		}
		n = read(fd, out->data + out->size, room - out->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_system(path, as, problem);
		out->size += n;
		if (out->size > max)
			return problem_set(problem, -E2BIG,
					   "%s: is larger than %zu MiB, which is the most that is "
					   "read; use a smaller file",
					   path, max >> 20);
		if (!n)
			break;
	}
	out->data[out->size] = '\0';
	return 0;
}

int file_read(const char *path, size_t max, const struct kube_user *as, bool regular,
	      struct secret *out, const struct problem *problem)
{
	struct stat stat;
	int fd, r;

	fd = open_as(path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0), as);
	if (fd < 0)
		return fail_system(path, as, problem);
	if (regular && (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)))
		r = problem_set(problem, -EINVAL, "%s: is not a regular file; give another", path);
	else
		r = read_fd(fd, path, max, as, out, problem);
	close(fd);
	if (r < 0)
		secret_deinit(out);
	return r;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

static bool same_content(const struct secret *a, const struct secret *b)
{
	return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
}

int file_follow(struct watched_file *file, int64_t now, const struct kube_user *as,
		int (*check)(const struct watched_file *file, struct secret *content,
			     const struct problem *problem),
		const struct problem *problem)
{
	struct secret content = {0};
	struct stat found = {0};
	bool known;
	int r;

	if (file->read && now - file->checked < FILE_CHECK_INTERVAL)
		return 0;
	file->checked = now;
	/* Taken before reading: what is written in between is read once more. */
	known = stat(file->path, &found) == 0;
	if (known && file->read && same_file(&found, &file->stat))
		return 0;
	r = file_read(file->path, FOLLOWED_MAX, as, true, &content, problem);
	if (r == 0)
		r = check(file, &content, problem);
	if (r < 0) {
		secret_deinit(&content);
		return r;
	}
	if (known)
		file->stat = found;
	r = !file->read || !same_content(&content, &file->content);
	secret_deinit(&file->content);
	file->content = content;
	file->read = true;
	return r;
}

void file_deinit(struct watched_file *file)
{
	secret_deinit(&file->content);
	file->read = false;
}
