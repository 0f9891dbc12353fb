/* SPDX-License-Identifier: MIT */
#include "history-bytes.h"

#include <errno.h>
#include <string.h>

#include <zlib.h>

/* --- out --- */

void bytes_out_init(struct bytes_out *out, FILE *file)
{
	out->file = file;
	out->crc = crc32(0, NULL, 0);
	out->n = 0;
}

static void flush(struct bytes_out *out)
{
	out->crc = crc32(out->crc, out->buffer, (uInt)out->n);
	/* an error stays with the file, and is asked for at the end */
	fwrite(out->buffer, 1, out->n, out->file);
	out->n = 0;
}

static void put_byte(struct bytes_out *out, unsigned char byte)
{
	if (out->n == sizeof(out->buffer))
		flush(out);
	out->buffer[out->n++] = byte;
}

void bytes_put(struct bytes_out *out, uint64_t number)
{
	for (; number > 0x7f; number >>= 7)
		put_byte(out, (unsigned char)(number | 0x80));
	put_byte(out, (unsigned char)number);
}

void bytes_put_signed(struct bytes_out *out, int64_t number)
{
	uint64_t twice = (uint64_t)number << 1;

	bytes_put(out, number < 0 ? ~twice : twice);
}

void bytes_put_raw(struct bytes_out *out, const void *bytes, size_t size)
{
	const unsigned char *all = bytes;

	for (size_t i = 0; i < size; i++)
		put_byte(out, all[i]);
}

void bytes_put_text(struct bytes_out *out, const char *text)
{
	size_t length = strlen(text);

	bytes_put(out, length);
	bytes_put_raw(out, text, length);
}

int bytes_out_end(struct bytes_out *out)
{
	unsigned long crc;

	flush(out);
	crc = out->crc;
	for (int i = 0; i < 4; i++)
		put_byte(out, (unsigned char)(crc >> (8 * i)));
	flush(out);
	return ferror(out->file) ? -EIO : 0;
}

/* --- in --- */

void bytes_in_init(struct bytes_in *in, FILE *file)
{
	*in = (struct bytes_in){.file = file, .crc = crc32(0, NULL, 0)};
}

static unsigned char get_byte(struct bytes_in *in)
{
	int c = in->bad ? EOF : getc(in->file);
	unsigned char byte = (unsigned char)c;

	if (c == EOF) {
		in->bad = true;
		return 0;
	}
	in->crc = crc32(in->crc, &byte, 1);
	return byte;
}

uint64_t bytes_get(struct bytes_in *in, uint64_t max)
{
	uint64_t number = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		uint64_t byte = get_byte(in), bits = byte & 0x7f;

		if (shift == 63 && bits > 1)
			break;
		number |= bits << shift;
		if (byte & 0x80)
			continue;
		if (number > max)
			break;
		return in->bad ? 0 : number;
	}
	in->bad = true;
	return 0;
}

int64_t bytes_get_signed(struct bytes_in *in)
{
	uint64_t twice = bytes_get(in, UINT64_MAX);

	return (int64_t)(twice & 1 ? ~(twice >> 1) : twice >> 1);
}

void bytes_get_text(struct bytes_in *in, char *text, size_t size)
{
	size_t length = bytes_get(in, size - 1);

	for (size_t i = 0; i < length; i++) {
		text[i] = (char)get_byte(in);
		in->bad |= !text[i];
	}
	text[in->bad ? 0 : length] = '\0';
}

bool bytes_get_raw(struct bytes_in *in, const void *bytes, size_t size)
{
	const unsigned char *all = bytes;

	for (size_t i = 0; i < size; i++)
		in->bad |= get_byte(in) != all[i];
	return !in->bad;
}

bool bytes_in_end(struct bytes_in *in)
{
	unsigned long expected = in->crc, crc = 0;

	for (int i = 0; i < 4; i++)
		crc |= (unsigned long)get_byte(in) << (8 * i);
	return !in->bad && crc == expected && getc(in->file) == EOF && !ferror(in->file);
}
