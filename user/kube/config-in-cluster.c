/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config-parts.h"

char *kube_path(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

bool config_namespace_is(const char *text)
{
	size_t length = strlen(text);

	return length <= 63 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
	       text[0] != '-' && text[length - 1] != '-';
}

bool config_is_in_cluster(const struct kube_environment *environment, char *why, size_t size)
{
	char *path;
	bool is;

	if (!environment->service_host || !*environment->service_host ||
	    !environment->service_port || !*environment->service_port) {
		snprintf(why, size, "this is no pod: $KUBERNETES_SERVICE_HOST is not set");
		return false;
	}
	path = kube_path(environment->service_account, "token");
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
	char nothing[1] = "";

	if (file_read(path, 1 << 10, NULL, true, &content, &(struct problem){nothing, 0}) == 0) {
		content.data[strcspn(content.data, " \t\r\n")] = '\0';
		if (*content.data && config_namespace_is(content.data))
		namespace = strdup(content.data);
	}
	secret_deinit(&content);
	return namespace ? namespace : strdup("default");
}

int config_in_cluster(struct kube_config *config, const struct kube_environment *environment,
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
				   "and port: \"%.80s\", \"%.80s\"; " CONFIG_ADVICE,
				   host, environment->service_port);
	if (asprintf(&config->server, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "",
		     environment->service_port) < 0)
		config->server = NULL;
	config->source = strdup("in-cluster");
	config->token_file = kube_path(environment->service_account, "token");
	config->ca.file = kube_path(environment->service_account, "ca.crt");
	path = kube_path(environment->service_account, "namespace");
	if (path)
		config->namespace = read_namespace(path);
	free(path);
	if (!config->server || !config->source || !config->token_file || !config->ca.file ||
	    !config->namespace)
		return problem_no_memory(problem);
	return 0;
}
