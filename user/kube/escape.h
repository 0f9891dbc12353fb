/* SPDX-License-Identifier: MIT */
/* Percent-encoding of what goes into a URL's path or query (RFC 3986). */
#ifndef KUBE_ESCAPE_H
#define KUBE_ESCAPE_H

/* All but unreserved characters; NULL: no memory. free(). */
char *kube_escape(const char *text);

#endif
