# SPDX-License-Identifier: MIT
# Requests, as each kernel's hooks tell them.
# shellcheck disable=SC2016

load requests.sh

@test "requests: 840 over three connections that are kept alive" {
  server_start s --mode http
  trace_start --port "$PORT"
  http_run one --connections 3 --requests-per-connection 280
  same made "$(client_count one requests)" 840
  turns_are one 840 requests epoll
  caller_is one opened=3
}

# The next request may have come before the call that answers returns. (And threads that take turns on a processor
# preempt each other's hooks on 7.x, so that some reads and some writes are not told.)
@test "requests: 2,000 as fast as they go are not taken for overlapping ones" {
  talk_start
  trace_start --port "$PORT"
  http_run one --connections 8 --requests-per-connection 250
  turns_are one 2000 requests
  times_counted 2000
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
  talk_start --read-by peek
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 5
  turns_are one 10 requests
  times_counted 10
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
  client_start one c --to 100.96.0.2 --mode http --requests-per-connection 3 --timeout 60000
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

@test "requests: the client resets right after the last answer" {
  talk_start
  trace_start --port "$PORT"
  http_run one --end reset --connections 20 --requests-per-connection 3
  turns_are one 60 requests
  times_counted 60
}
