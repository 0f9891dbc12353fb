/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the kernel side and the program share: the shapes of the maps, of the ring's records and of
 * the counters.
 *
 * Every type has fixed widths and explicit padding; the sizes are asserted on both sides at the end
 * of this file. Times are nanoseconds of CLOCK_MONOTONIC (bpf_ktime_get_ns). Addresses are in
 * network byte order and in IPv6 form; an IPv4 address a.b.c.d is ::ffff:a.b.c.d. Ports are in host
 * byte order.
 */
#ifndef WHOCALLS_H
#define WHOCALLS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define COMM_SIZE 16 /* TASK_COMM_LEN */

/* Who can tell that a handshake completed, or that a connection exists. */
enum witness {
	WITNESS_STATE = 0,    /* inet_sock_set_state, SYN_RECV -> ESTABLISHED */
	WITNESS_SOCKOPS = 1,  /* BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB */
	WITNESS_ACCEPT = 2,   /* the accept hook, whichever is attached */
	WITNESS_SNAPSHOT = 3, /* the iterator found it open */
	WITNESSES = 4,
};

/*
 * The first witness of a handshake is armed before the second, so that a handshake that is under
 * way when the trace begins is either counted by both or, as one from before, by none.
 */
enum armed {
	ARMED_FIRST = 1,
	ARMED_ALL = 2,
};

enum caller_flag {
	CALLER_LOCAL =
		1, /* the connecting process is on this node: netns, cgroup and comm are known */
	CALLER_KUBELET = 2,    /* and it is the process that owns the kubelet's port */
	CALLER_SAME_NETNS = 4, /* client and server share a network namespace */
	CLIENT_GONE = 8,       /* of struct client alone: its socket is closed */
};

/* A (local address, port) that is watched; address all zero: any address. Value of the map: the
 * endpoint's id. */
struct endpoint_key {
	__u32 address[4];
	__u32 port;
};

/* A port in the network namespace of a pod that is a target: its loopback is the pod's, too. */
struct loopback_key {
	__u32 netns; /* inode number */
	__u32 port;
};

/* What the kernel counts by. All that is not known is zero. */
struct caller_key {
	__u32 peer[4];
	__u64 cgroup;         /* cgroup2 id of the client process; 0 unless CALLER_LOCAL */
	char comm[COMM_SIZE]; /* name of the client's thread group leader */
	__u32 netns;          /* inode number of the client's network namespace */
	__u16 endpoint;       /* id, index into the target's endpoints */
	__u16 flags;          /* enum caller_flag */
};

/* The counts of one caller, since the trace began; only ever growing. */
struct caller_counts {
	__u64 opened;         /* handshakes completed */
	__u64 accepted;       /* connections that the application took, whoever told it */
	__u64 closed;         /* of those, and of `old`, ended */
	__u64 bytes_received; /* by the server, payload; of closed connections, less what `old` ones
				 carried before */
	__u64 bytes_sent;     /* by the server, payload, without retransmissions; likewise */
	__u64 first;          /* time of the first connection opened */
	__u64 last;           /* time of the last connection opened, or closed */
	__u64 last_opened;    /* time of the last connection opened: what its address is named by */
	__u64 open_time;      /* ns that the closed connections were open, in all */
	__u32 pid;            /* of the client process that connected last; 0 unless CALLER_LOCAL */
	__u32 old;            /* connections that were open when the trace began */
	__u32 untracked;  /* opened, but the map of connections was full: their end will not be seen
			   */
	__u32 resets;     /* of closed: ended by an error or a reset */
	__u64 old_active; /* of closed: were open when the trace began, and carried data since */
	__u64 refused;    /* attempts: nobody listened, and the kernel said so with a RST */
	__u32 stray;      /* segments with data, of connections that the server no longer had */
	__u32 pending;    /* half-open connections: only the program counts these */
	__u64 first_attempt; /* time of the first of those three */
	__u64 last_attempt;
	__u64 requests; /* turns of closed connections, since the trace began: see struct turn */
	__u64 overlaps; /* of those connections: what tells that turns are not requests */
};

/* The kernel's times of data are as coarse as its tick, 10 ms at most. */
#define TICK_MAX 10000000

/* Data of a time that the kernel told came after `began`, or may have: so that none that did is
 * taken for older. */
static inline __attribute__((always_inline)) int data_since(__u64 last_data, __u64 began)
{
	return last_data && last_data + TICK_MAX > began;
}

/* Counts of callers are kept twice, and only one of the two is added to: see bpf/caller.h. */
#define CALLER_SETS 2
#define CALLER_SLOTS 256 /* of each */
#define SLOT_TAKING 1
#define SLOT_READY 2

struct caller_slot {
	__u64 taken; /* 0: free, SLOT_TAKING: key is not there yet, SLOT_READY */
	struct caller_key key;
	struct caller_counts counts;
};

static inline __attribute__((always_inline)) __u32 caller_slot_number(const struct caller_key *key)
{
	__u32 mixed = key->peer[0] ^ key->peer[1] ^ key->peer[2] ^ key->peer[3] ^ key->netns ^
		      (__u32)key->cgroup ^ key->endpoint;

	/* Knuth's multiplicative hash: the upper bits are the mixed ones */
	return mixed * 0x9e3779b9U / (~0U / CALLER_SLOTS + 1);
}

/*
 * How long something took, in log-linear buckets: HISTOGRAM_STEPS equal ones below
 * 2^HISTOGRAM_LINEAR ns, and as many in each of the powers of two that follow. So no time in these
 * is further from the middle of its bucket than 1/(2 * HISTOGRAM_STEPS + 1) of itself: 2.9 %. What
 * took longer than all of them (3.2 days) is in the last bucket.
 */
#define HISTOGRAM_LINEAR 11
#define HISTOGRAM_OCTAVES 37
#define HISTOGRAM_STEPS 17
#define HISTOGRAM_BUCKETS ((1 + HISTOGRAM_OCTAVES) * HISTOGRAM_STEPS)

enum duration {
	SERVICE_TIME = 0, /* from the read that began a turn to its first write */
	RESPONSE_TIME =
		1,     /* ... to its last write: known when the next turn begins, or at the end */
	OPEN_TIME = 2, /* of a connection that was opened in the window, to its end */
	DURATIONS = 3,
};

/* Of one caller; each bucket counts modulo 2^32. */
struct histograms {
	__u32 bucket[DURATIONS][HISTOGRAM_BUCKETS];
};

/* The bucket of a time. Without branches: the verifier would go through all of their ways, wherever
 * it is called. */
static inline __attribute__((always_inline)) __u32 histogram_bucket(__u64 ns)
{
	__u64 bits = ns >> HISTOGRAM_LINEAR;
	__u32 octave, step;

	/* all bits below the highest, and then their number: 0 in the linear part */
	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	bits |= bits >> 8;
	bits |= bits >> 16;
	bits |= bits >> 32;
	bits -= bits >> 1 & 0x5555555555555555;
	bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
	octave = bits * 0x0101010101010101 >> 56;
	if (octave > HISTOGRAM_OCTAVES)
		return HISTOGRAM_BUCKETS - 1;
	/* how far it is through its octave, in parts of 2^HISTOGRAM_LINEAR: the first two are as
	 * long as each other */
	step = ns >> (octave - (octave + 63) / 64) & ((1 << HISTOGRAM_LINEAR) - 1);
	return octave * HISTOGRAM_STEPS + (step * HISTOGRAM_STEPS >> HISTOGRAM_LINEAR);
}

/*
 * Requests: one turn on a connection. It begins with the first data that the application reads
 * after it last wrote, and ends with its first write. What was read and written the sequence
 * numbers tell, so that a hook that comes late, or not at all, loses a time and no request.
 */
struct turn {
	/*
	 * How many were answered, twice; and one if another has begun. Changed by one
	 * compare-and-exchange, so that each is counted once; and TURN_COOKIE bits of the socket's
	 * cookie above that, since the record can be another connection's by then.
	 */
	__u64 turns;
	__u64 began;    /* time of the read that began the last turn; 0: there was none yet */
	__u64 written;  /* time of the last write since it was answered */
	__u64 overlaps; /* what tells that turns are not requests: see bpf/turn.h */
	__u32 read;     /* tcp_sock.copied_seq, as of what was counted last */
	__u32 sent;     /* tcp_sock.write_seq, likewise */
	__u32 come;     /* up to here had come when the application last read */
	/* The last turn, by its number (its low bits), of which it is not known when it began or
	 * was answered; and the last that was answered with as many bytes as "100 Continue" has. */
	__u32 untimed;
	__u32 interim;
	__u32 times; /* number of its caller's histograms; 0: not looked up yet, or none */
};

#define TURN_OPEN 1ULL
#define TURN_ANSWERED 2ULL
#define TURN_COOKIE 24

static inline __attribute__((always_inline)) __u64 turn_requests(const struct turn *turn)
{
	return turn->turns << TURN_COOKIE >> TURN_COOKIE >> 1;
}

enum connection_flag {
	CONNECTION_OLD = 1,          /* was open when the trace began */
	CONNECTION_ACCEPTED = 2,     /* counted as accepted */
	CONNECTION_UNATTRIBUTED = 4, /* the map of callers was full */
	CONNECTION_CLOSED = 8, /* ended in the queue; kept for the accept that may still come */
};

/* One open connection to the target, keyed by its socket's cookie. */
struct connection {
	struct caller_key key;
	__u64 opened;    /* time; of an old connection: when it was found */
	__u64 last_data; /* time of the last data in either direction, as of the last sweep; 0: not
			    swept yet */
	__u64 base_received; /* payload an old connection had carried when it was found */
	__u64 base_sent;
	__u64 bytes_received; /* payload as of the last sweep */
	__u64 bytes_sent;
	/*
	 * Flags and the low half of the cookie, changed together by compare-and-exchange: a map's
	 * entry can be freed and taken by another connection while somebody still looks at it.
	 */
	union {
		__u64 state;
		struct {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			__u32 flags; /* enum connection_flag */
			__u32 cookie;
#else
			__u32 cookie;
			__u32 flags;
#endif
		};
	};
	__u16 peer_port;
	__u16 waiting;      /* as of the last sweep: in the accept queue */
	__u32 server_netns; /* inode number */
	__u32 pid;          /* of the client process; 0 unless CALLER_LOCAL */
	__u32 swept;        /* number of the last sweep that found it; 0: none yet */
	struct turn turn;
};

/* On a kernel without atomics with a result: a flag of a connection that is set. */
struct mark_key {
	__u64 cookie;
	__u64 flag; /* enum connection_flag */
};

#define CONNECTION_SLOTS 128
#define SLOT_FILLING (1ULL << 63) /* no socket's cookie: they count up from 1, and down from -1 */

struct connection_slot {
	__u64 cookie; /* 0: free */
	struct connection connection;
};

/* A listening socket of the target, as of the last sweep that found it. */
struct listener {
	__u64 cookie; /* of its socket; 0: not known (before 5.12) */
	__u32 endpoint;
	__u32 netns; /* inode number */
	__u32 local[4];
	__u32 port;
	__u32 queue; /* connections in the accept queue */
	__u32 limit; /* more than that many are dropped */
	__u32 swept; /* number of that sweep */
	/* handshakes that were dropped here, since it listens, and other segments without use */
	__u32 drops;
	__u32 reserved;
};

/* A process that accepts connections of the target. */
struct server_key {
	__u32 endpoint;
	__u32 pid;
};

struct server {
	__u64 cgroup;
	char comm[COMM_SIZE];
};

/* A client process on this node, between its connect() and the server's side of the handshake. */
struct client {
	__u64 cgroup;
	char comm[COMM_SIZE];
	__u32 netns;
	__u32 pid;
	__u32 flags; /* enum caller_flag */
	__u32 reserved;
};

/*
 * One half of an attempt that was refused, until the other half comes: keyed by the sequence number
 * of the client's SYN and its port.
 */
struct attempt {
	struct caller_key key; /* the server's half: without a process; the client's: the process */
	__u32 netns;           /* inode number: the server's, or the client's */
	__u32 pid;             /* of the client */
	__u32 count;           /* SYNs refused; 0: the client's half */
	__u32 reserved;
};

/*
 * A half-open connection, by its pair of initial sequence numbers: the client asked for it, but its
 * last ACK has not come, or, with TCP_DEFER_ACCEPT, its first data; or it came while the queue was
 * full. Gone when the handshake completes.
 */
struct pending {
	struct caller_key key;
	__u64 first; /* time of the first sweep that found it */
	__u64 last;  /* of the last */
	__u32 swept; /* number of that */
	__u32 pid;   /* of the client process; 0 unless CALLER_LOCAL */
};

enum event_type {
	EVENT_CALLER = 1, /* a caller not seen before */
	EVENT_OPENED = 2,
	EVENT_CLOSED = 3,
};

/* One record of the ring buffer. */
struct event {
	__u64 time;
	__u64 connection; /* the socket's cookie */
	struct caller_key key;
	__u64 open_time; /* EVENT_CLOSED: ns it was open, since it was found for an old one */
	__u64 bytes_received;
	__u64 bytes_sent;
	__u32 type;
	__u32 peer_port;
	__u32 pid;
	__u32 error; /* EVENT_CLOSED: the socket's error (errno), 0 if none */
};

/* Counters of what the kernel side did, one set for each CPU; add them up, but for `last` and
 * `last_server`. */
struct totals {
	__u64 untracked;    /* connections opened and not followed: the map of them was full */
	__u64 ring_full;    /* records that found no room; counts are not touched by it */
	__u64 clients_full; /* client processes not remembered: the maps of clients were full */
	__u64 accept_told; /* accepts that the end of a connection, or a sweep, was first to tell */
	__u64 accept_late; /* of those, told by the accept hook as well */
	__u64 seen[WITNESSES];  /* connections of the target that each witness saw, first or not */
	__u64 first[WITNESSES]; /* connections opened, by the witness that counted them, being first
				 */
	__u64 refused;          /* of the target's ports: SYNs that found nobody listening */
	__u64 stray;            /* likewise: segments with data that found no socket */
	__u64 turns_found;      /* requests that no hook told in time: the numbers did */
	__u64 untimed;          /* requests that found no room for their times */
	__u64 last;             /* cookie of the connection that was counted last on this CPU */
	__u64 last_server;      /* endpoint and pid of who accepted last on this CPU */
};

#define WHOCALLS_ASSERT_SIZE(type, size)                                                           \
	_Static_assert(sizeof(struct type) == (size),                                              \
		       "struct " #type " differs between kernel side and program")
WHOCALLS_ASSERT_SIZE(endpoint_key, 20);
WHOCALLS_ASSERT_SIZE(caller_key, 48);
WHOCALLS_ASSERT_SIZE(caller_counts, 144);
WHOCALLS_ASSERT_SIZE(caller_slot, 200);
WHOCALLS_ASSERT_SIZE(turn, 56);
WHOCALLS_ASSERT_SIZE(connection, 176);
WHOCALLS_ASSERT_SIZE(histograms, 7752);
WHOCALLS_ASSERT_SIZE(mark_key, 16);
WHOCALLS_ASSERT_SIZE(connection_slot, 184);
WHOCALLS_ASSERT_SIZE(client, 40);
WHOCALLS_ASSERT_SIZE(attempt, 64);
WHOCALLS_ASSERT_SIZE(pending, 72);
WHOCALLS_ASSERT_SIZE(event, 104);
WHOCALLS_ASSERT_SIZE(listener, 56);
WHOCALLS_ASSERT_SIZE(server_key, 8);
WHOCALLS_ASSERT_SIZE(server, 24);
WHOCALLS_ASSERT_SIZE(totals, 152);

#endif
