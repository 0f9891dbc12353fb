/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/kube/review-cache.h"

#define SECOND UINT64_C(1000000000)

static void test_rate(void **state)
{
	struct review_rate rate = {};
	unsigned taken = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		taken += review_rate_take(&rate, 1000 * SECOND, 5, 20);
	assert_int_equal(taken, 20);
	assert_false(review_rate_take(&rate, 1000 * SECOND + SECOND / 5 - 1, 5, 20));
	assert_true(review_rate_take(&rate, 1000 * SECOND + SECOND / 5, 5, 20));
	assert_false(review_rate_take(&rate, 1000 * SECOND + SECOND / 5, 5, 20));
	/* never more at once, however long nobody came */
	taken = 0;
	for (int i = 0; i < 100; i++)
		taken += review_rate_take(&rate, 2000 * SECOND, 5, 20);
	assert_int_equal(taken, 20);
}

/* Each process has a key of its own; the same token has the same digest in it. */
static void test_keys(void **state)
{
	struct review_cache *cache = review_cache_new(1), *other = review_cache_new(1);
	struct review_key a, b, c;

	(void)state;
	assert_int_equal(review_cache_key(cache, "sesame", 6, &a), 0);
	assert_int_equal(review_cache_key(cache, "sesame...", 6, &b), 0);
	assert_int_equal(review_cache_key(other, "sesame", 6, &c), 0);
	assert_true(review_key_equal(&a, &b));
	assert_false(review_key_equal(&a, &c));
	review_cache_free(cache);
	review_cache_free(other);
}

static void test_room(void **state)
{
	struct review_cache *cache = review_cache_new(2);
	struct review_key keys[4];
	const char *token = "abcd";

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(review_cache_key(cache, token + i, 1, &keys[i]), 0);
	assert_false(review_key_equal(&keys[0], &keys[1]));
	/* one that may something stays, though it was used before the other */
	review_known_decide(review_cache_put(cache, &keys[0], json_object(), 1, 100), "/", true,
			    100);
	review_known_decide(review_cache_put(cache, &keys[1], json_object(), 2, 100), "/", false,
			    100);
	review_cache_put(cache, &keys[2], json_object(), 3, 100);
	assert_non_null(review_cache_find(cache, &keys[0]));
	assert_null(review_cache_find(cache, &keys[1]));
	assert_non_null(review_cache_find(cache, &keys[2]));
	/* of those that may, the one that was used last */
	review_known_decide(review_cache_find(cache, &keys[2]), "/", true, 100);
	assert_int_equal(review_known_look(review_cache_find(cache, &keys[0]), "/", 4), REVIEW_MAY);
	review_cache_put(cache, &keys[3], json_object(), 5, 100);
	assert_non_null(review_cache_find(cache, &keys[0]));
	assert_null(review_cache_find(cache, &keys[2]));
	/* refused ones take no place of these */
	for (size_t i = 1; i < 3; i++)
		review_cache_refuse(cache, &keys[i], 100);
	assert_non_null(review_cache_find(cache, &keys[0]));
	assert_non_null(review_cache_find(cache, &keys[3]));
	assert_true(review_cache_refused(cache, &keys[1], 99));
	assert_false(review_cache_refused(cache, &keys[1], 100));
	/* one that is valid is not refused, and the other way about */
	review_cache_put(cache, &keys[1], json_object(), 6, 100);
	assert_false(review_cache_refused(cache, &keys[1], 99));
	review_cache_refuse(cache, &keys[1], 100);
	assert_null(review_cache_find(cache, &keys[1]));
	review_cache_free(cache);
}

static void test_paths(void **state)
{
	struct review_cache *cache = review_cache_new(1);
	struct review_known *known;
	struct review_key key;
	char path[3] = "/a";

	(void)state;
	assert_int_equal(review_cache_key(cache, "x", 1, &key), 0);
	known = review_cache_put(cache, &key, json_object(), 1, 1000);
	for (unsigned i = 0; i <= REVIEW_PATHS; i++, path[1]++)
		review_known_decide(known, path, true, 100 + i);
	assert_int_equal(review_known_look(known, "/a", 1), REVIEW_UNDECIDED);
	assert_int_equal(review_known_look(known, "/b", 1), REVIEW_MAY);
	assert_int_equal(review_known_look(known, "/i", 1), REVIEW_MAY);
	/* the same anew */
	review_known_decide(known, "/i", false, 200);
	assert_int_equal(review_known_look(known, "/i", 199), REVIEW_MAY_NOT);
	assert_int_equal(review_known_look(known, "/i", 200), REVIEW_UNDECIDED);
	/* what was decided is worth no more than that they have the token */
	review_known_decide(known, "/i", true, 2000);
	assert_int_equal(review_known_look(known, "/i", 999), REVIEW_MAY);
	assert_int_equal(review_known_look(known, "/i", 1000), REVIEW_UNDECIDED);
	known = review_cache_put(cache, &key, json_object(), 1000, 3000);
	assert_int_equal(review_known_look(known, "/i", 1000), REVIEW_UNDECIDED);
	review_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
