/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config-parts.h"
#include "kubeconfig.h"
#include "problem.h"

/* --- a kubeconfig --- */

static int choose_context(struct kube_config *config, const struct kubeconfig *files,
			  const char *wanted, struct entry *context, const struct problem *problem)
{
	const char *name = wanted ? wanted : kubeconfig_current_context(files);
	const char *where = files->n_files ? files->files[0].path : "kubeconfig";
	char names[300];
	int r;

	kubeconfig_contexts(files, names, sizeof(names));
	if (!name)
		return problem_set(problem, -EINVAL,
				   "%s: has no current-context; choose one with --context: %s",
				   where, *names ? names : "but there is none");
	r = kubeconfig_find(files, "context", name, context, problem);
	if (r == -ENOENT)
		return problem_set(problem, -EINVAL,
				   "%s: has no context \"%.80s\"; choose one with --context: %s",
				   where, name, *names ? names : "but there is none");
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

static int config_context(struct kube_config *config, const struct kubeconfig *files,
			  const char *wanted, const struct problem *problem)
{
	struct entry context, cluster, user;
	int r;

	r = choose_context(config, files, wanted, &context, problem);
	if (r < 0)
		return r;
	r = entry_copy(&context, "namespace", &config->namespace);
	if (r == 0 && config->namespace && !config_namespace_is(config->namespace))
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
	path = kube_path(home, ".kube/config");
	if (!path)
		return problem_no_memory(problem);
	snprintf(looked, size, "$KUBECONFIG is not set, nothing is in %.300s", path);
	r = kubeconfig_read(files, path, sudo, problem);
	if (r == 0)
		r = kube_user_copy(&config->reader, sudo) < 0 ? problem_no_memory(problem) : 0;
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
	if (kube_user_copy(&config->runner, &options->environment.sudo) < 0)
		return problem_no_memory(problem);
	if (options->kubeconfig || !kubeconfig_empty(files))
		return config_context(config, files, options->context, problem);
	kube_user_deinit(&config->reader);
	if (options->context)
		return problem_set(problem, -EINVAL,
				   "there is no context \"%.80s\": %s; " CONFIG_ADVICE,
				   options->context, looked);
	if (config_is_in_cluster(&options->environment, why, sizeof(why)))
		return config_in_cluster(config, &options->environment, problem);
	return problem_set(problem, -ENOENT, "there is no kubeconfig: %s, and %s; " CONFIG_ADVICE,
			   looked, why);
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
	kube_user_deinit(&config->reader);
	kube_user_deinit(&config->runner);
	free(config);
}
