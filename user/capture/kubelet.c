/* SPDX-License-Identifier: MIT */
#include "kubelet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"
#include "sweep.h"

/* Between two looks at all files of the node, when there is no kubelet; twice as long each time. */
#define WAIT_MIN UINT64_C(1000000000)
#define WAIT_MAX (30 * WAIT_MIN)

/* Fields of /proc/PID/stat after the name, which may have anything in it. */
#define STATE_FIELD 3
#define START_FIELD 22

bool kubelet_stat_is(const char *stat, uint64_t start)
{
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	const char *at = strrchr(stat, ')');

	if (!at || strlen(at) < 3 || at[2] == 'Z' || at[2] == 'X')
		return false;
	for (int field = STATE_FIELD - 1; field < START_FIELD; field++) {
		at = strchr(at, ' ');
		if (!at)
			return false;
		at++;
	}
	return strtoull(at, NULL, 10) == start / (1000000000 / ticks);
}

static bool runs(uint32_t pid, uint64_t start)
{
	char path[32], text[1024];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	return kubelet_stat_is(text, start);
}

/*
 * The kernel side compares both the pid and the start time: whatever it reads of them meanwhile is
 * the old process, the new one or none. Where nothing has changed nothing is written.
 */
static int look(struct capture *capture, bool again)
{
	struct whocalls_bpf__bss *bss = capture->bpf->bss;
	int r;

	bss->found_pid = 0;
	bss->files_again = again;
	r = sweep_run(capture->bpf->progs.snapshot_files);
	if (r || (bss->found_pid == bss->kubelet_pid &&
		  (!bss->found_pid || bss->found_start == bss->kubelet_start)))
		return r;
	__atomic_store_n(&bss->kubelet_pid, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&bss->kubelet_start, bss->found_start, __ATOMIC_SEQ_CST);
	__atomic_store_n(&bss->kubelet_pid, bss->found_pid, __ATOMIC_SEQ_CST);
	return 0;
}

int capture_look_at_files(struct capture *capture)
{
	return look(capture, false);
}

uint32_t capture_kubelet(const struct capture *capture)
{
	return capture->bpf->bss->kubelet_pid;
}

int capture_kubelet_port(struct capture *capture, uint16_t port)
{
	capture->bpf->bss->kubelet_port = port;
	capture->kubelet_wait = 0;
	return look(capture, true);
}

/*
 * In another pid namespace than the node's own no process is found by its number: then it is looked
 * for in the files again and again, at last every WAIT_MAX, and found to be the same.
 */
void capture_kubelet_check(struct capture *capture)
{
	const struct whocalls_bpf__bss *bss = capture->bpf->bss;
	uint64_t now = monotonic_ns(), wait = capture->kubelet_wait;

	if (!bss->kubelet_port || now < capture->next_kubelet)
		return;
	if (bss->kubelet_pid && runs(bss->kubelet_pid, bss->kubelet_start)) {
		capture->kubelet_wait = 0;
		return;
	}
	wait = wait ? 2 * wait : WAIT_MIN;
	capture->kubelet_wait = wait < WAIT_MAX ? wait : WAIT_MAX;
	capture->next_kubelet = now + capture->kubelet_wait;
	look(capture, true);
}
