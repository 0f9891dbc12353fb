/* SPDX-License-Identifier: MIT */
/* The parts of a configuration, each from its entry in a kubeconfig. */
#ifndef KUBE_CONFIG_PARTS_H
#define KUBE_CONFIG_PARTS_H

#include "config.h"
#include "kubeconfig.h"

#define CONFIG_ADVICE "give a file with --kubeconfig"

/* This is a pod that may talk to the API server; if not, *why is a clause that tells what lacks. */
bool config_is_in_cluster(const struct kube_environment *environment, char *why, size_t size);
int config_in_cluster(struct kube_config *config, const struct kube_environment *environment,
		      const struct problem *problem);

/* A namespace may be called so. */
bool config_namespace_is(const char *text);

/* FOLDER/NAME; the caller's. NULL: no memory. */
char *kube_path(const char *folder, const char *name);

/* All return 0, or -errno with a sentence in the entry's problem. */
int config_cluster(struct kube_config *config, struct entry *cluster);

/* After config_cluster(), of which plugins are told. */
int config_user(struct kube_config *config, struct entry *user, struct entry *cluster);
int config_exec(struct kube_config *config, struct entry *user, struct entry *cluster);

/* The server is of https:. */
bool config_encrypted(const struct kube_config *config);

/* What may stand in a line of a header: no control character. */
bool config_header_safe(const char *text);

/* *list: ends with NULL; takes `text`, also on failure. 0 or -ENOMEM. */
int strings_add(char ***list, char *text);

/* With each string overwritten; NULL is fine. */
void strings_free(char **list);

#endif
