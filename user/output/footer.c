/* SPDX-License-Identifier: MIT */
#include "footer.h"

#include <inttypes.h>
#include <string.h>

#include "../callers/coverage.h"
#include "format.h"
#include "say.h"

/* Everything in the report that stands open, or was counted. */
static void sum_all(const struct report *report, struct caller_counts *counts,
		    struct open_counts *open)
{
	size_t i;

	*counts = report->others.counts;
	*open = report->others.open;
	for (i = 0; i < report->n_callers; i++) {
		ledger_sum_counts(counts, &report->callers[i].counts);
		ledger_sum_open(open, &report->callers[i].open);
	}
}

static bool any_hook(const struct report *report)
{
	size_t i;

	for (i = 0; i < report->n_hooks; i++) {
		if (report->hooks[i].hook)
			return true;
	}
	return !report->n_hooks;
}

bool footer_is_quiet(const struct report *report)
{
	size_t i;

	if (report->unattributed || ledger_attempted(&report->others.counts))
		return false;
	for (i = 0; i < report->n_callers; i++) {
		const struct caller *caller = &report->callers[i];

		if (caller->class != CLASS_PROBE &&
		    (caller->counts.opened || ledger_attempted(&caller->counts)))
			return false;
	}
	return true;
}

void footer_print_quiet(FILE *file, const struct report *report,
			const struct table_options *options)
{
	uint64_t elapsed = report->end_ns - report->start_ns;
	char clock[FORMAT_TEXT], age[FORMAT_TEXT];
	bool probes = false, held = report->others.open.open;
	size_t i;

	for (i = 0; i < report->n_callers; i++) {
		if (report->callers[i].class == CLASS_PROBE)
			probes = true;
		else
			held = true;
	}
	format_clock(elapsed, clock);
	if (held)
		say(file, options, false,
		    "Nobody%s has opened a connection in %s; those above were open before.",
		    probes ? " but the kubelet" : "", clock);
	else
		say(file, options, false, "Nobody%s has called in %s.",
		    probes ? " but the kubelet" : "", clock);
	if (!any_hook(report))
		say(file, options, true,
		    "This says nothing: no hook is attached, so no call can be seen.");
	else if (elapsed < 3000000000)
		say(file, options, false, "This is no proof: the watch has only begun.");
	else
		say(file, options, false,
		    "This is no proof: whoever calls less often than every %s may just not have "
		    "come yet (95 %%, if calls come independently), and only what arrives on this "
		    "node is seen.",
		    format_age(elapsed / 3, age));
}

void footer_print_others(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	uint64_t n = report->unattributed;

	if (!n) {
		n = report->others.open.open;
		say(file, options, true, "  %" PRIu64 " open %s, caller unknown", n,
		    say_plural(n, "connection", "connections"));
		return;
	}
	say(file, options, true,
	    "  %" PRIu64 " %s, caller unknown: the table of callers is full (%" PRIu64 ")", n,
	    say_plural(n, "connection", "connections"), report->max_callers);
}

/* How long before the end that was; 0: not known. */
static uint64_t since(const struct report *report, uint64_t time)
{
	return time && time < report->end_ns ? report->end_ns - time : 0;
}

static const char *describe_open(const struct report *report, const struct open_counts *open,
				 char *buf, size_t size)
{
	const char *comma = "";
	char age[FORMAT_TEXT];

	buf[0] = '\0';
	if (!open->old && !open->idle && !open->waiting)
		return buf;
	format_append(buf, size, " (");
	if (open->old) {
		format_append(buf, size, "%" PRIu64 " from before", open->old);
		comma = ", ";
	}
	if (open->idle) {
		format_append(buf, size, "%s%" PRIu64 " idle for %s%s", comma, open->idle,
			      open->idle > 1 ? "up to " : "",
			      format_age(since(report, open->quiet_since), age));
		comma = ", ";
	}
	if (open->waiting)
		format_append(buf, size, "%s%" PRIu64 " waiting in the accept queue for %s%s",
			      comma, open->waiting, open->waiting > 1 ? "up to " : "",
			      format_age(since(report, open->waiting_since), age));
	format_append(buf, size, ")");
	return buf;
}

/* A server that does not keep up with its accept queue. */
static void print_queues(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	char address[ADDRESS_TEXT];

	for (size_t i = 0; i < report->n_listening; i++) {
		const struct listening *one = &report->listening[i];
		bool full = one->queue > one->limit, any = address_is_any(&one->address);

		if (full)
			say(file, options, true,
			    "The accept queue of %s:%u is full: %u connections wait, and it is made for %u.",
			    any ? "*" : address_format(&one->address, address), one->port,
			    one->queue, one->limit);
		if (one->overflows)
			say(file, options, true,
			    "%" PRIu64
			    " %s dropped since the trace began because an accept queue was full, "
			    "in the network namespace where *:%u listens (ListenOverflows): callers try "
			    "again, or give up.",
			    one->overflows,
			    say_plural(one->overflows, "handshake was", "handshakes were"),
			    one->port);
	}
}

static void print_attempts(FILE *file, const struct report *report,
			   const struct table_options *options)
{
	if (report->refused)
		say(file, options, true,
		    "%" PRIu64 " %s refused: nobody listened there. -o json tells whose they were.",
		    report->refused, say_plural(report->refused, "attempt was", "attempts were"));
	if (report->stray)
		say(file, options, true,
		    "%" PRIu64 " %s of data came on connections that the server no longer had.",
		    report->stray, say_plural(report->stray, "segment", "segments"));
	if (report->pending)
		say(file, options, true,
		    "%" PRIu64
		    " %s half-open: the kernel waits for more from the client, or for room in the "
		    "queue, before the application can take %s.",
		    report->pending,
		    say_plural(report->pending, "connection is", "connections are"),
		    say_plural(report->pending, "it", "them"));
}

/* Of callers whose reads and writes overlapped it is the number of turns. */
static uint64_t count_turns(const struct report *report)
{
	const struct row *others = &report->others;
	uint64_t turns = 0;

	if (others->counts.overlaps + others->open.overlaps)
		turns = report->requests_unattributed;
	for (size_t i = 0; i < report->n_callers; i++) {
		if (report->callers[i].overlaps)
			turns += report->callers[i].requests;
	}
	return turns;
}

static void print_requests(FILE *file, const struct report *report,
			   const struct table_options *options)
{
	uint64_t turns = count_turns(report), unknown = report->requests_unattributed;
	char text[256] = "";

	if (report->n_hooks <= REPORT_REQUESTS)
		return;
	if (!report_requests_known(report)) {
		say(file, options, true, "Requests are not counted: %s.",
		    report->hooks[REPORT_REQUESTS].why);
		return;
	}
	format_append(text, sizeof(text), "requests %" PRIu64, report->requests - turns);
	if (turns)
		format_append(text, sizeof(text), ", turns %" PRIu64, turns);
	if (unknown)
		format_append(text, sizeof(text), ", %" PRIu64 " of them by unknown callers",
			      unknown);
	say(file, options, false, "%s", text);
	if (turns)
		say(file, options, false,
		    "Turns are no count of requests: reads and writes overlapped there, as in "
		    "HTTP/2, gRPC, websockets, pipelining or \"100 Continue\".");
}

void footer_print_totals(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	struct caller_counts counts;
	struct open_counts open;
	uint64_t active;
	char text[256];

	sum_all(report, &counts, &open);
	say(file, options, false,
	    "opened %" PRIu64 " = attributed %" PRIu64 " + unattributed %" PRIu64
	    ", accepted %" PRIu64 ", open %" PRIu64 "%s",
	    report->attributed + report->unattributed, report->attributed, report->unattributed,
	    report->accepted, report->open, describe_open(report, &open, text, sizeof(text)));
	active = open.old_active + counts.old_active;
	if (active)
		say(file, options, false,
		    "%" PRIu64 " %s that %s open before %s carried data since.", active,
		    say_plural(active, "connection", "connections"),
		    say_plural(active, "was", "were"), say_plural(active, "has", "have"));
	print_requests(file, report, options);
	print_attempts(file, report, options);
	print_queues(file, report, options);
}

static void print_hook(FILE *file, const struct hook *hook, const struct table_options *options)
{
	uint64_t skipped = hook->recursion_misses + hook->nmissed;
	char text[SAY_MAX] = "";

	format_append(text, sizeof(text), "  %-16s  ", hook->program);
	if (!hook->hook) {
		format_append(text, sizeof(text), "not attached: %s", hook->why);
		say(file, options, true, "%s", text);
		return;
	}
	format_append(text, sizeof(text), "%-28s  %" PRIu64 " seen, %" PRIu64 " missed", hook->hook,
		      hook->seen, hook->missed);
	if (hook->healed)
		format_append(text, sizeof(text), ", %" PRIu64 " healed", hook->healed);
	if (skipped)
		format_append(text, sizeof(text), ", %" PRIu64 " %s skipped by the kernel", skipped,
			      say_plural(skipped, "run", "runs"));
	if (hook->untold)
		format_append(text, sizeof(text), ", so that up to %" PRIu64 " may be uncounted",
			      hook->untold);
	if (hook->why && *hook->why)
		format_append(text, sizeof(text), " (%s)", hook->why);
	say(file, options, false, "%s", text);
}

static void print_losses(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	const struct losses *lost = &report->losses;
	uint64_t counted = report->attributed + report->unattributed;

	if (lost->events)
		say(file, options, true,
		    "  %" PRIu64 " single %s found no room in the ring: missing from -o jsonl, but "
		    "no count is touched.",
		    lost->events, say_plural(lost->events, "event", "events"));
	if (lost->untracked)
		say(file, options, true,
		    "  %" PRIu64 " %s counted but not followed, the table of connections was full: "
		    "when %s ended and how much %s carried is not known%s.",
		    lost->untracked,
		    say_plural(lost->untracked, "connection was", "connections were"),
		    say_plural(lost->untracked, "it", "they"),
		    say_plural(lost->untracked, "it", "they"),
		    !report_requests_known(report) ? ""
		    : lost->untracked == 1         ? ", and requests on it are not counted"
						   : ", and requests on them are not counted");
	if (lost->ends)
		say(file, options, true,
		    "  the end of %" PRIu64
		    " %s was not seen, only that %s gone: when %s ended and "
		    "what %s carried last is not known exactly.",
		    lost->ends, say_plural(lost->ends, "connection", "connections"),
		    say_plural(lost->ends, "it is", "they are"),
		    say_plural(lost->ends, "it", "they"), say_plural(lost->ends, "it", "they"));
	if (lost->accepts)
		say(file, options, true,
		    "  of %" PRIu64
		    " of them it is not known whether the application accepted them.",
		    lost->accepts);
	if (lost->clients)
		say(file, options, true,
		    "  %" PRIu64 " %s of this node could not be remembered: such a caller is known "
		    "by its address only.",
		    lost->clients, say_plural(lost->clients, "client process", "client processes"));
	if (lost->namespaces)
		say(file, options, true,
		    "  %" PRIu64 " network %s could not be looked into: what was open there before "
		    "is not known.",
		    lost->namespaces, say_plural(lost->namespaces, "namespace", "namespaces"));
	if (lost->listeners)
		say(file, options, true,
		    "  %" PRIu64
		    " %s no room in the kernel's table: handshakes that %s dropped are "
		    "not seen.",
		    lost->listeners,
		    say_plural(lost->listeners, "listener found", "listeners found"),
		    say_plural(lost->listeners, "it", "they"));
	if (lost->times)
		say(file, options, true,
		    "  %" PRIu64 " %s counted, but %s times found no room: percentiles are "
		    "without them.",
		    lost->times, say_plural(lost->times, "request was", "requests were"),
		    say_plural(lost->times, "its", "their"));
	/* live, the one is read after the other; at the end they must agree */
	if (report->final && report->opened > counted)
		say(file, options, true,
		    "  %" PRIu64 " %s counted by the kernel, but under no caller.",
		    (uint64_t)report->opened - counted,
		    say_plural(report->opened - counted, "connection was", "connections were"));
	if (coverage_witnesses(report) && !coverage_witnesses_complete(report))
		say(file, options, true,
		    "  no witness of the handshake is sure to have missed none: what all of them "
		    "missed can't be known.");
	else if (!lost->events && !lost->untracked && !lost->ends && !lost->clients &&
		 !lost->namespaces && !lost->listeners && !lost->times)
		say(file, options, false, "  nothing was lost");
}

void footer_print_hooks(FILE *file, const struct report *report,
			const struct table_options *options)
{
	size_t i;

	for (i = 0; i < report->n_hooks; i++)
		print_hook(file, &report->hooks[i], options);
	print_losses(file, report, options);
	for (i = 0; i < report->n_notes; i++)
		say(file, options, false, "  %s", report->notes[i]);
}

void footer_print_basis(FILE *file, const struct report *report,
			const struct table_options *options)
{
	say(file, options, false, "What this rests on:");
	footer_print_hooks(file, report, options);
}
