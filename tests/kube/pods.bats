# SPDX-License-Identifier: MIT
# Names from `kubectl get pods -A -o json`: an API server's objects, and network namespaces that play them.
# shellcheck disable=SC2016

load lib.sh

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
}

teardown() {
  kube_explain
  node_down
  kube_clean
}

@test "callers on two nodes are named, the twin in the other namespace is not the target" {
  pod_add s 100.96.0.2
  pod_add twin 100.96.0.5
  pod_add login 100.96.0.3
  pod_add account 100.96.1.4
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
core session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
dev migrate-5d4f8c7b9-aaaaa 100.96.0.3 migrate Succeeded
core account-v2-5d4f8c7b9-aaaaa 100.96.1.4 account-v2 Running 2024-01-01T00:00:00Z node-b
LIST
  kubectl get pods -A -o json >"$T/pods.json"
  server_start s
  server_start twin
  trace_start -n buffer deploy/session-service-v1 --pods "$T/pods.json"
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

@test "the fake node reaches the API server, and nothing but a token opens it" {
  service_account default reader get,list,watch pods
  service_account_token default reader >"$T/token"
  node_join 192.0.2.10
  fake_pods <<'LIST'
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  in_pod node curl -sS --cacert "$KUBE_DIR/pki/ca.crt" -H "Authorization: Bearer $(<"$T/token")" \
    "https://$KUBE_SERVER:6443/api/v1/pods?fieldSelector=spec.nodeName=node-a" >"$T/pods.json"
  same pods "$(jq -r '.items[].metadata.name' "$T/pods.json")" login-main-5d4f8c7b9-aaaaa
  same anonymous "$(in_pod node curl -sS --cacert "$KUBE_DIR/pki/ca.crt" "https://$KUBE_SERVER:6443/api/v1/pods" |
    jq .code)" 403
}

@test "the controllers make the endpoints of a Service out of fake pods" {
  kube_namespace buffer
  kubectl -n buffer create service clusterip session-service-v1 --tcp=80:3000
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.0.3 session-service-v1 Succeeded
buffer session-service-v1-5d4f8c7b9-ccccc 100.96.0.4 session-service-v1 Running 2024-01-01T00:00:00Z node-b
LIST
  wait_for '[[ $(endpoints) == "100.96.0.2 node-a 100.96.0.4 node-b" ]]'
  fake_status buffer session-service-v1-5d4f8c7b9-ccccc 100.96.0.4 Failed
  wait_for '[[ $(endpoints) == "100.96.0.2 node-a" ]]'
}

endpoints() {
  kubectl -n buffer get endpoints session-service-v1 -o json |
    jq -r '[.subsets[]?.addresses[]? | .ip, .nodeName] | join(" ")'
}
