/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/base64.h"
#include "../../user/kube/secret.h"
#include "../../user/kube/yaml.h"

static int load(const char *text, size_t size, bool typed, json_t **out, char error[512])
{
	error[0] = '\0';
	*out = NULL;
	return yaml_load(text, size, "f.yaml", typed, out, &(struct problem){error, 512});
}

/* The text as compact JSON. */
static void assert_is(const char *text, size_t size, bool typed, const char *want)
{
	char error[512];
	json_t *json;
	char *got;
	int r = load(text, size, typed, &json, error);

	assert_string_equal(error, "");
	assert_int_equal(r, 0);
	got = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
	secret_json_decref(json);
}

static void assert_yaml(const char *text, const char *want)
{
	assert_is(text, strlen(text), false, want);
}

static void assert_refused_size(const char *text, size_t size, int want, const char *part)
{
	char error[512];
	json_t *json;
	int r = load(text, size, false, &json, error);

	if (r != want || !strstr(error, part))
		print_error("for %.200s\ngot %d: %s\nwant: %s\n", text, r, error, part);
	assert_int_equal(r, want);
	assert_non_null(strstr(error, part));
	assert_memory_equal(error, "f.yaml: ", 8);
	assert_null(json);
	for (const char *c = error; *c; c++)
		assert_true(*c >= ' ' && *c <= '~');
}

static void assert_refused(const char *text, int want, const char *part)
{
	assert_refused_size(text, strlen(text), want, part);
}

static void test_shapes(void **state)
{
	(void)state;
	assert_yaml("a: 1\nb: [x, y]\nc: {d: e}\n",
		    "{\"a\":\"1\",\"b\":[\"x\",\"y\"],\"c\":{\"d\":\"e\"}}");
	assert_yaml("- a\n- - b\n  - c\n- {}\n- []\n", "[\"a\",[\"b\",\"c\"],{},[]]");
	assert_yaml("k: |\n  one\n  two\nf: >-\n  one\n  two\n",
		    "{\"f\":\"one two\",\"k\":\"one\\ntwo\\n\"}");
	assert_yaml("{\"a\": {\"b\": [1, true, null, \"x\\u0041\"]}}",
		    "{\"a\":{\"b\":[\"1\",\"true\",null,\"xA\"]}}");
	assert_yaml("# only a comment above\n---\na: b # and behind\n...\n", "{\"a\":\"b\"}");
	assert_yaml("just text", "\"just text\"");
	assert_yaml("%YAML 1.1\n---\na: b\n", "{\"a\":\"b\"}");
}

static void test_empty(void **state)
{
	(void)state;
	assert_yaml("", "null");
	assert_yaml("\n  \n", "null");
	assert_yaml("# nothing\n", "null");
	assert_yaml("---\n", "null");
	assert_yaml("\xef\xbb\xbf", "null");
}

static void test_scalars_stay_text(void **state)
{
	(void)state;
	assert_yaml("[0123, 1e5, yes, True, 1.50, 0x1f, 2026-01-01]",
		    "[\"0123\",\"1e5\",\"yes\",\"True\",\"1.50\",\"0x1f\",\"2026-01-01\"]");
	assert_yaml("[null, ~, Null, NULL, '', \"null\", '~', !!str null, !!null x, nULL]",
		    "[null,null,null,null,\"\",\"null\",\"~\",\"null\",null,\"nULL\"]");
	assert_yaml("a:\nb: ''\n", "{\"a\":null,\"b\":\"\"}");
	assert_yaml("~: a\nnull: b\n", "{\"null\":\"b\",\"~\":\"a\"}");
}

static void test_typed(void **state)
{
	const char *text = "[1, -7, 0, 1.5, 2e3, true, False, '1', \"true\", 007, 1.2.3, -, 1-2, "
			   "99999999999999999999, !!str 5, a, ~]";

	(void)state;
	assert_is(text, strlen(text), true,
		  "[1,-7,0,1.5,2000.0,true,false,\"1\",\"true\",\"007\",\"1.2.3\",\"-\",\"1-2\","
		  "\"99999999999999999999\",\"5\",\"a\",null]");
}

static void test_encodings(void **state)
{
	static const char utf16[] = "\xff\xfe"
				    "a\0:\0 \0b\0\n";

	(void)state;
	assert_yaml("\xef\xbb\xbf"
		    "a: b\n",
		    "{\"a\":\"b\"}");
	assert_yaml("a: b\r\nc:\r\n- d\r\n", "{\"a\":\"b\",\"c\":[\"d\"]}");
	assert_yaml("a: \xc3\xa9\n", "{\"a\":\"\xc3\xa9\"}");
	assert_is(utf16, sizeof(utf16), false, "{\"a\":\"b\"}");
	assert_refused("a: \xff\n", -EINVAL, "byte 4: is not YAML");
	assert_refused("a: \x1b[2J\n", -EINVAL, "is not YAML");
	assert_refused_size("a: b\0c\n", 7, -EINVAL, "is not YAML");
	assert_refused("a: \"x\\0y\"\n", -EINVAL, "line 1, column 4: a text has a 0 byte");
	assert_refused("a: \"\\ud800\"\n", -EINVAL, "is not YAML");
}

static void test_damaged(void **state)
{
	(void)state;
	assert_refused("a:\n\tb: c\n", -EINVAL, "line 2, column 1: is not YAML");
	assert_refused("a:\n\tb: c\n", -EINVAL, "(a tab can't indent)");
	assert_refused("a: [1, 2\n", -EINVAL, "line 2, column 1: is not YAML");
	assert_refused("a: b\n c: d\n", -EINVAL, "line 2, column 3: is not YAML");
	assert_refused("a: \"b\n", -EINVAL, "is not YAML");
	assert_refused("a: b\n...\nc\nd: [", -EINVAL, "line");
	assert_refused("}", -EINVAL, "line 1, column 1");
	/* What is in the file is not repeated. */
	{
		char error[512];
		json_t *json;

		assert_int_equal(load("token: sesame: x\n", 17, false, &json, error), -EINVAL);
		assert_null(strstr(error, "sesame"));
	}
}

static void test_refused(void **state)
{
	(void)state;
	assert_refused("a: b\nc: d\na: e\n", -EINVAL,
		       "line 3, column 1: the key \"a\" is there for the second time");
	assert_refused("{\"a\": 1, \"a\": 2}", -EINVAL, "line 1, column 10");
	assert_refused("\"\\e[2J\": b\n\"\\e[2J\": d\n", -EINVAL, "the key \"?[2J\"");
	assert_refused("a: b\n---\nc: d\n", -EINVAL, "line 2, column 1: a second document begins");
	assert_refused("x: &m {a: b}\ny:\n  <<: *m\n", -EINVAL, "merging with <<");
	assert_yaml("'<<': a\n", "{\"<<\":\"a\"}");
	assert_refused("[a]: b\n", -EINVAL, "a key is a list or mapping");
	assert_refused("? {a: b}\n: c\n", -EINVAL, "a key is a list or mapping");
	assert_refused("a: &x y\n*x : b\n", -EINVAL, "a key is an alias");
	assert_refused("&x a: b\n", -EINVAL, "a key has an anchor");
	assert_refused("a: !!binary aGk=\n", -EINVAL, "the tag tag:yaml.org,2002:binary");
	assert_refused("a: !thing {b: c}\n", -EINVAL, "the tag !thing");
	assert_refused("a: !<\033> b\n", -EINVAL, "is not YAML");
	assert_yaml("a: ! 5\nb: !!map {}\nc: !!seq []\n", "{\"a\":\"5\",\"b\":{},\"c\":[]}");
}

static void test_aliases(void **state)
{
	(void)state;
	assert_yaml("a: &x {b: [c]}\nd: *x\ne: [*x, *x]\n",
		    "{\"a\":{\"b\":[\"c\"]},\"d\":{\"b\":[\"c\"]},\"e\":[{\"b\":[\"c\"]},"
		    "{\"b\":[\"c\"]}]}");
	assert_yaml("a: &x s\nb: *x\nc: &x t\nd: *x\n",
		    "{\"a\":\"s\",\"b\":\"s\",\"c\":\"t\",\"d\":\"t\"}");
	assert_refused("a: *x\n", -EINVAL, "the alias *x stands for nothing");
	assert_refused("a: &x [b, *x]\n", -EINVAL, "the alias *x is a part of what it stands for");
}

/* Each line stands for ten times the one before. */
static void test_alias_bomb(void **state)
{
	char text[4096] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";

	(void)state;
	for (int i = 1; i < 30; i++) {
		char line[128];

		snprintf(line, sizeof(line), "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i,
			 i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
		strcat(text, line);
	}
	assert_refused(text, -E2BIG, "more than 200000 values");
}

static void test_alias_bytes(void **state)
{
	size_t length = 1 << 20;
	char *text = malloc(length + 256);

	(void)state;
	assert_non_null(text);
	strcpy(text, "a: &x ");
	memset(text + 6, 'y', length);
	strcpy(text + 6 + length, "\nb: [*x, *x, *x, *x, *x, *x, *x, *x]\n");
	assert_refused(text, -E2BIG, "or 8 MiB");
	free(text);
}

static void test_anchors(void **state)
{
	char text[16 << 10] = "";
	size_t length = 0;

	(void)state;
	for (int i = 0; i <= YAML_ANCHORS_MAX; i++)
		length += sprintf(text + length, "- &a%d x\n", i);
	assert_refused(text, -E2BIG, "more than 256 anchors");
	text[length - strlen("- &a256 x\n")] = '\0';
	{
		char error[512];
		json_t *json;

		assert_int_equal(load(text, strlen(text), false, &json, error), 0);
		assert_int_equal(json_array_size(json), YAML_ANCHORS_MAX);
		secret_json_decref(json);
	}
}

static void test_depth(void **state)
{
	char text[4096] = "";
	char error[512];
	json_t *json;

	(void)state;
	memset(text, '[', YAML_DEPTH_MAX);
	memset(text + YAML_DEPTH_MAX, ']', YAML_DEPTH_MAX);
	assert_int_equal(load(text, strlen(text), false, &json, error), 0);
	secret_json_decref(json);
	memset(text, '[', 2000);
	assert_refused(text, -E2BIG, "column 65: it is nested deeper than 64");
	/* Two halves that an alias puts on top of each other. */
	strcpy(text, "a: &x ");
	for (int i = 0; i < 40; i++)
		strcat(text, "[");
	for (int i = 0; i < 40; i++)
		strcat(text, "]");
	strcat(text, "\nb: ");
	for (int i = 0; i < 40; i++)
		strcat(text, "[");
	strcat(text, "*x");
	for (int i = 0; i < 40; i++)
		strcat(text, "]");
	assert_refused(text, -E2BIG, "nested deeper than 64");
}

static void test_many_values(void **state)
{
	size_t n = YAML_NODES_MAX + 1;
	char *text = malloc(n * 3 + 1);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 3 * i, "- \n", 3);
	text[3 * n] = '\0';
	assert_refused(text, -E2BIG, "more than 200000 values");
	free(text);
}

/* --- base 64 --- */

static void assert_decodes(const char *text, const char *want)
{
	struct secret out = {0};

	assert_int_equal(base64_decode(text, &out), 0);
	assert_string_equal(out.data, want);
	assert_int_equal(out.size, strlen(want));
	secret_deinit(&out);
}

static void test_base64(void **state)
{
	static const char *const damaged[] = {"a",    "ab",    "abc",  "ab=",   "=",    "====",
					      "ab=c", "abc==", "a===", "abcd=", "ab-_", "ab\xff="};
	char *text;

	(void)state;
	assert_decodes("", "");
	assert_decodes("YQ==", "a");
	assert_decodes("YWI=", "ab");
	assert_decodes("YWJj", "abc");
	assert_decodes("YW\r\nJj\nYQ =\t=\n", "abca");
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		struct secret out = {0};

		assert_int_equal(base64_decode(damaged[i], &out), -EINVAL);
		assert_null(out.data);
	}
	for (int length = 0; length < 256; length++) {
		struct secret out = {0};
		char data[256];

		for (int i = 0; i < length; i++)
			data[i] = (char)(i * 7 + length);
		assert_int_equal(base64_encode(data, length, &text), 0);
		assert_int_equal(base64_decode(text, &out), 0);
		assert_int_equal(out.size, length);
		assert_memory_equal(out.data, data, length);
		secret_deinit(&out);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_scalars_stay_text),
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_alias_bytes),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_many_values),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
