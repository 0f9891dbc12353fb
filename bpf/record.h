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

#define E2BIG 7
#define ENOMEM 12
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
	    !compare_exchange(&slot->cookie, 0, SLOT_FILLING)) {
		slot->connection = *c;
		exchange(&slot->cookie, cookie);
		return 0;
	}
	r = bpf_map_update_elem(&connections, &cookie, c, BPF_NOEXIST);
	if (!r)
		__sync_fetch_and_add(&connections_hashed, 1);
	return r;
}

#ifdef OLD_KERNEL
static __always_inline void mark_delete(__u64 cookie, __u64 flag)
{
	struct mark_key mark = {cookie, flag};

	bpf_map_delete_elem(&marks, &mark);
}
#endif

static __always_inline void connection_delete(__u64 cookie)
{
	struct connection_slot *slot = connection_slot(cookie);

	/* the program deletes what nobody came for, so it may be another's by now */
	if (slot->cookie == cookie)
		compare_exchange(&slot->cookie, cookie, 0);
	else if (!bpf_map_delete_elem(&connections, &cookie))
		__sync_fetch_and_sub(&connections_hashed, 1);
#ifdef OLD_KERNEL
	mark_delete(cookie, CONNECTION_ACCEPTED);
	mark_delete(cookie, CONNECTION_CLOSED);
#endif
}

#ifndef OLD_KERNEL

/*
 * Sets a flag of a connection's record. Returns false if it was set already, or if the record is
 * another connection's by now. (Where so many change it at once that all tries fail, the next sweep
 * or the closing tells it again.)
 */
static __always_inline bool connection_set(struct connection *c, __u64 cookie, __u32 flag,
					   __u32 *before)
{
	for (int i = 0; i < 8; i++) {
		struct connection old = {}, new = {};

		old.state = *(volatile __u64 *)&c->state;
		if (old.cookie != (__u32)cookie || old.flags & flag)
			return false;
		new.state = old.state;
		new.flags |= flag;
		if (compare_exchange(&c->state, old.state, new.state) == old.state) {
			*before = old.flags;
			return true;
		}
	}
	return false;
}

#else

/* As above. A mark is made once; and whoever makes it looks whether the record is still there, for
 * with the record go its marks. */
static __always_inline bool connection_set(struct connection *c, __u64 cookie, __u32 flag,
					   __u32 *before)
{
	struct mark_key mark = {cookie, flag};
	__u8 one = 1;

	*before = c->flags;
	if (c->cookie != (__u32)cookie || *before & flag)
		return false;
	if (bpf_map_update_elem(&marks, &mark, &one, BPF_NOEXIST))
		return false;
	if (connection_find(cookie) != c) {
		bpf_map_delete_elem(&marks, &mark);
		return false;
	}
	__sync_fetch_and_add(&c->flags, flag);
	*before = *(volatile __u32 *)&c->flags & ~flag;
	return true;
}

#endif

#endif
