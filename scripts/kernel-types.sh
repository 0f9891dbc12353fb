#!/bin/bash
# kernel-types.sh: holds the types that the BPF side reads (vmlinux/vmlinux.h), in both its builds, against the BTF of
# each kernel of tests/kernels/matrix; KERNELS picks some.
set -u
: "${BUILD:?}"
passed=0 failed=0
while read -r kernel suites _; do
  [[ $kernel != '#'* && -n $kernel ]] || continue
  [[ " ${KERNELS:-$kernel} " == *" $kernel "* ]] || continue
  arch=amd64 objects=$BUILD types=vmlinux
  if [[ $kernel == *-arm64 ]]; then
    arch=arm64 objects=$BUILD/arm64 types=btf
    make -s --no-print-directory BUILD="$objects" ARCH=arm64 "$objects"/whocalls{,-old}.bpf.o || objects=missing
  fi
  folder=$(scripts/kernel-fetch.sh "$suites" $arch 2>/dev/null)
  for object in whocalls whocalls-old; do
    if [ -n "$folder" ] && OBJECT=$objects/$object.bpf.o scripts/check-vmlinux.sh "$folder/$types" >"$BUILD/types.log" 2>&1; then
      passed=$((passed + 1))
      printf '%-10s %-14s %s\n' "$kernel" "$object" "$(sed 's/.*: //' "$BUILD/types.log")"
    else
      failed=$((failed + 1))
      printf '%-10s %-14s FAILED: %s\n' "$kernel" "$object" "$([ -n "$folder" ] && cat "$BUILD/types.log" || echo 'no kernel')"
    fi
  done
done <tests/kernels/matrix
echo "types: $passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
