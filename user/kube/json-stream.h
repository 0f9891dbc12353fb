/* SPDX-License-Identifier: MIT */
/*
 * Takes a list of the API apart while its bytes arrive: each item is handed out as soon as it is
 * whole, so that a list of 500 MB needs the memory of one item, and no work is put off until the
 * end. A watch is a document a line, and goes through the same.
 */
#ifndef KUBE_JSON_STREAM_H
#define KUBE_JSON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* etcd refuses objects above 1.5 MiB, and the API server requests above 3 MiB. */
#define JSON_STREAM_MAX ((size_t)8 << 20)

struct json_buffer {
	char *at;
	size_t length;
	size_t room;
};

/* One value, whole as far as braces and strings tell. Not 0: the stream ends with that. */
typedef int json_stream_take(void *arg, const char *text, size_t length);

struct json_stream {
	json_stream_take *item; /* of a list: an element of its items; of a watch: a line */
	void *arg;
	uint64_t too_large; /* values above JSON_STREAM_MAX: left out */
	/* private: */
	bool skipping; /* the value that has begun is one */
	bool lines;
	bool in_items;
	bool in_string;
	bool escaped;
	unsigned int depth;
	struct json_buffer value; /* the item, or line, that has begun */
	struct json_buffer rest;  /* of a list: all but its items */
};

/* For the items of a list, or the lines of a watch. */
void json_stream_init_list(struct json_stream *stream, json_stream_take *item, void *arg);
void json_stream_init_lines(struct json_stream *stream, json_stream_take *item, void *arg);

/* 0, what `item` returned, -E2BIG (all but the items is above JSON_STREAM_MAX), -EINVAL (nothing
 * that JSON can begin with), -ENOMEM. */
int json_stream_feed(struct json_stream *stream, const char *bytes, size_t length);

/*
 * The list has ended: all but its items, as JSON ("{…, "items":[]}"); NULL: it is not whole. The
 * stream's.
 */
const char *json_stream_rest(struct json_stream *stream, size_t *length);

/* May be called twice. */
void json_stream_deinit(struct json_stream *stream);

#endif
