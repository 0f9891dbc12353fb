# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later
#
# For tests of requests: turns on connections, against the turns that the server itself went through.

load lib.sh

setup() {
  node_up
  pod_add s 100.96.0.2
  pod_add c 100.96.0.3
}

teardown() {
  node_down
}

# talk_start args…: a server that waits in its calls, and so knows its turns.
talk_start() {
  server_start s --mode http --blocking --threads 16 "$@"
}

# http_run NAME args…
http_run() {
  local name=$1
  shift
  client_run "$name" c --to 100.96.0.2 --mode http "$@"
}

# Of how many turns no hook can have told, as the tracer says (from 7.0 on).
untold() {
  jq '.coverage.hooks[] | select(.program == "requests") | .untold' "$T/out.json"
}

# turns_are NAME N requests|turns: the tracer's and, if it counts them, the server's. All connections have ended.
turns_are() {
  server_wait s closed "$(client_count "$1" connections)"
  trace_stop
  COUNTED=$(total requests)
  (($(untold) >= $2 - COUNTED && $2 >= COUNTED)) || same "requests in all" "$COUNTED" "$2"
  caller_is "$1" "requests=$COUNTED" "requests_are=$3"
  if [[ $3 == turns ]]; then
    (($(caller_count "$1" overlaps) > 0))
  else
    caller_is "$1" overlaps=0
  fi
  if [[ -z ${4:-} ]]; then
    same "turns of the server" "$(server_count s turns)" "$2"
  fi
}

# As many times of each kind as there were turns; less those, as the tracer tells, of which no hook told (on 7.x, where
# the kernel skips programs that it has preempted).
times_counted() {
  local missed
  missed=$(jq '.coverage.hooks[] | select(.program == "requests") | .missed' "$T/out.json")
  same "lost times" "$(jq .coverage.lost.times "$T/out.json")" 0
  missed=$((missed + $1 - ${COUNTED:-$1}))
  same "service times" "$(($(jq '.callers[0].service_time.count // 0' "$T/out.json") + missed))" "$1"
  same "response times" "$(($(jq '.callers[0].response_time.count // 0' "$T/out.json") + missed))" "$1"
}

# times_are NAME FIELD [PERCENTILE…]: within 3 % and 0.1 ms of what the server measured; as many. The longest may be
# those in which the server lost the processor between the system call and its own clock: these have 20 ms.
times_are() {
  local name=$1 field=$2 wrong
  shift 2
  (($#)) || set -- p50 p90 p99 max
  [[ -s $T/server.s.json ]] || server_stop s
  wrong=$(jq --arg name "$name" --arg field "$field" --slurpfile server "$T/server.s.json" -r '
    $server[0][$field] as $own | .callers[] | select(.process == $name) | .[$field] as $seen
    | if $seen.count != $own.count then "count: got \($seen.count), want \($own.count)" else empty end,
      ($ARGS.positional[] | select(($seen[.] - $own[.] | fabs) > 0.03 * $own[.] + if IN("p99", "max") then 0.02 else 0.0001 end)
       | "\(.): got \($seen[.]), want \($own[.])")' "$T/out.json" --args "$@")
  [[ -z $wrong ]] || {
    echo "$field: $wrong" >&2
    return 1
  }
}
