/* SPDX-License-Identifier: MIT */
/*
 * Where jansson has no memory for a byte of a string it leaves that byte out and says nothing: a
 * caller would get another's name. So its allocations are watched while names are read.
 */
#ifndef KUBE_JSON_MEMORY_H
#define KUBE_JSON_MEMORY_H

#include <stdbool.h>

/* Begins to watch, and forgets what failed before. Not to be nested. */
void json_memory_watch(void);
/* The same; and all that jansson gives back until json_memory_unwatch() is overwritten first, what
 * it copied while it parsed, too. */
void json_memory_watch_secret(void);
void json_memory_unwatch(void);

/* An allocation of jansson's failed since json_memory_watch(). */
bool json_memory_failed(void);

#endif
