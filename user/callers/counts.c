/* SPDX-License-Identifier: MIT */
/* Counts: sums and differences. */
#include "ledger-parts.h"
#include "ledger.h"

uint64_t older_time(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

void ledger_sum_counts(struct caller_counts *sum, const struct caller_counts *more)
{
	sum->opened += more->opened;
	sum->accepted += more->accepted;
	sum->closed += more->closed;
	sum->bytes_received += more->bytes_received;
	sum->bytes_sent += more->bytes_sent;
	sum->open_time += more->open_time;
	sum->old += more->old;
	sum->untracked += more->untracked;
	sum->resets += more->resets;
	sum->old_active += more->old_active;
	sum->refused += more->refused;
	sum->stray += more->stray;
	sum->pending += more->pending;
	sum->requests += more->requests;
	sum->overlaps += more->overlaps;
	sum->first = older_time(sum->first, more->first);
	if (more->pid && (!sum->pid || more->last > sum->last))
		sum->pid = more->pid;
	if (more->last > sum->last)
		sum->last = more->last;
	if (more->last_opened > sum->last_opened)
		sum->last_opened = more->last_opened;
	sum->first_attempt = older_time(sum->first_attempt, more->first_attempt);
	if (more->last_attempt > sum->last_attempt)
		sum->last_attempt = more->last_attempt;
}

void ledger_sum_open(struct open_counts *sum, const struct open_counts *more)
{
	sum->open += more->open;
	sum->idle += more->idle;
	sum->waiting += more->waiting;
	sum->waiting_since = older_time(sum->waiting_since, more->waiting_since);
	sum->old += more->old;
	sum->old_active += more->old_active;
	sum->bytes_received += more->bytes_received;
	sum->bytes_sent += more->bytes_sent;
	sum->old_bytes += more->old_bytes;
	sum->requests += more->requests;
	sum->overlaps += more->overlaps;
	if (more->last_data > sum->last_data)
		sum->last_data = more->last_data;
	sum->quiet_since = older_time(sum->quiet_since, more->quiet_since);
}

uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

uint64_t ledger_last(const struct caller_counts *counts)
{
	return counts->last > counts->last_attempt ? counts->last : counts->last_attempt;
}

bool ledger_attempted(const struct caller_counts *counts)
{
	return counts->refused || counts->stray || counts->pending;
}

/* That it began with the last thing counted is the best that is known of a time between two passes.
 */
struct caller_counts counts_since(const struct caller_counts *counts,
				  const struct caller_counts *base)
{
	struct caller_counts since = *counts;

	if (!base)
		return since;
	since.opened = less(counts->opened, base->opened);
	since.accepted = less(counts->accepted, base->accepted);
	since.closed = less(counts->closed, base->closed);
	since.bytes_received = less(counts->bytes_received, base->bytes_received);
	since.bytes_sent = less(counts->bytes_sent, base->bytes_sent);
	since.open_time = less(counts->open_time, base->open_time);
	since.old = less(counts->old, base->old);
	since.untracked = less(counts->untracked, base->untracked);
	since.resets = less(counts->resets, base->resets);
	since.old_active = less(counts->old_active, base->old_active);
	since.first = since.opened ? counts->last : 0;
	since.refused = less(counts->refused, base->refused);
	since.stray = less(counts->stray, base->stray);
	since.pending = less(counts->pending, base->pending);
	since.requests = less(counts->requests, base->requests);
	since.overlaps = less(counts->overlaps, base->overlaps);
	since.first_attempt = ledger_attempted(&since) ? counts->last_attempt : 0;
	return since;
}

bool counts_any(const struct caller_counts *counts)
{
	return counts->opened || counts->accepted || counts->closed || counts->bytes_received ||
	       counts->bytes_sent || counts->open_time || counts->old || counts->untracked ||
	       counts->resets || counts->requests || counts->overlaps || ledger_attempted(counts);
}
