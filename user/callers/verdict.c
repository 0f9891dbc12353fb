/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include "reasons.h"

/* The codes are told to scripts: none may get another meaning. deploy/whocalls.1 explains them. */
static const struct {
	const char *code;
	const char *brief;
} meanings[REASONS] = {
	[REASON_OPENED] = {"connections-opened", ""},
	[REASON_ACTIVE] = {"old-connections-active", ""},
	[REASON_HELD] = {"old-connections-held", ""},
	[REASON_REFUSED] = {"attempts-refused", ""},
	[REASON_DROPPED] = {"handshakes-dropped", ""},
	[REASON_PENDING] = {"attempts-pending", ""},
	[REASON_STRAY] = {"stray-segments", ""},
	[REASON_ENDED_EARLY] = {"ended-early", "it ended early"},
	[REASON_NO_ENDPOINTS] = {"no-endpoints", "there was no endpoint to be called"},
	[REASON_OTHER_NODE] = {"endpoint-on-other-node", "an endpoint is on another node"},
	[REASON_NOT_HERE] = {"endpoint-not-found", "an endpoint was not found on this node"},
	[REASON_LATE] = {"endpoint-late", "an endpoint was not watched all the time"},
	[REASON_UNWATCHED_PROTOCOL] = {"port-not-tcp", "a port is not TCP"},
	[REASON_UNWATCHED_NO_PORT] = {"pod-without-port", "a pod names no TCP port"},
	[REASON_UNWATCHED_TOO_LARGE] = {"object-too-large",
					"an object of the API was too large to be read"},
	[REASON_UNWATCHED_NO_ROOM] = {"endpoint-no-room", "an endpoint found no room"},
	[REASON_NOT_FOLLOWED] = {"endpoints-not-followed", "the list of pods may be out of date"},
	[REASON_API_BLIND] = {"api-blind", "the API did not tell the endpoints all the time"},
	[REASON_API_UNCONFIRMED] = {"api-unconfirmed", "the API did not confirm the endpoints"},
	[REASON_SUSPENDED] = {"machine-suspended", "the machine was suspended"},
	[REASON_GAP] = {"tracer-stopped", "whocalls did not run all the time"},
	[REASON_WITNESSES_MISSED] = {"handshakes-missed", "connections may have been missed"},
	[REASON_DETACHED] = {"hook-detached", "a hook was detached"},
	[REASON_ATTEMPTS_UNSEEN] = {"attempts-unseen", "not all attempts are seen here"},
	[REASON_DROPS_UNKNOWN] = {"drops-unknown", "dropped handshakes may have been calls"},
	[REASON_EVENTS_LOST] = {"events-lost", "single events were lost"},
	[REASON_UNTRACKED] = {"connections-untracked", "connections were not followed"},
	[REASON_ENDS_UNSEEN] = {"ends-unseen", "the end of connections was not seen"},
	[REASON_NAMESPACES_UNSEEN] = {"namespaces-unseen",
				      "network namespaces could not be looked into"},
	[REASON_MISCOUNTED] = {"connections-miscounted", "connections have no caller"},
};

const char *reason_code(enum reason_is is)
{
	return is < REASONS ? meanings[is].code : "unknown";
}

const char *reason_brief(enum reason_is is)
{
	return is < REASONS ? meanings[is].brief : "";
}

const char *verdict_name(enum verdict_is is)
{
	switch (is) {
	case VERDICT_QUIET:
		return "QUIET";
	case VERDICT_TRAFFIC:
		return "TRAFFIC";
	default:
		return "UNPROVEN";
	}
}

static int64_t window_length(const struct coverage *coverage)
{
	return coverage->window.until - coverage->window.since;
}

/* An empty window has no endpoints in it: that is said otherwise. */
static bool no_endpoints(const struct coverage *coverage)
{
	for (size_t i = 0; i < coverage->n_endpoints; i++) {
		struct span existed = coverage_within(coverage, coverage->endpoints[i].existed);

		if (existed.since < existed.until || window_length(coverage) <= 0)
			return false;
	}
	return true;
}

static bool any_hole(const struct coverage *coverage, enum covered_place place)
{
	struct span hole;

	for (size_t i = 0; i < coverage->n_endpoints; i++) {
		const struct covered *endpoint = &coverage->endpoints[i];

		if (endpoint->place == place && coverage_hole(coverage, endpoint, &hole))
			return true;
	}
	return false;
}

static bool any_suspended(const struct coverage *coverage)
{
	for (size_t i = 0; i < coverage->n_gaps; i++) {
		const struct gap *gap = &coverage->gaps[i];

		if (gap->cause == GAP_SUSPENDED && coverage_touches(coverage, gap->span))
			return true;
	}
	return false;
}

/* Of those that are only counted it is not known what they were. */
static bool any_unproven_gap(const struct coverage *coverage)
{
	for (size_t i = 0; i < coverage->n_gaps; i++) {
		const struct gap *gap = &coverage->gaps[i];

		if (gap->cause == GAP_STOPPED && coverage_touches(coverage, gap->span) &&
		    !coverage_gap_proven(coverage, gap))
			return true;
	}
	return coverage->more_gaps;
}

static bool is_traffic(enum reason_is is, const struct verdict *verdict,
		       const struct traffic *traffic)
{
	const struct tally *counted = &verdict->counted;

	switch (is) {
	case REASON_OPENED:
		return counted->opened;
	case REASON_ACTIVE:
		return counted->active;
	case REASON_HELD:
		return counted->held && !verdict->options.allow_idle;
	case REASON_REFUSED:
		return counted->refused;
	case REASON_DROPPED:
		return traffic->dropped;
	case REASON_PENDING:
		return counted->pending;
	default:
		return counted->stray;
	}
}

static bool endpoints_unproven(enum reason_is is, const struct coverage *coverage)
{
	switch (is) {
	case REASON_NO_ENDPOINTS:
		return no_endpoints(coverage);
	case REASON_OTHER_NODE:
		return any_hole(coverage, COVERED_ELSEWHERE);
	case REASON_NOT_HERE:
		return any_hole(coverage, COVERED_ABSENT);
	case REASON_LATE:
		return any_hole(coverage, COVERED_HERE);
	case REASON_UNWATCHED_PROTOCOL:
		return coverage->unwatched & UNWATCHED_PROTOCOL;
	case REASON_UNWATCHED_NO_PORT:
		return coverage->unwatched & UNWATCHED_NO_PORT;
	case REASON_UNWATCHED_TOO_LARGE:
		return coverage->unwatched & UNWATCHED_TOO_LARGE;
	case REASON_UNWATCHED_NO_ROOM:
		return coverage->unwatched & UNWATCHED_NO_ROOM ||
		       any_hole(coverage, COVERED_NO_ROOM);
	case REASON_NOT_FOLLOWED:
		return coverage->from == ENDPOINTS_FILE;
	case REASON_API_BLIND:
		return coverage_blind(coverage);
	default: /* REASON_API_UNCONFIRMED */
		return !coverage->confirmed;
	}
}

static bool is_unproven(enum reason_is is, const struct coverage *coverage)
{
	switch (is) {
	case REASON_ENDED_EARLY:
		return window_length(coverage) <= 0 || window_length(coverage) < coverage->wanted;
	case REASON_SUSPENDED:
		return any_suspended(coverage);
	case REASON_GAP:
		return any_unproven_gap(coverage);
	case REASON_WITNESSES_MISSED:
		return !coverage->witnesses_complete;
	case REASON_DETACHED:
		return !coverage->intact;
	case REASON_ATTEMPTS_UNSEEN:
		return !coverage->attempts_seen || coverage->lost.listeners;
	case REASON_DROPS_UNKNOWN:
		return coverage->drops_unknown;
	case REASON_EVENTS_LOST:
		return coverage->lost.events;
	case REASON_UNTRACKED:
		return coverage->lost.untracked;
	case REASON_ENDS_UNSEEN:
		return coverage->lost.ends;
	case REASON_NAMESPACES_UNSEEN:
		return coverage->lost.namespaces || coverage->own_pid_namespace;
	case REASON_MISCOUNTED:
		return coverage->miscounted;
	default:
		return endpoints_unproven(is, coverage);
	}
}

static void add_reason(struct verdict *verdict, enum reason_is is, enum verdict_is makes,
		       const struct traffic *traffic, const struct coverage *coverage)
{
	struct reason *reason = &verdict->reasons[verdict->n_reasons++];

	reason->is = is;
	reason->verdict = makes;
	reason_write(reason, verdict, traffic, coverage);
	if (verdict->is == VERDICT_QUIET)
		verdict->is = makes;
}

static struct verdict begin(const struct traffic *traffic, const struct verdict_options *options)
{
	struct verdict verdict = {.options = *options, .counted = traffic->callers};

	if (options->count_probes)
		tally_add(&verdict.counted, &traffic->probes);
	return verdict;
}

bool verdict_is_traffic(const struct traffic *traffic, const struct verdict_options *options)
{
	const struct verdict verdict = begin(traffic, options);

	for (int is = 0; is < REASON_ENDED_EARLY; is++)
		if (is_traffic(is, &verdict, traffic))
			return true;
	return false;
}

void verdict_decide(struct verdict *verdict, const struct traffic *traffic,
		    const struct coverage *coverage, const struct verdict_options *options)
{
	int64_t length = window_length(coverage);

	*verdict = begin(traffic, options);
	if (length > 0)
		verdict->rate_below = 3 / (length / 1e9);
	/* TRAFFIC outranks UNPROVEN, so its reasons come first */
	for (int is = 0; is < REASON_ENDED_EARLY; is++) {
		if (is_traffic(is, verdict, traffic))
			add_reason(verdict, is, VERDICT_TRAFFIC, traffic, coverage);
	}
	for (int is = REASON_ENDED_EARLY; is < REASONS; is++) {
		if (is_unproven(is, coverage))
			add_reason(verdict, is, VERDICT_UNPROVEN, traffic, coverage);
	}
}

bool verdict_has(const struct verdict *verdict, enum reason_is is)
{
	for (size_t i = 0; i < verdict->n_reasons; i++)
		if (verdict->reasons[i].is == is)
			return true;
	return false;
}

void verdict_add(struct verdict *verdict, const struct reason *reason)
{
	size_t at = verdict->n_reasons;

	if (verdict_has(verdict, reason->is))
		return;
	for (; at && verdict->reasons[at - 1].is > reason->is; at--)
		verdict->reasons[at] = verdict->reasons[at - 1];
	verdict->reasons[at] = *reason;
	verdict->n_reasons++;
	if (verdict->is == VERDICT_QUIET)
		verdict->is = reason->verdict;
}
