/* SPDX-License-Identifier: MIT */
/* Files of the kind that kubectl reads, merged as it does: the first that names a context, cluster
 * or user tells all of it. Relative paths are relative to the folder of the file they stand in. */
#ifndef KUBE_KUBECONFIG_H
#define KUBE_KUBECONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "file.h"
#include "problem.h"
#include "secret.h"

#define KUBECONFIG_SIZE_MAX ((size_t)4 << 20)

struct kubeconfig_file {
	char *path;
	char *folder; /* absolute */
	struct secret text;
	json_t *json;
};

struct kubeconfig {
	struct kubeconfig_file *files;
	size_t n_files;
};

/* An element of contexts, clusters or users, or an object in one, with what errors need. The first
 * error stays in `r`, with its sentence in `problem`. */
struct entry {
	json_t *json; /* borrowed; may be NULL: then all is missing */
	const struct kubeconfig_file *file;
	const char *kind; /* "cluster" */
	const char *name; /* borrowed */
	const char *path; /* "exec.", or "" */
	const struct problem *problem;
	int r;
};

/* Reads one more file (file_read()), which may be empty. 0 or -errno with a sentence. */
int kubeconfig_read(struct kubeconfig *config, const char *path, const struct kube_user *as,
		    const struct problem *problem);
void kubeconfig_deinit(struct kubeconfig *config);

/* No file has a context, cluster or user, nor names a current context. */
bool kubeconfig_empty(const struct kubeconfig *config);

/* The first that is named; NULL: none is. */
const char *kubeconfig_current_context(const struct kubeconfig *config);

/* The names of all contexts, with commas, as far as there is room; "" if there is none. */
void kubeconfig_contexts(const struct kubeconfig *config, char *names, size_t size);

/* Finds what is called so; kind: "context", "cluster" or "user". 0; -ENOENT without a sentence:
 * there is none; -EINVAL with one. */
int kubeconfig_find(const struct kubeconfig *config, const char *kind, const char *name,
		    struct entry *out, const struct problem *problem);

/* --- an entry's fields; what is missing, null or "" is NULL, false or 0 --- */

int entry_fail(struct entry *entry, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

json_t *entry_get(struct entry *entry, const char *key, json_type type);
const char *entry_text(struct entry *entry, const char *key);
bool entry_bool(struct entry *entry, const char *key);

/* *out: a copy, the caller's, or NULL. They return entry->r. */
int entry_copy(struct entry *entry, const char *key, char **out);

/* The same; a relative path gets the file's folder before it. */
int entry_path(struct entry *entry, const char *key, char **out);

/* Of base 64, which must hold PEM. */
int entry_pem(struct entry *entry, const char *key, struct secret *out);

/* The file's folder before a relative path. The caller's; NULL: no memory. */
char *kubeconfig_resolve(const struct kubeconfig_file *file, const char *path);

/* What a PEM file has somewhere. */
bool pem_is(const struct secret *content);

#endif
