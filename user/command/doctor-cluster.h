/* SPDX-License-Identifier: MIT */
/* The part of `whocalls doctor` that asks the cluster. */
#ifndef COMMAND_DOCTOR_CLUSTER_H
#define COMMAND_DOCTOR_CLUSTER_H

#include <stdbool.h>

/* Tells one line: what was looked at, whether it is well, and what follows. */
typedef void doctor_tell(void *arg, bool ok, const char *what, const char *detail);

/* What the API lets us ask for; waits for its answers, up to some seconds each. */
void doctor_cluster(const char *kubeconfig, const char *context, doctor_tell *tell, void *arg);

#endif
