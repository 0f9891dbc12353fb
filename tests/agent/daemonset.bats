# SPDX-License-Identifier: MIT
# The DaemonSet of deploy/ on a real node, and a real Prometheus that scrapes it.
# shellcheck disable=SC2016 # of jq, and conditions that are evaluated later

load lib.sh

setup_file() {
  kube_possible || return 0
  kube_up node
  agent_up
  prometheus_up
  # watched all the time, for what is about whole minutes
  kube_namespace kept
  kubectl -n kept create service clusterip kept --tcp=80 >/dev/null
  agent_watches kept kept 0
}

teardown_file() {
  node_down
  kube_down
}

setup() {
  kube_need
  node_real
}

teardown() {
  agent_explain
  kube_explain
  node_down
  real_clean
}

# counts NAMESPACE NAME NUMBER: what so many pods of this Deployment counted themselves, into $T/NAME.counts; counted NAME
# FIELD: the sum.
counts() {
  wait_for "deploy_counts $1 $2 >$T/$2.counts && [[ \$(wc -l <$T/$2.counts) == $3 ]]" 60
}

counted() {
  jq -s "map(.$2) | add" "$T/$1.counts"
}

# dashboard_answered NAMESPACE SERVICE: each question of the dashboard has an answer, but those for what went wrong.
dashboard_answered() {
  local question
  while read -r question; do
    wait_for 'prometheus_query "$question" >"$T/answer" &&
      [[ $question == *"> 0" || $(jq length "$T/answer") -gt 0 ]]' 20 || {
      echo "no answer: $question" >&2
      return 1
    }
    echo "$question" >>"$T/asked"
  done < <(jq -r '.. | objects | .expr? // empty' "$DEPLOY/grafana/whocalls.json" |
    sed "s/\$namespace/$1/g; s/\$service/$2/g; s/\$__rate_interval/1m/g; s/\$__range/1h/g")
  same questions "$(wc -l <"$T/asked")" "$(jq '[.panels[].targets[]?] | length' "$DEPLOY/grafana/whocalls.json")"
}

# promtool ARGS…
promtool() {
  "$PROMETHEUS/usr/bin/promtool" "$@"
}

# What the servers count from their first connection to their last is what Prometheus must say: they listen only once the
# agent watches them, and end when the kubelet stands still.
@test "the story: what Prometheus says of each caller is what callers and servers counted themselves" {
  local service='namespace="buffer",service="session-service"' name
  deploy_server buffer session-service-v1 2 session-service 10.96.0.100
  deploy_server core session-service-v1-master 1 session-service 10.96.0.101
  deploy_client dev login-main 2 --to 10.96.0.100 --port 80 --mode http --connections 40 --requests 3
  deploy_client core account-v2 1 --to 10.96.0.100 --port 80 --mode http --connections 25
  deploy_client dev publish-main 1 --to 10.96.0.101 --port 80 --mode http --connections 30
  deploy_wait buffer session-service-v1 2
  deploy_wait core session-service-v1-master 1
  deploy_wait dev login-main 2
  deploy_wait core account-v2 1
  deploy_wait dev publish-main 1
  agent_watches buffer session-service 2
  gate_open listen
  service_wait 10.96.0.100 2
  service_wait 10.96.0.101 1
  gate_open go
  same "login's connections" "$(deploy_count dev login-main 2 connections)" 80
  same "account's connections" "$(deploy_count core account-v2 1 connections)" 25
  same "publish's connections" "$(deploy_count dev publish-main 1 connections)" 30
  kubelet_stop
  gate_open end
  gates_wait 'ended.session-service-*' 3
  kubelet_resume

  counts dev login-main 2
  counts core account-v2 1
  counts buffer session-service-v1 2
  # each caller, as it counted itself
  value_is "whocalls_connections_total{$service,caller=\"login-main\",caller_namespace=\"dev\",caller_kind=\"Deployment\"}" 80
  value_is "whocalls_connections_total{$service,caller=\"account-v2\",caller_namespace=\"core\",caller_class=\"workload\"}" 25
  for name in login-main account-v2; do
    value_is "whocalls_requests_total{$service,caller=\"$name\"}" "$(counted "$name" requests)"
    value_is "whocalls_request_duration_seconds_count{$service,caller=\"$name\"}" "$(counted "$name" requests)"
    value_is "whocalls_received_bytes_total{$service,caller=\"$name\"}" "$(counted "$name" bytes_sent)"
    value_is "whocalls_sent_bytes_total{$service,caller=\"$name\"}" "$(counted "$name" bytes_received)"
    value_is "whocalls_connections_open{$service,caller=\"$name\"}" 0
  done
  # all of them and the kubelet, as the servers counted
  value_is "sum(whocalls_connections_total{$service})" "$(counted session-service-v1 accepted)"
  value_is "sum(whocalls_requests_total{$service})" "$(counted session-service-v1 requests)"
  value_is "sum(whocalls_received_bytes_total{$service})" "$(counted session-service-v1 bytes_received)"
  value_is "sum(whocalls_sent_bytes_total{$service})" "$(counted session-service-v1 bytes_sent)"
  value_is "sum(whocalls_connections_unattributed_total{$service})" 0
  prometheus_answers "whocalls_connections_total{$service}" '[.[].metric | .caller_class + " " + .caller] | sort' \
    '["probe ","workload account-v2","workload login-main"]'
  # the answer in JSON says the same
  agent_ask '/api/v1/callers?target=buffer/session-service' >"$T/out.json"
  document_check "$T/out.json"
  caller_is login-main opened=80 class=workload kind=Deployment namespace=dev
  caller_is account-v2 opened=25 class=workload kind=Deployment namespace=core

  # the twin was called, but is not watched
  prometheus_answers 'count by (namespace) ({namespace!="",__name__=~"whocalls_.*"})' '[.[].metric.namespace] | sort' \
    '["buffer","kept"]'
  # no label tells a pod or an address, but the one that the scraper gives
  prometheus_ask series -G --data-urlencode 'match[]={job="whocalls"}' |
    jq -r '.[] | del(.instance) | to_entries[].value' | sort -u >"$T/labels"
  grep -qx login-main "$T/labels"
  kubectl get pods -A -o json | jq -r '.items[] | .metadata.name, .metadata.uid, .status.podIP' | sort -u >"$T/pods"
  grep -q '^login-main-' "$T/pods"
  same "labels with a pod" "$(grep -Ff "$T/pods" "$T/labels")" ''
  value_is "whocalls:target:covered{$service}" 1
  dashboard_answered buffer session-service
}

@test "the rules of deploy/ are loaded and healthy; promtool takes them, and the metrics" {
  local number
  number=$(yq '[.groups[].rules[]] | length' "$DEPLOY/prometheus/rules.yaml")
  wait_for '[[ $(prometheus_ask rules | jq -c "[.groups[].rules[].health] | unique") == "[\"ok\"]" ]]' 30 ||
    prometheus_ask rules | jq '.groups[].rules[] | select(.health != "ok")'
  same "healthy rules" "$(prometheus_ask rules | jq '[.groups[].rules[] | select(.health == "ok")] | length')" "$number"
  promtool check rules "$DEPLOY/prometheus/rules.yaml"
  agent_ask /metrics >"$T/metrics"
  grep -q '^whocalls_build_info' "$T/metrics"
  promtool check metrics <"$T/metrics"
}

@test "who may ask: 401 without a token the API knows, 403 without the right, 405 for what is no GET" {
  local nobody scraper path
  kubectl -n monitoring create serviceaccount nobody >/dev/null
  nobody="Authorization: Bearer $(service_account_token monitoring nobody)"
  kubectl -n monitoring create serviceaccount scraper >/dev/null
  kubectl create clusterrole metrics-only --verb=get --non-resource-url=/metrics >/dev/null
  kubectl create clusterrolebinding metrics-only --clusterrole=metrics-only --serviceaccount=monitoring:scraper >/dev/null
  scraper="Authorization: Bearer $(service_account_token monitoring scraper)"
  for path in /metrics /api/v1/targets '/api/v1/callers?target=a/b'; do
    same "anonymous: $path" "$(agent_status "$path")" 401
    same "a wrong token: $path" "$(agent_status "$path" -H 'Authorization: Bearer wrong')" 401
    same "without the right: $path" "$(agent_status "$path" -H "$nobody")" 403
  done
  same "with the right" "$(agent_status /metrics -H "@$KUBE_DIR/prometheus/header")" 200
  same "with that right, targets" "$(agent_status /api/v1/targets -H "@$KUBE_DIR/prometheus/header")" 200
  same "with a right to metrics" "$(agent_status /metrics -H "$scraper")" 200
  same "with a right to metrics, targets" "$(agent_status /api/v1/targets -H "$scraper")" 403
  for path in /healthz /readyz; do
    same "without a token: $path" "$(agent_status "$path")" 200
  done
  for method in POST PUT DELETE; do
    same "$method" "$(agent_status /metrics -X "$method" -H "@$KUBE_DIR/prometheus/header")" 405
  done
  # without TLS there is no answer
  run in_kube curl -s --max-time 5 "http://$AGENT_AT/healthz"
  same "status of curl without TLS" "$((status != 0))" 1
}

# bits NAME…: these capabilities, as /proc/PID/status writes a set of them.
bits() {
  local name number set=0
  for name; do
    number=$(grep -oP "^#define CAP_$name\s+\K\d+" /usr/include/linux/capability.h)
    set=$((set | 1 << number))
  done
  printf '%016x\n' "$set"
}

# The capabilities of the manifest that is applied.
capabilities() {
  kubectl -n whocalls get daemonset whocalls -o json |
    jq -r '.spec.template.spec.containers[0].securityContext.capabilities.add[]'
}

@test "the container has what the manifest gives it, and no more" {
  local pid status wanted all set
  pid=$(agent_pid)
  status=/proc/$pid/status
  same program "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -d ' ' -f 1,2)" '/whocalls agent'
  mapfile -t wanted < <(capabilities)
  all=$(bits "${wanted[@]}")
  for set in CapEff CapPrm CapBnd; do
    same "$set" "$(awk -v set="$set:" '$1 == set { print $2 }' "$status")" "$all"
  done
  for set in CapInh CapAmb; do
    same "$set" "$(awk -v set="$set:" '$1 == set { print $2 }' "$status")" "$(bits)"
  done
  same NoNewPrivs "$(awk '$1 == "NoNewPrivs:" { print $2 }' "$status")" 1
  same "Seccomp, by filter" "$(awk '$1 == "Seccomp:" { print $2 }' "$status")" 2
  same "root file system" "$(awk '$5 == "/" { print substr($6, 1, 2) }' "/proc/$pid/mountinfo")" ro
  # of the node's files only its state can be written
  same "what can be written" "$(awk '$6 ~ /^rw/ && $9 !~ /^(tmpfs|proc|devpts|mqueue|sysfs|cgroup2?)$/ { print $5 }' \
    "/proc/$pid/mountinfo" | grep -vxE '/etc/.*|/dev/.*' | sort | tr '\n' ' ')" '/var/lib/whocalls '
}

# lesser NAME [CAPABILITY]: a pod as the DaemonSet's without this one, of which one container tries to be an agent, and
# another is `doctor`.
lesser() {
  kubectl -n whocalls get daemonset whocalls -o json | jq --arg name "$1" --arg without "${2:-}" '
    .spec.template.spec | .restartPolicy = "Never" | .nodeName = "node-a" | .terminationGracePeriodSeconds = 0
    | .containers[0] |= (del(.livenessProbe, .readinessProbe, .ports) | .securityContext.capabilities.add -= [$without])
    | .containers = [.containers[0] + {name: "doctor", args: ["doctor"]},
        (.containers[0] | select($without != "") | .name = "agent")]
    | {apiVersion: "v1", kind: "Pod", metadata: {$name, namespace: "whocalls", labels: {"made-by": "test"}}, spec: .}' |
    kubectl create -f - >/dev/null
  wait_for "[[ \$(kubectl -n whocalls get pod $1 -o json | jq '[.status.containerStatuses[] | select(.state.terminated)] |
    length > 0 and length == ($(kubectl -n whocalls get pod "$1" -o json | jq '.spec.containers | length'))') == true ]]" 60
  kubectl -n whocalls get pod "$1" -o json |
    jq -c '[.status.containerStatuses[] | {key: .name, value: .state.terminated.exitCode}] | from_entries' >"$T/$1.status"
  kubectl -n whocalls logs "$1" -c doctor >"$T/$1.doctor"
}

# Each with what it is for, so that the manifest asks for none in vain.
@test "what fails without each capability of the manifest, and that nothing does with all" {
  local capability name lines
  lesser all
  same "status with all" "$(<"$T/all.status")" '{"doctor":0}'
  grep -q '^ok    network namespaces ' "$T/all.doctor"
  grep -q '^ok    cgroups by id ' "$T/all.doctor"
  grep -q '^ok    sockops ' "$T/all.doctor"
  same "what fails" "$(grep '^FAIL' "$T/all.doctor")" ''
  while read -r capability; do
    name=without-$(tr '[:upper:]_' '[:lower:]-' <<<"$capability")
    lesser "$name" "$capability"
    same "status without $capability" "$(<"$T/$name.status")" '{"agent":77,"doctor":69}'
    grep -q "are missing here: CAP_$capability$" < <(kubectl -n whocalls logs "$name" -c agent)
    grep -q "^FAIL  CAP_$capability " "$T/$name.doctor"
    case $capability in
    SYS_ADMIN) lines=('^FAIL  tp_btf/inet_sock_set_state .*EPERM' '^lack  sockops .*EPERM' '^lack  network namespaces .*EPERM') ;;
    SYS_PTRACE) lines=("^lack  network namespaces .*others can't") ;;
    DAC_READ_SEARCH) lines=('^lack  cgroups by id .*EPERM') ;;
    *) lines=("nothing is known that fails without $capability") ;;
    esac
    for line in "${lines[@]}"; do
      grep -q "$line" "$T/$name.doctor" || {
        echo "without $capability: no '$line' in:" >&2
        cat "$T/$name.doctor" >&2
        return 1
      }
    done
    echo "$capability" >>"$T/tried"
  done < <(capabilities)
  same tried "$(sort "$T/tried")" "$(capabilities | sort)"
}

# memory_of PID FILE-OF-V2 FILE-OF-V1: what its cgroup says.
memory_of() {
  local path mount
  path=$(awk -F : '$2 == "memory" { print $3 }' "/proc/$1/cgroup")
  if [[ -n $path ]]; then
    mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/self/mounts)
    cat "$mount$path/$3"
  else
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    cat "$mount$(awk -F : '$1 == 0 { print $3 }' "/proc/$1/cgroup")/$2"
  fi
}

@test "its memory, with the kernel's maps, stays below the manifest's limit" {
  local pid used limit
  pid=$(agent_pid)
  used=$(memory_of "$pid" memory.current memory.usage_in_bytes)
  limit=$(memory_of "$pid" memory.max memory.limit_in_bytes)
  echo "# the agent's container: $((used >> 20)) MiB of $((limit >> 20)); of that its process: $(
    awk '$1 == "RssAnon:" { print int($2 / 1024) }' "/proc/$pid/status") MiB" >&3
  same limit "$limit" $((96 << 20))
  same limit "$(agent_pod '.spec.containers[0].resources.limits.memory')" 96Mi
  ((used < limit))
  same "times it was restarted" "$(agent_pod '.status.containerStatuses[0].restartCount')" 0
}

# events_start: what containerd tells goes into $T/events; it is told something until that gets there.
events_start() {
  background_in_kube "$T/events" "$T/err" "$KUBE_ROOT/usr/bin/ctr" -n k8s.io events
  wait_for 'in_kube ctr -n k8s.io images label docker.io/local/load:1 "at=$EPOCHREALTIME"; [[ -s $T/events ]]'
}

# verdict SINCE: over kept/kept, which has no endpoints; prints the codes of its reasons.
verdict() {
  agent_ask "/api/v1/verdict?target=kept/kept&since=$1" >"$T/verdict.json" &&
    jq -r '[.verdict.reasons[].code] | join(" ")' "$T/verdict.json"
}

@test "a rolling update: it ends in order, what it counted is still known, and the time between is a gap" {
  local old since
  deploy_server buffer session-service-v1 1 session-service 10.96.0.100
  deploy_client dev login-main 1 --to 10.96.0.100 --port 80 --mode http --connections 25
  deploy_wait buffer session-service-v1 1
  deploy_wait dev login-main 1
  agent_watches buffer session-service 1
  gate_open listen
  service_wait 10.96.0.100 1
  gate_open go
  same "login's connections" "$(deploy_count dev login-main 1 connections)" 25
  agent_since 1h
  since_is login-main 25

  old=$(agent_pod '.status.containerStatuses[0].containerID')
  events_start
  # a window begins with a minute: the first whole one that it knows of
  since=$(agent_ask '/api/v1/callers?target=kept/kept&since=1h' | jq -r .window.reaches)
  wait_for "[[ \$(date -u +%Y-%m-%dT%H:%M:%S) > $since ]]" 70
  [[ $(verdict "$since") != *tracer-stopped* ]]
  grep -q no-endpoints "$T/verdict.json"
  kubectl -n whocalls rollout restart daemonset/whocalls >/dev/null
  agent_rolled
  wait_for "grep -q '/tasks/exit .*${old#*://}' $T/events"
  # of 0 nothing is told; of one that had to be killed, 137
  same "status of the old one" "$(grep "/tasks/exit .*${old#*://}" "$T/events" | grep -o '"exit_status":[0-9]*')" ''
  # that an API server was slow to begin with is none of its own
  same "complaints of the new one" "$(kubectl -n whocalls logs daemonset/whocalls |
    grep -vE '^(watching |waiting for the Kubernetes API: |the Kubernetes API tells all again$)')" ''

  deploy_client core account-v2 1 --to 10.96.0.100 --port 80 --mode http --connections 7
  same "account's connections" "$(deploy_count core account-v2 1 connections)" 7
  agent_since 1h
  since_is login-main 25
  since_is account-v2 7
  [[ $(verdict "$since") == *tracer-stopped* ]]
  value_is 'whocalls_connections_total{namespace="buffer",service="session-service",caller="account-v2"}' 7
  value_is 'whocalls_connections_total{namespace="buffer",service="session-service",caller="login-main"}' '0 series'
}
