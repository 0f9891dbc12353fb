#!/bin/bash
# prometheus.sh [--kept]: prints a folder that has usr/bin/prometheus and usr/bin/promtool, out of Debian's package, which
# is not installed. It is kept in $WHOCALLS_CACHE, and looked up again after a month; where that fails, the kept one is
# taken. With --kept nothing is got: where none is kept, it fails.
set -euo pipefail
# shellcheck source=scripts/kernel-apt.sh
. "${0%/*}/kernel-apt.sh"

cache_open prometheus

newest() {
  find "$cache" -mindepth 1 -maxdepth 1 -name 'root-*' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

kept=$(newest)
if [ "${1:-}" = --kept ] || { [ -n "$kept" ] && [ -z "$(find "$kept" -maxdepth 0 -mtime +30)" ]; }; then
  [ -n "$kept" ] || exit 1
  echo "$kept"
  exit
fi
apt_suites "$work" bookworm,bookworm-security
version=$(apt_version prometheus)
if [ -z "$version" ]; then
  [ -n "$kept" ] || { echo "prometheus.sh: there is no package prometheus: $(tail -n 3 "$work/update.log")" >&2 && exit 1; }
  echo "prometheus.sh: could not look up the newest package; taking ${kept##*/}, which is kept" >&2
  echo "$kept"
  exit
fi
root=$cache/root-$version
if [ ! -e "$root" ]; then
  apt_unpack "$work/root" "prometheus=$version" || { echo "prometheus.sh: could not get prometheus $version" >&2 && exit 1; }
  "$work/root/usr/bin/promtool" --version >/dev/null
  [ -z "$kept" ] || rm -rf "$kept"
  mv "$work/root" "$root"
fi
touch "$root"
echo "$root"
