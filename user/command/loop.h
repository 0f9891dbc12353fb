/* SPDX-License-Identifier: MIT */
/* What the loops of a session and of the agent are made of. */
#ifndef COMMAND_LOOP_H
#define COMMAND_LOOP_H

#include <stdint.h>

/* 0 or -errno. */
int loop_add(int epoll, int fd, uint32_t events);

/* A timer that first goes off after `first_ns`, then each `interval_ns`; a descriptor, to be
 * closed, or -errno. */
int loop_timer(uint64_t first_ns, uint64_t interval_ns);

/* Reads what it has told. 0 or -errno. */
int loop_timer_read(int fd);

/* CLOCK_REALTIME less CLOCK_MONOTONIC, taken together as closely as two calls can. */
int64_t loop_realtime_offset(void);

#endif
