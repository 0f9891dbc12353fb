/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The connect side: which process of this node is the peer.
 *
 * CLOSE -> SYN_SENT runs in the process that calls connect(), but the source port and the sequence
 * numbers are not chosen yet; SYN_SENT -> ESTABLISHED knows them, but runs in whatever context the
 * packet arrived in. So the first remembers the process by the socket, the second by the pair of
 * initial sequence numbers, and the server's side finds it there: on one node it always comes
 * later, since it needs the packet that the client sends after its change of state.
 */
#ifndef BPF_CLIENT_H
#define BPF_CLIENT_H

static __always_inline struct client_slot *client_slot(void *slots, __u64 key)
{
	__u32 index = (__u32)key;

	/* of a socket's address: a copy of half a pointer is a number, but none is computed with
	 * (clang 19 leaves out the copy) */
	asm volatile("%0 = %0" : "+w"(index));
	index = index * 0x9e3779b9 / (~0U / CLIENT_SLOTS + 1);
	return bpf_map_lookup_elem(slots, &index);
}

/* The three that CLIENTS() makes. */
#define CLIENTS_OF(name) &name, &name##_slots, &name##_hashed

static __always_inline void client_hash(void *map, __u64 *hashed, __u64 key,
					const struct client *client)
{
	if (!bpf_map_update_elem(map, &key, client, BPF_NOEXIST))
		__sync_fetch_and_add(hashed, 1);
	else if (bpf_map_update_elem(map, &key, client, BPF_EXIST))
		COUNT(clients_full);
}

static __always_inline void client_remember(void *map, void *slots, __u64 *hashed, __u64 key,
					    const struct client *client)
{
	struct client_slot *slot = client_slot(slots, key);
	__u64 held = slot ? slot->key : 0;
	struct client other = {};
	bool taken = held && held != key, gone;

	if (taken)
		other = slot->client;
	gone = taken && held != SLOT_FILLING && other.flags & CLIENT_GONE;
	if (!slot || (taken && !gone) || compare_exchange(&slot->key, held, SLOT_FILLING) != held) {
		client_hash(map, hashed, key, client);
		return;
	}
	slot->client = *client;
	exchange(&slot->key, key);
	/* the end of its server may still come for it */
	if (gone)
		client_hash(map, hashed, held, &other);
}

/* Copies what is remembered; a slot can be freed and taken by another while it is read. */
static __always_inline bool client_find(void *map, void *slots, __u64 *hashed, __u64 key,
					struct client *out)
{
	struct client_slot *slot = client_slot(slots, key);
	struct client *client;

	if (slot && slot->key == key) {
		*out = slot->client;
		barrier();
		return *(volatile __u64 *)&slot->key == key;
	}
	if (!*hashed)
		return false;
	client = bpf_map_lookup_elem(map, &key);
	if (client)
		*out = *client;
	return client;
}

static __always_inline void client_forget(void *map, void *slots, __u64 *hashed, __u64 key)
{
	struct client_slot *slot = client_slot(slots, key);

	/* the other end may forget it at the same time, and a third have taken it already */
	if (slot && slot->key == key)
		compare_exchange(&slot->key, key, 0);
	else if (*hashed && !bpf_map_delete_elem(map, &key))
		__sync_fetch_and_sub(hashed, 1);
}

static __always_inline void client_connecting(struct tcp_sock *tp)
{
	struct client client = {};

	client_read(&client, current_task(), socket_netns(tp));
	client_remember(CLIENTS_OF(connecting), (__u64)tp, &client);
}

static __always_inline void client_connected(struct tcp_sock *tp)
{
	struct client client;

	if (!client_find(CLIENTS_OF(connecting), (__u64)tp, &client))
		return;
	client_remember(CLIENTS_OF(clients), numbers_of_client(tp), &client);
	client_forget(CLIENTS_OF(connecting), (__u64)tp);
}

/*
 * The client's socket is gone. Its server's end may be on another node, and nobody come for it; or
 * a client that resets at once may be faster than its server's softirq. So it stays: in its slot
 * until another needs that, then in the map, which evicts what was used least recently.
 */
static __always_inline void client_gone(struct tcp_sock *tp, int oldstate)
{
	struct client client;

	if (oldstate == TCP_SYN_SENT) {
		if (refused_attached && client_find(CLIENTS_OF(connecting), (__u64)tp, &client))
			attempt_client(tp, &client);
		client_forget(CLIENTS_OF(connecting), (__u64)tp);
		return;
	}
#ifndef OLD_KERNEL
	__u64 numbers = numbers_of_client(tp);
	struct client_slot *slot = client_slot(&clients_slots, numbers);

	if (slot && slot->key == numbers)
		__sync_fetch_and_or(&slot->client.flags, CLIENT_GONE);
#endif
}

static __always_inline void client_changed(struct tcp_sock *tp, int oldstate, int newstate)
{
	if (oldstate == TCP_CLOSE && newstate == TCP_SYN_SENT)
		client_connecting(tp);
	else if (oldstate == TCP_SYN_SENT && newstate == TCP_ESTABLISHED)
		client_connected(tp);
	else if (newstate == TCP_CLOSE)
		client_gone(tp, oldstate);
}

#endif
