/* SPDX-License-Identifier: MIT */
/* Names of pods that outlive whoever told them: one copy of each. */
#ifndef CALLERS_POD_NAMES_H
#define CALLERS_POD_NAMES_H

#include "who.h"

/* Starts as NULL. */
struct pod_names;

/* A copy, the same for equal names (`selected` is left out of it); the table's. NULL: no memory,
 * or `name` is NULL. */
const struct pod_name *pod_names_add(struct pod_names **names, const struct pod_name *name);

void pod_names_free(struct pod_names **names);

#endif
