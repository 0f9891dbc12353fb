/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests: turns on a connection (struct turn). No byte of payload is looked at: the sequence
 * numbers tell how much the application has read (copied_seq) and written (write_seq).
 *
 * What is read is seen where the kernel has just copied it (tcp_rcv_space_adjust(), under the
 * socket's lock; recv(), splice() and io_uring all come through there, MSG_PEEK does, too, but
 * moves nothing). What is written is seen when the call returns, without the lock. A hook that
 * comes late, or never, is made up for by whoever looks at the numbers next: then the request
 * counts, but not its time.
 *
 * A turn is a request where one side speaks at a time. It is not (an overlap) if
 *
 * - the server answers, and has not read all that came before the answer: a pipeline, or several
 *   streams; or it answers before it has read the body;
 * - it reads on, and the peer has not acknowledged all of the answer: whoever waits for an answer
 *   acknowledges it with the next request;
 * - it writes first;
 * - it answers with as many bytes as "100 Continue" has, and then reads on.
 *
 * Of MPTCP neither hook comes: the application reads from, and writes to, another socket than the
 * one that is counted. Its turns are none, and are no requests.
 */
#ifndef BPF_TURN_H
#define BPF_TURN_H

#define INTERIM_LENGTH 25 /* HTTP/1.1 100 Continue and two ends of lines */

/* Where the two directions of a socket stand. */
struct turn_position {
	__u32 read;
	__u32 sent;
	__u32 acknowledged; /* by the peer */
	__u32 come;
};

static __always_inline bool after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

/* Of numbers that count a FIN as a byte: whether the application's is among those that it wrote. */
static __always_inline bool fin_sent(__u8 state)
{
	const __u32 not_yet = 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT | 1 << TCP_SYN_RECV;

	return !(not_yet >> (state & 31) & 1);
}

/*
 * `done`: the peer's FIN has come, and is the last byte before `next`; if it comes just now nothing
 * is told of what has come. Whoever sends more acknowledges first, and then it is there: so it is
 * looked for in the other order.
 */
#define TURN_POSITION(at, READ_, tp)                                                               \
	do {                                                                                       \
		bool done_ = READ_(tp, SKC(skc_flags)) >> SOCK_DONE & 1, done_then_;               \
		__u32 next_;                                                                       \
                                                                                                   \
		barrier();                                                                         \
		next_ = READ_(tp, rcv_nxt);                                                        \
		barrier();                                                                         \
		done_then_ = READ_(tp, SKC(skc_flags)) >> SOCK_DONE & 1;                           \
		barrier();                                                                         \
		(at)->acknowledged = READ_(tp, snd_una);                                           \
		(at)->read = READ_(tp, copied_seq);                                                \
		(at)->read -= done_ && (at)->read == next_;                                        \
		(at)->come = done_ == done_then_ ? next_ - done_ : (at)->read;                     \
		(at)->sent = READ_(tp, write_seq) - fin_sent(READ_(tp, SKC(skc_state)));           \
	} while (0)

/* The record of a connection is made: what was read and sent before is no turn of it. */
static __always_inline void turn_start(struct turn *turn, struct tcp_sock *tp, __u64 cookie)
{
	struct turn_position at;

	TURN_POSITION(&at, READ, tp);
	turn->read = at.read;
	turn->sent = at.sent;
	turn->turns = cookie << (64 - TURN_COOKIE);
}

/* One more is answered, of those that `turns` tells; false if somebody has told it meanwhile. */
static __always_inline bool turn_answered(struct turn *turn, __u64 turns)
{
	__u64 more = (turns | TURN_OPEN) + 1;

#ifndef OLD_KERNEL
	return compare_exchange(&turn->turns, turns,
				turns & TURN_OPEN ? more : turns + TURN_ANSWERED) == turns;
#else
	if (*(volatile __u64 *)&turn->turns != turns)
		return false;
	turn->turns = turns & TURN_OPEN ? more : turns + TURN_ANSWERED;
	return true;
#endif
}

/* Whether the record is still of the connection that had these `turns`. */
static __always_inline bool turn_of(const struct turn *turn, __u64 turns)
{
	return !((*(volatile __u64 *)&turn->turns ^ turns) >> (64 - TURN_COOKIE));
}

/* Only forward: a thread that comes late can be behind what others have written since. */
static __always_inline void turn_sent_up_to(struct turn *turn, __u32 sent)
{
	if (after(sent, turn->sent))
		turn->sent = sent;
}

/* How long the last turn took, from its read to the last write; 0: it goes on, or isn't known. */
static __always_inline __u64 turn_took(const struct turn *turn)
{
	__u64 began = turn->began, written = turn->written;

	if (!began || turn->turns & TURN_OPEN || written <= began ||
	    turn->untimed == (__u32)turn_requests(turn))
		return 0;
	return written - began;
}

/* The last turn is over: the next begins, or the connection ends. */
static __always_inline void turn_over(struct connection *c)
{
	__u64 took = turn_took(&c->turn);

	if (took)
		times_count(c, RESPONSE_TIME, took);
}

/*
 * A turn was answered, of which one hook has told nothing: its times aren't known. If it is the
 * beginning that was not told, the turn before is over.
 */
static __always_inline bool turn_found(struct connection *c, __u64 turns)
{
	struct turn *turn = &c->turn;
	__u64 took = turn_took(turn);

	if (!turn_answered(turn, turns))
		return false;
	turn->untimed = (__u32)turn_requests(turn);
	COUNT(turns_found);
	if (took)
		times_count(c, RESPONSE_TIME, took);
	return true;
}

/*
 * Something was written since, and no hook has told it. Under the socket's lock. `both`: no read is
 * on its way to be told either, so what was read and written is a turn.
 */
static __always_inline void turn_settle(struct connection *c, const struct turn_position *at,
					bool both)
{
	struct turn *turn = &c->turn;
	__u64 turns = turn->turns;
	bool missed = both && after(at->read, turn->read);

	if (!after(at->sent, turn->sent) || (!(turns & TURN_OPEN) && !missed))
		return;
	if (!turn_found(c, turns))
		return;
	if (both)
		turn->read = at->read;
	turn->sent = at->sent;
}

/* Nothing of it is on its way to be told. Under the socket's lock. */
static __always_inline void turn_end(struct connection *c, struct tcp_sock *tp)
{
	struct turn *turn = &c->turn;
	struct turn_position at;

	if (socket_mptcp(tp)) {
		turn->overlaps = 1;
		return;
	}
	TURN_POSITION(&at, READ, tp);
	turn_settle(c, &at, true);
}

/*
 * A sweep looks at it. What waits for the peer may be in a call that has not returned: its hook
 * comes, as it may if it was sent just now. (An old kernel's sweep has no lock.)
 */
static __always_inline void turn_swept(struct connection *c, struct tcp_sock *tp)
{
	bool settles = !after(READ(tp, write_seq), READ(tp, snd_una)) &&
		       (__u32)bpf_jiffies64() - tp->lsndtime > 1;

#ifdef OLD_KERNEL
	settles = false;
#endif
	if (settles || socket_mptcp(tp))
		turn_end(c, tp);
}

/* Of a pointer that has a type: a load, in place of a call that reads any memory. */
static __always_inline __u64 turn_cookie(struct tcp_sock *tp)
{
#ifndef OLD_KERNEL
	return tp->SKC(skc_cookie.counter);
#else
	return socket_cookie_made(tp);
#endif
}

/* The application has read. Runs under the socket's lock. */
static __noinline int turn_was_read(struct tcp_sock *tp)
{
	struct connection *c = connection_find(turn_cookie(tp));
	struct turn_position at;
	struct turn *turn;
	__u64 now;

	if (!c)
		return 0;
	turn = &c->turn;
	TURN_POSITION(&at, READ, tp);
	if (!after(at.read, turn->read))
		return 0;
	turn->read = at.read;
	turn->come = at.come;
	if (turn->turns & TURN_OPEN && !after(at.sent, turn->sent))
		return 0; /* more of the same request */
	now = bpf_ktime_get_ns();
	turn_settle(c, &at, false);
	turn_over(c);
	if (after(at.sent, at.acknowledged) ||
	    (turn->interim && turn->interim == (__u32)turn_requests(turn)))
		__sync_fetch_and_add(&turn->overlaps, 1);
	turn->sent = at.sent;
	turn->began = now;
	/* last: who sees it sees what stands above, too */
	barrier();
	__sync_fetch_and_add(&turn->turns, !(turn->turns & TURN_OPEN));
	return 0;
}

/* The first data that was sent answers the turn that is open. What has come and was not read is
 * more of it, or another; once the answer is on its way it may be the next. */
static __always_inline void turn_answer(struct connection *c, const struct turn_position *at,
					__u64 turns, __u32 before, __u64 now)
{
	struct turn *turn = &c->turn;
	__u64 began = turn->began;
	bool more = after(turn->come, at->read) ||
		    (after(at->come, at->read) && at->acknowledged == before);

	barrier();
	/* if this is so, no other has begun meanwhile */
	if (!turn_answered(turn, turns) || !turn_of(turn, turns))
		return;
	turn->written = now;
	if (at->sent - before == INTERIM_LENGTH)
		turn->interim = (__u32)(turns << TURN_COOKIE >> TURN_COOKIE >> 1) + 1;
	turn_sent_up_to(turn, at->sent);
	if (more)
		__sync_fetch_and_add(&turn->overlaps, 1);
	times_count(c, SERVICE_TIME, now - began);
}

/* Sent, and no turn is open: there is more of the last answer, or the read was missed, or the
 * server has something to say by itself. */
static __always_inline void turn_more(struct connection *c, const struct turn_position *at,
				      __u64 turns, __u64 now)
{
	struct turn *turn = &c->turn;

	if (after(at->read, turn->read)) {
		if (!turn_found(c, turns))
			return;
		turn->read = at->read;
	} else if (!turn->began && !turn->untimed && !(c->flags & CONNECTION_OLD)) {
		__sync_fetch_and_add(&turn->overlaps, 1);
	}
	if (!turn_of(turn, turns))
		return;
	turn->written = now;
	turn->interim = 0;
	turn_sent_up_to(turn, at->sent);
}

/*
 * The application has written. Nobody has locked the socket: others may read, or write, or the
 * connection end, between any two of these steps. Whoever reads the next request under the lock has
 * settled this one, and then `turns` has changed.
 */
static __always_inline int turn_was_sent(__u64 cookie, const struct turn_position *at)
{
	struct connection *c = connection_find(cookie);
	__u64 turns, now;
	__u32 before;

	if (!c)
		return 0;
	turns = *(volatile __u64 *)&c->turn.turns;
	barrier();
	before = *(volatile __u32 *)&c->turn.sent;
	if (!after(at->sent, before) ||
	    turns >> (64 - TURN_COOKIE) != (cookie & ((1 << TURN_COOKIE) - 1)))
		return 0;
	now = bpf_ktime_get_ns();
	if (turns & TURN_OPEN)
		turn_answer(c, at, turns, before, now);
	else
		turn_more(c, at, turns, now);
	return 0;
}

static __noinline int turn_socket_sent(struct tcp_sock *tp)
{
	struct turn_position at;

	TURN_POSITION(&at, READ, tp);
	return turn_was_sent(turn_cookie(tp), &at);
}

/* Of a port that is watched; NULL: it is none of these. */
static __always_inline struct tcp_sock *turn_socket(struct sock *sk)
{
	return port_watched(sk->__sk_common.skc_num) ? bpf_skc_to_tcp_sock(sk) : NULL;
}

static __always_inline int turn_read_by(struct sock *sk)
{
	struct tcp_sock *tp = turn_socket(sk);

	return tp ? turn_was_read(tp) : 0;
}

/* Runs for whatever is read from TCP: leaves at once. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(turn_read, struct sock *sk)
{
	return turn_read_by(sk);
}

/*
 * From 7.0 on a thread can lose the CPU inside of a program, and until it is back there the kernel
 * skips that program for all others on this CPU; should it skip both of a turn's, nothing tells
 * that there was one. So there are two of each: what the first has told the second sees to be told.
 */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(turn_read_again, struct sock *sk)
{
	return turn_read_by(sk);
}

static __always_inline int turn_sent_by(struct sock *sk)
{
	struct tcp_sock *tp = turn_socket(sk);

	return tp ? turn_socket_sent(tp) : 0;
}

/* From 6.3 on; from 6.5 on for sendfile(), too. Of a socket that is no TCP the port is 0, or its
 * own. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(turn_sent, struct sock *sk, int ret)
{
	return ret > 0 ? turn_sent_by(sk) : 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(turn_sent_again, struct sock *sk, int ret)
{
	return ret > 0 ? turn_sent_by(sk) : 0;
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(turn_sent_fexit, struct sock *sk)
{
	return turn_sent_by(sk);
}

/* sendfile() and splice(), up to 6.4. */
SEC("fexit/tcp_sendpage")
int BPF_PROG(turn_sent_page_fexit, struct sock *sk)
{
	return turn_sent_by(sk);
}

/* Where a function's return can be probed, but not with its arguments: the socket is remembered by
 * thread. */
SEC("kprobe/tcp_sendmsg")
int turn_sending(struct pt_regs *ctx)
{
	struct sock *sk = (struct sock *)WHOCALLS_KPROBE_FIRST(ctx);
	__u64 thread = bpf_get_current_pid_tgid(), socket = (__u64)sk;

	if (port_watched(BPF_CORE_READ(sk, __sk_common.skc_num)))
		bpf_map_update_elem(&sending, &thread, &socket, BPF_ANY);
	return 0;
}

SEC("kretprobe/tcp_sendmsg")
int turn_sent_kretprobe(struct pt_regs *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), *socket;
	struct turn_position at;
	struct tcp_sock *tp;

	socket = bpf_map_lookup_elem(&sending, &thread);
	if (!socket)
		return 0;
	tp = (struct tcp_sock *)*socket;
	bpf_map_delete_elem(&sending, &thread);
	TURN_POSITION(&at, BPF_CORE_READ, tp);
	return turn_was_sent(socket_cookie_made(tp), &at);
}

#endif
