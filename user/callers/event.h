/* SPDX-License-Identifier: MIT */
/* Records of the ring, checked before anything believes them. */
#ifndef CALLERS_EVENT_H
#define CALLERS_EVENT_H

#include <stddef.h>

#include "../../bpf/whocalls.h"

/*
 * Copies one record: of `size` bytes, at any alignment; what comes after a struct event is ignored.
 * The process's name is cut to COMM_SIZE - 1 bytes, so that it is always terminated. 0, or -EBADMSG
 * with *out unchanged: too short, of no known type, or its port is none.
 */
int event_decode(const void *data, size_t size, struct event *out);

#endif
