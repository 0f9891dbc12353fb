/* SPDX-License-Identifier: MIT */
#include "json-memory.h"

#include <jansson.h>
#include <stdlib.h>

#include "secret.h"

static bool failed;

static void *watched_malloc(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		failed = true;
	return memory;
}

void json_memory_watch(void)
{
	failed = false;
	json_set_alloc_funcs(watched_malloc, free);
}

void json_memory_watch_secret(void)
{
	failed = false;
	json_set_alloc_funcs(watched_malloc, secret_release);
}

void json_memory_unwatch(void)
{
	json_set_alloc_funcs(malloc, free);
}

bool json_memory_failed(void)
{
	return failed;
}
