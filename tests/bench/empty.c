/* SPDX-License-Identifier: MIT */
/*
 * empty HOOK...: programs of two instructions on the same hooks as whocalls', for comparison: what
 * the hooks themselves cost. HOOK: a tracepoint's name, sockops=CGROUP, or fexit=FUNCTION. Prints
 * "ready", and ends when standard input does.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

static int load(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id, int result)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = result},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach,
		    .attach_btf_id = (unsigned int)btf_id);
	int fd = bpf_prog_load(type, "empty", "GPL", program, 2, &opts);

	if (fd < 0)
		err(69, "bpf_prog_load");
	return fd;
}

int main(int argc, char **argv)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	char name[128];

	if (!kernel)
		err(69, "BTF");
	for (int i = 1; i < argc; i++) {
		const char *cgroup = strncmp(argv[i], "sockops=", 8) ? NULL : argv[i] + 8;
		const char *function = strncmp(argv[i], "fexit=", 6) ? NULL : argv[i] + 6;
		int program, link;

		if (cgroup) {
			program = load(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, 0, 1);
			link = bpf_link_create(program, open(cgroup, O_RDONLY), BPF_CGROUP_SOCK_OPS,
					       NULL);
		} else if (function) {
			program = load(BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT,
				       btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC), 0);
			link = bpf_raw_tracepoint_open(NULL, program);
		} else {
			snprintf(name, sizeof(name), "btf_trace_%s", argv[i]);
			program = load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP,
				       btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF), 0);
			link = bpf_raw_tracepoint_open(NULL, program);
		}
		if (link < 0)
			err(69, "%s", argv[i]);
	}
	btf__free(kernel);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
