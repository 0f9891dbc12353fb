/* SPDX-License-Identifier: MIT */
/*
 * The tracer's own heartbeat: the times in which it did not run, since it was stopped (SIGSTOP, a
 * debugger, a frozen cgroup), starved, or the machine slept. The kernel side counts all the same
 * while only the program stands still.
 */
#ifndef COMMAND_HEARTBEAT_H
#define COMMAND_HEARTBEAT_H

#include <stddef.h>
#include <stdint.h>

#include "../callers/coverage.h"

/* The loop comes by every 50 ms; what is longer than this is a gap. */
#define HEARTBEAT_GAP_NS 1000000000

/* Starts as all zero. */
struct heartbeat {
	uint64_t last;     /* CLOCK_MONOTONIC ns of the last beat; 0: none yet */
	int64_t suspended; /* ns that the machine had slept then: CLOCK_BOOTTIME goes on */
	struct gap gaps[COVERAGE_GAPS]; /* times of CLOCK_MONOTONIC */
	size_t n;
	uint64_t more; /* gaps beyond those, which are in the last one's span */
};

/* Notes a beat at `monotonic` ns, when CLOCK_BOOTTIME was `boottime`. */
void heartbeat_beat(struct heartbeat *heartbeat, uint64_t monotonic, uint64_t boottime);

/* The same, now. */
void heartbeat_now(struct heartbeat *heartbeat);

#endif
