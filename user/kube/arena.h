/* SPDX-License-Identifier: MIT */
/* Memory that is only given back all at once: a malloc() for each string of 100,000 pods would cost
 * as much as the strings. Starts as all zero. */
#ifndef KUBE_ARENA_H
#define KUBE_ARENA_H

#include <stddef.h>

struct arena {
	struct chunk *newest;
};

/* `align`: a power of two, at most that of max_align_t. All return NULL when there is no memory,
 * and nothing else; what they return stays where it is until arena_free(). */
void *arena_alloc(struct arena *arena, size_t size, size_t align);
void *arena_copy(struct arena *arena, const void *from, size_t size, size_t align);
const char *arena_string(struct arena *arena, const char *text);

/* Leaves the arena as all zero. */
void arena_free(struct arena *arena);

#endif
