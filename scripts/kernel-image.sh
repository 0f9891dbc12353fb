#!/bin/bash
# kernel-image.sh KERNEL OUT [bench|ROOT]: makes the initramfs of a guest: this machine's own programs and their libraries,
# or what is in ROOT, a folder of arm64-root.sh; whocalls and its node tests, and the modules of this kernel, a folder of
# kernel-fetch.sh. tests/kernels/init.sh is its /init. With `bench` it has tests/bench/kernels.sh in place of the tests,
# the programs of $BENCH, the tools that whocalls is compared with, as far as this machine has them, and the kernel's
# headers: half a gigabyte.
set -euo pipefail
trap 'echo "kernel-image.sh: failed in line $LINENO" >&2' ERR
: "${WHOCALLS:?}" "${LOAD:?}"
kernel=$1 out=$2 from=${3-} bench=
[ "$from" != bench ] || bench=1 from=
PATH=$PATH:/usr/sbin:/sbin

root=$out.root
rm -rf "$root"
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p "$root"/{usr/{bin,sbin,lib,lib64,libexec},dev,proc,sys,tmp,run,etc,modules,whocalls/{bin,tests/kernels}}
for folder in bin sbin lib lib64; do ln -s usr/$folder "$root/$folder"; done

# What the tests call, and bats. Everything of coreutils, since what uses it changes.
programs=(bash sh env awk grep sed find xargs diff jq ps ip ss nstat mount umount unshare nsenter setpriv insmod flock taskset)
mapfile -t coreutils < <(dpkg -L coreutils | grep -E '^(/usr)?/bin/')
programs_of_machine() {
  local program path folder
  for program in "${programs[@]}"; do
    path=$(command -v "$program") || { echo "kernel-image.sh: there is no $program here" >&2 && exit 1; }
    folder=usr/bin
    [[ $path != */sbin/* ]] || folder=usr/sbin
    cp -L "$path" "$root/$folder/"
  done
  cp -L "${coreutils[@]}" "$root/usr/bin/"
}

libraries_of_machine() { # ldd complains of scripts
  local libraries library
  libraries=$(find "$root"/usr/{bin,sbin,lib} "$root/whocalls/bin" -type f -exec ldd {} + 2>/dev/null || true)
  while read -r library; do
    [ -e "$root$library" ] || cp -L --parents "$library" "$root"
  done < <(grep -oP '^\t(.* => )?\K/[^ ]+' <<<"$libraries" | sort -u)
}

if [ -n "$from" ]; then
  tar -C "$from" --exclude='*.a' --exclude=gconv -c usr/{bin,sbin,lib,libexec} | tar -x -C "$root"
else
  programs_of_machine
fi
cp "$WHOCALLS" "$root/whocalls/bin/whocalls"
cp "$LOAD" "$root/whocalls/bin/whocalls-load"
cp tests/kernels/init.sh "$root/init"
echo 'root:x:0:0:root:/:/bin/bash' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"

tests() {
  [ -n "$from" ] || cp -a --parents /usr/lib/bats-core /usr/libexec/bats-core "$(command -v bats)" "$root"
  cp tests/kernels/forced.sh "$root/whocalls/bin/forced"
  cp tests/kernels/*.bats "$root/whocalls/tests/kernels/"
  cp -r tests/node tests/verdict "$root/whocalls/tests/"
}

peers=(/usr/bin/{python3,bpftrace,stdbuf} /usr/libexec/coreutils /usr/sbin/{tcpaccept-bpfcc,tcpaccept.bt,tcplife}
  /usr/sbin/{tcptracer,conntrack,nft} /usr/include/{x86_64-linux-gnu/{sys,bits,gnu,asm},asm-generic,linux}
  /usr/include/*.h)
# Python finds its modules and bcc its libraries by themselves: no list of libraries has them. bpftrace wants <sys/*>.
benches() {
  local path libbcc
  mkdir -p "$root/whocalls/tests/bench"
  cp tests/bench/kernels.sh "$root/whocalls/tests/bench/"
  cp "${BENCH:?}"/{connections,empty,requests} "$root/whocalls/bin/"
  for path in "${peers[@]}"; do
    [ -e "$path" ] || continue
    mkdir -p "$root${path%/*}"
    cp -rL "$path" "$root${path%/*}/"
  done
  libbcc=$(ldconfig -p | grep -oP -m 1 'libbcc\.so\.0.* => \K.*' || true)
  if [ -n "$libbcc" ]; then
    cp -L --parents "$libbcc" "${libbcc%/*}/librt.so.1" "$root"
    mkdir -p "$root/usr/lib/python3/dist-packages"
    cp -a /usr/lib/python3.* "$root/usr/lib/"
    cp -a /usr/lib/python3/dist-packages/bcc "$root/usr/lib/python3/dist-packages/"
    find "$root"/usr/lib/python3.* \( -name __pycache__ -o -name test \) -prune -exec rm -r {} +
  fi
}
if [ -n "$bench" ]; then benches; else tests; fi

[ -n "$from" ] || libraries_of_machine

(cd "$root" && find . -print0 | cpio --quiet -0 -o -H newc -R 0:0) >"$out"
cat "$kernel/modules.cpio" >>"$out"
[ -z "$bench" ] || [ ! -e "$kernel/headers.cpio" ] || cat "$kernel/headers.cpio" >>"$out"
