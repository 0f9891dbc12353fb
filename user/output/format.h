/* SPDX-License-Identifier: MIT */
/* Numbers, times and names as text for people. All write into buf, always terminate it, and return
 * it; what does not fit is cut. ASCII only. */
#ifndef OUTPUT_FORMAT_H
#define OUTPUT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FORMAT_TEXT 48

/* A clock that runs: 0:42, 10:00, 1:02:03, 2d 1:02:03. */
const char *format_clock(uint64_t ns, char buf[FORMAT_TEXT]);

/* How long ago, rounded down: 0s, 42s, 4m12s, 2h05m, 3d04h. */
const char *format_age(uint64_t ns, char buf[FORMAT_TEXT]);

/* How long it took: 850ns, 35us, 1.2ms, 340ms, 1.2s; from 10 s on as format_age(). */
const char *format_span(uint64_t ns, char buf[FORMAT_TEXT]);

/* Binary units: 0 B, 512 B, 1.5 KiB, 23 MiB. */
const char *format_bytes(uint64_t bytes, char buf[FORMAT_TEXT]);

/* Per second: 0, <0.01/s, 0.12/s, 1.2/s, 120/s. */
const char *format_rate(uint64_t count, uint64_t ns, char buf[FORMAT_TEXT]);

/* RFC 3339 in UTC: 2024-05-01T14:03:07.000000123Z. `ns` since 1970. */
const char *format_time(int64_t ns, char buf[FORMAT_TEXT]);

/* 14:03:07, in the time zone of whoever looks. */
const char *format_time_of_day(int64_t ns, char buf[FORMAT_TEXT]);

/* Appends. */
const char *format_append(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Appends a name from outside, of at most `max` bytes, with whatever is not printable ASCII as \xNN
 * and a backslash doubled: so it can neither move the cursor nor pass for something else. */
const char *format_append_safe(char *buf, size_t size, const char *text, size_t max);

#endif
