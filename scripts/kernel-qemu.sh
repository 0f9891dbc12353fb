#!/bin/bash
# kernel-qemu.sh: prints the QEMU to run guests with: this machine's, or if that is older than 10, one of
# bookworm-backports that is kept unpacked in $WHOCALLS_CACHE. The tests take a third less with it, and QEMU 7.2 has
# faults that can kill a guest. Where it can't be had, this machine's has to do.
set -euo pipefail
trap 'echo "kernel-qemu.sh: failed in line $LINENO" >&2' ERR
# shellcheck source=scripts/kernel-apt.sh
. "${0%/*}/kernel-apt.sh"
qemu=$(command -v qemu-system-x86_64) || { echo "kernel-qemu.sh: there is no qemu-system-x86_64 here" >&2 && exit 1; }

major=$("$qemu" --version | grep -oP 'version \K[0-9]+' | head -n 1)
[ "$major" -lt 10 ] || { echo "$qemu" && exit; }
cache_open qemu
kept=$(find "$cache" -mindepth 2 -maxdepth 2 -name qemu -printf '%p\n' | sort -V | tail -n 1)
[ -z "$kept" ] || { echo "$kept" && exit; }

apt_suites "$work" bookworm-backports
version=$(apt_version qemu-system-x86)
new=$cache/${version#*:}
if [ -n "$version" ] && apt_unpack "$work/root" "qemu-system-x86=$version" "qemu-system-data=$version"; then
  # It uses the libraries of this machine, and the firmware that this machine's own QEMU came with.
  cat >"$work/root/qemu" <<'SCRIPT'
#!/bin/sh
here=${0%/*}
exec "$here/usr/bin/qemu-system-x86_64" -L "$here/usr/share/qemu" -L /usr/share/seabios "$@"
SCRIPT
  chmod +x "$work/root/qemu"
  if "$work/root/qemu" --version >/dev/null; then
    mv "$work/root" "$new"
    echo "$new/qemu"
    exit
  fi
fi
echo "kernel-qemu.sh: no newer QEMU to be had; this machine's takes half as long again" >&2
echo "$qemu"
