/* SPDX-License-Identifier: MIT */
/*
 * The history's file, byte by byte, with a checksum over all of it (CRC-32 of zlib). After the
 * first error all that is read is 0 or "", so it is enough to look once in a while.
 */
#ifndef CALLERS_HISTORY_BYTES_H
#define CALLERS_HISTORY_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BYTES_BUFFER 4096

struct bytes_out {
	FILE *file;
	unsigned long crc;
	size_t n;
	unsigned char buffer[BYTES_BUFFER];
};

void bytes_out_init(struct bytes_out *out, FILE *file);
/* 7 bits in each byte, the lowest first; the last has the highest bit clear. */
void bytes_put(struct bytes_out *out, uint64_t number);
void bytes_put_signed(struct bytes_out *out, int64_t number);
/* Its length, then its bytes. */
void bytes_put_text(struct bytes_out *out, const char *text);
void bytes_put_raw(struct bytes_out *out, const void *bytes, size_t size);
/* Writes the checksum, 4 bytes, the lowest first. 0 or -EIO. */
int bytes_out_end(struct bytes_out *out);

struct bytes_in {
	FILE *file;
	unsigned long crc;
	bool bad; /* it ends too soon, or has what is never written */
};

void bytes_in_init(struct bytes_in *in, FILE *file);
/* A number of `max` at most; a larger one is bad. */
uint64_t bytes_get(struct bytes_in *in, uint64_t max);
int64_t bytes_get_signed(struct bytes_in *in);
/* A string of size - 1 at most, without a 0 in it. */
void bytes_get_text(struct bytes_in *in, char *text, size_t size);
/* Whether these bytes come next. */
bool bytes_get_raw(struct bytes_in *in, const void *bytes, size_t size);
/* Whether the checksum is right, and nothing comes after it. */
bool bytes_in_end(struct bytes_in *in);

#endif
