/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's types that the BPF side reads, and of each only the fields that it reads: this page
 * is what whocalls depends on. CO-RE looks every field up in the running kernel's BTF when a
 * program is loaded, so neither order nor offsets mean anything here, only names and types.
 *
 * What came when is said where it is younger than 5.8. scripts/check-vmlinux.sh holds this file
 * against a kernel's BTF.
 */
#ifndef VMLINUX_H
#define VMLINUX_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* From uapi/linux/bpf.h: constants that every kernel shares. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};
enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};
enum {
	BPF_SOCK_OPS_TCP_CONNECT_CB = 3,
	BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB = 4,
	BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB = 5,
	BPF_SOCK_OPS_STATE_CB = 10,
};
enum {
	BPF_SOCK_OPS_STATE_CB_FLAG = 4,
};

/* From net/tcp_states.h: fixed, since user space sees them. */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_TIME_WAIT = 6,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
	TCP_NEW_SYN_RECV = 12,
};

/* Why: the values differ between kernels. 5.17, 6.10 */
enum skb_drop_reason {
	SKB_DROP_REASON_NO_SOCKET = 3,
};
enum sk_rst_reason {
	SK_RST_REASON_NO_SOCKET = 2,
	SK_RST_REASON_TCP_TIMEWAIT_SOCKET = 15,
};

/* Context of BPF_PROG_TYPE_SOCK_OPS, uapi/linux/bpf.h: the verifier knows its offsets, not BTF. */
struct bpf_sock;
struct bpf_sock_ops {
	__u32 op;
	union {
		__u32 args[4];
		__u32 reply;
		__u32 replylong[4];
	};
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 is_fullsock;
	__u32 snd_cwnd;
	__u32 srtt_us;
	__u32 bpf_sock_ops_cb_flags;
	__u32 state;
	__u32 rtt_min;
	__u32 snd_ssthresh;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 mss_cache;
	__u32 ecn_flags;
	__u32 rate_delivered;
	__u32 rate_interval_us;
	__u32 packets_out;
	__u32 retrans_out;
	__u32 total_retrans;
	__u32 segs_in;
	__u32 data_segs_in;
	__u32 segs_out;
	__u32 data_segs_out;
	__u32 lost_out;
	__u32 sacked_out;
	__u32 sk_txhash;
	__u64 bytes_received;
	__u64 bytes_acked;
	union {
		struct bpf_sock *sk;
		__u64 sk_pad;
	};
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	int counter;
} atomic_t;

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	possible_net_t nd_net;
};

struct sk_buff {
	unsigned int len; /* where TCP looks at it: of its header and what follows */
	__be16 protocol;
	__u16 transport_header; /* both from `head` on */
	__u16 network_header;
	unsigned char *head;
	struct net_device *dev;
};

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
};

struct sock;

struct socket {
	struct sock *sk;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type; /* like sk_protocol a bit field before 5.6 */
	__u16 sk_protocol;
	int sk_err;
	u32 sk_ack_backlog; /* of a listening socket: length of its accept queue */
	u32 sk_max_ack_backlog;
	atomic_t sk_drops; /* of a listening socket: handshakes dropped, and other segments */
	struct socket *sk_socket; /* NULL until the application accepts */
};

#define SOCK_STREAM 1

enum sock_flags {
	SOCK_DEAD = 0, /* the application has closed it */
	SOCK_DONE = 1, /* the peer's FIN was taken in */
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	void *icsk_ulp_data; /* of an MPTCP subflow: struct mptcp_subflow_context */
	struct {
		__u32 lrcvtime; /* jiffies of the last data received */
	} icsk_ack;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 rcv_nxt;
	u32 copied_seq; /* up to here the application has read */
	u32 write_seq;  /* up to here it has written */
	u32 snd_una;
	u32 snd_nxt;
	u64 bytes_received; /* sequence space taken in: payload, and one for a FIN */
	u64 bytes_acked;    /* likewise; and one for the SYN of an active open */
	u64 bytes_sent;     /* 4.19: payload, with retransmissions */
	u64 bytes_retrans;
	u32 lsndtime;      /* jiffies of the last data sent */
	bool is_mptcp : 1; /* 5.6, with CONFIG_MPTCP: a subflow */
	__u8 bpf_sock_ops_cb_flags;
};

/* Half of a handshake: TCP_NEW_SYN_RECV. */
struct request_sock {
	struct sock_common __req_common;
};

struct inet_request_sock {
	struct request_sock req;
};

struct tcp_request_sock {
	struct inet_request_sock req;
	u32 rcv_isn;
	u32 snt_isn;
};

struct mptcp_subflow_context {
	u32 mp_join : 1;
};

struct mptcp_sock {
	struct sock *first; /* the subflow that the connection began with */
};

struct file_operations;

struct file {
	const struct file_operations *f_op;
	void *private_data; /* a socket's file: struct socket */
};

struct fdtable {
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* in the cgroup2 hierarchy */
};

struct task_struct {
	int tgid;
	struct task_struct *group_leader;
	u64 start_boottime;
	char comm[16];
	struct files_struct *files;
	struct css_set *cgroups;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__tcp {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct sock_common *sk_common;
	};
};

struct bpf_iter__task_file {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
	u32 fd;
	union {
		struct file *file;
	};
};

/* The registers of a system call that ends: only its number is read; and of a function. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long orig_ax;
	unsigned long ax; /* kretprobe: the function's result */
	unsigned long di; /* kprobe: its first arguments */
	unsigned long si;
};
#define syscall_number(regs) ((regs)->orig_ax)
#define WHOCALLS_KRETPROBE_RESULT(regs) ((regs)->ax)
#define WHOCALLS_KPROBE_FIRST(regs) ((regs)->di)
#define WHOCALLS_KPROBE_SECOND(regs) ((regs)->si)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	int syscallno;
};
#define syscall_number(r) ((r)->syscallno)
#define WHOCALLS_KRETPROBE_RESULT(r) ((r)->regs[0])
#define WHOCALLS_KPROBE_FIRST(r) ((r)->regs[0])
#define WHOCALLS_KPROBE_SECOND(r) ((r)->regs[1])
#else
#error "whocalls: this architecture's struct pt_regs is not known yet"
#endif

#pragma clang attribute pop

#endif
