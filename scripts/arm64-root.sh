#!/bin/bash
# arm64-root.sh: prints a folder that has packages of Debian 12 for arm64, unpacked: the libraries to cross-build with,
# and the programs for a guest that runs the node tests. It is kept in $WHOCALLS_CACHE, by the versions of all that is in
# it. If these can't be looked up, the newest that is kept is taken.
set -euo pipefail
trap 'echo "arm64-root.sh: failed in line $LINENO" >&2' ERR
# usr-is-merged: that /bin is /usr/bin, as is made below; without it apt would choose what does that, which needs Perl
packages=(usr-is-merged libbpf-dev libelf-dev zlib1g-dev libjansson-dev libyaml-dev libcurl4-openssl-dev
  libmicrohttpd-dev libgnutls28-dev uthash-dev
  bash dash coreutils bats jq iproute2 util-linux mount procps mawk grep sed findutils diffutils kmod)
# shellcheck source=scripts/kernel-apt.sh
. "${0%/*}/kernel-apt.sh"

cache_open arm64
apt_suites "$work" bookworm,bookworm-security arm64
mapfile -t needed < <(apt_needs "${packages[@]}" 2>>"$work/update.log")
if [ ${#needed[@]} = 0 ]; then
  kept=$(find "$cache" -mindepth 1 -maxdepth 1 -name 'root-*' -printf '%T@ %p\n' | sort -n | sed -n '$s/^[^ ]* //p')
  [ -n "$kept" ] || { echo "arm64-root.sh: no packages for arm64: $(tail -n 3 "$work/update.log")" >&2 && exit 1; }
  echo "arm64-root.sh: could not look up the packages for arm64; taking those that are kept" >&2
  echo "$kept"
  exit
fi
root=$cache/root-$(printf '%s\n' "${packages[*]}" "${needed[@]}" | sha256sum | cut -c 1-12)
if [ ! -e "$root" ]; then
  mkdir -p "$work/root/usr/"{bin,sbin,lib}
  for folder in bin sbin lib; do ln -s usr/$folder "$work/root/$folder"; done
  apt_unpack "$work/root" "${needed[@]}" || { echo "arm64-root.sh: could not get ${needed[*]}" >&2 && exit 1; }
  ln -s mawk "$work/root/bin/awk" # as update-alternatives would
  mv "$work/root" "$root"
  # what nobody has asked for in two months
  find "$cache" -mindepth 1 -maxdepth 1 -name 'root-*' -mtime +60 -exec rm -rf {} +
fi
touch "$root"
echo "$root"
