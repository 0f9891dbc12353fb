# SPDX-License-Identifier: MIT
# bats file_tags=kernel-side
# What a turn is: this is the same on every kernel, so the guests leave it out.
# shellcheck disable=SC2016

load requests.sh

@test "turns: several callers at once" {
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

@test "turns: one byte at a time" {
  talk_start
  trace_start --port "$PORT"
  http_run one --piece 1 --connections 3 --requests-per-connection 10
  turns_are one 30 requests
  times_counted 30
}

@test "turns: one byte at a time, read by single bytes" {
  talk_start --read 1
  trace_start --port "$PORT"
  http_run one --piece 1 --connections 3 --requests-per-connection 10
  turns_are one 30 requests
}

@test "turns: answers larger than the socket's buffer" {
  talk_start --response 8000000
  trace_start --port "$PORT"
  http_run one --requests-per-connection 3
  turns_are one 3 requests
  times_counted 3
}

@test "turns: 100 Continue is a turn of its own, and told" {
  talk_start
  trace_start --port "$PORT"
  http_run one --body 5000 --expect --connections 2 --requests-per-connection 5
  turns_are one 20 turns
  caller_is one overlaps=10
}

@test "turns: a pipeline of 10, read one by one: told" {
  talk_start --read 1
  trace_start --port "$PORT"
  http_run one --pipeline 10 --connections 2 --requests-per-connection 50
  same made "$(client_count one requests)" 100
  turns_are one 100 turns
  times_counted 100
}

# No byte of payload is looked at: to the kernel this is one request with an answer in ten parts.
@test "turns: a pipeline of 10, read at once: one turn, which nothing tells from a request" {
  talk_start
  trace_start --port "$PORT"
  http_run one --pipeline 10 --connections 2 --requests-per-connection 50
  same made "$(client_count one requests)" 100
  turns_are one 10 requests
}

@test "turns: answered before all of it is read: told" {
  talk_start --early --read 1
  trace_start --port "$PORT"
  http_run one --body 4000 --connections 2 --requests-per-connection 5
  turns_are one 10 turns
}

@test "turns: messages both ways on one connection, of which several are under way: turns" {
  talk_start --mode echo --read 100
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --mode close --send 1000 --connections 5
  turns_are one 50 turns
}

@test "turns: megabytes both ways at once: turns" {
  talk_start --mode echo
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --mode close --send 5000000
  server_wait s closed 1
  turns_are one "$(server_count s turns)" turns
}

@test "turns: the server speaks first: told" {
  talk_start --greet
  trace_start --port "$PORT"
  http_run one --connections 3 --requests-per-connection 5
  turns_are one 15 turns
  caller_is one overlaps=3
}

@test "turns: idle between turns, that is no time of the one before" {
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

@test "turns: open and idle at the end" {
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

@test "turns: none where the server only reads" {
  server_start s --mode sink
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --mode close --send 100000 --connections 3
  turns_are one 0 requests
  same "service time" "$(jq '.callers[0].service_time' "$T/out.json")" null
}

@test "turns: read by one thread, answered by another" {
  talk_start --write-by thread --chunks 3
  trace_start --port "$PORT"
  http_run one --connections 4 --requests-per-connection 25
  turns_are one 100 requests
  times_counted 100
}

@test "turns: two threads with an epoll each" {
  server_start s --mode http --threads 2
  trace_start --port "$PORT"
  http_run one --connections 8 --requests-per-connection 50
  turns_are one 400 requests epoll
  times_counted 400
}

@test "turns: 1,000 connections open" {
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

# 85 of 100 take 2 ms, 13 take 20 ms, 2 take 100 ms.
delays() {
  printf '2000,%.0s' {1..85}
  printf '20000,%.0s' {1..13}
  echo 100000,100000
}

@test "turns: service times are those that the server measured" {
  talk_start --delay "$(delays)"
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 50
  turns_are one 100 requests
  times_are one service_time
}

@test "turns: response times last until the end of the answer" {
  talk_start --delay 2000,3000,4000,5000,60000 --chunks 4 --pause 3000
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 20
  turns_are one 40 requests
  times_are one service_time
  times_are one response_time
}

# Each address has a histogram of its own in the kernel, 512 of them.
@test "turns: from more addresses than have room for their times: exact, and the lost times are told" {
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

@test "turns: more callers than can be kept apart: all of their requests are in the total" {
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

@test "turns: the pause between a peek and the read is no part of a time" {
  talk_start --read-by peek --pause 20000
  trace_start --port "$PORT"
  http_run one --connections 2 --requests-per-connection 5
  turns_are one 10 requests
  times_are one service_time p50
}

@test "turns: MPTCP is not counted, and that is told" {
  need_mptcp
  server_start s --mode http --mptcp
  trace_start --port "$PORT"
  http_run one --mptcp --connections 5
  server_wait s closed 5
  trace_stop
  caller_is one opened=5 requests=0 requests_are=turns
}

@test "turns: one on each of 100 short connections" {
  talk_start
  trace_start --port "$PORT"
  http_run one --connections 100
  turns_are one 100 requests
  times_counted 100
}

@test "turns: larger than the socket's buffer" {
  talk_start
  trace_start --port "$PORT"
  http_run one --body 8000000 --requests-per-connection 3
  turns_are one 3 requests
  times_counted 3
}

@test "turns: the client half-closes after its request" {
  talk_start
  trace_start --port "$PORT"
  http_run one --end half --connections 20
  turns_are one 20 requests
  times_counted 20
}
