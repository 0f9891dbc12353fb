/* SPDX-License-Identifier: MIT */
/* One object of kind Pod, as it comes in JSON, taken apart. */
#ifndef KUBE_POD_ITEM_H
#define KUBE_POD_ITEM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../callers/address.h"
#include "json-reader.h"
#include "pods.h"

struct addresses {
	struct address *at;
	size_t n;
};

/* Starts as all zero; is used for one pod after the other. */
struct pod_item {
	/* Strings are the JSON's, arrays the item's own. name.workload may have more at its end
	 * than the workload's name: it is to be cut. */
	struct pod pod;
	size_t workload_length;
	const json_t *labels;   /* NULL: none */
	bool completed;         /* Succeeded or Failed: its addresses may be another's by now */
	int64_t finished;       /* when its last container ended; 0: one runs, or not told */
	struct addresses hosts; /* of its node: status.hostIPs, or status.hostIP */
};

/*
 * Reads the pod, and tells the reader its name for errors. 0, or reader->r: a field that must be
 * there (name, namespace, uid) is not, or one has not the form that Kubernetes gives it. Also
 * completed pods must be whole. Valid as long as `json`, and until the next call.
 */
int pod_item_read(struct pod_item *item, struct reader *reader, const json_t *json);

/* Frees the arrays. */
void pod_item_deinit(struct pod_item *item);

#endif
