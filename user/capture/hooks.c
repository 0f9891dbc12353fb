/* SPDX-License-Identifier: MIT */
#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <mntent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "mount.h"

/* What the kernel's BTF puts before a hook's name. */
static const char *const btf_prefix[] = {
	[HOOK_TP_BTF] = "btf_trace_", [HOOK_FEXIT] = "",         [HOOK_KRETPROBE] = "",
	[HOOK_SOCKOPS] = "",          [HOOK_ITER] = "bpf_iter_",
};

static const char *const section[] = {
	[HOOK_TP_BTF] = "tp_btf",   [HOOK_FEXIT] = "fexit", [HOOK_KRETPROBE] = "kretprobe",
	[HOOK_SOCKOPS] = "sockops", [HOOK_ITER] = "iter",
};

const char *hook_name(enum hook_kind kind, const char *function, char *buf, size_t size)
{
	if (kind == HOOK_SOCKOPS)
		return "sockops";
	snprintf(buf, size, "%s/%s", section[kind], function);
	return buf;
}

struct btf *hooks_btf(const char *file)
{
	return file ? btf__parse(file, NULL) : btf__load_vmlinux_btf();
}

bool hooks_has_helper(const struct btf *kernel, const char *name)
{
	int id = btf__find_by_name_kind(kernel, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(kernel, (uint32_t)id);
	char whole[64];

	snprintf(whole, sizeof(whole), "BPF_FUNC_%s", name);
	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(kernel, btf_enum(type)[i].name_off), whole))
			return true;
	return false;
}

int hooks_arguments(const struct btf *kernel, const char *function)
{
	int id = btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC);

	if (id < 0)
		return -ENOENT;
	return btf_vlen(btf__type_by_id(kernel, btf__type_by_id(kernel, (uint32_t)id)->type));
}

bool hooks_fexit_ends(const struct btf *kernel, char why[HOOK_WHY])
{
	if (btf__find_by_name_kind(kernel, "bpf_tramp_image", BTF_KIND_STRUCT) >= 0)
		return true;
	snprintf(why, HOOK_WHY, "fexit: this kernel can't end it safely");
	return false;
}

bool hooks_atomics(void)
{
	/* *(u64 *)(r10 - 8) = 0; r0 = 1; r0 = atomic_fetch_add((u64 *)(r10 - 8), r0); exit */
	const struct bpf_insn program[] = {
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8,
		 .imm = BPF_ADD | BPF_FETCH},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "whocalls_try", "GPL", program,
			       sizeof(program) / sizeof(program[0]), NULL);

	if (fd >= 0)
		close(fd);
	/* who may not load any is told of that elsewhere */
	return fd >= 0 || fd == -EPERM;
}

const char *hooks_release(void)
{
	static struct utsname name;

	return uname(&name) ? "unknown" : name.release;
}

bool hooks_kernel_is(unsigned long major, unsigned long minor)
{
	unsigned long is_major, is_minor;
	char *rest;

	is_major = strtoul(hooks_release(), &rest, 10);
	is_minor = *rest == '.' ? strtoul(rest + 1, NULL, 10) : 0;
	return !is_major || is_major > major || (is_major == major && is_minor >= minor);
}

/* Where securityfs is not mounted, a mount of our own has the same file. */
static int open_lockdown(void)
{
	int fd = open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC), mount;

	if (fd >= 0)
		return fd;
	mount = mount_private("securityfs", MOUNT_ATTR_RDONLY);
	if (mount < 0)
		return -1;
	fd = openat(mount, "lockdown", O_RDONLY | O_CLOEXEC);
	close(mount);
	return fd;
}

const char *hooks_lockdown(void)
{
	static const char *const modes[] = {"none", "integrity", "confidentiality"};
	char line[128];
	ssize_t length;
	int fd = open_lockdown();

	if (fd < 0)
		return "unknown";
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[length < 0 ? 0 : length] = '\0';
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char active[32];

		snprintf(active, sizeof(active), "[%s]", modes[i]);
		if (strstr(line, active))
			return modes[i];
	}
	return "unknown";
}

/* Of a bind mount, or in a cgroup namespace, what is mounted may be a part only. */
static bool is_cgroup_root(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == 1; /* kernfs gives its root the first number */
}

int hooks_cgroup_root(char *path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int found = -ENOENT;

	if (!mounts)
		return -errno;
	while (found < 0 && (entry = getmntent(mounts))) {
		int fd;

		if (strcmp(entry->mnt_type, "cgroup2"))
			continue;
		fd = open(entry->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && is_cgroup_root(fd)) {
			snprintf(path, size, "%s", entry->mnt_dir);
			found = fd;
		} else if (fd >= 0) {
			close(fd);
		}
	}
	endmntent(mounts);
	return found;
}

/* The two instructions: r0 = `result`; exit. */
static int load(enum hook_kind kind, uint32_t btf_id)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K,
		 .dst_reg = BPF_REG_0,
		 .imm = kind == HOOK_SOCKOPS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	static const enum bpf_prog_type types[] = {
		[HOOK_TP_BTF] = BPF_PROG_TYPE_TRACING,   [HOOK_FEXIT] = BPF_PROG_TYPE_TRACING,
		[HOOK_KRETPROBE] = BPF_PROG_TYPE_KPROBE, [HOOK_SOCKOPS] = BPF_PROG_TYPE_SOCK_OPS,
		[HOOK_ITER] = BPF_PROG_TYPE_TRACING,
	};
	static const enum bpf_attach_type attach[] = {
		[HOOK_TP_BTF] = BPF_TRACE_RAW_TP,
		[HOOK_FEXIT] = BPF_TRACE_FEXIT,
		[HOOK_KRETPROBE] = 0,
		[HOOK_SOCKOPS] = BPF_CGROUP_SOCK_OPS,
		[HOOK_ITER] = BPF_TRACE_ITER,
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach[kind],
		    .attach_btf_id = btf_id);

	return bpf_prog_load(types[kind], "whocalls_try", "GPL", program, 2, &opts);
}

/* A return probe through perf, as libbpf makes it. */
static int attach_kretprobe(const char *function)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .config = 1 /* retprobe */};
	FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	char text[16] = "", *end;
	int r;

	if (!file)
		return -errno;
	r = fgets(text, sizeof(text), file) ? 0 : -EIO;
	fclose(file);
	attr.type = strtoul(text, &end, 10);
	if (!r && end == text)
		r = -EINVAL;
	if (r)
		return r;
	attr.config1 = (uintptr_t)function;
	r = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int attach(int program, enum hook_kind kind, const char *function)
{
	char path[256];
	int root, fd;

	switch (kind) {
	case HOOK_TP_BTF:
	case HOOK_FEXIT:
		return bpf_raw_tracepoint_open(NULL, program);
	case HOOK_ITER:
		return bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	case HOOK_SOCKOPS:
		root = hooks_cgroup_root(path, sizeof(path));
		if (root < 0)
			return root;
		fd = bpf_link_create(program, root, BPF_CGROUP_SOCK_OPS, NULL);
		close(root);
		return fd;
	case HOOK_KRETPROBE:
		return attach_kretprobe(function);
	}
	return -EINVAL;
}

static void explain(enum hook_kind kind, int r, const char *step, char why[HOOK_WHY])
{
	const char *lockdown = hooks_lockdown();

	if (kind == HOOK_KRETPROBE && r == -ENOENT)
		snprintf(why, HOOK_WHY,
			 "kretprobe: this kernel has no kprobes (CONFIG_KPROBES is off)");
	else if (kind == HOOK_SOCKOPS && r == -ENOENT)
		snprintf(why, HOOK_WHY, "sockops: no mount of the root of cgroup2 is visible here");
	else if (r == -EPERM && geteuid() == 0 && strcmp(lockdown, "none") && kind == HOOK_FEXIT)
		snprintf(why, HOOK_WHY, "fexit refused with EPERM: kernel lockdown is '%s'",
			 lockdown);
	else
		snprintf(why, HOOK_WHY, "%s refused with %s at %s", section[kind],
			 strerrorname_np(-r), step);
}

int hook_refused(enum hook_kind kind, char why[HOOK_WHY])
{
	/* 1 is no function's id: who may load such programs is told that it is invalid */
	int program = load(kind, 1);

	if (program >= 0)
		close(program);
	if (program != -EPERM)
		return 0;
	explain(kind, -EPERM, "load", why);
	return -EPERM;
}

int hook_try(const struct btf *kernel, enum hook_kind kind, const char *function,
	     char why[HOOK_WHY])
{
	const char *step = "load";
	char name[128];
	int program = -1, link = -1, id = 0, r = 0;

	why[0] = '\0';
	if (kind != HOOK_SOCKOPS && kind != HOOK_KRETPROBE) {
		snprintf(name, sizeof(name), "%s%s", btf_prefix[kind], function);
		id = btf__find_by_name_kind(kernel, name,
					    kind == HOOK_TP_BTF ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
		if (id < 0) {
			snprintf(why, HOOK_WHY, "this kernel has no %s %s",
				 kind == HOOK_TP_BTF ? "tracepoint"
				 : kind == HOOK_ITER ? "iterator"
						     : "function",
				 function);
			return -ENOENT;
		}
	}
	program = load(kind, (uint32_t)id);
	if (program < 0) {
		r = program;
	} else {
		step = "attach";
		link = attach(program, kind, function);
		r = link < 0 ? link : 0;
	}
	if (r)
		explain(kind, r, step, why);
	if (link >= 0)
		close(link);
	if (program >= 0)
		close(program);
	return r;
}
