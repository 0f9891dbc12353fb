/* SPDX-License-Identifier: MIT */
/* How many turns there were and how long they took, as the server itself sees it; see server.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "server.h"

#define SAMPLES (1 << 20)

struct samples {
	const char *name;
	uint64_t n;
	uint64_t ns[SAMPLES];
};

static struct samples service = {.name = "service_time"}, response = {.name = "response_time"};

static void sample(struct samples *samples, uint64_t ns)
{
	uint64_t i = __atomic_fetch_add(&samples->n, 1, __ATOMIC_RELAXED);

	if (i >= SAMPLES)
		errx(EX_SOFTWARE, "more than %d turns", SAMPLES);
	samples->ns[i] = ns;
}

void turns_end(struct turns *turns)
{
	if (turns->read && !turns->asked)
		sample(&response, turns->written - turns->read);
}

void turns_read(struct turns *turns)
{
	if (turns->asked)
		return;
	turns_end(turns);
	turns->read = now_ns();
	turns->asked = true;
}

void turns_written(struct turns *turns)
{
	turns->written = now_ns();
	if (!turns->asked)
		return;
	turns->asked = false;
	sample(&service, turns->written - turns->read);
	count(&counters.turns, 1);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of the nearest rank: the smallest that so many percent are not above. */
static double percentile(const struct samples *samples, unsigned int percent)
{
	return samples->ns[(samples->n * percent + 99) / 100 - 1] / 1e9;
}

static void samples_print(struct samples *samples)
{
	printf(",\"%s\":", samples->name);
	if (!samples->n) {
		printf("null");
		return;
	}
	qsort(samples->ns, samples->n, sizeof(*samples->ns), compare);
	printf("{\"p50\":%.9f,\"p90\":%.9f,\"p99\":%.9f,\"max\":%.9f,\"count\":%llu}",
	       percentile(samples, 50), percentile(samples, 90), percentile(samples, 99),
	       percentile(samples, 100), (unsigned long long)samples->n);
}

void turns_print(void)
{
	samples_print(&service);
	samples_print(&response);
}
