/* SPDX-License-Identifier: MIT */
#include "watched.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "ledger-parts.h"
#include "times.h"

/* What a caller had done at an endpoint before a target joined those that have it. */
struct watch_base {
	struct caller_key key;
	struct caller_counts counts;
	struct histograms *times; /* NULL: none */
	UT_hash_handle hh;
};

/* Who has an endpoint of the pool, and as which of its own. It stays when the endpoint has gone:
 * what was counted there is still read. */
struct watch_user {
	struct watched *watched;
	uint32_t place;
	bool joins; /* the next refresh tells its base */
	struct watch_base *base;
	struct watch_user *next;
};

/* --- who is watched --- */

static void free_watched(struct watched *watched)
{
	if (!watched)
		return;
	report_deinit(&watched->report);
	ledger_free(watched->ledger);
	target_deinit(&watched->target);
	free(watched->listening);
	free(watched->serving);
	free(watched->places);
	free(watched->not_watched);
	free(watched->namespace);
	free(watched->name);
	free(watched->uid);
	free(watched);
}

static void free_user(struct watch_user *user)
{
	struct watch_base *base = user->base, *next;

	HASH_CLEAR(hh, user->base);
	for (; base; base = next) {
		next = base->hh.next;
		free(base->times);
		free(base);
	}
	free(user);
}

static void drop_users(struct watch_pool *pool, size_t place, const struct watched *watched)
{
	struct watch_user **at = &pool->users[place];

	while (*at) {
		struct watch_user *user = *at;

		if (watched && user->watched != watched) {
			at = &user->next;
			continue;
		}
		*at = user->next;
		pool->joined -= user->joins;
		free_user(user);
	}
}

void watch_deinit(struct watch_pool *pool)
{
	while (pool->first) {
		struct watched *watched = pool->first;

		pool->first = watched->next;
		free_watched(watched);
	}
	for (size_t i = 0; i < pool->target.n_endpoints; i++)
		drop_users(pool, i, NULL);
	free(pool->users);
	target_deinit(&pool->target);
	pod_names_free(&pool->pods);
	*pool = (struct watch_pool){};
}

struct watched *watch_add(struct watch_pool *pool, const char *namespace, const char *name,
			  const char *uid, uint64_t now)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return NULL;
	watched->namespace = strdup(namespace);
	watched->name = strdup(name);
	watched->uid = strdup(uid);
	watched->ledger = ledger_new(pool->max_callers);
	watched->began = now;
	watched->report.target = &watched->target;
	watched->report.start_ns = now;
	watched->report.end_ns = now;
	if (asprintf(&watched->target.text, "svc/%s in %s", name, namespace) < 0)
		watched->target.text = NULL;
	if (!watched->namespace || !watched->name || !watched->uid || !watched->ledger ||
	    !watched->target.text) {
		free_watched(watched);
		return NULL;
	}
	if (pool->last)
		pool->last->next = watched;
	else
		pool->first = watched;
	pool->last = watched;
	pool->n++;
	return watched;
}

void watch_remove(struct watch_pool *pool, struct watched *watched)
{
	struct watched **at = &pool->first, *before = NULL;

	for (size_t i = 0; i < watched->target.n_endpoints; i++)
		if (watched->places[i] != WATCHED_NONE)
			drop_users(pool, watched->places[i], watched);
	while (*at != watched) {
		before = *at;
		at = &before->next;
	}
	*at = watched->next;
	if (pool->last == watched)
		pool->last = before;
	pool->n--;
	free_watched(watched);
}

struct watched *watch_find(const struct watch_pool *pool, const char *text)
{
	const char *slash = strchr(text, '/');

	for (struct watched *w = pool->first; slash && w; w = w->next)
		if (strlen(w->namespace) == (size_t)(slash - text) &&
		    !strncmp(w->namespace, text, (size_t)(slash - text)) &&
		    !strcmp(w->name, slash + 1))
			return w;
	return NULL;
}

/* --- endpoints --- */

/* The room is the next power of two, as of the target's endpoints. */
static int make_room(void **array, size_t n, size_t size)
{
	void *more;

	if (n & (n - 1))
		return 0;
	more = reallocarray(*array, n ? 2 * n : 1, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	return 0;
}

static bool same_pod(const struct pod_name *a, const struct pod_name *b)
{
	return a == b || (a && b && !strcmp(a->uid, b->uid));
}

/* One of the pool that is watched and the same, or WATCHED_NONE. */
static size_t find_in_pool(const struct watch_pool *pool, const struct watch_up *up)
{
	/* the newest first: what has gone stays on the list */
	for (size_t i = pool->target.n_endpoints; i-- > 0;) {
		const struct endpoint *endpoint = &pool->target.endpoints[i];

		if (!endpoint->until && endpoint->port == up->port &&
		    address_equal(&endpoint->address, &up->address) &&
		    same_pod(endpoint->pod, up->pod))
			return i;
	}
	return WATCHED_NONE;
}

static struct watch_user *users_at(const struct watch_pool *pool, size_t place)
{
	return place < pool->target.n_endpoints ? pool->users[place] : NULL;
}

/* Of one that this target has had before. */
static struct watch_user *user_of(const struct watch_pool *pool, const struct watched *watched,
				  size_t place)
{
	struct watch_user *user = users_at(pool, place);

	while (user && user->watched != watched)
		user = user->next;
	return user;
}

static size_t add_to_pool(struct watch_pool *pool, const struct watch_up *up, uint64_t now)
{
	size_t place = pool->target.n_endpoints;

	if (make_room((void **)&pool->users, place, sizeof(*pool->users)) ||
	    target_append(&pool->target, &up->address, up->port, up->pod))
		return WATCHED_NONE;
	pool->users[place] = NULL;
	pool->target.endpoints[place].existed = up->existed;
	pool->target.endpoints[place].since = now;
	return place;
}

static int use(struct watch_pool *pool, size_t place, struct watched *watched, size_t own,
	       bool joins)
{
	struct watch_user *user = malloc(sizeof(*user));

	if (!user)
		return -ENOMEM;
	*user = (struct watch_user){watched, (uint32_t)own, joins, NULL, pool->users[place]};
	pool->users[place] = user;
	pool->joined += joins;
	return 0;
}

static size_t add_endpoint(struct watch_pool *pool, struct watched *watched,
			   const struct watch_up *up, uint64_t now, size_t *fresh)
{
	size_t own = watched->target.n_endpoints, place = WATCHED_NONE;
	const struct watch_user *had;
	struct endpoint *endpoint;

	if (up->ours)
		place = find_in_pool(pool, up);
	had = place == WATCHED_NONE ? NULL : user_of(pool, watched, place);
	if (had) {
		/* another target has it still, so it was watched all the time */
		watched->target.endpoints[had->place].until = 0;
		return had->place;
	}
	/* caller_key.endpoint */
	if (own >= UINT16_MAX)
		return WATCHED_NONE;
	if (make_room((void **)&watched->places, own, sizeof(*watched->places)) ||
	    target_append(&watched->target, &up->address, up->port, up->pod))
		return WATCHED_NONE;
	endpoint = &watched->target.endpoints[own];
	endpoint->existed = up->existed;
	watched->places[own] = WATCHED_NONE;
	if (!up->ours)
		return own;
	if (place == WATCHED_NONE)
		place = *fresh = add_to_pool(pool, up, now);
	if (place == WATCHED_NONE ||
	    use(pool, place, watched, own, *fresh == WATCHED_NONE && pool->counting)) {
		/* it is on the list, and not watched */
		endpoint->since = endpoint->until = now;
		return own;
	}
	watched->places[own] = place;
	endpoint->since = now;
	endpoint->here = pool->target.endpoints[place].here;
	return own;
}

size_t watch_up(struct watch_pool *pool, struct watched *watched, const struct watch_up *up,
		uint64_t now, size_t *fresh)
{
	struct watch_up copy = *up;

	*fresh = WATCHED_NONE;
	copy.pod = pod_names_add(&pool->pods, up->pod);
	if (up->pod && !copy.pod)
		return WATCHED_NONE;
	return add_endpoint(pool, watched, &copy, now, fresh);
}

bool watch_joined(const struct watch_pool *pool)
{
	return pool->joined;
}

static bool is_used(const struct watch_pool *pool, size_t place)
{
	for (const struct watch_user *user = pool->users[place]; user; user = user->next)
		if (!user->watched->target.endpoints[user->place].until)
			return true;
	return false;
}

size_t watch_down(struct watch_pool *pool, struct watched *watched, size_t place, uint64_t now)
{
	size_t in_pool;

	if (place >= watched->target.n_endpoints)
		return WATCHED_NONE;
	watched->target.endpoints[place].until = now;
	in_pool = watched->places[place];
	if (in_pool == WATCHED_NONE || is_used(pool, in_pool))
		return WATCHED_NONE;
	pool->target.endpoints[in_pool].until = now;
	return in_pool;
}

void watch_settle(struct watch_pool *pool)
{
	for (size_t i = 0; i < pool->target.n_endpoints; i++) {
		const struct endpoint *endpoint = &pool->target.endpoints[i];

		for (struct watch_user *user = pool->users[i]; user; user = user->next) {
			struct endpoint *own = &user->watched->target.endpoints[user->place];

			own->here = endpoint->here;
			if (!own->until && endpoint->since > own->since)
				own->since = endpoint->since;
		}
	}
}

/* --- counts --- */

void watch_begin_refresh(struct watch_pool *pool)
{
	for (struct watched *w = pool->first; w; w = w->next)
		ledger_begin_refresh(w->ledger);
}

static struct watch_base *base_of(const struct watch_user *user, const struct caller_key *key)
{
	struct watch_base *base;

	HASH_FIND(hh, user->base, key, sizeof(*key), base);
	return base;
}

/* What a target that joins is not to count. 0 or -ENOMEM. */
static int set_base(struct watch_user *user, const struct caller_key *key,
		    const struct caller_counts *counts)
{
	struct watch_base *base = base_of(user, key);

	if (!base) {
		base = calloc(1, sizeof(*base));
		if (!base)
			return -ENOMEM;
		base->key = *key;
		HASH_ADD(hh, user->base, key, sizeof(base->key), base);
	}
	base->counts = *counts;
	return 0;
}

static int update_one(struct watch_user *user, const struct caller_key *key,
		      const struct caller_counts *counts, const struct who *who)
{
	struct watch_base *base = base_of(user, key);
	struct caller_key own = *key;
	struct caller_counts since;

	own.endpoint = (__u16)user->place;
	if (!counts)
		return user->joins ? 0 : ledger_update(user->watched->ledger, &own, NULL, who);
	if (user->joins)
		return set_base(user, key, counts);
	if (!base)
		return ledger_update(user->watched->ledger, &own, counts, who);
	/* that is no counter: what stood then has completed */
	if (counts->pending < base->counts.pending)
		base->counts.pending = counts->pending;
	since = counts_since(counts, &base->counts);
	return counts_any(&since) ? ledger_update(user->watched->ledger, &own, &since, who) : 0;
}

int watch_update(struct watch_pool *pool, const struct caller_key *key,
		 const struct caller_counts *counts, const struct who *who)
{
	int r = 0;

	for (struct watch_user *user = users_at(pool, key->endpoint); user && r != -ENOMEM;
	     user = user->next)
		r = update_one(user, key, counts, who);
	return r == -ENOMEM ? r : 0;
}

void watch_end_refresh(struct watch_pool *pool)
{
	pool->counting = true;
	for (struct watched *w = pool->first; w; w = w->next)
		ledger_end_refresh(w->ledger);
}

void watch_clear_open(struct watch_pool *pool)
{
	for (struct watched *w = pool->first; w; w = w->next)
		ledger_clear_open(w->ledger);
}

void watch_add_open(struct watch_pool *pool, const struct connection *connection)
{
	for (const struct watch_user *user = users_at(pool, connection->key.endpoint); user;
	     user = user->next) {
		struct connection own = *connection;

		own.key.endpoint = (__u16)user->place;
		ledger_add_open(user->watched->ledger, &own, user->watched->report.start_ns);
	}
}

void watch_begin_times(struct watch_pool *pool)
{
	for (struct watched *w = pool->first; w; w = w->next)
		ledger_begin_times(w->ledger);
}

static int set_times(struct watch_user *user, const struct caller_key *key,
		     const struct histograms *times, struct histograms *scratch)
{
	struct watch_base *base = base_of(user, key);
	struct caller_key own = *key;

	own.endpoint = (__u16)user->place;
	if (user->joins && base) {
		if (!base->times)
			base->times = malloc(sizeof(*base->times));
		if (!base->times)
			return -ENOMEM;
		*base->times = *times;
		return 0;
	}
	if (base && base->times) {
		times_since(scratch, times, base->times);
		times = scratch;
	}
	return ledger_set_times(user->watched->ledger, &own, times);
}

int watch_set_times(struct watch_pool *pool, const struct caller_key *key,
		    const struct histograms *times)
{
	struct histograms scratch;
	int r = 0;

	for (struct watch_user *user = users_at(pool, key->endpoint); user && r != -ENOMEM;
	     user = user->next)
		r = set_times(user, key, times, &scratch);
	return r == -ENOMEM ? r : 0;
}

/* --- forgetting --- */

struct forgetting {
	const struct watched *watched;
	watch_merged *merged;
	watch_dropped *dropped;
	void *arg;
};

static void tell_dropped(const struct row *row, void *arg)
{
	const struct forgetting *f = arg;

	f->dropped(f->watched, row, f->arg);
}

static void tell_merged(const struct row *into, const struct row *from, void *arg)
{
	const struct forgetting *f = arg;

	f->merged(f->watched, into, from, f->arg);
}

static void base_free(struct watch_user *user, struct watch_base *base)
{
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	HASH_DELETE(hh, user->base, base);
	free(base->times);
	free(base);
}

static int forget_one(struct watch_user *user, const struct caller_key *key,
		      const struct caller_counts *counts, const struct histograms *times,
		      struct forgetting *f)
{
	struct watch_base *base = base_of(user, key);
	struct caller_counts since = counts_since(counts, base ? &base->counts : NULL);
	struct caller_key own = *key;
	struct histograms scratch;

	if (base && base->times && times) {
		times_since(&scratch, times, base->times);
		times = &scratch;
	}
	if (base)
		base_free(user, base);
	own.endpoint = (__u16)user->place;
	f->watched = user->watched;
	return ledger_forget(user->watched->ledger, &own, &since, times, tell_merged, f);
}

int watch_forget(struct watch_pool *pool, const struct caller_key *key,
		 const struct caller_counts *counts, const struct histograms *times,
		 watch_merged *merged, void *arg)
{
	struct forgetting f = {.merged = merged, .arg = arg};
	int r = 0;

	for (struct watch_user *user = users_at(pool, key->endpoint); user && !r; user = user->next)
		r = forget_one(user, key, counts, times, &f);
	return r;
}

void watch_drop_sums(struct watch_pool *pool, uint64_t before, watch_dropped *dropped, void *arg)
{
	for (struct watched *w = pool->first; w; w = w->next) {
		struct forgetting f = {.watched = w, .dropped = dropped, .arg = arg};

		ledger_drop_sums(w->ledger, before, tell_dropped, &f);
	}
}

void watch_end_forget(struct watch_pool *pool)
{
	for (struct watched *w = pool->first; w; w = w->next)
		ledger_end_forget(w->ledger);
}

void watch_rows(const struct watch_pool *pool, void (*take)(const struct row *row, void *arg),
		void *arg)
{
	for (const struct watched *w = pool->first; w; w = w->next)
		for (const struct row *row = NULL; (row = ledger_next(w->ledger, row));)
			take(row, arg);
}

/* Whoever joined has its base now. */
static void end_joins(struct watch_pool *pool, uint64_t now)
{
	for (size_t i = 0; pool->joined && i < pool->target.n_endpoints; i++)
		for (struct watch_user *user = pool->users[i]; user; user = user->next) {
			struct endpoint *endpoint = &user->watched->target.endpoints[user->place];

			/* what came before is in the base */
			if (user->joins && endpoint->since < now)
				endpoint->since = now;
			pool->joined -= user->joins;
			user->joins = false;
		}
}

/* --- reports --- */

/* All targets' listeners, or servers, in turn: first how many each has, then they themselves. */
static void take_listening(const struct watch_pool *pool, const struct report *capture, bool count)
{
	for (size_t i = 0; i < capture->n_listening; i++)
		for (struct watch_user *user = users_at(pool, capture->listening[i].endpoint); user;
		     user = user->next) {
			struct watched *watched = user->watched;
			size_t at = watched->report.n_listening++;

			if (count)
				continue;
			watched->listening[at] = capture->listening[i];
			watched->listening[at].endpoint = user->place;
		}
}

static void take_serving(const struct watch_pool *pool, const struct report *capture, bool count)
{
	for (size_t i = 0; i < capture->n_serving; i++)
		for (struct watch_user *user = users_at(pool, capture->serving[i].endpoint); user;
		     user = user->next) {
			struct watched *watched = user->watched;
			size_t at = watched->report.n_serving++;

			if (count)
				continue;
			watched->serving[at] = capture->serving[i];
			watched->serving[at].endpoint = user->place;
		}
}

/* Of one target, as many as were counted; then none are in it yet. */
static int make_servers(struct watched *watched)
{
	struct report *report = &watched->report;

	free(watched->listening);
	free(watched->serving);
	watched->listening = calloc(report->n_listening + 1, sizeof(*watched->listening));
	watched->serving = calloc(report->n_serving + 1, sizeof(*watched->serving));
	report->listening = watched->listening;
	report->serving = watched->serving;
	report->n_listening = 0;
	report->n_serving = 0;
	return watched->listening && watched->serving ? 0 : -ENOMEM;
}

static int take_servers(struct watch_pool *pool, const struct report *capture)
{
	int r = 0;

	for (struct watched *w = pool->first; w; w = w->next)
		w->report.n_listening = w->report.n_serving = 0;
	take_listening(pool, capture, true);
	take_serving(pool, capture, true);
	for (struct watched *w = pool->first; w; w = w->next)
		if (make_servers(w))
			r = -ENOMEM;
	if (r)
		return r;
	take_listening(pool, capture, false);
	take_serving(pool, capture, false);
	return 0;
}

/* Since when any of its endpoints has been counted. */
static uint64_t start_of(const struct watched *watched)
{
	uint64_t start = UINT64_MAX;

	for (size_t i = 0; i < watched->target.n_endpoints; i++)
		if (watched->places[i] != WATCHED_NONE &&
		    watched->target.endpoints[i].since < start)
			start = watched->target.endpoints[i].since;
	return start == UINT64_MAX ? watched->began : start;
}

static int make_report(struct watched *watched, const struct report *capture)
{
	struct report *report = &watched->report;
	int r;

	report->target = &watched->target;
	report->start_ns = start_of(watched);
	report->end_ns = capture->end_ns;
	report->realtime_offset = capture->realtime_offset;
	report->max_callers = capture->max_callers;
	memcpy(report->hooks, capture->hooks, sizeof(report->hooks));
	report->n_hooks = capture->n_hooks;
	report->losses = capture->losses;
	report->notes = capture->notes;
	report->n_notes = capture->n_notes;
	/* whose it was is not known: it can be this one's */
	report->unattributed_drops = capture->unattributed_drops;
	r = report_group(report, watched->ledger);
	if (r)
		return r;
	report->opened = report->attributed + report->unattributed;
	report->refused = report->refused_unattributed;
	report->stray = report->stray_unattributed;
	for (size_t i = 0; i < report->n_callers; i++) {
		report->refused += report->callers[i].counts.refused;
		report->stray += report->callers[i].counts.stray;
	}
	return 0;
}

int watch_reports(struct watch_pool *pool, const struct report *capture)
{
	int r = take_servers(pool, capture);

	end_joins(pool, capture->end_ns);
	for (struct watched *w = pool->first; w && !r; w = w->next)
		r = make_report(w, capture);
	return r;
}
