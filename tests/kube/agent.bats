# SPDX-License-Identifier: MIT
# The agent: Services of a real API server that come, change and go; network namespaces play the pods of its node.
# shellcheck disable=SC2016,SC2034

load lib.sh
load ../api/agent.sh

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
  agent_explain
  kube_explain
  node_down
  kube_clean
  kubectl delete services -A -l 'component!=apiserver' >/dev/null 2>&1 || true
}

# The story's pods: a session-service in buffer with one caller, and its twin in core.
story_pods() {
  pod_add twin 100.96.0.5
  pod_add account 100.96.1.4
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
core session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
dev login-main-5d4f8c7b9-aaaaa 100.96.0.3 login-main
core account-v2-5d4f8c7b9-aaaaa 100.96.1.4 account-v2 Running 2024-01-01T00:00:00Z node-b
LIST
}

# watch_service NAMESPACE NAME APP ENDPOINTS [PORTS]: with the annotation.
watch_service() {
  service "$@"
  kubectl -n "$1" annotate service "$2" whocalls.dev/watch=true >/dev/null
}

@test "a Service with the annotation: its callers by workload, in JSON and in metrics; its twin is not watched" {
  story_pods
  watch_service buffer session-service session-service-v1 1
  service core session-service session-service-v1 1
  server_start s
  server_start twin
  agent_start
  same targets "$(agent_get /api/v1/targets | jq -c '[.targets[].target]')" '["buffer/session-service"]'
  client_run login login --to 100.96.0.2 --connections 30
  client_run account account --to 100.96.0.2 --connections 20
  client_run other account --to 100.96.0.5 --connections 50
  server_stop s
  agent_callers buffer/session-service
  same opened "$(total opened)" "$(jq .accepted "$T/server.s.json")"
  same callers "$(caller_number true)" 2
  caller_is login-main "opened=$(client_count login connections)" class=workload kind=Deployment namespace=dev
  caller_is account-v2 "opened=$(client_count account connections)" class=workload kind=Deployment namespace=core
  agent_get /metrics >"$T/metrics"
  same "login in metrics" "$(metric whocalls_connections_total 'namespace="buffer"' 'service="session-service"' \
    'caller="login-main"' 'caller_namespace="dev"')" "$(client_count login connections)"
  same "account in metrics" "$(metric whocalls_connections_total 'caller="account-v2"' 'caller_namespace="core"')" \
    "$(client_count account connections)"
  same "the twin in metrics" "$(grep -c 'namespace="core",service=' "$T/metrics")" 0
  same status "$(agent_status '/api/v1/callers?target=core/session-service')" 404
}

@test "the annotation comes and goes while it runs" {
  story_pods
  service buffer session-service session-service-v1 1
  server_start s
  agent_start
  same targets "$(agent_targets)" '[]'
  client_run before login --to 100.96.0.2 --connections 5
  kubectl -n buffer annotate service session-service whocalls.dev/watch=true >/dev/null
  agent_wait '[.targets[] | select(.endpoints.watched == 1)] | length == 1'
  client_run while login --to 100.96.0.2 --connections 7
  agent_callers buffer/session-service
  caller_is login-main opened=7
  kubectl -n buffer annotate service session-service whocalls.dev/watch=false --overwrite >/dev/null
  agent_wait '.targets == []'
  same status "$(agent_status '/api/v1/callers?target=buffer/session-service')" 404
  kubectl -n buffer annotate service session-service whocalls.dev/watch=true --overwrite >/dev/null
  agent_wait '[.targets[] | select(.endpoints.watched == 1)] | length == 1'
  client_run again login --to 100.96.0.2 --connections 4
  agent_callers buffer/session-service
  caller_is login-main opened=4
}

@test "two Services over the same pod count the same; the first goes, the other counts on" {
  story_pods
  service buffer one session-service-v1 1
  service buffer two session-service-v1 1
  server_start s
  agent_start --all-services -n buffer
  same targets "$(agent_targets)" '["buffer/one","buffer/two"]'
  client_run login login --to 100.96.0.2 --connections 30
  local name
  for name in one two; do
    agent_callers "buffer/$name"
    caller_is login-main opened=30
  done
  kubectl -n buffer delete service one >/dev/null
  agent_wait '[.targets[].target] == ["buffer/two"]'
  client_run more login --to 100.96.0.2 --connections 3
  agent_callers buffer/two
  caller_is login-main opened=33
}

@test "a pod that comes while it runs is watched, one on another node is not" {
  story_pods
  watch_service buffer session-service session-service-v1 1
  server_start s
  agent_start
  pod_add late 100.96.0.9
  server_start late
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-ccccc 100.96.0.9 session-service-v1
buffer session-service-v1-5d4f8c7b9-ddddd 100.96.1.9 session-service-v1 Running 2024-01-01T00:00:00Z node-b
LIST
  agent_wait '.targets[0].endpoints == {watched: 2, elsewhere: 1, ended: 0}'
  client_run login login --to 100.96.0.9 --connections 12
  client_run first login --to 100.96.0.2 --connections 13
  agent_callers buffer/session-service
  caller_is login-main opened=25
  kubectl -n buffer delete pod session-service-v1-5d4f8c7b9-ccccc --force --grace-period=0 >/dev/null 2>&1
  agent_wait '.targets[0].endpoints == {watched: 1, elsewhere: 1, ended: 1}'
  agent_callers buffer/session-service
  caller_is login-main opened=25
}

@test "by labels of the Services" {
  story_pods
  service buffer session-service session-service-v1 1
  service core session-service session-service-v1 1
  kubectl -n core label service session-service team=core >/dev/null
  agent_start -l team=core
  same targets "$(agent_targets)" '["core/session-service"]'
}

@test "the API is away when it begins: it waits, says so, and counts once it is there" {
  story_pods
  watch_service buffer session-service session-service-v1 1
  server_start s
  api_down
  agent_begin
  wait_for "grep -q '^waiting for the Kubernetes API: ' $T/agent.err" 30
  same healthz "$(agent_status /healthz)" 200
  same readyz "$(agent_status /readyz)" 503
  same callers "$(agent_status '/api/v1/callers?target=buffer/session-service')" 503
  api_up
  agent_ready
  same readyz "$(agent_status /readyz)" 200
  client_run login login --to 100.96.0.2 --connections 6
  agent_callers buffer/session-service
  caller_is login-main opened=6
}

@test "the API goes away while it runs: it counts on" {
  story_pods
  watch_service buffer session-service session-service-v1 1
  server_start s
  agent_start
  client_run login login --to 100.96.0.2 --connections 6
  api_down
  client_run more login --to 100.96.0.2 --connections 5
  agent_callers buffer/session-service
  caller_is login-main opened=11
  same readyz "$(agent_status /readyz)" 200
  api_up
}

@test "what can't be asked for, and SIGTERM" {
  agent_start
  same "no such page" "$(agent_status /nothing)" 404
  same "no target" "$(agent_status /api/v1/callers)" 400
  same "no such target" "$(agent_status '/api/v1/callers?target=a/b')" 404
  same POST "$(agent_status /metrics -X POST --data x)" 405
  kill -TERM "$AGENT"
  wait "$AGENT"
}

@test "killed, it loses no more than the minute in progress" {
  story_pods
  watch_service buffer session-service session-service-v1 1
  server_start s
  mkdir "$T/state"
  agent_start --state "$T/state"
  client_run login login --to 100.96.0.2 --connections 25
  # once it has answered, what it was writing before is written
  agent_since buffer/session-service 1h
  rm -f "$T/state/history"
  wait_for '[[ -s $T/state/history ]]' 90
  kill -KILL "$AGENT"
  wait "$AGENT" || true
  : >"$T/agent.err"
  agent_start --state "$T/state"
  agent_since buffer/session-service 1h
  since_is login-main connections.opened 25
}

@test "the verdict over what it remembers: QUIET, UNPROVEN while the API is away, TRAFFIC" {
  local began minute
  story_pods
  watch_service buffer session-service session-service-v1 1
  server_start s
  server_start twin
  agent_start
  began=$(date +%M)
  # a window begins with a minute, and this one is not covered from there
  same "as it has begun" "$(agent_verdict buffer/session-service 1m)" UNPROVEN
  client_run other account --to 100.96.0.5 --connections 50
  wait_for "[[ \$(date +%M) != $began ]]" 70
  minute=$(date -u +%Y-%m-%dT%H:%M:00Z)
  same "nobody called it" "$(agent_verdict buffer/session-service "$minute")" QUIET
  same codes "$(verdict_codes)" ''
  same confirmed "$(jq .coverage.api.confirmed "$T/verdict.json")" true
  same endpoints "$(jq -c '[.coverage.endpoints[] | [.pod, .place, .unwatched]]' "$T/verdict.json")" \
    '[["session-service-v1-5d4f8c7b9-aaaaa","here",null]]'
  api_down
  same "the API does not confirm it" "$(agent_verdict buffer/session-service "$minute")" UNPROVEN
  [[ $(verdict_codes) == *api-unconfirmed* ]]
  api_up
  client_run login login --to 100.96.0.2 --connections 30
  same "somebody called" "$(agent_verdict buffer/session-service "$minute")" TRAFFIC
  same opened "$(jq .verdict.traffic.opened "$T/verdict.json")" "$(client_count login connections)"
}

@test "the verdict of a Service with an endpoint on another node is UNPROVEN here, by its name" {
  story_pods
  fake_pods <<'LIST'
buffer session-service-v1-5d4f8c7b9-bbbbb 100.96.1.5 session-service-v1 Running 2024-01-01T00:00:00Z node-b
LIST
  watch_service buffer session-service session-service-v1 2
  server_start s
  agent_start
  same "as it has begun" "$(agent_verdict buffer/session-service 1m)" UNPROVEN
  jq -e 'any(.verdict.reasons[]; .code == "endpoint-on-other-node" and (.text | test("node-b")))' "$T/verdict.json"
}

# token NAMESPACE ACCOUNT: of a ServiceAccount that is made for it.
token() {
  kubectl -n "$1" create serviceaccount "$2" >/dev/null
  echo '{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}' |
    api POST "/api/v1/namespaces/$1/serviceaccounts/$2/token" -H 'Content-Type: application/json' --data @- |
    jq -r .status.token
}

@test "who may ask: a token that RBAC lets, and no other" {
  local good bad
  kubectl apply -f "$TESTS_KUBE/../../deploy/kustomize/base/rbac.yaml" >/dev/null
  kubectl apply -f "$TESTS_KUBE/../../deploy/kustomize/base/rbac-agent.yaml" >/dev/null
  kube_namespace monitoring
  good=$(token monitoring prometheus)
  bad=$(token monitoring nobody)
  kubectl create clusterrolebinding prometheus-reads --clusterrole whocalls-reader \
    --serviceaccount monitoring:prometheus >/dev/null
  AGENT_AT=100.96.0.1:9435
  agent_start --listen :9435
  status() {
    in_pod login curl -sk -o /dev/null -w '%{http_code}' "$@" "https://$AGENT_AT${PAGE:-/metrics}"
  }
  same "no token" "$(status)" 401
  same "not a token" "$(status -H 'Authorization: Bearer nonsense')" 401
  same "not allowed" "$(status -H "Authorization: Bearer $bad")" 403
  same "allowed" "$(status -H "Authorization: Bearer $good")" 200
  same "not allowed, what others may" "$(PAGE=/api/v1/targets status -H "Authorization: Bearer $bad")" 403
  same "not allowed, a verdict" \
    "$(PAGE='/api/v1/verdict?target=a/b&since=1h' status -H "Authorization: Bearer $bad")" 403
  same "allowed, that too" "$(PAGE=/api/v1/targets status -H "Authorization: Bearer $good")" 200
  same "health needs none" "$(in_pod login curl -sk -o /dev/null -w '%{http_code}' "https://$AGENT_AT/healthz")" 200
  kubectl delete clusterrolebinding prometheus-reads >/dev/null
}
