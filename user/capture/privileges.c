/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, and for CAP_NET_ADMIN where sockops are loaded:
 * who has it needs none of these. */
const struct privilege privileges[] = {
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
	 "load programs, enter the pods' network namespaces for the snapshot"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "find the pods' network namespaces under /proc"},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
	 "find a process's container by its cgroup's id"},
};
const size_t n_privileges = sizeof(privileges) / sizeof(privileges[0]);

static int held(uint64_t *bits)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*bits = (uint64_t)data[1].effective << 32 | data[0].effective;
	return 0;
}

int privilege_held(const struct privilege *privilege)
{
	uint64_t bits = 0;
	int r = held(&bits);

	if (r)
		return r;
	return bits >> privilege->number & 1;
}

int privileges_missing(char *names, size_t size)
{
	int missing = 0;

	names[0] = '\0';
	for (size_t i = 0; i < n_privileges; i++) {
		size_t length = strlen(names);

		if (privilege_held(&privileges[i]) == 1)
			continue;
		snprintf(names + length, size - length, "%s%s", missing ? ", " : "",
			 privileges[i].name);
		missing++;
	}
	return missing;
}
