/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config-parts.h"
#include "kubeconfig.h"
#include "problem.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define NONE "give a file with --kubeconfig"

/* --- the surroundings --- */

static int parse_id(const char *text, uint32_t *out)
{
	unsigned long id;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || *end || id >= UINT32_MAX)
		return -EINVAL;
	*out = id;
	return 0;
}

static int read_sudo(struct kube_user *user)
{
	const char *name = getenv("SUDO_USER");
	const struct passwd *entry;
	uint32_t uid, gid;

	if (geteuid() != 0 || parse_id(getenv("SUDO_UID"), &uid) < 0 ||
	    parse_id(getenv("SUDO_GID"), &gid) < 0 || uid == 0)
		return 0;
	/* One thread, and what it returns is copied at once. */
	entry = name ? getpwnam(name) : NULL; // NOLINT(concurrency-mt-unsafe)
	if (!entry || entry->pw_uid != uid)
		entry = getpwuid(uid); // NOLINT(concurrency-mt-unsafe)
	*user = (struct kube_user){.set = true, .uid = uid, .gid = gid};
	if (!entry)
		return 0;
	user->name = strdup(entry->pw_name);
	user->home = strdup(entry->pw_dir);
	return user->name && user->home ? 0 : -ENOMEM;
}

int kube_environment_read(struct kube_environment *environment)
{
	*environment = (struct kube_environment){
		.kubeconfig = getenv("KUBECONFIG"),
		.home = getenv("HOME"),
		.service_host = getenv("KUBERNETES_SERVICE_HOST"),
		.service_port = getenv("KUBERNETES_SERVICE_PORT"),
		.service_account = SERVICE_ACCOUNT,
	};
	return read_sudo(&environment->sudo);
}

static void user_deinit(struct kube_user *user)
{
	free(user->name);
	free(user->home);
	*user = (struct kube_user){0};
}

static int user_copy(struct kube_user *to, const struct kube_user *from)
{
	*to = (struct kube_user){.set = from->set, .uid = from->uid, .gid = from->gid};
	if (from->name && !(to->name = strdup(from->name)))
		return -ENOMEM;
	if (from->home && !(to->home = strdup(from->home)))
		return -ENOMEM;
	return 0;
}

void kube_environment_deinit(struct kube_environment *environment)
{
	user_deinit(&environment->sudo);
}

/* --- a kubeconfig --- */

static int choose_context(struct kube_config *config, const struct kubeconfig *files,
			  const char *wanted, struct entry *context, const struct problem *problem)
{
	const char *name = wanted ? wanted : kubeconfig_current_context(files);
	char names[300];
	int r;

	kubeconfig_contexts(files, names, sizeof(names));
	if (!name)
		return problem_set(problem, -EINVAL,
				   "%s: has no current-context; choose one with --context: %s",
				   files->files[0].path, *names ? names : "but there is none");
	r = kubeconfig_find(files, "context", name, context, problem);
	if (r == -ENOENT)
		return problem_set(problem, -EINVAL,
				   "%s: has no context \"%.80s\"; choose one with --context: %s",
				   files->files[0].path, name,
				   *names ? names : "but there is none");
	if (r < 0 || context->r < 0)
		return r < 0 ? r : context->r;
	config->context = strdup(context->name);
	config->source = strdup(context->file->path);
	if (!config->context || !config->source)
		return problem_no_memory(problem);
	problem_printable(config->source);
	return 0;
}

/* What the context names as its cluster or user. */
static int follow(const struct kubeconfig *files, struct entry *context, const char *kind,
		  struct entry *out)
{
	const char *name = entry_text(context, kind);
	int r;

	if (!name)
		return entry_fail(context, -EINVAL,
				  "names no %s; set it with kubectl config "
				  "set-context",
				  kind);
	r = kubeconfig_find(files, kind, name, out, context->problem);
	if (r == -ENOENT)
		return entry_fail(
			context, -EINVAL,
			"its %s \"%.80s\" is not there; set it with kubectl config set-%s", kind,
			name, strcmp(kind, "user") == 0 ? "credentials" : "cluster");
	return r < 0 ? r : out->r;
}

static bool is_namespace(const char *text)
{
	size_t length = strlen(text);

	return length <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
	       text[0] != '-' && text[length - 1] != '-';
}

static int config_context(struct kube_config *config, const struct kubeconfig *files,
			  const char *wanted, const struct problem *problem)
{
	struct entry context, cluster, user;
	int r;

	r = choose_context(config, files, wanted, &context, problem);
	if (r < 0)
		return r;
	r = entry_copy(&context, "namespace", &config->namespace);
	if (r == 0 && config->namespace && !is_namespace(config->namespace))
		r = entry_fail(&context, -EINVAL,
			       "its namespace \"%.80s\" is none; set it with kubectl config "
			       "set-context",
			       config->namespace);
	if (r == 0)
		r = follow(files, &context, "cluster", &cluster);
	if (r == 0)
		r = follow(files, &context, "user", &user);
	if (r == 0)
		r = config_cluster(config, &cluster);
	if (r == 0)
		r = config_user(config, &user, &cluster);
	if (r == 0 && !config->namespace && !(config->namespace = strdup("default")))
		r = problem_no_memory(problem);
	return r;
}

/* --- inside a cluster --- */

static char *in_folder(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static bool in_cluster(const struct kube_environment *environment, char *why, size_t size)
{
	char *path;
	bool is;

	if (!environment->service_host || !*environment->service_host ||
	    !environment->service_port || !*environment->service_port) {
		snprintf(why, size, "this is no pod: $KUBERNETES_SERVICE_HOST is not set");
		return false;
	}
	path = in_folder(environment->service_account, "token");
	is = path && access(path, F_OK) == 0;
	snprintf(why, size, "this is a pod without a service account's token: no %s",
		 path ? path : "");
	free(path);
	return is;
}

/* The pod's own, if that can be read. */
static char *read_namespace(const char *path)
{
	struct secret content = {0};
	char *namespace = NULL;
	char nothing[1];

	if (file_read(path, 1 << 10, NULL, true, &content, &(struct problem){nothing, 0}) == 0) {
		content.data[strcspn(content.data, " \t\r\n")] = '\0';
		if (*content.data && is_namespace(content.data))
		namespace = strdup(content.data);
	}
	secret_deinit(&content);
	return namespace ? namespace : strdup("default");
}

static int config_in_cluster(struct kube_config *config, const struct kube_environment *environment,
			     const struct problem *problem)
{
	const char *host = environment->service_host;
	bool v6 = strchr(host, ':');
	char *path;

	if (strspn(environment->service_port, "0123456789") != strlen(environment->service_port) ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-") !=
		    strlen(host))
		return problem_set(problem, -EINVAL,
				   "in-cluster: $KUBERNETES_SERVICE_HOST and _PORT are no address "
				   "and port: \"%.80s\", \"%.80s\"; " NONE,
				   host, environment->service_port);
	if (asprintf(&config->server, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "",
		     environment->service_port) < 0)
		config->server = NULL;
	config->source = strdup("in-cluster");
	config->token_file = in_folder(environment->service_account, "token");
	config->ca.file = in_folder(environment->service_account, "ca.crt");
	path = in_folder(environment->service_account, "namespace");
	if (path)
		config->namespace = read_namespace(path);
	free(path);
	if (!config->server || !config->source || !config->token_file || !config->ca.file ||
	    !config->namespace)
		return problem_no_memory(problem);
	return 0;
}

/* --- the places --- */

static bool is_missing(int r)
{
	return r == -ENOENT || r == -ENOTDIR;
}

/* A list with colons. */
static int read_listed(struct kubeconfig *files, const char *list, const struct problem *problem)
{
	int r = 0;

	while (r == 0 && *list) {
		size_t length = strcspn(list, ":");
		char *path = strndup(list, length);
		bool again = false;

		if (!path)
			return problem_no_memory(problem);
		for (size_t i = 0; i < files->n_files; i++)
			again = again || strcmp(files->files[i].path, path) == 0;
		if (length && !again)
			r = kubeconfig_read(files, path, NULL, problem);
		if (is_missing(r))
			r = 0;
		free(path);
		list += length + (list[length] == ':');
	}
	return r;
}

/* Reads the files that there are; `looked` tells where. */
static int read_files(struct kubeconfig *files, const struct kube_options *options,
		      struct kube_config *config, char *looked, size_t size,
		      const struct problem *problem)
{
	const struct kube_environment *environment = &options->environment;
	const struct kube_user *sudo = &environment->sudo;
	const char *home = sudo->set ? sudo->home : environment->home;
	char *path;
	int r;

	if (options->kubeconfig) {
		r = kubeconfig_read(files, options->kubeconfig, NULL, problem);
		if (is_missing(r))
			return problem_set(problem, -EINVAL,
					   "%s: there is no such file; give another with "
					   "--kubeconfig",
					   options->kubeconfig);
		return r;
	}
	if (environment->kubeconfig && *environment->kubeconfig) {
		snprintf(looked, size, "nothing is in the files of $KUBECONFIG (%.300s)",
			 environment->kubeconfig);
		return read_listed(files, environment->kubeconfig, problem);
	}
	if (!home || !*home) {
		snprintf(looked, size, "$KUBECONFIG is not set, nor is a home folder known");
		return 0;
	}
	path = in_folder(home, ".kube/config");
	if (!path)
		return problem_no_memory(problem);
	snprintf(looked, size, "$KUBECONFIG is not set, nothing is in %.300s", path);
	r = kubeconfig_read(files, path, sudo, problem);
	if (r == 0)
		r = user_copy(&config->reader, sudo) < 0 ? problem_no_memory(problem) : 0;
	free(path);
	return is_missing(r) ? 0 : r;
}

static int load(struct kube_config *config, const struct kube_options *options,
		struct kubeconfig *files, const struct problem *problem)
{
	char looked[400] = "";
	char why[300];
	int r;

	r = read_files(files, options, config, looked, sizeof(looked), problem);
	if (r < 0)
		return r;
	if (user_copy(&config->runner, &options->environment.sudo) < 0)
		return problem_no_memory(problem);
	if (options->kubeconfig || !kubeconfig_empty(files))
		return config_context(config, files, options->context, problem);
	user_deinit(&config->reader);
	if (options->context)
		return problem_set(problem, -EINVAL, "there is no context \"%.80s\": %s; " NONE,
				   options->context, looked);
	if (in_cluster(&options->environment, why, sizeof(why)))
		return config_in_cluster(config, &options->environment, problem);
	return problem_set(problem, -ENOENT, "there is no kubeconfig: %s, and %s; " NONE, looked,
			   why);
}

int kube_config_load(const struct kube_options *options, struct kube_config **out, char *error,
		     size_t error_size)
{
	struct problem problem = {error, error_size};
	struct kube_config *config = calloc(1, sizeof(*config));
	struct kubeconfig files = {0};
	int r;

	if (!config)
		return problem_no_memory(&problem);
	r = load(config, options, &files, &problem);
	kubeconfig_deinit(&files);
	if (r < 0) {
		kube_config_free(config);
		return r;
	}
	/* Of files that weren't there, and needn't be. */
	if (error_size)
		*error = '\0';
	*out = config;
	return 0;
}

static void pem_deinit(struct kube_pem *pem)
{
	free(pem->file);
	secret_deinit(&pem->data);
}

void kube_config_free(struct kube_config *config)
{
	if (!config)
		return;
	free(config->source);
	free(config->context);
	free(config->server);
	free(config->namespace);
	free(config->tls_server_name);
	secret_free(config->proxy_url);
	pem_deinit(&config->ca);
	pem_deinit(&config->certificate);
	pem_deinit(&config->key);
	secret_free(config->token);
	free(config->token_file);
	secret_free(config->username);
	secret_free(config->password);
	strings_free(config->headers);
	if (config->exec) {
		free(config->exec->command);
		strings_free(config->exec->args);
		strings_free(config->exec->env);
		free(config->exec->api_version);
		free(config->exec->install_hint);
		secret_free(config->exec->info);
	}
	free(config->exec);
	user_deinit(&config->reader);
	user_deinit(&config->runner);
	free(config);
}
