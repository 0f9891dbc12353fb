/* SPDX-License-Identifier: MIT */
/* Makes room for new callers: what the kernel has counted is added up here and emptied there, and
 * those that were idle longest are given up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "slots.h"
#include "state.h"

/* So long, at least, has a caller done nothing that is forgotten. */
#define IDLE_NS (10ULL * 1000000000)
/* Attempted nothing: both halves of an attempt that was refused (bpf/attempt.h) have met by then,
 * since a client gives up after 127 s (tcp_syn_retries). */
#define TRIED_NS (150ULL * 1000000000)

/* Where so many times as many are remembered as may stay, as in a flood of addresses, attempts are
 * forgotten like all else; and twice that: whoever has nothing open. */
#define FLOOD ((size_t)8)

/* Numbers of histograms that a connection may still add to, though its caller was forgotten. */
struct retired {
	uint32_t number;
	uint64_t timed; /* requests in it, that were handed out */
};

/* --- emptying the kernel's --- */

bool capture_crowded(const struct capture *capture)
{
	const struct whocalls_bpf__bss *bss = capture->bpf->bss;

	return capture->room && bss->callers_hashed[bss->caller_set] >= capture->room / 2;
}

static int fold_entry(const void *key, const void *value, void *arg)
{
	struct capture *capture = arg;

	return sums_add(&capture->sums, key, value);
}

int capture_fold(struct capture *capture)
{
	struct whocalls_bpf__bss *bss = capture->bpf->bss;
	struct caller_slot *slots = capture_caller_slots(capture);
	const struct bpf_map *map = capture_caller_map(capture);
	uint32_t set = bss->caller_set;
	int r;

	__atomic_store_n(&bss->caller_set, (set + 1) % CALLER_SETS, __ATOMIC_SEQ_CST);
	r = capture_grace_period(capture);
	/* nobody adds to the set any more */
	if (!r)
		r = capture_batch(map, true, fold_entry, capture);
	for (size_t i = 0; i < CALLER_SLOTS && !r; i++)
		if (slots[i].taken == SLOT_READY)
			r = sums_add(&capture->sums, &slots[i].key, &slots[i].counts);
	if (r)
		return r;
	memset(slots, 0, CALLER_SLOTS * sizeof(*slots));
	bss->callers_hashed[set] = 0;
	return 0;
}

size_t capture_summed(const struct capture *capture)
{
	return sums_callers(&capture->sums);
}

/* --- histograms --- */

/* Whoever needs one may have it. */
static int histogram_offer(const struct capture *capture, uint32_t number)
{
	int fd = bpf_map__fd(capture->bpf->maps.histograms_free);

	return bpf_map_update_elem(fd, NULL, &number, BPF_ANY) ? capture_failure() : 0;
}

static int histogram_release(const struct capture *capture, uint32_t number)
{
	static const struct histograms empty;
	uint32_t index = number - 1;
	int r = bpf_map__update_elem(capture->bpf->maps.histograms, &index, sizeof(index), &empty,
				     sizeof(empty), BPF_ANY);

	return r ? r : histogram_offer(capture, number);
}

int capture_fill_histograms(const struct capture *capture)
{
	int r = 0;

	for (uint32_t n = 1; n <= bpf_map__max_entries(capture->bpf->maps.histograms) && !r; n++)
		r = histogram_offer(capture, n);
	return r;
}

static int histogram_read(const struct capture *capture, uint32_t number, struct histograms *times)
{
	uint32_t index = number - 1;

	return bpf_map__lookup_elem(capture->bpf->maps.histograms, &index, sizeof(index), times,
				    sizeof(*times), 0);
}

static uint64_t timed(const struct histograms *times)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum += times->bucket[SERVICE_TIME][i];
	return sum;
}

/* --- forgetting --- */

/* One run of it. */
struct forgetting {
	struct capture *capture;
	bool *used; /* numbers of histograms that connections have, of all that there are, and 0 */
	struct histograms *times;
	int (*take)(const struct caller_key *key, const struct caller_counts *counts,
		    const struct histograms *times, void *arg);
	void *arg;
};

static int hold_entry(const void *key, const void *value, void *arg)
{
	struct capture *capture = arg;

	(void)value;
	sums_hold(&capture->sums, key);
	return 0;
}

static int hold_connection(const struct connection *connection, void *arg)
{
	const struct forgetting *f = arg;

	sums_hold(&f->capture->sums, &connection->key);
	f->used[connection->turn.times] = true;
	return 0;
}

/* Those that have a connection, and the histograms that these have. */
static int hold_connections(const struct forgetting *f)
{
	memset(f->used, 0, bpf_map__max_entries(f->capture->bpf->maps.histograms) + 1);
	return capture_each_connection(f->capture, hold_connection, (void *)f);
}

/* All that do something: that have a connection, are counted now, or are half open. */
static int hold(const struct forgetting *f)
{
	struct capture *capture = f->capture;
	const struct caller_slot *slots = capture_caller_slots(capture);
	int r = hold_connections(f);

	if (!r)
		r = capture_batch(capture_caller_map(capture), false, hold_entry, capture);
	for (size_t i = 0; i < CALLER_SLOTS && !r; i++)
		if (__atomic_load_n(&slots[i].taken, __ATOMIC_ACQUIRE) == SLOT_READY)
			sums_hold(&capture->sums, &slots[i].key);
	attempts_hold(&capture->attempts, &capture->sums);
	return r;
}

/* From here on nobody finds their histograms any more; who has found one before has its number in a
 * connection, once the grace period is over. 0 or -errno. */
static int take_numbers(const struct forgetting *f, struct summed **idle, size_t n)
{
	const struct bpf_map *numbers = f->capture->bpf->maps.histogram_numbers;
	bool any = f->capture->n_retired;
	int r;

	for (size_t i = 0; i < n; i++) {
		struct summed *caller = idle[i];

		caller->number = 0;
		if (bpf_map__lookup_elem(numbers, &caller->key, sizeof(caller->key),
					 &caller->number, sizeof(caller->number), 0))
			continue;
		bpf_map__delete_elem(numbers, &caller->key, sizeof(caller->key), 0);
		any = true;
	}
	if (!any)
		return 0;
	r = capture_grace_period(f->capture);
	return r ? r : hold_connections(f);
}

static int release_retired(const struct forgetting *f)
{
	struct capture *capture = f->capture;
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < capture->n_retired && !r; i++) {
		const struct retired *retired = &capture->retired[i];

		if (f->used[retired->number]) {
			capture->retired[kept++] = *retired;
			continue;
		}
		r = histogram_read(capture, retired->number, f->times);
		if (r)
			break;
		/* came after it was handed out */
		capture->untimed += timed(f->times) - retired->timed;
		r = histogram_release(capture, retired->number);
	}
	capture->n_retired = kept;
	return r;
}

static int retire(struct capture *capture, uint32_t number, const struct histograms *times)
{
	struct retired *more =
		reallocarray(capture->retired, capture->n_retired + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	capture->retired = more;
	more[capture->n_retired++] = (struct retired){number, timed(times)};
	return 0;
}

static int forget(const struct forgetting *f, struct summed *caller)
{
	struct capture *capture = f->capture;
	uint32_t number = caller->number;
	int r = number ? histogram_read(capture, number, f->times) : 0;

	if (!r)
		r = f->take(&caller->key, &caller->counts, number ? f->times : NULL, f->arg);
	if (!r && number)
		r = f->used[number] ? retire(capture, number, f->times)
				    : histogram_release(capture, number);
	sums_remove(&capture->sums, caller);
	return r;
}

static int forget_idle(const struct forgetting *f, size_t n, size_t keep)
{
	struct capture *capture = f->capture;
	bool flood = n > FLOOD * keep, deluge = n > 2 * FLOOD * keep;
	uint64_t now = monotonic_ns(), idle_ns = deluge ? 0 : IDLE_NS;
	struct summed **idle;
	size_t found;
	int r;

	sums_begin(&capture->sums);
	r = hold(f);
	if (r)
		return r;
	idle = sums_idle(&capture->sums, n, now - idle_ns, now - (flood ? idle_ns : TRIED_NS),
			 &found);
	if (!idle)
		return -ENOMEM;
	r = take_numbers(f, idle, found);
	if (!r)
		r = release_retired(f);
	for (size_t i = 0; i < found && !r; i++)
		r = forget(f, idle[i]);
	free(idle);
	return r;
}

int capture_forget(struct capture *capture, size_t keep,
		   int (*take)(const struct caller_key *key, const struct caller_counts *counts,
			       const struct histograms *times, void *arg),
		   void *arg)
{
	struct forgetting f = {
		.capture = capture,
		.used = malloc(bpf_map__max_entries(capture->bpf->maps.histograms) + 1),
		.times = malloc(sizeof(*f.times)),
		.take = take,
		.arg = arg,
	};
	size_t n = sums_callers(&capture->sums);
	int r = -ENOMEM;

	if (f.used && f.times)
		r = n > keep ? forget_idle(&f, n - keep, keep) : 0;
	free(f.used);
	free(f.times);
	return r;
}
