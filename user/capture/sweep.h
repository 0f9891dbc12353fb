/* SPDX-License-Identifier: MIT */
/* Running the BPF iterators: over the files of all tasks, over the TCP sockets of network
 * namespaces. */
#ifndef CAPTURE_SWEEP_H
#define CAPTURE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_program;

/* Runs an iterator to its end in this process's own network namespace. 0 or a negative errno. */
int sweep_run(const struct bpf_program *program);

/*
 * Runs an iterator of TCP sockets once in each network namespace of the node: those that processes
 * are in, and those that are mounted under /run/netns. `only` (sorted inode numbers, n_only of
 * them) limits it to these; NULL: all. Returns the number of namespaces that could not be entered
 * or read, or a negative errno when nothing could be done. The calling thread is back in its own
 * namespace after it.
 */
int sweep_namespaces(const struct bpf_program *program, const uint32_t *only, size_t n_only);

/*
 * Calls `look` in each network namespace of the node, entered, with its inode number; `only` as
 * above. Returns as sweep_namespaces(), or what `look` returned if that was negative.
 */
int sweep_look(int (*look)(uint32_t inum, void *arg), void *arg, const uint32_t *only,
	       size_t n_only);

/*
 * After a sweep that took so long, ns: how long until the next. Sweeps may take 1/200 of the time,
 * but they come every 10 s whatever they take: handshakes that do not complete are seen by them
 * alone, twice at least; the kernel keeps one for a minute (net.ipv4.tcp_synack_retries: fewer
 * tries for less), and 30 s of it may be a gap (GAP_PROVEN_NS).
 */
uint64_t sweep_pause(uint64_t took);

/* Inode number of this process's own network namespace; 0 if it can't be told. */
uint32_t sweep_own_netns(void);

/* This process sees only those of a pid namespace of its own, so namespaces may be left out. */
bool sweep_own_pids(void);

#endif
