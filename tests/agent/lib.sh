# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2034 # conditions and scripts in single quotes are evaluated later
#
# The agent as a platform team has it, on the real node of tests/kube/: the image, the manifests of deploy/, and Debian's
# Prometheus. agent_up belongs in setup_file, after kube_up node; prometheus_up after it.
#
#   IMAGE       the archive of `make image`
#   PROMETHEUS  the folder of scripts/prometheus.sh

TESTS_AGENT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEPLOY=$TESTS_AGENT/../../deploy
# shellcheck source=tests/kube/lib.sh
. "$TESTS_AGENT/../kube/lib.sh"

IMAGE=$(realpath "${IMAGE:-$TESTS_AGENT/../../build/whocalls-image.tar}")
AGENT_AT=192.0.2.1:9435 PROMETHEUS_AT=127.0.0.1:9090

# The DaemonSet -------------------------------------------------------------------------------------

# The image into the node's containerd; its tag into the base, as a user writes it there; apply.
agent_up() {
  local reference
  in_kube ctr -n k8s.io images import "$IMAGE" >/dev/null
  reference=$(tar -xOf "$IMAGE" index.json | jq -r '.manifests[0].annotations["io.containerd.image.name"]')
  cp -r "$DEPLOY/kustomize/base" "$KUBE_DIR/base"
  # that it ends in order is tested, not how fast
  sed -i 's/terminationGracePeriodSeconds: 5$/terminationGracePeriodSeconds: 30/' "$KUBE_DIR/base/daemonset.yaml"
  sed -i "s/^    newTag: VERSION$/    newTag: ${reference##*:}/" "$KUBE_DIR/base/kustomization.yaml"
  kubectl apply -k "$KUBE_DIR/base" >/dev/null
  agent_rolled
}

# Until the agent that runs is of the manifest that is applied, and ready.
agent_rolled() {
  kubectl -n whocalls rollout status daemonset/whocalls --timeout=180s >/dev/null
}

# agent_pod [FIELD]: the one pod of it, or a field, as jq has it.
agent_pod() {
  kubectl -n whocalls get pods -l app.kubernetes.io/name=whocalls -o json |
    jq -r '.items | if length == 1 then .[0] else error("\(length) agents") end | '"${1:-.metadata.name}"
}

# Of the process that runs in its container.
agent_pid() {
  local container
  container=$(agent_pod '.status.containerStatuses[0].containerID')
  in_kube ctr -n k8s.io tasks ls | awk -v id="${container#*://}" '$1 == id { print $2 }'
}

# agent_ask PATH [curl args…]: with the token of prometheus_up.
agent_ask() {
  in_kube curl -sSk --fail-with-body -H "@$KUBE_DIR/prometheus/header" "${@:2}" "https://$AGENT_AT$1"
}

# agent_status PATH [curl args…]: of the answer, with no token but one of the arguments.
agent_status() {
  in_kube curl -sk -o /dev/null -w '%{http_code}' "${@:2}" "https://$AGENT_AT$1" || true
}

# agent_watches NAMESPACE SERVICE ENDPOINTS: annotates it; until so many endpoints of it are watched.
agent_watches() {
  kubectl -n "$1" annotate service "$2" whocalls.dev/watch=true >/dev/null
  wait_for "agent_ask /api/v1/targets |
    jq -e '.targets[] | select(.target == \"$1/$2\" and .endpoints.watched == $3)'" 60
}

# The document of the agent on who called buffer/session-service since then, as of now or later, into $T/since.json.
agent_since() {
  document_now "$T/since.json" agent_ask "/api/v1/callers?target=buffer/session-service&since=$1"
}

# since_is NAME NUMBER: connections of that workload in $T/since.json.
since_is() {
  same "$1, remembered" "$(jq -c --arg name "$1" '[.callers[] | select(.name == $name).connections.opened]' \
    "$T/since.json")" "[$2]"
}

# For the teardown of a test that has failed.
agent_explain() {
  [[ -z ${BATS_TEST_COMPLETED:-} && -n ${KUBE_PID:-} ]] || return 0
  kubectl -n whocalls logs daemonset/whocalls --tail 20 2>&1 | sed 's/^/--- agent: /'
  kubectl -n whocalls get pods 2>&1 | sed 's/^/--- /'
}

# Prometheus ----------------------------------------------------------------------------------------

# On the node, with deploy/prometheus/scrape.yaml but for what finds the agents, which Debian leaves out, and how often:
# every three seconds, so that an answer has as long. The rules are evaluated once a second.
prometheus_up() {
  local folder=$KUBE_DIR/prometheus
  export PROMETHEUS=${PROMETHEUS:-$("$TESTS_AGENT/../../scripts/prometheus.sh")}
  mkdir "$folder"
  kube_namespace monitoring
  kubectl -n monitoring create serviceaccount prometheus >/dev/null
  kubectl create clusterrolebinding whocalls-prometheus --clusterrole=whocalls-reader \
    --serviceaccount=monitoring:prometheus >/dev/null
  service_account_token monitoring prometheus >"$folder/token"
  echo "Authorization: Bearer $(<"$folder/token")" >"$folder/header"
  yq '.groups[].interval = "1s"' "$DEPLOY/prometheus/rules.yaml" >"$folder/rules.yaml"
  yq --arg folder "$folder" --arg at "$AGENT_AT" '.global.evaluation_interval = "1s" | .rule_files = ["\($folder)/rules.yaml"]
    | .scrape_configs[] |= (del(.kubernetes_sd_configs, .relabel_configs) | .scrape_interval = "3s" | .scrape_timeout = "3s"
      | .authorization.credentials_file = "\($folder)/token" | .static_configs = [{targets: [$at], labels: {node: "node-a"}}])' \
    "$DEPLOY/prometheus/scrape.yaml" >"$folder/prometheus.yaml"
  background_in_kube "$KUBE_DIR/prometheus.log" "$KUBE_DIR/prometheus.log" "$PROMETHEUS/usr/bin/prometheus" \
    "--config.file=$folder/prometheus.yaml" "--storage.tsdb.path=$folder/data" "--web.listen-address=$PROMETHEUS_AT"
  wait_for '[[ $(prometheus_query "up{job=\"whocalls\"}" | jq -r "$ONE_VALUE") == 1 ]]' 60
}

# prometheus_ask PATH [curl args…]: .data of the answer.
prometheus_ask() {
  in_kube curl -sS --fail-with-body "${@:2}" "http://$PROMETHEUS_AT/api/v1/$1" | jq -c .data
}

prometheus_query() {
  prometheus_ask query -G --data-urlencode "query=$1" | jq -c .result
}

# Of an answer, the value of its one series; of none or many, how many there are.
ONE_VALUE='if length == 1 then .[0].value[1] else "\(length) series" end'

# prometheus_answers QUERY FILTER TEXT: what jq's filter makes of the answer, once Prometheus has asked the agent again.
prometheus_answers() {
  local query=$1 filter=$2 text=$3
  wait_for '[[ $(prometheus_query "$query" | jq -cr "$filter") == "$text" ]]' 20 ||
    same "$query" "$(prometheus_query "$query" | jq -cr "$filter")" "$text"
}

# value_is QUERY NUMBER: the same, of the value of its one series.
value_is() {
  prometheus_answers "$1" "$ONE_VALUE" "$2"
}
