/* SPDX-License-Identifier: MIT */
/* On whose behalf we run. */
#ifndef KUBE_USER_H
#define KUBE_USER_H

#include <stdbool.h>
#include <sys/types.h>

/* Who called sudo. All zero: nobody did. */
struct kube_user {
	bool set;
	uid_t uid;
	gid_t gid;
	char *name;
	char *home; /* NULL: not known */
};

/* 0 or -ENOMEM: kube_user_deinit() is to follow either way. */
int kube_user_copy(struct kube_user *to, const struct kube_user *from);

/* Leaves it as all zero. */
void kube_user_deinit(struct kube_user *user);

#endif
