/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "same.h"

/* Rows that are the same caller, while they are being found. */
struct group {
	const struct row *first;
	size_t n_rows;
};

struct grouping {
	struct group *groups;
	size_t n_groups;
	uint32_t *group_of_row; /* in the order of next_row() */
	uint32_t *slots;        /* hash table: group's index + 1; 0: free */
	size_t mask;
};

static uint32_t group_find(struct grouping *g, const struct row *row)
{
	size_t slot = row_caller_hash(row) & g->mask;

	for (; g->slots[slot]; slot = (slot + 1) & g->mask) {
		struct group *group = &g->groups[g->slots[slot] - 1];

		if (!row_same_caller(group->first, row))
			continue;
		if (group->first->sum)
			group->first = row;
		return g->slots[slot] - 1;
	}
	g->groups[g->n_groups].first = row;
	g->slots[slot] = ++g->n_groups;
	return g->n_groups - 1;
}

static void grouping_deinit(struct grouping *g)
{
	free(g->groups);
	free(g->group_of_row);
	free(g->slots);
}

/* The kernel makes a caller's entry before it counts, and not always does. */
static bool row_is_empty(const struct row *row)
{
	return !row->counts.opened && !row->counts.old && !row->counts.accepted &&
	       !row->counts.closed && !ledger_attempted(&row->counts) && !row->open.open;
}

/* The next row that counts something. */
static const struct row *next_row(const struct ledger *ledger, const struct row *row)
{
	do {
		row = ledger_next(ledger, row);
	} while (row && row_is_empty(row));
	return row;
}

static int grouping_init(struct grouping *g, const struct ledger *ledger)
{
	size_t n = ledger_rows(ledger), size = 16, i = 0;
	const struct row *row;

	while (size < 2 * n)
		size *= 2;
	g->mask = size - 1;
	g->groups = calloc(n + 1, sizeof(*g->groups));
	g->group_of_row = calloc(n + 1, sizeof(*g->group_of_row));
	g->slots = calloc(size, sizeof(*g->slots));
	if (!g->groups || !g->group_of_row || !g->slots)
		return -ENOMEM;
	for (row = next_row(ledger, NULL); row; row = next_row(ledger, row), i++) {
		g->group_of_row[i] = group_find(g, row);
		g->groups[g->group_of_row[i]].n_rows++;
	}
	return 0;
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, and leaves one of each. Returns how many are left. */
static size_t sort_unique(void *items, size_t n, size_t size,
			  int (*compare)(const void *, const void *))
{
	char *bytes = items;
	size_t i, kept = 0;

	if (n < 2)
		return n;
	qsort(items, n, size, compare);
	for (i = 1; i < n; i++) {
		if (!compare(bytes + kept * size, bytes + i * size))
			continue;
		kept++;
		if (kept != i)
			memcpy(bytes + kept * size, bytes + i * size, size);
	}
	return kept + 1;
}

static const char *row_node(const struct row *row)
{
	if (row->who.class == CLASS_WORKLOAD || row->who.class == CLASS_LOOPBACK)
		return row->who.pod && row->who.pod->node && *row->who.pod->node
			       ? row->who.pod->node
			       : NULL;
	return row->who.node;
}

static void caller_begin(struct caller *caller, const struct row *row)
{
	caller->class = row->who.class;
	caller->ignored = row->who.ignored;
	caller->pod = row->who.pod;
	caller->node = row_node(row);
	caller->cgroup = row->key.cgroup;
	caller->cgroup_path = row->who.cgroup_path;
	caller->pod_uid = row->who.pod_uid;
	memcpy(caller->process, row->key.comm, COMM_SIZE - 1);
}

/* One row's are looked at where they are: most callers have no other. 0 or -ENOMEM. */
static int caller_add_times(struct caller *caller, const struct row *row)
{
	if (!row->times)
		return 0;
	if (!caller->times) {
		caller->times = row->times;
		return 0;
	}
	if (!caller->merged) {
		caller->merged = malloc(sizeof(*caller->merged));
		if (!caller->merged)
			return -ENOMEM;
		*caller->merged = *caller->times;
		caller->times = caller->merged;
	}
	times_sum(caller->merged, row->times);
	return 0;
}

static int caller_add(struct caller *caller, const struct row *row)
{
	ledger_sum_counts(&caller->counts, &row->counts);
	ledger_sum_open(&caller->open, &row->open);
	caller->rows[caller->n_rows++] = row;
	/* it tells no more of those that it stands for */
	if (row->sum)
		return caller_add_times(caller, row);
	if (strncmp(caller->process, row->key.comm, COMM_SIZE - 1) != 0)
		caller->process[0] = '\0';
	if (!string_equal(caller->node, row_node(row)))
		caller->node = NULL;
	if (caller->cgroup != row->key.cgroup)
		caller->cgroup = 0;
	if (!string_equal(caller->cgroup_path, row->who.cgroup_path))
		caller->cgroup_path = NULL;
	if (!string_equal(caller->pod_uid, row->who.pod_uid))
		caller->pod_uid = NULL;
	memcpy(&caller->addresses[caller->n_addresses++], row->key.peer, sizeof(struct address));
	if (row->who.pod && row->who.pod->pod)
		caller->pods[caller->n_pods++] = row->who.pod->pod;
	return caller_add_times(caller, row);
}

static void caller_finish(struct caller *caller, uint64_t start_ns)
{
	uint64_t data = caller->open.last_data;

	caller->n_addresses = sort_unique(caller->addresses, caller->n_addresses,
					  sizeof(*caller->addresses), compare_addresses);
	caller->n_pods =
		sort_unique(caller->pods, caller->n_pods, sizeof(*caller->pods), compare_strings);
	caller->pid = caller->process[0] ? caller->counts.pid : 0;
	caller->requests = caller->counts.requests + caller->open.requests;
	caller->overlaps = caller->counts.overlaps + caller->open.overlaps;
	caller->first_seen = caller->counts.first;
	caller->last_seen = caller->counts.last;
	if (ledger_attempted(&caller->counts)) {
		uint64_t first = caller->counts.first_attempt, last = caller->counts.last_attempt;

		if (first && (!caller->first_seen || first < caller->first_seen))
			caller->first_seen = first;
		if (last > caller->last_seen)
			caller->last_seen = last;
	}
	if (data >= start_ns && data > caller->last_seen)
		caller->last_seen = data;
}

static void report_sum(struct report *report)
{
	size_t i;

	report->attributed = 0;
	report->unattributed = report->others.counts.opened;
	report->accepted = report->others.counts.accepted;
	report->open = report->others.open.open;
	report->old = report->others.counts.old;
	report->refused_unattributed = report->others.counts.refused;
	report->stray_unattributed = report->others.counts.stray;
	report->pending_unattributed = report->others.counts.pending;
	report->pending = report->others.counts.pending;
	report->requests_unattributed =
		report->others.counts.requests + report->others.open.requests;
	report->requests = report->requests_unattributed;
	for (i = 0; i < report->n_callers; i++) {
		report->attributed += report->callers[i].counts.opened;
		report->accepted += report->callers[i].counts.accepted;
		report->open += report->callers[i].open.open;
		report->old += report->callers[i].counts.old;
		report->pending += report->callers[i].counts.pending;
		report->requests += report->callers[i].requests;
	}
}

/* All that were counted, but for those that it missed. */
static void report_set_requests_seen(struct report *report)
{
	struct hook *hook = &report->hooks[REPORT_REQUESTS];

	if (report_requests_known(report))
		hook->seen = report->requests > hook->missed ? report->requests - hook->missed : 0;
}

int report_group(struct report *report, const struct ledger *ledger)
{
	size_t n = ledger_rows(ledger), i, offset = 0;
	struct grouping g = {};
	const struct row *row;
	int r;

	report_deinit(report);
	r = grouping_init(&g, ledger);
	if (r)
		goto out;
	r = -ENOMEM;
	report->callers = calloc(g.n_groups + 1, sizeof(*report->callers));
	report->all_addresses = calloc(n + 1, sizeof(*report->all_addresses));
	report->all_pods = calloc(n + 1, sizeof(*report->all_pods));
	report->all_rows = calloc(n + 1, sizeof(*report->all_rows));
	if (!report->callers || !report->all_addresses || !report->all_pods || !report->all_rows)
		goto out;
	report->n_callers = g.n_groups;

	for (i = 0; i < g.n_groups; i++) {
		caller_begin(&report->callers[i], g.groups[i].first);
		report->callers[i].addresses = report->all_addresses + offset;
		report->callers[i].pods = report->all_pods + offset;
		report->callers[i].rows = report->all_rows + offset;
		offset += g.groups[i].n_rows;
	}
	r = 0;
	row = next_row(ledger, NULL);
	for (i = 0; row && !r; row = next_row(ledger, row), i++)
		r = caller_add(&report->callers[g.group_of_row[i]], row);
	if (r)
		goto out;
	for (i = 0; i < report->n_callers; i++)
		caller_finish(&report->callers[i], report->start_ns);
	order_callers(report->callers, report->n_callers, report->sort);

	report->others = ledger_others(ledger);
	report_sum(report);
	report_set_requests_seen(report);
out:
	if (r)
		report_deinit(report);
	grouping_deinit(&g);
	return r;
}

uint64_t report_dropped(const struct report *report)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < report->n_listening; i++)
		dropped += report->listening[i].dropped;
	return dropped;
}

bool report_refused_known(const struct report *report)
{
	return report->n_hooks > REPORT_REFUSED && report->hooks[REPORT_REFUSED].hook;
}

bool report_requests_known(const struct report *report)
{
	return report->n_hooks > REPORT_REQUESTS && report->hooks[REPORT_REQUESTS].hook;
}

size_t report_no_probes(const struct report *report)
{
	size_t n = report->n_callers;

	while (n && report->callers[n - 1].class == CLASS_PROBE)
		n--;
	return n;
}

size_t report_shown(const struct report *report)
{
	size_t n = report_no_probes(report);

	return report->top && report->top < n ? report->top : n;
}

bool caller_times(const struct caller *caller, enum duration of, struct times *times)
{
	uint64_t counted = of == OPEN_TIME ? caller->counts.closed : caller->requests;

	*times = (struct times){};
	return caller->times && times_read(caller->times->bucket[of], counted, times);
}

void report_deinit(struct report *report)
{
	for (size_t i = 0; i < report->n_callers; i++)
		free(report->callers[i].merged);
	free(report->callers);
	free(report->all_addresses);
	free(report->all_pods);
	free(report->all_rows);
	report->callers = NULL;
	report->all_addresses = NULL;
	report->all_pods = NULL;
	report->all_rows = NULL;
	report->n_callers = 0;
}
