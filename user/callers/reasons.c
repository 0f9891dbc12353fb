/* SPDX-License-Identifier: MIT */
#include "reasons.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"

/* So many names stand in a sentence. */
#define NAMES 4

/* --- pieces --- */

static void append(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void append(char *buf, size_t size, const char *format, ...)
{
	size_t n = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + n, size - n, format, args);
	va_end(args);
}

#define TEXT(reason, ...) append((reason)->text, sizeof((reason)->text), __VA_ARGS__)
#define NEXT(reason, ...) append((reason)->next, sizeof((reason)->next), __VA_ARGS__)

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void append_endpoint(char *buf, size_t size, const struct covered *endpoint)
{
	char address[ADDRESS_TEXT];

	if (*endpoint->pod)
		append(buf, size, "%.80s/%.80s", endpoint->namespace, endpoint->pod);
	else if (address_is_any(&endpoint->address))
		append(buf, size, "port %u", endpoint->port);
	else
		append(buf, size, "%s port %u", address_format(&endpoint->address, address),
		       endpoint->port);
}

/* " from 12s to 14s of the window" */
static void append_hole(char *buf, size_t size, const struct coverage *coverage, struct span hole)
{
	char from[DURATION_TEXT], to[DURATION_TEXT];

	append(buf, size, " from %s to %s of the window",
	       duration_format(hole.since - coverage->window.since, from),
	       duration_format(hole.until - coverage->window.since, to));
}

/* The name of an endpoint, with what of it matters for the reason. */
static void append_uncovered(char *buf, size_t size, const struct coverage *coverage,
			     const struct covered *endpoint, struct span hole)
{
	append_endpoint(buf, size, endpoint);
	if (endpoint->place == COVERED_ELSEWHERE)
		append(buf, size, " on %.80s", endpoint->node);
	else if (endpoint->place == COVERED_HERE)
		append_hole(buf, size, coverage, hole);
}

/* Those of a place that were not watched all the time; returns how many, all of them. */
static size_t append_endpoints(char *buf, size_t size, const struct coverage *coverage,
			       enum covered_place place)
{
	struct span hole;
	size_t n = 0;

	for (size_t i = 0; i < coverage->n_endpoints; i++) {
		const struct covered *endpoint = &coverage->endpoints[i];

		if (endpoint->place != place || !coverage_hole(coverage, endpoint, &hole))
			continue;
		if (n < NAMES && buf) {
			append(buf, size, "%s", n ? ", " : "");
			append_uncovered(buf, size, coverage, endpoint, hole);
		}
		n++;
	}
	if (n > NAMES && buf)
		append(buf, size, " and %zu more", n - NAMES);
	return n;
}

static size_t count_endpoints(const struct coverage *coverage, enum covered_place place)
{
	return append_endpoints(NULL, 0, coverage, place);
}

/* Whether an endpoint before this one that was not watched either is on the same node. */
static bool node_was_named(const struct coverage *coverage, size_t at)
{
	struct span hole;

	for (size_t i = 0; i < at; i++) {
		const struct covered *endpoint = &coverage->endpoints[i];

		if (endpoint->place == COVERED_ELSEWHERE &&
		    coverage_hole(coverage, endpoint, &hole) &&
		    !strcmp(endpoint->node, coverage->endpoints[at].node))
			return true;
	}
	return false;
}

/* The nodes that were not watched. */
static void append_nodes(char *buf, size_t size, const struct coverage *coverage)
{
	struct span hole;
	size_t n = 0;

	for (size_t i = 0; i < coverage->n_endpoints && n <= NAMES; i++) {
		const struct covered *endpoint = &coverage->endpoints[i];

		if (endpoint->place != COVERED_ELSEWHERE ||
		    !coverage_hole(coverage, endpoint, &hole) || node_was_named(coverage, i))
			continue;
		if (n < NAMES)
			append(buf, size, "%s%.80s", n ? ", " : "", endpoint->node);
		else
			append(buf, size, " and others");
		n++;
	}
}

/* --- TRAFFIC --- */

static void write_held(struct reason *reason, const struct verdict *verdict,
		       const struct coverage *coverage)
{
	const struct tally *counted = &verdict->counted;
	char age[DURATION_TEXT];

	TEXT(reason, "%" PRIu64 " %s opened before the window and held open in it, idle",
	     counted->held, plural(counted->held, "connection was", "connections were"));
	if (counted->held_since && counted->held_since < coverage->window.until)
		TEXT(reason, ", the oldest for %s",
		     duration_format(coverage->window.until - counted->held_since, age));
	TEXT(reason, ".");
	NEXT(reason, "Whoever holds a connection can call on it at any time: restart these callers "
		     "or shrink their pools, or accept idle connections with --allow-idle.");
}

static void write_traffic(struct reason *reason, const struct verdict *verdict,
			  const struct traffic *traffic, const struct coverage *coverage)
{
	const struct tally *counted = &verdict->counted;

	switch (reason->is) {
	case REASON_OPENED:
		TEXT(reason, "%" PRIu64 " %s opened.", counted->opened,
		     plural(counted->opened, "connection was", "connections were"));
		NEXT(reason, "Point these callers elsewhere, then verify again.");
		break;
	case REASON_ACTIVE:
		TEXT(reason, "%" PRIu64 " %s opened before the window carried data in it.",
		     counted->active, plural(counted->active, "connection", "connections"));
		NEXT(reason, "These callers keep their connections: restart them once they are "
			     "pointed elsewhere.");
		break;
	case REASON_HELD:
		write_held(reason, verdict, coverage);
		break;
	case REASON_REFUSED:
		TEXT(reason, "%" PRIu64 " %s refused, for nobody listened.", counted->refused,
		     plural(counted->refused, "attempt was", "attempts were"));
		NEXT(reason, "They call, though nothing answers: point these callers elsewhere, or "
			     "see why nobody listens.");
		break;
	case REASON_DROPPED:
		TEXT(reason,
		     "%" PRIu64 " %s dropped by listeners of the target; whose is not known.",
		     traffic->dropped,
		     plural(traffic->dropped, "handshake was", "handshakes were"));
		NEXT(reason, "The accept queue is full: see whether the server accepts at all, and "
			     "verify again once it does.");
		break;
	case REASON_PENDING:
		TEXT(reason, "%" PRIu64 " %s not completed.", counted->pending,
		     plural(counted->pending, "handshake was begun and",
			    "handshakes were begun and"));
		NEXT(reason, "Somebody tries to connect: point these callers elsewhere, or see why "
			     "the server's answer does not get to them.");
		break;
	default:
		TEXT(reason,
		     "%" PRIu64 " %s with data came for connections that the server no longer has.",
		     counted->stray, plural(counted->stray, "segment", "segments"));
		NEXT(reason, "These callers believe their connections to be open: restart them.");
		break;
	}
}

/* --- UNPROVEN: endpoints --- */

static void write_other_node(struct reason *reason, const struct coverage *coverage)
{
	size_t n = count_endpoints(coverage, COVERED_ELSEWHERE);

	TEXT(reason, "%zu %s on another node, where nobody watched: ", n,
	     plural(n, "endpoint is", "endpoints are"));
	append_endpoints(reason->text, sizeof(reason->text), coverage, COVERED_ELSEWHERE);
	TEXT(reason, ".");
	NEXT(reason, "Verify there too, at the same time: on ");
	append_nodes(reason->next, sizeof(reason->next), coverage);
	NEXT(reason, ".");
}

static void write_not_here(struct reason *reason, const struct coverage *coverage)
{
	size_t n = count_endpoints(coverage, COVERED_ABSENT);

	TEXT(reason, "The address of %zu %s was not found on the node that should have it: ", n,
	     plural(n, "endpoint", "endpoints"));
	append_endpoints(reason->text, sizeof(reason->text), coverage, COVERED_ABSENT);
	TEXT(reason, ".");
	NEXT(reason,
	     "See whether it runs, and that whocalls runs in the node's own network and pid "
	     "namespaces, with the right --node.");
}

static void write_late(struct reason *reason, const struct coverage *coverage)
{
	size_t n = count_endpoints(coverage, COVERED_HERE);

	TEXT(reason, "%zu %s not watched all the time: ", n,
	     plural(n, "endpoint was", "endpoints were"));
	append_endpoints(reason->text, sizeof(reason->text), coverage, COVERED_HERE);
	TEXT(reason, ".");
	NEXT(reason, "Verify again now that they are there from the start, with no rollout or "
		     "scaling meanwhile.");
}

static void write_no_room(struct reason *reason, const struct coverage *coverage)
{
	size_t n = count_endpoints(coverage, COVERED_NO_ROOM);

	TEXT(reason, "There was no room in the kernel's table for %s",
	     n ? "these endpoints: " : "some endpoints");
	append_endpoints(reason->text, sizeof(reason->text), coverage, COVERED_NO_ROOM);
	TEXT(reason, ".");
	NEXT(reason, "Verify again: room is made at the start for as many as there are then, and "
		     "more.");
}

/* What else was said, and the end of the sentence. */
static void append_detail(struct reason *reason, const char *detail)
{
	size_t n = strlen(detail);

	/* the sentence has its own full stop */
	while (n && (detail[n - 1] == '.' || detail[n - 1] == ' '))
		n--;
	if (n)
		TEXT(reason, ": %.*s", (int)n, detail);
	TEXT(reason, ".");
}

static void write_unwatched(struct reason *reason, const struct coverage *coverage)
{
	switch (reason->is) {
	case REASON_UNWATCHED_PROTOCOL:
		TEXT(reason, "The target has a port that is not TCP, which can't be watched");
		NEXT(reason, "Name a TCP port of it with --port, and look at the other by other "
			     "means (conntrack, tcpdump).");
		break;
	case REASON_UNWATCHED_NO_PORT:
		TEXT(reason, "A pod of the target names no TCP port, so it is not known where it "
			     "can be called");
		NEXT(reason, "Name the port with --port.");
		break;
	default:
		TEXT(reason, "The API told an object that was too large to be read, so endpoints "
			     "may be missing");
		NEXT(reason, "Name the target otherwise, by its pods (-l SELECTOR) or its "
			     "workload.");
		break;
	}
	append_detail(reason, coverage->unwatched_text);
}

/* --- UNPROVEN: what told of endpoints --- */

static void write_blind(struct reason *reason, const struct coverage *coverage)
{
	const char *said = "";
	char length[DURATION_TEXT];
	int64_t ns = 0;

	for (size_t i = 0; i < coverage->n_blind; i++) {
		const struct blind *blind = &coverage->blind[i];
		struct span within = coverage_within(coverage, blind->span);

		if (blind->bridged || !coverage_touches(coverage, blind->span))
			continue;
		ns += within.until - within.since;
		said = *said ? said : blind->text;
	}
	TEXT(reason,
	     "For %s%s the API did not tell what is behind the target, nor afterwards all that had "
	     "happened",
	     coverage->more_blind ? "at least " : "", duration_format(ns, length));
	append_detail(reason, said);
	NEXT(reason, "See that the API can be reached and asked all the time, then verify again.");
}

static void write_endpoints(struct reason *reason, const struct coverage *coverage)
{
	switch (reason->is) {
	case REASON_NO_ENDPOINTS:
		TEXT(reason, "There was no endpoint in the window: nobody could reach the target, "
			     "who tried is not seen.");
		NEXT(reason,
		     "kube-proxy refuses such calls on the caller's own node: with iptables, "
		     "`iptables-save -c -t filter | grep 'has no endpoints'` counts them there, on "
		     "each node; or start one pod, and verify again.");
		break;
	case REASON_OTHER_NODE:
		write_other_node(reason, coverage);
		break;
	case REASON_NOT_HERE:
		write_not_here(reason, coverage);
		break;
	case REASON_LATE:
		write_late(reason, coverage);
		break;
	case REASON_UNWATCHED_NO_ROOM:
		write_no_room(reason, coverage);
		break;
	case REASON_NOT_FOLLOWED:
		TEXT(reason, "The endpoints are from a list of pods, read once: others may have "
			     "come since it was written.");
		NEXT(reason,
		     "Let whocalls ask the API itself, with --kubeconfig or as a pod with a "
		     "service account.");
		break;
	case REASON_API_BLIND:
		write_blind(reason, coverage);
		break;
	case REASON_API_UNCONFIRMED:
		TEXT(reason,
		     "At the end the API did not confirm what it had told of the endpoints");
		append_detail(reason, coverage->unconfirmed);
		NEXT(reason, "See that the API answers, then verify again.");
		break;
	default:
		write_unwatched(reason, coverage);
		break;
	}
}

/* --- UNPROVEN: time --- */

static void write_early(struct reason *reason, const struct coverage *coverage)
{
	int64_t length = coverage->window.until - coverage->window.since;
	char real[DURATION_TEXT], wanted[DURATION_TEXT];

	duration_format(length, real);
	duration_format(coverage->wanted, wanted);
	if (length <= 0)
		TEXT(reason, "There was no time in which all was watched.");
	else if (!strcmp(real, wanted))
		TEXT(reason, "It ended just before the %s were over.", wanted);
	else
		TEXT(reason, "It ended after %s of %s.", real, wanted);
	NEXT(reason, "Verify again, and let it run to its end.");
}

/* How many there were of a cause, and how long in all. */
static void append_gaps(struct reason *reason, const struct coverage *coverage,
			enum gap_cause cause)
{
	char length[DURATION_TEXT];
	uint64_t n = 0;
	int64_t ns = 0;

	for (size_t i = 0; i < coverage->n_gaps; i++) {
		const struct gap *gap = &coverage->gaps[i];

		if (gap->cause != cause || !coverage_touches(coverage, gap->span))
			continue;
		n++;
		ns += gap->span.until - gap->span.since;
	}
	TEXT(reason, "%" PRIu64 " %s (%s in all)", n, plural(n, "time", "times"),
	     duration_format(ns, length));
	if (coverage->more_gaps)
		TEXT(reason, " and %" PRIu64 " times of which no more is known",
		     coverage->more_gaps);
}

static void write_time(struct reason *reason, const struct coverage *coverage)
{
	switch (reason->is) {
	case REASON_ENDED_EARLY:
		write_early(reason, coverage);
		break;
	case REASON_SUSPENDED:
		TEXT(reason, "The machine was suspended ");
		append_gaps(reason, coverage, GAP_SUSPENDED);
		TEXT(reason, ": nobody could call meanwhile.");
		NEXT(reason, "Keep the machine awake, and verify again.");
		break;
	default:
		TEXT(reason, "whocalls was stopped, or starved, ");
		append_gaps(reason, coverage, GAP_STOPPED);
		TEXT(reason, ", and what happened meanwhile is not proven.");
		NEXT(reason,
		     "Give whocalls its share of CPU time, and close what else is open here: the "
		     "kernel counts on meanwhile, so with all else in order, and for no more than 30s at a "
		     "time, that is proof.");
		break;
	}
}

/* --- UNPROVEN: what was missed, or lost --- */

static void write_attempts(struct reason *reason, const struct coverage *coverage)
{
	uint64_t n = coverage->lost.listeners;

	if (coverage->attempts_seen) {
		TEXT(reason,
		     "%" PRIu64 " %s no room in the kernel's table: handshakes that %s dropped are "
		     "not seen.",
		     n, plural(n, "listener found", "listeners found"), plural(n, "it", "they"));
		NEXT(reason, "Verify fewer of them at a time: one pod, or --address.");
		return;
	}
	TEXT(reason, "Attempts at a port where nobody listens are not seen here");
	append_detail(reason, coverage->attempts_why);
	NEXT(reason, "See what `whocalls doctor` says of refused attempts.");
}

static void write_missed(struct reason *reason, const struct coverage *coverage)
{
	switch (reason->is) {
	case REASON_WITNESSES_MISSED:
		TEXT(reason, "No witness of the handshake is sure to have missed none: what all of "
			     "them missed can't be known.");
		NEXT(reason, "See what `whocalls doctor` says of sockops, the witness that misses "
			     "nothing.");
		break;
	case REASON_DETACHED:
		TEXT(reason, "A hook that was attached at the start was not at the end, so calls "
			     "may not have been seen.");
		NEXT(reason, "See who detaches programs here (`bpftool link`), then verify again.");
		break;
	case REASON_ATTEMPTS_UNSEEN:
		write_attempts(reason, coverage);
		break;
	case REASON_DROPS_UNKNOWN:
		TEXT(reason,
		     "%" PRIu64 " %s dropped where a listener of the target ended meanwhile: for "
		     "that one, or for another.",
		     coverage->drops_unknown,
		     plural(coverage->drops_unknown, "handshake was", "handshakes were"));
		NEXT(reason, "Verify again while the server is not restarted.");
		break;
	default:
		TEXT(reason, "%" PRIu64 " %s counted by the kernel, but under no caller.",
		     coverage->miscounted,
		     plural(coverage->miscounted, "connection was", "connections were"));
		NEXT(reason, "That is a fault of whocalls: please report it, with -o json.");
		break;
	}
}

static void write_namespaces(struct reason *reason, const struct coverage *coverage)
{
	uint64_t n = coverage->lost.namespaces;

	if (n)
		TEXT(reason,
		     "%" PRIu64 " network %s could not be looked into: what was open there before "
		     "is not known.",
		     n, plural(n, "namespace", "namespaces"));
	else
		TEXT(reason, "whocalls ran in a pid namespace of its own, where it does not see "
			     "every network namespace: what was open there before is not known.");
	NEXT(reason, "Run whocalls as root in the node's own pid namespace (hostPID), with all of "
		     "/proc.");
}

static void write_lost(struct reason *reason, const struct coverage *coverage)
{
	const struct losses *lost = &coverage->lost;

	switch (reason->is) {
	case REASON_EVENTS_LOST:
		TEXT(reason, "%" PRIu64 " single %s found no room in the ring.", lost->events,
		     plural(lost->events, "event", "events"));
		NEXT(reason, "Verify again with a larger --ring-size.");
		break;
	case REASON_UNTRACKED:
		TEXT(reason,
		     "%" PRIu64 " %s counted but not followed: the table of connections was full.",
		     lost->untracked,
		     plural(lost->untracked, "connection was", "connections were"));
		NEXT(reason, "Verify again with a larger --max-connections.");
		break;
	case REASON_ENDS_UNSEEN:
		TEXT(reason,
		     "The end of %" PRIu64 " %s was not seen: what %s carried last is not known.",
		     lost->ends, plural(lost->ends, "connection", "connections"),
		     plural(lost->ends, "it", "they"));
		NEXT(reason, "See what `whocalls doctor` says of sockops, which tells of ends, "
			     "too.");
		break;
	default:
		write_namespaces(reason, coverage);
		break;
	}
}

void reason_write(struct reason *reason, const struct verdict *verdict,
		  const struct traffic *traffic, const struct coverage *coverage)
{
	reason->text[0] = reason->next[0] = '\0';
	switch (reason->is) {
	case REASON_OPENED ... REASON_STRAY:
		write_traffic(reason, verdict, traffic, coverage);
		break;
	case REASON_ENDED_EARLY:
	case REASON_SUSPENDED:
	case REASON_GAP:
		write_time(reason, coverage);
		break;
	case REASON_NO_ENDPOINTS ... REASON_API_UNCONFIRMED:
		write_endpoints(reason, coverage);
		break;
	case REASON_EVENTS_LOST ... REASON_NAMESPACES_UNSEEN:
		write_lost(reason, coverage);
		break;
	default:
		write_missed(reason, coverage);
		break;
	}
}
