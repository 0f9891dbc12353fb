/* SPDX-License-Identifier: MIT */
#include "user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void kube_user_deinit(struct kube_user *user)
{
	free(user->name);
	free(user->home);
	*user = (struct kube_user){0};
}

int kube_user_copy(struct kube_user *to, const struct kube_user *from)
{
	*to = (struct kube_user){.set = from->set, .uid = from->uid, .gid = from->gid};
	if (from->name && !(to->name = strdup(from->name)))
		return -ENOMEM;
	if (from->home && !(to->home = strdup(from->home)))
		return -ENOMEM;
	return 0;
}
