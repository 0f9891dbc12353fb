/* SPDX-License-Identifier: MIT */
#include "review-json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json-memory.h"

/* Takes the reference. Into memory of the right size at once, so that no part of it is left in one
 * that was too small. */
static int write_body(json_t *json, struct secret *body)
{
	size_t size = json ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;
	struct secret text = {.data = size ? malloc(size + 1) : NULL, .size = size};

	if (!text.data || json_dumpb(json, text.data, size, JSON_COMPACT) != size) {
		secret_deinit(&text);
		json_decref(json);
		return -ENOMEM;
	}
	json_decref(json);
	text.data[size] = '\0';
	secret_deinit(body);
	*body = text;
	return 0;
}

int review_who_body(const char *token, size_t length, struct secret *body)
{
	int r;

	json_memory_watch_secret();
	r = write_body(json_pack("{s:s, s:s, s:{s:s%}}", "kind", "TokenReview", "apiVersion",
				 "authentication.k8s.io/v1", "spec", "token", token, length),
		       body);
	if (json_memory_failed())
		r = -ENOMEM;
	json_memory_unwatch();
	return r;
}

int review_may_body(const json_t *user, const char *path, struct secret *body)
{
	json_t *spec;
	int r;

	json_memory_watch();
	spec = json_pack("{s:{s:s, s:s}}", "nonResourceAttributes", "path", path, "verb", "get");
	if (!spec || json_object_update(spec, (json_t *)user)) {
		json_decref(spec);
		spec = NULL;
	}
	r = write_body(spec ? json_pack("{s:s, s:s, s:o}", "kind", "SubjectAccessReview",
					"apiVersion", "authorization.k8s.io/v1", "spec", spec)
			    : NULL,
		       body);
	if (json_memory_failed())
		r = -ENOMEM;
	json_memory_unwatch();
	return r;
}

/* --- answers --- */

/* The status of an object of that kind; NULL: it is none. */
static const json_t *status_of(const json_t *json, const char *kind)
{
	const char *is = json_string_value(json_object_get(json, "kind"));
	const json_t *status = json_object_get(json, "status");

	return is && !strcmp(is, kind) && json_is_object(status) ? status : NULL;
}

static bool are_texts(const json_t *list)
{
	const json_t *text;
	size_t i;

	json_array_foreach (list, i, text)
		if (!json_is_string(text))
			return false;
	return json_is_array(list);
}

static bool are_lists(const json_t *object)
{
	const char *key;
	json_t *list;

	json_object_foreach ((json_t *)object, key, list)
		if (!are_texts(list))
			return false;
	return json_is_object(object);
}

/* Copies a field that may be missing; 0: it was, or is what it should be. */
static int take(json_t *user, const json_t *from, const char *key, bool (*is)(const json_t *value))
{
	json_t *value = json_object_get(from, key);

	if (!value || json_is_null(value))
		return 0;
	if (!is(value))
		return -EBADMSG;
	return json_object_set(user, key, value) ? -ENOMEM : 0;
}

static bool is_text(const json_t *value)
{
	return json_is_string(value);
}

/* Nobody is without a name. What of them can't be read is no reason to ask about less of them. */
static int read_user(const json_t *from, json_t **out)
{
	json_t *name = json_object_get(from, "username"), *user;
	int r;

	if (!json_string_length(name))
		return -EBADMSG;
	user = json_object();
	r = user && !json_object_set(user, "user", name) ? 0 : -ENOMEM;
	if (!r)
		r = take(user, from, "uid", is_text);
	if (!r)
		r = take(user, from, "groups", are_texts);
	if (!r)
		r = take(user, from, "extra", are_lists);
	if (r)
		json_decref(user);
	else
		*out = user;
	return r;
}

/* An `authenticated` that is missing is false: the server leaves out what is. */
static int read_who(const json_t *json, json_t **user)
{
	const json_t *status = status_of(json, "TokenReview");
	const json_t *known = json_object_get(status, "authenticated");

	if (!status || (known && !json_is_boolean(known)))
		return -EBADMSG;
	*user = NULL;
	return json_is_true(known) ? read_user(json_object_get(status, "user"), user) : 0;
}

int review_who_read(const struct secret *answer, json_t **user)
{
	json_t *json, *found = NULL;
	int r;

	/* the answer says the token again */
	json_memory_watch_secret();
	json = json_loadb(answer->data ? answer->data : "", answer->size, 0, NULL);
	r = read_who(json, &found);
	json_decref(json);
	/* a name may lack bytes then, and be another's */
	if (json_memory_failed()) {
		json_decref(found);
		r = -ENOMEM;
	}
	json_memory_unwatch();
	if (!r)
		*user = found;
	return r;
}

static int read_may(const json_t *json, bool *allowed)
{
	const json_t *status = status_of(json, "SubjectAccessReview");
	const json_t *yes = json_object_get(status, "allowed");
	const json_t *no = json_object_get(status, "denied");

	if (!json_is_boolean(yes) || (no && !json_is_boolean(no)))
		return -EBADMSG;
	*allowed = json_is_true(yes) && !json_is_true(no);
	return 0;
}

int review_may_read(const struct secret *answer, bool *allowed)
{
	json_t *json;
	int r;

	json_memory_watch();
	json = json_loadb(answer->data ? answer->data : "", answer->size, 0, NULL);
	r = json_memory_failed() ? -ENOMEM : read_may(json, allowed);
	json_decref(json);
	json_memory_unwatch();
	return r;
}
