# SPDX-License-Identifier: MIT
# Bursts, full tables, several instances: counts stay exact, and what is not known is said.
# BURST=N in the environment makes the burst smaller for slow machines.
# shellcheck disable=SC2016

load lib.sh

setup() {
  node_up
  pod_add s 100.96.0.2
  pod_add c 100.96.0.3
}

teardown() {
  node_down
}

# source_pods COUNT: each address of 100.96.16.0/24 a pod of its own, named after it.
source_pods() {
  local i
  for ((i = 0; i < $1; i++)); do
    echo "dev pod-$i 100.96.16.$i"
  done | pods_file >"$T/pods.json"
}

@test "200,000 connections from 256 addresses while the tracer is stopped" {
  pod_address c 100.96.16.0/24
  source_pods 256
  server_start s
  trace_start --port "$PORT" --pods "$T/pods.json" --ring-size 4096
  kill -STOP "${TRACERS[$T]}"
  client_run burst c --to 100.96.0.2 --from-base 100.96.16.0 --from-count 256 \
    --connections "${BURST:-200000}" --timeout 60000
  kill -CONT "${TRACERS[$T]}"
  trace_stop
  same opened "$(total opened)" "${BURST:-200000}"
  same accepted "$(total accepted)" "${BURST:-200000}"
  same unattributed "$(total unattributed)" 0
  same callers "$(caller_number true)" 256
  diff <(jq -S .by_source "$T/client.burst.json") \
    <(jq -S '[.callers[] | {key: (.addresses | join(",")), value: .connections.opened}] | from_entries' \
      "$T/out.json")
}

@test "more callers than --max-callers: attributed and unattributed add up" {
  pod_address c 100.96.16.0/24
  server_start s
  trace_start --port "$PORT" --max-callers 8
  # The option bounds the connections that are followed at once, too: so never more than two.
  client_run many c --to 100.96.0.2 --from-base 100.96.16.1 --from-count 20 --connections 200 \
    --concurrency 2
  trace_stop
  same opened "$(total opened)" 200
  same accepted "$(total accepted)" 200
  same "attributed + unattributed" "$(($(total attributed) + $(total unattributed)))" 200
  (($(total unattributed) > 0))
  (($(total attributed) > 0))
  (($(jq '[.callers[].addresses[]] | length' "$T/out.json") <= 8))
  same lost "$(jq '[.coverage.lost[]] | add' "$T/out.json")" 0
}

@test "more connections at once than --max-connections: counted all the same, and the loss is said" {
  server_start s
  trace_start --port "$PORT" --max-connections 8
  client_start many c --to 100.96.0.2 --mode hold --connections 50 --hold-until "$T/end"
  client_ready many
  server_wait s accepted 50
  trace_stop
  same opened "$(total opened)" 50
  caller_is many opened=50
  (($(jq .coverage.lost.untracked "$T/out.json") > 0))
}

# Where tracing programs can be preempted this makes the tracepoint miss some changes of state.
@test "four servers and four clients on one CPU: totals and callers are exact, what was missed is said" {
  local i
  taskset -pc 0 $$ >/dev/null
  for i in 1 2 3 4; do
    pod_add "s$i" "100.96.1.$i"
    server_start "s$i"
  done
  trace_start --port "$PORT"
  for i in 1 2 3 4; do
    client_start "many$i" c --to "100.96.1.$i" --connections 1000 --mode close --send 10
  done
  for i in 1 2 3 4; do
    client_wait "many$i"
    server_wait "s$i" closed 1000 60
  done
  trace_stop
  for i in 1 2 3 4; do
    caller_is "many$i" opened=1000 accepted=1000 closed=1000 open=0 bytes_received=10000
  done
  same opened "$(total opened)" 4000
  same "ends not seen" "$(jq .coverage.lost.ends "$T/out.json")" 0
  # Each witness saw what it did not miss.
  same "seen and missed" "$(jq -c '[.coverage.hooks[] | select(.program == "tcp_accept" and .hook) | .seen + .missed] | unique' \
    "$T/out.json")" "[4000]"
}

@test "two instances at the same time agree" {
  server_start s
  trace_start_as first --port "$PORT"
  trace_start_as second --port "$PORT" --address 100.96.0.2
  client_run one c --to 100.96.0.2 --connections 300 --mode close --send 10
  trace_stop first
  client_run two c --to 100.96.0.2 --connections 40
  trace_stop second
  same "first, opened" "$(total opened "$T/first/out.json")" 300
  same "first, accepted" "$(total accepted "$T/first/out.json")" 300
  same "second, opened" "$(total opened "$T/second/out.json")" 340
  same "second, accepted" "$(total accepted "$T/second/out.json")" 340
  same "first, one" "$(caller_count one opened "$T/first/out.json")" 300
  same "second, one" "$(caller_count one opened "$T/second/out.json")" 300
  same "first, bytes" "$(caller_count one bytes_received "$T/first/out.json")" 3000
  same "second, bytes" "$(caller_count one bytes_received "$T/second/out.json")" 3000
}

@test "a second trace right after the first starts from nothing" {
  server_start s
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --connections 30
  trace_stop
  trace_start --port "$PORT"
  client_run two c --to 100.96.0.2 --connections 20
  trace_stop
  same opened "$(total opened)" 20
  same callers "$(caller_number true)" 1
}

@test "2,000 connections open at once" {
  server_start s
  trace_start --port "$PORT"
  client_start many c --to 100.96.0.2 --mode hold --connections 2000 --send-first 10 \
    --hold-until "$T/end"
  client_ready many
  server_wait s bytes_received 20000
  trace_stop
  caller_is many opened=2000 accepted=2000 open=2000 idle=0 bytes_received=20000
}

@test "200 network namespaces, a connection open in the last" {
  local i
  in_pod node sh -euc 'for i in $(seq 200); do ip netns add "n$i"; done'
  server_start s
  client_start old c --to 100.96.0.2 --mode hold --hold-until "$T/end"
  client_ready old
  server_wait s accepted 1
  trace_start --port "$PORT"
  trace_stop
  same old "$(caller_sum true connections.old)" 1
  same "namespaces not seen" "$(jq '.coverage.lost.namespaces // 0' "$T/out.json")" 0
}

# capabilities NAME…: $T/least is whocalls with these alone. Linux 5.10 counts maps against a limit that only SYS_RESOURCE
# may raise, and shows only to SYSLOG by which address the sockets among files are known.
capabilities() {
  local set
  set=$(printf ',+%s' "$@")
  [[ $(uname -r) != 5.10.* ]] || set+=,+sys_resource,+syslog
  printf '#!/bin/sh\nexec setpriv --bounding-set "-all%s" --inh-caps -all "%s" "$@"\n' "$set" "$WHOCALLS" >"$T/least"
  chmod 755 "$T/least"
}

@test "with the capabilities that doctor lists and no others all is seen; without any of them it does not start" {
  local all one rest status
  mapfile -t all < <("$WHOCALLS" doctor | grep -oP '^ok +CAP_\K[A-Z_]+' | tr '[:upper:]' '[:lower:]')
  capabilities "${all[@]}"
  server_start s
  client_start old c --to 100.96.0.2 --mode hold --hold-until "$T/end"
  client_ready old
  server_wait s accepted 1
  # a process of another user, whose namespace root alone is not shown
  background_in c "$T/other" "$T/other" setpriv --reuid 65534 --regid 65534 --clear-groups sleep infinity
  wait_for "[[ \$(awk '/^Uid:/ { print \$2 }' /proc/$!/status) == 65534 ]]"
  trace_start_as root --port "$PORT"
  WHOCALLS=$T/least trace_start_as lesser --port "$PORT"
  client_run new c --to 100.96.0.2 --connections 20
  for one in root lesser; do
    trace_stop "$one"
    jq -S '[(.callers | sort_by(.process)[] | {class, process, pid, cgroup_path, old: .connections.old, opened: .connections.opened}),
      .totals.old, .totals.opened, .coverage.lost, [.coverage.hooks[] | .program, .hook]]' "$T/$one/out.json" >"$T/$one.saw"
  done
  diff "$T/root.saw" "$T/lesser.saw"
  same opened "$(total opened "$T/lesser/out.json")" 20
  same "open before" "$(total old "$T/lesser/out.json")" 1

  for one in "${all[@]}"; do
    mapfile -t rest < <(printf '%s\n' "${all[@]}" | grep -vx "$one")
    capabilities "${rest[@]}"
    status=0
    in_pod node "$T/least" trace --port "$PORT" --for 1ms 2>"$T/err" || status=$?
    same "status without $one" "$status" 77
    grep -q "missing here: CAP_${one^^};" "$T/err"
    in_pod node "$T/least" doctor >"$T/doctor.$one" || true
  done
  # what each is for
  grep -h ' network namespaces \| cgroups by id ' "$T"/doctor.*
  grep -q '^FAIL  tp_btf/inet_sock_set_state .*EPERM' "$T/doctor.sys_admin"
  grep -q '^lack  network namespaces  .* refused' "$T/doctor.sys_ptrace"
  grep -q '^lack  cgroups by id  .*EPERM' "$T/doctor.dac_read_search"
  same tried "${#all[@]}" 3
}
