# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later
#
# What tests/node/lib.sh has, and an API server made for tests on the node's own loopback address. After api_start:
#
#   NAMED        options of a trace that has its names from there
#   $T/api.status   what it has told, as a line of JSON; api_told prints a field

TESTS_API=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/node/lib.sh
. "$TESTS_API/../node/lib.sh"
API=${API:-$TESTS_API/../../build/whocalls-api}
API_PORT=8001

# api_start ARGS…: of whocalls-api; returns when it listens.
api_start() {
  rm -f "$T/api.status"
  jq -n --arg server "http://127.0.0.1:$API_PORT" '{apiVersion: "v1", kind: "Config", "current-context": "api",
    clusters: [{name: "api", cluster: {$server}}], users: [{name: "api", user: {}}],
    contexts: [{name: "api", context: {cluster: "api", user: "api"}}]}' >"$T/kubeconfig"
  # shellcheck disable=SC2034 # of whoever loads this
  NAMED=(--kubeconfig "$T/kubeconfig" --node node-0)
  background_in node "$T/api.log" "$T/api.log" "$API" --port "$API_PORT" --status "$T/api.status" "$@"
  API_PID=$!
  wait_for '[[ -s $T/api.status ]] || ! kill -0 "$API_PID"'
  [[ -s $T/api.status ]] || {
    cat "$T/api.log"
    return 1
  }
}

api_stop() {
  kill -TERM "$API_PID"
  wait "$API_PID"
}

# api_objects: what to start it with for Services and EndpointSlices of a test's own: api_start $(api_objects) ARGS….
# What the functions below write it tells within milliseconds, as what came, changed or (rm) went; object_events of
# $T/api.status counts that.
api_objects() {
  mkdir -p "$T/objects/services" "$T/objects/endpointslices"
  echo "--objects $T/objects"
}

# api_service NAMESPACE NAME UID PORT [WATCH]: a Service, with the annotation whocalls.dev/watch if that is given, and
# the label team=NAMESPACE.
api_service() {
  jq -n --arg namespace "$1" --arg name "$2" --arg uid "$3" --argjson port "$4" --arg watch "${5-}" '
    {metadata: {$namespace, $name, $uid, labels: {team: $namespace}}, spec: {ports: [{$port}]}}
    | if $watch == "" then . else .metadata.annotations = {"whocalls.dev/watch": $watch} end' \
    >"$T/objects/services/$1.$2.json"
}

# api_slice NAMESPACE SERVICE PORT POD…: the Service's only EndpointSlice, with pods that the server makes up, by
# number, where it has neither --nodes nor --address.
api_slice() {
  local namespace=$1 service=$2 port=$3 pod
  shift 3
  for pod; do
    printf '%d 100.96.%d.%d %012x app-%d-5d4f8c7b9-%05x team-%d node-%d\n' "$pod" \
      $(((pod + 2) / 256)) $(((pod + 2) % 256)) "$pod" $((pod / 10)) "$pod" $((pod / 100)) $((pod % 2))
  done | jq -nR --arg namespace "$namespace" --arg service "$service" --argjson port "$port" '
    {metadata: {$namespace, name: "\($service)-1", labels: {"kubernetes.io/service-name": $service}},
     addressType: "IPv4", ports: [{name: "", $port, protocol: "TCP"}],
     endpoints: [inputs | split(" ") | {addresses: [.[1]], nodeName: .[5], conditions: {ready: true},
       targetRef: {kind: "Pod", namespace: .[4], name: .[3], uid: "89002bea-042c-421c-aaf2-\(.[2])"}}]}' \
    >"$T/objects/endpointslices/$namespace.$service.json"
}

# api_told FIELD: of $T/api.status, see whocalls-api.c.
api_told() {
  jq ".$1" "$T/api.status"
}

# api_wait FIELD NUMBER [SECONDS]: until it is so many, or more.
api_wait() {
  wait_for "((\$(api_told $1) >= $2))" "${3:-30}"
}

# Until the tracer has taken all that was told: nothing is left in a socket of either side.
api_read() {
  wait_for '[[ $(in_pod node ss -tnH state established "( sport = :$API_PORT or dport = :$API_PORT )" |
    awk "{ left += \$1 + \$2 } END { print left + 0 }") == 0 ]]'
}

# one_service: core/web over pod 0, played by the pod s, which listens.
one_service() {
  # shellcheck disable=SC2046 # words
  api_start $(api_objects) --pods 40
  api_service core web uid-1 80 true
  api_slice core web "$PORT" 0
  server_start s
}
