/* SPDX-License-Identifier: MIT */
/* File systems of the kernel's own, also where nobody has mounted them. */
#ifndef CAPTURE_MOUNT_H
#define CAPTURE_MOUNT_H

/*
 * Mounts a file system ("tracefs", "securityfs") where nobody else sees it: until the returned file
 * descriptor of its root is closed. `attributes`: MOUNT_ATTR_RDONLY or 0. Needs CAP_SYS_ADMIN.
 * Negative errno on failure.
 */
int mount_private(const char *type, unsigned int attributes);

#endif
