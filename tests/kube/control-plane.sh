#!/bin/bash
# SPDX-License-Identifier: MIT
#
# control-plane.sh FOLDER CGROUP [controllers|node]: what cluster.sh runs inside its namespaces: etcd and an API server,
# the controllers, or a whole node, too (real-node.sh). $KUBE_ROOT is the folder of scripts/kube-build.sh. FOLDER gets
#
#   pki/      the certificates of the cluster, of its administrator, and the key of ServiceAccounts
#   *.log     what each program says          *.pid     its process
#   up        made when all is ready
#
# An API server that ends is started again, unless there is FOLDER/api.down. The data is in memory and goes with the
# namespaces.
set -euo pipefail
folder=$1 cgroup=$2 part=$3
here=$(cd "${0%/*}" && pwd)
address=192.0.2.1 server=https://192.0.2.1:6443
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
export PATH=$KUBE_ROOT/usr/bin:$KUBE_ROOT/usr/sbin:$KUBE_ROOT/bin:$PATH:/usr/sbin:/sbin HOME=/run
since=${EPOCHREALTIME//[^0-9]/}

start() { # PROGRAM ARGS...
  setpriv --pdeathsig KILL -- "$@" </dev/null >>"$folder/$1.log" 2>&1 &
  echo $! >"$folder/$1.pid"
}

until_ok() { # COMMAND...
  local tries=1200
  until "$@" >/dev/null 2>&1; do
    ((tries--)) || { echo "in vain: $*" >&2 && exit 1; }
    sleep 0.05
  done
}

took() { # WHAT: since the last
  local now=${EPOCHREALTIME//[^0-9]/}
  echo "$1: $(((now - since) / 1000)) ms" >>"$folder/times"
  since=$now
}

api() { # PATH
  curl -sf --cacert "$folder/pki/ca.crt" --cert "$folder/pki/admin.crt" --key "$folder/pki/admin.key" "$server$1"
}

certificate() { # NAME SUBJECT EXTENSION...
  local name=$1 subject=$2
  shift 2
  openssl req -new "${key[@]}" -keyout "$name.key" -subj "$subject" 2>/dev/null |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile <(printf '%s\n' "$@") \
      -out "$name.crt" 2>/dev/null
}

component() { # NAME USER [GROUP]: NAME.kubeconfig
  local token=$1-$RANDOM$RANDOM$RANDOM
  echo "$token,$2,$1,\"${3:-}\"" >>pki/tokens.csv
  cat >"$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "$server", certificate-authority: $folder/pki/ca.crt}}]
users: [{name: u, user: {token: $token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
CONFIG
}

hostname node-a
mount --make-rshared / # for what the kubelet mounts into pods
mount -t tmpfs run /run
mkdir /run/netns /run/volume-plugins
ip link set lo up
ip link add kube0 type bridge mcast_snooping 0 # what fake nodes are joined to
ip addr add "$address/24" dev kube0
ip link set kube0 up
ip route add 10.96.0.0/16 dev kube0 # what goes to a Service needs a route, before it gets another destination

cd "$folder"
etcd=http://127.0.0.1:2379 peers=http://127.0.0.1:2380
start etcd --data-dir /run/etcd --unsafe-no-fsync --listen-client-urls $etcd --advertise-client-urls $etcd \
  --listen-peer-urls $peers --initial-advertise-peer-urls $peers --initial-cluster default=$peers

mkdir pki
cd pki
openssl req -x509 -new "${key[@]}" -keyout ca.key -subj /CN=kubernetes-ca -days 30 -out ca.crt 2>/dev/null
certificate apiserver /CN=kube-apiserver extendedKeyUsage=serverAuth \
  "subjectAltName=DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1,IP:$address"
certificate admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
openssl ecparam -name prime256v1 -genkey -noout -out sa.key
cd ..
component controllers system:kube-controller-manager
component scheduler system:kube-scheduler
component proxy system:kube-proxy
component kubelet system:node:node-a system:nodes
took certificates

flags=()
[[ -n $part ]] || flags=(--disable-admission-plugins=ServiceAccount) # nobody would make a ServiceAccount for pods
api_start() {
  start kube-apiserver "--bind-address=$address" "--advertise-address=$address" --secure-port=6443 --insecure-port=0 \
    --etcd-servers=$etcd --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key \
    --client-ca-file=pki/ca.crt --token-auth-file=pki/tokens.csv --authorization-mode=Node,RBAC \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.key \
    --service-account-signing-key-file=pki/sa.key --service-cluster-ip-range=10.96.0.0/16 --allow-privileged=true \
    --kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key \
    --kubelet-preferred-address-types=InternalIP --profiling=false "${flags[@]}"
}
api_start
api=$!
until_ok api /readyz
took 'API server'

if [[ -n $part ]]; then
  controllers='*'
  # of fake nodes and pods: they stay as they are, and owners that were never made do not matter
  [[ $part == node ]] || controllers='*,-nodelifecycle,-podgc,-garbagecollector'
  start kube-controller-manager --kubeconfig=controllers.kubeconfig --port=0 --secure-port=0 --leader-elect=false \
    "--controllers=$controllers" --use-service-account-credentials --service-account-private-key-file=pki/sa.key \
    --root-ca-file=pki/ca.crt --service-cluster-ip-range=10.96.0.0/16 --cluster-cidr=10.244.0.0/16 \
    --flex-volume-plugin-dir=/run/volume-plugins
  until_ok api /api/v1/namespaces/default/serviceaccounts/default
  took controllers
fi
if [[ $part == node ]]; then
  # shellcheck source=tests/kube/real-node.sh
  . "$here/real-node.sh"
  took node
fi

echo up >up
while :; do
  wait "$api" || true
  while [[ -e api.down ]]; do sleep 0.02; done
  api_start
  api=$!
done
