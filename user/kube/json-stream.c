/* SPDX-License-Identifier: MIT */
#include "json-stream.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int append(struct json_buffer *buffer, const char *bytes, size_t length)
{
	if (!length)
		return 0;
	if (length > JSON_STREAM_MAX - buffer->length)
		return -E2BIG;
	if (buffer->length + length > buffer->room) {
		size_t room = buffer->room ? buffer->room : 4096;
		char *at;

		while (room < buffer->length + length)
			room *= 2;
		at = realloc(buffer->at, room);
		if (!at)
			return -ENOMEM;
		buffer->at = at;
		buffer->room = room;
	}
	memcpy(buffer->at + buffer->length, bytes, length);
	buffer->length += length;
	return 0;
}

static void drop_value(struct json_stream *stream)
{
	free(stream->value.at);
	stream->value = (struct json_buffer){};
}

/* Nothing is kept of a value that is too large, but its end is found. */
static int append_value(struct json_stream *stream, const char *bytes, size_t length)
{
	int r = stream->skipping ? 0 : append(&stream->value, bytes, length);

	if (r != -E2BIG)
		return r;
	drop_value(stream);
	stream->skipping = true;
	return 0;
}

void json_stream_init_list(struct json_stream *stream, json_stream_take *item, void *arg)
{
	*stream = (struct json_stream){.item = item, .arg = arg};
}

void json_stream_init_lines(struct json_stream *stream, json_stream_take *item, void *arg)
{
	*stream = (struct json_stream){.item = item, .arg = arg, .lines = true};
}

/* The object's member that begins here is its items: "items" and a colon stand before it. */
static bool items_begin(const struct json_buffer *rest)
{
	static const char key[] = "\"items\"";
	size_t n = rest->length;

	while (n && isspace((unsigned char)rest->at[n - 1]))
		n--;
	if (!n || rest->at[--n] != ':')
		return false;
	while (n && isspace((unsigned char)rest->at[n - 1]))
		n--;
	return n >= sizeof(key) - 1 &&
	       !memcmp(rest->at + n - (sizeof(key) - 1), key, sizeof(key) - 1);
}

static int hand_out(struct json_stream *stream)
{
	int r;

	if (stream->skipping) {
		stream->skipping = false;
		stream->too_large++;
		return 0;
	}
	r = stream->item(stream->arg, stream->value.at, stream->value.length);
	stream->value.length = 0;
	/* one large object is no reason to keep its memory */
	if (stream->value.room > 1 << 20)
		drop_value(stream);
	return r;
}

/* How much of the bytes can be taken without looking at each: up to the string's end, or to what
 * opens, closes or quotes. */
static size_t plain(const struct json_stream *stream, const char *bytes, size_t length)
{
	size_t i;

	if (stream->in_string) {
		for (i = 0; i < length && bytes[i] != '"' && bytes[i] != '\\'; i++)
			;
		return i;
	}
	for (i = 0; i < length; i++) {
		switch (bytes[i]) {
		case '"':
		case '{':
		case '}':
		case '[':
		case ']':
			return i;
		default:
			break;
		}
	}
	return i;
}

/* Depth 1: the members of the list; 2: its items, where in_items. */
static int take_byte(struct json_stream *stream, char c)
{
	bool was_item = stream->in_items && stream->depth > 2;
	bool between = stream->in_items && stream->depth == 2;
	int r = 0;

	if (stream->in_string) {
		if (stream->escaped)
			stream->escaped = false;
		else if (c == '\\')
			stream->escaped = true;
		else if (c == '"')
			stream->in_string = false;
		return was_item  ? append_value(stream, &c, 1)
		       : between ? 0
				 : append(&stream->rest, &c, 1);
	}
	switch (c) {
	case '"':
		stream->in_string = true;
		if (between)
			return 0;
		break;
	case '{':
	case '[':
		if (!stream->depth && c != '{')
			return -EINVAL;
		if (c == '[' && stream->depth == 1 && items_begin(&stream->rest))
			stream->in_items = true;
		stream->depth++;
		break;
	default:
		if (!stream->depth)
			return -EINVAL;
		stream->depth--;
		break;
	}
	if (was_item || (stream->in_items && stream->depth > 2)) {
		r = append_value(stream, &c, 1);
		if (!r && stream->depth == 2)
			r = hand_out(stream);
		return r;
	}
	if (stream->depth == 1)
		stream->in_items = false;
	return append(&stream->rest, &c, 1);
}

static int feed_list(struct json_stream *stream, const char *bytes, size_t length)
{
	int r = 0;

	while (length && !r) {
		bool in_item = stream->in_items && stream->depth > 2;
		/* between items there are commas only, and nothing is made of what is no object */
		bool between = stream->in_items && stream->depth == 2;
		size_t n = stream->escaped ? 0 : plain(stream, bytes, length);

		if (n && in_item)
			r = append_value(stream, bytes, n);
		else if (n && !between)
			r = append(&stream->rest, bytes, n);
		bytes += n;
		length -= n;
		if (length && !r) {
			r = take_byte(stream, *bytes++);
			length--;
		}
	}
	return r;
}

static int feed_lines(struct json_stream *stream, const char *bytes, size_t length)
{
	int r = 0;

	while (length && !r) {
		const char *end = memchr(bytes, '\n', length);
		size_t n = end ? (size_t)(end - bytes) : length;

		r = append_value(stream, bytes, n);
		if (!r && end && (stream->value.length || stream->skipping))
			r = hand_out(stream);
		n += end != NULL;
		bytes += n;
		length -= n;
	}
	return r;
}

int json_stream_feed(struct json_stream *stream, const char *bytes, size_t length)
{
	return (stream->lines ? feed_lines : feed_list)(stream, bytes, length);
}

const char *json_stream_rest(struct json_stream *stream, size_t *length)
{
	if (stream->lines || stream->depth || stream->in_string || !stream->rest.length)
		return NULL;
	*length = stream->rest.length;
	return stream->rest.at;
}

void json_stream_deinit(struct json_stream *stream)
{
	free(stream->value.at);
	free(stream->rest.at);
	stream->value = (struct json_buffer){};
	stream->rest = (struct json_buffer){};
}
