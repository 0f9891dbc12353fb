# SPDX-License-Identifier: MIT
# The API server of these tests: each kind of kubeconfig, what a ServiceAccount may, a restart.
# shellcheck disable=SC2016

load lib.sh

setup_file() {
  kube_possible || return 0
  kube_up
  kube_namespace dev
  service_account dev reader get,list,watch pods,namespaces
  service_account dev nobody
  fake_node node-a 192.0.2.10
}

teardown_file() {
  kube_down
}

setup() {
  kube_need
  T=$BATS_TEST_TMPDIR
}

teardown() {
  kube_explain
}

# lists KUBECONFIG: whether kubectl gets pods by it.
lists() {
  kubectl "--kubeconfig=$1" get pods -A
}

@test "a client certificate in the kubeconfig lists and creates" {
  kubeconfig "$T/config" cert
  grep -q client-certificate-data: "$T/config"
  lists "$T/config"
  kubectl "--kubeconfig=$T/config" create namespace made
  kubectl "--kubeconfig=$T/config" get namespace made
}

@test "a client certificate by file lists and creates" {
  kubeconfig "$T/config" cert-file
  grep -q 'client-certificate: /' "$T/config"
  lists "$T/config"
  kubectl "--kubeconfig=$T/config" create namespace made-by-file
}

@test "a token lists, and may not create" {
  kubeconfig "$T/config" token "$(service_account_token dev reader)"
  lists "$T/config"
  run kubectl "--kubeconfig=$T/config" create namespace refused
  [[ $status -ne 0 && $output == *Forbidden* ]]
}

@test "a token from a file that is rotated" {
  kubeconfig "$T/config" token-file "$T/token"
  echo wrong >"$T/token"
  run lists "$T/config"
  [[ $status -ne 0 && $output == *Unauthorized* ]]
  service_account_token dev reader >"$T/token"
  lists "$T/config"
}

@test "a token from a program" {
  kubeconfig "$T/config" exec "$(service_account_token dev reader)"
  lists "$T/config"
  [[ -s $T/config.d/calls ]]
}

@test "a ServiceAccount without a role may not list" {
  kubeconfig "$T/config" token "$(service_account_token dev nobody)"
  run lists "$T/config"
  [[ $status -ne 0 && $output == *Forbidden* ]]
}

@test "fake pods are what they were made as" {
  fake_pods <<'LIST'
dev login-5d4f8c7b9-aaaaa 100.96.0.3,fd00:96::3 login
dev migrate-aaaaa 100.96.0.4 - Succeeded 2024-02-02T00:00:00Z
dev agent-aaaaa 192.0.2.10
LIST
  kubectl get pods -A -o json >"$T/pods.json"
  same pods "$(jq -r '.items[] | [.metadata.name, .spec.nodeName, .spec.hostNetwork // false,
    .metadata.ownerReferences[0].kind // "bare"] | join(" ")' "$T/pods.json")" "agent-aaaaa node-a true bare
login-5d4f8c7b9-aaaaa node-a false ReplicaSet
migrate-aaaaa node-a false bare"
  same status "$(jq -r '.items[].status | [.phase, .podIP, (.podIPs | map(.ip) | join(",")), .hostIP, .startTime] |
    join(" ")' "$T/pods.json")" "Running 192.0.2.10 192.0.2.10 192.0.2.10 2024-01-01T00:00:00Z
Running 100.96.0.3 100.96.0.3,fd00:96::3 192.0.2.10 2024-01-01T00:00:00Z
Succeeded 100.96.0.4 100.96.0.4 192.0.2.10 2024-02-02T00:00:00Z"
}

@test "after a restart of the API server a watch from before is too old" {
  before=$(api GET /api/v1/pods | jq -r .metadata.resourceVersion)
  api PATCH /api/v1/namespaces/dev -H 'Content-Type: application/merge-patch+json' \
    --data '{"metadata": {"labels": {"changed": "yes"}}}'
  api_restart
  kubectl create namespace after-restart
  api GET "/api/v1/pods?watch=1&timeoutSeconds=1&resourceVersion=$before" >"$T/watch"
  same code "$(jq .object.code "$T/watch")" 410
}

@test "an API server that hangs answers nothing until it goes on" {
  api_hang
  background "$T/answer" "$T/err" nsenter "--net=/proc/$KUBE_PID/ns/net" -- curl -sS --cacert "$KUBE_DIR/pki/ca.crt" \
    "https://$KUBE_SERVER:6443/version"
  asked=$!
  wait_for "in_kube ss -tnpH state established | grep -q 'pid=$asked,'"
  [[ ! -s $T/answer ]]
  api_resume
  wait "$asked"
  same version "$(jq -r .gitVersion "$T/answer")" v1.20.2
}
