#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cluster.sh FOLDER [controllers|node]: a cluster of one machine, in namespaces and cgroups of its own, until SIGTERM.
# FOLDER gets `pid`, the process that holds the namespaces, and what control-plane.sh writes. kube_up starts it.
#
# It ends only what it started: all of that is in its cgroups, which a pod cannot leave, whatever becomes an orphan.
# It gets SIGTERM when who started it ends, even by SIGKILL. What one that was itself killed has left, the next one
# removes.
set -euo pipefail
here=$(cd "${0%/*}" && pwd)
folder=$1
mapfile -t hierarchies < <(awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts)
unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
name=whocalls-kube-$$

remove() { # NAME: these cgroups, and what runs in them
  local tries=1500 pids cgroups=("${hierarchies[@]/%//$1}")
  # what is killed may take a moment to end
  while mapfile -t cgroups < <(find "${cgroups[@]}" -maxdepth 0 -type d 2>/dev/null) && [[ ${#cgroups[@]} -gt 0 ]]; do
    ((tries--)) || { echo "cluster.sh: cannot remove ${cgroups[*]}" >&2 && return 1; }
    mapfile -t pids < <(find "${cgroups[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null)
    [[ ${#pids[@]} -eq 0 ]] || kill -KILL "${pids[@]}" 2>/dev/null || true
    find "${cgroups[@]}" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.02
  done
}

for left in "$unified"/whocalls-kube-*; do
  [[ ! -d $left || -e /proc/${left##*-} ]] || remove "${left##*/}"
done

trap 'trap "" TERM INT HUP; remove "$name"' EXIT
trap 'exit 143' TERM INT HUP
for hierarchy in "${hierarchies[@]}"; do
  mkdir "$hierarchy/$name"
done
mkdir "$unified/$name/node"

# shellcheck disable=SC2016 # for the inner shell
setpriv --pdeathsig KILL bash -euc 'echo $$ >"$1" && shift && exec "$@"' cluster "$unified/$name/node/cgroup.procs" \
  unshare --mount --net --uts --propagation private "$here/control-plane.sh" "$folder" "/$name" "${2:-}" &
echo $! >"$folder/pid"
wait $!
