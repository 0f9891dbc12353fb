/* SPDX-License-Identifier: MIT */
/* Services with callers, and their exposition as text. */
#ifndef TESTS_METRICS_FIXTURE_H
#define TESTS_METRICS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/output/metrics.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define AT(seconds) ((1000 + (seconds)) * SECOND)
/* AT(0) is 2024-05-01T14:00:00Z */
#define OFFSET ((INT64_C(1714572000) - 1000) * 1000000000)

/* A Service that is watched: made with service_new(). */
struct service {
	struct ledger *ledger;
	struct report report;
	struct target target;
};

/* Who a caller of a test is. */
struct peer {
	uint32_t address; /* IPv4 */
	const char *comm;
	struct who who;
};

#define POD(number, name)                                                                          \
	(struct peer)                                                                              \
	{                                                                                          \
		.address = 0x0a000000 + (number), .who = { CLASS_WORKLOAD, name, NULL }            \
	}
#define OF_CLASS(class, number)                                                                    \
	(struct peer)                                                                              \
	{                                                                                          \
		.address = 0x0a000000 + (number), .who = { class, NULL, NULL }                     \
	}

static inline struct service *service_new(void)
{
	struct service *service = calloc(1, sizeof(*service));

	assert_non_null(service);
	service->ledger = ledger_new(100000);
	assert_non_null(service->ledger);
	service->report.target = &service->target;
	service->report.start_ns = AT(0);
	service->report.realtime_offset = OFFSET;
	return service;
}

static inline void service_free(struct service *service)
{
	report_deinit(&service->report);
	ledger_free(service->ledger);
	free(service);
}

static inline struct caller_key peer_key(const struct peer *peer)
{
	struct caller_key key = {
		.peer = {0, 0, __builtin_bswap32(0xffff), __builtin_bswap32(peer->address)},
	};

	if (peer->comm)
		strncpy(key.comm, peer->comm, COMM_SIZE - 1);
	return key;
}

/* What the kernel has counted of a caller, in all; then the report is to be made anew. */
static inline void service_counts(struct service *service, struct peer peer,
				  struct caller_counts counts)
{
	struct caller_key key = peer_key(&peer);

	assert_true(ledger_update(service->ledger, &key, &counts, &peer.who) >= 0);
}

static inline void service_open(struct service *service, struct peer peer,
				struct connection connection)
{
	connection.key = peer_key(&peer);
	assert_int_equal(ledger_add_open(service->ledger, &connection, AT(0)), 0);
}

static inline void service_times(struct service *service, struct peer peer,
				 const struct histograms *times)
{
	struct caller_key key = peer_key(&peer);

	ledger_begin_times(service->ledger);
	assert_int_equal(ledger_set_times(service->ledger, &key, times), 0);
}

static inline void service_group(struct service *service)
{
	assert_int_equal(report_group(&service->report, service->ledger), 0);
}

/* The exposition; to be freed. */
static inline char *expose(const struct metrics *metrics, enum metrics_format format)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(metrics_write(file, metrics, format), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

/* The value of the sample that begins with this: name and labels. "": there is none. */
static inline const char *sample(const char *text, const char *name, char value[64])
{
	size_t n = strlen(name);

	value[0] = '\0';
	for (const char *line = text; line && *line;) {
		const char *end = strchr(line, '\n');

		assert_non_null(end);
		if (!strncmp(line, name, n) && line[n] == ' ') {
			assert_true((size_t)(end - line) - n < 64);
			memcpy(value, line + n + 1, end - line - n - 1);
			value[end - line - n - 1] = '\0';
			break;
		}
		line = end + 1;
	}
	return value;
}

#define expect_sample(text, name, expected)                                                        \
	do {                                                                                       \
		char value_[64];                                                                   \
		assert_string_equal(sample(text, name, value_), expected);                         \
	} while (0)

/* How many samples of this name there are, whatever the labels. */
static inline size_t count_samples(const char *text, const char *name)
{
	size_t n = strlen(name), found = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n') + 1)
		found += !strncmp(line, name, n) && (line[n] == '{' || line[n] == ' ');
	return found;
}

#endif
