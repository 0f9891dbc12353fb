/* SPDX-License-Identifier: MIT */
#include "kubeconfig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "yaml.h"

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	int length = slash ? (int)(slash - path) : 0;
	char *here, *folder = NULL;

	if (*path == '/')
		return strndup(path, length ? length : 1);
	here = getcwd(NULL, 0);
	if (here && asprintf(&folder, "%s%s%.*s", here, slash ? "/" : "", length, path) < 0)
		folder = NULL;
	free(here);
	return folder;
}

/* As kubectl: both may be left out. */
static int check_kind(const struct kubeconfig_file *file, const struct problem *problem)
{
	static const char *const wanted[][2] = {{"apiVersion", "v1"}, {"kind", "Config"}};

	if (json_is_null(file->json))
		return 0;
	if (!json_is_object(file->json))
		return problem_set(problem, -EINVAL,
				   "%s: is not a kubeconfig: it is %s where a mapping should be; "
				   "give another file",
				   file->path, json_is_array(file->json) ? "a list" : "a text");
	for (size_t i = 0; i < 2; i++) {
		const json_t *value = json_object_get(file->json, wanted[i][0]);
		const char *text = json_string_value(value);

		if (!value || json_is_null(value) || (text && !*text))
			continue;
		if (!text || strcmp(text, wanted[i][1]) != 0)
			return problem_set(problem, -EINVAL,
					   "%s: is not a kubeconfig: its %s is \"%.80s\" where "
					   "\"%s\" should be; give another file",
					   file->path, wanted[i][0], text ? text : "(no text)",
					   wanted[i][1]);
	}
	return 0;
}

static int check_lists(const struct kubeconfig_file *file, const struct problem *problem)
{
	static const char *const lists[] = {"contexts", "clusters", "users"};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const json_t *list = json_object_get(file->json, lists[i]);

		if (list && !json_is_null(list) && !json_is_array(list))
			return problem_set(problem, -EINVAL,
					   "%s: its %s are no list; mend the file", file->path,
					   lists[i]);
	}
	return 0;
}

static void file_free(struct kubeconfig_file *file)
{
	free(file->path);
	free(file->folder);
	secret_deinit(&file->text);
	secret_json_decref(file->json);
}

int kubeconfig_read(struct kubeconfig *config, const char *path, const struct kube_user *as,
		    const struct problem *problem)
{
	struct kubeconfig_file file = {.path = strdup(path), .folder = folder_of(path)};
	struct kubeconfig_file *files;
	int r;

	r = file.path && file.folder ? 0 : problem_no_memory(problem);
	if (r == 0)
		r = file_read(path, KUBECONFIG_SIZE_MAX, as, false, &file.text, problem);
	if (r == 0)
		r = yaml_load(file.text.data, file.text.size, path, false, &file.json, problem);
	if (r == 0)
		r = check_kind(&file, problem);
	if (r == 0)
		r = check_lists(&file, problem);
	if (r < 0)
		goto failed;
	files = realloc(config->files, (config->n_files + 1) * sizeof(*files));
	if (!files) {
		r = problem_no_memory(problem);
		goto failed;
	}
	config->files = files;
	files[config->n_files++] = file;
	return 0;
failed:
	file_free(&file);
	return r;
}

void kubeconfig_deinit(struct kubeconfig *config)
{
	for (size_t i = 0; i < config->n_files; i++)
		file_free(&config->files[i]);
	free(config->files);
	*config = (struct kubeconfig){0};
}

bool kubeconfig_empty(const struct kubeconfig *config)
{
	for (size_t i = 0; i < config->n_files; i++) {
		const json_t *json = config->files[i].json;

		if (json_array_size(json_object_get(json, "contexts")) ||
		    json_array_size(json_object_get(json, "clusters")) ||
		    json_array_size(json_object_get(json, "users")))
			return false;
	}
	return !kubeconfig_current_context(config);
}

const char *kubeconfig_current_context(const struct kubeconfig *config)
{
	for (size_t i = 0; i < config->n_files; i++) {
		const char *name = json_string_value(
			json_object_get(config->files[i].json, "current-context"));

		if (name && *name)
			return name;
	}
	return NULL;
}

void kubeconfig_contexts(const struct kubeconfig *config, char *names, size_t size)
{
	size_t length = 0;

	*names = '\0';
	for (size_t i = 0; i < config->n_files; i++) {
		const json_t *list = json_object_get(config->files[i].json, "contexts");
		const json_t *element;
		size_t j;

		json_array_foreach (list, j, element) {
			const char *name = json_string_value(json_object_get(element, "name"));
			int n;

			if (!name)
				continue;
			n = snprintf(names + length, size - length, "%s%.80s", length ? ", " : "",
				     name);
			if (n < 0 || (size_t)n >= size - length)
				return;
			length += n;
		}
	}
}

/* *out: the one of this name in the file, or NULL. */
static int find_in(const struct kubeconfig_file *file, const char *kind, const char *name,
		   const json_t **out, const struct problem *problem)
{
	char plural[16];
	const json_t *list, *element;
	size_t i;

	snprintf(plural, sizeof(plural), "%ss", kind);
	list = json_object_get(file->json, plural);
	*out = NULL;
	json_array_foreach (list, i, element) {
		const char *its = json_string_value(json_object_get(element, "name"));

		if (!its)
			return problem_set(problem, -EINVAL,
					   "%s: %s %zu has no name; mend the file", file->path,
					   kind, i + 1);
		if (strcmp(its, name) != 0)
			continue;
		if (*out)
			return problem_set(problem, -EINVAL,
					   "%s: has two %s called \"%.80s\"; keep one of them",
					   file->path, plural, name);
		*out = element;
	}
	return 0;
}

int kubeconfig_find(const struct kubeconfig *config, const char *kind, const char *name,
		    struct entry *out, const struct problem *problem)
{
	for (size_t i = 0; i < config->n_files; i++) {
		const struct kubeconfig_file *file = &config->files[i];
		const json_t *element;
		int r;

		r = find_in(file, kind, name, &element, problem);
		if (r < 0)
			return r;
		if (!element)
			continue;
		*out = (struct entry){
			.json = json_object_get(element, kind),
			.file = file,
			.kind = kind,
			.name = json_string_value(json_object_get(element, "name")),
			.path = "",
			.problem = problem,
		};
		if (out->json && !json_is_object(out->json) && !json_is_null(out->json))
			return entry_fail(out, -EINVAL, "is not a mapping; mend the file");
		return 0;
	}
	return -ENOENT;
}
