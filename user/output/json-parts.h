/* SPDX-License-Identifier: MIT */
/* The values that JSON is made of. All return a new reference, NULL: no memory. */
#ifndef OUTPUT_JSON_PARTS_H
#define OUTPUT_JSON_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "../callers/report.h"

/* null for NULL. Bytes that are not UTF-8 become \xNN; at most `max` are read. */
json_t *json_text_max(const char *text, size_t max);
json_t *json_text(const char *text);
/* null for NULL and "". */
json_t *json_name(const char *text);

/* null for 0, where 0 means not known. */
json_t *json_number_or_null(uint64_t number);
/* null where it was not counted. */
json_t *json_counted(bool counted, uint64_t n);
json_t *json_seconds(uint64_t ns);
/* Of CLOCK_MONOTONIC; null for 0. */
json_t *json_time(const struct report *report, uint64_t ns);
/* Writes a document, indented and with a newline at its end, and drops it. NULL: there was no
 * memory for it. 0, -ENOMEM or -EIO. */
int json_write(FILE *file, json_t *document);

/* Of ns since 1970; null for 0. */
json_t *json_real_time(int64_t ns);
json_t *json_address(const struct address *address);

json_t *json_endpoint(const struct endpoint *endpoint);
json_t *json_target(const struct report *report);
json_t *json_window(const struct report *report);
json_t *json_connections(const struct report *report, const struct caller_counts *counts,
			 const struct open_counts *open);
/* Adds requests, requests_are and overlaps; all null if they are not known. 0 or -1: no memory. */
int json_add_requests(json_t *json, const struct report *report, uint64_t requests,
		      uint64_t overlaps);
/* Adds service_time, response_time and open_time; null where there is none. Likewise. */
int json_add_times(json_t *json, const struct caller *caller);
json_t *json_caller(const struct report *report, const struct caller *caller);
json_t *json_others(const struct report *report);
json_t *json_totals(const struct report *report);
json_t *json_hooks(const struct report *report);
json_t *json_coverage(const struct report *report);
/* Adds to the coverage what a verdict needs; report->coverage and traffic are set. 0 or -ENOMEM. */
int json_add_proof(json_t *coverage, const struct report *report);
/* report->verdict, coverage and traffic are set. */
json_t *json_verdict(const struct report *report);

#endif
