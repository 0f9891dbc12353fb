# SPDX-License-Identifier: MIT
# Who may ask for what: the smallest role, and what is missing without each part of it.
# shellcheck disable=SC2016 # scripts in single quotes are for another shell

load lib.sh

setup_file() {
  kube_up controllers
  fake_node node-a 192.0.2.10
  kubectl apply -f "$TESTS_KUBE/../../deploy/kustomize/base/rbac.yaml"
}

teardown_file() {
  kube_down
}

setup() {
  node_up
  node_join 192.0.2.10
  pod_add s 100.96.0.2
  pod_add login 100.96.0.3
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
buffer admin-5d4f8c7b9-aaaaa 100.96.0.4 admin
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
LIST
  server_start s
}

teardown() {
  kube_explain
  node_down
  kube_clean
}

# service_up: session-service over it, unless it is there from another test.
service_up() {
  kubectl -n buffer get service session-service >/dev/null 2>&1 ||
    jq -n --argjson port "$PORT" '{apiVersion: "v1", kind: "Service", metadata: {name: "session-service"},
      spec: {selector: {app: "session-service-v1"}, ports: [{port: 80, targetPort: 1}]}}' |
    kubectl -n buffer create -f - >/dev/null
  kubectl -n buffer patch service session-service -p "{\"spec\": {\"ports\": [{\"port\": 80, \"targetPort\": $PORT}]}}"
  wait_for "[[ \$(kubectl -n buffer get endpointslices -l kubernetes.io/service-name=session-service -o json |
    jq -c '[.items[] | [.ports[].port, (.endpoints | length)]]') == '[[$PORT,1]]' ]]" 30
}

@test "deploy/kustomize/base/rbac.yaml is all that is needed" {
  service_up
  kubeconfig "$T/config" token "$(service_account_token whocalls whocalls)"
  trace_start -n buffer svc/session-service --kubeconfig "$T/config" --node node-a
  client_run calls login --to 100.96.0.2 --connections 5
  trace_stop
  caller_is login-main opened=5 class=workload namespace=dev
  same notes "$(jq -c '[.coverage.notes[] | select(test("API"))]' "$T/out.json")" '[]'
}

# Each verb of each resource in deploy/kustomize/base/rbac.yaml, and the feature that is gone without it.
@test "without any verb of it something is missing, and that is said by name" {
  local rules verb resource status missing
  service_up
  kubeconfig "$T/config" token "$(service_account_token whocalls whocalls)"
  rules=$(kubectl get clusterrole whocalls -o json | jq 'del(.metadata.resourceVersion)')
  while read -r resource verb; do
    jq --arg resource "$resource" --arg verb "$verb" '
      .rules |= map(if .resources == [$resource] then .verbs -= [$verb] else . end | select(.verbs | length > 0))' \
      <<<"$rules" | kubectl replace -f - >/dev/null
    wait_for "[[ \$(kubectl auth can-i $verb $resource --as system:serviceaccount:whocalls:whocalls) == no ]]"
    status=0
    in_pod node timeout -s INT 30 "$WHOCALLS" trace -n buffer svc/session-service --kubeconfig "$T/config" --node node-a \
      --for 2s -o json >"$T/out.json" 2>"$T/err" || status=$?
    missing="does not let us $verb $resource"
    if [[ $status == 0 ]]; then
      jq -e --arg missing "$missing" '.coverage.notes | any(contains($missing))' "$T/out.json" >/dev/null
    else
      same "status without $verb $resource" "$status" 77
      grep -qF "$missing" "$T/err"
    fi || {
      echo "without $verb $resource:" >&2
      cat "$T/err" "$T/out.json" >&2
      return 1
    }
    kubectl replace -f - <<<"$rules" >/dev/null
    wait_for "[[ \$(kubectl auth can-i $verb $resource --as system:serviceaccount:whocalls:whocalls) == yes ]]"
    echo "$resource $verb" >>"$T/tried"
  done < <(jq -r '.rules[] | .resources[0] as $resource | .verbs[] | "\($resource) \(.)"' <<<"$rules")
  same tried "$(wc -l <"$T/tried")" 7
}

@test "who may list the pods of one namespace only: its target, its callers; the others are counted without a name" {
  kubectl -n buffer create serviceaccount owner >/dev/null
  kubectl -n buffer create role owner --verb=list,watch --resource=pods >/dev/null
  kubectl -n buffer create rolebinding owner --role=owner --serviceaccount=buffer:owner >/dev/null
  kubeconfig "$T/config" token "$(service_account_token buffer owner)"
  pod_add admin 100.96.0.4
  trace_start -n buffer deploy/session-service-v1 --kubeconfig "$T/config" --node node-a
  client_run named admin --to 100.96.0.2 --connections 3
  client_run other login --to 100.96.0.2 --connections 4 --pid-name nameless
  trace_stop
  caller_is admin opened=3 class=workload namespace=buffer
  caller_is nameless opened=4 class=process
  jq -e '.coverage.notes | any(test("does not let us list pods of all namespaces"))' "$T/out.json"
}

@test "a token that is rotated in its file" {
  local made=0
  service_account default first list,watch pods,nodes
  service_account default second list,watch pods,nodes
  service_account_token default first >"$T/token"
  kubeconfig "$T/config" token-file "$T/token"
  pod_add account 100.96.0.8
  trace_lines -n buffer deploy/session-service-v1 --kubeconfig "$T/config" --node node-a
  client_run before login --to 100.96.0.2 --connections 3
  service_account_token default second >"$T/token.new"
  mv "$T/token.new" "$T/token"
  kubectl -n default delete serviceaccount first >/dev/null
  api_restart
  fake_pods <<'LIST'
core account-v2-5d4f8c7b9-aaaaa 100.96.0.8 account-v2
LIST
  until grep -q '"opened".*account-v2' "$T/events" || ((made > 2000)); do
    client_run "after$((made++))" account --to 100.96.0.2 --connections 1
  done
  trace_lines_stop
  caller_is login-main opened=3
  caller_is account-v2 "opened=$made"
}

@test "each way to say who one is" {
  local kind
  kubeconfig "$T/cert" cert
  kubeconfig "$T/cert-file" cert-file
  kubeconfig "$T/token" token "$(service_account_token whocalls whocalls)"
  kubeconfig "$T/exec" exec "$(service_account_token whocalls whocalls)"
  for kind in cert cert-file token exec; do
    trace_start -n buffer deploy/session-service-v1 --kubeconfig "$T/$kind" --node node-a
    client_run "$kind" login --to 100.96.0.2 --connections 5
    trace_stop
    caller_is login-main opened=5
  done
  same "calls of the plugin" "$(wc -l <"$T/exec.d/calls")" 1
}

@test "in a cluster: the ServiceAccount's token and CA" {
  local folder=/var/run/secrets/kubernetes.io/serviceaccount
  service_account_token whocalls whocalls >"$T/secret"
  in_pod node bash -euc 'mkdir -p "$1" && cp "$2" "$1/token" && cp "$3" "$1/ca.crt" && echo buffer >"$1/namespace"' \
    secrets $folder "$T/secret" "$KUBE_DIR/pki/ca.crt"
  export KUBERNETES_SERVICE_HOST=$KUBE_SERVER KUBERNETES_SERVICE_PORT=6443
  (
    unset KUBECONFIG
    trace_start deploy/session-service-v1 --node node-a
    client_run calls login --to 100.96.0.2 --connections 5
    trace_stop
    caller_is login-main opened=5
  )
}

@test "only the CA of the kubeconfig is trusted, not those of the system" {
  kubeconfig "$T/config" cert
  openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/other.key" -subj /CN=other \
    -days 2 -out "$T/other.crt" 2>/dev/null
  kubectl_config "$T/config" set-cluster kube --certificate-authority="$T/other.crt" --embed-certs=true
  in_pod node bash -euc '
    mount -t tmpfs certs /etc/ssl/certs
    cp "$1" "/etc/ssl/certs/$(openssl x509 -noout -hash -in "$1").0"
    cp "$1" /etc/ssl/certs/ca-certificates.crt' trust "$KUBE_DIR/pki/ca.crt"
  trace_start --port "$PORT" --kubeconfig "$T/config" --node node-a
  client_run calls login --to 100.96.0.2 --connections 5
  trace_stop
  same opened "$(total opened)" 5
  jq -e '.coverage.notes | any(test("asking the API to list pods: .*certificate"))' "$T/out.json"
}
