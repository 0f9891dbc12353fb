/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE ((size_t)64 << 10)

struct chunk {
	struct chunk *older;
	size_t size;
	size_t used;
	max_align_t data[];
};

void *arena_alloc(struct arena *arena, size_t size, size_t align)
{
	struct chunk *chunk = arena->newest;
	size_t from = chunk ? (chunk->used + align - 1) & ~(align - 1) : 0;

	if (!chunk || from > chunk->size || size > chunk->size - from) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = malloc(sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		*chunk = (struct chunk){.older = arena->newest, .size = room};
		arena->newest = chunk;
		from = 0;
	}
	chunk->used = from + size;
	return (char *)chunk->data + from;
}

void *arena_copy(struct arena *arena, const void *from, size_t size, size_t align)
{
	void *to = arena_alloc(arena, size, align);

	if (to && size)
		memcpy(to, from, size);
	return to;
}

const char *arena_string(struct arena *arena, const char *text)
{
	return arena_copy(arena, text, strlen(text) + 1, 1);
}

void arena_free(struct arena *arena)
{
	while (arena->newest) {
		struct chunk *chunk = arena->newest;

		arena->newest = chunk->older;
		free(chunk);
	}
}
