#!/bin/bash
# kernel-bench.sh: boots kernels of tests/kernels/matrix, each in a guest that counts instructions, runs
# tests/bench/kernels.sh there, and prints its tables. `make bench-kernels` starts it.
#
#   KERNELS='6.1 7.x'  these
#   COUNT=2000         connections of a run
#   ROUNDS=3           runs of each row
#   ONLY=requests      what a request costs, and nothing else
#   GUESTS=2           how many guests at a time; each takes one processor and 3 GiB
#
# What each guest said stays in $BUILD/bench-kernels.
set -uo pipefail
: "${WHOCALLS:?}" "${LOAD:?}" "${BENCH:?}" "${BUILD:?}"
KERNELS=${KERNELS:-6.1 7.x}
limit=3600 # seconds for a guest
work=$BUILD/bench-kernels
trap 'exit 130' INT
trap 'exit 143' TERM HUP
start=$SECONDS

child() { # COMMAND... that ends with this shell, even if that is killed
  exec setpriv --pdeathsig KILL "$@"
}

measure() { # KERNEL SUITES
  local kernel=$1 folder
  folder=$(HEADERS=1 child scripts/kernel-fetch.sh "$2") || return
  (child scripts/kernel-image.sh "$folder" "$work/$kernel.cpio" bench) || return
  (ICOUNT=1 MEMORY=3072 child scripts/kernel-run.sh "$folder" "$work/$kernel.cpio" "$work/$kernel.log" $limit \
    "COUNT=${COUNT:-2000}" "ROUNDS=${ROUNDS:-3}" "ONLY=${ONLY-}") || return
  rm "$work/$kernel.cpio"
}

if [ $# = 2 ]; then
  measure "$@"
  exit
fi
rm -rf "$work"
mkdir -p "$work"
QEMU=${QEMU:-$(scripts/kernel-qemu.sh)} || exit
export QEMU
declare -A suites
while read -r kernel from _; do
  [[ $kernel == '#'* || -z $kernel ]] || suites[$kernel]=$from
done <tests/kernels/matrix

declare -A pid
for kernel in $KERNELS; do
  [ -n "${suites[$kernel]-}" ] || {
    echo "kernel-bench.sh: KERNELS: there is no $kernel in tests/kernels/matrix" >&2
    exit 64
  }
done
for kernel in $KERNELS; do
  while [ "$(jobs -pr | wc -l)" -ge "${GUESTS:-2}" ]; do wait -n; done
  child "$0" "$kernel" "${suites[$kernel]}" >"$work/$kernel.end" 2>&1 & # itself, for one of them
  pid[$kernel]=$!
done

failed=0
for kernel in $KERNELS; do
  if wait "${pid[$kernel]}"; then
    sed '1,/^=== table/d; /^RC=/d' "$work/$kernel.log"
  else
    echo "$kernel: FAILED"
    sed 's/^/  /' "$work/$kernel.end"
    tail -n 20 "$work/$kernel.log" 2>/dev/null | sed 's/^/  /'
    failed=1
  fi
  echo
done
echo "an instruction is a nanosecond of the guest's time; all told in $((SECONDS - start)) s"
exit $failed
