/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/callers/address.h"
#include "../../user/callers/target.h"

static struct address parsed(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static void assert_shown(const char *text, const char *shown)
{
	struct address address = parsed(text);
	char buf[ADDRESS_TEXT];

	assert_ptr_equal(address_format(&address, buf), buf);
	assert_string_equal(buf, shown);
}

static void test_round_trip(void **state)
{
	(void)state;
	assert_shown("100.96.14.170", "100.96.14.170");
	assert_shown("100.96.31.125", "100.96.31.125");
	assert_shown("0.0.0.0", "0.0.0.0");
	assert_shown("255.255.255.255", "255.255.255.255");
	assert_shown("::", "::");
	assert_shown("::1", "::1");
	assert_shown("FD00:0:0::00EA", "fd00::ea");
	assert_shown("2001:db8:1111:2222:3333:4444:5555:6666",
		     "2001:db8:1111:2222:3333:4444:5555:6666");
}

/* The access log's "::ffff:100.96.14.170" is the pod's 100.96.14.170. */
static void test_mapped_is_ipv4(void **state)
{
	struct address plain = parsed("100.96.14.170");
	struct address mapped = parsed("::ffff:100.96.14.170");
	struct address hexadecimal = parsed("::FFFF:6460:eaa");

	(void)state;
	assert_true(address_equal(&plain, &mapped));
	assert_true(address_equal(&plain, &hexadecimal));
	assert_shown("::ffff:100.96.14.170", "100.96.14.170");
	assert_shown("::ffff:6460:eaa", "100.96.14.170");
}

/* These look alike and are other addresses. */
static void test_compatible_is_not_ipv4(void **state)
{
	struct address plain = parsed("100.96.14.170");
	struct address compatible = parsed("::100.96.14.170");
	struct address translated = parsed("64:ff9b::100.96.14.170");

	(void)state;
	assert_false(address_equal(&plain, &compatible));
	assert_false(address_equal(&plain, &translated));
}

static void test_bytes(void **state)
{
	static const unsigned char want[16] = {[10] = 0xff, [11] = 0xff, 100, 96, 31, 125};
	struct address address = parsed("100.96.31.125");

	(void)state;
	assert_int_equal(sizeof(address), sizeof(want));
	assert_memory_equal(&address, want, sizeof(want));
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"localhost",
		"100.96.14",
		"100.96.14.170.1",
		"100.96.14.256",
		"100.96.14.170 ",
		" 100.96.14.170",
		"100.96.14.170:3000",
		"100.96.14.0/24",
		"010.96.14.170",
		"0x64.96.14.170",
		"[::1]",
		"[::1]:3000",
		"fe80::1%eth0",
		"fd00::/8",
		":::",
		"1::2::3",
		"::ffff:100.96.14",
		"::fffff",
		"1:2:3:4:5:6:7:8:9",
	};
	struct address address = parsed("192.0.2.1");
	struct address before = address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(address_parse(texts[i], &address), -EINVAL);
		assert_true(address_equal(&address, &before));
	}
}

static void test_any(void **state)
{
	struct address zero = {.word = {0}};
	struct address any = parsed("::");
	struct address ipv4 = parsed("0.0.0.0");
	struct address one = parsed("::1");

	(void)state;
	assert_true(address_is_any(&zero));
	assert_true(address_is_any(&any));
	assert_false(address_is_any(&ipv4));
	assert_false(address_is_any(&one));
}

static void test_loopback(void **state)
{
	static const char *const yes[] = {"127.0.0.1", "127.255.255.255", "::1",
					  "::ffff:127.0.0.1"};
	static const char *const no[] = {
		"126.255.255.255", "128.0.0.0",     "0.0.0.0", "::", "::2", "::127.0.0.1", "1::1",
		"100.96.14.170",   "7f00::ffff:1:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		struct address address = parsed(yes[i]);

		assert_true(address_is_loopback(&address));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		struct address address = parsed(no[i]);

		assert_false(address_is_loopback(&address));
	}
}

static void test_target(void **state)
{
	struct target target = {0};
	struct address a = parsed("100.96.10.11");
	struct address b = parsed("fd00::1");
	struct address mapped = parsed("::ffff:100.96.10.11");
	const struct pod_name pod = {.pod = "session-service-v1-55559c8d4b-c2xxf"};

	(void)state;
	assert_int_equal(target_add(&target, &a, 3000, &pod), 0);
	assert_int_equal(target_add(&target, &mapped, 3000, NULL), 0);
	assert_int_equal(target.n_endpoints, 1);
	assert_ptr_equal(target.endpoints[0].pod, &pod);
	assert_int_equal(target_add(&target, &a, 3001, NULL), 0);
	assert_int_equal(target_add(&target, &b, 3000, NULL), 0);
	assert_int_equal(target.n_endpoints, 3);
	assert_int_equal(target.endpoints[1].port, 3001);
	assert_true(address_equal(&target.endpoints[2].address, &b));
	for (unsigned int port = 1; port <= 1000; port++)
		assert_int_equal(target_add(&target, &b, port, NULL), 0);
	assert_int_equal(target.n_endpoints, 1003);
	for (unsigned int port = 1; port <= 1000; port++)
		assert_int_equal(target.endpoints[port + 2].port, port);
	target.text = strdup("port 3000");
	target_deinit(&target);
	assert_null(target.text);
	assert_null(target.endpoints);
	assert_int_equal(target.n_endpoints, 0);
	target_deinit(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_mapped_is_ipv4),
		cmocka_unit_test(test_compatible_is_not_ipv4),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
