/* SPDX-License-Identifier: MIT */
#include "slots.h"

#include <string.h>

#include "../callers/ledger.h"

void slots_copy_callers(struct caller_slot *to, const struct caller_slot *slots)
{
	for (size_t i = 0; i < CALLER_SLOTS; i++) {
		/* its key is written before it is ready, and never after */
		if (__atomic_load_n(&slots[i].taken, __ATOMIC_ACQUIRE) == SLOT_READY)
			to[i] = slots[i];
		else
			to[i].taken = 0;
	}
}

bool slots_add_counts(struct caller_slot *slots, const struct caller_key *key,
		      const struct caller_counts *counts)
{
	struct caller_slot *slot = &slots[caller_slot_number(key)];

	if (slot->taken != SLOT_READY || memcmp(&slot->key, key, sizeof(*key)))
		return false;
	ledger_sum_counts(&slot->counts, counts);
	return true;
}

__u64 slots_copy_connection(struct connection *to, const struct connection_slot *slot)
{
	__u64 before, after = __atomic_load_n(&slot->cookie, __ATOMIC_ACQUIRE);

	/* no cookie comes twice, so what lies between two readings of the same is one record */
	do {
		before = after;
		if (!before || before == SLOT_FILLING)
			return 0;
		*to = slot->connection;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&slot->cookie, __ATOMIC_ACQUIRE);
	} while (before != after);
	return after;
}
