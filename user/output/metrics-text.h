/* SPDX-License-Identifier: MIT */
/*
 * The two formats: families, samples, numbers, escaping. Written down in the documents "Exposition
 * formats" of Prometheus (text 0.0.4) and "OpenMetrics 1.0.0".
 */
#ifndef OUTPUT_METRICS_TEXT_H
#define OUTPUT_METRICS_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics.h"

enum family_type { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM, FAMILY_INFO };

struct family {
	const char *name; /* without _total and _info */
	const char *help; /* one sentence */
	const char *unit; /* that the name ends with, or NULL */
	enum family_type type;
};

struct metrics_text {
	FILE *file;
	enum metrics_format format;
	int r; /* first error */
	const struct family *family;
	bool begun; /* its HELP and TYPE are written */
};

/* Samples that follow are of this one. Its HELP and TYPE come with the first: a family without
 * samples is left out. */
void text_family(struct metrics_text *text, const struct family *family);

/*
 * A sample, of a counter, gauge or info. `labels`: as labels_add() makes them, NULL or "": none.
 * `more`: one further label likewise, or NULL.
 */
void text_number(struct metrics_text *text, const char *labels, const char *more, uint64_t value);
/* The same of a number of nanoseconds, as seconds. */
void text_seconds(struct metrics_text *text, const char *labels, const char *more, int64_t ns);

/* `n` buckets: bounds[i] is the label le="…" of cells[i], not yet added up; the last one's is
 * +Inf. */
void text_histogram(struct metrics_text *text, const char *labels, const char *const *bounds,
		    const uint64_t *cells, size_t n, uint64_t sum_ns);

/* Ends the exposition, and flushes. 0 or -errno. */
int text_end(struct metrics_text *text);

/* Labels in the making; one buffer can be used again and again. */
struct labels {
	char *text; /* name="value",name="value"; NULL: none yet */
	size_t length;
	size_t size;
};

/* Appends one, with its value escaped; at most `max` bytes of it. NULL: empty. 0 or -ENOMEM. */
int labels_add(struct labels *labels, const char *name, const char *value, size_t max);
void labels_clear(struct labels *labels);
void labels_deinit(struct labels *labels);

#endif
