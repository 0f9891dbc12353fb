/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/callers/address.h"
#include "../../user/command/ignore.h"

static uint8_t find(const struct ignore *ignore, const char *peer, const struct pod_name *pod)
{
	struct caller_key key = {};
	struct who who = {.pod = pod};
	struct address address;

	assert_int_equal(address_parse(peer, &address), 0);
	memcpy(key.peer, address.word, sizeof(key.peer));
	return ignore_find(ignore, &key, &who);
}

static void add(struct ignore *ignore, const char *text)
{
	char problem[256];

	assert_int_equal(ignore_add(ignore, text, problem, sizeof(problem)), 0);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *cidr, *peer;
		bool in;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.0/24", "::ffff:192.0.2.7", true},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.8", false},
		{"192.0.2.7/32", "192.0.2.8", false},
		{"192.0.2.77/25", "192.0.2.0", true}, /* bits of the host don't count */
		{"0.0.0.0/0", "198.51.100.1", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "192.0.2.1", false}, /* an IPv4 peer, however the kernel has it */
		{"::/80", "::ffff:192.0.2.1", false},
		{"::ffff:192.0.2.0/120", "192.0.2.1", true},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1", "2001:db8::2", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ignore ignore = {};

		add(&ignore, cases[i].cidr);
		assert_int_equal(ignore.rules[0].kind, IGNORE_CIDR);
		assert_int_equal(find(&ignore, cases[i].peer, NULL), cases[i].in);
	}
}

static void test_pods(void **state)
{
	const struct pod_name web = {.namespace = "web", .selected = 0};
	const struct pod_name monitored = {.namespace = "monitoring", .selected = 1};
	struct ignore ignore = {};

	(void)state;
	add(&ignore, "monitor");
	add(&ignore, "app in (prometheus, agent)");
	add(&ignore, "web");
	assert_int_equal(ignore.rules[1].kind, IGNORE_SELECTOR);
	assert_int_equal(find(&ignore, "192.0.2.1", &monitored), 2);
	assert_int_equal(find(&ignore, "192.0.2.1", &web), 3);
	assert_int_equal(find(&ignore, "192.0.2.1", NULL), 0);
	assert_int_equal(ignore.selectors.n, 1);
	ignore_deinit(&ignore);
}

static void test_none(void **state)
{
	static const char *const texts[] = {
		"",           "Web",       "web_1",      "-web",         "192.0.2.0/33",
		"192.0.2.0/", "192.0.2/8", "2001::/129", "192.0.2.0/-1", "1.2.3.4/8/8",
		"app=web,",   "=web",      "app in",     "app in (a",    "a=b c",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ignore ignore = {};
		char problem[256] = "";

		assert_int_not_equal(ignore_add(&ignore, texts[i], problem, sizeof(problem)), 0);
		assert_int_equal(ignore.n, 0);
		assert_int_not_equal(problem[0], '\0');
	}
}

static void test_too_many(void **state)
{
	struct ignore ignore = {};
	char problem[256] = "";

	(void)state;
	for (size_t i = 0; i < IGNORE_RULES; i++)
		add(&ignore, "web");
	assert_int_not_equal(ignore_add(&ignore, "web", problem, sizeof(problem)), 0);
	assert_int_not_equal(problem[0], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_pods),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
