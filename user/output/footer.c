/* SPDX-License-Identifier: MIT */
#include "footer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "format.h"

#define SENTENCE 2048
#define YELLOW "\033[33m"
#define NO_COLOUR "\033[0m"

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

/* Prints a text in lines of at most `width` characters, broken between words; the lines after the
 * first stand `indent` further in. */
static void print_wrapped(FILE *file, const char *text, int width, int indent, const char *colour)
{
	int left = 0;

	while (*text) {
		int n = strlen(text), room = width - left;

		if (width > 0 && n > room) {
			for (n = room > 1 ? room : 1; n > 1 && text[n] != ' '; n--)
				;
			/* a word longer than a line is broken somewhere */
			if (n == 1)
				n = room > 1 ? room : 1;
		}
		fprintf(file, "%*s%s%.*s%s\n", left, "", colour, n, text, *colour ? NO_COLOUR : "");
		text += n;
		while (*text == ' ')
			text++;
		left = indent < width / 2 ? indent : 0;
	}
}

static void say(FILE *file, const struct table_options *options, bool warn, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static void say(FILE *file, const struct table_options *options, bool warn, const char *format, ...)
{
	char text[SENTENCE];
	va_list args;
	int indent;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	indent = text[0] == ' ' ? 4 : 0;
	print_wrapped(file, text, options->width, indent, warn && options->colour ? YELLOW : "");
}

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
		    plural(n, "connection", "connections"));
		return;
	}
	say(file, options, true,
	    "  %" PRIu64 " %s, caller unknown: the table of callers is full (%" PRIu64 ")", n,
	    plural(n, "connection", "connections"), report->max_callers);
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
			    plural(one->overflows, "handshake was", "handshakes were"), one->port);
	}
}

static void print_attempts(FILE *file, const struct report *report,
			   const struct table_options *options)
{
	if (report->refused)
		say(file, options, true,
		    "%" PRIu64 " %s refused: nobody listened there. -o json tells whose they were.",
		    report->refused, plural(report->refused, "attempt was", "attempts were"));
	if (report->stray)
		say(file, options, true,
		    "%" PRIu64 " %s of data came on connections that the server no longer had.",
		    report->stray, plural(report->stray, "segment", "segments"));
	if (report->pending)
		say(file, options, true,
		    "%" PRIu64
		    " %s half-open: the kernel waits for more from the client, or for room in the "
		    "queue, before the application can take %s.",
		    report->pending, plural(report->pending, "connection is", "connections are"),
		    plural(report->pending, "it", "them"));
}

void footer_print_totals(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	struct caller_counts counts;
	struct open_counts open;
	char text[256];

	sum_all(report, &counts, &open);
	say(file, options, false,
	    "opened %" PRIu64 " = attributed %" PRIu64 " + unattributed %" PRIu64
	    ", accepted %" PRIu64 ", open %" PRIu64 "%s",
	    report->attributed + report->unattributed, report->attributed, report->unattributed,
	    report->accepted, report->open, describe_open(report, &open, text, sizeof(text)));
	if (open.old_active)
		say(file, options, false,
		    "%" PRIu64 " %s that %s open before %s carried data since.", open.old_active,
		    plural(open.old_active, "connection", "connections"),
		    plural(open.old_active, "was", "were"), plural(open.old_active, "has", "have"));
	print_attempts(file, report, options);
	print_queues(file, report, options);
}

static void print_hook(FILE *file, const struct hook *hook, const struct table_options *options)
{
	uint64_t skipped = hook->recursion_misses + hook->nmissed;
	char text[SENTENCE] = "";

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
			      plural(skipped, "run", "runs"));
	if (hook->why && *hook->why)
		format_append(text, sizeof(text), " (%s)", hook->why);
	say(file, options, false, "%s", text);
}

/* Those of the handshake: the state tracepoint and sockops, both with the program tcp_accept. */
static bool all_witnesses_missed(const struct report *report)
{
	size_t witnesses = 0, missed = 0;

	for (size_t i = 0; i < report->n_hooks; i++) {
		const struct hook *hook = &report->hooks[i];

		if (!hook->hook || strcmp(hook->program, "tcp_accept"))
			continue;
		witnesses++;
		/* alone, a witness's own skipped runs are all that tells */
		missed += hook->missed || (hook->recursion_misses && report->n_hooks > 1 &&
					   witnesses == 1 && !report->hooks[1].hook);
	}
	return witnesses && missed == witnesses;
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
		    lost->events, plural(lost->events, "event", "events"));
	if (lost->untracked)
		say(file, options, true,
		    "  %" PRIu64 " %s counted but not followed, the table of connections was full: "
		    "when %s ended and how much %s carried is not known.",
		    lost->untracked, plural(lost->untracked, "connection was", "connections were"),
		    plural(lost->untracked, "it", "they"), plural(lost->untracked, "it", "they"));
	if (lost->ends)
		say(file, options, true,
		    "  the end of %" PRIu64
		    " %s was not seen, only that %s gone: when %s ended and "
		    "what %s carried last is not known exactly.",
		    lost->ends, plural(lost->ends, "connection", "connections"),
		    plural(lost->ends, "it is", "they are"), plural(lost->ends, "it", "they"),
		    plural(lost->ends, "it", "they"));
	if (lost->accepts)
		say(file, options, true,
		    "  of %" PRIu64
		    " of them it is not known whether the application accepted them.",
		    lost->accepts);
	if (lost->clients)
		say(file, options, true,
		    "  %" PRIu64 " %s of this node could not be remembered: such a caller is known "
		    "by its address only.",
		    lost->clients, plural(lost->clients, "client process", "client processes"));
	if (lost->namespaces)
		say(file, options, true,
		    "  %" PRIu64 " network %s could not be looked into: what was open there before "
		    "is not known.",
		    lost->namespaces, plural(lost->namespaces, "namespace", "namespaces"));
	/* live, the one is read after the other; at the end they must agree */
	if (report->final && report->opened > counted)
		say(file, options, true,
		    "  %" PRIu64 " %s counted by the kernel, but under no caller.",
		    (uint64_t)report->opened - counted,
		    plural(report->opened - counted, "connection was", "connections were"));
	if (all_witnesses_missed(report))
		say(file, options, true,
		    "  each witness of the handshake missed some connections: what all of them missed "
		    "can't be known.");
	else if (!lost->events && !lost->untracked && !lost->ends && !lost->clients &&
		 !lost->namespaces)
		say(file, options, false, "  nothing was lost");
}

void footer_print_basis(FILE *file, const struct report *report,
			const struct table_options *options)
{
	size_t i;

	say(file, options, false, "What this rests on:");
	for (i = 0; i < report->n_hooks; i++)
		print_hook(file, &report->hooks[i], options);
	print_losses(file, report, options);
	for (i = 0; i < report->n_notes; i++)
		say(file, options, false, "  %s", report->notes[i]);
}
