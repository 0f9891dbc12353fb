/* SPDX-License-Identifier: MIT */
/* Times as the API and its plugins write them. */
#ifndef KUBE_TIME_PARSE_H
#define KUBE_TIME_PARSE_H

#include <stdint.h>

/* RFC 3339, with a fraction and an offset if need be. *out: ns since 1970; 0: before it, INT64_MAX:
 * after what that can hold. 0 or -EINVAL. */
int time_parse(const char *text, int64_t *out);

#endif
