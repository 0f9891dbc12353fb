/* SPDX-License-Identifier: MIT */
/* The history's file: what is read is what was written, and of anything else nothing is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <zlib.h>

#include "history-world.h"

struct text {
	char *bytes;
	size_t size;
};

static struct text written(const struct history *history)
{
	struct text text = {};
	FILE *file = open_memstream(&text.bytes, &text.size);

	assert_non_null(file);
	assert_int_equal(history_write(history, file), 0);
	fclose(file);
	return text;
}

static int read_into(struct history *history, const void *bytes, size_t size, char error[256])
{
	FILE *file = fmemopen((void *)bytes, size, "r");
	int r;

	assert_non_null(file);
	error[0] = '\0';
	r = history_read(history, file, error, 256);
	fclose(file);
	return r;
}

/* A history of each kind of record, caller and time. */
static void fill(struct world *w)
{
	static const char longest[] =
		"0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678901234567890123456789";
	static const enum caller_class classes[] = {CLASS_WORKLOAD, CLASS_PROCESS, CLASS_PROBE};

	for (int i = 0; i < 9; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%d", i);
		world_add(w, classes[i % 3], name)->ignored = i == 4;
	}
	w->callers[0].pod.namespace = longest;
	w->report.others.counts.opened = 5;
	w->report.losses.events = 1;
	for (unsigned int minute = 0; minute < 100; minute++) {
		for (size_t i = 0; i < w->n; i++) {
			struct row *row = &w->callers[i].row;

			row->counts.opened += minute * i;
			row->counts.bytes_sent += minute % 10 ? 0 : UINT64_C(1) << 40;
			row->counts.refused = minute * i % 7;
			row->counts.last = minute;
		}
		world_take(w, M0 + minute);
		if (minute % 20)
			world_cover(w, at(M0 + minute), at(M0 + minute + 1));
	}
	w->target.service = "empty";
	world_cover(w, at(M0), at(M0 + 1));
	w->target.service = "session";
}

static void test_what_is_read_was_written(void **state)
{
	struct history *history;
	struct history_room before, after;
	struct history_row row;
	struct text first, second;
	char error[256];
	struct world w;

	(void)state;
	world_init(&w, NULL);
	fill(&w);
	first = written(w.history);
	history = history_new(NULL);
	assert_int_equal(read_into(history, first.bytes, first.size, error), 0);
	second = written(history);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.bytes, second.bytes, first.size);

	history_room(w.history, &before);
	history_room(history, &after);
	assert_int_equal(after.records, before.records);
	assert_int_equal(after.callers, before.callers);
	assert_int_equal(after.targets, 2);
	assert_int_equal(after.rows, 0);
	for (unsigned int since = 0; since < 100; since++) {
		struct history_window one, other;
		struct history *kept = w.history;

		for (size_t i = 0; i < w.n; i++) {
			row = world_row(&w, w.callers[i].name, M0 + since);
			w.history = history;
			assert_int_equal(world_row(&w, w.callers[i].name, M0 + since).opened,
					 row.opened);
			assert_int_equal(world_row(&w, w.callers[i].name, M0 + since).refused,
					 row.refused);
			assert_int_equal(world_row(&w, w.callers[i].name, M0 + since).last_seen,
					 row.last_seen);
			w.history = kept;
		}
		one = world_window(&w, M0 + since, at(M0 + 100));
		w.history = history;
		other = world_window(&w, M0 + since, at(M0 + 100));
		w.history = kept;
		assert_memory_equal(&one, &other, sizeof(one));
	}
	free(first.bytes);
	free(second.bytes);
	history_free(history);
	world_deinit(&w);
}

static void is_refused(struct history *history, const void *bytes, size_t size, int expected)
{
	struct history_room room;
	char error[256];

	int r = read_into(history, bytes, size, error);

	/* a number that is damaged can be too large first */
	assert_true(r == expected || (expected == -EBADMSG && r == -EFBIG));
	assert_true(strlen(error) > 5);
	history_room(history, &room);
	assert_int_equal(room.records, 0);
	assert_int_equal(room.callers, 0);
	assert_int_equal(room.targets, 0);
	assert_int_equal(room.minutes_since, 0);
}

static void test_damaged_anywhere(void **state)
{
	struct history *history = history_new(NULL);
	struct text text;
	struct world w;

	(void)state;
	world_init(&w, NULL);
	world_add(&w, CLASS_WORKLOAD, "web")->row.counts.opened = 300;
	world_take(&w, M0);
	world_take(&w, M0 + 1);
	world_cover(&w, at(M0), at(M0 + 1));
	text = written(w.history);
	for (size_t i = 0; i < text.size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			text.bytes[i] = (char)(text.bytes[i] ^ 1 << bit);
			is_refused(history, text.bytes, text.size, -EBADMSG);
			text.bytes[i] = (char)(text.bytes[i] ^ 1 << bit);
		}
		/* cut there */
		if (i)
			is_refused(history, text.bytes, i, -EBADMSG);
	}
	text.bytes = realloc(text.bytes, text.size + 1);
	text.bytes[text.size] = 0;
	is_refused(history, text.bytes, text.size + 1, -EBADMSG);
	is_refused(history, "\n", 1, -EBADMSG);
	free(text.bytes);
	history_free(history);
	world_deinit(&w);
}

/* Made by hand, with a checksum that is right. */
static void is_made_up(const void *bytes, size_t size, int expected)
{
	struct history *history = history_new(NULL);
	unsigned char all[256] = "whocalls history";
	unsigned long crc;

	memcpy(all + 16, bytes, size);
	size += 16;
	crc = crc32(crc32(0, NULL, 0), all, (uInt)size);
	for (int i = 0; i < 4; i++)
		all[size++] = (unsigned char)(crc >> (8 * i));
	if (expected) {
		is_refused(history, all, size, expected);
	} else {
		char error[256];

		assert_int_equal(read_into(history, all, size, error), 0);
	}
	history_free(history);
}

#define MADE_UP(expected, ...)                                                                     \
	is_made_up((const unsigned char[]){__VA_ARGS__},                                           \
		   sizeof((const unsigned char[]){__VA_ARGS__}), expected)
#define LARGEST 0xff, 0xff, 0xff, 0xff, 0x0f /* UINT32_MAX */

static void test_hostile_numbers(void **state)
{
	(void)state;
	MADE_UP(0, 1, 0, 0, 0, 0, 0);
	MADE_UP(-EBADMSG, 2, 0, 0, 0, 0, 0);
	MADE_UP(-EBADMSG, 1, 7, 10, 0, 0, 0);                  /* boundaries that are none */
	MADE_UP(-EBADMSG, 1, 60, 50, 0, 0, 0);                 /* in the wrong order */
	MADE_UP(-EFBIG, 1, 0, 0, 0, LARGEST);                  /* so many callers */
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, LARGEST);             /* so many targets, and none comes */
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 1, 99, 0, 0);            /* no such class */
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0x7f); /* so long a name */
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
	/* a target without pairs; with so many spans; with so many pairs; twice the same pair */
	MADE_UP(0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0);
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, LARGEST);
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, LARGEST);
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 9, 0, 0);     /* of nobody */
	MADE_UP(-EFBIG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, LARGEST); /* so many records */
	/* one of the target's; one of a caller's, which it can't have */
	MADE_UP(0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 5, 2, 0, 0, 0, 0, 0, 0);
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 5, 1, 0, 0, 0, 0, 0, 0);
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 5, 3, 0, 0, 0, 0, 0, 0);
	/* a minute within an hour that is summed up; records that are not in order */
	MADE_UP(-EBADMSG, 1, 60, 60, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 5, 2, 0, 0, 0, 0, 0, 0);
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 2, 5, 2, 0, 0, 0, 0, 0, 0, 6, 2,
		0, 0, 0, 0, 0, 0);
	/* a span that ends before it begins; two that overlap */
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 8, 6, 0, 0);
	MADE_UP(-EBADMSG, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2, 6, 0, 4, 8, 0, 0);
	MADE_UP(0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2, 6, 0, 6, 8, 0, 0);
}

static void test_more_than_the_limits(void **state)
{
	struct history_limits few[] = {{.records = 100}, {.callers = 3}, {.targets = 1}};
	struct text text;
	struct world w;

	(void)state;
	world_init(&w, NULL);
	fill(&w);
	text = written(w.history);
	for (size_t i = 0; i < 3; i++) {
		struct history *history = history_new(&few[i]);

		is_refused(history, text.bytes, text.size, -EFBIG);
		history_free(history);
	}
	free(text.bytes);
	world_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read_was_written),
		cmocka_unit_test(test_damaged_anywhere),
		cmocka_unit_test(test_hostile_numbers),
		cmocka_unit_test(test_more_than_the_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
