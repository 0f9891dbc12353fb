/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

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

void kube_environment_deinit(struct kube_environment *environment)
{
	kube_user_deinit(&environment->sudo);
}
