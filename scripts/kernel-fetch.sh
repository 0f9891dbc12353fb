#!/bin/bash
# kernel-fetch.sh SUITE[,SUITE...] [amd64|arm64]: gets Debian's newest kernel for cloud guests out of these suites, and
# prints the folder that has it:
#
#   release       what `uname -r` says there
#   vmlinux       the kernel, unpacked: boots faster than the packed one, and has its BTF
#   Image, btf    the same of arm64
#   modules.cpio  the modules that the tests need, numbered in the order to load them: to be added to an initramfs; in
#                 its modules/bench those that only the bench needs
#   headers.cpio  the kernel's headers, for programs of bcc; only where $HEADERS=1 asked for them
#
# The names of Debian's kernel packages move with every update, so they are looked up each time. What was fetched is
# kept by package, version and list of modules in $WHOCALLS_CACHE. If nothing can be looked up, the newest that is kept
# is taken.
set -euo pipefail
trap 'echo "kernel-fetch.sh: failed in line $LINENO" >&2' ERR
suites=$1 arch=${2:-amd64}
meta=linux-image-cloud-$arch
modules=(veth bridge tcp_diag) # those that are built in are left out, and what these need is added
bench_modules=(nf_conntrack_netlink nft_ct)
list=$(echo "${modules[*]}; ${bench_modules[*]}" | cksum | cut -d ' ' -f 1)
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=scripts/kernel-apt.sh
. "${0%/*}/kernel-apt.sh"

folder=${suites%%,*}
[ "$arch" = amd64 ] || folder+=-$arch
cache_open "kernels/$folder"

fail() {
  echo "kernel-fetch.sh: $suites: $*" >&2
  exit 1
}

apt_suites "$work" "$suites" "$arch"
package=$(apt-cache "${APT[@]}" depends "$meta" 2>/dev/null | grep -oP -m 1 '^ *Depends: \Klinux-image-[0-9].*' || true)
version=$(apt_version "$package")
if [ -z "$version" ]; then
  kept=$(find "$cache" -mindepth 2 -maxdepth 2 -path "*+$list/release" -printf '%h\n' | sort -V | tail -n 1)
  [ -n "$kept" ] || fail "there is no $meta: $(tail -n 3 "$work/update.log")"
  echo "kernel-fetch.sh: $suites: could not look up the newest kernel; taking ${kept##*/}, which is kept" >&2
  echo "$kept"
  exit
fi
kernel=$cache/${package}_$version+$list
release=${package#linux-image-}

# Only what is included: neither the Makefiles nor the tools.
headers() {
  local from=$work/headers to=$work/headers.root flavour common folder
  flavour=linux-headers-$release
  common=$(apt-cache "${APT[@]}" depends "$flavour" 2>/dev/null |
    grep -oP -m 1 'Depends: \Klinux-headers-.*-common' || true)
  apt_unpack "$from" "$flavour" ${common:+"$common"} || return
  mkdir -p "$to/usr/src" "$to/usr/lib/modules/$release"
  for folder in "$from"/usr/src/*/{include,arch/x86/include}; do
    [ ! -d "$folder" ] || (cd "$from" && cp -a --parents "${folder#"$from/"}" "$to")
  done
  ln -s "/usr/src/$flavour" "$to/usr/lib/modules/$release/build"
  ln -s "/usr/src/$common" "$to/usr/lib/modules/$release/source"
  (cd "$to" && find . -print0 | cpio --quiet -0 -o -H newc -R 0:0) >"$work/headers.cpio"
  mv "$work/headers.cpio" "$kernel/"
}

end() { # what is there is what was asked for, or nearly
  if [ -n "${HEADERS-}" ] && [ ! -e "$kernel/headers.cpio" ]; then
    headers || echo "kernel-fetch.sh: $suites: could not get the headers of $release" >&2
  fi
  touch "$kernel"
  echo "$kernel"
}

if [ -e "$kernel/release" ]; then
  end
  exit
fi

# From 7.x on linux-image-* is empty, and others have the kernel, its modules, and the list of what is built in.
packages=("$package")
if [ -n "$(apt_version "linux-binary-$release")" ]; then
  packages=("linux-binary-$release" "linux-modules-$release" "linux-base-$release")
fi
root=$work/root
apt_unpack "$root" "${packages[@]}" || fail "could not get ${packages[*]}"
[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"

is_kernel() { # FILE: an ELF file, or what arm64 has in its place
  [ "$(head -c 4 "$1" | tr -d '\0')" = $'\x7fELF' ] || [ "$(tail -c +57 "$1" | head -c 4 | tr -d '\0')" = ARMd ]
}

unpack() { # VMLINUZ OUT: by the first place in it that looks like a packed file and holds a kernel
  local magic program place
  ! is_kernel "$1" || { cp "$1" "$2" && return; }
  while read -r magic program; do
    for place in $(LC_ALL=C grep -obUaP "$magic" "$1" | cut -d: -f1 | head -n 20); do
      # where the packed file ends isn't known, so each of these complains of what follows it
      tail -c "+$((place + 1))" "$1" | $program >"$2" 2>/dev/null || true
      ! is_kernel "$2" || return 0
    done
  done <<'FORMATS'
\xfd7zXZ\x00 xz -dc
\x28\xb5\x2f\xfd zstd -dc
\x1f\x8b\x08 gzip -dc
\x02\x21\x4c\x18 lz4 -dc
FORMATS
  return 1
}

btf_of() { # IMAGE OUT: the longest of what begins like BTF in it, which says itself how long it is
  local place strings length size longest=0
  while IFS=: read -r place _; do
    read -r _ _ strings length < <(od -An -tu4 -j $((place + 8)) -N 16 "$1")
    size=$((24 + strings + length))
    [ $size -gt $longest ] || continue
    longest=$size
    tail -c "+$((place + 1))" "$1" | head -c $size >"$2" || true
  done < <(LC_ALL=C grep -obUaP '\x9f\xeb\x01\x00\x18\x00\x00\x00' "$1" | tr -d '\0')
  [ $longest -gt 0 ]
}

new=$work/new
mkdir -p "$new" "$work/initramfs/modules"
vmlinuz=$(find "$root/boot" "$root/lib/modules/$release" -name 'vmlinuz*' 2>/dev/null | head -n 1 || true)
[ -n "$vmlinuz" ] || fail "there is no vmlinuz in ${packages[*]}"
image=$new/vmlinux
[ "$arch" != arm64 ] || image=$new/Image
unpack "$vmlinuz" "$image" || fail "could not unpack the vmlinuz of ${packages[*]}"
[ "$arch" != arm64 ] || btf_of "$image" "$new/btf" || fail "there is no BTF in the vmlinuz of ${packages[*]}"

depmod -b "$root" "$release"
number=100
unpack_modules() { # FOLDER MODULE...: what an earlier call has unpacked is left out
  local out action file name
  mkdir -p "$1"
  modprobe -d "$root" -S "$release" --show-depends -a "${@:2}" >"$work/modules"
  while read -r action file _; do
    [ "$action" = insmod ] || continue
    name=${file##*/}
    name=${name%%.*}
    [ -z "$(find "$work/initramfs/modules" -name "*-$name.ko")" ] || continue
    out=$1/$((number++))-$name.ko
    case $file in
    *.xz) xz -dc "$file" >"$out" ;;
    *.zst) zstd -qdc "$file" >"$out" ;;
    *) cp "$file" "$out" ;;
    esac
  done <"$work/modules"
}
unpack_modules "$work/initramfs/modules" "${modules[@]}"
unpack_modules "$work/initramfs/modules/bench" "${bench_modules[@]}"
(cd "$work/initramfs" && find . | cpio --quiet -o -H newc -R 0:0) >"$new/modules.cpio"
echo "$release" >"$new/release"
mv "$new" "$kernel"
# what nobody has asked for in two months
find "$cache" -mindepth 1 -maxdepth 1 -name 'linux-image-*' -mtime +60 -exec rm -rf {} +
end
