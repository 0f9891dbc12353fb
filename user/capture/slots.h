/* SPDX-License-Identifier: MIT */
/* Reads the slots of the kernel side while it writes them: see bpf/caller.h and bpf/record.h. */
#ifndef CAPTURE_SLOTS_H
#define CAPTURE_SLOTS_H

#include <stdbool.h>

#include "../../bpf/whocalls.h"

/* Copies the slots of callers, CALLER_SLOTS of them; those not ready come out as free. */
void slots_copy_callers(struct caller_slot *to, const struct caller_slot *slots);

/*
 * Adds a caller's counts, as the map has them, to those in its slot. False, and nothing done, if
 * the slot is not this caller's.
 */
bool slots_add_counts(struct caller_slot *slots, const struct caller_key *key,
		      const struct caller_counts *counts);

/*
 * Copies the record in a slot, and returns the cookie of the socket that it is about; 0 and nothing
 * if there is none.
 */
__u64 slots_copy_connection(struct connection *to, const struct connection_slot *slot);

#endif
