#!/bin/bash
# kernel-run.sh KERNEL IMAGE OUT SECONDS [NAME=VALUE...]: boots a kernel of kernel-fetch.sh with an image of
# kernel-image.sh; what its tests write goes to OUT, and what the kernel says to OUT.console. NAME=VALUE is for the
# guest. Ends with the status that the guest reported, with 124 if it did not end in time, with 125 if it died.
#
# The guest's processor is emulated, so this runs wherever QEMU does, also without KVM. cmpxchg16b and a second
# processor are left out, since QEMU 7.2 emulates them in ways that kill the guest now and then. The rest that is
# switched off only costs time where it is emulated: five levels of page tables, what keeps the kernel from a user's
# memory, what protects from the faults of real processors, AppArmor.
#
# With ICOUNT=1 a nanosecond of the guest is one instruction, and the time in which it waits is skipped: so what it
# measures in time are exact counts of instructions, however busy this machine is. MEMORY: of the guest, in MiB.
set -u
kernel=$1 image=$2 out=$3 limit=$4
shift 4
icount=() clock=tsc=unstable
if [ -n "${ICOUNT-}" ]; then
  icount=(-icount "shift=0,sleep=off")
  clock='tsc=reliable tsc=noirqtime' # a process's time is to have that of its softirqs
fi
: >"$out"
: >"$out.console"

if [ -e "$kernel/Image" ]; then
  machine=("${QEMU_ARM64:-qemu-system-aarch64}" -machine virt -cpu cortex-a57 -kernel "$kernel/Image"
    -serial "file:$out.console" -chardev "file,id=results,path=$out" -device "pci-serial,chardev=results")
  append='console=ttyAMA0 results=ttyS0'
else
  machine=("${QEMU:-qemu-system-x86_64}" -machine pc -cpu "max,-cx16,-la57,-smap,-smep" -kernel "$kernel/vmlinux"
    -serial "file:$out.console" -serial "file:$out")
  append='console=ttyS0 results=ttyS1'
fi

# Each of these ends with its parent, even if that is killed.
setpriv --pdeathsig KILL timeout --kill-after 5 "$limit" setpriv --pdeathsig KILL \
  "${machine[@]}" -accel tcg -smp 1 -m "${MEMORY:-1024}" "${icount[@]}" -nodefaults -no-user-config -display none \
  -no-reboot -initrd "$image" \
  -append "$append panic=-1 loglevel=5 $clock mitigations=off apparmor=0 init_on_alloc=0 $*" \
  </dev/null 2>"$out.qemu" &
qemu=$!
trap 'kill $qemu 2>/dev/null; exit 143' INT TERM HUP
wait $qemu
status=$?
if [ $status -eq 124 ] || [ $status -eq 137 ]; then
  echo "timed out: the guest did not end within $limit s"
  exit 124
fi
rc=$(tail -n 1 "$out" | grep -aoP '^RC=\K[0-9]+$')
if [ -z "$rc" ]; then
  echo "the guest died (QEMU ended with $status):"
  tail -n 30 "$out.qemu" "$out.console"
  exit 125
fi
exit "$rc"
