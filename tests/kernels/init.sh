#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The first process of a kernel guest: runs the node tests, unchanged, or in an image of the bench
# tests/bench/kernels.sh, and writes their TAP and at the end RC=STATUS to a serial line of their own.
# scripts/kernel-image.sh puts it in the guest's initramfs as /init; scripts/kernel-run.sh boots that. The kernel hands
# NAME=VALUE of its command line over as environment:
#
#   results the device of this line
#   hook    the accept hook that every trace is made to use, of tests/kernels/matrix
#   best    1 if this is the hook that the program should choose here by itself
#   groups  names of .bats files, with commas
#   filter  which of their tests, if not all
# shellcheck disable=SC2154 # results, hook, groups
set -u
export PATH=/usr/sbin:/usr/bin HOME=/ TERM=dumb LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/null >"/dev/$results" 2>&1
stty -F "/dev/$results" raw
ln -s /proc/self/fd /dev/fd
mount -t tmpfs -o size=60% tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs securityfs /sys/kernel/security
echo guest >/proc/sys/kernel/hostname
ip link set lo up
for module in /modules/*.ko; do
  insmod "$module" || echo "$module does not load"
done

tests() {
  echo "Linux $(uname -r), up after $(cut -d ' ' -f 1 /proc/uptime) s; accept hook: $hook"
  /whocalls/bin/whocalls doctor

  # Emulated, and two guests on two processors.
  export PATIENCE=4
  # WHOCALLS: the program, with the accept hook that is asked for.
  export HOOK=$hook BEST=${best-} WHOCALLS=/whocalls/bin/forced LOAD=/whocalls/bin/whocalls-load
  local status=0 group file
  for group in ${groups//,/ }; do
    file=$(echo /whocalls/tests/*/"$group.bats")
    echo "=== $group"
    bats --formatter tap --timing --filter "${filter:-.}" "$file" || status=1
  done
  echo "=== end, up for $(cut -d ' ' -f 1 /proc/uptime) s"
  return $status
}

bench=/whocalls/tests/bench/kernels.sh
if [ -e $bench ]; then $bench; else tests; fi
echo "RC=$?"
# Closing the line waits until all of it is written.
exec >/dev/null 2>&1
echo b >/proc/sysrq-trigger
sleep infinity
