/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooks.h"

#define FILEID_KERNFS 0xfe /* linux/exportfs.h */

int cgroup_path(uint64_t id, char *path, size_t size)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + sizeof(uint64_t)];
	} u = {.handle = {.handle_bytes = sizeof(uint64_t), .handle_type = FILEID_KERNFS}};
	char link[64], full[4096], mount[256];
	int root, fd = -1, r = 0;
	ssize_t length;

	root = hooks_cgroup_root(mount, sizeof(mount));
	if (root < 0)
		return root;
	memcpy(u.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(root, &u.handle, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		goto out;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, full, sizeof(full) - 1);
	if (length < 0) {
		r = -errno;
		goto out;
	}
	full[length] = '\0';
	if (!strncmp(full, mount, strlen(mount)))
		memmove(full, full + strlen(mount), strlen(full + strlen(mount)) + 1);
	snprintf(path, size, "%s", full[0] ? full : "/");
out:
	if (fd >= 0)
		close(fd);
	close(root);
	return r;
}

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, or 32 hex digits of a static pod; '_' for '-' as systemd
 * has it. *uid is left alone if it is none. */
static bool uid_read(const char *text, size_t length, char uid[CGROUP_POD_UID])
{
	char read[CGROUP_POD_UID] = "";

	if (length != 36 && length != 32)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool dash = length == 36 && (i == 8 || i == 13 || i == 18 || i == 23);

		if (dash ? text[i] != '-' && text[i] != '_' : !isxdigit((unsigned char)text[i]))
			return false;
		read[i] = dash ? '-' : text[i];
	}
	memcpy(uid, read, sizeof(read));
	return true;
}

/* Reads the container of "cri-containerd-<id>.scope", "docker-<id>.scope", "crio-<id>.scope",
 * "cri-containerd:<id>" or "<id>"; what is below it is its own affair. */
static void container_read(const char *text, char container[CGROUP_CONTAINER])
{
	const char *end = text + strcspn(text, "/");
	const char *start = text;

	if (end - text > 6 && !strncmp(end - 6, ".scope", 6))
		end -= 6;
	for (const char *p = text; p < end; p++) {
		if (*p == '-' || *p == ':')
			start = p + 1;
	}
	snprintf(container, CGROUP_CONTAINER, "%.*s", (int)(end - start), start);
}

int cgroup_pod(const char *path, char uid[CGROUP_POD_UID], char container[CGROUP_CONTAINER])
{
	const char *part = strstr(path, "kubepods");

	uid[0] = '\0';
	container[0] = '\0';
	/* Users make what they like below their own slice: a rootless kubelet's pods are there, or
	 * somebody who wants to pass for one. */
	if (!strncmp(path, "/user.slice/", 12))
		return -ENOENT;
	while (part && *part) {
		size_t length = strcspn(part, "/");
		size_t name = strcspn(part, "/.:"); /* without .slice, and what may follow that */
		const char *pod = NULL;

		/* the last "pod" of this part that begins a word:
		 * kubepods-besteffort-pod<uid>.slice */
		for (size_t i = 0; i + 3 < name; i++) {
			if (!strncmp(part + i, "pod", 3) && (i == 0 || part[i - 1] == '-'))
				pod = part + i + 3;
		}
		if (pod && uid_read(pod, (size_t)(part + name - pod), uid)) {
			/* a containerd that should leave cgroups to systemd, and doesn't, makes
			 * "kubepods-pod<uid>.slice:cri-containerd:<id>" of the two names */
			if (part[length] == '/')
				container_read(part + length + 1, container);
			else if (memchr(part, ':', length))
				container_read(part + name, container);
			return 0;
		}
		part += length;
		part += *part == '/';
	}
	return -ENOENT;
}

/* memory.max of cgroup2 says "max" for none; version 1 a number near 2^63. */
static uint64_t read_limit(const char *directory, const char *file)
{
	char path[4352], text[64] = "";
	unsigned long long limit;
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	stream = fopen(path, "re");
	if (!stream)
		return UINT64_MAX;
	if (!fgets(text, sizeof(text), stream))
		text[0] = '\0';
	fclose(stream);
	limit = strtoull(text, NULL, 10);
	return !limit || limit > 1ULL << 60 ? UINT64_MAX : limit;
}

/* From the cgroup up to the mount's root. */
static uint64_t least_limit(const char *mount, const char *path, const char *file)
{
	uint64_t least = UINT64_MAX;
	char directory[4096];
	size_t root = strlen(mount);

	snprintf(directory, sizeof(directory), "%s%s", mount, path);
	while (strlen(directory) > root) {
		uint64_t limit = read_limit(directory, file);
		char *slash = strrchr(directory, '/');

		if (limit < least)
			least = limit;
		*slash = '\0';
	}
	return least;
}

int cgroup_memory_limit(uint64_t *bytes)
{
	FILE *cgroups = fopen("/proc/self/cgroup", "re");
	char line[4096], mount[256];
	int root;

	if (!cgroups)
		return -errno;
	*bytes = UINT64_MAX;
	root = hooks_cgroup_root(mount, sizeof(mount));
	while (fgets(line, sizeof(line), cgroups)) {
		const char *first = strchr(line, ':');
		const char *path = first ? strchr(first + 1, ':') : NULL;
		uint64_t limit = UINT64_MAX;

		line[strcspn(line, "\n")] = '\0';
		if (!path)
			continue;
		if (!strncmp(first, "::", 2) && root >= 0)
			limit = least_limit(mount, path + 1, "memory.max");
		else if (!strncmp(first, ":memory:", 8))
			limit = least_limit("/sys/fs/cgroup/memory", path + 1,
					    "memory.limit_in_bytes");
		if (limit < *bytes)
			*bytes = limit;
	}
	if (root >= 0)
		close(root);
	fclose(cgroups);
	return 0;
}
