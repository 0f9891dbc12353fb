/* SPDX-License-Identifier: MIT */
#include "state-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME "history"
/* Always the same name: what a crash has left of it is overwritten. */
#define NEXT_NAME "history.new"

static int fail(int r, const char *what, const char *dir, const char *name, const char *next,
		char *said, size_t size)
{
	snprintf(said, size, "--state: %s %s%s%s: %s; %s", what, dir, *name ? "/" : "", name,
		 strerror(-r), next);
	return r;
}

/* A descriptor, or -errno and a sentence. */
static int open_dir(const char *dir, char *said, size_t size)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd
		       : fail(-errno, "opening", dir, "",
			      "give a directory that is there and can be written", said, size);
}

/* --- load --- */

/* Under what name it is kept. */
static int put_aside(int dir, int64_t now, char *name, size_t size)
{
	time_t seconds = (time_t)now;
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, size, NAME ".damaged-%s", when);
	return renameat(dir, NAME, dir, name) ? -errno : 0;
}

/* Says what was wrong, and what became of it. 1 or -errno. */
static int damaged(int fd, const char *dir, const char *why, int64_t now, char *said, size_t size)
{
	char name[64];
	int r = put_aside(fd, now, name, sizeof(name));

	if (r)
		return fail(r, "putting aside a file that can't be used,", dir, NAME,
			    "remove it, or make the directory writable", said, size);
	snprintf(said, size,
		 "--state: reading %s/" NAME ": %s; it was put aside as %s, and the history begins "
		 "anew",
		 dir, why, name);
	return 1;
}

/* A stream of a regular file; NULL and -errno. */
static FILE *open_history(int dir, int *error)
{
	/* of a FIFO the opening would wait */
	int fd = openat(dir, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	FILE *file;

	*error = -errno;
	if (fd < 0)
		return NULL;
	*error = -ENODATA;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		file = fdopen(fd, "r");
		*error = -ENOMEM;
		if (file)
			return file;
	}
	close(fd);
	return NULL;
}

static int load(int fd, const char *dir, struct history *history, int64_t now, char *said,
		size_t size)
{
	char why[160];
	FILE *file;
	int r;

	file = open_history(fd, &r);
	if (!file && r == -ENOENT)
		return 0;
	if (!file && (r == -ENODATA || r == -ELOOP))
		return damaged(fd, dir, "it is no regular file", now, said, size);
	if (!file)
		return fail(r, "opening", dir, NAME, "let whocalls read it, or remove it", said,
			    size);
	r = history_read(history, file, why, sizeof(why));
	fclose(file);
	return r ? damaged(fd, dir, why, now, said, size) : 0;
}

int state_file_load(const char *dir, struct history *history, int64_t now, char *said,
		    size_t said_size)
{
	int fd = open_dir(dir, said, said_size), r;

	if (fd < 0)
		return fd;
	said[0] = '\0';
	r = load(fd, dir, history, now, said, said_size);
	close(fd);
	return r;
}

/* --- save --- */

/* Closes the descriptor. 0 or -errno. */
static int write_all(int fd, const struct history *history)
{
	FILE *file = fdopen(fd, "w");
	int r;

	if (!file) {
		r = -errno;
		close(fd);
		return r;
	}
	errno = 0;
	r = history_write(history, file);
	if (!r && fflush(file))
		r = -EIO;
	/* -EIO does not say why */
	if (r && errno)
		r = -errno;
	if (!r && fsync(fd))
		r = -errno;
	if (fclose(file) && !r)
		r = -errno;
	return r;
}

static int save(int dir, const struct history *history)
{
	int fd, r;

	/* O_EXCL: nothing that somebody else has put there is written to */
	unlinkat(dir, NEXT_NAME, 0);
	fd = openat(dir, NEXT_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, history);
	if (!r && renameat(dir, NEXT_NAME, dir, NAME))
		r = -errno;
	if (r) {
		unlinkat(dir, NEXT_NAME, 0);
		return r;
	}
	/* so that the new name, too, is on the disk; some file systems have no such thing */
	return fsync(dir) && errno != EINVAL && errno != EROFS ? -errno : 0;
}

int state_file_save(const char *dir, const struct history *history, char *said, size_t said_size)
{
	int fd = open_dir(dir, said, said_size), r;

	if (fd < 0)
		return fd;
	r = save(fd, history);
	close(fd);
	if (r)
		return fail(r, "writing", dir, NAME,
			    "until it can be, a restart loses what was counted since", said,
			    said_size);
	said[0] = '\0';
	return 0;
}
