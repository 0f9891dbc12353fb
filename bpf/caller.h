/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the counts of callers are: in a slot, or in the map `callers` when the slot is another's. A
 * service has few callers, and the slots stay in the cache, which the buckets of a large hash map
 * do not.
 *
 * A slot, once taken, is never given up. While it is being taken another CPU can't see whose it is,
 * and counts the same caller in the map: so there may be both, and who reads adds them up.
 */
#ifndef BPF_CALLER_H
#define BPF_CALLER_H

static __always_inline struct caller_slot *caller_slot(const struct caller_key *key)
{
	return &caller_slots[caller_slot_number(key)];
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

static __always_inline struct caller_counts *caller_find(const struct caller_key *key)
{
	struct caller_slot *slot = caller_slot(key);

	if (caller_slot_is(slot, key))
		return &slot->counts;
	if (!callers_hashed)
		return NULL;
	return bpf_map_lookup_elem(&callers, key);
}

/* The counts of a caller that caller_find() did not find; NULL when there is no room. `made`: it is
 * new, not made by another CPU meanwhile. */
static __always_inline struct caller_counts *caller_insert(const struct caller_key *key, bool *made)
{
	struct caller_slot *slot = caller_slot(key);

	*made = true;
	if (use_caller_slots && !slot->taken && !compare_exchange(&slot->taken, 0, SLOT_TAKING)) {
		slot->key = *key;
		exchange(&slot->taken, SLOT_READY);
		return &slot->counts;
	}
	/* before it is there, for whoever sees it there must look there for its end */
	if (!callers_hashed)
		__sync_fetch_and_add(&callers_hashed, 1);
	*made = !bpf_map_update_elem(&callers, key, &fresh_counts, BPF_NOEXIST);
	return bpf_map_lookup_elem(&callers, key);
}

#endif
