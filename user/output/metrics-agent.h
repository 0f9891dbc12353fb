/* SPDX-License-Identifier: MIT */
/* Families of targets, and of the agent itself. */
#ifndef OUTPUT_METRICS_AGENT_H
#define OUTPUT_METRICS_AGENT_H

#include "metrics-series.h"

/* 0 or -ENOMEM. What writing failed with is in `text`. */
int agent_write(struct metrics_text *text, struct metrics_memory *memory,
		const struct metrics *metrics);

#endif
