# SPDX-License-Identifier: MIT
# Names from --pods FILE, and targets named by it.
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

@test "callers are named by workload and namespace" {
  pod_add d 100.96.0.4
  pods_file >"$T/pods.json" <<'LIST'
buffer session-service-5d4f8c7b9-aaaaa 100.96.0.2 session-service
dev login-5d4f8c7b9-aaaaa 100.96.0.3 login
dev login-5d4f8c7b9-bbbbb 100.96.0.4 login
LIST
  server_start s
  trace_start --port "$PORT" --pods "$T/pods.json"
  client_run one c --to 100.96.0.2 --connections 30
  client_run two d --to 100.96.0.2 --connections 20
  trace_stop
  same callers "$(caller_number true)" 1
  caller_is login opened=50 accepted=50 class=workload kind=Deployment namespace=dev \
    pods=login-5d4f8c7b9-aaaaa,login-5d4f8c7b9-bbbbb addresses=100.96.0.3,100.96.0.4
}

@test "workloads of the same name in two namespaces are two callers" {
  pod_add d 100.96.0.4
  pods_file >"$T/pods.json" <<'LIST'
dev login-5d4f8c7b9-aaaaa 100.96.0.3 login
test login-5d4f8c7b9-bbbbb 100.96.0.4 login
LIST
  server_start s
  trace_start --port "$PORT" --pods "$T/pods.json"
  client_run one c --to 100.96.0.2 --connections 30
  client_run two d --to 100.96.0.2 --connections 20
  trace_stop
  same callers "$(caller_number true)" 2
  same dev "$(caller_sum '.namespace == "dev" and .name == "login"' connections.opened)" 30
  same test "$(caller_sum '.namespace == "test" and .name == "login"' connections.opened)" 20
}

@test "a completed pod with the same address is not the caller" {
  pods_file >"$T/pods.json" <<'LIST'
dev migrate-aaaaa 100.96.0.3 migrate Succeeded
dev login-5d4f8c7b9-aaaaa 100.96.0.3 login
dev import-aaaaa 100.96.0.3 import Failed
LIST
  server_start s
  trace_start --port "$PORT" --pods "$T/pods.json"
  client_run one c --to 100.96.0.2 --connections 30
  trace_stop
  same callers "$(caller_number true)" 1
  caller_is login opened=30 class=workload
}

@test "a caller that no pod of the list has is not named as one" {
  pods_file >"$T/pods.json" <<'LIST'
dev login-5d4f8c7b9-aaaaa 100.96.0.99 login
LIST
  server_start s
  trace_start --port "$PORT" --pods "$T/pods.json"
  client_run one c --to 100.96.0.2 --connections 30
  trace_stop
  caller_is one opened=30 class=process
}

@test "an address that changes hands: the first is not named as the second" {
  local start
  pod_add first 100.96.0.9
  server_start s
  # startTime has whole seconds. LEAD=N in the environment is for slow machines.
  start=$(($(date +%s) + ${LEAD:-6}))
  pods_file >"$T/pods.json" <<LIST
dev login-5d4f8c7b9-aaaaa 100.96.0.9 login Running $(date -u -d "@$start" +%Y-%m-%dT%H:%M:%SZ)
LIST
  trace_start --port "$PORT" --pods "$T/pods.json"
  client_run same first --to 100.96.0.2 --connections 30
  (($(date +%s) < start)) # else the machine is too slow for this test to say anything
  pod_del first
  wait_for "((\$(date +%s) > $start))"
  pod_add second 100.96.0.9
  client_run same second --to 100.96.0.2 --connections 50
  trace_stop
  same opened "$(total opened)" 80
  caller_is login opened=50 accepted=50 class=workload
  same "opened by others" "$(caller_sum '.name != "login"' connections.opened)" 30
}

@test "deploy/NAME in one namespace, its twin in the other on the same port" {
  pod_add twin 100.96.0.5
  pods_file >"$T/pods.json" <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
core session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
dev login-5d4f8c7b9-aaaaa 100.96.0.3 login
LIST
  server_start s
  server_start twin
  trace_start -n buffer deploy/session-service-v1 --pods "$T/pods.json"
  client_run old c --to 100.96.0.2 --connections 25
  client_run new c --to 100.96.0.5 --connections 75
  trace_stop
  same opened "$(total opened)" 25
  caller_is login opened=25 namespace=dev
  same endpoints "$(jq -r '[.target.endpoints[].address] | join(",")' "$T/out.json")" 100.96.0.2
}

@test "pod/NAME" {
  pods_file >"$T/pods.json" <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
LIST
  server_start s
  trace_start -n buffer pod/session-service-v1-5d4f8c7b9-aaaaa --port "$PORT" --pods "$T/pods.json"
  client_run one c --to 100.96.0.2 --connections 25
  trace_stop
  same opened "$(total opened)" 25
}

@test "loopback inside a pod of the list stays loopback" {
  pods_file >"$T/pods.json" <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
LIST
  server_start s
  trace_start --port "$PORT" --pods "$T/pods.json"
  client_run self s --to 127.0.0.1 --connections 5
  client_run own s --to 100.96.0.2 --connections 6
  trace_stop
  same loopback "$(caller_sum '.class == "loopback"' connections.opened)" 11
}

@test "--pods - reads standard input" {
  pods_file >"$T/pods.json" <<'LIST'
dev login-5d4f8c7b9-aaaaa 100.96.0.3 login
LIST
  in_pod node "$WHOCALLS" trace --port "$PORT" --for 1s --pods - -o json \
    <"$T/pods.json" >"$T/out.json" 2>"$T/err"
  document_check "$T/out.json"
}

@test "loopback of a pod that is the target by name counts, a neighbour's does not" {
  pod_add twin 100.96.0.5
  pods_file >"$T/pods.json" <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
LIST
  server_start s
  server_start twin
  trace_start -n buffer deploy/session-service-v1 --port "$PORT" --pods "$T/pods.json"
  client_run self s --to 127.0.0.1 --connections 7
  client_run own s --to 100.96.0.2 --connections 2
  client_run other twin --to 127.0.0.1 --connections 5
  trace_stop
  same opened "$(total opened)" 9
  same loopback "$(caller_sum '.class == "loopback"' connections.opened)" 9
}

@test "jsonl: each connection's opening and end, the sums of the summary" {
  server_start s
  background_in node "$T/events" "$T/err" "$WHOCALLS" trace --port "$PORT" -o jsonl
  traced=$!
  wait_for "grep -q '^tracing ' $T/err" 30
  client_run one c --to 100.96.0.2 --connections 60 --mode close --send 10
  kill -INT "$traced"
  wait "$traced"
  same opened "$(jq -s 'map(select(.event == "opened")) | length' "$T/events")" 60
  same closed "$(jq -s 'map(select(.event == "closed")) | length' "$T/events")" 60
  same received "$(jq -s 'map(select(.event == "closed") | .bytes_received) | add' "$T/events")" 600
  same callers "$(jq -s 'map(select(.event == "caller")) | length' "$T/events")" 1
  same summary "$(jq -s '.[-1] | select(.event == "summary") | .totals.opened' "$T/events")" 60
  same lost "$(jq -s '.[-1].coverage.lost.events' "$T/events")" 0
}

@test "a reader that stops reading can be interrupted" {
  server_start s
  mkfifo "$T/fifo"
  background /dev/null "$T/reader.log" sh -c 'exec 9<"$1"; : >"$2"; exec sleep infinity' reader "$T/fifo" "$T/reading"
  background_in node "$T/fifo" "$T/err" "$WHOCALLS" trace --port "$PORT" -o jsonl
  traced=$!
  wait_for "[[ -e $T/reading ]] && grep -q '^tracing ' $T/err" 30
  client_run many c --to 100.96.0.2 --connections 2000
  wait_for "grep -q pipe_w /proc/$traced/wchan || grep -q pipe_w /proc/$traced/stack"
  # the first ends the events, the second the summary
  wait_for "kill -INT $traced 2>/dev/null; ! kill -0 $traced"
}

@test "another namespace of the node has the pod's address, too" {
  pods_file >"$T/pods.json" <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
LIST
  in_pod node ip netns add shadow
  in_pod node ip -n shadow addr add 100.96.0.2/32 dev lo
  in_pod node ip -n shadow link set lo up
  server_start s
  trace_start -n buffer deploy/session-service-v1 --port "$PORT" --pods "$T/pods.json"
  client_run self s --to 127.0.0.1 --connections 4
  client_run own c --to 100.96.0.2 --connections 6
  trace_stop
  same opened "$(total opened)" 10
}
