# SPDX-License-Identifier: MIT
# The rows of the fault matrix that need an API: `whocalls verify` against a real API server, and network namespaces that
# play the pods of its objects.
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later

load lib.sh
load ../verdict/lib.sh

setup_file() {
  kube_possible || return 0
  kube_up controllers
  fake_node node-a 192.0.2.10
  fake_node node-b 192.0.2.11
}

teardown_file() {
  kube_down
}

setup() {
  kube_need
  node_up
  node_join 192.0.2.10
  pod_add s 100.96.0.2
  pod_add login 100.96.0.3
  NAMED=(--kubeconfig "$KUBECONFIG" --node node-a)
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
}

teardown() {
  kube_explain
  node_down
  kube_clean
  kubectl -n buffer delete services --all >/dev/null 2>&1 || true
}

target() {
  service buffer session-service session-service-v1 1
  TARGET=(-n buffer svc/session-service "${NAMED[@]}")
}

# told came|gone ADDRESS: until that endpoint has come or gone. (Where the API was away the controllers may take others
# from their slices for a moment, too.)
told() {
  wait_for "grep -q '^endpoint $1: $2 ' $T/err" 30
}

@test "nobody calls the Service: QUIET" {
  target
  server_start s
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 0 QUIET
  same endpoints "$(jq -c '[.coverage.endpoints[] | [.pod, .node]]' "$T/out.json")" \
    '[["session-service-v1-5d4f8c7b9-aaaaa","node-a"]]'
}

@test "a Deployment as target, nobody calls: QUIET" {
  server_start s
  verify_start -n buffer deploy/session-service-v1 "${NAMED[@]}" --for 1s
  verify_wait 0 QUIET
}

@test "called by a workload: TRAFFIC, with its name" {
  target
  server_start s
  client_prepare calls login --to 100.96.0.2 --connections 17
  verify_start "${TARGET[@]}" --for 1h
  client_go calls
  traffic_end connections-opened
  caller_is login-main opened=17 class=workload namespace=dev
}

@test "a sidecar of the pod calls on loopback: TRAFFIC" {
  target
  server_start s
  client_prepare sidecar s --to 127.0.0.1 --connections 9
  verify_start "${TARGET[@]}" --for 1h
  client_go sidecar
  traffic_end connections-opened
  same loopback "$(caller_sum '.class == "loopback"' connections.opened)" 9
}

@test "the kubelet's port is the node's to say: its owner is a probe, that of 10250 is none" {
  node_port 10999
  target
  server_start s
  KUBELET_PORT=10999 host_kubelet kubelet node --to 100.96.0.2 --connections 5
  host_kubelet other node --to 100.96.0.2 --connections 3
  verify_start "${TARGET[@]}" --for 1s
  client_go kubelet
  server_wait s accepted 5
  verify_wait 0 QUIET
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 5
  verify_start "${TARGET[@]}" --for 1h
  client_go other
  traffic_end connections-opened
  node_port 10250
}

node_port() {
  jq -n --argjson port "$1" '{status: {daemonEndpoints: {kubeletEndpoint: {Port: $port}}}}' |
    api PATCH /api/v1/nodes/node-a/status -H 'Content-Type: application/merge-patch+json' --data @- >/dev/null
}

@test "--ignore by namespace, from the API: QUIET; another namespace: TRAFFIC" {
  pod_add account 100.96.0.8
  fake_pods <<'LIST'
core account-v2-5d4f8c7b9-aaaaa 100.96.0.8 account-v2
LIST
  target
  server_start s
  client_prepare ignored login --to 100.96.0.2 --connections 17
  client_prepare calls account --to 100.96.0.2 --connections 3
  verify_start "${TARGET[@]}" --ignore dev --for 1s
  client_go ignored
  server_wait s accepted 17
  verify_wait 0 QUIET
  same ignored "$(caller_sum .ignored connections.opened)" 17
  verify_start "${TARGET[@]}" --ignore dev --for 1h
  client_go calls
  traffic_end connections-opened
  caller_is account-v2 opened=3
}

# Endpoints -------------------------------------------------------------------------------------------

@test "a new endpoint in mid-window, nobody calls: UNPROVEN" {
  pod_add late 100.96.0.5
  target
  server_start s
  server_start late
  verify_start "${TARGET[@]}" --for 8s
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
LIST
  told came 100.96.0.5
  verify_wait 2 UNPROVEN endpoint-late
  jq -e 'any(.verdict.reasons[]; .text | test("session-service-v1-5d4f8c7b9-bbbbb"))' "$T/out.json"
}

@test "a new endpoint in mid-window, which is called: TRAFFIC" {
  pod_add late 100.96.0.5
  target
  server_start s
  server_start late
  client_prepare calls login --to 100.96.0.5 --connections 6
  verify_start "${TARGET[@]}" --for 1h
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
LIST
  told came 100.96.0.5
  client_go calls
  traffic_end connections-opened
  caller_is login-main opened=6
}

@test "an endpoint that goes in mid-window, nobody calls: no TRAFFIC, and the evidence has both" {
  pod_add second 100.96.0.5
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
LIST
  service buffer session-service session-service-v1 2
  server_start s
  server_start second
  verify_start -n buffer svc/session-service "${NAMED[@]}" --for 5s
  kubectl -n buffer delete pod session-service-v1-5d4f8c7b9-bbbbb --force --grace-period=0
  told gone 100.96.0.5
  no_traffic
  same endpoints "$(jq '.coverage.endpoints | length' "$T/out.json")" 2
}

@test "an endpoint on another node, nobody calls: UNPROVEN, by the names of both" {
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.1.5 session-service-v1 Running 2024-01-01T00:00:00Z node-b
LIST
  service buffer session-service session-service-v1 2
  server_start s
  verify_start -n buffer svc/session-service "${NAMED[@]}" --for 1s
  verify_wait 2 UNPROVEN endpoint-on-other-node
  jq -e 'any(.verdict.reasons[]; .text | test("node-b") and test("session-service-v1-5d4f8c7b9-bbbbb"))' "$T/out.json"
}

@test "an endpoint on another node, the one here is called: TRAFFIC" {
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.1.5 session-service-v1 Running 2024-01-01T00:00:00Z node-b
LIST
  service buffer session-service session-service-v1 2
  server_start s
  client_prepare calls login --to 100.96.0.2 --connections 4
  verify_start -n buffer svc/session-service "${NAMED[@]}" --for 1h
  client_go calls
  traffic_end connections-opened
  caller_is login-main opened=4
}

# The container of a pod is another, the pod is the same: its UID, its address, its network namespace.
@test "the endpoint's pod is restarted, nobody calls: QUIET" {
  target
  server_start s
  verify_start "${TARGET[@]}" --for 6s
  server_stop s
  containers_restarted 1
  server_start s
  verify_wait 0 QUIET
}

@test "the endpoint's pod is restarted, then called: TRAFFIC" {
  target
  server_start s
  client_prepare calls login --to 100.96.0.2 --connections 4
  verify_start "${TARGET[@]}" --for 1h
  server_stop s
  containers_restarted 1
  server_start s
  client_go calls
  traffic_end connections-opened
  caller_is login-main opened=4
}

containers_restarted() { # TIMES
  jq -n --argjson times "$1" '{status: {containerStatuses: [{name: "main", image: "x", imageID: "x", ready: true,
    restartCount: $times, containerID: "containerd://\($times)", state: {running: {startedAt: "2024-01-01T00:00:00Z"}}}]}}' |
    api PATCH /api/v1/namespaces/buffer/pods/session-service-v1-5d4f8c7b9-aaaaa/status \
      -H 'Content-Type: application/merge-patch+json' --data @- >/dev/null
}

@test "the endpoint's pod is replaced by one with the same address, nobody calls: UNPROVEN" {
  target
  server_start s
  verify_start "${TARGET[@]}" --for 10s
  kubectl -n buffer delete pod session-service-v1-5d4f8c7b9-aaaaa --force --grace-period=0
  told gone 100.96.0.2
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.2 session-service-v1
LIST
  told came 100.96.0.2
  verify_wait 2 UNPROVEN endpoint-late
}

@test "the endpoint's pod is replaced by one with the same address, which is called: TRAFFIC" {
  target
  server_start s
  client_prepare calls login --to 100.96.0.2 --connections 4
  verify_start "${TARGET[@]}" --for 1h
  kubectl -n buffer delete pod session-service-v1-5d4f8c7b9-aaaaa --force --grace-period=0
  told gone 100.96.0.2
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.2 session-service-v1
LIST
  told came 100.96.0.2
  client_go calls
  traffic_end connections-opened
  caller_is login-main opened=4
}

# The API ---------------------------------------------------------------------------------------------

@test "the API server is gone the whole window, nobody calls: UNPROVEN" {
  target
  server_start s
  verify_start "${TARGET[@]}" --for 2s
  api_down
  verify_ended
  api_up
  same status "$VERIFY_STATUS" 2
  verdict_check "$T/out.json"
  jq -e '[.verdict.reasons[].code] | any(IN("api-blind", "api-unconfirmed"))' "$T/out.json"
}

@test "the API server is gone the whole window, with calls: TRAFFIC" {
  target
  server_start s
  client_prepare calls login --to 100.96.0.2 --connections 4
  verify_start "${TARGET[@]}" --for 1h
  api_down
  client_go calls
  kill -INT "${TRACERS[$T]}"
  verify_ended
  api_up
  same status "$VERIFY_STATUS" 1
  verdict_check "$T/out.json"
  caller_is login-main opened=4
}

# If the watch goes on where it stood, all that happened meanwhile was told, and QUIET is right.
@test "the API server is gone half of the window, nobody calls: QUIET only with proof" {
  target
  server_start s
  verify_start "${TARGET[@]}" --for 20s
  api_down
  api_up
  no_traffic
}

@test "the API server is gone half of the window, with an endpoint that came after it was called: UNPROVEN" {
  pod_add late 100.96.0.5
  target
  server_start s
  server_start late
  client_prepare calls login --to 100.96.0.5 --connections 4
  verify_start "${TARGET[@]}" --for 25s
  api_hang
  client_go calls
  api_resume
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
LIST
  told came 100.96.0.5
  verify_wait 2 UNPROVEN endpoint-late
}

@test "the API hangs to the end of the window, nobody calls: UNPROVEN" {
  target
  server_start s
  verify_start "${TARGET[@]}" --for 2s
  api_hang
  verify_ended
  api_resume
  same status "$VERIFY_STATUS" 2
  verdict_check "$T/out.json"
}

@test "the API is gone from the beginning: a status that is no verdict" {
  target
  kubeconfig "$T/nowhere" cert
  sed -i 's/:6443/:6444/' "$T/nowhere"
  local status=0
  in_pod node "$WHOCALLS" verify -n buffer svc/session-service --kubeconfig "$T/nowhere" --node node-a --for 1s \
    >"$T/refused.out" 2>"$T/refused.err" || status=$?
  ((status >= 64 && status <= 78))
  [[ ! -s $T/refused.out ]]
}

# Services --------------------------------------------------------------------------------------------

@test "two Services over the same pods, called by the pod's address: TRAFFIC for both" {
  target
  service buffer twin session-service-v1 1 '[{"port": 8080, "targetPort": 3000}]'
  server_start s
  client_prepare calls login --to 100.96.0.2 --connections 4
  verify_start -n buffer svc/twin "${NAMED[@]}" --for 1h
  client_go calls
  traffic_end connections-opened
  caller_is login-main opened=4
}

@test "two Services over the same pods, nobody calls: QUIET for each" {
  target
  service buffer twin session-service-v1 1 '[{"port": 8080, "targetPort": 3000}]'
  server_start s
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 0 QUIET
  verify_start -n buffer svc/twin "${NAMED[@]}" --for 1s
  verify_wait 0 QUIET
}

@test "the twin in another namespace is called: QUIET" {
  pod_add twin 100.96.0.5
  fake_pods <<'LIST'
core session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
LIST
  target
  server_start s
  server_start twin
  client_prepare wrong login --to 100.96.0.5 --connections 50
  verify_start "${TARGET[@]}" --for 1s
  client_go wrong
  verify_wait 0 QUIET
}

@test "a UDP port in the Service: UNPROVEN" {
  service buffer session-service session-service-v1 1 '[{"name": "http", "port": 80, "targetPort": 3000},
    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]'
  server_start s
  verify_start -n buffer svc/session-service "${NAMED[@]}" --for 1s
  verify_wait 2 UNPROVEN port-not-tcp
  jq -e 'any(.verdict.reasons[]; .text | test("53"))' "$T/out.json"
}

@test "a Service without endpoints: UNPROVEN" {
  service buffer empty nothing 0
  verify_start -n buffer svc/empty "${NAMED[@]}" --for 1s
  verify_wait 2 UNPROVEN no-endpoints
}

@test "a Service whose last endpoint goes in mid-window: no TRAFFIC" {
  target
  server_start s
  verify_start "${TARGET[@]}" --for 4s
  kubectl -n buffer delete pod session-service-v1-5d4f8c7b9-aaaaa --force --grace-period=0
  told gone 100.96.0.2
  no_traffic
}

@test "what doesn't exist is refused, with a status that is no verdict" {
  kube_namespace buffer
  verify_refused 64 'there is no service nobody in namespace buffer' -n buffer svc/nobody "${NAMED[@]}" --for 1s
  verify_refused 64 'deploy/nobody' -n buffer deploy/nobody "${NAMED[@]}" --for 1s
}
