/* SPDX-License-Identifier: GPL-2.0 */
/* How long callers' requests and connections took. */
#ifndef BPF_TIMES_H
#define BPF_TIMES_H

/* The number of a caller's histograms, new if it has none; 0: there is no room. */
static __noinline __u32 times_number(const struct caller_key *key)
{
	__u32 *known = bpf_map_lookup_elem(&histogram_numbers, key), fresh = 0;

	if (known)
		return *known;
	if (bpf_map_pop_elem(&histograms_free, &fresh))
		return 0;
	if (!bpf_map_update_elem(&histogram_numbers, key, &fresh, BPF_NOEXIST))
		return fresh;
	/* another CPU was faster */
	bpf_map_push_elem(&histograms_free, &fresh, BPF_ANY);
	known = bpf_map_lookup_elem(&histogram_numbers, key);
	return known ? *known : 0;
}

static __always_inline void times_count(struct connection *c, enum duration duration, __u64 ns)
{
	struct histograms *histogram = NULL;
	__u32 bucket = histogram_bucket(ns), index;

	if (!c->turn.times && !(c->flags & CONNECTION_UNATTRIBUTED))
		c->turn.times = times_number(&c->key);
	index = c->turn.times - 1;
	if (c->turn.times)
		histogram = bpf_map_lookup_elem(&histograms, &index);
	if (histogram && bucket < HISTOGRAM_BUCKETS)
		__sync_fetch_and_add(&histogram->bucket[duration][bucket], 1);
	else if (duration == SERVICE_TIME)
		COUNT(untimed);
}

#endif
