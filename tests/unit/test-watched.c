/* SPDX-License-Identifier: MIT */
/* Many targets over one pool of endpoints: each counts what is its own, and all that is its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../user/callers/watched.h"

static const struct pod_name servers[] = {
	{"core", "s-1", "uid-1", "Deployment", "s", "node-1"},
	{"core", "s-2", "uid-2", "Deployment", "s", "node-1"},
	{"core", "s-3", "uid-3", "Deployment", "s", "node-2"},
};
static const struct pod_name clients[] = {
	{"team", "a-1", "uid-a", "Deployment", "a", "node-1"},
	{"team", "b-1", "uid-b", "Deployment", "b", "node-1"},
};

struct fixture {
	struct watch_pool pool;
	struct watched *web;
	struct watched *api;
};

static void make(struct fixture *f)
{
	*f = (struct fixture){.pool = {.max_callers = 100}};
	f->web = watch_add(&f->pool, "core", "web", "uid-web", 10);
	f->api = watch_add(&f->pool, "core", "api", "uid-api", 10);
	assert_non_null(f->web);
	assert_non_null(f->api);
}

static struct watch_up server(size_t i, uint16_t port)
{
	return (struct watch_up){.address = {{0, 0, 0xffff, (uint32_t)i + 1}},
				 .port = port,
				 .pod = &servers[i],
				 .ours = strcmp(servers[i].node, "node-1") == 0};
}

/* Its place, and in *fresh what the capture is to watch. */
static size_t comes(struct fixture *f, struct watched *watched, size_t i, uint16_t port,
		    uint64_t now, size_t *fresh)
{
	struct watch_up up = server(i, port);

	return watch_up(&f->pool, watched, &up, now, fresh);
}

/* What the kernel has counted at a place of the pool, from client i. */
static void counted(struct fixture *f, size_t place, size_t i, uint64_t opened)
{
	struct caller_key key = {.peer = {0, 0, 0xffff, (uint32_t)i + 100},
				 .endpoint = (__u16)place};
	struct caller_counts counts = {
		.opened = opened, .closed = opened, .refused = 1, .first = 20, .last = 20 + opened};
	struct who who = {CLASS_WORKLOAD, &clients[i]};

	assert_int_equal(watch_update(&f->pool, &key, &counts, &who), 0);
}

static void report(struct fixture *f)
{
	struct report capture = {.end_ns = 1000, .n_hooks = 1};

	assert_int_equal(watch_reports(&f->pool, &capture), 0);
}

/* Clients 0 and 1 have opened so many at place 0, and the times are client 0's. */
static void refresh(struct fixture *f, uint64_t a, uint64_t b, const struct histograms *times)
{
	struct caller_key key = {.peer = {0, 0, 0xffff, 100}};

	watch_begin_refresh(&f->pool);
	counted(f, 0, 0, a);
	if (b)
		counted(f, 0, 1, b);
	watch_end_refresh(&f->pool);
	watch_begin_times(&f->pool);
	assert_int_equal(watch_set_times(&f->pool, &key, times), 0);
	report(f);
}

static uint64_t opened_by(const struct watched *watched, const char *workload)
{
	for (size_t i = 0; i < watched->report.n_callers; i++)
		if (!strcmp(watched->report.callers[i].pod->workload, workload))
			return watched->report.callers[i].counts.opened;
	return 0;
}

static void two_services_over_the_same_pods(void **state)
{
	struct fixture f;
	size_t fresh;

	(void)state;
	make(&f);
	assert_int_equal(comes(&f, f.web, 0, 80, 20, &fresh), 0);
	assert_int_equal(fresh, 0);
	assert_int_equal(comes(&f, f.api, 0, 80, 30, &fresh), 0);
	assert_int_equal(fresh, WATCHED_NONE);
	assert_int_equal(comes(&f, f.api, 1, 81, 30, &fresh), 1);
	assert_int_equal(fresh, 1);
	watch_begin_refresh(&f.pool);
	counted(&f, 0, 0, 5);
	counted(&f, 0, 1, 6);
	counted(&f, 1, 0, 7);
	watch_end_refresh(&f.pool);
	report(&f);
	assert_int_equal(f.web->report.opened, 11);
	assert_int_equal(opened_by(f.web, "a"), 5);
	assert_int_equal(opened_by(f.web, "b"), 6);
	assert_int_equal(f.api->report.opened, 18);
	assert_int_equal(opened_by(f.api, "a"), 12);
	assert_int_equal(f.web->report.refused, 2);
	assert_int_equal(f.api->report.refused, 3);
	assert_int_equal(f.web->report.start_ns, 20);
	assert_int_equal(f.api->report.start_ns, 30);
	watch_deinit(&f.pool);
}

/* What came before is not its own, neither counts nor times. */
static void a_service_that_joins_counts_from_then_on(void **state)
{
	struct histograms times = {};
	struct fixture f;
	struct times read;
	size_t fresh;

	(void)state;
	make(&f);
	comes(&f, f.web, 0, 80, 20, &fresh);
	assert_false(watch_joined(&f.pool));
	times.bucket[OPEN_TIME][5] = 5;
	refresh(&f, 5, 0, &times);
	assert_int_equal(f.web->report.opened, 5);
	comes(&f, f.api, 0, 80, 30, &fresh);
	assert_true(watch_joined(&f.pool));
	refresh(&f, 5, 0, &times);
	assert_false(watch_joined(&f.pool));
	assert_int_equal(f.web->report.opened, 5);
	assert_int_equal(f.api->report.opened, 0);
	assert_int_equal(f.api->report.n_callers, 0);
	/* nor is it watched before what came before is known */
	assert_int_equal(f.api->report.start_ns, 1000);
	assert_int_equal(f.api->target.endpoints[0].since, 1000);
	times.bucket[OPEN_TIME][5] = 8;
	refresh(&f, 8, 4, &times);
	assert_int_equal(f.web->report.opened, 12);
	assert_int_equal(f.api->report.opened, 7);
	assert_int_equal(opened_by(f.api, "a"), 3);
	assert_int_equal(opened_by(f.api, "b"), 4);
	assert_true(caller_times(&f.api->report.callers[1], OPEN_TIME, &read));
	assert_int_equal(read.samples, 3);
	/* gone with who joined */
	watch_down(&f.pool, f.api, 0, 40);
	watch_remove(&f.pool, f.api);
	refresh(&f, 9, 4, &times);
	assert_int_equal(f.web->report.opened, 13);
	watch_deinit(&f.pool);
}

static void an_endpoint_goes_when_its_last_service_does(void **state)
{
	struct fixture f;
	size_t fresh;

	(void)state;
	make(&f);
	comes(&f, f.web, 0, 80, 20, &fresh);
	comes(&f, f.api, 0, 80, 20, &fresh);
	assert_int_equal(watch_down(&f.pool, f.web, 0, 40), WATCHED_NONE);
	assert_int_equal(f.web->target.endpoints[0].until, 40);
	assert_int_equal(f.pool.target.endpoints[0].until, 0);
	/* and comes again, while the other has it: no second place, and nothing twice */
	assert_int_equal(comes(&f, f.web, 0, 80, 50, &fresh), 0);
	assert_int_equal(fresh, WATCHED_NONE);
	watch_begin_refresh(&f.pool);
	counted(&f, 0, 0, 5);
	watch_end_refresh(&f.pool);
	report(&f);
	assert_int_equal(f.web->report.opened, 5);
	assert_int_equal(watch_down(&f.pool, f.api, 0, 60), WATCHED_NONE);
	assert_int_equal(watch_down(&f.pool, f.web, 0, 70), 0);
	assert_int_equal(f.pool.target.endpoints[0].until, 70);
	/* what was counted there is still read */
	watch_begin_refresh(&f.pool);
	counted(&f, 0, 0, 9);
	watch_end_refresh(&f.pool);
	report(&f);
	assert_int_equal(f.web->report.opened, 9);
	/* it is another one when it comes after that */
	assert_int_equal(comes(&f, f.web, 0, 80, 80, &fresh), 1);
	assert_int_equal(fresh, 1);
	watch_deinit(&f.pool);
}

static void those_on_other_nodes_are_listed(void **state)
{
	struct fixture f;
	size_t fresh;

	(void)state;
	make(&f);
	assert_int_equal(comes(&f, f.web, 2, 80, 20, &fresh), 0);
	assert_int_equal(fresh, WATCHED_NONE);
	assert_int_equal(f.pool.target.n_endpoints, 0);
	assert_int_equal(f.web->target.n_endpoints, 1);
	assert_false(f.web->target.endpoints[0].here);
	assert_int_equal(watch_down(&f.pool, f.web, 0, 30), WATCHED_NONE);
	watch_deinit(&f.pool);
}

static void the_same_address_of_another_pod_is_another_endpoint(void **state)
{
	struct fixture f;
	struct watch_up up = server(0, 80);
	size_t fresh;

	(void)state;
	make(&f);
	comes(&f, f.web, 0, 80, 20, &fresh);
	up.pod = &servers[1];
	assert_int_equal(watch_up(&f.pool, f.web, &up, 30, &fresh), 1);
	assert_int_equal(fresh, 1);
	watch_deinit(&f.pool);
}

static void a_service_that_goes_takes_nothing_from_others(void **state)
{
	struct fixture f;
	size_t fresh;

	(void)state;
	make(&f);
	comes(&f, f.web, 0, 80, 20, &fresh);
	comes(&f, f.api, 0, 80, 20, &fresh);
	watch_down(&f.pool, f.web, 0, 30);
	watch_remove(&f.pool, f.web);
	assert_int_equal(f.pool.n, 1);
	assert_ptr_equal(f.pool.first, f.api);
	watch_begin_refresh(&f.pool);
	counted(&f, 0, 0, 5);
	watch_end_refresh(&f.pool);
	report(&f);
	assert_int_equal(f.api->report.opened, 5);
	f.web = watch_add(&f.pool, "core", "web", "uid-2", 40);
	assert_ptr_equal(watch_find(&f.pool, "core/web"), f.web);
	assert_ptr_equal(watch_find(&f.pool, "core/api"), f.api);
	assert_null(watch_find(&f.pool, "core/we"));
	assert_null(watch_find(&f.pool, "cor/web"));
	assert_null(watch_find(&f.pool, "web"));
	watch_remove(&f.pool, f.web);
	watch_remove(&f.pool, f.api);
	assert_null(f.pool.first);
	assert_non_null(watch_add(&f.pool, "core", "web", "uid-3", 50));
	assert_int_equal(f.pool.n, 1);
	watch_deinit(&f.pool);
}

static void open_connections_and_times(void **state)
{
	struct connection connection = {.key = {.peer = {0, 0, 0xffff, 100}}, .opened = 30};
	struct histograms times = {};
	struct fixture f;
	struct times read;
	size_t fresh;

	(void)state;
	make(&f);
	comes(&f, f.web, 0, 80, 20, &fresh);
	comes(&f, f.api, 1, 80, 20, &fresh);
	times.bucket[OPEN_TIME][5] = 4;
	watch_begin_refresh(&f.pool);
	counted(&f, 0, 0, 4);
	watch_end_refresh(&f.pool);
	watch_clear_open(&f.pool);
	watch_add_open(&f.pool, &connection);
	watch_begin_times(&f.pool);
	assert_int_equal(watch_set_times(&f.pool, &connection.key, &times), 0);
	report(&f);
	assert_int_equal(f.web->report.open, 1);
	assert_int_equal(f.api->report.open, 0);
	assert_true(caller_times(&f.web->report.callers[0], OPEN_TIME, &read));
	assert_int_equal(read.samples, 4);
	watch_deinit(&f.pool);
}

static void listeners_are_those_of_its_endpoints(void **state)
{
	struct listening listening[] = {{.endpoint = 1, .dropped = 3},
					{.endpoint = 0, .dropped = 4}};
	struct serving serving[] = {{.endpoint = 1, .pid = 7}};
	struct report capture = {
		.listening = listening, .n_listening = 2, .serving = serving, .n_serving = 1};
	struct fixture f;
	size_t fresh;

	(void)state;
	make(&f);
	comes(&f, f.web, 0, 80, 20, &fresh);
	comes(&f, f.api, 1, 80, 20, &fresh);
	assert_int_equal(watch_reports(&f.pool, &capture), 0);
	assert_int_equal(report_dropped(&f.web->report), 4);
	assert_int_equal(report_dropped(&f.api->report), 3);
	assert_int_equal(f.api->report.listening[0].endpoint, 0);
	assert_int_equal(f.api->report.n_serving, 1);
	assert_int_equal(f.api->report.serving[0].pid, 7);
	assert_int_equal(f.web->report.n_serving, 0);
	watch_deinit(&f.pool);
}

static void settled_endpoints_are_watched_since_then(void **state)
{
	struct fixture f;
	size_t fresh;

	(void)state;
	make(&f);
	comes(&f, f.web, 0, 80, 20, &fresh);
	f.pool.target.endpoints[0].since = 25;
	f.pool.target.endpoints[0].here = true;
	watch_settle(&f.pool);
	assert_int_equal(f.web->target.endpoints[0].since, 25);
	assert_true(f.web->target.endpoints[0].here);
	watch_deinit(&f.pool);
}

/* 500 Services of ten endpoints each, in each place another number of connections. */
static void many(void **state)
{
	struct watch_pool pool = {.max_callers = 1000};
	struct watched *watched[500];
	uint64_t sum = 0;

	(void)state;
	for (uint32_t i = 0; i < 500; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", i);
		watched[i] = watch_add(&pool, "core", name, name, 1);
		for (uint32_t j = 0; j < 10; j++) {
			struct watch_up up = {
				.address = {{0, 0, 0xffff, i * 10 + j}}, .port = 80, .ours = true};
			size_t fresh;

			assert_int_equal(watch_up(&pool, watched[i], &up, 2, &fresh), j);
			assert_int_equal(fresh, i * 10 + j);
		}
	}
	watch_begin_refresh(&pool);
	for (uint32_t i = 0; i < 5000; i++) {
		struct caller_key key = {.peer = {1, 2, 3, 4}, .endpoint = (__u16)i};
		struct caller_counts counts = {.opened = i, .refused = i + 1};
		struct who who = {CLASS_EXTERNAL};

		assert_int_equal(watch_update(&pool, &key, &counts, &who), 0);
		sum += i;
	}
	watch_end_refresh(&pool);
	assert_int_equal(watch_reports(&pool, &(struct report){}), 0);
	for (uint32_t i = 0; i < 500; i++) {
		assert_int_equal(watched[i]->report.opened, 100 * i + 45);
		assert_int_equal(watched[i]->report.n_callers, 1);
		sum -= watched[i]->report.opened;
	}
	assert_int_equal(sum, 0);
	watch_deinit(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_services_over_the_same_pods),
		cmocka_unit_test(a_service_that_joins_counts_from_then_on),
		cmocka_unit_test(an_endpoint_goes_when_its_last_service_does),
		cmocka_unit_test(those_on_other_nodes_are_listed),
		cmocka_unit_test(the_same_address_of_another_pod_is_another_endpoint),
		cmocka_unit_test(a_service_that_goes_takes_nothing_from_others),
		cmocka_unit_test(open_connections_and_times),
		cmocka_unit_test(listeners_are_those_of_its_endpoints),
		cmocka_unit_test(settled_endpoints_are_watched_since_then),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
