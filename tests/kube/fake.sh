# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions and scripts in single quotes are evaluated later
#
# Sourced by lib.sh. Fake nodes and pods: objects of the API, with the status that a kubelet would write. Network
# namespaces of tests/node/lib.sh play them: node_up, node_join, pod_add.

# fake_node NAME ADDRESS: an object, Ready; its address is that of node_join, or nobody's.
fake_node() {
  jq -n --arg name "$1" --arg address "$2" '{apiVersion: "v1", kind: "Node", metadata: {$name, labels:
      {"kubernetes.io/hostname": $name}}, status: {addresses: [{type: "InternalIP", $address},
      {type: "Hostname", address: $name}], conditions: [{type: "Ready", status: "True"}]}}' |
    api POST /api/v1/nodes -H 'Content-Type: application/json' --data @- >/dev/null
}

# fake_pods: lines of "NAMESPACE POD ADDRESS [WORKLOAD [PHASE [STARTTIME [NODE]]]]", as pods_file has them, from
# standard input: makes these pods, on NODE or node-a, with this status. Of a WORKLOAD that is - owner and labels are
# missing. ADDRESS may be two, with a comma; that of its node makes it a pod of the host's network.
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

# fake_status NAMESPACE POD ADDRESS [PHASE [STARTTIME [HOSTADDRESS]]]: what the kubelet would write; of any pod. Running
# is Ready, too.
fake_status() {
  jq -n --arg addresses "$3" --arg phase "${4:-Running}" --arg start "${5:-2024-01-01T00:00:00Z}" --arg host "${6:-}" '
    (if $phase == "Running" then "True" else "False" end) as $ready
    | {status: {$phase, startTime: $start, podIP: ($addresses / ",")[0], podIPs: [$addresses / "," | .[] | {ip: .}],
      conditions: (["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        | map({type: ., status: $ready, lastTransitionTime: $start}))}
      | (if $host == "" then . else .hostIP = $host end)}' |
    api PATCH "/api/v1/namespaces/$1/pods/$2/status" -H 'Content-Type: application/merge-patch+json' --data @- \
      >/dev/null
}

# service NAMESPACE NAME APP ENDPOINTS [PORTS]: over the pods with this label; until it has so many endpoints.
service() {
  local ports=${5:-'[{"port": 80, "targetPort": 3000}]'}
  jq -n --arg name "$2" --arg app "$3" --argjson ports "$ports" --argjson port "$PORT" \
    '{apiVersion: "v1", kind: "Service", metadata: {$name}, spec: {selector: {$app},
      ports: ($ports | map(if .targetPort == 3000 then .targetPort = $port else . end))}}' |
    kubectl -n "$1" create -f - >/dev/null
  endpoints_wait "$@"
}

# endpoints_wait NAMESPACE SERVICE APP ENDPOINTS. Slices of an earlier Service of that name may be there still, with the
# port of another test; and where the API server was away in the test before, the controllers come back to it only after a
# pause, which grows to half a minute.
endpoints_wait() {
  local owner
  owner=$(kubectl -n "$1" get service "$2" -o jsonpath='{.metadata.uid}')
  wait_for "[[ \$(kubectl -n $1 get endpointslices -l kubernetes.io/service-name=$2 -o json | jq -c '
    [(.items | all(.metadata.ownerReferences[0].uid == \"$owner\")), ([.items[].endpoints[]?] | length)]') == \"[true,$4]\" ]]" 120
}

# kube_clean: no pod is left of what this test made; for the teardown of a test with fake pods.
kube_clean() {
  [[ -n ${KUBE_PID:-} ]] || return 0
  kubectl delete pods -A --all --force --grace-period=0 >/dev/null 2>&1
}

# node_join [ADDRESS]: the node of node_up reaches the API server, by this address of its own.
node_join() {
  local address=${1:-192.0.2.10}
  in_kube bash -euc '
    ip link add "node$1" type veth peer name kube0 netns "$1"
    ip link set "node$1" master kube0 up' join "${NODE:?}"
  in_pod node bash -euc 'ip addr add "$1/24" dev kube0 && ip link set kube0 up' join "$address"
}
