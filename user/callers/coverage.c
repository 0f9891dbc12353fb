/* SPDX-License-Identifier: MIT */
#include "coverage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t oldest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t newest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool span_empty(struct span span)
{
	return span.until <= span.since;
}

static struct span span_cut(struct span span, struct span by)
{
	return (struct span){newest(span.since, by.since), oldest(span.until, by.until)};
}

/* From the beginning of the one to the end of the other; an empty one is none. */
static struct span span_both(struct span a, struct span b)
{
	if (span_empty(a) || span_empty(b))
		return span_empty(a) ? b : a;
	return (struct span){oldest(a.since, b.since), newest(a.until, b.until)};
}

static int compare_times(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_spans(const void *first, const void *second)
{
	const struct span *a = first, *b = second;
	int r = compare_times(a->since, b->since);

	return r ? r : compare_times(a->until, b->until);
}

/* Sorts spans, and makes one of those that touch. Returns how many are left. */
static size_t spans_unite(struct span *spans, size_t n)
{
	size_t kept = 0;

	if (!n)
		return 0;
	qsort(spans, n, sizeof(*spans), compare_spans);
	for (size_t i = 1; i < n; i++) {
		if (spans[i].since <= spans[kept].until)
			spans[kept].until = newest(spans[kept].until, spans[i].until);
		else
			spans[++kept] = spans[i];
	}
	return kept + 1;
}

/* --- witnesses --- */

static bool is_witness(const struct hook *hook)
{
	return hook->hook && !strcmp(hook->program, "tcp_accept");
}

size_t coverage_witnesses(const struct report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < report->n_hooks; i++)
		n += is_witness(&report->hooks[i]);
	return n;
}

bool coverage_witnesses_complete(const struct report *report)
{
	for (size_t i = 0; i < report->n_hooks; i++) {
		const struct hook *hook = &report->hooks[i];

		/* of sockops the kernel skips no run */
		if (is_witness(hook) && !hook->missed && !hook->recursion_misses)
			return true;
	}
	return false;
}

static const struct hook *hook_find(const struct report *report, const char *program)
{
	for (size_t i = 0; i < report->n_hooks; i++) {
		if (!strcmp(report->hooks[i].program, program))
			return &report->hooks[i];
	}
	return NULL;
}

/* --- endpoints of one node --- */

static const char *text_of(const char *text)
{
	return text ? text : "";
}

static int64_t real_time(const struct report *report, uint64_t ns)
{
	return (int64_t)ns + report->realtime_offset;
}

static struct span window_of(const struct report *report)
{
	return (struct span){real_time(report, report->start_ns),
			     real_time(report, report->end_ns)};
}

/* On each node another one. */
static bool is_of_the_node(const struct address *address)
{
	return address_is_any(address) || address_is_loopback(address);
}

/*
 * Of an endpoint that came in the window nobody knows when it could first be called, unless its pod
 * is younger: it may have been there and have been told late, or have got the label that makes it
 * one. So it is never watched from its beginning.
 */
static int64_t existed_since(const struct report *report, const struct endpoint *endpoint)
{
	struct span window = window_of(report);
	int64_t told = real_time(report, endpoint->since);

	/* after it was told: another clock, that is ahead */
	if (endpoint->since && endpoint->existed > window.since && endpoint->existed < told)
		return endpoint->existed;
	return window.since;
}

/* There was no room for it: watched for no time. */
static bool no_room(const struct endpoint *endpoint)
{
	return endpoint->since && endpoint->since == endpoint->until;
}

static enum covered_place place_of(const struct endpoint *endpoint, const char *here)
{
	const char *node = endpoint->pod ? text_of(endpoint->pod->node) : "";
	/* which node this is may not be known: then what is found here is here */
	bool elsewhere = *node && (*here ? strcmp(node, here) != 0 : !endpoint->here);

	if (elsewhere)
		return COVERED_ELSEWHERE;
	if (!endpoint->here)
		return COVERED_ABSENT;
	return no_room(endpoint) ? COVERED_NO_ROOM : COVERED_HERE;
}

static struct covered covered_of(const struct endpoint *endpoint, const char *here)
{
	const struct pod_name *pod = endpoint->pod;

	return (struct covered){
		.namespace = pod ? text_of(pod->namespace) : "",
		.pod = pod ? text_of(pod->pod) : "",
		.uid = pod ? text_of(pod->uid) : "",
		.node = pod                                  ? text_of(pod->node)
			: is_of_the_node(&endpoint->address) ? here
							     : "",
		.address = endpoint->address,
		.port = endpoint->port,
		.place = place_of(endpoint, here),
	};
}

/* Adds it unless it ended before the window began. */
static int endpoint_add(struct coverage *coverage, const struct report *report,
			const struct endpoint *endpoint)
{
	struct covered covered = covered_of(endpoint, coverage->node);
	struct span window = coverage->window;
	struct span watched = window;

	if (endpoint->until && endpoint->until < report->start_ns)
		return 0;
	covered.existed = (struct span){existed_since(report, endpoint), window.until};
	if (endpoint->until && !no_room(endpoint))
		covered.existed.until = real_time(report, endpoint->until);
	covered.existed = span_cut(covered.existed, window);
	if (endpoint->since)
		watched.since = real_time(report, endpoint->since);
	if (endpoint->until)
		watched.until = real_time(report, endpoint->until);
	watched = span_cut(watched, window);
	if (covered.place == COVERED_HERE && !span_empty(watched)) {
		covered.watched = malloc(sizeof(*covered.watched));
		if (!covered.watched)
			return -ENOMEM;
		covered.watched[covered.n_watched++] = watched;
	}
	coverage->endpoints[coverage->n_endpoints++] = covered;
	return 0;
}

/* --- endpoints that are one --- */

static int compare_identities(const void *first, const void *second)
{
	const struct covered *a = first, *b = second;
	int r = strcmp(a->uid, b->uid);

	if (!r)
		r = memcmp(&a->address, &b->address, sizeof(a->address));
	if (!r)
		r = (int)a->port - (int)b->port;
	if (!r && !*a->uid && is_of_the_node(&a->address))
		r = strcmp(a->node, b->node);
	return r;
}

static int compare_names(const void *first, const void *second)
{
	const struct covered *a = first, *b = second;
	int r = strcmp(a->namespace, b->namespace);

	if (!r)
		r = strcmp(a->pod, b->pod);
	return r ? r : compare_identities(a, b);
}

static const char *either(const char *a, const char *b)
{
	return *a ? a : b;
}

/* *more is of the same endpoint, and empty afterwards. */
static int covered_absorb(struct covered *into, struct covered *more)
{
	if (more->n_watched) {
		size_t n = into->n_watched + more->n_watched;
		struct span *watched = reallocarray(into->watched, n, sizeof(*watched));

		if (!watched)
			return -ENOMEM;
		memcpy(watched + into->n_watched, more->watched,
		       more->n_watched * sizeof(*watched));
		into->watched = watched;
		into->n_watched = spans_unite(watched, n);
		free(more->watched);
		more->watched = NULL;
		more->n_watched = 0;
	}
	into->namespace = either(into->namespace, more->namespace);
	into->pod = either(into->pod, more->pod);
	into->node = either(into->node, more->node);
	into->existed = span_both(into->existed, more->existed);
	if (more->place < into->place)
		into->place = more->place;
	return 0;
}

static void covered_free(struct covered *endpoints, size_t n)
{
	for (size_t i = 0; endpoints && i < n; i++)
		free(endpoints[i].watched);
	free(endpoints);
}

/* Makes one of each endpoint. On an error all of the `*n` are still there. */
static int covered_unite(struct covered *endpoints, size_t *n)
{
	size_t kept = 0;
	int r = 0;

	qsort(endpoints, *n, sizeof(*endpoints), compare_identities);
	for (size_t i = 1; i < *n && !r; i++) {
		if (compare_identities(&endpoints[kept], &endpoints[i]) != 0) {
			struct covered one = endpoints[i];

			endpoints[i].watched = NULL;
			endpoints[++kept] = one;
		} else {
			r = covered_absorb(&endpoints[kept], &endpoints[i]);
		}
	}
	if (r)
		return r;
	*n = *n ? kept + 1 : 0;
	qsort(endpoints, *n, sizeof(*endpoints), compare_names);
	return 0;
}

static int covered_copy(struct covered *out, const struct covered *from)
{
	*out = *from;
	out->watched = NULL;
	if (!from->n_watched)
		return 0;
	out->watched = malloc(from->n_watched * sizeof(*out->watched));
	if (!out->watched)
		return -ENOMEM;
	memcpy(out->watched, from->watched, from->n_watched * sizeof(*out->watched));
	return 0;
}

/* --- gaps and blind times --- */

static int compare_gaps(const void *first, const void *second)
{
	const struct gap *a = first, *b = second;
	int r = compare_spans(&a->span, &b->span);

	return r ? r : (int)a->cause - (int)b->cause;
}

static int compare_blind(const void *first, const void *second)
{
	const struct blind *a = first, *b = second;
	int r = compare_spans(&a->span, &b->span);

	if (!r)
		r = (int)a->bridged - (int)b->bridged;
	return r ? r : strcmp(a->text, b->text);
}

static void gap_add(struct coverage *coverage, const struct gap *gap)
{
	if (coverage->n_gaps < COVERAGE_GAPS)
		coverage->gaps[coverage->n_gaps++] = *gap;
	else
		coverage->more_gaps++;
}

static void blind_add(struct coverage *coverage, const struct blind *blind)
{
	if (coverage->n_blind < COVERAGE_BLIND)
		coverage->blind[coverage->n_blind++] = *blind;
	else
		coverage->more_blind++;
}

static void sort_times(struct coverage *coverage)
{
	qsort(coverage->gaps, coverage->n_gaps, sizeof(*coverage->gaps), compare_gaps);
	qsort(coverage->blind, coverage->n_blind, sizeof(*coverage->blind), compare_blind);
}

static struct span real_span(const struct report *report, struct span span)
{
	return (struct span){real_time(report, (uint64_t)span.since),
			     real_time(report, (uint64_t)span.until)};
}

static void add_times(struct coverage *coverage, const struct report *report,
		      const struct coverage_facts *facts)
{
	for (size_t i = 0; i < facts->n_gaps; i++) {
		struct gap gap = facts->gaps[i];

		gap.span = real_span(report, gap.span);
		gap_add(coverage, &gap);
	}
	for (size_t i = 0; i < facts->n_blind; i++) {
		struct blind blind = facts->blind[i];
		bool still = !blind.span.until;

		blind.span = real_span(report, blind.span);
		if (still) {
			blind.span.until = newest(blind.span.since, coverage->window.until);
			blind.bridged = false;
		}
		blind_add(coverage, &blind);
	}
	coverage->more_gaps += facts->more_gaps;
	coverage->more_blind += facts->more_blind;
	sort_times(coverage);
}

/* --- one node --- */

static void copy_text(char *buf, size_t size, const char *text)
{
	snprintf(buf, size, "%s", text_of(text));
}

static void add_attempts(struct coverage *coverage, const struct report *report)
{
	const struct hook *hook = hook_find(report, "refused");

	/* it has no second witness: what the kernel skipped is not known */
	coverage->attempts_seen = hook && hook->hook && !hook->recursion_misses;
	if (hook && hook->hook && hook->recursion_misses)
		snprintf(coverage->attempts_why, sizeof(coverage->attempts_why),
			 "%s: the kernel skipped %" PRIu64 " of its runs", hook->hook,
			 hook->recursion_misses);
	else if (!coverage->attempts_seen)
		copy_text(coverage->attempts_why, sizeof(coverage->attempts_why),
			  hook && hook->why && *hook->why ? hook->why : "no hook for them");
}

int coverage_make(struct coverage *coverage, const struct report *report,
		  const struct coverage_facts *facts)
{
	const struct target *target = report->target;
	uint64_t counted = report->attributed + report->unattributed;
	int r = 0;

	*coverage = (struct coverage){
		.node = text_of(facts->node),
		.window = window_of(report),
		.wanted = (int64_t)report->for_ns,
		.from = facts->from,
		.unwatched = facts->unwatched,
		.confirmed = facts->from != ENDPOINTS_FOLLOWED || facts->confirmed,
		.witnesses_complete = coverage_witnesses_complete(report),
		.intact = facts->intact,
		.own_pid_namespace = facts->own_pid_namespace,
		.lost = report->losses,
		.drops_unknown = report->unattributed_drops,
		.miscounted = report->opened > counted ? report->opened - counted : 0,
	};
	copy_text(coverage->unwatched_text, sizeof(coverage->unwatched_text),
		  facts->unwatched_text);
	copy_text(coverage->unconfirmed, sizeof(coverage->unconfirmed), facts->unconfirmed);
	add_attempts(coverage, report);
	add_times(coverage, report, facts);
	coverage->endpoints = calloc(target->n_endpoints + 1, sizeof(*coverage->endpoints));
	if (!coverage->endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < target->n_endpoints && !r; i++)
		r = endpoint_add(coverage, report, &target->endpoints[i]);
	return r ? r : covered_unite(coverage->endpoints, &coverage->n_endpoints);
}

/* --- several nodes --- */

static int merge_endpoints(struct coverage *into, const struct coverage *more)
{
	size_t n = into->n_endpoints + more->n_endpoints, all = n;
	struct covered *endpoints = calloc(n + 1, sizeof(*endpoints));
	int r = endpoints ? 0 : -ENOMEM;

	for (size_t i = 0; i < into->n_endpoints && !r; i++)
		r = covered_copy(&endpoints[i], &into->endpoints[i]);
	for (size_t i = 0; i < more->n_endpoints && !r; i++)
		r = covered_copy(&endpoints[into->n_endpoints + i], &more->endpoints[i]);
	if (!r)
		r = covered_unite(endpoints, &n);
	if (r) {
		covered_free(endpoints, all);
		return r;
	}
	covered_free(into->endpoints, into->n_endpoints);
	into->endpoints = endpoints;
	into->n_endpoints = n;
	return 0;
}

static void merge_times(struct coverage *into, const struct coverage *more)
{
	for (size_t i = 0; i < more->n_gaps; i++)
		gap_add(into, &more->gaps[i]);
	for (size_t i = 0; i < more->n_blind; i++)
		blind_add(into, &more->blind[i]);
	into->more_gaps += more->more_gaps;
	into->more_blind += more->more_blind;
	sort_times(into);
}

/* Each sentence once. */
static void merge_text(char *buf, size_t size, const char *text)
{
	size_t n = strlen(buf);

	if (!*text || strstr(buf, text))
		return;
	snprintf(buf + n, size - n, "%s%s", n ? "; " : "", text);
}

/* A list can be out of date; what follows the API must have been told all. */
static enum endpoints_from merge_from(enum endpoints_from a, enum endpoints_from b)
{
	if (a == ENDPOINTS_FILE || b == ENDPOINTS_FILE)
		return ENDPOINTS_FILE;
	return a > b ? a : b;
}

static void merge_losses(struct losses *into, const struct losses *more)
{
	into->events += more->events;
	into->untracked += more->untracked;
	into->ends += more->ends;
	into->accepts += more->accepts;
	into->clients += more->clients;
	into->namespaces += more->namespaces;
	into->listeners += more->listeners;
}

int coverage_merge(struct coverage *into, const struct coverage *more)
{
	int r = merge_endpoints(into, more);

	if (r)
		return r;
	into->node = "";
	into->window = span_cut(into->window, more->window);
	into->wanted = newest(into->wanted, more->wanted);
	into->from = merge_from(into->from, more->from);
	into->unwatched |= more->unwatched;
	merge_text(into->unwatched_text, sizeof(into->unwatched_text), more->unwatched_text);
	merge_times(into, more);
	into->confirmed &= more->confirmed;
	merge_text(into->unconfirmed, sizeof(into->unconfirmed), more->unconfirmed);
	into->witnesses_complete &= more->witnesses_complete;
	into->intact &= more->intact;
	into->own_pid_namespace |= more->own_pid_namespace;
	into->attempts_seen &= more->attempts_seen;
	merge_text(into->attempts_why, sizeof(into->attempts_why), more->attempts_why);
	merge_losses(&into->lost, &more->lost);
	into->miscounted += more->miscounted;
	into->drops_unknown += more->drops_unknown;
	return 0;
}

void coverage_deinit(struct coverage *coverage)
{
	covered_free(coverage->endpoints, coverage->n_endpoints);
	coverage->endpoints = NULL;
	coverage->n_endpoints = 0;
}

/* --- what it says --- */

struct span coverage_within(const struct coverage *coverage, struct span span)
{
	return span_cut(span, coverage->window);
}

bool coverage_touches(const struct coverage *coverage, struct span span)
{
	return span.since <= coverage->window.until && span.until >= coverage->window.since;
}

bool coverage_hole(const struct coverage *coverage, const struct covered *endpoint,
		   struct span *hole)
{
	struct span left = coverage_within(coverage, endpoint->existed);

	for (size_t i = 0; i < endpoint->n_watched && !span_empty(left); i++) {
		struct span watched = endpoint->watched[i];

		if (watched.until <= left.since)
			continue;
		if (watched.since > left.since) {
			left.until = oldest(left.until, watched.since);
			break;
		}
		left.since = watched.until;
	}
	if (span_empty(left))
		return false;
	*hole = left;
	return true;
}

bool coverage_blind(const struct coverage *coverage)
{
	if (coverage->from != ENDPOINTS_FOLLOWED)
		return false;
	for (size_t i = 0; i < coverage->n_blind; i++) {
		const struct blind *blind = &coverage->blind[i];

		if (!blind->bridged && coverage_touches(coverage, blind->span))
			return true;
	}
	return coverage->more_blind;
}

bool coverage_gap_proven(const struct coverage *coverage, const struct gap *gap)
{
	return gap->cause == GAP_STOPPED && gap->span.until - gap->span.since <= GAP_PROVEN_NS &&
	       coverage->intact && coverage->witnesses_complete && !coverage->drops_unknown &&
	       coverage->confirmed && !coverage_blind(coverage);
}

const struct covered *coverage_find(const struct coverage *coverage,
				    const struct endpoint *endpoint)
{
	struct covered wanted = covered_of(endpoint, coverage->node);

	for (size_t i = 0; i < coverage->n_endpoints; i++) {
		if (!compare_identities(&coverage->endpoints[i], &wanted))
			return &coverage->endpoints[i];
	}
	return NULL;
}
