# SPDX-License-Identifier: MIT
# Targets and names from the API itself: a real API server, and network namespaces that play the pods of its objects.
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later

load lib.sh

setup_file() {
  kube_up controllers
  fake_node node-a 192.0.2.10
  fake_node node-b 192.0.2.11
}

teardown_file() {
  kube_down
}

setup() {
  node_up
  node_join 192.0.2.10
  pod_add s 100.96.0.2
  pod_add login 100.96.0.3
  NAMED=(--kubeconfig "$KUBECONFIG" --node node-a)
}

teardown() {
  kube_explain
  node_down
  kube_clean
  kubectl -n buffer delete services --all >/dev/null 2>&1 || true
}

# trace_told came|gone NUMBER: until the tracer has told of so many.
trace_told() {
  wait_for "[[ \$(grep -c '^endpoint $1: ' $T/err) == $2 ]]"
}

@test "svc/: the pods behind it, callers by workload, the twin in the other namespace is not the target" {
  pod_add twin 100.96.0.5
  pod_add account 100.96.1.4
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
core session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
core account-v2-5d4f8c7b9-aaaaa 100.96.1.4 account-v2 Running 2024-01-01T00:00:00Z node-b
LIST
  service buffer session-service session-service-v1 1
  server_start s
  server_start twin
  trace_start -n buffer svc/session-service "${NAMED[@]}"
  client_run login login --to 100.96.0.2 --connections 30
  client_run account account --to 100.96.0.2 --connections 20
  client_run other account --to 100.96.0.5 --connections 50
  trace_stop
  server_stop s
  same opened "$(total opened)" "$(jq .accepted "$T/server.s.json")"
  same callers "$(caller_number true)" 2
  caller_is login-main "opened=$(client_count login connections)" class=workload kind=Deployment namespace=dev
  caller_is account-v2 "opened=$(client_count account connections)" class=workload kind=Deployment namespace=core
}

@test "a pod that is deleted right after its only call keeps its name" {
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  server_start s
  trace_start -n buffer deploy/session-service-v1 "${NAMED[@]}"
  client_run once login --to 100.96.0.2 --connections 1
  kubectl -n dev delete pod login-main-5d4f8c7b9-aaaaa --force --grace-period=0
  trace_stop
  same callers "$(caller_number true)" 1
  caller_is login-main opened=1 class=workload namespace=dev
}

@test "an address that goes to another namespace's pod within the minute" {
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  server_start s
  trace_start -n buffer deploy/session-service-v1 "${NAMED[@]}"
  client_run first login --to 100.96.0.2 --connections 5
  kubectl -n dev delete pod login-main-5d4f8c7b9-aaaaa --force --grace-period=0
  fake_pods <<LIST
core account-v2-5d4f8c7b9-aaaaa 100.96.0.3 account-v2 Running $(date -u +%FT%TZ)
LIST
  client_run second login --to 100.96.0.2 --connections 7
  trace_stop
  same callers "$(caller_number true)" 2
  caller_is login-main opened=5 namespace=dev
  caller_is account-v2 opened=7 namespace=core
}

@test "a completed Job's pod keeps the address in its status, and is not the caller" {
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev migrate-5d4f8c7b9-aaaaa 100.96.0.3 migrate Succeeded 2024-01-02T00:00:00Z
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  server_start s
  trace_start -n buffer deploy/session-service-v1 "${NAMED[@]}"
  client_run calls login --to 100.96.0.2 --connections 8
  trace_stop
  same callers "$(caller_number true)" 1
  caller_is login-main opened=8
}

@test "a pod that is created during the trace has its name, for all of its calls" {
  local made=3
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
LIST
  server_start s
  trace_lines -n buffer deploy/session-service-v1 "${NAMED[@]}"
  client_run before login --to 100.96.0.2 --connections 3
  fake_pods <<'LIST'
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  # each event tells who it is by then
  until grep -q '"opened".*login-main' "$T/events" || ((made > 500)); do
    client_run "after$((made++))" login --to 100.96.0.2 --connections 1
  done
  trace_lines_stop
  server_stop s
  same opened "$(total opened)" "$(jq .accepted "$T/server.s.json")"
  same callers "$(caller_number true)" 1
  caller_is login-main "opened=$made"
}

@test "endpoints that come and go during the trace" {
  pod_add late 100.96.0.5
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  service buffer session-service session-service-v1 1
  server_start s
  server_start late
  client_start held login --to 100.96.0.5 --mode hold --connections 2
  client_ready held
  trace_start -n buffer svc/session-service "${NAMED[@]}"
  client_run unwatched login --to 100.96.0.5 --connections 5
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
LIST
  endpoints_wait buffer session-service session-service-v1 2
  trace_told came 1
  client_run watched login --to 100.96.0.5 --connections 6
  kubectl -n buffer delete pod session-service-v1-5d4f8c7b9-aaaaa --force --grace-period=0
  trace_told gone 1
  client_run gone login --to 100.96.0.2 --connections 9
  trace_stop
  same opened "$(total opened)" 6
  same old "$(total old)" 2
  caller_is login-main opened=6 open=2
  same endpoints "$(jq '.coverage.endpoints | length' "$T/out.json")" 2
  same "the first ended before the window" "$(jq '.coverage.endpoints[0].end < .window.end' "$T/out.json")" true
  same "the second began after it" "$(jq '.coverage.endpoints[1].start > .window.start' "$T/out.json")" true
}

@test "dual stack: a pod is one caller, whichever of its addresses it calls from" {
  pod_add dual 100.96.0.7 fd00:96::7
  pod_add server 100.96.0.6 fd00:96::6
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.6,fd00:96::6 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.7,fd00:96::7 login-main
LIST
  need_ipv6
  server_start server --family 46
  trace_start -n buffer deploy/session-service-v1 "${NAMED[@]}"
  client_run four dual --to 100.96.0.6 --connections 5
  client_run six dual --to fd00:96::6 --connections 6
  trace_stop
  same callers "$(caller_number true)" 1
  caller_is login-main opened=11 addresses=100.96.0.7,fd00:96::7
}

@test "svc/: named ports that differ from pod to pod, and two Services over the same pods" {
  pod_add other 100.96.0.5
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  # the same name for another port; what it is called is the pod's to say
  PORT=$((PORT + 1)) fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
LIST
  service buffer session-service session-service-v1 2 '[{"name": "http", "port": 80, "targetPort": "web"},
    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]'
  service buffer twin session-service-v1 2 '[{"port": 8080, "targetPort": 3000}]'
  server_start s
  PORT=$((PORT + 1)) server_start other
  trace_start_as all -n buffer svc/session-service "${NAMED[@]}"
  trace_start -n buffer svc/twin "${NAMED[@]}"
  client_run one login --to 100.96.0.2 --connections 4
  PORT=$((PORT + 1)) client_run two login --to 100.96.0.5 --connections 8
  trace_stop
  trace_stop all
  same "by name" "$(total opened "$T/all/out.json")" 12
  same "by number" "$(total opened)" 4
  same "endpoints by name" "$(jq -c '[.target.endpoints[] | .port] | sort' "$T/all/out.json")" "[$PORT,$((PORT + 1))]"
  jq -e '.coverage.notes | any(test("53/UDP"))' "$T/all/out.json"
}

@test "svc/: what can't be watched is refused by name" {
  kubectl -n buffer create service externalname outside --external-name example.com
  refused svc/nobody 64 'there is no service nobody in namespace buffer'
  refused svc/outside 64 'svc/outside is of type ExternalName'
  refused deploy/nobody 64 'no running pod of deploy/nobody in namespace buffer'
}

# refused TARGET STATUS SENTENCE
refused() {
  local status=0
  in_pod node "$WHOCALLS" trace -n buffer "$1" --for 1s "${NAMED[@]}" 2>"$T/refused" || status=$?
  same "status of $1" "$status" "$2"
  grep -qF "whocalls trace: $3" "$T/refused" || {
    cat "$T/refused" >&2
    return 1
  }
}

@test "the API server is killed and comes back: nothing is lost, and names go on" {
  local made=0
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  pod_add account 100.96.0.8
  server_start s
  trace_lines -n buffer deploy/session-service-v1 "${NAMED[@]}"
  client_run up login --to 100.96.0.2 --connections 5
  api_down
  client_run down login --to 100.96.0.2 --connections 6
  api_up
  fake_pods <<'LIST'
core account-v2-5d4f8c7b9-aaaaa 100.96.0.8 account-v2
LIST
  until grep -q '"opened".*account-v2' "$T/events" || ((made > 2000)); do
    client_run "again$((made++))" account --to 100.96.0.2 --connections 1
  done
  trace_lines_stop
  server_stop s
  same opened "$(total opened)" "$(jq .accepted "$T/server.s.json")"
  same callers "$(caller_number true)" 2
  caller_is login-main opened=11
  caller_is account-v2 "opened=$made"
}

@test "the API is gone: a port is traced all the same, and the report says so" {
  kubeconfig "$T/nowhere" cert
  sed -i 's/:6443/:6444/' "$T/nowhere"
  server_start s
  trace_start --port "$PORT" --kubeconfig "$T/nowhere"
  client_run calls login --to 100.96.0.2 --connections 5
  trace_stop
  same opened "$(total opened)" 5
  jq -e '.coverage.notes | any(test("the Kubernetes API has not told all: asking the API to list"))' "$T/out.json"
}

@test "the API hangs: the trace goes on" {
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  server_start s
  trace_start -n buffer deploy/session-service-v1 "${NAMED[@]}"
  api_hang
  client_run calls login --to 100.96.0.2 --connections 7
  trace_stop
  api_resume
  caller_is login-main opened=7
}

@test "a token that may not: the answer, and the line to add" {
  service_account default nothing
  kubeconfig "$T/config" token "$(service_account_token default nothing)"
  server_start s
  trace_start --port "$PORT" --kubeconfig "$T/config"
  client_run calls login --to 100.96.0.2 --connections 5
  trace_stop
  same opened "$(total opened)" 5
  jq -e '.coverage.notes | any(test("does not let us list pods of all namespaces"))' "$T/out.json"
  jq -e '.coverage.notes | any(test("resources: \\[\"pods\"\\], verbs: \\[\"list\"\\]"))' "$T/out.json"
}

@test "--watch node: others are looked up by their address" {
  local made=0
  pod_add account 100.96.1.4
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
core account-v2-5d4f8c7b9-aaaaa 100.96.1.4 account-v2 Running 2024-01-01T00:00:00Z node-b
LIST
  server_start s
  trace_lines -n buffer deploy/session-service-v1 --kubeconfig "$KUBECONFIG" --watch node
  client_run calls login --to 100.96.0.2 --connections 7
  until grep -q '"opened".*account-v2' "$T/events" || ((made > 500)); do
    client_run "other$((made++))" account --to 100.96.0.2 --connections 1
  done
  trace_lines_stop
  same callers "$(caller_number true)" 2
  caller_is login-main opened=7
  caller_is account-v2 "opened=$made"
}

@test "a pod that gets another address: what has the old one is not the target any more" {
  pod_add moved 100.96.0.5
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  service buffer session-service session-service-v1 1
  server_start s
  server_start moved
  trace_start -n buffer svc/session-service "${NAMED[@]}"
  trace_start_as pods -n buffer deploy/session-service-v1 "${NAMED[@]}"
  fake_status buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.5
  trace_told came 1
  trace_told gone 1
  wait_for "grep -q '^endpoint gone: ' $T/pods/err"
  client_run old login --to 100.96.0.2 --connections 7
  client_run new login --to 100.96.0.5 --connections 6
  trace_stop
  trace_stop pods
  same "of the Service" "$(total opened)" 6
  same "of the Deployment" "$(total opened "$T/pods/out.json")" 6
  caller_is login-main opened=6
}

@test "-l: a pod whose label goes and comes back is watched again" {
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  server_start s
  trace_start -n buffer -l app=session-service-v1 --port "$PORT" "${NAMED[@]}"
  kubectl -n buffer label pod session-service-v1-5d4f8c7b9-aaaaa --overwrite app=other
  trace_told gone 1
  client_run other login --to 100.96.0.2 --connections 5
  kubectl -n buffer label pod session-service-v1-5d4f8c7b9-aaaaa --overwrite app=session-service-v1
  trace_told came 1
  client_run back login --to 100.96.0.2 --connections 8
  trace_stop
  same opened "$(total opened)" 8
}
