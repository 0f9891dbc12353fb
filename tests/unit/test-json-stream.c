/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/json-stream.h"

struct got {
	char text[4096]; /* items, each with a | after it */
	size_t n;
};

static int take(void *arg, const char *text, size_t length)
{
	struct got *got = arg;
	size_t at = strlen(got->text);

	snprintf(got->text + at, sizeof(got->text) - at, "%.*s|", (int)length, text);
	got->n++;
	return memcmp(text, "{\"stop", 6) ? 0 : 77;
}

/* The same whatever pieces the bytes come in. */
static void expect(void (*init)(struct json_stream *, json_stream_take *, void *), const char *text,
		   int want, const char *items, const char *rest)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		struct json_stream stream;
		struct got got = {};
		const char *found;
		size_t length;
		int r = 0;

		init(&stream, take, &got);
		for (size_t at = 0; at < strlen(text) && !r; at += piece) {
			size_t n = strlen(text) - at < piece ? strlen(text) - at : piece;

			r = json_stream_feed(&stream, text + at, n);
		}
		assert_int_equal(r, want);
		assert_string_equal(got.text, items);
		found = json_stream_rest(&stream, &length);
		if (rest) {
			assert_non_null(found);
			assert_int_equal(length, strlen(rest));
			assert_memory_equal(found, rest, length);
		} else {
			assert_null(found);
		}
		json_stream_deinit(&stream);
		json_stream_deinit(&stream);
	}
}

static void test_lists(void **state)
{
	(void)state;
	expect(json_stream_init_list, "{\"kind\":\"PodList\",\"items\":[{\"a\":1},{\"b\":[2,{}]}]}",
	       0, "{\"a\":1}|{\"b\":[2,{}]}|", "{\"kind\":\"PodList\",\"items\":[]}");
	expect(json_stream_init_list,
	       "{ \"items\" : [ {\"items\":[{\"x\":\"]}\\\"\\\\\"}]} , {} ],\"metadata\":{\"continue\":\"c\"}}\n",
	       0, "{\"items\":[{\"x\":\"]}\\\"\\\\\"}]}|{}|",
	       "{ \"items\" : [],\"metadata\":{\"continue\":\"c\"}}\n");
	expect(json_stream_init_list, "{\"items\":[]}", 0, "", "{\"items\":[]}");
	expect(json_stream_init_list, "{\"items\":[1,\"]{\",{},null,\"\"]}", 0, "{}|",
	       "{\"items\":[]}");
	expect(json_stream_init_list, "{\"items\":null}", 0, "", "{\"items\":null}");
	/* a Status, and what only looks like items */
	expect(json_stream_init_list,
	       "{\"kind\":\"Status\",\"x\":{\"items\":[{}]},\"myitems\":[{}]}", 0, "",
	       "{\"kind\":\"Status\",\"x\":{\"items\":[{}]},\"myitems\":[{}]}");
}

static void test_broken(void **state)
{
	(void)state;
	expect(json_stream_init_list, "{\"items\":[{\"a\":1},{\"b\"", 0, "{\"a\":1}|", NULL);
	expect(json_stream_init_list, "{\"items\":[{\"a\":\"", 0, "", NULL);
	expect(json_stream_init_list, "[1]", -EINVAL, "", NULL);
	expect(json_stream_init_list, "}", -EINVAL, "", NULL);
	expect(json_stream_init_list, "{\"items\":[{\"stop\":1},{}]}", 77, "{\"stop\":1}|", NULL);
}

static void test_lines(void **state)
{
	(void)state;
	expect(json_stream_init_lines, "{\"type\":\"ADDED\"}\n{\"type\":\"BOOKMARK\"}\n{\"ty", 0,
	       "{\"type\":\"ADDED\"}|{\"type\":\"BOOKMARK\"}|", NULL);
	expect(json_stream_init_lines, "\n\n{}\n", 0, "{}|", NULL);
	expect(json_stream_init_lines, "{\"stop\":1}\n{}\n", 77, "{\"stop\":1}|", NULL);
}

/* An object may be larger than any piece. One without end is left out, and the next one comes. */
static void test_large(void **state)
{
	static char piece[1 << 20];
	struct json_stream stream;
	struct got got = {};
	size_t length;
	int r = 0;

	(void)state;
	memset(piece, 'x', sizeof(piece));
	json_stream_init_list(&stream, take, &got);
	assert_int_equal(json_stream_feed(&stream, "{\"items\":[{\"a\":\"", 16), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(json_stream_feed(&stream, piece, sizeof(piece)), 0);
	assert_int_equal(json_stream_feed(&stream, "\"}]}", 4), 0);
	assert_int_equal(got.n, 1);
	json_stream_deinit(&stream);

	got = (struct got){};
	json_stream_init_list(&stream, take, &got);
	assert_int_equal(json_stream_feed(&stream, "{\"items\":[{\"a\":\"", 16), 0);
	for (int i = 0; i < 9; i++)
		assert_int_equal(json_stream_feed(&stream, piece, sizeof(piece)), 0);
	assert_int_equal(json_stream_feed(&stream, "\"},{\"b\":1}]}", 12), 0);
	assert_int_equal(stream.too_large, 1);
	assert_string_equal(got.text, "{\"b\":1}|");
	assert_non_null(json_stream_rest(&stream, &length));
	json_stream_deinit(&stream);

	got = (struct got){};
	json_stream_init_lines(&stream, take, &got);
	for (int i = 0; i < 9; i++)
		assert_int_equal(json_stream_feed(&stream, piece, sizeof(piece)), 0);
	assert_int_equal(json_stream_feed(&stream, "\n{}\n", 4), 0);
	assert_int_equal(stream.too_large, 1);
	assert_string_equal(got.text, "{}|");
	json_stream_deinit(&stream);

	json_stream_init_list(&stream, take, &got);
	assert_int_equal(json_stream_feed(&stream, "{\"a\":\"", 6), 0);
	for (int i = 0; i < 9 && !r; i++)
		r = json_stream_feed(&stream, piece, sizeof(piece));
	assert_int_equal(r, -E2BIG);
	json_stream_deinit(&stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
