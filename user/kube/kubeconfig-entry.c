/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "kubeconfig.h"

int entry_fail(struct entry *entry, int r, const char *format, ...)
{
	char what[600];
	va_list args;

	if (entry->r)
		return entry->r;
	entry->r = r;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return problem_set(entry->problem, r, "%s: %s \"%.80s\": %s", entry->file->path,
			   entry->kind, entry->name, what);
}

static int no_memory(struct entry *entry)
{
	if (!entry->r)
		entry->r = problem_no_memory(entry->problem);
	return entry->r;
}

json_t *entry_get(struct entry *entry, const char *key, json_type type)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "a mapping",
		[JSON_ARRAY] = "a list",
		[JSON_STRING] = "a text",
	};
	json_t *value = json_object_get(entry->json, key);

	if (!value || json_is_null(value))
		return NULL;
	if (json_typeof(value) == type)
		return value;
	entry_fail(entry, -EINVAL, "%s%s is %s where %s should be; mend the file", entry->path, key,
		   names[json_typeof(value)], names[type]);
	return NULL;
}

const char *entry_text(struct entry *entry, const char *key)
{
	const char *text = json_string_value(entry_get(entry, key, JSON_STRING));

	return text && *text ? text : NULL;
}

bool entry_bool(struct entry *entry, const char *key)
{
	static const char *const yes[] = {"true", "yes", "on"};
	static const char *const no[] = {"false", "no", "off"};
	const char *text = entry_text(entry, key);

	if (!text)
		return false;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(text, yes[i]) == 0)
			return true;
		if (strcasecmp(text, no[i]) == 0)
			return false;
	}
	entry_fail(entry, -EINVAL, "%s%s is neither true nor false; mend the file", entry->path,
		   key);
	return false;
}

int entry_copy(struct entry *entry, const char *key, char **out)
{
	const char *text = entry_text(entry, key);

	*out = text ? strdup(text) : NULL;
	return text && !*out ? no_memory(entry) : entry->r;
}

char *kubeconfig_resolve(const struct kubeconfig_file *file, const char *path)
{
	const char *slash = file->folder[1] ? "/" : "";
	char *full;

	if (*path == '/')
		return strdup(path);
	return asprintf(&full, "%s%s%s", file->folder, slash, path) < 0 ? NULL : full;
}

int entry_path(struct entry *entry, const char *key, char **out)
{
	const char *path = entry_text(entry, key);

	*out = path ? kubeconfig_resolve(entry->file, path) : NULL;
	return path && !*out ? no_memory(entry) : entry->r;
}

bool pem_is(const struct secret *content)
{
	static const char begin[] = "-----BEGIN ";

	return content->size && memmem(content->data, content->size, begin, strlen(begin));
}

int entry_pem(struct entry *entry, const char *key, struct secret *out)
{
	const char *text = entry_text(entry, key);
	int r;

	*out = (struct secret){0};
	if (!text)
		return entry->r;
	r = base64_decode(text, out);
	if (r == -ENOMEM)
		return no_memory(entry);
	if (r < 0)
		return entry_fail(entry, -EINVAL,
				  "%s%s is damaged: it is not base 64; make it again, or name a "
				  "file with %.*s",
				  entry->path, key, (int)(strlen(key) - strlen("-data")), key);
	if (pem_is(out))
		return 0;
	secret_deinit(out);
	return entry_fail(entry, -EINVAL,
			  "%s%s is no PEM (\"-----BEGIN ...\") in base 64; make it again",
			  entry->path, key);
}
