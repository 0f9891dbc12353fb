/* SPDX-License-Identifier: MIT */
#include "metrics-histogram.h"

#include "../callers/times.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* OpenMetrics wants a point in each, and the text format doesn't mind: so both have the same. */
const char *const service_bounds[SERVICE_CELLS] = {
	"le=\"0.0005\"", "le=\"0.001\"", "le=\"0.0025\"", "le=\"0.005\"", "le=\"0.01\"",
	"le=\"0.025\"",  "le=\"0.05\"",  "le=\"0.1\"",    "le=\"0.25\"",  "le=\"0.5\"",
	"le=\"1.0\"",    "le=\"5.0\"",   "le=\"30.0\"",   "le=\"+Inf\"",
};

const char *const open_bounds[OPEN_CELLS] = {
	"le=\"0.001\"",  "le=\"0.01\"",    "le=\"0.1\"",   "le=\"1.0\"",
	"le=\"10.0\"",   "le=\"60.0\"",    "le=\"300.0\"", "le=\"1800.0\"",
	"le=\"7200.0\"", "le=\"86400.0\"", "le=\"+Inf\"",
};

static void fold_init(struct fold *fold, const uint64_t *bounds, uint8_t n)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t estimate = times_estimate(i);
		uint8_t cell = 0;

		while (cell < n && estimate > bounds[cell])
			cell++;
		fold->cell[i] = cell;
		fold->estimate[i] = estimate;
	}
}

void fold_init_service(struct fold *fold)
{
	static const uint64_t bounds[SERVICE_CELLS - 1] = {
		500 * US, MS,       2500 * US, 5 * MS, 10 * MS,    25 * MS,     50 * MS,
		100 * MS, 250 * MS, 500 * MS,  SECOND, 5 * SECOND, 30 * SECOND,
	};

	fold_init(fold, bounds, SERVICE_CELLS - 1);
}

void fold_init_open(struct fold *fold)
{
	static const uint64_t bounds[OPEN_CELLS - 1] = {
		MS,     10 * MS,    100 * MS,    SECOND,   10 * SECOND,
		MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 24 * HOUR,
	};

	fold_init(fold, bounds, OPEN_CELLS - 1);
}

void fold_add(const struct fold *fold, const __u32 bucket[HISTOGRAM_BUCKETS], uint64_t *cells,
	      uint64_t *sum)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!bucket[i])
			continue;
		cells[fold->cell[i]] += bucket[i];
		*sum += bucket[i] * fold->estimate[i];
	}
}

uint64_t fold_unwrap(uint64_t before, uint64_t raw)
{
	return before + (uint64_t)(int32_t)((uint32_t)raw - (uint32_t)before);
}
