/* SPDX-License-Identifier: MIT */
#include "kretprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "mount.h"

#define GROUP "whocalls"
#define PREFIX "whocalls_"

static FILE *open_file(const struct kretprobe *probe, const char *name)
{
	int fd = openat(probe->tracefs, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

/* One line for the kernel. Append: opening it to write anew would remove everybody's probes. */
__attribute__((format(printf, 2, 3))) static int command(const struct kretprobe *probe,
							 const char *format, ...)
{
	int fd = openat(probe->tracefs, "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC), r = 0;
	va_list args;

	if (fd < 0)
		return -errno;
	va_start(args, format);
	if (vdprintf(fd, format, args) < 0)
		r = -errno;
	va_end(args);
	close(fd);
	return r;
}

/* What a killed process left; the kernel keeps those that are in use (EBUSY). */
static void remove_leftovers(const struct kretprobe *probe)
{
	FILE *events = open_file(probe, "kprobe_events");
	char line[512], name[64];

	while (events && fgets(line, sizeof(line), events))
		if (sscanf(line, "%*[^:]:" GROUP "/%63s", name) == 1 &&
		    !strncmp(name, PREFIX, strlen(PREFIX)))
			command(probe, "-:" GROUP "/%s\n", name);
	if (events)
		fclose(events);
}

static int event_id(const struct kretprobe *probe)
{
	char path[128], text[16] = "";
	FILE *file;
	long id;

	snprintf(path, sizeof(path), "events/" GROUP "/%s/id", probe->name);
	file = open_file(probe, path);
	if (!file)
		return -errno;
	id = fgets(text, sizeof(text), file) ? strtol(text, NULL, 10) : 0;
	fclose(file);
	return id > 0 ? (int)id : -EIO;
}

/* A program on a tracepoint's event of one processor runs on all of them. */
static struct bpf_link *attach_event(const struct kretprobe *probe,
				     const struct bpf_program *program)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr)};
	int id = event_id(probe), fd;
	struct bpf_link *link;

	if (id < 0)
		return NULL;
	attr.config = (uint64_t)id;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return NULL;
	link = bpf_program__attach_perf_event(program, fd);
	if (!link)
		close(fd);
	return link;
}

struct bpf_link *kretprobe_attach(struct kretprobe *probe, const struct bpf_program *program,
				  const char *function)
{
	struct bpf_link *link = NULL;

	probe->tracefs = mount_private("tracefs", 0);
	if (probe->tracefs >= 0) {
		remove_leftovers(probe);
		snprintf(probe->name, sizeof(probe->name), PREFIX "%s_%d", function, getpid());
		if (command(probe, "r%d:" GROUP "/%s %s\n", KRETPROBE_INSTANCES, probe->name,
			    function))
			probe->name[0] = '\0';
		else
			link = attach_event(probe, program);
	}
	if (link)
		return link;
	kretprobe_deinit(probe);
	return bpf_program__attach_kprobe(program, true, function);
}

uint64_t kretprobe_missed(const struct kretprobe *probe)
{
	FILE *profile = probe->name[0] ? open_file(probe, "kprobe_profile") : NULL;
	char line[512], name[64], misses[24];
	uint64_t missed = 0;

	while (profile && fgets(line, sizeof(line), profile))
		if (sscanf(line, "%63s %*s %23s", name, misses) == 2 && !strcmp(name, probe->name))
			missed = strtoull(misses, NULL, 10);
	if (profile)
		fclose(profile);
	return missed;
}

void kretprobe_deinit(struct kretprobe *probe)
{
	if (probe->name[0])
		command(probe, "-:" GROUP "/%s\n", probe->name);
	probe->name[0] = '\0';
	if (probe->tracefs >= 0)
		close(probe->tracefs);
	probe->tracefs = -1;
}
