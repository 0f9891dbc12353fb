/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the records of connections are: in a slot, or in the map `connections` when the slot is
 * taken. Most connections are over before another needs their slot, and the slots stay in the
 * cache, which the buckets of a large hash map do not.
 *
 * A socket's cookie is never given to another, so whoever reads the same cookie in a slot before
 * and after has read one connection's record (the program does that with its mapping of them).
 *
 * Two programs never make, or end, the record of the same connection at the same time: all that do
 * run under the socket's lock.
 */
#ifndef BPF_RECORD_H
#define BPF_RECORD_H

#define EEXIST 17

static __always_inline struct connection_slot *connection_slot(__u64 cookie)
{
	return &connection_slots[cookie & (CONNECTION_SLOTS - 1)];
}

static __always_inline struct connection *connection_find(__u64 cookie)
{
	struct connection_slot *slot = connection_slot(cookie);

	if (!cookie)
		return NULL;
	if (slot->cookie == cookie)
		return &slot->connection;
	if (!connections_hashed)
		return NULL;
	return bpf_map_lookup_elem(&connections, &cookie);
}

/* 0, -EEXIST, or another error when there is no room. */
static __always_inline long connection_insert(const struct connection *c, __u64 cookie)
{
	struct connection_slot *slot = connection_slot(cookie);
	long r;

	if (connection_find(cookie))
		return -EEXIST;
	if (use_connection_slots && !slot->cookie &&
	    !__sync_val_compare_and_swap(&slot->cookie, 0, SLOT_FILLING)) {
		slot->connection = *c;
		/* an exchange, for it is a barrier, too */
		__sync_lock_test_and_set(&slot->cookie, cookie);
		return 0;
	}
	r = bpf_map_update_elem(&connections, &cookie, c, BPF_NOEXIST);
	if (!r)
		__sync_fetch_and_add(&connections_hashed, 1);
	return r;
}

static __always_inline void connection_delete(__u64 cookie)
{
	struct connection_slot *slot = connection_slot(cookie);

	/* the program deletes what nobody came for, so it may be another's by now */
	if (slot->cookie == cookie)
		__sync_val_compare_and_swap(&slot->cookie, cookie, 0);
	else if (!bpf_map_delete_elem(&connections, &cookie))
		__sync_fetch_and_sub(&connections_hashed, 1);
}

#endif
