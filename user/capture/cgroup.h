/* SPDX-License-Identifier: MIT */
/* Containers and pods of local processes, told by their cgroup. */
#ifndef CAPTURE_CGROUP_H
#define CAPTURE_CGROUP_H

#include <stddef.h>
#include <stdint.h>

#define CGROUP_POD_UID 64
#define CGROUP_CONTAINER 80

/*
 * The path of a cgroup below the root of cgroup2, by its id (bpf_get_current_cgroup_id: the number
 * of its kernfs node, which open_by_handle_at takes). 0, or a negative errno: -ESTALE when it is
 * gone.
 */
int cgroup_path(uint64_t id, char *path, size_t size);

/*
 * What kubelet writes into the path of a pod's cgroup: its UID, with either of the two drivers
 * (…/kubepods/burstable/pod<uid>/<container>,
 * …/kubepods-besteffort-pod<uid_with_underscores>.slice/ cri-containerd-<container>.scope). Returns
 * 0 and the UID in its API form, or -ENOENT with both empty: not a pod's. `container` may come out
 * empty.
 */
int cgroup_pod(const char *path, char uid[CGROUP_POD_UID], char container[CGROUP_CONTAINER]);

/*
 * The least memory limit of this process's cgroup and of those above it, in bytes; UINT64_MAX if
 * there is none. BPF maps are charged to it (5.11 and later). 0, or a negative errno if it can't be
 * told.
 */
int cgroup_memory_limit(uint64_t *bytes);

#endif
