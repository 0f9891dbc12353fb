/* SPDX-License-Identifier: MIT */
#include "selector.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LENGTH 63
#define PREFIX_MAX_LENGTH 253
/* So much of what is wrong is repeated. */
#define SHOWN 40

enum test {
	EXISTS,
	MISSING,
	IN,
	NOT_IN,
};

struct requirement {
	enum test test;
	char *key;
	char **values; /* of IN and NOT_IN */
	size_t n_values;
};

struct selector {
	struct requirement *requirements;
	size_t n;
};

/* --- words --- */

enum kind {
	END,
	WORD,
	COMMA,
	OPEN,
	CLOSE,
	NOT,
	EQUAL, /* = and == */
	NOT_EQUAL,
	OTHER, /* > and <, and characters in a row that mean nothing */
};

struct token {
	enum kind kind;
	const char *at;
	size_t length;
};

struct parser {
	const char *text;
	struct token token; /* what comes next */
	char *error;
	size_t error_size;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return c && strchr("=!(),<>", c);
}

static struct token make(enum kind kind, const char *at, size_t length)
{
	return (struct token){kind, at, length};
}

static struct token token_at(const char *at)
{
	size_t length = 0;

	while (is_space(*at))
		at++;
	switch (*at) {
	case '\0':
		return make(END, at, 0);
	case ',':
		return make(COMMA, at, 1);
	case '(':
		return make(OPEN, at, 1);
	case ')':
		return make(CLOSE, at, 1);
	case '=':
		return make(EQUAL, at, at[1] == '=' ? 2 : 1);
	case '!':
		return at[1] == '=' ? make(NOT_EQUAL, at, 2) : make(NOT, at, 1);
	case '<':
	case '>':
		return make(OTHER, at, 1);
	default:
		while (at[length] && !is_space(at[length]) && !is_special(at[length]))
			length++;
		return make(WORD, at, length);
	}
}

static void advance(struct parser *parser)
{
	parser->token = token_at(parser->token.at + parser->token.length);
}

static bool is_word(const struct token *token, const char *word)
{
	return token->kind == WORD && token->length == strlen(word) &&
	       !memcmp(token->at, word, token->length);
}

/* "at character 7: " and what is wrong there. -EINVAL. */
__attribute__((format(printf, 3, 4))) static int fail_at(struct parser *parser, const char *at,
							 const char *format, ...)
{
	char what[200];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	for (char *c = what; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	snprintf(parser->error, parser->error_size, "at character %zu: %s",
		 (size_t)(at - parser->text) + 1, what);
	return -EINVAL;
}

/* What is there in place of what should be. */
static int fail_expected(struct parser *parser, const char *expected)
{
	const struct token *token = &parser->token;

	if (token->kind == END)
		return fail_at(parser, token->at, "it ends where %s is due", expected);
	return fail_at(parser, token->at, "\"%.*s\" where %s is due",
		       (int)(token->length < SHOWN ? token->length : SHOWN), token->at, expected);
}

/* --- what is a key, and a value --- */

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits, and - _ . in the middle. */
static bool is_name(const char *text, size_t length)
{
	if (!length || !is_alphanumeric(text[0]) || !is_alphanumeric(text[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alphanumeric(text[i]) && text[i] != '-' && text[i] != '_' && text[i] != '.')
			return false;
	return true;
}

/* A DNS name in lower case: each part begins and ends with a letter or digit. */
static bool is_dns_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool edge = !i || i + 1 == length || text[i - 1] == '.' || text[i + 1] == '.';

		if (text[i] == '.' ? edge : text[i] == '-' ? edge : !is_alphanumeric(text[i]))
			return false;
		if (text[i] >= 'A' && text[i] <= 'Z')
			return false;
	}
	return length;
}

static int check_key(struct parser *parser)
{
	const char *at = parser->token.at;
	size_t length = parser->token.length;
	const char *slash = memchr(at, '/', length);
	size_t prefix = slash ? (size_t)(slash - at) : 0;

	if (slash && prefix > PREFIX_MAX_LENGTH)
		return fail_at(parser, at, "the prefix of a key has more than %d characters",
			       PREFIX_MAX_LENGTH);
	if (slash && !is_dns_name(at, prefix))
		return fail_at(parser, at,
			       "what is before the / of a key is a DNS name in lower case, and "
			       "\"%.*s\" is none",
			       (int)(prefix < SHOWN ? prefix : SHOWN), at);
	if (slash) {
		at += prefix + 1;
		length -= prefix + 1;
	}
	if (length > NAME_MAX_LENGTH)
		return fail_at(parser, at, "the name of a key has more than %d characters",
			       NAME_MAX_LENGTH);
	if (!is_name(at, length))
		return fail_at(parser, at,
			       "the name of a key is letters and digits, with - _ . in between, "
			       "and \"%.*s\" is not",
			       (int)(length < SHOWN ? length : SHOWN), at);
	return 0;
}

static int check_value(struct parser *parser)
{
	const struct token *token = &parser->token;

	if (token->length > NAME_MAX_LENGTH)
		return fail_at(parser, token->at, "a value has more than %d characters",
			       NAME_MAX_LENGTH);
	if (!is_name(token->at, token->length))
		return fail_at(parser, token->at,
			       "a value is letters and digits, with - _ . in between, and "
			       "\"%.*s\" is not",
			       (int)token->length, token->at);
	return 0;
}

/* --- requirements --- */

static int add_value(struct requirement *requirement, const char *at, size_t length)
{
	char **values = reallocarray(requirement->values, requirement->n_values + 1,
				     sizeof(*requirement->values));

	if (!values)
		return -ENOMEM;
	requirement->values = values;
	values[requirement->n_values] = strndup(at, length);
	return values[requirement->n_values++] ? 0 : -ENOMEM;
}

/* A value, or none at all: "app=" is a label whose value is empty. */
static int parse_value(struct parser *parser, struct requirement *requirement)
{
	const struct token token = parser->token;
	int r = token.kind == WORD ? check_value(parser) : 0;

	if (r)
		return r;
	if (token.kind != WORD)
		return add_value(requirement, "", 0);
	advance(parser);
	return add_value(requirement, token.at, token.length);
}

static int parse_values(struct parser *parser, struct requirement *requirement)
{
	int r = 0;

	if (parser->token.kind != OPEN)
		return fail_expected(parser, "( and a list of values");
	do {
		advance(parser);
		r = parse_value(parser, requirement);
	} while (!r && parser->token.kind == COMMA);
	if (r)
		return r;
	if (parser->token.kind != CLOSE)
		return fail_expected(parser, "a comma or )");
	advance(parser);
	return 0;
}

static int parse_operator(struct parser *parser, struct requirement *requirement)
{
	bool in = is_word(&parser->token, "in"), not_in = is_word(&parser->token, "notin");
	enum kind kind = parser->token.kind;
	int r;

	requirement->test = EXISTS;
	if (kind == END || kind == COMMA)
		return 0;
	if (!in && !not_in && kind != EQUAL && kind != NOT_EQUAL)
		return fail_expected(parser, "=, !=, in, notin or a comma");
	requirement->test = in || kind == EQUAL ? IN : NOT_IN;
	advance(parser);
	if (in || not_in)
		return parse_values(parser, requirement);
	r = parse_value(parser, requirement);
	if (!r && parser->token.kind != END && parser->token.kind != COMMA)
		r = fail_expected(parser, requirement->values[0][0] ? "a comma" : "a value");
	return r;
}

static int parse_requirement(struct parser *parser, struct requirement *requirement)
{
	bool missing = parser->token.kind == NOT;
	int r;

	if (missing)
		advance(parser);
	if (parser->token.kind != WORD)
		return fail_expected(parser, "a key");
	r = check_key(parser);
	if (r)
		return r;
	requirement->key = strndup(parser->token.at, parser->token.length);
	if (!requirement->key)
		return -ENOMEM;
	advance(parser);
	if (!missing) {
		r = parse_operator(parser, requirement);
	} else {
		requirement->test = MISSING;
	}
	if (!r && parser->token.kind != END && parser->token.kind != COMMA)
		r = fail_expected(parser, "a comma");
	return r;
}

static struct requirement *add_requirement(struct selector *selector)
{
	struct requirement *requirements =
		reallocarray(selector->requirements, selector->n + 1, sizeof(*requirements));

	if (!requirements)
		return NULL;
	selector->requirements = requirements;
	requirements[selector->n] = (struct requirement){};
	return &requirements[selector->n++];
}

static int parse(struct parser *parser, struct selector *selector)
{
	struct requirement *requirement;
	int r;

	if (parser->token.kind == END)
		return fail_at(parser, parser->token.at, "it is empty, and would match all pods");
	for (;;) {
		requirement = add_requirement(selector);
		r = requirement ? parse_requirement(parser, requirement) : -ENOMEM;
		if (r || parser->token.kind == END)
			return r;
		advance(parser);
	}
}

int selector_parse(struct selector **out, const char *text, char *error, size_t error_size)
{
	struct parser parser = {.text = text, .error = error, .error_size = error_size};
	struct selector *selector = calloc(1, sizeof(*selector));
	int r = -ENOMEM;

	if (selector) {
		parser.token = token_at(text);
		r = parse(&parser, selector);
	}
	if (!r) {
		*out = selector;
		return 0;
	}
	if (r == -ENOMEM)
		snprintf(error, error_size, "out of memory");
	selector_free(selector);
	return r;
}

void selector_free(struct selector *selector)
{
	if (!selector)
		return;
	for (size_t i = 0; i < selector->n; i++) {
		struct requirement *requirement = &selector->requirements[i];

		for (size_t j = 0; j < requirement->n_values; j++)
			free(requirement->values[j]);
		free(requirement->values);
		free(requirement->key);
	}
	free(selector->requirements);
	free(selector);
}

/* --- matching --- */

static bool has_value(const struct requirement *requirement, const json_t *label)
{
	const char *value = json_string_value(label);

	for (size_t i = 0; value && i < requirement->n_values; i++)
		if (!strcmp(requirement->values[i], value))
			return true;
	return false;
}

static bool is_met(const struct requirement *requirement, const json_t *labels)
{
	const json_t *label = json_object_get(labels, requirement->key);

	switch (requirement->test) {
	case EXISTS:
		return label;
	case MISSING:
		return !label;
	case IN:
		return has_value(requirement, label);
	case NOT_IN:
		return !has_value(requirement, label);
	}
	return false;
}

bool selector_matches(const struct selector *selector, const json_t *labels)
{
	for (size_t i = 0; i < selector->n; i++)
		if (!is_met(&selector->requirements[i], labels))
			return false;
	return true;
}

uint32_t selectors_match(const struct selectors *selectors, const json_t *labels)
{
	uint32_t matching = 0;

	for (size_t i = 0; selectors && i < selectors->n; i++)
		if (selector_matches(selectors->at[i], labels))
			matching |= UINT32_C(1) << i;
	return matching;
}
