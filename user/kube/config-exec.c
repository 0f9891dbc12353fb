/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "config-parts.h"
#include "yaml.h"

#define GROUP "client.authentication.k8s.io/"
#define EXTENSION GROUP "exec"
#define CA_SIZE_MAX ((size_t)1 << 20)

static int no_memory(struct entry *entry)
{
	return entry_fail(entry, -ENOMEM, "there is no memory for it; allow more");
}

static int check_version(struct entry *exec)
{
	const char *version = entry_text(exec, "apiVersion");

	if (exec->r)
		return exec->r;
	if (version && (strcmp(version, GROUP "v1") == 0 || strcmp(version, GROUP "v1beta1") == 0))
		return 0;
	return entry_fail(exec, -EINVAL,
			  "exec.apiVersion is \"%.80s\", which is not supported; use " GROUP
			  "v1 or " GROUP "v1beta1, with a plugin that has it",
			  version ? version : "");
}

static int check_mode(struct entry *exec)
{
	const char *mode = entry_text(exec, "interactiveMode");
	const char *version = entry_text(exec, "apiVersion");

	if (exec->r)
		return exec->r;
	if (!mode && strcmp(version, GROUP "v1") == 0)
		return entry_fail(
			exec, -EINVAL,
			"has no exec.interactiveMode, which v1 demands; set it to Never or "
			"IfAvailable");
	if (!mode || strcmp(mode, "Never") == 0 || strcmp(mode, "IfAvailable") == 0)
		return 0;
	if (strcmp(mode, "Always") == 0)
		return entry_fail(exec, -EINVAL,
				  "exec.interactiveMode is Always, which is not supported: plugins "
				  "get no terminal; use a token");
	return entry_fail(exec, -EINVAL,
			  "exec.interactiveMode is \"%.80s\"; set it to Never or IfAvailable",
			  mode);
}

static int config_command(struct kube_exec *exec, struct entry *entry)
{
	const char *command = entry_text(entry, "command");

	if (entry->r)
		return entry->r;
	if (!command)
		return entry_fail(entry, -EINVAL,
				  "has no exec.command; set it with kubectl config "
				  "set-credentials");
	exec->command =
		strchr(command, '/') ? kubeconfig_resolve(entry->file, command) : strdup(command);
	return exec->command ? 0 : no_memory(entry);
}

static int config_args(struct kube_exec *exec, struct entry *entry)
{
	const json_t *list = entry_get(entry, "args", JSON_ARRAY);
	const json_t *value;
	size_t i;

	json_array_foreach (list, i, value) {
		/* null is "" to kubectl */
		const char *text = json_is_null(value) ? "" : json_string_value(value);

		if (!text)
			return entry_fail(entry, -EINVAL,
					  "exec.args is no list of texts; mend the file");
		if (strings_add(&exec->args, strdup(text)) < 0)
			return no_memory(entry);
	}
	return entry->r;
}

static int config_env(struct kube_exec *exec, struct entry *entry)
{
	const json_t *list = entry_get(entry, "env", JSON_ARRAY);
	const json_t *element;
	size_t i;

	json_array_foreach (list, i, element) {
		const char *name = json_string_value(json_object_get(element, "name"));
		const json_t *value = json_object_get(element, "value");
		const char *text = !value || json_is_null(value) ? "" : json_string_value(value);
		char *line;

		if (!name || !*name || strchr(name, '=') || !text)
			return entry_fail(entry, -EINVAL,
					  "exec.env %zu has no name and value that are texts; mend "
					  "the file",
					  i + 1);
		if (asprintf(&line, "%s=%s", name, text) < 0)
			line = NULL;
		if (strings_add(&exec->env, line) < 0)
			return no_memory(entry);
	}
	return entry->r;
}

/* --- what the plugin is told --- */

static int set_text(json_t *object, const char *key, const char *text)
{
	return text ? json_object_set_new(object, key, json_string(text)) : 0;
}

static int set_ca(json_t *object, const struct kube_config *config, struct entry *entry)
{
	struct secret file = {0};
	const struct secret *ca = &config->ca.data;
	char *text = NULL;
	int r = 0;

	if (config->ca.file) {
		r = file_read(config->ca.file, CA_SIZE_MAX, &config->reader, true, &file,
			      entry->problem);
		if (r < 0) {
			entry->r = r;
			return r;
		}
		ca = &file;
	}
	if (ca->size)
		r = base64_encode(ca->data, ca->size, &text);
	if (r == 0 && set_text(object, "certificate-authority-data", text) < 0)
		r = -ENOMEM;
	free(text);
	secret_deinit(&file);
	return r < 0 ? no_memory(entry) : 0;
}

/* The cluster's extension for plugins may be anything that JSON can say, so types matter: the file
 * is read once more with them. NULL: there is none, or user->r. */
static json_t *load_extension(struct entry *user, const struct entry *cluster)
{
	const struct kubeconfig_file *file = cluster->file;
	const json_t *clusters = json_object_get(file->json, "clusters");
	json_t *json = NULL, *found = NULL;
	const json_t *list, *element;
	size_t i;

	if (!json_is_array(json_object_get(cluster->json, "extensions")))
		return NULL;
	user->r =
		yaml_load(file->text.data, file->text.size, file->path, true, &json, user->problem);
	if (user->r < 0)
		return NULL;
	for (i = 0; i < json_array_size(clusters); i++)
		if (json_object_get(json_array_get(clusters, i), "cluster") == cluster->json)
			break;
	list = json_object_get(json_array_get(json_object_get(json, "clusters"), i), "cluster");
	list = json_object_get(list, "extensions");
	json_array_foreach (list, i, element) {
		const char *name = json_string_value(json_object_get(element, "name"));

		if (name && strcmp(name, EXTENSION) == 0)
			found = json_object_get(element, "extension");
	}
	if (found && !(found = json_deep_copy(found)))
		no_memory(user);
	secret_json_decref(json);
	return found;
}

static json_t *make_cluster(const struct kube_config *config, struct entry *user,
			    const struct entry *cluster)
{
	json_t *object = json_object();
	json_t *extension = load_extension(user, cluster);
	int r = user->r;

	if (r == 0 && !object)
		r = no_memory(user);
	if (r == 0)
		r = set_ca(object, config, user);
	if (r == 0 && (set_text(object, "server", config->server) < 0 ||
		       set_text(object, "tls-server-name", config->tls_server_name) < 0 ||
		       set_text(object, "proxy-url", config->proxy_url) < 0 ||
		       (config->no_compression &&
			json_object_set_new(object, "disable-compression", json_true()) < 0) ||
		       (extension && json_object_set(object, "config", extension) < 0)))
		r = no_memory(user);
	json_decref(extension);
	if (r == 0)
		return object;
	secret_json_decref(object);
	return NULL;
}

static int config_info(struct kube_config *config, struct entry *user, bool wants_cluster,
		       const struct entry *cluster)
{
	json_t *object = NULL;
	json_t *info;

	if (wants_cluster) {
		object = make_cluster(config, user, cluster);
		if (!object)
			return user->r;
	}
	info = json_pack("{s:s, s:s, s:{s:b, s:o*}}", "kind", "ExecCredential", "apiVersion",
			 config->exec->api_version, "spec", "interactive", 0, "cluster", object);
	if (!info)
		return no_memory(user);
	config->exec->info = json_dumps(info, JSON_COMPACT);
	secret_json_decref(info);
	return config->exec->info ? 0 : no_memory(user);
}

int config_exec(struct kube_config *config, struct entry *user, struct entry *cluster)
{
	struct entry entry = *user;
	bool wants_cluster;

	entry.json = entry_get(user, "exec", JSON_OBJECT);
	entry.path = "exec.";
	if (!entry.json)
		return user->r;
	config->exec = calloc(1, sizeof(*config->exec));
	if (!config->exec)
		return no_memory(user);
	if (check_version(&entry) < 0 || check_mode(&entry) < 0 ||
	    config_command(config->exec, &entry) < 0 || config_args(config->exec, &entry) < 0 ||
	    config_env(config->exec, &entry) < 0)
		return user->r = entry.r;
	entry_copy(&entry, "apiVersion", &config->exec->api_version);
	entry_copy(&entry, "installHint", &config->exec->install_hint);
	wants_cluster = entry_bool(&entry, "provideClusterInfo");
	if (entry.r)
		return user->r = entry.r;
	return config_info(config, user, wants_cluster, cluster);
}
