/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels. OLD_KERNEL builds the programs for those before 5.12 (5.10 is the
 * oldest that has all iterators). They have
 *
 * - no atomics with a result: no slot can ever be taken, so all is in the hash maps, and what must
 *   be told once is told by adding it to a map (record.h);
 * - no cookie of a socket in tracing programs: its initial sequence numbers stand for it
 *   (socket.h);
 * - no typed pointer to the current task, or to a file's socket: they are read through the helper.
 */
#ifndef BPF_KERNEL_H
#define BPF_KERNEL_H

#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif

#ifndef OLD_KERNEL

#define READ(pointer, field) ((pointer)->field)

/* What was there: `old` if it was exchanged. */
static __always_inline __u64 compare_exchange(__u64 *at, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(at, old, new);
}

/* A barrier, too, in both directions. */
static __always_inline void exchange(__u64 *at, __u64 new)
{
	__sync_lock_test_and_set(at, new);
}

#else

#define READ(pointer, field) BPF_CORE_READ(pointer, field)

static __always_inline __u64 compare_exchange(__u64 *at, __u64 old, __u64 new)
{
	return ~old;
}

static __always_inline void exchange(__u64 *at, __u64 new)
{
	*(volatile __u64 *)at = new;
	__sync_fetch_and_add(&barrier_word, 1);
}

#endif

#endif
