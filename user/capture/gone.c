/* SPDX-License-Identifier: MIT */
#include "gone.h"

#include <string.h>

#include "../callers/ledger.h"

void gone_swept(struct gone *gone, uint64_t began, bool whole)
{
	memmove(gone->began + 1, gone->began, sizeof(gone->began) - sizeof(gone->began[0]));
	gone->began[0] = began;
	/* the count of sweeps in a row begins anew */
	if (!whole)
		memset(gone->began, 0, sizeof(gone->began));
}

bool gone_is(const struct gone *gone, const struct connection *connection, uint32_t sweep)
{
	uint64_t first = gone->began[GONE_SWEEPS - 1];

	return first && connection->opened < first && connection->swept + GONE_SWEEPS <= sweep;
}

/* As connection_closed() in the kernel tells it. */
static bool carried_data(const struct gone *gone, const struct connection *c)
{
	return c->bytes_received > c->base_received || c->bytes_sent > c->base_sent ||
	       data_since(c->last_data, gone->window_start);
}

int gone_add(struct gone *gone, const struct connection *connection, struct sums *sums)
{
	const struct caller_counts counts = {
		.closed = 1,
		.bytes_received = connection->bytes_received - connection->base_received,
		.bytes_sent = connection->bytes_sent - connection->base_sent,
		.old_active = connection->flags & CONNECTION_OLD && carried_data(gone, connection),
		.requests = turn_requests(&connection->turn),
		.overlaps = connection->turn.overlaps,
		/* it was there before the first sweep that did not find it */
		.open_time = gone->began[GONE_SWEEPS - 1] - connection->opened,
	};

	gone->number++;
	gone->unaccepted += !(connection->flags & CONNECTION_ACCEPTED);
	if (connection->flags & CONNECTION_UNATTRIBUTED) {
		ledger_sum_counts(&gone->unattributed, &counts);
		return 0;
	}
	return sums_add(sums, &connection->key, &counts);
}
