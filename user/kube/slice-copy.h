/* SPDX-License-Identifier: MIT */
/*
 * What an EndpointSlice (v1, v1beta1) or Endpoints object tells, without its JSON, in one piece of
 * memory: 36 bytes for each address and port, and its strings, each once where it is the same as a
 * few before. For a pod of one port that is about 110 bytes.
 */
#ifndef KUBE_SLICE_COPY_H
#define KUBE_SLICE_COPY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "not-watched.h"

struct members;
struct slice_copy;

/* NULL: no memory. */
struct slice_copy *slice_copy_new(const json_t *object);
/* Accepts NULL. */
void slice_copy_free(struct slice_copy *copy);

/* How much memory it takes. */
size_t slice_copy_size(const struct slice_copy *copy);

/* They tell the same endpoints, and the same of what is not watched. */
bool slice_copy_equal(const struct slice_copy *a, const struct slice_copy *b);

/* Between members_begin() and members_end(): adds all its endpoints. */
void slice_copy_give(const struct slice_copy *copy, struct members *members);

/* Adds what of it is not watched. */
void slice_copy_note(const struct slice_copy *copy, struct not_watched *not_watched);

#endif
