/* SPDX-License-Identifier: MIT */
/* The history's file: whatever is in it, it is read or refused, and what was read is written and
 * read again the same. The corpus is without the checksum, which is put after it here. */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "../../user/callers/history.h"

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static const struct history_limits limits = {.records = 2000, .callers = 50, .targets = 20};

static int read_from(struct history *history, const char *bytes, size_t size)
{
	char error[256] = "";
	FILE *file = fmemopen((void *)(size ? bytes : "\n"), size ? size : 1, "r");
	int r;

	REQUIRE(file);
	r = history_read(history, file, error, sizeof(error));
	REQUIRE(!r == !*error);
	fclose(file);
	return r;
}

static char *write_to(const struct history *history, size_t *size)
{
	char *bytes = NULL;
	FILE *file = open_memstream(&bytes, size);

	REQUIRE(file && !history_write(history, file));
	fclose(file);
	return bytes;
}

static void take_row(const struct history_row *row, void *arg)
{
	struct tally tally = history_tally(row);

	(void)arg;
	REQUIRE(tally.callers == tally_any(&tally));
	REQUIRE(strlen(row->name) < 256 && strlen(row->kind) < 256);
	REQUIRE(row->first <= row->last);
}

static void take_span(struct span span, uint64_t causes, void *arg)
{
	int64_t *last = arg;

	(void)causes;
	REQUIRE(span.since >= *last && span.until > span.since);
	*last = span.until;
}

static void ask(const struct history_target *target, void *arg)
{
	struct history *history = arg;
	struct history_window window;
	int64_t last = INT64_MIN;

	for (uint32_t since = 0; since < 300; since += 7) {
		REQUIRE(!history_window(history, target, since, 300 * INT64_C(60000000000),
					&window));
		REQUIRE(window.covered == !window.causes);
		REQUIRE(window.start <= since);
		history_since(history, target, since, take_row, NULL);
	}
	history_reaches(history, target);
	history_spans(history, target, (struct span){0, INT64_MAX}, take_span, &last);
}

/* It goes on to be used. */
static void go_on(struct history *history)
{
	static const struct hook hook = {.program = "tcp_accept", .hook = "sockops"};
	struct history_target target = {"a", "b", "c"};
	struct report report = {.n_hooks = 1, .hooks = {hook}};

	for (uint32_t minute = 1; minute < 5000; minute += 100) {
		report.others.counts.opened++;
		history_take(history, &target, &report, minute);
		history_covered(history, &target,
				(struct span){minute * INT64_C(60000000000),
					      (minute + 1) * INT64_C(60000000000)},
				0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct history *history = history_new(&limits), *again = history_new(&limits);
	char *sealed = malloc(size + 4), *first, *second;
	size_t first_size, second_size;
	unsigned long crc = crc32(crc32(0, NULL, 0), data, (uInt)size);

	REQUIRE(history && again && sealed);
	if (size)
		memcpy(sealed, data, size);
	for (int i = 0; i < 4; i++)
		sealed[size + i] = (char)(crc >> (8 * i));
	if (!read_from(history, sealed, size + 4)) {
		first = write_to(history, &first_size);
		REQUIRE(!read_from(again, first, first_size));
		second = write_to(again, &second_size);
		REQUIRE(first_size == second_size && !memcmp(first, second, first_size));
		history_targets(history, ask, history);
		go_on(history);
		free(first);
		free(second);
	}
	free(sealed);
	history_free(history);
	history_free(again);
	return 0;
}
