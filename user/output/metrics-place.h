/* SPDX-License-Identifier: MIT */
/* Who has a series. */
#ifndef OUTPUT_METRICS_PLACE_H
#define OUTPUT_METRICS_PLACE_H

#include "metrics-series.h"

/* Sets `stale` and `shown` of all series. 0 or -ENOMEM. */
int series_place(struct metrics_memory *memory, const struct metrics *metrics);

#endif
