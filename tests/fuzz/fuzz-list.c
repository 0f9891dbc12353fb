/* SPDX-License-Identifier: MIT */
/* A list that comes in pieces of any length: its items are those that jansson finds in the whole of
 * it, the rest is the whole without them, and the store is the same either way. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/kube/json-stream.h"
#include "../../user/kube/pod-watch.h"
#include "../../user/kube/pods.h"

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

struct taken {
	struct pods *pods;
	struct pod_reader *reader;
	json_t *items;
	bool broken; /* an item was no JSON */
};

static void put(struct taken *taken, const json_t *item)
{
	const char *uid;

	if (pod_reader_put(taken->reader, taken->pods, item, false, &uid))
		REQUIRE(*pod_reader_error(taken->reader));
	else
		REQUIRE(pods_find(taken->pods, uid));
	for (const char *c = pod_reader_error(taken->reader); *c; c++)
		REQUIRE(*c >= ' ' && *c <= '~');
}

static int take(void *arg, const char *text, size_t length)
{
	struct taken *taken = arg;
	json_t *item = json_loadb(text, length, 0, NULL);

	if (!item) {
		taken->broken = true;
		return 0;
	}
	put(taken, item);
	json_array_append_new(taken->items, item);
	return 0;
}

/* Pieces of lengths that follow from the bytes themselves. */
static int feed(struct json_stream *stream, const char *data, size_t size)
{
	unsigned int random = (unsigned int)size;
	int r = 0;

	for (size_t i = 0; i < size; i++)
		random = random * 31 + (unsigned char)data[i];
	while (size && !r) {
		size_t piece;

		random = random * 1664525 + 1013904223;
		piece = 1 + (random >> 16) % (random & 0x80000000 ? 8 : 512);
		if (piece > size)
			piece = size;
		r = json_stream_feed(stream, data, piece);
		data += piece;
		size -= piece;
	}
	return r;
}

static bool same_pod(const struct pod *a, const struct pod *b)
{
	const struct pod_name *x = &a->name, *y = &b->name;

	return !strcmp(x->namespace, y->namespace) && !strcmp(x->pod, y->pod) &&
	       !strcmp(x->uid, y->uid) && !strcmp(x->kind, y->kind) &&
	       !strcmp(x->workload, y->workload) && !strcmp(x->node, y->node) &&
	       a->n_addresses == b->n_addresses && a->n_ports == b->n_ports &&
	       a->started == b->started && !a->ended == !b->ended &&
	       a->host_network == b->host_network &&
	       (!a->n_addresses ||
		!memcmp(a->addresses, b->addresses, a->n_addresses * sizeof(*a->addresses))) &&
	       (!a->n_ports || !memcmp(a->ports, b->ports, a->n_ports * sizeof(*a->ports)));
}

static void compare(const struct taken *taken, const struct json_stream *stream, const json_t *list,
		    const char *rest, size_t length)
{
	struct taken whole = {.pods = pods_new(), .reader = pod_reader_new()};
	json_t *items = json_object_get(list, "items"), *item, *copy;
	const struct pod *a, *b;
	size_t i, n = 0;

	REQUIRE(!taken->broken && rest && !stream->too_large);
	json_array_foreach (items, i, item) {
		/* a list has objects only; of anything else nothing is made */
		if (!json_is_object(item) && !json_is_array(item))
			continue;
		REQUIRE(json_equal(json_array_get(taken->items, n++), item));
		put(&whole, item);
	}
	REQUIRE(n == json_array_size(taken->items));
	REQUIRE(pods_count(whole.pods) == pods_count(taken->pods));
	a = pods_next(whole.pods, NULL);
	b = pods_next(taken->pods, NULL);
	for (; a; a = pods_next(whole.pods, a), b = pods_next(taken->pods, b))
		REQUIRE(b && same_pod(a, b));
	copy = json_loadb(rest, length, 0, NULL);
	REQUIRE(copy);
	if (json_is_array(items))
		json_array_clear(items);
	if (n)
		REQUIRE(json_equal(copy, list));
	json_decref(copy);
	pods_free(whole.pods);
	pod_reader_free(whole.reader);
}

/* What was put is found, and gone when a list is without it. */
static void empty(struct pods *pods)
{
	size_t named = 0;

	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod)) {
		REQUIRE(pods_find(pods, pod->name.uid) == pod);
		for (size_t i = 0; i < pod->n_addresses; i++)
			pods_by_address(pods, &pod->addresses[i], INT64_MAX);
	}
	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod))
		named += pods_is_named(pod);
	pods_list_begin(pods);
	pods_list_end(pods, 1);
	for (const struct pod *pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod))
		REQUIRE(pod->ended);
	for (size_t n = pods_count(pods); n != named; n = pods_count(pods)) {
		pods_expire(pods, INT64_MAX);
		REQUIRE(pods_count(pods) < n || n <= named + 100);
		if (pods_count(pods) == n)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct taken taken = {
		.pods = pods_new(), .reader = pod_reader_new(), .items = json_array()};
	json_t *list = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct json_stream stream;
	const char *rest;
	size_t length = 0;
	int r;

	REQUIRE(taken.pods && taken.reader && taken.items);
	json_stream_init_list(&stream, take, &taken);
	r = feed(&stream, (const char *)data, size);
	rest = r ? NULL : json_stream_rest(&stream, &length);
	/* no server writes the letters of a key as \u0069 */
	if (json_is_object(list) && !memmem(data, size, "\\u", 2)) {
		REQUIRE(!r);
		compare(&taken, &stream, list, rest, length);
	}
	empty(taken.pods);
	json_stream_deinit(&stream);
	json_decref(list);
	json_decref(taken.items);
	pods_free(taken.pods);
	pod_reader_free(taken.reader);
	return 0;
}
