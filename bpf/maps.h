/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps, knobs and counters of the kernel side. All maps are sized by the program before loading and
 * never pinned: when the process goes, everything goes.
 */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

/* Knobs, set between open and load. */
const volatile bool want_events; /* write EVENT_OPENED and EVENT_CLOSED */
const volatile __u32 node_netns; /* inode number of the node's own network namespace */
/*
 * A softirq that interrupts the state tracepoint's program is not told to it, and from 7.0 on the
 * program can be preempted as well: changes of state are missed. Sockops misses none, so it tells
 * of clients and of ends, too, where a sweep can ask it to for an old connection (6.12). Elsewhere
 * a sweep finds an end that was missed.
 */
const volatile bool sockops_tells;
/* Not where the limit is lower than their number. */
const volatile bool use_caller_slots;
const volatile bool use_connection_slots;
const volatile __u64 tick_ns;   /* length of a jiffy */
const volatile __u32 nr_accept; /* numbers of the two system calls */
const volatile __u32 nr_accept4;
/* Of inet_csk_accept(): 4 up to 6.9, 2 from 6.10 on; 0: not known. */
const volatile __u32 accept_arguments;

/* Live switches: in .bss, which the program has mapped. */
__u64 ports[65536 / 64]; /* bitmap of watched ports */
__u32 addressed;         /* endpoints that have an address; 0 saves a look-up */
__u32 only_endpoint;     /* there is no endpoint but number 0, and it has no address */
__u32 first_endpoint;    /* 0 */
__u32 armed;             /* enum armed */
__u32 sweep;             /* number of the sweep that runs, or ran last */
__u32 listeners_only;    /* the sweep looks at nothing else */
__u32 snapshot_done;     /* the first sweep is over */
__u32 accept_attached;   /* will tell of each accept */
__u32 refused_attached;  /* will tell of each attempt that is refused */
__u32 pendings;          /* entries of that map: 0 saves a look-up */
__u32 pendings_lost;     /* half-open connections that found no room in it, of a sweep */
__u32 listeners_lost;    /* listeners of the target that found no room in theirs, likewise */
__u32 sockops_attached;  /* which misses nothing: what a later sweep finds is older, too */
__u32 overflowed;        /* a record found no room: the sweep can't tell what was missed any more */
__u32 kubelet_port;      /* who listens here, in node_netns, is the kubelet; 0: nobody */
__u32 kubelet_pid;       /* the program sets it when the sweep of files has found it */
__u64 kubelet_start;     /* with its start time, so that a reused pid is not taken for it */
__u32 kubelet_listens;   /* how often somebody began to listen on its port: then it looks again */
__u64 window_start;      /* when the trace began */
__u64 found_start;       /* what that sweep finds */
__u32 found_pid;
__u32 files_again; /* it looks for the kubelet alone */
__u64 last_wakeup;
__u64 barrier_word; /* of no meaning: see kernel.h */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct endpoint_key);
	__type(value, __u32);
	__uint(max_entries, 1);
} endpoints SEC(".maps");

/* Like `endpoints`, for what arrives on a loopback address; found by the program when it begins. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct loopback_key);
	__type(value, __u32);
	__uint(max_entries, 1);
} loopbacks SEC(".maps");

/* See caller.h; the program has the slots mapped, with all of .bss. */
struct caller_slot caller_slots[CALLER_SETS * CALLER_SLOTS] __attribute__((aligned(64)));
__u32 caller_set; /* the one that is added to: 0 or 1 */
/* For how many callers no slot was found, in each set: 0 saves the map's look-up. */
__u64 callers_hashed[CALLER_SETS];

#define CALLERS(name)                                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__type(key, struct caller_key);                                                    \
		__type(value, struct caller_counts);                                               \
		__uint(max_entries, 1);                                                            \
	} name SEC(".maps")

/* Of each set. */
CALLERS(callers);
CALLERS(callers_second);

/* What an entry begins with: it would be much of a program's stack. */
const struct caller_counts fresh_counts = {};

/*
 * Times of callers' requests and connections: an array, for a connection remembers its caller's
 * number and finds it without a hash. Numbers count from 1; the program has put all into a queue,
 * and puts those of callers back that it forgets.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct histograms);
	__uint(max_entries, 1);
} histograms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct caller_key);
	__type(value, __u32);
	__uint(max_entries, 1);
} histogram_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} histograms_free SEC(".maps");

/* Sockets that a thread is writing to, by the thread: see turn.h. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u64);
	__type(value, __u64);
	__uint(max_entries, 1);
} sending SEC(".maps");

/* One entry: the counts of connections whose caller found no place in `callers`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct caller_counts);
	__uint(max_entries, 1);
} others SEC(".maps");

/* No program looks at it: who updates it waits until all that run have ended (user/capture/). Its
 * entry is `others`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__type(key, __u32);
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__type(key, __u32);
			__type(value, struct caller_counts);
			__uint(max_entries, 1);
		});
} grace SEC(".maps");

/* Flags of connections that are set, on an old kernel: see record.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct mark_key);
	__type(value, __u8);
	__uint(max_entries, 1);
} marks SEC(".maps");

/* See record.h; the program has the slots mapped, with all of .bss. */
struct connection_slot connection_slots[CONNECTION_SLOTS] __attribute__((aligned(64)));
__u64 connections_hashed; /* entries of the map: 0 saves its look-up */

/* By socket cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, struct connection);
	__uint(max_entries, 1);
} connections SEC(".maps");

/*
 * Ports whose low bits some watched port has. It comes before the bitmap, because it is one line of
 * the cache: the ports of peers come at random, and their lines of the bitmap are never there.
 */
__u64 ports_line[512 / 64] __attribute__((aligned(64)));

/*
 * Client processes: by the address of a socket in SYN_SENT, then by the pair of initial sequence
 * numbers, which both ends know (socket.h). Each of the two is a hash map with an array of slots
 * before it: a client is remembered only until the server's end comes for it, so a slot is nearly
 * always free. Few slots, so that they stay in the cache.
 */
struct client_slot {
	__u64 key; /* 0: free */
	struct client client;
};
#define CLIENT_SLOTS 64

#define CLIENTS(name, kind)                                                                        \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__type(key, __u64);                                                                \
		__type(value, struct client);                                                      \
		__uint(max_entries, 16384);                                                        \
	} name SEC(".maps");                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__type(key, __u32);                                                                \
		__type(value, struct client_slot);                                                 \
		__uint(max_entries, CLIENT_SLOTS);                                                 \
	} name##_slots SEC(".maps");                                                               \
	__u64 name##_hashed /* clients that found no slot: 0 saves the look-up of each end */

CLIENTS(connecting, BPF_MAP_TYPE_HASH);
CLIENTS(clients, BPF_MAP_TYPE_LRU_HASH);

/* See attempt.h. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u64);
	__type(value, struct attempt);
	__uint(max_entries, 16384);
} attempts SEC(".maps");

/*
 * Accepts that came before the record: the kernel queues a connection just before it goes to
 * ESTABLISHED, and another CPU may take it at once. By the pair of initial sequence numbers, which
 * no other connection has, so what is left here harms nobody.
 */
#define EARLY_SLOTS 128
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, EARLY_SLOTS);
} early_accepts SEC(".maps");

/* Half-open connections, by the pair of initial sequence numbers; the program deletes what is gone.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, struct pending);
	__uint(max_entries, 8192);
} pending SEC(".maps");

/* By the address of its struct sock, which is its own as long as it listens. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, struct listener);
	__uint(max_entries, 4096);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct server_key);
	__type(value, struct server);
	__uint(max_entries, 1024);
} servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct totals);
	__uint(max_entries, 1);
} totals SEC(".maps");

static __always_inline struct totals *totals_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&totals, &zero);
}

/* A softirq can interrupt a program in process context on the same CPU, hence atomic. */
#define COUNT(field)                                                                               \
	do {                                                                                       \
		struct totals *totals_ = totals_get();                                             \
                                                                                                   \
		if (totals_)                                                                       \
			__sync_fetch_and_add(&totals_->field, 1);                                  \
	} while (0)

static __always_inline bool port_watched(__u16 port)
{
	__u64 bit = 1ULL << (port & 63), word = port >> 6;

	/* the compiler knows that it is in bounds, and 6.12's verifier does not */
	asm volatile("%0 &= 1023" : "+r"(word));
	return ports_line[word & 7] & bit && ports[word] & bit;
}

#endif
