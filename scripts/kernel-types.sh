#!/bin/bash
# kernel-types.sh: holds the types that the BPF side reads (vmlinux/vmlinux.h), in both its builds, against the BTF of
# each kernel of tests/kernels/matrix for this machine's architecture; KERNELS picks some.
set -u
: "${BUILD:?}"
passed=0 failed=0
while read -r kernel suites _; do
  [[ $kernel != '#'* && -n $kernel && $kernel != *-arm64 ]] || continue
  [[ " ${KERNELS:-$kernel} " == *" $kernel "* ]] || continue
  folder=$(scripts/kernel-fetch.sh "$suites" 2>/dev/null)
  for object in whocalls whocalls-old; do
    if [ -n "$folder" ] && OBJECT=$BUILD/$object.bpf.o scripts/check-vmlinux.sh "$folder/vmlinux" >"$BUILD/types.log" 2>&1; then
      passed=$((passed + 1))
      printf '%-8s %-14s %s\n' "$kernel" "$object" "$(sed 's/.*: //' "$BUILD/types.log")"
    else
      failed=$((failed + 1))
      printf '%-8s %-14s FAILED: %s\n' "$kernel" "$object" "$([ -n "$folder" ] && cat "$BUILD/types.log" || echo 'no kernel')"
    fi
  done
done <tests/kernels/matrix
echo "types: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
