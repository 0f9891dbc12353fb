/* SPDX-License-Identifier: MIT */
/* Memory that holds tokens and keys: it is overwritten before it is given back. */
#ifndef KUBE_SECRET_H
#define KUBE_SECRET_H

#include <jansson.h>
#include <stddef.h>

/* Bytes with a 0 after them that isn't counted; all zero: none. */
struct secret {
	char *data;
	size_t size;
};

/* Leaves it as none. */
void secret_deinit(struct secret *secret);

/* 0 or -ENOMEM. What was there before is overwritten. */
int secret_copy(struct secret *secret, const char *data, size_t size);

/* Of a string; NULL is fine. */
void secret_free(char *text);

/* free() and realloc() that overwrite what they give back; for libraries that take such. */
void secret_release(void *memory);
void *secret_resize(void *memory, size_t size);

/* Overwrites each string in it, and gives the reference back: nobody else may need it. What jansson
 * itself copied while it parsed is out of reach. */
void secret_json_decref(json_t *json);

#endif
