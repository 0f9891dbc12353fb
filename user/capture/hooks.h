/* SPDX-License-Identifier: MIT */
/*
 * What this kernel allows: each hook is tried with a program of two instructions, loaded and
 * attached for a moment. Whether a program loads says nothing by itself: some kernels refuse only
 * the attach.
 */
#ifndef CAPTURE_HOOKS_H
#define CAPTURE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

struct btf;

enum hook_kind {
	HOOK_TP_BTF, /* `function` is the tracepoint's name */
	HOOK_FEXIT,  /* … the kernel function's */
	HOOK_KRETPROBE,
	HOOK_SOCKOPS, /* on the root of cgroup2 */
	HOOK_ITER,    /* … the iterator's: tcp, task_file */
};

#define HOOK_WHY 512

/*
 * Tries one hook. 0, or a negative errno and in `why` a clause for people: "fexit refused with
 * EPERM: kernel lockdown is 'integrity'". `kernel` is the running kernel's BTF, as of hooks_btf();
 * HOOK_KRETPROBE and HOOK_SOCKOPS need none.
 */
int hook_try(const struct btf *kernel, enum hook_kind kind, const char *function,
	     char why[HOOK_WHY]);

/*
 * Whether the kernel refuses this kind of program at all, before it even looks what it is for: as a
 * locked-down one does. Needs no BTF, which takes tens of milliseconds to read. -EPERM and `why`,
 * or 0.
 */
int hook_refused(enum hook_kind kind, char why[HOOK_WHY]);

/* The name as libbpf writes it: "tp_btf/inet_sock_set_state". Static or in `buf`. */
const char *hook_name(enum hook_kind kind, const char *function, char *buf, size_t size);

/* The running kernel's BTF, or that of `file` if not NULL; NULL with errno set. Free with
 * btf__free(). */
struct btf *hooks_btf(const char *file);

/* Whether the kernel has this BPF helper: "get_func_ret". */
bool hooks_has_helper(const struct btf *kernel, const char *name);

/* How many arguments a kernel function has; -ENOENT if it has no such function. */
int hooks_arguments(const struct btf *kernel, const char *function);

/* Whether an fexit can be detached while threads are in its function: before 5.10.28 that frees the
 * code that they will return to. False with `why`. */
bool hooks_fexit_ends(const struct btf *kernel, char why[HOOK_WHY]);

/* Whether BPF programs may use atomics that give a result (5.12 and later), found out by loading
 * one. */
bool hooks_atomics(void);

/* The kernel's release: "5.4.0-42-generic"; "unknown" if it can't be told. Static. */
const char *hooks_release(void);

/* Whether this kernel is that version or a later one; true if it can't be told. */
bool hooks_kernel_is(unsigned long major, unsigned long minor);

/* Kernel lockdown's mode: "none", "integrity", "confidentiality", or "unknown". Static. */
const char *hooks_lockdown(void);

/* Opens the root of cgroup2, wherever it is mounted, and writes where. A file descriptor, or a
 * negative errno: -ENOENT if no mount of the whole hierarchy is visible. */
int hooks_cgroup_root(char *path, size_t size);

#endif
