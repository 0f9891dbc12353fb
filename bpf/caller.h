/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the counts of callers are: in a slot, or in a map when the slot is another's. A service has
 * few callers, and the slots stay in the cache, which the buckets of a large hash map do not.
 *
 * A slot, once taken, is not given up while its set is in use. While it is being taken another CPU
 * can't see whose it is, and counts the same caller in the map: so there may be both, and who reads
 * adds them up.
 *
 * Of slots and map there are two sets, and `caller_set` says which one is added to. An entry can't
 * be deleted while a program may still add to it. So the program has all go over to the other set,
 * waits until each that had begun before has ended, adds up what is in the first and empties it
 * (user/capture/forget.c). A caller's counts are the sum of both sets, and of what was added up.
 */
#ifndef BPF_CALLER_H
#define BPF_CALLER_H

static __always_inline __u32 caller_set_now(void)
{
	return *(volatile __u32 *)&caller_set & (CALLER_SETS - 1);
}

static __always_inline struct caller_slot *caller_slot(__u32 set, const struct caller_key *key)
{
	__u32 index = set * CALLER_SLOTS + caller_slot_number(key);

	/* the verifiers up to 6.1 don't see that it is no more than that already */
	barrier_var(index);
	return &caller_slots[index & (CALLER_SETS * CALLER_SLOTS - 1)];
}

static __always_inline bool caller_slot_is(const struct caller_slot *slot,
					   const struct caller_key *key)
{
	const __u64 *a = (const __u64 *)&slot->key, *b = (const __u64 *)key;

	if (slot->taken != SLOT_READY)
		return false;
	for (unsigned int i = 0; i < sizeof(*key) / sizeof(*a); i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static __always_inline struct caller_counts *caller_look_up(__u32 set, const struct caller_key *key)
{
	return set ? bpf_map_lookup_elem(&callers_second, key) : bpf_map_lookup_elem(&callers, key);
}

static __always_inline struct caller_counts *caller_find(const struct caller_key *key)
{
	__u32 set = caller_set_now();
	struct caller_slot *slot = caller_slot(set, key);

	if (caller_slot_is(slot, key))
		return &slot->counts;
	if (!callers_hashed[set])
		return NULL;
	return caller_look_up(set, key);
}

/* The counts of a caller that caller_find() did not find; NULL when there is no room. `made`: it is
 * new in this set, not made by another CPU meanwhile. */
static __always_inline struct caller_counts *caller_insert(const struct caller_key *key, bool *made)
{
	__u32 set = caller_set_now();
	struct caller_slot *slot = caller_slot(set, key);
	long r;

	*made = true;
	if (use_caller_slots && !slot->taken && !compare_exchange(&slot->taken, 0, SLOT_TAKING)) {
		slot->key = *key;
		exchange(&slot->taken, SLOT_READY);
		return &slot->counts;
	}
	/* before it is there, for whoever sees it there must look there for its end */
	__sync_fetch_and_add(&callers_hashed[set], 1);
	r = set ? bpf_map_update_elem(&callers_second, key, &fresh_counts, BPF_NOEXIST)
		: bpf_map_update_elem(&callers, key, &fresh_counts, BPF_NOEXIST);
	*made = !r;
	return caller_look_up(set, key);
}

/* The counts of a caller, new if need be; NULL when there is no room. */
static __always_inline struct caller_counts *caller_get(const struct caller_key *key)
{
	struct caller_counts *counts = caller_find(key);
	bool made;

	if (!counts)
		counts = caller_insert(key, &made);
	return counts;
}

#endif
