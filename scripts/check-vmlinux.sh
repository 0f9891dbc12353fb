#!/bin/bash
# check-vmlinux.sh BTF...: holds vmlinux/vmlinux.h against kernels' BTF (a raw BTF file or a vmlinux): every field that
# the BPF side reads must be there. The list is made from the relocations of the object itself, so nothing that is used
# can be forgotten; what the code asks for with bpf_core_field_exists() may be missing.
set -eu
object=${OBJECT:-build/whocalls.bpf.o}
PATH=$PATH:/usr/sbin
failed=0
for btf in "$@"; do
  # bpftool's debug output names each relocation, and then the field that matches it if there is one
  output=$(bpftool -d gen min_core_btf "$btf" /dev/null "$object" 2>&1) || {
    printf '%s: %s\n' "$btf" "$(tail -n 3 <<<"$output")"
    failed=1
    continue
  }
  missing=$(awk -F': relo #' '/: relo #[0-9]+: </ { split($2, a, ": "); wanted[$1 a[1]] = a[2] }
    /: matching candidate/ { split($2, a, ": "); delete wanted[$1 a[1]] }
    END { for (i in wanted) print "  missing: " wanted[i] }' <<<"$output" |
    grep -vE 'struct mptcp_(sock|subflow_context)|is_mptcp|enum (sk_rst|skb_drop)_reason' | sort -u || true)
  matches=$(grep -c 'matching candidate' <<<"$output" || true)
  if [ -n "$missing" ]; then
    printf '%s:\n%s\n' "$btf" "$missing"
    failed=1
  elif [ "$matches" = 0 ]; then
    echo "$btf: bpftool tells of no relocation at all; are its messages other ones now?"
    failed=1
  else
    echo "$btf: all $matches relocations match"
  fi
done
exit $failed
