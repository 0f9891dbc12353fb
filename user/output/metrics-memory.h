/* SPDX-License-Identifier: MIT */
/* What is remembered: finding, making and forgetting it. Used by series_update() alone. */
#ifndef OUTPUT_METRICS_MEMORY_H
#define OUTPUT_METRICS_MEMORY_H

#include "metrics-series.h"

/* Both find what they are asked for, or make it; NULL: no memory. `scratch` is only used meanwhile.
 */
struct target_series *memory_target(struct metrics_memory *memory, const struct metrics *metrics,
				    const struct metrics_target *given, struct labels *scratch);
struct series *memory_series(struct metrics_memory *memory, const struct metrics *metrics,
			     struct target_series *target, const struct caller *caller,
			     struct labels *scratch);

/* Those of this round's report are there; the others got another name: what they have put into
 * sums is kept. `forgotten`: as of struct metrics. 0 or -ENOMEM. */
int memory_remove_gone_series(struct metrics_memory *memory, struct target_series *target,
			      bool forgotten);

/* Targets that are watched no more. */
void memory_remove_gone_targets(struct metrics_memory *memory);

#endif
