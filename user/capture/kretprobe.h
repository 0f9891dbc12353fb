/* SPDX-License-Identifier: MIT */
/*
 * A return probe with room for more than the kernel's default of max(10, 2 * processors) calls that
 * are under way at once: each thread that waits in accept() is one, and those beyond are missed.
 * Only tracefs lets that be set (Documentation/trace/kprobetrace.rst, MAXACTIVE).
 */
#ifndef CAPTURE_KRETPROBE_H
#define CAPTURE_KRETPROBE_H

#include <stdint.h>

struct bpf_link;
struct bpf_program;

struct kretprobe {
	int tracefs;   /* a mount of our own that nobody else sees; -1: none */
	char name[64]; /* of the event; "": the plain probe, or none */
};

#define KRETPROBE_NONE ((struct kretprobe){.tracefs = -1})

/*
 * Attaches with room for KRETPROBE_INSTANCES calls; where tracefs refuses, with the kernel's
 * default. The events of processes that were killed are removed on the way. `probe` is
 * KRETPROBE_NONE before. NULL with errno set if there is no probe at all. First
 * bpf_link__destroy(), then kretprobe_deinit().
 */
#define KRETPROBE_INSTANCES 4096 /* KRETPROBE_MAXACTIVE_MAX of kernel/trace/trace_kprobe.c */
struct bpf_link *kretprobe_attach(struct kretprobe *probe, const struct bpf_program *program,
				  const char *function);

/* Calls that the probe has missed for lack of room (nmissed): 0 also where that can't be told. */
uint64_t kretprobe_missed(const struct kretprobe *probe);

/* Removes the event. May be called twice. */
void kretprobe_deinit(struct kretprobe *probe);

#endif
