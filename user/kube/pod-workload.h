/* SPDX-License-Identifier: MIT */
/* What a pod belongs to, told by the pod alone: no request asks for its ReplicaSet or Job. */
#ifndef KUBE_POD_WORKLOAD_H
#define KUBE_POD_WORKLOAD_H

#include <jansson.h>
#include <stddef.h>

#include "json-reader.h"
#include "pods.h"

/*
 * Sets name.kind, name.workload and owner (pods.h says what they are) from the pod's metadata, its
 * name and start. Returns the length of the workload's name, which may be followed by more:
 * name.workload is a string of the JSON's. A field that is damaged fails the reader.
 */
size_t pod_workload_read(struct pod *pod, struct reader *reader, const json_t *metadata);

#endif
