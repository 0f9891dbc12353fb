/* SPDX-License-Identifier: MIT */
/*
 * Where the API server is, and who we are to it: from a kubeconfig, or from inside the cluster.
 *
 * Supported: contexts; certificate-authority, client certificates and keys (file and data); token,
 * tokenFile; username and password; exec (v1, v1beta1); as, as-uid, as-groups, as-user-extra;
 * tls-server-name; proxy-url; disable-compression. Refused by name: insecure-skip-tls-verify,
 * auth-provider, exec of v1alpha1, an exec plugin that must have a terminal, http:// to elsewhere
 * than this machine. What else a file has is ignored, as kubectl does.
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "file.h"
#include "secret.h"
#include "user.h"

/* What the surroundings say. Tests fill it in themselves. */
struct kube_environment {
	const char *kubeconfig;      /* $KUBECONFIG; NULL or "": not set */
	const char *home;            /* $HOME */
	const char *service_host;    /* $KUBERNETES_SERVICE_HOST */
	const char *service_port;    /* $KUBERNETES_SERVICE_PORT */
	const char *service_account; /* the folder of token, ca.crt and namespace */
	struct kube_user sudo;       /* who called sudo, if we are root */
};

/* Reads the environment and who called sudo. The strings are getenv()'s, but sudo's. 0 or
 * -ENOMEM. */
int kube_environment_read(struct kube_environment *environment);
void kube_environment_deinit(struct kube_environment *environment);

struct kube_options {
	const char *kubeconfig; /* --kubeconfig; NULL: not given */
	const char *context;    /* --context; NULL: the current one */
	struct kube_environment environment;
};

/* PEM: in a file, or here. Neither: none. */
struct kube_pem {
	char *file; /* absolute path; NULL if there is data */
	struct secret data;
};

/* A program that gives credentials. */
struct kube_exec {
	char *command; /* absolute if it has a slash; else looked for in $PATH */
	char **args;   /* ends with NULL; without the command itself */
	char **env;    /* "NAME=VALUE", ends with NULL */
	char *api_version;
	char *install_hint; /* NULL: none */
	char *info;         /* for $KUBERNETES_EXEC_INFO */
};

/* What is NULL was not given. */
struct kube_config {
	char *source;    /* the file with the context, or "in-cluster"; printable */
	char *context;   /* NULL: in-cluster */
	char *server;    /* http(s)://HOST[:PORT][/PATH], no slash at its end */
	char *namespace; /* never NULL */
	char *tls_server_name;
	/* http://, https:// or socks5://; may hold a password. NULL: as $HTTPS_PROXY and $NO_PROXY
	 * say. */
	char *proxy_url;
	struct kube_pem ca; /* none: the system's */
	bool no_compression;
	/* Credentials. None of them if the server is http://: they would go unencrypted. */
	struct kube_pem certificate;
	struct kube_pem key;
	char *token;
	char *token_file; /* absolute; wins over token once it could be read */
	char *username;   /* basic authentication, where there is one of the two */
	char *password;
	char **headers;         /* "Impersonate-User: NAME" ..., ends with NULL; or NULL */
	struct kube_exec *exec; /* NULL if any of the above but headers gives credentials */
	/* With whose rights the files above are read: all zero (our own), or, for the
	 * ~/.kube/config of who called sudo, theirs: they could else have root read any file and
	 * send it somewhere. A file named by --kubeconfig or $KUBECONFIG is root's to trust. */
	struct kube_user reader;
	struct kube_user runner; /* who runs the plugin: who called sudo; all zero: we do */
};

/*
 * Finds the configuration where kubectl does: --kubeconfig; else all files in $KUBECONFIG, merged;
 * else ~/.kube/config (of who called sudo); else, unless a context was asked for, in-cluster.
 *
 * 0 and *out (kube_config_free()), or a negative errno with one sentence in `error`, with nothing
 * of the file in it that a terminal would obey and no secret: -ENOENT: there is none at all (the
 * sentence tells where it was looked for); -EINVAL: damaged, not supported, or what was asked for
 * isn't there; -E2BIG: above 4 MiB; -ENOMEM; or what reading failed with.
 */
int kube_config_load(const struct kube_options *options, struct kube_config **out, char *error,
		     size_t error_size);

/* Overwrites what is secret. */
void kube_config_free(struct kube_config *config);

#endif
