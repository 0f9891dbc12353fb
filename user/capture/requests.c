/* SPDX-License-Identifier: MIT */
/* Which hooks see what the application reads and writes: see bpf/turn.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "hooks.h"
#include "state.h"

#define READ_HOOK "tp_btf/tcp_rcv_space_adjust"

/* Whether the return of tcp_sendmsg() can be seen so; its BTF is read only for a kernel that does
 * not refuse fexit out of hand. */
static bool sendmsg_tried(struct attached *hook, enum hook_kind kind, const char *file)
{
	struct btf *kernel = NULL;
	char why[HOOK_WHY];
	int r = 0;

	if (kind == HOOK_FEXIT) {
		r = hook_refused(kind, why);
		kernel = r ? NULL : hooks_btf(file);
		if (!r && !kernel) {
			snprintf(why, sizeof(why), "fexit: this kernel's BTF can't be read");
			r = -ENOENT;
		}
		if (!r && !hooks_fexit_ends(kernel, why))
			r = -ENOTSUP;
	}
	if (!r)
		r = hook_try(kernel, kind, "tcp_sendmsg", why);
	btf__free(kernel);
	if (r)
		capture_add_why(hook, why);
	return !r;
}

static void choose(struct capture *capture, const char *btf, const char *forced)
{
	struct attached *hook = &capture->hooks[REQUESTS];
	struct whocalls_bpf *bpf = capture->bpf;

	if (hooks_kernel_is(6, 3)) {
		hook->programs[1] = bpf->progs.turn_sent;
		if (hooks_kernel_is(7, 0)) {
			hook->programs[2] = bpf->progs.turn_read_again;
			hook->programs[3] = bpf->progs.turn_sent_again;
		}
		snprintf(hook->name, sizeof(hook->name), READ_HOOK ", tp_btf/sock_send_length");
		return;
	}
	capture_add_why(hook, "the tracepoint sock_send_length came with 6.3");
	if ((!forced || !strcmp(forced, "fexit")) && sendmsg_tried(hook, HOOK_FEXIT, btf)) {
		hook->programs[1] = bpf->progs.turn_sent_fexit;
		hook->programs[2] = bpf->progs.turn_sent_page_fexit;
		snprintf(hook->name, sizeof(hook->name), READ_HOOK ", fexit/tcp_sendmsg");
	} else if (sendmsg_tried(hook, HOOK_KRETPROBE, NULL)) {
		hook->programs[1] = bpf->progs.turn_sending;
		hook->programs[2] = bpf->progs.turn_sent_kretprobe;
		snprintf(hook->name, sizeof(hook->name), READ_HOOK ", kretprobe/tcp_sendmsg");
	}
}

static bool is_of(const struct attached *hook, const struct bpf_program *program)
{
	for (size_t i = 0; i < HOOK_PROGRAMS && hook->programs[0]; i++)
		if (hook->programs[i] == program)
			return true;
	return false;
}

void capture_choose_requests(struct capture *capture, const struct capture_options *options,
			     bool none)
{
	struct attached *hook = &capture->hooks[REQUESTS];
	struct whocalls_bpf *bpf = capture->bpf;
	struct bpf_program *const all[] = {
		bpf->progs.turn_read,       bpf->progs.turn_sent,
		bpf->progs.turn_read_again, bpf->progs.turn_sent_again,
		bpf->progs.turn_sent_fexit, bpf->progs.turn_sent_page_fexit,
		bpf->progs.turn_sending,    bpf->progs.turn_sent_kretprobe};

	memset(hook->programs, 0, sizeof(hook->programs));
	hook->name[0] = hook->why[0] = '\0';
	if (none)
		capture_add_why(hook, "no program that sees what is read and written loads here");
	else
		choose(capture, options->btf, options->accept_hook);
	if (hook->programs[1])
		hook->programs[0] = bpf->progs.turn_read;
	for (size_t i = 0; i < LENGTH(all); i++)
		bpf_program__set_autoload(all[i], is_of(hook, all[i]));
}
