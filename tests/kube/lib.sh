# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions and scripts in single quotes are evaluated later
#
# A real Kubernetes for a file of tests, and what tests/node/lib.sh has. kube_up belongs in setup_file, kube_down in
# teardown_file; the cluster is in namespaces and cgroups of its own (cluster.sh), and goes with the shell that started
# it. Between kube_up and kube_down, in all tests of the file:
#
#   KUBE_DIR     folder of the cluster: *.log, pki/admin.crt, admin.key, ca.crt
#   KUBE_PID     the process that holds its namespaces
#   KUBECONFIG   the administrator's, for kubectl
#   KUBE_SERVER  the API server, 192.0.2.1, port 6443; only reached from within (in_kube, node_join)
#
# Namespaces, ServiceAccounts and pods are the cluster's, not the test's: what a test makes, the next finds.

TESTS_KUBE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/node/lib.sh
. "$TESTS_KUBE/../node/lib.sh"
# shellcheck source=tests/kube/fake.sh
. "$TESTS_KUBE/fake.sh"
# shellcheck source=tests/kube/real.sh
. "$TESTS_KUBE/real.sh"

# The cluster ---------------------------------------------------------------------------------------

# kube_possible: for setup_file, `kube_possible || return 0`, since nothing can be skipped there; kube_need: for setup.
kube_possible() {
  [[ -z $(kube_lacks) ]]
}

kube_need() {
  kube_possible || node_skip "$(kube_lacks)"
}

kube_lacks() {
  if ((EUID != 0)); then
    echo "needs root"
  elif ! grep -q ' cgroup2 ' /proc/self/mounts; then
    echo "there is no cgroup2 here"
  fi
}

# kube_up [controllers|node]: etcd and an API server; the controllers, too, except those that would take fake nodes and
# pods away; or a whole node, node-a.
kube_up() {
  kube_possible || {
    echo "no cluster: $(kube_lacks)"
    return 1
  }
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
  # what bats shows, if it is bats that runs this
  { echo "# a cluster${1:+ with $1}: $(paste -sd , "$KUBE_DIR/times" | sed 's/,/, /g')" >&3; } 2>/dev/null || true
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
  [[ -z ${BATS_TEST_COMPLETED:-} && -n ${KUBE_DIR:-} ]] || return 0
  for file in "$KUBE_DIR"/*.log; do
    [[ -s $file ]] || continue
    echo "--- ${file##*/}"
    tail -n 6 "$file" | cut -c -300
  done
}

load_static_build() {
  LOAD_STATIC=${LOAD_STATIC:-$TESTS_KUBE/../../build/whocalls-load-static}
  if [[ -x $LOAD_STATIC ]]; then
    LOAD_STATIC=$(realpath "$LOAD_STATIC")
    return
  fi
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
  HOME=$KUBE_DIR nsenter "--net=/proc/$KUBE_PID/ns/net" -- "$KUBE_ROOT/usr/bin/kubectl" "--cache-dir=$KUBE_DIR/cache" "$@"
}

# api METHOD PATH [curl args…]: as administrator; with a body from standard input if there is `--data @-`. Prints the
# answer; fails if that is an error.
api() {
  local method=$1 path=$2
  shift 2
  nsenter "--net=/proc/$KUBE_PID/ns/net" -- curl -sS --fail-with-body --retry 5 -X "$method" --cacert "$KUBE_DIR/pki/ca.crt" \
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

# The tracer ----------------------------------------------------------------------------------------

# trace_lines ARGS...: a trace of single events, into $T/events; trace_lines_stop: its last line is the document.
trace_lines() {
  background_in node "$T/events" "$T/err" "$WHOCALLS" trace "$@" -o jsonl
  TRACERS[$T]=$!
  wait_for "grep -q '^tracing ' $T/err" 30
}

trace_lines_stop() {
  kill -INT "${TRACERS[$T]}"
  wait "${TRACERS[$T]}"
  tail -n 1 "$T/events" >"$T/out.json"
  document_check "$T/out.json"
}
