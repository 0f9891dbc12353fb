/* SPDX-License-Identifier: MIT */
#include "state.h"
#include "sweep.h"

/*
 * The kernel side compares both the pid and the start time: whatever it reads of them meanwhile is
 * the old process, the new one or none. Where nothing has changed nothing is written.
 */
static int look(struct capture *capture, bool again)
{
	struct whocalls_bpf__bss *bss = capture->bpf->bss;
	uint32_t listens = __atomic_load_n(&bss->kubelet_listens, __ATOMIC_SEQ_CST);
	uint64_t start = monotonic_ns(), end;
	int r;

	bss->found_pid = 0;
	bss->files_again = again;
	r = sweep_run(capture->bpf->progs.snapshot_files);
	end = monotonic_ns();
	capture->next_kubelet = end + sweep_pause(end - start);
	if (r)
		return r;
	/*
	 * The tracepoint comes before the socket's new state (inet_sk_state_store()): whoever was
	 * preempted in between is found by one more look.
	 */
	capture->kubelet_listens = capture->kubelet_seen;
	capture->kubelet_seen = listens;
	if (bss->found_pid == bss->kubelet_pid &&
	    (!bss->found_pid || bss->found_start == bss->kubelet_start))
		return 0;
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
	return look(capture, true);
}

/* One that has ended needs no look: nobody else has its pid and its start time. */
void capture_kubelet_check(struct capture *capture)
{
	const struct whocalls_bpf__bss *bss = capture->bpf->bss;

	if (__atomic_load_n(&bss->kubelet_listens, __ATOMIC_SEQ_CST) != capture->kubelet_listens &&
	    monotonic_ns() >= capture->next_kubelet)
		look(capture, true);
}
