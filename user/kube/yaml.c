/* SPDX-License-Identifier: MIT */
#include "yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "secret.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

/* A list or mapping that is being read. */
struct open {
	json_t *value; /* whose holds it */
	char *key;     /* of the mapping's next value; NULL: the next is a key */
	size_t anchor; /* number of its anchor, from 1; 0: none */
	size_t nodes;  /* the counts before it */
	size_t bytes;
	unsigned height; /* of the highest value in it */
};

struct anchor {
	char *name;
	json_t *value; /* NULL while it is being read */
	size_t nodes;  /* what it stands for */
	size_t bytes;
	unsigned height; /* 0: a scalar */
};

struct builder {
	yaml_parser_t parser;
	const char *name;
	const struct problem *problem;
	bool typed;
	bool ended; /* a document did */
	json_t *root;
	struct open stack[YAML_DEPTH_MAX];
	unsigned depth;
	struct anchor anchors[YAML_ANCHORS_MAX];
	size_t n_anchors;
	size_t nodes; /* so far, aliases expanded */
	size_t bytes;
};

/* --- errors --- */

static int fail(const struct builder *builder, int r, const yaml_mark_t *mark, const char *format,
		...) __attribute__((format(printf, 4, 5)));

static int fail(const struct builder *builder, int r, const yaml_mark_t *mark, const char *format,
		...)
{
	char what[300];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return problem_set(builder->problem, r, "%s: line %zu, column %zu: %s", builder->name,
			   mark->line + 1, mark->column + 1, what);
}

/* libyaml's sentences are constant: nothing of the text is in them. */
static int fail_parse(const struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	const char *problem = parser->problem ? parser->problem : "it is damaged";
	const char *hint = "";

	if (parser->error == YAML_MEMORY_ERROR)
		return problem_no_memory(builder->problem);
	if (parser->error == YAML_READER_ERROR)
		return problem_set(builder->problem, -EINVAL,
				   "%s: byte %zu: is not YAML: %s; mend the file", builder->name,
				   parser->problem_offset + 1, problem);
	if (strstr(problem, "cannot start any token"))
		hint = " (a tab can't indent)";
	return fail(builder, -EINVAL, &parser->problem_mark, "is not YAML: %s%s; mend the file",
		    problem, hint);
}

/* --- values --- */

static int count(struct builder *builder, const yaml_mark_t *mark, size_t nodes, size_t bytes)
{
	builder->nodes += nodes;
	builder->bytes += bytes;
	if (builder->nodes <= YAML_NODES_MAX && builder->bytes <= YAML_BYTES_MAX)
		return 0;
	return fail(builder, -E2BIG, mark,
		    "it has more than %d values or %zu MiB, each alias counted as what it stands "
		    "for; use a smaller file",
		    YAML_NODES_MAX, YAML_BYTES_MAX >> 20);
}

/* Takes the reference. */
static int add(struct builder *builder, json_t *value)
{
	struct open *open;
	int r;

	if (!value)
		return problem_no_memory(builder->problem);
	if (!builder->depth) {
		builder->root = value;
		return 0;
	}
	open = &builder->stack[builder->depth - 1];
	if (json_is_array(open->value)) {
		r = json_array_append_new(open->value, value);
	} else {
		r = json_object_set_new(open->value, open->key, value);
		free(open->key);
		open->key = NULL;
	}
	return r ? problem_no_memory(builder->problem) : 0;
}

static bool wants_key(const struct builder *builder)
{
	const struct open *open = builder->depth ? &builder->stack[builder->depth - 1] : NULL;

	return open && json_is_object(open->value) && !open->key;
}

static int check_tag(const struct builder *builder, const yaml_mark_t *mark, const char *tag)
{
	static const char *const known[] = {"str", "seq", "map", "null", "bool", "int", "float"};

	if (!tag || strcmp(tag, "!") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 &&
		    strcmp(tag + strlen(TAG_PREFIX), known[i]) == 0)
			return 0;
	return fail(builder, -EINVAL, mark, "the tag %.80s is not supported; leave it out", tag);
}

/* A name given twice means the later one from then on. */
static int add_anchor(struct builder *builder, const yaml_mark_t *mark, const char *name,
		      size_t *number)
{
	struct anchor *anchor = &builder->anchors[builder->n_anchors];

	*number = 0;
	if (!name)
		return 0;
	if (builder->n_anchors == YAML_ANCHORS_MAX)
		return fail(builder, -E2BIG, mark, "it has more than %d anchors; use fewer",
			    YAML_ANCHORS_MAX);
	*anchor = (struct anchor){.name = strdup(name)};
	if (!anchor->name)
		return problem_no_memory(builder->problem);
	*number = ++builder->n_anchors;
	return 0;
}

static int add_alias(struct builder *builder, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor = NULL;
	struct open *open = builder->depth ? &builder->stack[builder->depth - 1] : NULL;
	int r;

	if (wants_key(builder))
		return fail(builder, -EINVAL, &event->start_mark,
			    "a key is an alias, which is not supported; write the key out");
	for (size_t i = builder->n_anchors; i && !anchor; i--)
		if (strcmp(builder->anchors[i - 1].name, name) == 0)
			anchor = &builder->anchors[i - 1];
	if (!anchor || !anchor->value)
		return fail(builder, -EINVAL, &event->start_mark,
			    "the alias *%.80s %s; mend the file", name,
			    anchor ? "is a part of what it stands for" : "stands for nothing");
	if (builder->depth + anchor->height > YAML_DEPTH_MAX)
		return fail(builder, -E2BIG, &event->start_mark,
			    "it is nested deeper than %d; use a flatter file", YAML_DEPTH_MAX);
	r = count(builder, &event->start_mark, anchor->nodes, anchor->bytes);
	if (r < 0)
		return r;
	if (open && open->height < anchor->height)
		open->height = anchor->height;
	return add(builder, json_incref(anchor->value));
}

/* --- scalars --- */

static bool is_null(const yaml_event_t *event, const char *text)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};
	const char *tag = (const char *)event->data.scalar.tag;

	if (tag && strcmp(tag, TAG_PREFIX "null") == 0)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (event->data.scalar.plain_implicit && strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/* NULL: it is text, or there is no memory, which the string will find as well. */
static json_t *typed_scalar(const char *text)
{
	const char *c = text + (*text == '-');
	char *end;

	if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0 || strcmp(text, "TRUE") == 0)
		return json_true();
	if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0 || strcmp(text, "FALSE") == 0)
		return json_false();
	/* JSON's numbers, and no others: octal is another number in each version of YAML. */
	if (*c < '0' || *c > '9' || (*c == '0' && c[1] >= '0' && c[1] <= '9') ||
	    strspn(c, "0123456789.eE+-") != strlen(c) || strlen(c) > 40)
		return NULL;
	if (strspn(c, "0123456789") == strlen(c)) {
		json_int_t number;

		errno = 0;
		number = strtoll(text, &end, 10);
		return errno ? NULL : json_integer(number);
	}
	{
		double number = strtod(text, &end);

		return *end ? NULL : json_real(number);
	}
}

static json_t *make_scalar(const struct builder *builder, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	json_t *value = NULL;

	if (is_null(event, text))
		return json_null();
	if (builder->typed && event->data.scalar.plain_implicit)
		value = typed_scalar(text);
	return value ? value : json_stringn(text, event->data.scalar.length);
}

static int take_key(struct builder *builder, const yaml_event_t *event)
{
	struct open *open = &builder->stack[builder->depth - 1];
	const char *text = (const char *)event->data.scalar.value;

	if (event->data.scalar.anchor)
		return fail(builder, -EINVAL, &event->start_mark,
			    "a key has an anchor, which is not supported; leave it out");
	if (event->data.scalar.plain_implicit && strcmp(text, "<<") == 0)
		return fail(builder, -EINVAL, &event->start_mark,
			    "merging with << is not supported; write the keys out");
	if (json_object_get(open->value, text))
		return fail(builder, -EINVAL, &event->start_mark,
			    "the key \"%.80s\" is there for the second time; keep one of them",
			    text);
	open->key = strdup(text);
	return open->key ? 0 : problem_no_memory(builder->problem);
}

static int take_scalar(struct builder *builder, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	json_t *value;
	size_t number;
	int r;

	r = check_tag(builder, &event->start_mark, (const char *)event->data.scalar.tag);
	if (r < 0)
		return r;
	if (memchr(text, '\0', length))
		return fail(builder, -EINVAL, &event->start_mark,
			    "a text has a 0 byte in it; leave it out");
	r = count(builder, &event->start_mark, 1, length);
	if (r < 0)
		return r;
	if (wants_key(builder))
		return take_key(builder, event);
	r = add_anchor(builder, &event->start_mark, (const char *)event->data.scalar.anchor,
		       &number);
	if (r < 0)
		return r;
	value = make_scalar(builder, event);
	if (value && number) {
		builder->anchors[number - 1].value = json_incref(value);
		builder->anchors[number - 1].nodes = 1;
		builder->anchors[number - 1].bytes = length;
	}
	return add(builder, value);
}

/* --- lists and mappings --- */

static int open_value(struct builder *builder, const yaml_mark_t *mark, const char *tag,
		      const char *anchor, json_t *value)
{
	struct open open = {.value = value, .nodes = builder->nodes, .bytes = builder->bytes};
	int r;

	if (!value)
		return problem_no_memory(builder->problem);
	if (wants_key(builder))
		r = fail(builder, -EINVAL, mark,
			 "a key is a list or mapping, which is not supported; use a text");
	else if (builder->depth == YAML_DEPTH_MAX)
		r = fail(builder, -E2BIG, mark, "it is nested deeper than %d; use a flatter file",
			 YAML_DEPTH_MAX);
	else
		r = check_tag(builder, mark, tag);
	if (r == 0)
		r = count(builder, mark, 1, 0);
	if (r == 0)
		r = add_anchor(builder, mark, anchor, &open.anchor);
	if (r < 0) {
		json_decref(value);
		return r;
	}
	r = add(builder, value);
	if (r == 0)
		builder->stack[builder->depth++] = open;
	return r;
}

static int close_value(struct builder *builder)
{
	const struct open *open = &builder->stack[--builder->depth];
	unsigned height = open->height + 1;

	if (open->anchor) {
		struct anchor *anchor = &builder->anchors[open->anchor - 1];

		anchor->value = json_incref(open->value);
		anchor->nodes = builder->nodes - open->nodes;
		anchor->bytes = builder->bytes - open->bytes;
		anchor->height = height;
	}
	if (builder->depth && builder->stack[builder->depth - 1].height < height)
		builder->stack[builder->depth - 1].height = height;
	return 0;
}

/* --- the document --- */

static int take(struct builder *builder, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (builder->ended)
			return fail(builder, -EINVAL, &event->start_mark,
				    "a second document begins, which kubectl would ignore; "
				    "leave one in the file");
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		builder->ended = true;
		return 0;
	case YAML_ALIAS_EVENT:
		return add_alias(builder, event);
	case YAML_SCALAR_EVENT:
		return take_scalar(builder, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_value(builder, &event->start_mark,
				  (const char *)event->data.sequence_start.tag,
				  (const char *)event->data.sequence_start.anchor, json_array());
	case YAML_MAPPING_START_EVENT:
		return open_value(builder, &event->start_mark,
				  (const char *)event->data.mapping_start.tag,
				  (const char *)event->data.mapping_start.anchor, json_object());
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_value(builder);
	default:
		return 0;
	}
}

static int take_all(struct builder *builder)
{
	bool more = true;

	while (more) {
		yaml_event_t event;
		int r;

		if (!yaml_parser_parse(&builder->parser, &event))
			return fail_parse(builder);
		r = take(builder, &event);
		more = event.type != YAML_STREAM_END_EVENT && event.type != YAML_NO_EVENT;
		if (event.type == YAML_SCALAR_EVENT)
			explicit_bzero(event.data.scalar.value, event.data.scalar.length);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	}
	return 0;
}

static void builder_free(struct builder *builder)
{
	yaml_parser_delete(&builder->parser);
	for (unsigned i = 0; i < builder->depth; i++)
		free(builder->stack[i].key);
	for (size_t i = 0; i < builder->n_anchors; i++) {
		free(builder->anchors[i].name);
		json_decref(builder->anchors[i].value);
	}
	free(builder);
}

int yaml_load(const char *text, size_t size, const char *name, bool typed, json_t **out,
	      const struct problem *problem)
{
	struct builder *builder = calloc(1, sizeof(*builder));
	json_t *root;
	int r;

	if (!builder || !yaml_parser_initialize(&builder->parser)) {
		free(builder);
		return problem_no_memory(problem);
	}
	builder->name = name;
	builder->problem = problem;
	builder->typed = typed;
	yaml_parser_set_input_string(&builder->parser, (const unsigned char *)text, size);
	r = take_all(builder);
	root = builder->root;
	builder_free(builder);
	if (r < 0) {
		secret_json_decref(root);
		return r;
	}
	*out = root ? root : json_null();
	return 0;
}
