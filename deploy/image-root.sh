#!/bin/bash
# image-root.sh PROGRAM FOLDER: makes FOLDER the root of an image: PROGRAM as /whocalls, without its debugging symbols,
# the shared libraries that it needs, where the loader looks for them, and nothing else. No shell, no list of
# certificates: in a cluster the API's is held against the ServiceAccount's own.
set -euo pipefail
[ $# = 2 ] || { echo "usage: ${0##*/} PROGRAM FOLDER" >&2 && exit 64; }
program=$1 root=$2

libraries=$(ldd "$program") || {
  echo "${0##*/}: ldd $program failed: is it made for this machine, and not linked statically?" >&2
  exit 65
}
if grep 'not found' <<<"$libraries" >&2; then
  echo "${0##*/}: $program needs libraries that are not here: install them" >&2
  exit 65
fi
mkdir -p "$root"
strip -o "$root/whocalls" "$program"
chmod 755 "$root/whocalls"
# "libz.so.1 => /lib/.../libz.so.1 (0x...)"; the loader has no arrow; what is in the kernel has no path
while read -r library; do
  install -D -m 755 "$library" "$root$library"
done < <(grep -oP '(^\s*|=> )\K/\S+' <<<"$libraries")
