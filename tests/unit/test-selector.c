/* SPDX-License-Identifier: MIT */
/* Label selectors: what Kubernetes' documentation and its own parser's tests have, and what is
 * wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/selector.h"

#define LONG_63 "a23456789b23456789c23456789d23456789e23456789f23456789g23456789"
#define LABELS_OF "{\"" LONG_63 "\":\"" LONG_63 "\"}"

static struct selector *parse(const char *text)
{
	struct selector *selector = NULL;
	char error[256] = "";
	int r = selector_parse(&selector, text, error, sizeof(error));

	if (r)
		print_error("\"%s\": %s\n", text, error);
	assert_int_equal(r, 0);
	assert_string_equal(error, "");
	return selector;
}

static bool matches(const char *text, const char *labels)
{
	struct selector *selector = parse(text);
	json_t *json = labels ? json_loads(labels, 0, NULL) : NULL;
	bool does = selector_matches(selector, json);

	assert_true(!labels || json);
	json_decref(json);
	selector_free(selector);
	return does;
}

static void test_matches(void **state)
{
	static const struct {
		const char *selector;
		const char *labels;
		bool matches;
	} cases[] = {
		/* Kubernetes' documentation, "Labels and Selectors" */
		{"environment = production", "{\"environment\":\"production\"}", true},
		{"environment = production", "{\"environment\":\"qa\"}", false},
		{"environment = production", "{}", false},
		{"tier != frontend", "{\"tier\":\"backend\"}", true},
		{"tier != frontend", "{\"tier\":\"frontend\"}", false},
		{"tier != frontend", "{}", true},
		{"environment=production,tier!=frontend",
		 "{\"environment\":\"production\",\"tier\":\"backend\"}", true},
		{"environment=production,tier!=frontend",
		 "{\"environment\":\"production\",\"tier\":\"frontend\"}", false},
		{"environment in (production, qa)", "{\"environment\":\"qa\"}", true},
		{"environment in (production, qa)", "{\"environment\":\"dev\"}", false},
		{"environment in (production, qa)", "{}", false},
		{"tier notin (frontend, backend)", "{\"tier\":\"cache\"}", true},
		{"tier notin (frontend, backend)", "{\"tier\":\"backend\"}", false},
		{"tier notin (frontend, backend)", "{\"x\":\"y\"}", true},
		{"partition", "{\"partition\":\"\"}", true},
		{"partition", "{}", false},
		{"!partition", "{\"partition\":\"a\"}", false},
		{"!partition", "{}", true},
		{"partition,environment notin (qa)", "{\"partition\":\"a\"}", true},
		{"partition,environment notin (qa)", "{\"partition\":\"a\",\"environment\":\"qa\"}",
		 false},
		{"partition in (customerA, customerB),environment!=qa",
		 "{\"partition\":\"customerB\",\"environment\":\"dev\"}", true},
		/* other ways of writing */
		{"a==b", "{\"a\":\"b\"}", true},
		{"a=", "{\"a\":\"\"}", true},
		{"a=", "{\"a\":\"b\"}", false},
		{"a= ,b=", "{\"a\":\"\",\"b\":\"\"}", true},
		{"a!=", "{\"a\":\"\"}", false},
		{"a!=", "{\"a\":\"b\"}", true},
		{"a in ()", "{\"a\":\"\"}", true},
		{"a in (b,)", "{\"a\":\"\"}", true},
		{"a notin (, b)", "{\"a\":\"\"}", false},
		{"a notin ( )", "{\"a\":\"b\"}", true},
		{"a in(b),c", "{\"a\":\"b\",\"c\":\"\"}", true},
		{"a in (b),!c", "{\"a\":\"b\",\"c\":\"\"}", false},
		{" \t\r\n! a ", "{}", true},
		{"a in (x,y,notin, z,in)", "{\"a\":\"in\"}", true},
		{"in in (in)", "{\"in\":\"in\"}", true},
		{"notin", "{\"notin\":\"\"}", true},
		{"in", "{}", false},
		{"a=in", "{\"a\":\"in\"}", true},
		{"a=1,a=2", "{\"a\":\"1\"}", false},
		{"a!=1,a!=2", "{\"a\":\"3\"}", true},
		{"app.kubernetes.io/name=web", "{\"app.kubernetes.io/name\":\"web\"}", true},
		{"app.kubernetes.io/name=web", "{\"name\":\"web\"}", false},
		{"UP_per.1-x=UP_per.1-x", "{\"UP_per.1-x\":\"UP_per.1-x\"}", true},
		{LONG_63 "=" LONG_63, LABELS_OF, true},
		/* labels that are none */
		{"a", NULL, false},
		{"!a", NULL, true},
		{"a!=b", NULL, true},
		{"a", "[\"a\"]", false},
		{"a=1", "{\"a\":1}", false},
		{"a!=1", "{\"a\":1}", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (matches(cases[i].selector, cases[i].labels) != cases[i].matches)
			fail_msg("\"%s\" of %s: not %d", cases[i].selector,
				 cases[i].labels ? cases[i].labels : "nothing", cases[i].matches);
}

static void test_refused(void **state)
{
	static const struct {
		const char *selector;
		const char *error;
	} cases[] = {
		{"", "at character 1: it is empty, and would match all pods"},
		{" ", "at character 2: it is empty, and would match all pods"},
		{",a", "at character 1: \",\" where a key is due"},
		{"a,", "at character 3: it ends where a key is due"},
		{"a,,b", "at character 3: \",\" where a key is due"},
		{"=b", "at character 1: \"=\" where a key is due"},
		{"!", "at character 2: it ends where a key is due"},
		{"!!a", "at character 2: \"!\" where a key is due"},
		{"!a=b", "at character 3: \"=\" where a comma is due"},
		{"a==b==c", "at character 5: \"==\" where a comma is due"},
		{"a===b", "at character 4: \"=\" where a value is due"},
		{"a=b||c=d",
		 "at character 3: a value is letters and digits, with - _ . in between, and "
		 "\"b||c\" is not"},
		{"a b", "at character 3: \"b\" where =, !=, in, notin or a comma is due"},
		{"a nott in (b)",
		 "at character 3: \"nott\" where =, !=, in, notin or a comma is due"},
		{"a=b c", "at character 5: \"c\" where a comma is due"},
		{"a>1", "at character 2: \">\" where =, !=, in, notin or a comma is due"},
		{"a<1", "at character 2: \"<\" where =, !=, in, notin or a comma is due"},
		{"a in", "at character 5: it ends where ( and a list of values is due"},
		{"a in b", "at character 6: \"b\" where ( and a list of values is due"},
		{"a in (b", "at character 8: it ends where a comma or ) is due"},
		{"a in (b c)", "at character 9: \"c\" where a comma or ) is due"},
		{"a in (b)c", "at character 9: \"c\" where a comma is due"},
		{"a in (b),", "at character 10: it ends where a key is due"},
		{"a notin(", "at character 9: it ends where a comma or ) is due"},
		{"(", "at character 1: \"(\" where a key is due"},
		{"a (", "at character 3: \"(\" where =, !=, in, notin or a comma is due"},
		{"-a", "at character 1: the name of a key is letters and digits, with - _ . in "
		       "between, and \"-a\" is not"},
		{"a.", "at character 1: the name of a key is letters and digits, with - _ . in "
		       "between, and \"a.\" is not"},
		{"x/", "at character 3: the name of a key is letters and digits, with - _ . in "
		       "between, and \"\" is not"},
		{"x/a/b", "at character 3: the name of a key is letters and digits, with - _ . "
			  "in between, and \"a/b\" is not"},
		{"/a", "at character 1: what is before the / of a key is a DNS name in lower "
		       "case, and \"\" is none"},
		{"Example.com/a", "at character 1: what is before the / of a key is a DNS name "
				  "in lower case, and \"Example.com\" is none"},
		{"a..b/c", "at character 1: what is before the / of a key is a DNS name in lower "
			   "case, and \"a..b\" is none"},
		{"a.-b/c", "at character 1: what is before the / of a key is a DNS name in lower "
			   "case, and \"a.-b\" is none"},
		{"a_b/c", "at character 1: what is before the / of a key is a DNS name in lower "
			  "case, and \"a_b\" is none"},
		{LONG_63 "x", "at character 1: the name of a key has more than 63 characters"},
		{"a=" LONG_63 "x", "at character 3: a value has more than 63 characters"},
		{"a=b-", "at character 3: a value is letters and digits, with - _ . in between, "
			 "and \"b-\" is not"},
		{"a=\x1b[31m", "at character 3: a value is letters and digits, with - _ . in "
			       "between, and \"?[31m\" is not"},
		{"a=\xc3\xa9", "at character 3: a value is letters and digits, with - _ . in "
			       "between, and \"??\" is not"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct selector *selector = NULL;
		char error[256] = "";

		assert_int_equal(selector_parse(&selector, cases[i].selector, error, sizeof(error)),
				 -EINVAL);
		assert_string_equal(error, cases[i].error);
		assert_null(selector);
	}
}

/* A prefix may have 253 characters. */
static void test_long_prefix(void **state)
{
	char text[300], error[256];
	struct selector *selector = NULL;

	(void)state;
	memset(text, 'a', 254);
	strcpy(text + 253, "/b");
	assert_int_equal(selector_parse(&selector, text, error, sizeof(error)), 0);
	selector_free(selector);
	memset(text, 'a', 254);
	strcpy(text + 254, "/b");
	assert_int_equal(selector_parse(&selector, text, error, sizeof(error)), -EINVAL);
	assert_string_equal(error,
			    "at character 1: the prefix of a key has more than 253 characters");
}

/* Whatever is cut off or put together ends in 0 or -EINVAL and a sentence. */
static void test_anything(void **state)
{
	static const char *const parts[] = {"a", "in", "notin", "=",  "!", "(",   ")",
					    ",", ">",  " ",     "==", "/", "a/b", "\x7f"};
	unsigned int seed = 1;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct selector *selector = NULL;
		char text[64] = "", error[32] = "";
		int r;

		for (int n = rand_r(&seed) % 12; n > 0; n--)
			strcat(text,
			       parts[(size_t)rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]))]);
		r = selector_parse(&selector, text, error, sizeof(error));
		assert_true(r == 0 || r == -EINVAL);
		assert_int_equal(!r, !error[0]);
		if (!r)
			selector_matches(selector, NULL);
		selector_free(selector);
	}
}

static void test_several(void **state)
{
	struct selectors selectors = {};
	struct selector *own[SELECTORS_MAX];
	json_t *labels = json_pack("{s:s}", "a", "1");

	(void)state;
	assert_int_equal(selectors_match(NULL, labels), 0);
	assert_int_equal(selectors_match(&selectors, labels), 0);
	for (size_t i = 0; i < SELECTORS_MAX; i++) {
		own[i] = parse(i % 31 ? "a=2" : "a=1");
		selectors.at[selectors.n++] = own[i];
	}
	assert_int_equal(selectors_match(&selectors, labels), 0x80000001);
	for (size_t i = 0; i < SELECTORS_MAX; i++)
		selector_free(own[i]);
	json_decref(labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),     cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_prefix), cmocka_unit_test(test_anything),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
