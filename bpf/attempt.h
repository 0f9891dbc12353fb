/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who tried, of an attempt that was refused.
 *
 * Where the RST is made only the peer's address is known, and the sequence number that its SYN had.
 * Where the client's socket then goes from SYN_SENT to CLOSE its process is known (client.h), and
 * it still has that number, which no NAT changes. Whoever comes second finds the other's entry
 * here: nearly always that is the client, but what is freed after the RST is on its way may be
 * later than that. Until both have met, the attempt counts for the address alone; then it moves to
 * the process. What nobody comes for (clients on other nodes; connects that failed otherwise) is
 * evicted.
 */
#ifndef BPF_ATTEMPT_H
#define BPF_ATTEMPT_H

static __always_inline __u64 attempt_key(__u32 number, __u16 port)
{
	return (__u64)number << 32 | port;
}

static __always_inline void attempt_time(struct caller_counts *counts, __u64 now)
{
	if (!counts->first_attempt)
		counts->first_attempt = now;
	counts->last_attempt = now;
}

/* From the address to the process at that address. Where that finds no room it stays. */
static __always_inline void attempt_move(struct attempt *attempt, const struct attempt *client)
{
	/* it can have been counted in the other set: both add up, modulo 2^64 */
	struct caller_counts *from = caller_get(&attempt->key), *to;

	if (!from)
		return;
	attempt->key.cgroup = client->key.cgroup;
	__builtin_memcpy(attempt->key.comm, client->key.comm, sizeof(attempt->key.comm));
	attempt->key.netns = client->netns;
	attempt->key.flags =
		client->key.flags | (client->netns == attempt->netns ? CALLER_SAME_NETNS : 0);
	to = caller_get(&attempt->key);
	if (!to)
		return;
	__sync_fetch_and_add(&to->refused, attempt->count);
	__sync_fetch_and_sub(&from->refused, attempt->count);
	to->pid = client->pid;
	attempt_time(to, from->last_attempt ? from->last_attempt : bpf_ktime_get_ns());
}

/* Leaves this half of an attempt for the other, or puts both together. */
static __always_inline void attempt_meet(__u64 key, struct attempt *half)
{
	struct attempt *found, other;

	if (!bpf_map_update_elem(&attempts, &key, half, BPF_NOEXIST))
		return;
	found = bpf_map_lookup_elem(&attempts, &key);
	if (!found)
		return;
	if (found->count && half->count) {
		/* the client has not seen the RST, and sent the SYN again */
		__sync_fetch_and_add(&found->count, 1);
		return;
	}
	other = *found;
	if ((!other.count && !half->count) || bpf_map_delete_elem(&attempts, &key))
		return;
	if (half->count)
		attempt_move(half, &other);
	else
		attempt_move(&other, half);
}

/* A client of this node got no connection. */
static __always_inline void attempt_client(struct tcp_sock *tp, const struct client *client)
{
	struct attempt half = {
		.key.cgroup = client->cgroup,
		.key.flags = client->flags,
		.netns = client->netns,
		.pid = client->pid,
	};

	__builtin_memcpy(half.key.comm, client->comm, sizeof(half.key.comm));
	attempt_meet(attempt_key(tp->snd_una, socket_port(tp)), &half);
}

#endif
