/* SPDX-License-Identifier: MIT */
/* The kernel's histograms, in a few buckets: metrics.h says how exact that is. */
#ifndef OUTPUT_METRICS_HISTOGRAM_H
#define OUTPUT_METRICS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "../../bpf/whocalls.h"

#define SERVICE_CELLS 14 /* the last is what is above all bounds */
#define OPEN_CELLS 11

/* le="…", the last one +Inf */
extern const char *const service_bounds[SERVICE_CELLS];
extern const char *const open_bounds[OPEN_CELLS];

/* Of each of the kernel's buckets: in which cell it goes, and what a time in it is taken for, in
 * ns. */
struct fold {
	uint8_t cell[HISTOGRAM_BUCKETS];
	uint64_t estimate[HISTOGRAM_BUCKETS];
};

void fold_init_service(struct fold *fold);
void fold_init_open(struct fold *fold);

/* Adds what is in the kernel's buckets to the cells, and to the sum in ns. */
void fold_add(const struct fold *fold, const __u32 bucket[HISTOGRAM_BUCKETS], uint64_t *cells,
	      uint64_t *sum);

/*
 * Follows one cell whose kernel buckets count modulo 2^32: `raw` is what it has now, `before` what
 * was made of it the last time. Right as long as fewer than 2^31 came since.
 */
uint64_t fold_unwrap(uint64_t before, uint64_t raw);

#endif
