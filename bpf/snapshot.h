/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The iterators: what is open now.
 *
 * The first sweep finds what was open before the trace; each later one refreshes what is known of
 * open connections (bytes, when data last moved, whether they still wait in the accept queue), and
 * finds what all witnesses missed. Since 5.15 the kernel holds the socket's lock while the program
 * runs (bpf_iter_tcp_seq_show()); before, the bucket's, under which no socket comes or goes.
 */
#ifndef BPF_SNAPSHOT_H
#define BPF_SNAPSHOT_H

/* What a record holds as of the last sweep. */
static __always_inline void sweep_read(struct connection *c, struct tcp_sock *tp, __u64 now)
{
	c->bytes_received = payload_received(tp);
	c->bytes_sent = payload_sent(tp);
	c->last_data = last_data(tp, now);
	c->waiting = !socket_taken(tp);
	c->swept = sweep;
}

/* As established() does: sockops is to tell of this connection's end, too. */
static __always_inline void ask_for_end(struct tcp_sock *tp)
{
	int flags = tp->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG;

	bpf_setsockopt(tp, SOL_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, sizeof(flags));
}

/*
 * A connection that has no record: open before the trace, or missed by all witnesses. Sockops
 * misses none, so where it is attached what a later sweep finds is from before, too: it was in a
 * namespace that could not be looked into, or the iterator skipped it (it could before mid-2025).
 */
static __always_inline void sweep_found(struct tcp_sock *tp, __u64 cookie, __u64 now)
{
	struct totals *totals = totals_get();
	struct connection c = {};
	struct server_socket s;
	__u32 *endpoint;

	if (!totals || (snapshot_done && overflowed))
		return;
	server_socket_read(&s, tp, cookie);
	endpoint = endpoint_find(&s);
	if (!endpoint || socket_active(tp) || socket_joined(tp))
		return;
	__sync_fetch_and_add(&totals->seen[WITNESS_SNAPSHOT], 1);
	caller_identify(&c, &s, *endpoint);
	sweep_read(&c, tp, now);
	turn_start(&c.turn, tp, cookie);
	if (!snapshot_done || sockops_attached) {
		c.flags = CONNECTION_OLD | (c.waiting ? 0 : CONNECTION_ACCEPTED);
		c.base_received = c.bytes_received;
		c.base_sent = c.bytes_sent;
	}
	connection_make(&c, &s, WITNESS_SNAPSHOT, true, now, totals);
	if (sockops_tells)
		ask_for_end(tp);
}

static __always_inline void listener_found(struct tcp_sock *tp)
{
	struct listener listener = {};
	struct server_socket s;
	__u64 key = (__u64)tp;
	struct loopback_key loopback = {};
	__u32 *endpoint;

	server_socket_read(&s, tp, 0);
	endpoint = endpoint_find(&s);
	if (!endpoint) {
		/* on any address of the pod, which has this namespace */
		loopback.netns = s.netns;
		loopback.port = s.port;
		endpoint = bpf_map_lookup_elem(&loopbacks, &loopback);
	}
	if (!endpoint)
		return;
	listener.endpoint = *endpoint;
	listener.netns = s.netns;
	__builtin_memcpy(listener.local, s.local, sizeof(listener.local));
	listener.port = s.port;
	listener.queue = tp->SK(sk_ack_backlog);
	listener.limit = tp->SK(sk_max_ack_backlog);
	listener.swept = sweep;
	listener.drops = tp->SK(sk_drops.counter);
#ifndef OLD_KERNEL
	listener.cookie = socket_cookie(tp, tp);
#endif
	if (bpf_map_update_elem(&listeners, &key, &listener, BPF_ANY))
		__sync_fetch_and_add(&listeners_lost, 1);
}

/* A half-open connection. */
static __always_inline void request_found(struct sock_common *skc)
{
	struct tcp_request_sock *request = bpf_skc_to_tcp_request_sock(skc);
	struct pending fresh = {}, *known;
	struct connection c = {};
	struct server_socket s;
	__u64 now = bpf_ktime_get_ns();
	__u32 *endpoint;

	if (!request)
		return;
	request_read(&s, skc, request);
	endpoint = endpoint_find(&s);
	if (!endpoint)
		return;
	known = bpf_map_lookup_elem(&pending, &s.numbers);
	if (known) {
		known->last = now;
		known->swept = sweep;
		return;
	}
	caller_identify(&c, &s, *endpoint);
	fresh.key = c.key;
	fresh.first = now;
	fresh.last = now;
	fresh.swept = sweep;
	fresh.pid = c.pid;
	if (bpf_map_update_elem(&pending, &s.numbers, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&pendings_lost, 1);
	else
		__sync_fetch_and_add(&pendings, 1);
}

SEC("iter/tcp")
int snapshot(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct connection *c;
	struct tcp_sock *tp;
	__u64 cookie, now;

	if (!skc || !port_watched(skc->skc_num))
		return 0;
	if (listeners_only && skc->skc_state != TCP_LISTEN)
		return 0;
	switch (skc->skc_state) {
	case TCP_NEW_SYN_RECV:
		request_found(skc);
		return 0;
	case TCP_LISTEN:
	case TCP_SYN_RECV: /* with TCP Fast Open there is a record already */
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		break;
	default:
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp)
		return 0;
	if (skc->skc_state == TCP_LISTEN) {
		listener_found(tp);
		return 0;
	}
	cookie = socket_cookie(tp, tp);
	now = bpf_ktime_get_ns();
	c = connection_find(cookie);
	if (!c) {
		if (skc->skc_state != TCP_SYN_RECV)
			sweep_found(tp, cookie, now);
		return 0;
	}
	sweep_read(c, tp, now);
	turn_swept(c, tp);
	if (!c->waiting && connection_accepted(c, cookie))
		COUNT(accept_told);
	return 0;
}

/* A child that has not closed its parent's files yet holds the socket, too: the oldest is the
 * owner. */
static __always_inline void kubelet_found(struct task_struct *leader)
{
	if (found_pid && found_start <= leader->start_boottime)
		return;
	found_start = leader->start_boottime;
	found_pid = leader->tgid;
}

/*
 * Runs before the first sweep of connections: which processes hold the clients' ends, and who is
 * the kubelet. And again when somebody begins to listen on its port, but not for nothing: for as
 * long as this looks at a file the kernel holds it (task_file_seq_get_next(), as for everybody who
 * reads /proc/PID/fd), and a close() meanwhile ends nothing yet. A process that frees on close()
 * what its epoll points to has an event of it then.
 */
SEC("iter/task_file")
int snapshot_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct client client = {};
	struct tcp_sock *tp;
	__u32 netns;
	__u8 state;

	if (!task || !file)
		return 0;
	tp = file_socket(file);
	if (!tp)
		return 0;
	netns = socket_netns(tp);
	state = READ(tp, SKC(skc_state));
	if (state == TCP_LISTEN) {
		if (is_kubelet_port(READ(tp, SKC(skc_num)), netns))
			kubelet_found(task->group_leader);
		return 0;
	}
	if (files_again || state == TCP_SYN_SENT || state == TCP_CLOSE)
		return 0;
	if (!port_watched(bpf_ntohs(READ(tp, SKC(skc_dport)))))
		return 0;
	client_read(&client, task, netns);
	client_remember(CLIENTS_OF(clients), numbers_of_client(tp), &client);
	return 0;
}

#endif
