/* SPDX-License-Identifier: GPL-2.0 */
/* What is read of a TCP socket. */
#ifndef BPF_SOCKET_H
#define BPF_SOCKET_H

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define SOL_TCP 6
#define TCP_BPF_SOCK_OPS_CB_FLAGS 1008 /* 6.12 and later */
#define IPPROTO_MPTCP 262

#define SK(field) inet_conn.icsk_inet.sk.field
#define SKC(field) inet_conn.icsk_inet.sk.__sk_common.field

/* The server's end of one connection. */
struct server_socket {
	__u64 cookie;
	__u64 numbers; /* the pair of initial sequence numbers */
	__u32 local[4];
	__u32 peer[4];
	__u16 port;
	__u16 peer_port;
	__u32 netns;
};

/* Our own port. skc_num is 0 once the port is released, which comes before the change to CLOSE. */
static __always_inline __u16 socket_port(struct tcp_sock *tp)
{
	return bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
}

static __always_inline __u32 socket_netns(struct tcp_sock *tp)
{
	struct net *net = READ(tp, SKC(skc_net.net));

	return READ(net, ns.inum);
}

static __always_inline void address_from_v4(__u32 out[4], __be32 v4)
{
	out[0] = 0;
	out[1] = 0;
	out[2] = bpf_htonl(0xffff);
	out[3] = v4;
}

/*
 * The numbers that both ends began with, as the server knows them: what the peer's first byte of
 * payload had, and what our own had. Both ends can tell them at any time (tcp_rcv_nxt_update() and
 * tcp_snd_una_update() keep rcv_nxt - bytes_received and snd_una - bytes_acked constant), and no
 * NAT changes them: so a client's socket on this node is matched to the server's, whatever
 * addresses either of them sees, and two namespaces with the same addresses are not confused.
 */
/* The same pair, from the client's end: its bytes_acked counts its own SYN, too. */
static __always_inline __u64 numbers_of_client(struct tcp_sock *tp)
{
	__u32 own = READ(tp, snd_una) - (__u32)READ(tp, bytes_acked) + 1;
	__u32 peer = READ(tp, rcv_nxt) - (__u32)READ(tp, bytes_received);

	return (__u64)own << 32 | peer;
}

/* The server's, of any pointer. */
static __always_inline __u64 numbers_probed(const struct tcp_sock *tp)
{
	__u32 peer = BPF_CORE_READ(tp, rcv_nxt) - (__u32)BPF_CORE_READ(tp, bytes_received);
	__u32 own = BPF_CORE_READ(tp, snd_una) - (__u32)BPF_CORE_READ(tp, bytes_acked);

	return (__u64)peer << 32 | own;
}

#ifndef OLD_KERNEL

static __always_inline __u64 numbers_of_server(struct tcp_sock *tp)
{
	__u32 peer = tp->rcv_nxt - (__u32)tp->bytes_received;
	__u32 own = tp->snd_una - (__u32)tp->bytes_acked;

	return (__u64)peer << 32 | own;
}

/* Made once, and read then: a load costs less than the helper's call, which takes `owner`. */
static __always_inline __u64 socket_cookie(struct tcp_sock *tp, void *owner)
{
	__u64 cookie = tp->SKC(skc_cookie.counter);

	return cookie ? cookie : bpf_get_socket_cookie(owner);
}

/* Of any pointer to a socket. 0: nobody has asked for the socket's cookie yet. */
static __always_inline __u64 socket_cookie_made(const struct tcp_sock *tp)
{
	return BPF_CORE_READ(tp, SKC(skc_cookie.counter));
}

#else

/* Not everybody who asks has the socket's lock here: what is read twice alike was not changing. */
static __always_inline __u64 numbers_of_server(const struct tcp_sock *tp)
{
	__u64 numbers = numbers_probed(tp), before;

	for (int i = 0; i < 4; i++) {
		before = numbers;
		numbers = numbers_probed(tp);
		if (numbers == before)
			break;
	}
	return numbers;
}

/* Tracing programs can't have a cookie made before 5.12; the numbers are as good. */
static __always_inline __u64 socket_cookie(struct tcp_sock *tp, void *owner)
{
	return numbers_of_server(tp);
}

static __always_inline __u64 socket_cookie_made(const struct tcp_sock *tp)
{
	return numbers_of_server(tp);
}

#endif

static __always_inline void addresses_of(struct server_socket *out, struct sock_common *skc)
{
	if (skc->skc_family == AF_INET) {
		/* on these the kernel leaves anything in the IPv6 fields, and the other way round
		 */
		address_from_v4(out->local, skc->skc_rcv_saddr);
		address_from_v4(out->peer, skc->skc_daddr);
		return;
	}
	for (int i = 0; i < 4; i++) {
		out->local[i] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
		out->peer[i] = skc->skc_v6_daddr.in6_u.u6_addr32[i];
	}
}

static __always_inline void server_socket_read(struct server_socket *out, struct tcp_sock *tp,
					       __u64 cookie)
{
	out->cookie = cookie;
	out->numbers = numbers_of_server(tp);
	out->port = socket_port(tp);
	out->peer_port = bpf_ntohs(tp->SKC(skc_dport));
	out->netns = socket_netns(tp);
	addresses_of(out, (struct sock_common *)tp);
}

/* The same of a half-open connection, which has no socket yet. */
static __always_inline void request_read(struct server_socket *out, struct sock_common *skc,
					 struct tcp_request_sock *request)
{
	struct net *net = READ(skc, skc_net.net);

	out->cookie = 0;
	out->numbers = (__u64)(request->rcv_isn + 1) << 32 | (request->snt_isn + 1);
	out->port = skc->skc_num;
	out->peer_port = bpf_ntohs(skc->skc_dport);
	out->netns = READ(net, ns.inum);
	addresses_of(out, skc);
}

/* A subflow of an MPTCP connection. */
static __always_inline bool socket_mptcp(struct tcp_sock *tp)
{
	return bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ_BITFIELD(tp, is_mptcp);
}

/*
 * The application has taken this connection from the queue, or had: sk_socket is what accept()
 * gives it, SOCK_DEAD what close() leaves (sock_graft(), sock_orphan()). A connection that ends in
 * the queue has neither when it goes to CLOSE. MPTCP orphans its subflows by itself.
 */
static __always_inline bool socket_taken(struct tcp_sock *tp)
{
	if (tp->SK(sk_socket))
		return true;
	if (socket_mptcp(tp))
		return false;
	return tp->SKC(skc_flags) >> SOCK_DEAD & 1;
}

/* A further subflow of an MPTCP connection that is open already: no connection of its own. */
static __always_inline bool socket_joined(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *subflow;

	if (!socket_mptcp(tp))
		return false;
	subflow = BPF_CORE_READ(tp, inet_conn.icsk_ulp_data);
	return subflow && BPF_CORE_READ_BITFIELD_PROBED(subflow, mp_join);
}

/*
 * The socket that called connect(): its bytes_acked counts its own SYN, which is no payload; nor is
 * the FIN that has been sent in the states after the application's close.
 */
static __always_inline bool socket_active(struct tcp_sock *tp)
{
	__u8 state = tp->SKC(skc_state);
	__u64 sent = tp->bytes_acked + (__u32)(tp->snd_nxt - tp->snd_una);

	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		sent--;
	return sent == tp->bytes_sent - tp->bytes_retrans + 1;
}

/* Payload that came in: tcp_rcv_nxt_update() counted the peer's FIN as a byte; tcp_fin() sets DONE.
 */
static __always_inline __u64 payload_received(struct tcp_sock *tp)
{
	return tp->bytes_received - (tp->SKC(skc_flags) >> SOCK_DONE & 1);
}

static __always_inline __u64 payload_sent(struct tcp_sock *tp)
{
	return tp->bytes_sent - tp->bytes_retrans;
}

/* When data last moved in either direction; of a connection that never carried any, its opening. */
static __always_inline __u64 last_data(struct tcp_sock *tp, __u64 now)
{
	__u32 jiffies = (__u32)bpf_jiffies64();
	__u32 received = jiffies - tp->inet_conn.icsk_ack.lrcvtime;
	__u32 sent = jiffies - tp->lsndtime;

	return now - (received < sent ? received : sent) * tick_ns;
}

#endif
