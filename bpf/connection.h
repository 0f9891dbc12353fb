/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of one connection to the target, and the counts of its caller.
 *
 * Every connection is counted exactly once, by whichever witness makes its record; the others only
 * mark it. Where the map of connections is full there is no record to agree on: then the witness
 * that comes last (the state tracepoint; sockops runs just before it, in the same softirq) counts
 * alone.
 *
 * The caller's entry is found or made before the record, and added to after it: so a record that
 * could not be made has counted nothing.
 */
#ifndef BPF_CONNECTION_H
#define BPF_CONNECTION_H

static __always_inline bool is_loopback(const __u32 address[4])
{
	if (address[0] || address[1])
		return false;
	if (address[2] == bpf_htonl(0xffff))
		return (bpf_ntohl(address[3]) >> 24) == 127;
	return !address[2] && address[3] == bpf_htonl(1);
}

static __always_inline __u32 *endpoint_find(const struct server_socket *s)
{
	struct loopback_key loopback = {s->netns, s->port};
	struct endpoint_key key = {};
	__u32 *id;

	if (only_endpoint)
		return &first_endpoint;
	key.port = s->port;
	if (addressed) {
		if (is_loopback(s->local)) {
			id = bpf_map_lookup_elem(&loopbacks, &loopback);
			if (id)
				return id;
		}
		__builtin_memcpy(key.address, s->local, sizeof(key.address));
		id = bpf_map_lookup_elem(&endpoints, &key);
		if (id)
			return id;
		__builtin_memset(key.address, 0, sizeof(key.address));
	}
	return bpf_map_lookup_elem(&endpoints, &key);
}

/* At most one wake-up in 10 ms: it is the wake-ups that cost, not the records. */
static __always_inline __u64 wakeup(__u64 now)
{
	if (now - last_wakeup < 10 * 1000 * 1000)
		return BPF_RB_NO_WAKEUP;
	last_wakeup = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void event_send(__u32 type, __u64 cookie, const struct connection *c,
				       __u64 now, __u64 received, __u64 sent, __u32 error)
{
	struct event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	if (!event) {
		COUNT(ring_full);
		return;
	}
	event->time = now;
	event->connection = cookie;
	event->key = c->key;
	event->open_time = type == EVENT_CLOSED ? now - c->opened : 0;
	event->bytes_received = received;
	event->bytes_sent = sent;
	event->type = type;
	event->peer_port = c->peer_port;
	event->pid = c->pid;
	event->error = error;
	bpf_ringbuf_submit(event, type == EVENT_CALLER ? wakeup(now) : BPF_RB_NO_WAKEUP);
}

/* Fills in who connects: the peer, and the process if it is one of this node. */
static __always_inline void caller_identify(struct connection *c, const struct server_socket *s,
					    __u32 endpoint)
{
	struct client client;

	__builtin_memcpy(c->key.peer, s->peer, sizeof(c->key.peer));
	c->key.endpoint = endpoint;
	c->peer_port = s->peer_port;
	c->server_netns = s->netns;
	if (!client_find(CLIENTS_OF(clients), s->numbers, &client))
		return;
	c->key.cgroup = client.cgroup;
	__builtin_memcpy(c->key.comm, client.comm, sizeof(c->key.comm));
	c->key.netns = client.netns;
	c->key.flags =
		(client.flags & ~CLIENT_GONE) | (client.netns == s->netns ? CALLER_SAME_NETNS : 0);
	c->pid = client.pid;
}

/* The counts that a record's connection belongs to: those of the others, too, where its caller's
 * were added up by the program and have no room in this set. */
static __always_inline struct caller_counts *counts_of(const struct connection *c)
{
	struct caller_counts *counts = NULL;
	__u32 zero = 0;

	if (!(c->flags & CONNECTION_UNATTRIBUTED))
		counts = caller_get(&c->key);
	return counts ? counts : bpf_map_lookup_elem(&others, &zero);
}

/* Finds or makes the caller's counts; those of the others, and the record marked, when there is no
 * room. */
static __always_inline struct caller_counts *counts_make(struct connection *c, __u64 cookie,
							 __u64 now)
{
	struct caller_counts *counts = caller_find(&c->key);
	bool made = true;

	/* one that has nothing but attempts is news, too, when it connects */
	if (counts && (counts->opened || counts->old || !counts->first_attempt))
		return counts;
	if (!counts)
		counts = caller_insert(&c->key, &made);
	if (!counts) {
		c->flags |= CONNECTION_UNATTRIBUTED;
		return counts_of(c);
	}
	/* an old connection's is no news: the program reads them all when it has begun */
	if (made && !(c->flags & CONNECTION_OLD))
		event_send(EVENT_CALLER, cookie, c, now, 0, 0, 0);
	return counts;
}

/* The application has it: counts that once, whoever tells it. True if this was the first to tell.
 */
static __always_inline bool connection_accepted(struct connection *c, __u64 cookie)
{
	struct caller_counts *counts;
	__u32 before;

	/* a sweep tells it of each: whoever does nothing needs no entry for that */
	if (c->flags & CONNECTION_ACCEPTED)
		return false;
	counts = counts_of(c);
	if (!connection_set(c, cookie, CONNECTION_ACCEPTED, &before))
		return false;
	if (counts)
		__sync_fetch_and_add(&counts->accepted, 1);
	if (before & CONNECTION_CLOSED)
		connection_delete(cookie);
	return true;
}

static __always_inline __u64 *early_slot(__u64 numbers)
{
	__u32 index = (__u32)numbers * 0x9e3779b9 / (~0U / EARLY_SLOTS + 1);

	return bpf_map_lookup_elem(&early_accepts, &index);
}

/*
 * The record is made: has the accept come before it? This looks after the record is in the map, and
 * the accept looks for the record after its note is in the slot, so one of the two finds the other.
 */
static __always_inline void connection_early(__u64 cookie, __u64 numbers, struct totals *totals)
{
	__u64 *slot = early_slot(numbers);
	struct connection *c;

	if (!slot || *(volatile __u64 *)slot != numbers)
		return;
	c = connection_find(cookie);
	if (c && connection_accepted(c, cookie))
		__sync_fetch_and_add(&totals->seen[WITNESS_ACCEPT], 1);
}

static __always_inline void pending_completed(__u64 numbers)
{
	if (!bpf_map_delete_elem(&pending, &numbers))
		__sync_fetch_and_sub(&pendings, 1);
}

/*
 * Makes the record of a connection, and counts it, unless another witness has made it. `last`: no
 * other witness will come, so count even where there is no room for a record.
 */
static __always_inline void connection_make(struct connection *c, const struct server_socket *s,
					    __u32 witness, bool last, __u64 now,
					    struct totals *totals)
{
	struct caller_counts *counts;
	long r;

	c->opened = now;
	c->cookie = s->cookie;
	counts = counts_make(c, s->cookie, now);
	if (!counts)
		return;
	r = connection_insert(c, s->cookie);
	if (r == -EEXIST)
		return;
	if (r) {
		if (r == -E2BIG || r == -ENOMEM)
			overflowed = 1;
		if (!last)
			return;
		__sync_fetch_and_add(&counts->untracked, 1);
		__sync_fetch_and_add(&totals->untracked, 1);
	}
	if (pendings)
		pending_completed(s->numbers);
	if (c->key.flags & CALLER_LOCAL) {
		counts->pid = c->pid;
		client_forget(CLIENTS_OF(clients), s->numbers);
	}
	if (c->flags & CONNECTION_OLD) {
		__sync_fetch_and_add(&counts->old, 1);
		return;
	}
	__sync_fetch_and_add(&counts->opened, 1);
	if (!counts->first)
		counts->first = now;
	counts->last = now;
	counts->last_opened = now;
	if (!r)
		totals->last = s->cookie;
	__sync_fetch_and_add(&totals->first[witness], 1);
	if (want_events)
		event_send(EVENT_OPENED, s->cookie, c, now, 0, 0, 0);
	if (!r && accept_attached)
		connection_early(s->cookie, s->numbers, totals);
}

/*
 * A witness saw the handshake complete. `last`: see connection_make(). The count of what a witness
 * saw is its mark: each sees each connection once.
 */
static __always_inline void connection_opened(struct tcp_sock *tp, __u64 cookie, __u32 witness,
					      bool last, struct totals *totals)
{
	struct connection c = {};
	struct server_socket s;
	__u32 *endpoint;

	server_socket_read(&s, tp, cookie);
	endpoint = endpoint_find(&s);
	if (!endpoint || socket_joined(tp))
		return;
	__sync_fetch_and_add(&totals->seen[witness], 1);
	caller_identify(&c, &s, *endpoint);
	turn_start(&c.turn, tp, cookie);
	connection_make(&c, &s, witness, last, bpf_ktime_get_ns(), totals);
}

/* Comes first, so there is no record yet. */
static __always_inline void handshake_sockops(struct tcp_sock *tp, __u64 cookie)
{
	struct totals *totals = totals_get();

	if (totals && armed)
		connection_opened(tp, cookie, WITNESS_SOCKOPS, false, totals);
}

/* Comes last, so there is a record already, but where sockops missed it or is not attached. */
static __always_inline void handshake_state(struct tcp_sock *tp, __u64 cookie)
{
	struct totals *totals = totals_get();

	if (!totals)
		return;
	/* nearly always it is the connection that sockops has just counted on this CPU */
	if (totals->last == cookie || connection_find(cookie))
		__sync_fetch_and_add(&totals->seen[WITNESS_STATE], 1);
	else if (armed == ARMED_ALL)
		connection_opened(tp, cookie, WITNESS_STATE, true, totals);
}

/* A sweep without the socket's lock (before 5.15) can have read the FIN as a byte of payload. */
static __always_inline __u64 less(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

/* Data came in the window. What came before the record was made shows in no count of bytes. */
static __always_inline bool carried_data(const struct connection *c, __u64 received, __u64 sent)
{
	return received || sent || data_since(c->last_data, window_start);
}

static __always_inline void connection_closed(struct tcp_sock *tp, __u64 cookie)
{
	struct connection *c = connection_find(cookie);
	struct caller_counts *counts;
	__u64 now, received, sent;
	__u32 before;
	int error;

	if (!c || c->flags & CONNECTION_CLOSED)
		return;
	if (!(c->flags & CONNECTION_ACCEPTED) && socket_taken(tp) && connection_accepted(c, cookie))
		COUNT(accept_told);
	now = bpf_ktime_get_ns();
	error = tp->SK(sk_err);
	received = less(payload_received(tp), c->base_received);
	sent = less(payload_sent(tp), c->base_sent);
	turn_end(c, tp);
	turn_over(c);
	if (!(c->flags & CONNECTION_OLD))
		times_count(c, OPEN_TIME, now - c->opened);
	counts = counts_of(c);
	if (counts) {
		__sync_fetch_and_add(&counts->closed, 1);
		__sync_fetch_and_add(&counts->open_time, now - c->opened);
		if (received)
			__sync_fetch_and_add(&counts->bytes_received, received);
		if (sent)
			__sync_fetch_and_add(&counts->bytes_sent, sent);
		if (error)
			__sync_fetch_and_add(&counts->resets, 1);
		if (turn_requests(&c->turn))
			__sync_fetch_and_add(&counts->requests, turn_requests(&c->turn));
		if (c->turn.overlaps)
			__sync_fetch_and_add(&counts->overlaps, c->turn.overlaps);
		if (c->flags & CONNECTION_OLD && carried_data(c, received, sent))
			__sync_fetch_and_add(&counts->old_active, 1);
		counts->last = now;
	}
	if (want_events)
		event_send(EVENT_CLOSED, cookie, c, now, received, sent, error);
	/* it can still be accepted: accept() hands out what ended in the queue, too */
	c->last_data = now;
	if (accept_attached && !(c->flags & CONNECTION_ACCEPTED) &&
	    connection_set(c, cookie, CONNECTION_CLOSED, &before) &&
	    !(before & CONNECTION_ACCEPTED))
		return;
	connection_delete(cookie);
}

#endif
