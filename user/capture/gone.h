/* SPDX-License-Identifier: MIT */
/*
 * Connections whose end nobody told: the kernel skips a run of the tracepoint's program when it
 * interrupts the program itself, by a softirq or by preemption. Sweeps no longer find them; then
 * they are counted here as closed, with what was known of them.
 */
#ifndef CAPTURE_GONE_H
#define CAPTURE_GONE_H

#include <stdbool.h>
#include <stdint.h>

#include "sums.h"

/* So many sweeps in a row must not find a connection: one alone can skip a socket that is just
 * moving (the iterator could before mid-2025). */
#define GONE_SWEEPS 3

/* All zero to begin with. */
struct gone {
	uint64_t window_start;       /* CLOCK_MONOTONIC */
	uint64_t began[GONE_SWEEPS]; /* when the last sweeps did, newest first; CLOCK_MONOTONIC */
	struct caller_counts unattributed;
	uint64_t number;
	uint64_t unaccepted; /* of those: nobody told whether the application took it */
};

/* A sweep is over, which began at `began` and could look into all namespaces that have connections
 * (`whole`); what could not be looked into says nothing. */
void gone_swept(struct gone *gone, uint64_t began, bool whole);

/* Whether the last sweeps should have found this connection and did not; `sweep`: the last one's
 * number. */
bool gone_is(const struct gone *gone, const struct connection *connection, uint32_t sweep);

/* Counts it as closed, once its record is deleted. -ENOMEM, or 0. */
int gone_add(struct gone *gone, const struct connection *connection, struct sums *sums);

#endif
