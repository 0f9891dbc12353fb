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
  # startTime has whole seconds; the second pod starts in the next but one.
  start=$(($(date +%s) + 2))
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
