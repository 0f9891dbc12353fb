/* SPDX-License-Identifier: MIT */
#include "mount.h"

#include <errno.h>
#include <sys/mount.h>
#include <unistd.h>

int mount_private(const char *type, unsigned int attributes)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC), mount = -1, r;

	if (fs < 0)
		return -errno;
	r = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (!r) {
		mount = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
		r = mount;
	}
	r = r < 0 ? -errno : mount;
	close(fs);
	return r;
}
