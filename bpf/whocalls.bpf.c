/* SPDX-License-Identifier: GPL-2.0 */
/* The programs, one for each hook (design section 3). Each filters first: most sockets are not
 * ours. */
#include "../vmlinux/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "whocalls.h"

#include "maps.h"

#include "kernel.h"

#include "caller.h"
#include "socket.h"
#include "task.h"

#include "attempt.h"
#include "client.h"
#include "record.h"

#include "times.h"
#include "turn.h"

#include "connection.h"
#include "refused.h"

char _license[] SEC("license") = "GPL";

static __always_inline bool server_cares(int oldstate, int newstate)
{
	return newstate == TCP_CLOSE || (oldstate == TCP_SYN_RECV && newstate == TCP_ESTABLISHED);
}

static __always_inline bool client_cares(int oldstate, int newstate)
{
	if (sockops_tells && sockops_attached)
		return newstate == TCP_CLOSE;
	return newstate == TCP_CLOSE || newstate == TCP_SYN_SENT || oldstate == TCP_SYN_SENT;
}

/* Not inline: what returns at once, which is most, then needs no stack and saves no registers. */
static __noinline int state_changed(const struct sock *sk, int oldstate, int newstate, bool server,
				    bool client)
{
	struct tcp_sock *tp;
	__u64 cookie;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return 0;
	if (!sk->__sk_common.skc_num && newstate == TCP_CLOSE)
		server = port_watched(socket_port(tp));
	if (client)
		client_changed(tp, oldstate, newstate);
	if (!server)
		return 0;
	cookie = socket_cookie(tp, tp);
	if (newstate == TCP_CLOSE)
		connection_closed(tp, cookie);
	else
		handshake_state(tp, cookie);
	return 0;
}

/* Whoever begins to listen on the kubelet's port may be a new kubelet. */
static __noinline int listens(const struct sock *sk)
{
	if (is_kubelet_port(sk->__sk_common.skc_num, sk->__sk_common.skc_net.net->ns.inum))
		__sync_fetch_and_add(&kubelet_listens, 1);
	return 0;
}

/*
 * The first witness of the handshake, the end of each connection, and the connect side.
 *
 * When a socket goes to CLOSE its port may be released already and skc_num be 0; inet_sport still
 * has it, but is one helper away.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_accept, const struct sock *sk, int oldstate, int newstate)
{
	bool server, client;
	__u16 port;

	if (newstate == TCP_LISTEN)
		return listens(sk);
	if (newstate != TCP_ESTABLISHED && newstate != TCP_SYN_SENT && newstate != TCP_CLOSE)
		return 0;
	port = sk->__sk_common.skc_num;
	server = port_watched(port) && server_cares(oldstate, newstate);
	client = port_watched(bpf_ntohs(sk->__sk_common.skc_dport)) &&
		 client_cares(oldstate, newstate);
	if (!server && !client && (port || newstate != TCP_CLOSE))
		return 0;
	return state_changed(sk, oldstate, newstate, server, client);
}

static __noinline int established(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (!tp)
		return 0;
	handshake_sockops(tp, socket_cookie(tp, ctx));
	if (sockops_tells)
		bpf_sock_ops_cb_flags_set(ctx,
					  ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	return 0;
}

static __noinline int client_told(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (!tp)
		return 0;
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		client_connecting(tp);
	else
		client_connected(tp);
	return 0;
}

static __noinline int end_told(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (tp)
		connection_closed(tp, socket_cookie(tp, ctx));
	return 0;
}

/* The second witness of the handshake: not subject to the check that makes tracepoints miss. Its
 * remote port is in network byte order. */
SEC("sockops")
int tcp_accept_sockops(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		if (port_watched(ctx->local_port))
			established(ctx);
		break;
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		if (sockops_tells && port_watched(bpf_ntohl(ctx->remote_port)))
			client_told(ctx);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		/* of the sockets that established() has asked for, and of others' */
		if (sockops_tells && ctx->args[1] == TCP_CLOSE)
			end_told(ctx);
		break;
	}
	return 1;
}

/* The record may be in the making on another CPU: see connection_early(). */
static __always_inline void accepted_early(struct tcp_sock *tp, struct totals *totals)
{
	__u64 numbers = numbers_probed(tp), cookie;
	__u64 *slot = early_slot(numbers);
	struct connection *c;

	if (!slot)
		return;
	exchange(slot, numbers);
	cookie = socket_cookie_made(tp);
	c = connection_find(cookie);
	if (c && connection_accepted(c, cookie))
		__sync_fetch_and_add(&totals->seen[WITNESS_ACCEPT], 1);
}

/* Runs in the process that accepts. */
static __always_inline void server_note(struct totals *totals, __u32 endpoint)
{
	struct server_key key = {endpoint, bpf_get_current_pid_tgid() >> 32};
	__u64 both = (__u64)endpoint << 32 | key.pid;
	struct client process = {};
	struct server server = {};

	if (totals->last_server == both)
		return;
	client_read(&process, current_task(), 0);
	server.cgroup = process.cgroup;
	__builtin_memcpy(server.comm, process.comm, sizeof(server.comm));
	bpf_map_update_elem(&servers, &key, &server, BPF_ANY);
	totals->last_server = both;
}

#define PORT_NOT_READ (-1)

/*
 * The application took a connection from the queue. Its record is found by the cookie, which was
 * made when the handshake was seen.
 */
static __noinline int accepted(struct tcp_sock *tp, __u64 cookie, int port)
{
	struct connection *c = connection_find(cookie);
	struct totals *totals;

	if (!tp)
		return 0;
	if (!c) {
		if (port == PORT_NOT_READ)
			port = BPF_CORE_READ(tp, SKC(skc_num));
		/* 0: it ended in the queue, and has no port any more; accept() hands it out all
		 * the same */
		if (port && !port_watched(port))
			return 0;
	}
	totals = totals_get();
	if (!totals)
		return 0;
	if (!c) {
		accepted_early(tp, totals);
		return 0;
	}
	__sync_fetch_and_add(&totals->seen[WITNESS_ACCEPT], 1);
	server_note(totals, c->key.endpoint);
	if (!connection_accepted(c, cookie))
		__sync_fetch_and_add(&totals->accept_late, 1);
	return 0;
}

/* Of a pointer that has a type: loads, in place of calls that read any memory. */
static __always_inline int accepted_typed(struct tcp_sock *tp)
{
#ifndef OLD_KERNEL
	return accepted(tp, tp->SKC(skc_cookie.counter), tp->SKC(skc_num));
#else
	return accepted(tp, socket_cookie_made(tp), PORT_NOT_READ);
#endif
}

/*
 * The result comes after the arguments, and has its type there; where their number is another than
 * those that are known, it is a number, got by a helper. (The verifier looks only at the branch
 * that is taken, and refuses it if what is there is no socket.)
 */
SEC("fexit/inet_csk_accept")
int inet_csk_accept_fexit(__u64 *ctx)
{
	__u64 sk = 0;

	if (accept_arguments == 4)
		return accepted_typed((struct tcp_sock *)ctx[4]);
	if (accept_arguments == 2)
		return accepted_typed((struct tcp_sock *)ctx[2]);
	if (!bpf_get_func_ret(ctx, &sk))
		accepted((struct tcp_sock *)sk, socket_cookie_made((struct tcp_sock *)sk),
			 PORT_NOT_READ);
	return 0;
}

/* For kernels that can't read a function's result otherwise (before 5.17): it comes after the
 * function's arguments, of which there are four (up to 6.9; the program makes sure of it). */
SEC("fexit/inet_csk_accept")
int inet_csk_accept_fexit_4(__u64 *ctx)
{
	__u64 sk = ctx[4];

	accepted((struct tcp_sock *)sk, socket_cookie_made((struct tcp_sock *)sk), PORT_NOT_READ);
	return 0;
}

SEC("kretprobe/inet_csk_accept")
int inet_csk_accept_kretprobe(struct pt_regs *ctx)
{
	struct tcp_sock *tp = (struct tcp_sock *)WHOCALLS_KRETPROBE_RESULT(ctx);

	accepted(tp, socket_cookie_made(tp), PORT_NOT_READ);
	return 0;
}

/*
 * The TCP socket behind a file descriptor that accept has just returned; of MPTCP, its first
 * subflow. Should another thread have closed it already, what is read is of something else or
 * nothing: then there is no record with its cookie.
 */
static __noinline int accepted_fd(unsigned int fd)
{
	struct file **files = current_files(), *file = NULL;
	struct socket *socket;
	struct sock *sk;
	__u64 cookie;

	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	cookie = socket_cookie_made((struct tcp_sock *)sk);
	if (!connection_find(cookie) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP &&
	    bpf_core_field_exists(struct mptcp_sock, first)) {
		sk = BPF_CORE_READ((struct mptcp_sock *)sk, first);
		cookie = socket_cookie_made((struct tcp_sock *)sk);
	}
	return accepted((struct tcp_sock *)sk, cookie, PORT_NOT_READ);
}

/* Runs at the end of every system call of every process: leaves at once. */
SEC("tp_btf/sys_exit")
int BPF_PROG(inet_csk_accept_syscall, struct pt_regs *regs, long ret)
{
	__u32 nr = syscall_number(regs);

	if ((nr == nr_accept || nr == nr_accept4) && ret >= 0)
		accepted_fd(ret);
	return 0;
}

#include "snapshot.h"
