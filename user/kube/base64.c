/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1 is none of it. */
static int digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* Returns the number of bytes, or -EINVAL. */
static int decode_four(const int four[4], int n, char out[3])
{
	uint32_t bits = 0;

	for (int i = 0; i < 4; i++)
		bits = bits << 6 | (i < n ? four[i] : 0);
	out[0] = (char)(bits >> 16);
	out[1] = (char)(bits >> 8);
	out[2] = (char)bits;
	return n < 2 ? -EINVAL : n - 1;
}

static int decode(const char *text, struct secret *out)
{
	int four[4], n = 0, padding = 0;

	for (; *text; text++) {
		if (strchr(" \t\r\n", *text))
			continue;
		if (*text == '=') {
			padding++;
			continue;
		}
		if (padding || digit(*text) < 0)
			return -EINVAL;
		four[n++] = digit(*text);
		if (n < 4)
			continue;
		out->size += decode_four(four, n, out->data + out->size);
		n = 0;
	}
	if (!n)
		return padding ? -EINVAL : 0;
	if (n + padding != 4 || n < 2)
		return -EINVAL;
	out->size += decode_four(four, n, out->data + out->size);
	return 0;
}

int base64_decode(const char *text, struct secret *out)
{
	size_t room = strlen(text) / 4 * 3 + 4;
	int r;

	*out = (struct secret){calloc(1, room), 0};
	if (!out->data)
		return -ENOMEM;
	r = decode(text, out);
	if (r < 0) {
		out->size = room;
		secret_deinit(out);
		return r;
	}
	out->data[out->size] = '\0';
	return 0;
}

int base64_encode(const char *data, size_t size, char **out)
{
	char *text = malloc((size + 2) / 3 * 4 + 1);
	char *to = text;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < size; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)data[i] << 16;

		if (i + 1 < size)
			bits |= (uint32_t)(unsigned char)data[i + 1] << 8;
		if (i + 2 < size)
			bits |= (unsigned char)data[i + 2];
		*to++ = alphabet[bits >> 18];
		*to++ = alphabet[bits >> 12 & 63];
		*to++ = i + 1 < size ? alphabet[bits >> 6 & 63] : '=';
		*to++ = i + 2 < size ? alphabet[bits & 63] : '=';
	}
	*to = '\0';
	*out = text;
	return 0;
}
