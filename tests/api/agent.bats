# SPDX-License-Identifier: MIT
# The agent: many targets at once, and what it answers over HTTP. Pods are those of the API server's own making: pod 0 is
# 100.96.0.2, pod 1 100.96.0.3 ..., ten to a Deployment app-N.
# shellcheck disable=SC2016,SC2030,SC2031 # each test is a shell of its own

load lib.sh
load agent.sh

setup() {
  node_up
  pod_add s 100.96.0.2
  pod_add c 100.96.0.14
}

teardown() {
  agent_explain
  node_down
}

@test "agent: callers of a Service, as JSON and as metrics, equal what its server accepted" {
  one_service
  agent_start
  same targets "$(agent_targets)" '["core/web"]'
  client_run calls c --to 100.96.0.2 --connections 25
  server_stop s
  agent_callers core/web
  same opened "$(total opened)" "$(jq .accepted "$T/server.s.json")"
  caller_is app-1 "opened=$(client_count calls connections)" class=workload kind=Deployment namespace=team-0
  agent_get /metrics >"$T/metrics"
  same "in metrics" "$(metric whocalls_connections_total 'namespace="core"' 'service="web"' 'caller="app-1"' \
    'caller_kind="Deployment"' 'caller_namespace="team-0"' 'caller_class="workload"')" "$(client_count calls connections)"
  same "no pod in metrics" "$(grep -c 'app-1-5d4f8c7b9' "$T/metrics")" 0
  same "no address in metrics" "$(grep -c '100\.96\.' "$T/metrics")" 0
}

@test "agent: requests, and their histogram, equal what the server answered" {
  one_service
  server_stop s
  server_start s --mode http
  agent_start
  client_run calls c --to 100.96.0.2 --mode http --connections 3 --requests-per-connection 40
  same made "$(client_count calls requests)" 120
  agent_callers core/web
  caller_is app-1 opened=3 requests=120
  agent_get /metrics >"$T/metrics"
  same requests "$(metric whocalls_requests_total 'caller="app-1"')" 120
  same timed "$(metric whocalls_request_duration_seconds_count 'caller="app-1"')" 120
}

@test "agent: a Service, and endpoints, that come and go while it runs" {
  # shellcheck disable=SC2046 # words
  api_start $(api_objects) --pods 40
  server_start s
  agent_start
  same targets "$(agent_targets)" '[]'
  client_run before c --to 100.96.0.2 --connections 5
  api_slice core web "$PORT" 0
  api_service core web uid-1 80 true
  agent_wait '[.targets[] | select(.endpoints.watched == 1)] | length == 1'
  client_run while c --to 100.96.0.2 --connections 7
  agent_callers core/web
  caller_is app-1 opened=7
  api_service core web uid-1 80 false
  agent_wait '.targets == []'
  client_run unwatched c --to 100.96.0.2 --connections 3
  api_service core web uid-1 80 true
  agent_wait '[.targets[] | select(.endpoints.watched == 1)] | length == 1'
  client_run again c --to 100.96.0.2 --connections 4
  agent_callers core/web
  caller_is app-1 opened=4
}

@test "agent: connections that were open before are there, and not opened" {
  one_service
  client_start held c --to 100.96.0.2 --mode hold --connections 6 --hold-until "$T/end"
  client_ready held
  agent_start
  agent_callers core/web
  caller_is app-1 opened=0 open=6
  touch "$T/end"
  client_wait held
  agent_wait '.targets[0].open == 0'
}

@test "agent: two Services over the same pod, one of them goes" {
  one_service
  api_service core other uid-2 80 true
  api_slice core other "$PORT" 0
  agent_start
  agent_wait '[.targets[].endpoints.watched] == [1, 1]'
  client_run calls c --to 100.96.0.2 --connections 30
  local name
  for name in web other; do
    agent_callers "core/$name"
    caller_is app-1 opened=30
  done
  rm "$T/objects/services/core.web.json"
  agent_wait '[.targets[].target] == ["core/other"]'
  client_run more c --to 100.96.0.2 --connections 3
  agent_callers core/other
  caller_is app-1 opened=33
}

@test "agent: a Service that joins another's pod counts from then on, in its history, too" {
  one_service
  agent_start
  client_run before c --to 100.96.0.2 --connections 30
  agent_callers core/web
  caller_is app-1 opened=30
  api_slice core other "$PORT" 0
  api_service core other uid-2 80 true
  agent_wait '[.targets[] | select(.target == "core/other") | .endpoints.watched] == [1]'
  agent_callers core/other
  same callers "$(caller_number true)" 0
  client_run after c --to 100.96.0.2 --connections 4
  agent_callers core/other
  caller_is app-1 opened=4
  agent_callers core/web
  caller_is app-1 opened=34
  agent_since core/other 1h
  since_is app-1 connections.opened 4
  agent_since core/web 1h
  since_is app-1 connections.opened 34
}

@test "agent: a pod that comes after its Service is counted once in the history" {
  # shellcheck disable=SC2046 # words
  api_start $(api_objects) --pods 40
  api_service core web uid-1 80 true
  server_start s
  agent_start
  agent_since core/web 1h
  api_slice core web "$PORT" 0
  agent_wait '[.targets[].endpoints.watched] == [1]'
  client_run calls c --to 100.96.0.2 --connections 5
  agent_since core/web 1h
  since_is app-1 connections.opened 5
  client_run more c --to 100.96.0.2 --connections 2
  agent_since core/web 1h
  since_is app-1 connections.opened 7
}

@test "agent: --all-services, and of one namespace, and by labels" {
  one_service
  api_service core plain uid-2 80
  api_service edge web uid-3 80
  agent_start --all-services
  same all "$(agent_targets)" '["core/plain","core/web","edge/web"]'
  agent_stop
  agent_start --all-services -n edge
  same edge "$(agent_targets)" '["edge/web"]'
  agent_stop
  agent_start -l team=edge
  same team "$(agent_targets)" '["edge/web"]'
  agent_stop
  agent_start
  same annotated "$(agent_targets)" '["core/web"]'
}

@test "agent: endpoints on another node are listed, and not watched" {
  one_service
  # odd numbers are on node-1
  api_slice core web "$PORT" 0 1 3
  agent_start
  agent_wait '.targets[0].endpoints == {watched: 1, elsewhere: 2, ended: 0}'
}

@test "agent: refused attempts are those of the target" {
  one_service
  server_stop s
  agent_start
  client_run refused c --to 100.96.0.2 --connections 9 || true
  same "as the client saw it" "$(client_count refused refused)" 9
  agent_callers core/web
  jq -e '.coverage.hooks[] | select(.program == "refused") | .hook' "$T/out.json" >/dev/null ||
    node_skip "this kernel has no hook for refused attempts"
  caller_is app-1 opened=0 refused=9
  agent_get /metrics >"$T/metrics"
  same "in metrics" "$(metric whocalls_attempts_total 'caller="app-1"' 'result="refused"')" 9
}

@test "agent: what there is not is refused" {
  one_service
  agent_start
  same healthz "$(agent_status /healthz)" 200
  same readyz "$(agent_status /readyz)" 200
  same "no such page" "$(agent_status /nothing)" 404
  same "no target" "$(agent_status /api/v1/callers)" 400
  same "no such target" "$(agent_status '/api/v1/callers?target=core/nothing')" 404
  same POST "$(agent_status /metrics -X POST --data x)" 405
}

@test "agent: it waits for the API, and says so" {
  # shellcheck disable=SC2046 # words
  api_start $(api_objects) --pods 40
  api_service core web uid-1 80 true
  api_slice core web "$PORT" 0
  api_stop
  agent_begin
  wait_for "grep -q '^waiting for the Kubernetes API: ' $T/agent.err" 30
  same healthz "$(agent_status /healthz)" 200
  same readyz "$(agent_status /readyz)" 503
  same metrics "$(agent_status /metrics)" 503
  # shellcheck disable=SC2046 # words
  api_start $(api_objects) --pods 40
  agent_ready
  same readyz "$(agent_status /readyz)" 200
}

@test "agent: beyond loopback it takes TLS and a token" {
  one_service
  AGENT_AT=100.96.0.1:9435
  agent_start --listen :9435
  same "plain HTTP" "$(in_pod c curl -s -o /dev/null -w '%{http_code}' "http://$AGENT_AT/healthz")" 000
  same "healthz" "$(in_pod c curl -sk -o /dev/null -w '%{http_code}' "https://$AGENT_AT/healthz")" 200
  same "no token" "$(in_pod c curl -sk -o /dev/null -w '%{http_code}' "https://$AGENT_AT/metrics")" 401
  same "from the node itself" "$(in_pod node curl -sk -o /dev/null -w '%{http_code}' "https://127.0.0.1:9435/metrics")" 401
}

@test "agent: SIGTERM ends it in order, SIGHUP does not" {
  one_service
  agent_start
  kill -HUP "$AGENT"
  same healthz "$(agent_status /healthz)" 200
  agent_stop
}

@test "agent: what is remembered of the last hour equals what was counted" {
  one_service
  agent_start --state "$T"
  client_run calls c --to 100.96.0.2 --connections 25
  agent_since core/web 1h
  since_is app-1 connections.opened 25
  same "opened in all" "$(jq .totals.opened "$T/since.json")" 25
  client_run more c --to 100.96.0.2 --connections 4
  agent_since core/web 1h
  since_is app-1 connections.opened 29
  same "not a time" "$(agent_status '/api/v1/callers?target=core/web&since=yesterday')" 400
  agent_since core/web "$(date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ)"
  same "callers tomorrow" "$(jq '[.callers[] | select(.connections.opened > 0)] | length' "$T/since.json")" 0
}

@test "agent: what is remembered outlives it, with --state; what is damaged is put aside" {
  one_service
  mkdir "$T/state"
  agent_start --state "$T/state"
  client_run calls c --to 100.96.0.2 --connections 25
  agent_stop
  agent_start --state "$T/state"
  client_run more c --to 100.96.0.2 --connections 4
  agent_since core/web 1h
  since_is app-1 connections.opened 29
  agent_callers core/web
  caller_is app-1 opened=4
  agent_stop
  echo damaged >>"$T/state/history"
  agent_begin --state "$T/state"
  agent_ready
  grep -q 'history.damaged-' "$T/agent.err"
  [[ -n $(compgen -G "$T/state/history.damaged-*") ]]
  agent_since core/web 1h
  same callers "$(jq '.callers | length' "$T/since.json")" 0
}

@test "agent: the verdict over what it remembers, of what was not watched, too" {
  one_service
  agent_start
  same "not watched all the time" "$(agent_verdict core/web 2h)" UNPROVEN
  [[ $(verdict_codes) == *tracer-stopped* ]]
  client_run calls c --to 100.96.0.2 --connections 25
  same "somebody called" "$(agent_verdict core/web 2h)" TRAFFIC
  [[ $(verdict_codes) == 'connections-opened '*tracer-stopped* ]]
  same opened "$(jq .verdict.traffic.opened "$T/verdict.json")" "$(client_count calls connections)"
  same caller "$(jq -c '[.callers[] | [.name, .connections.opened]]' "$T/verdict.json")" '[["app-1",25]]'
}

@test "agent: questions for a verdict that make no sense; several at once; one that waits when it ends" {
  one_service
  agent_start
  same "without a target" "$(agent_status '/api/v1/verdict?since=1h')" 400
  same "without a time" "$(agent_status '/api/v1/verdict?target=core/web')" 400
  same "no time" "$(agent_status '/api/v1/verdict?target=core/web&since=soon')" 400
  same "no target" "$(agent_status '/api/v1/verdict?target=core/none&since=1h')" 404
  for n in 1 2 3; do
    background_in node "$T/asked.$n" "$T/asked.err" curl -sS "http://$AGENT_AT/api/v1/verdict?target=core/web&since=1h"
  done
  wait_for '[[ $(cat "$T"/asked.? | jq -s length) == 3 ]]' 40
  same verdicts "$(cat "$T"/asked.? | jq -r .verdict.verdict | sort -u)" UNPROVEN
  # one that waits for an API that does not answer
  api_stop
  background_in node "$T/last" "$T/last.err" curl -sSv -w '%{http_code}' \
    "http://$AGENT_AT/api/v1/verdict?target=core/web&since=1h"
  wait_for 'grep -q "^> GET" "$T/last.err"'
  # it was read: what was asked later is answered
  agent_get /api/v1/targets >/dev/null
  agent_stop
  wait_for '[[ -s $T/last ]]'
  same "at the end" "$(tail -c 3 "$T/last")" 503
}

# No sweep of its own had to come by: each verdict looks. The handshake stands for a minute, in the next one, too.
@test "agent: a handshake that has just begun, and does not complete, is traffic" {
  one_service
  agent_start
  in_pod node ip -n s neigh replace 100.96.0.14 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
  same before "$(agent_verdict core/web 1h)" UNPROVEN
  client_start slow c --to 100.96.0.2 --connections 3 --timeout 60000
  wait_for "[[ \$(in_pod s ss -Htan state syn-recv | wc -l) == 3 ]]"
  same after "$(agent_verdict core/web 1h)" TRAFFIC
  [[ $(verdict_codes) == attempts-pending* ]]
  same pending "$(jq .verdict.traffic.pending "$T/verdict.json")" 3
  in_pod node ip -n s neigh del 100.96.0.14 dev eth0
  client_wait slow
  same "in the end" "$(agent_verdict core/web 1h)" TRAFFIC
  same counted "$(jq -c '.verdict.traffic | [.opened, .pending]' "$T/verdict.json")" '[3,0]'
  same "tomorrow" "$(agent_status "/api/v1/verdict?target=core/web&since=$(date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ)")" 400
}

# What strangers do to it, from 16 addresses: 32 say nothing, 32 drip bytes of a TLS handshake, 36 send heads of 1 MB. They
# end with the test's folder, too: whoever sleeps when the file comes may find that gone.
@test "agent: 100 hostile clients at once: nothing of what it counts is lost, and probes are answered" {
  local n froms=() files
  one_service
  for ((n = 20; n < 36; n++)); do
    froms+=("100.96.0.$n")
  done
  pod_add evil "${froms[0]}"
  pod_address evil "${froms[@]:1}"
  AGENT_AT=100.96.0.1:9435
  mkdir "$T/state"
  agent_start --listen :9435 --state "$T/state"
  files=$(find "/proc/$AGENT/fd" -mindepth 1 | wc -l)
  head -c 1000000 /dev/zero | tr '\0' a >"$T/head"
  sed -i '1s/^/X-Large: /' "$T/head"
  background_in evil "$T/silent" "$T/silent.err" "$LOAD" client --to 100.96.0.1 --port 9435 --mode hold --connections 32 \
    --from "$(IFS=,; echo "${froms[*]}")" --hold-until "$T/enough"
  background_in evil "$T/drips" "$T/drips.err" bash -c '
    for ((n = 0; n < 32; n++)); do
      { exec 3<>/dev/tcp/100.96.0.1/9435
        until [[ -e $1 || ! -d ${1%/*} ]]; do printf "\x16\x03\x01\x02\x00\x01" >&3; sleep 2; done; } 2>/dev/null &
    done
    wait' drips "$T/enough"
  background_in evil "$T/heads" "$T/heads.err" bash -c '
    for ((n = 0; n < 36; n++)); do
      { until [[ -e $1 || ! -d ${1%/*} ]]; do
          curl -sk --interface "100.96.0.$((20 + n % 16))" -H "@$2" -o /dev/null https://100.96.0.1:9435/metrics; sleep 2
        done; } &
    done
    wait' heads "$T/enough" "$T/head"
  for n in 1 2 3 4; do
    client_run "calls$n" c --to 100.96.0.2 --connections 500
    same "a probe of the node" "$(in_pod node curl -sk -o /dev/null -w '%{http_code}' https://127.0.0.1:9435/readyz)" 200
  done
  touch "$T/enough"
  wait_for "[[ \$(find /proc/$AGENT/fd -mindepth 1 | wc -l) == $files ]]" 30
  agent_stop
  AGENT_AT=127.0.0.1:9435
  agent_start --state "$T/state"
  agent_since core/web 1h
  since_is app-1 connections.opened 2000
  server_stop s
  same accepted "$(jq .accepted "$T/server.s.json")" 2000
}

# What the clients say that they did, by the last number of the addresses: made connections|requests FIRST LAST.
made() {
  local per
  [[ $1 == connections ]] && per=1 || per=3
  jq -s --argjson first "$2" --argjson last "$3" --argjson per $per '[.[].by_source | to_entries[]
    | select(.key | split(".")[3] | tonumber | . >= $first and . <= $last).value] | add * $per' "$T"/made.*
}

# as_made N: the callers, their metrics and the last hour have what the clients made in N rounds.
as_made() {
  local name first last what
  agent_callers core/web
  agent_get /metrics >"$T/metrics"
  agent_since core/web 1h
  while read -r name first last; do
    caller_is "$name" "opened=$(made connections "$first" "$last")" "requests=$(made requests "$first" "$last")"
    for what in connections requests; do
      same "$what of $name in metrics" "$(metric "whocalls_${what}_total" "caller=\"$name\"")" "$(made $what "$first" "$last")"
    done
    same "times of $name" "$(metric whocalls_request_duration_seconds_count "caller=\"$name\"")" \
      "$(made requests "$first" "$last")"
    since_is "$name" connections.opened "$(made connections "$first" "$last")"
    since_is "$name" requests "$(made requests "$first" "$last")"
  done <<<'app-1 14 21
app-2 22 31
app-3 32 34'
  same unattributed "$(total unattributed)" 0
}

addresses() {
  jq '[.callers[].addresses[]] | length' "$T/out.json"
}

# 22 callers where the kernel has room for 17: its map is emptied again and again, while one of them calls on and on. Ten
# seconds later most are forgotten, and then come again.
@test "agent: callers that are no more give up their room, and no count is lost" {
  local round batch n
  one_service
  server_stop s
  server_start s --mode http
  agent_start --max-callers 32
  for ((n = 15; n < 35; n++)); do pod_address c "100.96.0.$n"; done
  for round in 1 2; do
    client_start steady c --to 100.96.0.2 --mode http --connections 3000 --rate 1000 --requests-per-connection 3
    for batch in 0 1 2; do
      client_run "calls$batch" c --to 100.96.0.2 --from-base "100.96.0.$((14 + 7 * batch))" --from-count 7 --mode http \
        --connections 70 --requests-per-connection 3
      cp "$T/client.calls$batch.json" "$T/made.$round.$batch"
      agent_wait_metric 'whocalls_callers_remembered [0-9]*[1-9]'
    done
    client_wait steady
    cp "$T/client.steady.json" "$T/made.$round.steady"
    as_made
    if [[ $round == 1 ]]; then
      same "addresses" "$(addresses)" 21
      agent_wait_metric 'whocalls_callers_forgotten_total 1[0-9]$' 40
      as_made
      (($(addresses) <= 9))
    fi
  done
  server_stop s
  same opened "$(jq .accepted "$T/server.s.json")" "$(made connections 0 255)"
}
