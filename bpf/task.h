/* SPDX-License-Identifier: GPL-2.0 */
/* What is read of a task. */
#ifndef BPF_TASK_H
#define BPF_TASK_H

#ifndef OLD_KERNEL
#define current_task() bpf_get_current_task_btf()
#else
#define current_task() ((struct task_struct *)bpf_get_current_task())
#endif

static __always_inline bool is_kubelet(struct task_struct *leader)
{
	return kubelet_pid && (__u32)READ(leader, tgid) == kubelet_pid &&
	       READ(leader, start_boottime) == kubelet_start;
}

static __always_inline void client_read(struct client *client, struct task_struct *task,
					__u32 netns)
{
	struct task_struct *leader = READ(task, group_leader);
	struct css_set *set = READ(task, cgroups);
	struct cgroup *cgroup = READ(set, dfl_cgrp);
	struct kernfs_node *node = READ(cgroup, kn);

	client->cgroup = READ(node, id);
	client->netns = netns;
	client->pid = READ(leader, tgid);
	client->flags = CALLER_LOCAL | (is_kubelet(leader) ? CALLER_KUBELET : 0);
	/* of the leader, not of the thread: a pool of workers with numbered names is one caller */
	bpf_probe_read_kernel_str(client->comm, sizeof(client->comm), leader->comm);
}

static __always_inline struct file **current_files(void)
{
	struct task_struct *task = current_task();
	struct files_struct *files = READ(task, files);
	struct fdtable *table = READ(files, fdt);

	return READ(table, fd);
}

#ifndef OLD_KERNEL

/* Of an iterator's file; NULL if it is no TCP socket. */
static __always_inline struct tcp_sock *file_socket(struct file *file)
{
	struct socket *socket = bpf_sock_from_file(file);
	struct sock *sk = socket ? socket->sk : NULL;

	if (!sk ||
	    (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6))
		return NULL;
	return bpf_skc_to_tcp_sock(sk);
}

#else

/* Without a type: then it is looked up among all symbols, not in the BTF, which has none that are
 * static. */
extern const void socket_file_ops __ksym __weak;

static __always_inline struct tcp_sock *file_socket(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk;
	__u16 family;

	if (!&socket_file_ops || BPF_CORE_READ(file, f_op) != (const void *)&socket_file_ops)
		return NULL;
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) ||
	    BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP ||
	    BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return NULL;
	return (struct tcp_sock *)sk;
}

#endif

#endif
