# SPDX-License-Identifier: MIT
# What a cluster leaves behind.
# shellcheck disable=SC2016

load lib.sh

setup() {
  kube_need
  T=$BATS_TEST_TMPDIR
}

teardown() {
  node_down
}

# processes PATTERN: those of its cgroups, in any hierarchy.
processes() {
  find /sys/fs/cgroup -path "*/whocalls-kube-$cluster/$1" -name cgroup.procs -exec cat {} + | sort -u
}

# Not gone, and not only waiting for its parent, which may be anybody by now.
lives() {
  [[ -e /proc/$1 ]] && ! grep -q '^State:.*Z' "/proc/$1/status"
}

@test "a cluster whose test is killed leaves no process and no cgroup" {
  background "$T/killed.log" "$T/killed.log" bash -euc '
    . "$1/lib.sh"
    kube_up node
    deploy_server buffer session-service-v1 2
    deploy_wait buffer session-service-v1 2
    echo "$KUBE_CLUSTER" >"$2"
    exec sleep infinity' test "$TESTS_KUBE" "$T/up"
  killed=$!
  wait_for "[[ -s $T/up ]] || ! kill -0 $killed" 240
  cluster=$(<"$T/up")
  mapfile -t left < <(processes '*')
  [[ -n $(processes '*/pod*/*') ]]

  kill -KILL "$killed"
  wait_for "! lives $cluster" 60
  same cgroups "$(find /sys/fs/cgroup -name "whocalls-kube-$cluster")" ''
  for pid in "${left[@]}"; do
    wait_for "! lives $pid"
  done
}
