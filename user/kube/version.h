/* SPDX-License-Identifier: MIT */
/*
 * Order of resourceVersions. Kubernetes calls them opaque, and from 1.35 on, for what it serves
 * itself, decimal numbers that grow (KEP-5504); they are etcd's revisions, or what takes etcd's
 * place counts likewise, since long before. What is no such number has no order here.
 */
#ifndef KUBE_VERSION_H
#define KUBE_VERSION_H

/* *order: below 0, 0, above 0 as `a` is older than, the same as, newer than `b`. 0, or -EINVAL: one
 * of them is no number. */
int kube_version_compare(const char *a, const char *b, int *order);

#endif
