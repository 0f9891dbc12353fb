/* SPDX-License-Identifier: MIT */
/* Base 64 as kubeconfigs have it: RFC 4648's first alphabet, with padding; line ends may be in it.
 */
#ifndef KUBE_BASE64_H
#define KUBE_BASE64_H

#include <stddef.h>

#include "secret.h"

/* 0, -EINVAL (it is damaged) or -ENOMEM. *out: as all zero before. */
int base64_decode(const char *text, struct secret *out);

/* *out: the caller's to free; 0 or -ENOMEM. */
int base64_encode(const char *data, size_t size, char **out);

#endif
