/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server's side of attempts: segments that came for a port of the target and found no socket,
 * or only the one that listens there.
 * One that asks for a connection was refused; one that carries data is of a connection that the
 * server no longer has. There is nothing here but the segment itself.
 */
#ifndef BPF_REFUSED_H
#define BPF_REFUSED_H

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_ACK 0x10

/* The first fields of a TCP header. */
struct segment {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u8 words; /* length of the header, in the upper half */
	__u8 flags;
	__u16 window;
};

/* The addresses; false if it is no TCP. An IPv6 header can be followed by others before TCP's: then
 * only who passes nothing but TCP can tell. */
static __always_inline bool addresses_read(struct server_socket *s, const struct sk_buff *skb,
					   const unsigned char *head, bool is_tcp)
{
	const unsigned char *at = head + BPF_CORE_READ(skb, network_header);
	__u16 protocol = bpf_ntohs(BPF_CORE_READ(skb, protocol));
	__u32 ip[10] = {};

	if (protocol == ETH_P_IP) {
		bpf_probe_read_kernel(ip, 20, at);
		address_from_v4(s->peer, ip[3]);
		address_from_v4(s->local, ip[4]);
		return is_tcp || ((__u8 *)ip)[9] == IPPROTO_TCP;
	}
	if (protocol != ETH_P_IPV6)
		return false;
	bpf_probe_read_kernel(ip, sizeof(ip), at);
	__builtin_memcpy(s->peer, &ip[2], sizeof(s->peer));
	__builtin_memcpy(s->local, &ip[6], sizeof(s->local));
	return is_tcp || ((__u8 *)ip)[6] == IPPROTO_TCP;
}

static __always_inline void refused_count(const struct server_socket *s, __u32 endpoint,
					  const struct segment *segment, struct totals *totals)
{
	bool syn = segment->flags & TCP_FLAG_SYN;
	struct attempt half = {.netns = s->netns, .count = 1};
	struct caller_counts *counts;
	__u32 zero = 0;

	__builtin_memcpy(half.key.peer, s->peer, sizeof(half.key.peer));
	half.key.endpoint = endpoint;
	__sync_fetch_and_add(syn ? &totals->refused : &totals->stray, 1);
	counts = caller_get(&half.key);
	if (counts && syn) {
		__sync_fetch_and_add(&counts->refused, 1);
		attempt_time(counts, bpf_ktime_get_ns());
		attempt_meet(attempt_key(bpf_ntohl(segment->seq), s->peer_port), &half);
		return;
	}
	if (!counts)
		counts = bpf_map_lookup_elem(&others, &zero);
	if (!counts)
		return;
	if (syn)
		__sync_fetch_and_add(&counts->refused, 1);
	else
		__sync_fetch_and_add(&counts->stray, 1);
	attempt_time(counts, bpf_ktime_get_ns());
}

/* A segment that finds no socket. `is_tcp`: it is known to be TCP. */
static __noinline int segment_refused(const struct sk_buff *skb, bool is_tcp)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	struct segment segment = {};
	struct server_socket s = {};
	struct totals *totals;
	__u32 *endpoint;

	bpf_probe_read_kernel(&segment, sizeof(segment),
			      head + BPF_CORE_READ(skb, transport_header));
	s.port = bpf_ntohs(segment.dest);
	if (!armed || !port_watched(s.port) || segment.flags & TCP_FLAG_RST)
		return 0;
	if (segment.flags & TCP_FLAG_SYN) {
		if (segment.flags & TCP_FLAG_ACK)
			return 0;
	} else if (BPF_CORE_READ(skb, len) <= (segment.words >> 4) * 4U) {
		return 0;
	}
	if (!addresses_read(&s, skb, head, is_tcp))
		return 0;
	s.peer_port = bpf_ntohs(segment.source);
	s.netns = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	endpoint = endpoint_find(&s);
	totals = totals_get();
	if (endpoint && totals)
		refused_count(&s, *endpoint, &segment, totals);
	return 0;
}

static __always_inline bool reset_without_socket(enum sk_rst_reason reason)
{
	if (reason == bpf_core_enum_value(enum sk_rst_reason, SK_RST_REASON_NO_SOCKET))
		return true;
	return bpf_core_enum_value_exists(enum sk_rst_reason, SK_RST_REASON_TCP_TIMEWAIT_SOCKET) &&
	       reason == bpf_core_enum_value(enum sk_rst_reason, SK_RST_REASON_TCP_TIMEWAIT_SOCKET);
}

/* A segment of a connection that is no more meets the socket that listens there now. */
static __always_inline bool reset_by_listener(const struct sock *sk)
{
	return sk && sk->__sk_common.skc_state == TCP_LISTEN;
}

/*
 * From 6.10 on it is called for segments without a socket, too, and has a reason; the program makes
 * sure of that. Data that a socket in TIME_WAIT gets is for a connection that the server has no
 * more, either; and so is what a listener gets that has taken the place of an earlier one. (What it
 * is called for without a segment has other reasons.)
 */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(refused_reset, const struct sock *sk, const struct sk_buff *skb,
	     enum sk_rst_reason reason)
{
	if (!skb || (!reset_without_socket(reason) && !reset_by_listener(sk)))
		return 0;
	return segment_refused(skb, true);
}

/* Before 6.10 it is called where there is a socket: beside refused_drop. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(refused_by_listener, const struct sock *sk, const struct sk_buff *skb)
{
	if (!skb || !reset_by_listener(sk))
		return 0;
	return segment_refused(skb, true);
}

/* Every packet that is dropped comes here: leaves at once. From 5.18 on with a reason. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(refused_drop, const struct sk_buff *skb, void *location, enum skb_drop_reason reason)
{
	if (reason != bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NO_SOCKET))
		return 0;
	return segment_refused(skb, false);
}

/* Before: the functions that send the RST, of a socket or of none. */
static __always_inline int refused_called(struct pt_regs *ctx)
{
	const struct sock *sk = (const struct sock *)WHOCALLS_KPROBE_FIRST(ctx);

	if (sk && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	return segment_refused((const struct sk_buff *)WHOCALLS_KPROBE_SECOND(ctx), true);
}

SEC("kprobe/tcp_v4_send_reset")
int refused_v4(struct pt_regs *ctx)
{
	return refused_called(ctx);
}

SEC("kprobe/tcp_v6_send_reset")
int refused_v6(struct pt_regs *ctx)
{
	return refused_called(ctx);
}

#endif
