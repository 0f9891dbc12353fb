/* SPDX-License-Identifier: MIT */
/*
 * A YAML document as a tree of jansson's. JSON is YAML, too.
 *
 * What is refused, and named by its line: duplicate keys; a second document; keys that are no
 * scalars; "<<"; tags other than YAML's own; a 0 byte in a scalar; nesting above YAML_DEPTH_MAX;
 * more than YAML_NODES_MAX values or YAML_BYTES_MAX bytes, with each alias counted as what it
 * stands for (aliases share their value in the tree, but whoever writes the tree out writes each).
 */
#ifndef KUBE_YAML_H
#define KUBE_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "problem.h"

#define YAML_DEPTH_MAX 64
#define YAML_NODES_MAX 200000
#define YAML_BYTES_MAX ((size_t)8 << 20)
#define YAML_ANCHORS_MAX 256

/*
 * Reads a document; an empty one is null. Scalars become strings, but for null (null, ~ or nothing,
 * without quotes). `typed`: also true, false and numbers become what they are in JSON. `name` is
 * what the text is called in the sentence "NAME: line N, column N: what was found; what to do",
 * which repeats no more of the text than a key or an anchor's name.
 *
 * 0 and *out, a new reference (secret_json_decref() frees it with its strings overwritten); or
 * -EINVAL, -E2BIG or -ENOMEM.
 */
int yaml_load(const char *text, size_t size, const char *name, bool typed, json_t **out,
	      const struct problem *problem);

#endif
