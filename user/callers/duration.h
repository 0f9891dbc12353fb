/* SPDX-License-Identifier: MIT */
/* A length of time in a sentence. */
#ifndef CALLERS_DURATION_H
#define CALLERS_DURATION_H

#include <stdint.h>

#define DURATION_TEXT 32

/* Writes ns, rounded down to two units, into buf and returns buf: 0s, 350ms, 42s, 3m, 3m20s, 2h5m,
 * 3d4h. Below 0 is 0s. */
const char *duration_format(int64_t ns, char buf[DURATION_TEXT]);

#endif
