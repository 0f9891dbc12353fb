/* SPDX-License-Identifier: MIT */
/* The nodes of the cluster: their addresses, and the ranges that their pods' addresses are from. */
#ifndef KUBE_NODES_H
#define KUBE_NODES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../callers/address.h"
#include "watch.h"

struct nodes;

/*
 * `only_list`: asks for them once, and again after nodes_refresh(): thousands of watches of all
 * nodes, each of which writes its status every few minutes, are more than a server should bear.
 * `client` NULL: none are asked for. NULL: no memory.
 */
struct nodes *nodes_new(struct kube_client *client, bool only_list);
/* Accepts NULL. */
void nodes_free(struct nodes *nodes);

/* The name of the node with this address, or NULL. As long as the nodes. */
const char *nodes_by_address(const struct nodes *nodes, const struct address *address);

/* Some node gives its pods addresses from a range (spec.podCIDRs) that this one is in. */
bool nodes_have_pod_address(const struct nodes *nodes, const struct address *address);

/* The port on which the kubelet of this node listens (status.daemonEndpoints); 0: not known. */
uint16_t nodes_kubelet_port(const struct nodes *nodes, const char *name);

/* Takes one Node object: what a list and a watch do. */
void nodes_take(struct nodes *nodes, const json_t *object);

/* An address turned up that is nobody's: there may be new nodes. */
void nodes_refresh(struct nodes *nodes);

const struct kube_watch *nodes_watch(const struct nodes *nodes);

#endif
