# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions and scripts in single quotes are evaluated later
#
# Sourced by lib.sh. Pods of the real node, after kube_up node: servers and clients of tests/load/ as Deployments. They
# and the tests share a folder, the node's /run/gates: a pod waits there for a file, or makes one.

# node_real: node-a of the cluster is the node of this test, for in_pod node, trace_start, trace_stop.
# shellcheck disable=SC2034 # used there
node_real() {
  T=$BATS_TEST_TMPDIR NODE=$KUBE_PID PORT=3000
}

# real_clean: nothing is left of what this test made; for the teardown of a test.
real_clean() {
  [[ -n ${KUBE_PID:-} ]] || return 0
  kubelet_resume
  kubectl delete deployments,services -A -l made-by=test >/dev/null 2>&1
  wait_for '[[ -z $(kubectl get replicasets -A -o name) ]]' 60
  # their objects; the kubelet ends the containers in its own time, and those do nothing any more
  kubectl delete pods -A -l made-by=test --force --grace-period=0 >/dev/null 2>&1
  in_kube find /run/gates -type f -delete
}

# deploy_server NAMESPACE NAME REPLICAS [SERVICE CLUSTERADDRESS]: pods that listen on port 3000 once the gate `listen`
# is open, and are probed by the kubelet each second; a Service that takes port 80 to them. When the gate `end` is open
# they take what is queued, print what they counted, and stay: then there is a gate ended.POD of each.
deploy_server() {
  kube_namespace "$1"
  [[ -z ${4:-} ]] || jq -n --arg app "$2" --arg name "$4" --arg address "$5" '{apiVersion: "v1", kind: "Service",
    metadata: {$name, labels: {"made-by": "test"}}, spec: {clusterIP: $address, selector: {$app},
      ports: [{port: 80, targetPort: 3000}]}}' |
    kubectl -n "$1" create -f - >/dev/null
  deploy "$1" "$2" "$3" '
    until [ -e /gates/listen ]; do sleep 0.05; done
    whocalls-load server --port 3000 --mode http &
    until [ -e /gates/end ]; do sleep 0.05; done
    kill $! && wait $!
    touch "/gates/ended.$HOSTNAME"' '.containers[0].ports = [{containerPort: 3000}] | .containers[0].readinessProbe =
      {httpGet: {path: "/", port: 3000}, periodSeconds: 1, timeoutSeconds: 10}'
}

# deploy_client NAMESPACE NAME REPLICAS args…: pods of which each runs `whocalls-load client` so when the gate `go` is
# open, prints what it counted, and stays.
deploy_client() {
  local namespace=$1 name=$2 replicas=$3
  shift 3
  deploy "$namespace" "$name" "$replicas" "whocalls-load client --go /gates/go ${*@Q} || true"
}

# deploy NAMESPACE NAME REPLICAS SCRIPT [FILTER]: any other; FILTER is jq's, over the spec of its pods.
deploy() {
  kube_namespace "$1"
  jq -n --arg name "$2" --argjson replicas "$3" --arg script "$4
    exec sleep infinity" '
    {containers: [{name: "main", image: "docker.io/local/load:1", command: ["sh", "-c", $script],
        volumeMounts: [{name: "gates", mountPath: "/gates"}]}],
      volumes: [{name: "gates", hostPath: {path: "/run/gates"}}], terminationGracePeriodSeconds: 1}
    | '"${5:-.}"'
    | {apiVersion: "apps/v1", kind: "Deployment", metadata: {$name, labels: {"made-by": "test"}}, spec: {$replicas,
        selector: {matchLabels: {app: $name}}, template: {metadata: {labels: {app: $name, "made-by": "test"}}, spec: .}}}' |
    kubectl -n "$1" create -f - >/dev/null
}

# gate_open NAME…: what waits for /gates/NAME goes on.
gate_open() {
  local name
  for name; do
    in_kube touch "/run/gates/$name"
  done
}

# gates_wait PATTERN NUMBER: until pods have made so many files there.
gates_wait() {
  wait_for "[[ \$(in_kube find /run/gates -name '$1' | wc -l) == $2 ]]" 60
}

# deploy_wait NAMESPACE NAME NUMBER: until so many pods of this Deployment run and have addresses.
deploy_wait() {
  wait_for "[[ \$(deploy_running $1 $2) == $3 ]]" 120
}

deploy_running() {
  kubectl -n "$1" get pods -l "app=$2" -o json | jq '[.items[].status | select(.phase == "Running" and .podIP
    and all(.containerStatuses[]; .state.running))] | length'
}

# deploy_ready NAMESPACE NAME NUMBER: until so many pods of it are Ready: the kubelet's probes were answered.
deploy_ready() {
  wait_for "[[ \$(kubectl -n $1 get deployment $2 -o 'jsonpath={.status.readyReplicas}') == $3 ]]" 60
}

# deploy_addresses NAMESPACE NAME: of its pods, one a line.
deploy_addresses() {
  kubectl -n "$1" get pods -l "app=$2" -o json | jq -r '.items[].status.podIP'
}

# service_wait CLUSTERADDRESS NUMBER: until kube-proxy sends what goes there to so many pods.
service_wait() {
  wait_for "[[ \$(service_endpoints $1) == $2 ]]" 60
}

service_endpoints() {
  local chain
  in_kube iptables-save -t nat >"$T/nat"
  chain=$(grep -oP -- "^-A KUBE-SERVICES -d \Q$1\E/32 .* -j \KKUBE-SVC-.*" "$T/nat")
  grep -c -- "^-A $chain .*-j KUBE-SEP-" "$T/nat"
}

# deploy_count NAMESPACE NAME NUMBER FIELD: the sum over what so many pods of this Deployment counted themselves; waits
# until each has printed it.
deploy_count() {
  wait_for "[[ \$(deploy_counts $1 $2 | wc -l) == $3 ]]" 60
  deploy_counts "$1" "$2" | jq -s "map(.$4) | add"
}

deploy_counts() {
  kubectl -n "$1" logs -l "app=$2" --tail=-1 | grep '^{'
}

# The kubelet makes no more connections from here on, or goes on with it.
kubelet_stop() {
  local pid
  pid=$(<"${KUBE_DIR:?}/kubelet.pid")
  kill -STOP "$pid"
  wait_for "! cat /proc/$pid/task/*/stat | grep -v ') T '"
}

kubelet_resume() {
  kill -CONT "$(<"$KUBE_DIR/kubelet.pid")"
}
