/* SPDX-License-Identifier: MIT */
/* Reads what the kernel side has counted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "slots.h"
#include "state.h"

/* Entries that are read at once: more than the longest bucket of a map has. */
#define BATCH 4096

/* A connection that ended in the queue is remembered this long for the accept that may still come.
 */
#define LINGER_NS (60ULL * 1000000000)

/* The kernel hands out bucket by bucket, each under its lock, so an entry that is there all the
 * time is seen exactly once. A batch must hold the longest bucket. */
int capture_batch(const struct bpf_map *map, bool empty,
		  int (*take)(const void *key, const void *value, void *arg), void *arg)
{
	int (*const look_up)(int, void *, void *, void *, void *, __u32 *,
			     const struct bpf_map_batch_opts *) =
		empty ? bpf_map_lookup_and_delete_batch : bpf_map_lookup_batch;
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	uint32_t room = bpf_map__max_entries(map) < BATCH ? bpf_map__max_entries(map) : BATCH;
	uint32_t position = 0, next = 0, count;
	char *keys = malloc(room * key_size), *values = malloc(room * value_size);
	bool first = true;
	int r = -ENOMEM;

	if (!keys || !values)
		goto out;
	do {
		count = room;
		r = look_up(bpf_map__fd(map), first ? NULL : &position, &next, keys, values, &count,
			    &opts);
		if (r && r != -ENOENT)
			goto out;
		for (uint32_t i = 0; i < count; i++) {
			int taken = take(keys + i * key_size, values + i * value_size, arg);

			if (taken) {
				r = taken;
				goto out;
			}
		}
		position = next;
		first = false;
	} while (!r);
	r = 0; /* -ENOENT: that was the last batch */
out:
	free(keys);
	free(values);
	return r;
}

struct take_callers {
	struct capture *capture;
	struct caller_slot slots[CALLER_SLOTS];
	int (*take)(const struct caller_key *key, const struct caller_counts *counts, void *arg);
	void *arg;
};

/* `counts`: all of a caller's, but what is half open. */
static int tell(const struct caller_key *key, const struct caller_counts *counts, void *arg)
{
	const struct take_callers *t = arg;
	struct caller_counts all = *counts;

	/* it was forgotten before the attempt went to its process (bpf/attempt.h): from now on it
	 * is even */
	if ((int64_t)all.refused < 0) {
		const struct caller_counts missing = {.refused = -all.refused};
		int r = sums_add(&t->capture->sums, key, &missing);

		if (r)
			return r;
		all.refused = 0;
	}
	attempts_add_counts(&t->capture->attempts, key, &all);
	return t->take(key, &all, t->arg);
}

/* Of those that the kernel side has. */
static int hand_out(struct take_callers *t, const struct caller_key *key,
		    const struct caller_counts *counts)
{
	struct caller_counts sum = *counts;

	sums_add_counts(&t->capture->sums, key, &sum);
	return tell(key, &sum, t);
}

/* Of the map. A caller may have counts in its slot as well: see bpf/caller.h. */
static int take_caller(const void *key, const void *value, void *arg)
{
	struct take_callers *t = arg;

	return slots_add_counts(t->slots, key, value) ? 0 : hand_out(t, key, value);
}

static int take_pending(const void *key, const void *value, void *arg)
{
	struct capture *capture = arg;
	struct attempts *attempts = &capture->attempts;

	(void)key;
	return attempts_pending(attempts, value, capture->bpf->bss->sweep)
		       ? attempts_add(attempts, value)
		       : 0;
}

static int read_pending(struct capture *capture)
{
	attempts_begin(&capture->attempts);
	if (!capture->bpf->bss->pendings)
		return 0;
	return capture_batch(capture->bpf->maps.pending, false, take_pending, capture);
}

static int bury_pending(const void *key, const void *value, void *arg)
{
	struct capture *capture = arg;
	struct attempts *attempts = &capture->attempts;

	/* what the kernel side has deleted meanwhile has completed */
	if (!attempts_gone(attempts, value) ||
	    bpf_map__delete_elem(capture->bpf->maps.pending, key, sizeof(uint64_t), 0))
		return 0;
	__atomic_fetch_sub(&capture->bpf->bss->pendings, 1, __ATOMIC_RELAXED);
	return attempts_pending(attempts, value, capture->bpf->bss->sweep)
		       ? attempts_keep(&capture->sums, value)
		       : 0;
}

int capture_bury_pending(struct capture *capture)
{
	if (!capture->bpf->bss->pendings)
		return 0;
	return capture_batch(capture->bpf->maps.pending, false, bury_pending, capture);
}

struct caller_slot *capture_caller_slots(const struct capture *capture)
{
	struct whocalls_bpf__bss *bss = capture->bpf->bss;

	return bss->caller_slots + (size_t)bss->caller_set * CALLER_SLOTS;
}

const struct bpf_map *capture_caller_map(const struct capture *capture)
{
	const struct whocalls_bpf *bpf = capture->bpf;

	return bpf->bss->caller_set ? bpf->maps.callers_second : bpf->maps.callers;
}

int capture_callers(struct capture *capture,
		    int (*take)(const struct caller_key *key, const struct caller_counts *counts,
				void *arg),
		    void *arg)
{
	struct take_callers *t = malloc(sizeof(*t));
	int r = read_pending(capture);

	capture_kubelet_check(capture);
	if (!t || r) {
		free(t);
		return r ? r : -ENOMEM;
	}
	t->capture = capture;
	t->take = take;
	t->arg = arg;
	sums_begin(&capture->sums);
	slots_copy_callers(t->slots, capture_caller_slots(capture));
	r = capture_batch(capture_caller_map(capture), false, take_caller, t);
	for (size_t i = 0; i < CALLER_SLOTS && !r; i++)
		if (t->slots[i].taken == SLOT_READY)
			r = hand_out(t, &t->slots[i].key, &t->slots[i].counts);
	if (!r)
		r = sums_others(&capture->sums, tell, t);
	if (!r)
		r = attempts_others(&capture->attempts, take, arg);
	free(t);
	return r;
}

struct take_connections {
	struct capture *capture;
	int (*take)(const struct connection *connection, void *arg);
	void *arg;
};

int capture_note_netns(struct capture *capture, uint32_t inum)
{
	uint32_t *netns;
	size_t at = 0;

	while (at < capture->n_netns && capture->netns[at] < inum)
		at++;
	if (at < capture->n_netns && capture->netns[at] == inum)
		return 0;
	netns = realloc(capture->netns, (capture->n_netns + 1) * sizeof(*netns));
	if (!netns)
		return -ENOMEM;
	memmove(netns + at + 1, netns + at, (capture->n_netns - at) * sizeof(*netns));
	netns[at] = inum;
	capture->netns = netns;
	capture->n_netns++;
	return 0;
}

static int take_connection(const struct connection *connection, void *arg)
{
	const struct take_connections *t = arg;
	int r;

	if (connection->flags & CONNECTION_CLOSED)
		return 0;
	r = capture_note_netns(t->capture, connection->server_netns);
	return r ? r : t->take(connection, t->arg);
}

struct each_connection {
	int (*take)(const struct connection *connection, void *arg);
	void *arg;
};

static int take_hashed(const void *key, const void *value, void *arg)
{
	const struct each_connection *each = arg;

	(void)key;
	return each->take(value, each->arg);
}

int capture_each_connection(const struct capture *capture,
			    int (*take)(const struct connection *connection, void *arg), void *arg)
{
	struct each_connection each = {take, arg};
	struct connection connection;
	int r = capture_batch(capture->bpf->maps.connections, false, take_hashed, &each);

	for (size_t i = 0; i < CONNECTION_SLOTS && !r; i++)
		if (slots_copy_connection(&connection, &capture->bpf->bss->connection_slots[i]))
			r = take(&connection, arg);
	return r;
}

/*
 * Whether a record is to be deleted: it ended in the queue, and nobody came for it (it may have
 * ended after `now`); or sweeps no longer find it.
 */
static bool is_over(struct capture *capture, const struct connection *connection, uint64_t now)
{
	if (connection->flags & CONNECTION_CLOSED)
		return now > connection->last_data + LINGER_NS;
	return gone_is(&capture->gone, connection, capture->bpf->bss->sweep);
}

/* The record of one that is over is deleted; not before, since its end may be told after all. */
static int deleted(struct capture *capture, const struct connection *connection)
{
	return connection->flags & CONNECTION_CLOSED
		       ? 0
		       : gone_add(&capture->gone, connection, &capture->sums);
}

static int bury_hashed(const void *key, const void *value, void *arg)
{
	struct capture *capture = arg;
	struct whocalls_bpf *bpf = capture->bpf;

	if (!is_over(capture, value, monotonic_ns()) ||
	    bpf_map__delete_elem(bpf->maps.connections, key, sizeof(uint64_t), 0))
		return 0;
	__atomic_fetch_sub(&bpf->bss->connections_hashed, 1, __ATOMIC_RELAXED);
	for (__u64 flag = CONNECTION_ACCEPTED; capture->old && flag <= CONNECTION_CLOSED;
	     flag *= 2) {
		struct mark_key mark = {*(const __u64 *)key, flag};

		bpf_map__delete_elem(bpf->maps.marks, &mark, sizeof(mark), 0);
	}
	return deleted(capture, value);
}

static int bury_slot(struct capture *capture, struct connection_slot *slot)
{
	struct connection connection;
	__u64 cookie = slots_copy_connection(&connection, slot);

	if (!cookie || !is_over(capture, &connection, monotonic_ns()) ||
	    !__atomic_compare_exchange_n(&slot->cookie, &cookie, 0, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		return 0;
	return deleted(capture, &connection);
}

int capture_bury(struct capture *capture)
{
	int r = capture_batch(capture->bpf->maps.connections, false, bury_hashed, capture);

	for (size_t i = 0; i < CONNECTION_SLOTS && !r; i++)
		r = bury_slot(capture, &capture->bpf->bss->connection_slots[i]);
	return r;
}

int capture_connections(struct capture *capture,
			int (*take)(const struct connection *connection, void *arg), void *arg)
{
	struct take_connections t = {capture, take, arg};
	uint64_t now = monotonic_ns();
	int r = 0;

	/* sweeps do it, too, but a trace that shows nothing meanwhile does without */
	if (now > capture->next_burial) {
		capture->next_burial = now + LINGER_NS;
		r = capture_bury(capture);
	}
	if (r)
		return r;
	capture->n_netns = 0;
	return capture_each_connection(capture, take_connection, &t);
}

struct take_times {
	const struct bpf_map *histograms;
	struct histograms *times;
	int (*take)(const struct caller_key *key, const struct histograms *times, void *arg);
	void *arg;
};

static int take_times(const void *key, const void *number, void *arg)
{
	const struct take_times *t = arg;
	uint32_t index = *(const uint32_t *)number - 1;
	int r = bpf_map__lookup_elem(t->histograms, &index, sizeof(index), t->times,
				     sizeof(*t->times), 0);

	return r ? r : t->take(key, t->times, t->arg);
}

int capture_times(struct capture *capture,
		  int (*take)(const struct caller_key *key, const struct histograms *times,
			      void *arg),
		  void *arg)
{
	struct take_times t = {capture->bpf->maps.histograms, malloc(sizeof(*t.times)), take, arg};
	int r = -ENOMEM;

	if (t.times)
		r = capture_batch(capture->bpf->maps.histogram_numbers, false, take_times, &t);
	free(t.times);
	return r;
}

int capture_unattributed(struct capture *capture, struct caller_counts *counts)
{
	uint32_t zero = 0;

	int r = bpf_map__lookup_elem(capture->bpf->maps.others, &zero, sizeof(zero), counts,
				     sizeof(*counts), 0);

	if (!r)
		ledger_sum_counts(counts, &capture->gone.unattributed);
	counts->pending += capture->pendings_lost;
	return r;
}

static int read_totals(struct capture *capture, struct totals *totals)
{
	int cpus = libbpf_num_possible_cpus(), r;
	uint32_t zero = 0;
	__u64 *sum = (__u64 *)totals; /* the type of all its members */
	struct totals *each;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	r = bpf_map__lookup_elem(capture->bpf->maps.totals, &zero, sizeof(zero), each,
				 (size_t)cpus * sizeof(*each), 0);
	memset(totals, 0, sizeof(*totals));
	for (int i = 0; i < cpus && !r; i++) {
		for (size_t j = 0; j < sizeof(*totals) / sizeof(*sum); j++)
			sum[j] += ((const __u64 *)&each[i])[j];
	}
	free(each);
	return r;
}

/* Runs that the kernel skipped because the program was running on that CPU already; 5.12 and later.
 */
static uint64_t recursion_misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (!program || bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return info.recursion_misses;
}

/*
 * Each witness sees each connection once, so what it saw less than were counted it missed. Sockops
 * runs before the state tracepoint: what that was first to see, sockops missed.
 */
static void count_misses(struct hook *hook, size_t which, const struct totals *totals,
			 uint64_t opened, bool sockops)
{
	if (which == ACCEPT && totals->accept_told > totals->accept_late)
		hook->missed = totals->accept_told - totals->accept_late;
	if ((which == STATE || which == SOCKOPS) && opened > hook->seen)
		hook->missed = opened - hook->seen;
	if (which == STATE && sockops)
		hook->healed = totals->first[WITNESS_STATE];
	if (which == SNAPSHOT)
		hook->healed = totals->first[WITNESS_SNAPSHOT];
	if (which == REQUESTS)
		hook->missed = totals->turns_found;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * A turn is found if its read or its write is told. For one of which nothing is, the kernel has
 * skipped a run of all programs of the one side, and of all of the other; of a kprobe and its
 * return one is enough.
 */
static uint64_t untold(const struct capture *capture, const uint64_t misses[HOOK_PROGRAMS])
{
	if (capture->hooks[REQUESTS].programs[2] == capture->bpf->progs.turn_read_again)
		return less(less(misses[0], misses[2]), less(misses[1], misses[3]));
	return less(misses[0], misses[1] + misses[2]);
}

static uint64_t opened(const struct totals *totals)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < WITNESSES; i++)
		sum += totals->first[i];
	return sum;
}

/* The kernel's own count of what it skipped is not complete (6.18 told none of three). */
bool capture_misses(struct capture *capture)
{
	struct totals totals;

	return recursion_misses(capture->bpf->progs.tcp_accept) ||
	       (!read_totals(capture, &totals) && opened(&totals) > totals.seen[WITNESS_STATE]);
}

int capture_report(struct capture *capture, struct report *report)
{
	static const char *const programs[] = {"tcp_accept", "tcp_accept", "inet_csk_accept",
					       "snapshot",   "refused",    "requests"};
	static const enum witness witnesses[] = {WITNESS_STATE, WITNESS_SOCKOPS, WITNESS_ACCEPT,
						 WITNESS_SNAPSHOT};
	struct totals totals;
	int r = read_totals(capture, &totals);

	if (r)
		return r;
	report->opened = opened(&totals);
	report->refused = totals.refused;
	report->stray = totals.stray;
	report->start_ns = capture->started;
	report->n_hooks = LENGTH(programs);
	for (size_t i = 0; i < LENGTH(programs); i++) {
		struct hook *hook = &report->hooks[i];
		const struct attached *attached = &capture->hooks[i];
		uint64_t misses[HOOK_PROGRAMS];

		memset(hook, 0, sizeof(*hook));
		hook->program = programs[i];
		hook->hook = attached->name[0] ? attached->name : NULL;
		hook->why = attached->why;
		if (i < LENGTH(witnesses))
			hook->seen = totals.seen[witnesses[i]];
		else if (i == REFUSED)
			hook->seen = totals.refused + totals.stray;
		for (size_t j = 0; j < HOOK_PROGRAMS; j++) {
			misses[j] = recursion_misses(attached->programs[j]);
			hook->recursion_misses += misses[j];
		}
		if (i == REQUESTS && hook->hook)
			hook->untold = untold(capture, misses);
		hook->nmissed = kretprobe_missed(&attached->kretprobe);
		if (hook->hook)
			count_misses(hook, i, &totals, report->opened,
				     capture->hooks[SOCKOPS].name[0]);
	}
	r = queues_update_serving(&capture->queues, capture->bpf->maps.servers);
	report->listening = capture->queues.listening;
	report->n_listening = capture->queues.n_listening;
	report->unattributed_drops = capture->queues.unattributed_drops;
	report->serving = capture->queues.serving;
	report->n_serving = capture->queues.n_serving;
	report->losses.events = totals.ring_full + capture->bad_events;
	report->losses.untracked = totals.untracked;
	report->losses.clients = totals.clients_full;
	report->losses.ends = capture->gone.number;
	report->losses.accepts = capture->gone.unaccepted;
	report->losses.listeners = capture->unlistened;
	report->losses.times = totals.untimed + capture->untimed;
	report->losses.namespaces =
		capture->unswept > capture->unlooked ? capture->unswept : capture->unlooked;
	return r;
}
