# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2034 # conditions in single quotes are evaluated later
#
# The agent on the node of node_up, as a process; NAMED has the options that tell it the API. After agent_start:
#
#   AGENT         its id
#   $T/agent.err  what it says

AGENT_AT=127.0.0.1:9435

# agent_begin ARGS…: starts it; agent_ready: until it counts; agent_start ARGS…: both.
agent_begin() {
  background_in node "$T/agent.out" "$T/agent.err" "$WHOCALLS" agent "${NAMED[@]}" "$@"
  AGENT=$!
}

agent_ready() {
  wait_for "grep -q '^watching ' $T/agent.err || ! kill -0 $AGENT" 60
  grep -q '^watching ' "$T/agent.err"
}

agent_start() {
  agent_begin "$@"
  agent_ready
}

# agent_stop: SIGTERM, and its status is 0.
agent_stop() {
  kill -TERM "$AGENT"
  wait "$AGENT"
  : >"$T/agent.err"
}

# agent_callers TARGET: as of now, or later, into $T/out.json.
agent_callers() {
  document_now "$T/out.json" agent_get "/api/v1/callers?target=$1"
  document_check "$T/out.json"
}

# agent_since TARGET WHEN: as of now, or later, into $T/since.json.
agent_since() {
  document_now "$T/since.json" agent_get "/api/v1/callers?target=$1&since=$2"
}

# agent_verdict TARGET WHEN: into $T/verdict.json; prints which.
agent_verdict() {
  agent_get "/api/v1/verdict?target=$1&since=$2" >"$T/verdict.json" && jq -r .verdict.verdict "$T/verdict.json"
}

verdict_codes() {
  jq -r '[.verdict.reasons[].code] | join(" ")' "$T/verdict.json"
}

# since_is NAME FIELD NUMBER: of the one caller of this name.
since_is() {
  same "$1: $2" "$(jq --arg name "$1" "[.callers[] | select(.name == \$name)] | if length == 1 then .[0].$2 else length end" \
    "$T/since.json")" "$3"
}

# agent_get PATH: the answer; fails if that is an error.
agent_get() {
  in_pod node curl -sS --fail-with-body "http://$AGENT_AT$1"
}

# agent_status PATH [curl args…]: of the answer.
agent_status() {
  in_pod node curl -sS -o /dev/null -w '%{http_code}' "${@:2}" "http://$AGENT_AT$1"
}

agent_targets() {
  agent_get /api/v1/targets | jq -c '[.targets[].target] | sort'
}

# agent_wait FILTER [SECONDS]: until it is true of what it watches.
agent_wait() {
  AGENT_FILTER=$1
  wait_for 'agent_get /api/v1/targets | jq -e "$AGENT_FILTER" >/dev/null' "${2:-30}" || {
    agent_get /api/v1/targets >&2
    return 1
  }
}

# metric NAME LABEL="VALUE"…: of $T/metrics, the value of the one sample that has these labels.
metric() {
  local name=$1 lines label
  shift
  lines=$(grep "^$name{" "$T/metrics" || true)
  for label; do
    lines=$(grep -F "$label" <<<"$lines" || true)
  done
  [[ -n $lines && $(wc -l <<<"$lines") == 1 ]] || {
    echo "$name $*: not one sample: $lines" >&2
    return 1
  }
  echo "${lines##* }"
}

# agent_wait_metric REGEX [SECONDS]: until a line of its metrics is that, from its beginning on.
agent_wait_metric() {
  AGENT_FILTER=$1
  wait_for 'sleep 0.3; agent_get /metrics | grep -q "^$AGENT_FILTER"' "${2:-30}" || {
    agent_get /metrics | grep -v '^#' >&2
    return 1
  }
}

# For the teardown of a test that has failed.
agent_explain() {
  [[ -z ${BATS_TEST_COMPLETED:-} && -e ${T:-}/agent.err ]] || return 0
  sed 's/^/--- agent: /' "$T/agent.err"
}
