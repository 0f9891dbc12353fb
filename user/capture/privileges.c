/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
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

/* Beside those: to run the plugins of a kubeconfig as their user and to end them, and to write into
 * a folder of somebody else's. */
static const int also_kept[] = {CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_DAC_OVERRIDE};

static uint64_t kept(void)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < n_privileges; i++)
		bits |= UINT64_C(1) << privileges[i].number;
	for (size_t i = 0; i < sizeof(also_kept) / sizeof(also_kept[0]); i++)
		bits |= UINT64_C(1) << also_kept[i];
	return bits;
}

int privileges_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	uint64_t keep = kept();

	/* what a program that it runs could get; who may not take that away has less anyway */
	for (int number = 0; number <= CAP_LAST_CAP; number++)
		if (!(keep >> number & 1))
			prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
	if (syscall(SYS_capget, &header, data))
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(keep >> 32 * i);
		data[i].effective &= data[i].permitted;
		data[i].inheritable &= data[i].permitted;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}
