# SPDX-License-Identifier: MIT
# Requests: turns on connections, against the turns that the server itself went through.
# shellcheck disable=SC2016

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

# turns_are NAME N requests|turns: the tracer's and, if it counts them, the server's. All connections have ended.
turns_are() {
  server_wait s closed "$(client_count "$1" connections)"
  trace_stop
  caller_is "$1" "requests=$2" "requests_are=$3"
  same "requests in all" "$(total requests)" "$2"
  if [[ $3 == turns ]]; then
    (($(caller_count "$1" overlaps) > 0))
  else
    caller_is "$1" overlaps=0
  fi
  if [[ -z ${4:-} ]]; then
    same "turns of the server" "$(server_count s turns)" "$2"
  fi
}

# As many times of each kind as there were turns.
times_counted() {
  same "lost times" "$(jq .coverage.lost.times "$T/out.json")" 0
  same "service times" "$(jq '.callers[0].service_time.count' "$T/out.json")" "$1"
  same "response times" "$(jq '.callers[0].response_time.count' "$T/out.json")" "$1"
}

# times_are NAME FIELD [PERCENTILE…]: within 3 % and 0.1 ms of what the server measured; as many.
times_are() {
  local name=$1 field=$2 wrong
  shift 2
  (($#)) || set -- p50 p90 p99 max
  [[ -s $T/server.s.json ]] || server_stop s
  wrong=$(jq --arg name "$name" --arg field "$field" --slurpfile server "$T/server.s.json" -r '
    $server[0][$field] as $own | .callers[] | select(.process == $name) | .[$field] as $seen
    | if $seen.count != $own.count then "count: got \($seen.count), want \($own.count)" else empty end,
      ($ARGS.positional[] | select(($seen[.] - $own[.] | fabs) > 0.03 * $own[.] + 0.0001)
       | "\(.): got \($seen[.]), want \($own[.])")' "$T/out.json" --args "$@")
  [[ -z $wrong ]] || {
    echo "$field: $wrong" >&2
    return 1
  }
}

@test "requests: 840 over three connections that are kept alive" {
  server_start s --mode http
  trace_start --port "$PORT"
  http_run one --connections 3 --requests-per-connection 280
  same made "$(client_count one requests)" 840
  turns_are one 840 requests epoll
  caller_is one opened=3
}

# The next request may have come before the call that answers returns.
@test "requests: 10,000 as fast as they go are not taken for overlapping ones" {
  talk_start
  trace_start --port "$PORT"
  http_run one --connections 4 --requests-per-connection 2500
  turns_are one 10000 requests
  times_counted 10000
}

@test "requests: one on each of 300 short connections" {
  talk_start
  trace_start --port "$PORT"
  http_run one --connections 300
  turns_are one 300 requests
  times_counted 300
}

@test "requests: several callers at once" {
  pod_add d 100.96.0.4
  pod_add e 100.96.0.5
  server_start s --mode http
  trace_start --port "$PORT"
  client_start one c --to 100.96.0.2 --mode http --connections 100
  client_start two d --to 100.96.0.2 --mode http --connections 5 --requests-per-connection 37
  client_start three e --to 100.96.0.2 --mode http --connections 2 --requests-per-connection 211
  client_wait one
  client_wait two
  client_wait three
  server_wait s closed 107
  trace_stop
  caller_is one requests=100 requests_are=requests
  caller_is two requests=185 requests_are=requests
  caller_is three requests=422 requests_are=requests
  same "requests in all" "$(total requests)" 707
}

@test "requests: one byte at a time" {
  talk_start
  trace_start --port "$PORT"
  http_run one --piece 1 --connections 3 --requests-per-connection 10
  turns_are one 30 requests
  times_counted 30
}

@test "requests: one byte at a time, read by single bytes" {
  talk_start --read 1
  trace_start --port "$PORT"
  http_run one --piece 1 --connections 3 --requests-per-connection 10
  turns_are one 30 requests
}

@test "requests: larger than the socket's buffer" {
  talk_start
  trace_start --port "$PORT"
  http_run one --body 8000000 --requests-per-connection 3
  turns_are one 3 requests
  times_counted 3
}

@test "requests: answers larger than the socket's buffer" {
  talk_start --response 8000000
  trace_start --port "$PORT"
  http_run one --requests-per-connection 3
  turns_are one 3 requests
  times_counted 3
}

@test "requests: 100 Continue is a turn of its own, and told" {
  talk_start
  trace_start --port "$PORT"
  http_run one --body 5000 --expect --connections 2 --requests-per-connection 5
  turns_are one 20 turns
  caller_is one overlaps=10
}

@test "requests: a pipeline of 10, read one by one: told" {
  talk_start --read 1
  trace_start --port "$PORT"
  http_run one --pipeline 10 --connections 2 --requests-per-connection 50
  same made "$(client_count one requests)" 100
  turns_are one 100 turns
  times_counted 100
}

# No byte of payload is looked at: to the kernel this is one request with an answer in ten parts.
@test "requests: a pipeline of 10, read at once: one turn, which nothing tells from a request" {
  talk_start
  trace_start --port "$PORT"
  http_run one --pipeline 10 --connections 2 --requests-per-connection 50
  same made "$(client_count one requests)" 100
  turns_are one 10 requests
}

@test "requests: answered before all of it is read: told" {
  talk_start --early --read 1
  trace_start --port "$PORT"
  http_run one --body 4000 --connections 2 --requests-per-connection 5
  turns_are one 10 turns
}

@test "requests: messages both ways on one connection, of which several are under way: turns" {
  talk_start --mode echo --read 100
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --mode close --send 1000 --connections 5
  turns_are one 50 turns
}

@test "requests: megabytes both ways at once: turns" {
  talk_start --mode echo
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --mode close --send 5000000
  turns_are one "$(server_count s turns)" turns
}

@test "requests: the server speaks first: told" {
  talk_start --greet
  trace_start --port "$PORT"
  http_run one --connections 3 --requests-per-connection 5
  turns_are one 15 turns
  caller_is one overlaps=3
}

@test "requests: idle between turns, that is no time of the one before" {
  talk_start
  trace_start --port "$PORT"
  client_start one c --to 100.96.0.2 --mode http --connections 3 --requests-per-connection 5 --hold-after 2 \
    --hold-until "$T/go"
  client_ready one
  server_wait s requests 6
  touch "$T/go"
  client_wait one
  turns_are one 15 requests
  times_counted 15
}

@test "requests: open and idle at the end" {
  talk_start
  trace_start --port "$PORT"
  client_start one c --to 100.96.0.2 --mode http --connections 3 --requests-per-connection 5 --hold-after 2 \
    --hold-until "$T/go"
  client_ready one
  server_wait s turns 6
  trace_stop
  caller_is one requests=6 requests_are=requests overlaps=0 open=3
  same "requests in all" "$(total requests)" 6
}

@test "requests: none where the server only reads" {
  server_start s --mode sink
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --mode close --send 100000 --connections 3
  turns_are one 0 requests
  same "service time" "$(jq '.callers[0].service_time' "$T/out.json")" null
}

@test "requests: answered by sendfile" {
  talk_start --write-by sendfile --response 300000
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 5
  turns_are one 10 requests
  times_counted 10
}

@test "requests: answered by splice" {
  talk_start --write-by splice --response 300000
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 5
  turns_are one 10 requests
  times_counted 10
}

@test "requests: read by splice" {
  talk_start --read-by splice
  trace_start --port "$PORT"
  http_run one --body 300000 --connections 2 --requests-per-connection 5
  turns_are one 10 requests
  times_counted 10
}

@test "requests: MSG_PEEK is no read" {
  talk_start --read-by peek --pause 20000
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 5
  turns_are one 10 requests
  times_counted 10
  # the pause between is no part of it
  times_are one service_time p50
}

@test "requests: read and answered by io_uring" {
  grep -q io_uring_setup /proc/kallsyms && [[ $(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null) != [12] ]] ||
    node_skip "no io_uring in this kernel"
  talk_start --read-by io_uring --write-by io_uring
  trace_start --port "$PORT"
  http_run one --body 300000 --connections 2 --requests-per-connection 5
  turns_are one 10 requests
  times_counted 10
}

@test "requests: read by one thread, answered by another" {
  talk_start --write-by thread --chunks 3
  trace_start --port "$PORT"
  http_run one --connections 4 --requests-per-connection 25
  turns_are one 100 requests
  times_counted 100
}

@test "requests: two threads with an epoll each" {
  server_start s --mode http --threads 2
  trace_start --port "$PORT"
  http_run one --connections 8 --requests-per-connection 50
  turns_are one 400 requests epoll
  times_counted 400
}

@test "requests: on connections opened before the trace, those since count" {
  talk_start
  client_start one c --to 100.96.0.2 --mode http --connections 3 --requests-per-connection 9 --hold-after 4 \
    --hold-until "$T/go"
  client_ready one
  server_wait s turns 12
  trace_start --port "$PORT"
  touch "$T/go"
  client_wait one
  server_wait s closed 3
  trace_stop
  same opened "$(total opened)" 0
  same turns "$(server_count s turns)" 27
  same "requests in all" "$(total requests)" 15
  same requests "$(jq '.callers[0].requests' "$T/out.json")" 15
  same label "$(jq -r '.callers[0].requests_are' "$T/out.json")" requests
  times_counted 15
}

@test "requests: read before the trace and answered in it: not counted" {
  talk_start --answer-when "$T/answer"
  client_start one c --to 100.96.0.2 --mode http --requests-per-connection 3
  wait_for '(($(server_count s bytes_received) > 0))'
  trace_start --port "$PORT"
  touch "$T/answer"
  client_wait one
  server_wait s closed 1
  trace_stop
  same turns "$(server_count s turns)" 3
  same "requests in all" "$(total requests)" 2
  same requests "$(jq '.callers[0].requests' "$T/out.json")" 2
  same label "$(jq -r '.callers[0].requests_are' "$T/out.json")" requests
}

@test "requests: 1,000 connections open" {
  server_start s --mode http
  trace_start --port "$PORT"
  client_start one c --to 100.96.0.2 --mode http --connections 1000 --requests-per-connection 5 --hold-after 2 \
    --hold-until "$T/go"
  wait_for "[[ -e $T/client.one.ready ]]" 60
  server_wait s accepted 1000
  same open "$(established s)" 1000
  touch "$T/go"
  client_wait one
  turns_are one 5000 requests epoll
}

@test "requests: the client resets right after the last answer" {
  talk_start
  trace_start --port "$PORT"
  http_run one --end reset --connections 20 --requests-per-connection 3
  turns_are one 60 requests
  times_counted 60
}

@test "requests: the client half-closes after its request" {
  talk_start
  trace_start --port "$PORT"
  http_run one --end half --connections 20
  turns_are one 20 requests
  times_counted 20
}

# 85 of 100 take 2 ms, 13 take 20 ms, 2 take 100 ms.
delays() {
  printf '2000,%.0s' {1..85}
  printf '20000,%.0s' {1..13}
  echo 100000,100000
}

@test "requests: service times are those that the server measured" {
  talk_start --delay "$(delays)"
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 50
  turns_are one 100 requests
  times_are one service_time
}

@test "requests: response times last until the end of the answer" {
  talk_start --delay 2000,3000,4000,5000,60000 --chunks 4 --pause 3000
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 20
  turns_are one 40 requests
  times_are one service_time
  times_are one response_time
}

# Each address has a histogram of its own in the kernel, 512 of them.
@test "requests: from more addresses than have room for their times: exact, and the lost times are told" {
  in_pod node ip -n s route add 100.97.0.0/16 via 100.96.0.3
  pod_address c 100.97.0.0/16
  server_start s --mode http
  trace_start --port "$PORT"
  http_run one --from-base 100.97.1.1 --from-count 600 --connections 1200 --requests-per-connection 2
  server_wait s closed 1200
  trace_stop
  same "requests in all" "$(total requests)" 2400
  caller_is one requests=2400 requests_are=requests
  same "service times" "$(jq '.callers[0].service_time.count' "$T/out.json")" 2048
  same "lost times" "$(jq .coverage.lost.times "$T/out.json")" 352
}

@test "requests: more callers than can be kept apart: all of their requests are in the total" {
  in_pod node ip -n s route add 100.97.0.0/16 via 100.96.0.3
  pod_address c 100.97.0.0/16
  server_start s --mode http
  trace_start --port "$PORT" --max-callers 4
  http_run one --from-base 100.97.1.1 --from-count 8 --connections 16 --requests-per-connection 3
  server_wait s closed 16
  trace_stop
  same "requests in all" "$(total requests)" 48
  same "of callers" "$(caller_sum true requests)" 24
  same "attributed" "$(total attributed)" 8
}
