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

/* Whoever listens there is the kubelet. */
static __always_inline bool is_kubelet_port(__u16 port, __u32 netns)
{
	return kubelet_port && port == kubelet_port && netns == node_netns;
}

#if !defined(OLD_KERNEL) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* Of the bytes of a word, which is the lowest that is zero: 0x80 there, zeros below it. */
static __always_inline __u64 first_zero(__u64 word)
{
	__u64 zeros = (word - 0x0101010101010101) & ~word & 0x8080808080808080;

	return zeros & -zeros;
}

/*
 * A process's name, and zeros after its end, whatever the task has there: it is part of a key. As
 * bpf_probe_read_kernel_str() does it, but in a quarter of the instructions.
 */
static __always_inline void comm_read(char out[COMM_SIZE], struct task_struct *task)
{
	const __u64 *from = (const __u64 *)task->comm;
	__u64 low, high, end;

	/* what is relocated is the address, not the loads: these have eight bytes of sixteen */
	asm volatile("" : "+r"(from));
	low = from[0];
	high = from[1];
	end = first_zero(low);
	((__u64 *)out)[0] = low & ((end >> 7) - 1);
	((__u64 *)out)[1] = end ? 0 : high & ((first_zero(high) >> 7) - 1) & ~0ULL >> 8;
}

#else

static __always_inline void comm_read(char out[COMM_SIZE], struct task_struct *task)
{
	bpf_probe_read_kernel_str(out, COMM_SIZE, task->comm);
}

#endif

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
	comm_read(client->comm, leader);
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
