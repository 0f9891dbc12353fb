# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions and scripts in single quotes are evaluated later
#
# A real Kubernetes for a file of tests, and what tests/node/lib.sh has. kube_up belongs in setup_file, kube_down in
# teardown_file; the cluster is in namespaces and cgroups of its own (cluster.sh), and goes with the shell of setup_file.
# Between kube_up and kube_down, in all tests of the file:
#
#   KUBE_DIR     folder of the cluster: *.log, pki/admin.crt, admin.key, ca.crt
#   KUBE_PID     the process that holds its namespaces
#   KUBECONFIG   the administrator's, for kubectl
#   KUBE_SERVER  the address of the API server, 192.0.2.1, port 6443; only reached from within (in_kube, node_join)
#
# Namespaces, ServiceAccounts and pods are the cluster's, not the test's: what a test makes, the next finds.

TESTS_KUBE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/node/lib.sh
. "$TESTS_KUBE/../node/lib.sh"

# The cluster ---------------------------------------------------------------------------------------

# kube_up [controllers|node]: etcd and an API server; the controllers, too, except those that would take fake nodes and
# pods away; or a whole node, node-a.
kube_up() {
  ((EUID == 0)) || node_skip "needs root"
  awk '$3 == "cgroup2" { found = 1 } END { exit !found }' /proc/self/mounts || node_skip "there is no cgroup2 here"
  export KUBE_SERVER=192.0.2.1 KUBE_DIR KUBE_PID KUBE_ROOT KUBECONFIG LOAD_STATIC
  KUBE_DIR=$(mktemp -d "${BATS_FILE_TMPDIR:-${TMPDIR:-/tmp}}/wc-kube-XXXXXX")
  KUBE_ROOT=${KUBE_ROOT:-$("$TESTS_KUBE/../../scripts/kube-build.sh")}
  [[ -d $KUBE_ROOT ]]
  load_static_build
  setsid setpriv --pdeathsig TERM "$TESTS_KUBE/cluster.sh" "$KUBE_DIR" "$@" </dev/null >"$KUBE_DIR/cluster.log" 2>&1 \
    3>&- 4>&- &
  KUBE_CLUSTER=$!
  wait_for '[[ -e $KUBE_DIR/up ]] || ! kill -0 "$KUBE_CLUSTER"' 180
  [[ -e $KUBE_DIR/up ]] || {
    kube_explain
    return 1
  }
  KUBE_PID=$(<"$KUBE_DIR/pid")
  KUBECONFIG=$KUBE_DIR/kubeconfig
  kubeconfig "$KUBECONFIG" cert
}

# Ends the cluster, and waits until nothing is left of it. May run twice.
kube_down() {
  [[ -n ${KUBE_CLUSTER:-} ]] || return 0
  kill -TERM "$KUBE_CLUSTER" 2>/dev/null || true
  wait "$KUBE_CLUSTER" 2>/dev/null || true
  KUBE_CLUSTER=
  [[ -n ${KEEP:-} ]] || rm -rf "$KUBE_DIR"
}

# What one wants to see of a cluster in which a test failed; for the teardown of a test.
kube_explain() {
  local file
  [[ -z ${BATS_TEST_COMPLETED:-} ]] || return 0
  for file in "$KUBE_DIR"/*.log; do
    [[ -s $file ]] || continue
    echo "--- ${file##*/}"
    tail -n 6 "$file" | cut -c -300
  done
}

load_static_build() {
  LOAD_STATIC=${LOAD_STATIC:-$TESTS_KUBE/../../build/whocalls-load-static}
  [[ ! -x $LOAD_STATIC ]] || return 0
  LOAD_STATIC=$KUBE_DIR/whocalls-load-static
  ${CC:-cc} -O2 -std=gnu11 -pthread -static -o "$LOAD_STATIC" "$TESTS_NODE"/../load/*.c
}

# in_kube cmd…: in the namespaces of the cluster; the working directory becomes /.
in_kube() {
  nsenter -t "$KUBE_PID" -m -n -u -- env "PATH=$KUBE_ROOT/usr/bin:$KUBE_ROOT/usr/sbin:$PATH" "$@"
}

# background_in_kube OUT ERR cmd…: the same, to end with the test at the latest; $! is its id.
background_in_kube() {
  local out=$1 err=$2
  shift 2
  background "$out" "$err" nsenter -t "$KUBE_PID" -m -n -u -- "$@"
}

kubectl() {
  nsenter "--net=/proc/$KUBE_PID/ns/net" -- "$KUBE_ROOT/usr/bin/kubectl" "--cache-dir=$KUBE_DIR/cache" "$@"
}

# api METHOD PATH [curl args…]: as administrator; with a body from standard input if there is `--data @-`. Prints the
# answer; fails if that is an error.
api() {
  local method=$1 path=$2
  shift 2
  nsenter "--net=/proc/$KUBE_PID/ns/net" -- curl -sS --fail-with-body -X "$method" --cacert "$KUBE_DIR/pki/ca.crt" \
    --cert "$KUBE_DIR/pki/admin.crt" --key "$KUBE_DIR/pki/admin.key" "$@" "https://$KUBE_SERVER:6443$path"
}

api_ready() {
  [[ $(api GET /readyz) == ok ]]
}

# The API server dies (SIGKILL) and stays away.
api_down() {
  local pid
  pid=$(<"$KUBE_DIR/kube-apiserver.pid")
  : >"$KUBE_DIR/api.down"
  kill -KILL "$pid"
  wait_for "! kill -0 $pid"
}

# It is back, on the same etcd: old versions are too old for a watch now.
api_up() {
  rm -f "$KUBE_DIR/api.down"
  wait_for api_ready 60
}

api_restart() {
  api_down
  api_up
}

# It hangs (SIGSTOP): connections to it are made, but nothing is answered.
api_hang() {
  kill -STOP "$(<"$KUBE_DIR/kube-apiserver.pid")"
}

api_resume() {
  kill -CONT "$(<"$KUBE_DIR/kube-apiserver.pid")"
  wait_for api_ready 60
}

# Who asks it ---------------------------------------------------------------------------------------

# kube_namespace NAME…: makes them, if they are not there; pods can be created there then.
kube_namespace() {
  local name
  for name; do
    kubectl get namespace "$name" >/dev/null 2>&1 || kubectl create namespace "$name" >/dev/null
    [[ ! -e $KUBE_DIR/kube-controller-manager.pid ]] || wait_for "kubectl -n $name get serviceaccount default"
  done
}

# service_account NAMESPACE NAME [VERBS RESOURCES]: it may do this everywhere, "get,list,watch" "pods,services,nodes".
# Of VERBS alone it would be told that they are needed; without both it may nothing.
service_account() {
  kubectl -n "$1" create serviceaccount "$2" >/dev/null
  [[ -n ${3:-} ]] || return 0
  kubectl create clusterrole "$1-$2" "--verb=$3" "--resource=$4" >/dev/null
  kubectl create clusterrolebinding "$1-$2" "--clusterrole=$1-$2" "--serviceaccount=$1:$2" >/dev/null
}

# service_account_token NAMESPACE NAME [SECONDS]: prints a new one; it is good for so long, 600 at least.
service_account_token() {
  jq -n --argjson seconds "${3:-3600}" '{apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest",
    spec: {expirationSeconds: $seconds}}' |
    api POST "/api/v1/namespaces/$1/serviceaccounts/$2/token" -H 'Content-Type: application/json' --data @- |
    jq -r .status.token
}

# kubeconfig FILE KIND [VALUE]: for this cluster, as `kubectl config` writes it. KIND is
#   cert, cert-file      the administrator's certificate and key, in the file or by the names of their files
#   token TOKEN          in the file
#   token-file FILE      read from FILE
#   exec TOKEN           from a program, FILE.d/token, which prints an ExecCredential with it; each call is a line in
#                        FILE.d/calls. kubectl writes its name relative to FILE.
kubeconfig() {
  local file=$1 kind=$2 value=${3:-} embed=true
  rm -f "$file"
  [[ $kind != cert-file ]] || embed=false
  kubectl_config "$file" set-cluster kube --server="https://$KUBE_SERVER:6443" \
    --certificate-authority="$KUBE_DIR/pki/ca.crt" --embed-certs=$embed
  case $kind in
  cert | cert-file)
    kubectl_config "$file" set-credentials user --client-certificate="$KUBE_DIR/pki/admin.crt" \
      --client-key="$KUBE_DIR/pki/admin.key" --embed-certs=$embed
    ;;
  token) kubectl_config "$file" set-credentials user --token="$value" ;;
  token-file) kubectl_config "$file" set users.user.tokenFile "$value" ;;
  exec)
    mkdir -p "$file.d"
    cat >"$file.d/token" <<PLUGIN
#!/bin/sh
echo called >>"$file.d/calls"
echo '{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": "$value"}}'
PLUGIN
    chmod 700 "$file.d/token"
    kubectl_config "$file" set-credentials user --exec-command="$file.d/token" \
      --exec-api-version=client.authentication.k8s.io/v1beta1
    ;;
  *)
    echo "kubeconfig: there is no kind $kind" >&2
    return 1
    ;;
  esac
  kubectl_config "$file" set-context kube --cluster=kube --user=user
  kubectl_config "$file" use-context kube
}

kubectl_config() {
  local file=$1
  shift
  "$KUBE_ROOT/usr/bin/kubectl" --kubeconfig="$file" config "$@" >/dev/null
}

# Fake nodes and pods -------------------------------------------------------------------------------

# fake_node NAME ADDRESS: an object, Ready; its address is that of node_join, or nobody's.
fake_node() {
  jq -n --arg name "$1" --arg address "$2" '{apiVersion: "v1", kind: "Node", metadata: {$name, labels:
      {"kubernetes.io/hostname": $name}}, status: {addresses: [{type: "InternalIP", $address},
      {type: "Hostname", address: $name}], conditions: [{type: "Ready", status: "True"}]}}' |
    api POST /api/v1/nodes -H 'Content-Type: application/json' --data @- >/dev/null
}

# fake_pods: lines of "NAMESPACE POD ADDRESS [WORKLOAD [PHASE [STARTTIME [NODE]]]]", as pods_file has them, from standard
# input: makes these pods, on NODE or node-a, with this status. POD's name must be WORKLOAD-5d4f8c7b9-…; of another
# WORKLOAD, or -, only the owner and the label are missing. ADDRESS may be two, with a comma; an address of its node makes
# it a pod of the host's network.
fake_pods() {
  local namespace pod address workload phase start node host
  while read -r namespace pod address workload phase start node; do
    [[ -n $address ]] || continue
    kube_namespace "$namespace"
    node=${node:-node-a}
    host=$(kubectl get node "$node" -o 'jsonpath={.status.addresses[0].address}')
    echo "$namespace $pod ${address%%,*} ${workload:--}" | PORT=${PORT:-3000} pods_file |
      jq --arg node "$node" --argjson host "$([[ $address == "$host" ]] && echo true || echo false)" '
        .items[0] | del(.status, .metadata.uid) | .spec.nodeName = $node | .spec.hostNetwork = $host' |
      api POST "/api/v1/namespaces/$namespace/pods" -H 'Content-Type: application/json' --data @- >/dev/null
    fake_status "$namespace" "$pod" "$address" "${phase:-Running}" "${start:-2024-01-01T00:00:00Z}" "$host"
  done
}

# fake_status NAMESPACE POD ADDRESS [PHASE [STARTTIME [HOSTADDRESS]]]: what the kubelet would write; of any pod. Running is
# Ready, too.
fake_status() {
  jq -n --arg addresses "$3" --arg phase "${4:-Running}" --arg start "${5:-2024-01-01T00:00:00Z}" --arg host "${6:-}" '
    (if $phase == "Running" then "True" else "False" end) as $ready
    | {status: {$phase, startTime: $start, podIP: ($addresses / ",")[0], podIPs: [$addresses / "," | .[] | {ip: .}],
      conditions: (["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        | map({type: ., status: $ready, lastTransitionTime: $start}))}
      | (if $host == "" then . else .hostIP = $host end)}' |
    api PATCH "/api/v1/namespaces/$1/pods/$2/status" -H 'Content-Type: application/merge-patch+json' --data @- >/dev/null
}

# kube_clean: no pod is left of what this test made; for the teardown of a test with fake pods.
kube_clean() {
  kubectl delete pods -A --all --force --grace-period=0 >/dev/null 2>&1
}

# node_join [ADDRESS]: the node of node_up reaches the API server, by this address of its own.
node_join() {
  local pid=$NODE address=${1:-192.0.2.10}
  in_kube bash -euc '
    ip link add "node$1" type veth peer name kube0 netns "$1"
    ip link set "node$1" master kube0 up' join "$pid"
  in_pod node bash -euc 'ip addr add "$1/24" dev kube0 && ip link set kube0 up' join "$address"
}

# Pods of the real node -----------------------------------------------------------------------------

# node_real: node-a of the cluster is the node of this test, for in_pod node, trace_start, trace_stop.
node_real() {
  T=$BATS_TEST_TMPDIR NODE=$KUBE_PID PORT=3000
}

# deploy_server NAMESPACE NAME REPLICAS [SERVICE CLUSTERADDRESS]: pods that listen on port 3000 once the gate `listen` is
# open, and are probed by the kubelet each second; a Service that takes port 80 to them. When the gate `end` is open they
# take what is queued, print what they counted, and stay: then there is a gate ended.POD of each.
deploy_server() {
  kube_namespace "$1"
  [[ -z ${4:-} ]] || jq -n --arg app "$2" --arg name "$4" --arg address "$5" '{apiVersion: "v1", kind: "Service",
    metadata: {$name}, spec: {clusterIP: $address, selector: {$app}, ports: [{port: 80, targetPort: 3000}]}}' |
    kubectl -n "$1" create -f - >/dev/null
  deploy "$1" "$2" "$3" '
    until [ -e /gates/listen ]; do sleep 0.05; done
    whocalls-load server --port 3000 --mode http &
    until [ -e /gates/end ]; do sleep 0.05; done
    kill $! && wait $!
    touch "/gates/ended.$HOSTNAME"' '.ports = [{containerPort: 3000}]
      | .readinessProbe = {httpGet: {path: "/", port: 3000}, periodSeconds: 1, timeoutSeconds: 10}'
}

# deploy_client NAMESPACE NAME REPLICAS args…: pods of which each runs `whocalls-load client` so when the gate `go` is
# open, prints what it counted, and stays.
deploy_client() {
  local namespace=$1 name=$2 replicas=$3
  shift 3
  deploy "$namespace" "$name" "$replicas" "whocalls-load client --go /gates/go ${*@Q} || true"
}

# deploy NAMESPACE NAME REPLICAS SCRIPT [FILTER]: FILTER is jq's, over the container.
deploy() {
  kube_namespace "$1"
  jq -n --arg name "$2" --argjson replicas "$3" --arg script "$4
    exec sleep infinity" '
    {name: "main", image: "docker.io/local/load:1", command: ["sh", "-c", $script],
      volumeMounts: [{name: "gates", mountPath: "/gates"}]}
    | '"${5:-.}"'
    | {apiVersion: "apps/v1", kind: "Deployment", metadata: {$name}, spec: {$replicas, selector: {matchLabels: {app: $name}},
        template: {metadata: {labels: {app: $name}}, spec: {containers: [.],
          volumes: [{name: "gates", hostPath: {path: "/run/gates"}}]}}}}' |
    kubectl -n "$1" create -f - >/dev/null
}

# gate_open NAME…: pods and tests share the node's /run/gates; what waits for /gates/NAME there goes on.
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
  wait_for "[[ \$(kubectl -n $1 get pods -l app=$2 -o json | jq '[.items[].status | select(.phase == \"Running\" and .podIP
    and all(.containerStatuses[]; .state.running))] | length') == $3 ]]" 120
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
  pid=$(<"$KUBE_DIR/kubelet.pid")
  kill -STOP "$pid"
  wait_for "! cat /proc/$pid/task/*/stat | grep -v ') T '"
}

kubelet_resume() {
  kill -CONT "$(<"$KUBE_DIR/kubelet.pid")"
}
