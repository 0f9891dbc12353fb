/* SPDX-License-Identifier: MIT */
#include "heartbeat.h"

#include "../kube/clock.h"

/* The two clocks are read one after the other. */
#define SLEPT_NS 100000000

static void add(struct heartbeat *heartbeat, enum gap_cause cause, uint64_t since, uint64_t until)
{
	struct gap *gap = &heartbeat->gaps[heartbeat->n];

	if (heartbeat->n == COVERAGE_GAPS) {
		gap--;
		gap->span.until = (int64_t)until;
		if (cause == GAP_SUSPENDED)
			gap->cause = cause;
		heartbeat->more++;
		return;
	}
	*gap = (struct gap){{(int64_t)since, (int64_t)until}, cause};
	heartbeat->n++;
}

void heartbeat_beat(struct heartbeat *heartbeat, uint64_t monotonic, uint64_t boottime)
{
	/* below zero where the clocks are read the other way round */
	int64_t suspended = (int64_t)(boottime - monotonic);
	uint64_t last = heartbeat->last;

	if (last && suspended > heartbeat->suspended + SLEPT_NS)
		add(heartbeat, GAP_SUSPENDED, last,
		    monotonic + (uint64_t)(suspended - heartbeat->suspended));
	else if (last && monotonic - last > HEARTBEAT_GAP_NS)
		add(heartbeat, GAP_STOPPED, last, monotonic);
	heartbeat->last = monotonic;
	/* a beat between the two readings makes it look less: not taken back */
	if (!last || suspended > heartbeat->suspended)
		heartbeat->suspended = suspended;
}

void heartbeat_now(struct heartbeat *heartbeat)
{
	uint64_t monotonic = monotonic_ns();

	heartbeat_beat(heartbeat, monotonic, clock_ns(CLOCK_BOOTTIME));
}
