/* SPDX-License-Identifier: MIT */
#include "evidence-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../output/json.h"

static int fail(int r, const char *what, const char *path, const char *next, char *error,
		size_t error_size)
{
	snprintf(error, error_size, "--evidence: %s %s: %s; %s", what, path, strerror(-r), next);
	return r;
}

/* A device or a pipe is not replaced. */
static bool is_special(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

/* Makes a file beside `path`, or beside what that links to. `*place` is where it is to go, `*name`
 * what it is called until then; both free(). A descriptor, or -errno. */
static int make_beside(const char *path, char **place, char **name)
{
	mode_t mask = umask(0);
	int fd, r;

	umask(mask);
	*name = NULL;
	*place = realpath(path, NULL);
	if (!*place && errno == ENOENT)
		*place = strdup(path); /* not there yet, nor a link's target */
	if (!*place)
		return -errno;
	if (asprintf(name, "%s.XXXXXX", *place) < 0) {
		*name = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(*name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* as open() would have made it */
	if (!fchmod(fd, 0666 & ~mask))
		return fd;
	r = -errno;
	unlink(*name);
	close(fd);
	return r;
}

int evidence_file_check(const char *path, char *error, size_t error_size)
{
	char *place, *name;
	struct stat st;
	int fd;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return fail(-EISDIR, "writing", path, "give the name of a file", error, error_size);
	if (is_special(path))
		return 0;
	fd = make_beside(path, &place, &name);
	if (fd >= 0 && name) {
		unlink(name);
		close(fd);
	}
	free(place);
	free(name);
	return fd >= 0 ? 0
		       : fail(fd, "making", path,
			      "give a file in a directory that is there and can be written", error,
			      error_size);
}

/* Closes the descriptor. 0 or -errno. */
static int write_report(int fd, const struct report *report)
{
	FILE *file = fdopen(fd, "w");
	int r;

	if (!file) {
		r = -errno;
		close(fd);
		return r;
	}
	errno = 0;
	r = json_report(file, report);
	/* -EIO does not say why */
	if (r == -EIO && errno)
		r = -errno;
	if (!r && fsync(fd) && errno != EINVAL && errno != EROFS)
		r = -errno;
	if (fclose(file) && !r)
		r = -errno;
	return r;
}

int evidence_file_write(const char *path, const struct report *report, char *error,
			size_t error_size)
{
	char *place = NULL, *name = NULL;
	int fd, r;

	if (is_special(path)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : write_report(fd, report);
	} else {
		fd = make_beside(path, &place, &name);
		r = fd < 0 ? fd : write_report(fd, report);
		if (!r && rename(name, place))
			r = -errno;
		if (r && fd >= 0 && name)
			unlink(name);
	}
	free(place);
	free(name);
	return r ? fail(r, "writing", path, "no part of it was left there", error, error_size) : 0;
}
