/* SPDX-License-Identifier: MIT */
/* The time, in ns. */
#ifndef KUBE_CLOCK_H
#define KUBE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Since 1970, UTC. */
static inline int64_t realtime_ns(void)
{
	return (int64_t)clock_ns(CLOCK_REALTIME);
}

#endif
