/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int event_decode(const void *data, size_t size, struct event *out)
{
	struct event event;

	if (size < sizeof(event))
		return -EBADMSG;
	memcpy(&event, data, sizeof(event));
	if (event.type < EVENT_CALLER || event.type > EVENT_CLOSED || event.peer_port > UINT16_MAX)
		return -EBADMSG;
	event.key.comm[COMM_SIZE - 1] = '\0';
	*out = event;
	return 0;
}
