/* SPDX-License-Identifier: MIT */
/* io_uring without liburing: one request at a time, waited for. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "server.h"

struct uring {
	int fd;
	uint32_t *submit_tail, *done_head, *done_tail; /* in memory that the kernel shares */
	struct io_uring_sqe *entry;
	struct io_uring_cqe *done; /* two */
};

static void *uring_map(int fd, size_t size, uint64_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
			 (off_t)offset);

	if (map == MAP_FAILED)
		err(EX_OSERR, "io_uring");
	return map;
}

static void uring_open(struct uring *uring)
{
	struct io_uring_params params = {0};
	char *submit, *done;

	uring->fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (uring->fd < 0)
		err(EX_UNAVAILABLE, "io_uring_setup");
	submit = uring_map(uring->fd, params.sq_off.array + sizeof(uint32_t), IORING_OFF_SQ_RING);
	done = uring_map(uring->fd,
			 params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
			 IORING_OFF_CQ_RING);
	uring->entry = uring_map(uring->fd, sizeof(*uring->entry), IORING_OFF_SQES);
	*(uint32_t *)(submit + params.sq_off.array) = 0; /* always the only entry */
	uring->submit_tail = (uint32_t *)(submit + params.sq_off.tail);
	uring->done_head = (uint32_t *)(done + params.cq_off.head);
	uring->done_tail = (uint32_t *)(done + params.cq_off.tail);
	uring->done = (struct io_uring_cqe *)(done + params.cq_off.cqes);
}

ssize_t uring_transfer(int fd, void *data, size_t size, bool out)
{
	static __thread struct uring uring;
	uint32_t head;
	int result;

	if (!uring.entry)
		uring_open(&uring);
	memset(uring.entry, 0, sizeof(*uring.entry));
	uring.entry->opcode = out ? IORING_OP_SEND : IORING_OP_RECV;
	uring.entry->fd = fd;
	uring.entry->addr = (uintptr_t)data;
	uring.entry->len = (uint32_t)size;
	uring.entry->msg_flags = out ? MSG_NOSIGNAL : 0;
	__atomic_store_n(uring.submit_tail, *uring.submit_tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, uring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		err(EX_OSERR, "io_uring_enter");
	head = *uring.done_head;
	while (__atomic_load_n(uring.done_tail, __ATOMIC_ACQUIRE) == head)
		syscall(SYS_io_uring_enter, uring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	result = uring.done[head % 2].res;
	__atomic_store_n(uring.done_head, head + 1, __ATOMIC_RELEASE);
	return result;
}
