# SPDX-License-Identifier: MIT
# A whole node: real pods that call a Service by its ClusterIP, and the kubelet, which probes.

load lib.sh

setup_file() {
  kube_possible || return 0
  kube_up node
}

teardown_file() {
  kube_down
}

setup() {
  kube_need
  node_real
}

teardown() {
  kube_explain
  node_down
  real_clean
}

# The servers listen only once the trace has begun, and end when the kubelet stands still: so what they count from their
# first connection to their last is what the trace must say.
@test "callers of a Service through its ClusterIP, by workload, and the kubelet's probes" {
  deploy_server buffer session-service-v1 2 session-service 10.96.0.100
  deploy_server core session-service-v1-master 1 session-service 10.96.0.101
  deploy_client dev login-main 2 --to 10.96.0.100 --port 80 --mode http --connections 40
  deploy_client core account-v2 1 --to 10.96.0.100 --port 80 --mode http --connections 25
  deploy_client dev publish-main 1 --to 10.96.0.101 --port 80 --mode http --connections 30
  deploy_wait buffer session-service-v1 2
  deploy_wait core session-service-v1-master 1
  deploy_wait dev login-main 2
  deploy_wait core account-v2 1
  deploy_wait dev publish-main 1
  trace_start -n buffer svc/session-service --kubeconfig "$KUBECONFIG"

  gate_open listen
  service_wait 10.96.0.100 2
  service_wait 10.96.0.101 1
  gate_open go
  login=$(deploy_count dev login-main 2 connections)
  account=$(deploy_count core account-v2 1 connections)
  same login "$login" 80
  same account "$account" 25
  same publish "$(deploy_count dev publish-main 1 connections)" 30
  kubelet_stop
  gate_open end
  gates_wait 'ended.session-service-*' 3
  trace_stop
  kubelet_resume

  served=$(deploy_count buffer session-service-v1 2 accepted)
  same opened "$(total opened)" "$served"
  same callers "$(caller_number true)" 3
  same endpoints "$(jq '[.target.endpoints[] | select(.node == "node-a" and .namespace == "buffer")] | length' \
    "$T/out.json")" 2
  caller_is login-main "opened=$login" "accepted=$login" class=workload kind=Deployment namespace=dev
  caller_is account-v2 "opened=$account" "accepted=$account" class=workload kind=Deployment namespace=core
  probes=$((served - login - account))
  ((probes > 0))
  same probes "$(caller_sum '.class == "probe"' connections.opened)" "$probes"
  same "accepted probes" "$(caller_sum '.class == "probe"' connections.accepted)" "$probes"
}

# Through the ClusterIP its connections are masqueraded: the server sees an address of a bridge.
@test "a pod of the host's network is its workload, not its node, through NAT, too" {
  deploy_server buffer session-service-v1 1 session-service 10.96.0.100
  deploy_wait buffer session-service-v1 1
  deploy dev agent 1 "whocalls-load client --go /gates/go --to 10.96.0.100 --port 80 --mode http --connections 35" \
    '.hostNetwork = true'
  deploy_wait dev agent 1
  trace_start -n buffer svc/session-service --kubeconfig "$KUBECONFIG"
  gate_open listen
  deploy_ready buffer session-service-v1 1
  service_wait 10.96.0.100 1
  gate_open go
  called=$(deploy_count dev agent 1 connections)
  same called "$called" 35
  kubelet_stop
  gate_open end
  gates_wait 'ended.session-service-*' 1
  trace_stop
  kubelet_resume

  served=$(deploy_count buffer session-service-v1 1 accepted)
  same opened "$(total opened)" "$served"
  same callers "$(caller_number true)" 2
  caller_is agent "opened=$called" "accepted=$called" class=workload kind=Deployment namespace=dev
  same probes "$(caller_sum '.class == "probe"' connections.opened)" $((served - called))
}
