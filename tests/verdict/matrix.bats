# SPDX-License-Identifier: MIT
# The fault matrix of `whocalls verify`: what happens, and the verdict that must come of it. For TRAFFIC the exact counts.
# `make test` runs those with the tag short.
# shellcheck disable=SC2016,SC2030,SC2031 # each test is a subshell of its own

load lib.sh

setup() {
  node_up
  pod_add s 100.96.0.2 fd00:96::2
  pod_add c 100.96.0.3 fd00:96::3
  TARGET=(--port "$PORT")
}

teardown() {
  node_down
}

# Nobody --------------------------------------------------------------------------------------------

# bats test_tags=short
@test "nobody at all: QUIET" {
  server_start s
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 0 QUIET
  jq -e '.window.seconds >= 1' "$T/out.json"
  same node "$(jq -r .coverage.node "$T/out.json")" "$(uname -n)"
}

@test "nobody listens and nobody calls: not TRAFFIC" {
  verify_start "${TARGET[@]}" --for 1s
  verify_ended
  ((VERIFY_STATUS == 0 || VERIFY_STATUS == 2))
  verdict_check "$T/out.json"
}

# bats test_tags=short
@test "two pods on the same port, only the other one is called: QUIET" {
  pod_add other 100.96.0.4
  server_start s
  server_start other
  client_prepare wrong c --to 100.96.0.4 --connections 130
  verify_start "${TARGET[@]}" --address 100.96.0.2 --for 1s
  client_go wrong
  verify_wait 0 QUIET
  same opened "$(total opened)" 0
}

@test "a pod on the same port whose connections stand open isn't the one asked for: QUIET" {
  pod_add other 100.96.0.4
  server_start s
  server_start other
  client_start old c --to 100.96.0.4 --mode hold --connections 5 --send-on "$T/go" --send 100 --sent "$T/sent"
  client_ready old
  server_wait other accepted 5
  verify_start "${TARGET[@]}" --address 100.96.0.2 --for 1s
  touch "$T/go"
  verify_wait 0 QUIET
}

@test "more listeners than there is room for: UNPROVEN" {
  command -v python3 >/dev/null || node_skip "needs python3"
  background_in s "$T/listeners.log" "$T/listeners.log" python3 -c '
import socket, sys, time
listeners = []
for _ in range(4200):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("0.0.0.0", int(sys.argv[1])))
    s.listen()
    listeners.append(s)
open(sys.argv[2], "w").write("up\n")
time.sleep(3600)' "$PORT" "$T/listening"
  wait_for '[[ -s $T/listening ]]'
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 2 UNPROVEN
  reasons_are attempts-unseen
  jq -e '.coverage.lost.listeners > 0' "$T/out.json"
}

@test "in a pid namespace of its own, where the pods' old connections aren't seen: UNPROVEN" {
  server_start s --mode echo
  client_start old c --to 100.96.0.2 --mode hold --connections 3 --send-first 700 \
    --send-on "$T/go" --send 1000 --sent "$T/sent"
  client_ready old
  # Nor are the namespaces seen that have a name.
  background_in node "$T/out.json" "$T/err" unshare --pid --fork --mount --mount-proc \
    sh -c 'mount -t tmpfs wc-run /run && exec "$@"' sh "$WHOCALLS" verify "${TARGET[@]}" --for 1s -o json
  TRACERS["$T"]=$!
  verify_begun
  touch "$T/go"
  verify_wait 2 UNPROVEN
  reasons_are namespaces-unseen
  jq -e '.coverage.own_pid_namespace' "$T/out.json"
}

@test "called and ended before the window: QUIET" {
  server_start s
  client_run before c --to 100.96.0.2 --connections 50 --mode close --send 10
  server_wait s closed 50
  wait_for '(($(established s) == 0))'
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 0 QUIET
  same opened "$(total opened)" 0
}

# Connections from before -----------------------------------------------------------------------------

# bats test_tags=short
@test "a caller on an old keep-alive connection: TRAFFIC" {
  server_start s --mode echo
  client_start old c --to 100.96.0.2 --mode hold --connections 3 --send-first 700 \
    --send-on "$T/go" --send 1000 --sent "$T/sent" --hold-until "$T/end"
  client_ready old
  server_wait s bytes_sent 2100
  verify_start "${TARGET[@]}" --allow-idle --for 1h
  touch "$T/go"
  wait_for '[[ -e $T/sent ]]'
  server_wait s bytes_sent 5100
  traffic_end old-connections-active
  same opened "$(total opened)" 0
  same old "$(caller_sum true connections.old)" 3
  same "bytes received" "$(caller_sum true bytes_received)" 3000
  same "bytes sent" "$(caller_sum true bytes_sent)" 3000
}

@test "a caller on an old keep-alive connection that it ends then: TRAFFIC" {
  server_start s --mode echo
  client_start old c --to 100.96.0.2 --mode hold --connections 3 --send-on "$T/go" --send 1000 --sent "$T/sent" \
    --hold-until "$T/sent"
  client_ready old
  server_wait s accepted 3
  verify_start "${TARGET[@]}" --allow-idle --for 1h
  touch "$T/go"
  client_wait old
  server_wait s closed 3
  traffic_end old-connections-active
  same opened "$(total opened)" 0
  same old "$(caller_sum true connections.old)" 3
  same open "$(caller_sum true connections.open)" 0
  same "bytes received" "$(caller_sum true bytes_received)" 3000
}

@test "one of 50 old connections carries one byte: TRAFFIC" {
  server_start s
  client_start idle c --to 100.96.0.2 --mode hold --connections 49 --hold-until "$T/end"
  client_start one c --to 100.96.0.2 --mode hold --send-on "$T/go" --send 1 --sent "$T/sent" --hold-until "$T/end"
  client_ready idle
  client_ready one
  server_wait s accepted 50
  verify_start "${TARGET[@]}" --allow-idle --for 1h
  touch "$T/go"
  server_wait s bytes_received 1
  traffic_end old-connections-active
  same old "$(caller_sum true connections.old)" 50
  same "bytes received" "$(caller_sum true bytes_received)" 1
}

@test "requests on an old connection: TRAFFIC" {
  server_start s --mode http
  client_start old c --to 100.96.0.2 --mode http --requests-per-connection 2000000
  wait_for '(($(server_count s requests) > 10))'
  verify_start "${TARGET[@]}" --allow-idle --for 1s
  verify_wait 1 TRAFFIC old-connections-active
  same opened "$(total opened)" 0
  same old "$(caller_sum true connections.old)" 1
}

# bats test_tags=short
@test "an idle pool: TRAFFIC" {
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 7 --send-first 100 --hold-until "$T/end"
  client_ready pool
  server_wait s bytes_received 700
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 1 TRAFFIC old-connections-held
  reasons_are old-connections-held
  same opened "$(total opened)" 0
  same old "$(caller_sum true connections.old)" 7
  same idle "$(caller_sum true connections.idle)" 7
  jq -e '[.callers[] | select(.connections.idle > 0) | .connections.idle_since | strings] | length == 1' "$T/out.json"
}

# bats test_tags=short
@test "an idle pool with --allow-idle: QUIET" {
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 7 --send-first 100 --hold-until "$T/end"
  client_ready pool
  server_wait s bytes_received 700
  wait_for '[[ -z $(in_pod c ss -tnHo state established "dport = :$PORT" | awk "\$2 > 0") ]]'
  verify_start "${TARGET[@]}" --allow-idle --for 1s
  verify_wait 0 QUIET
  same old "$(caller_sum true connections.old)" 7
  same idle "$(caller_sum true connections.idle)" 7
}

@test "an old idle connection that its caller ends in the window: TRAFFIC" {
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 7 --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 7
  verify_start "${TARGET[@]}" --for 1h
  touch "$T/end"
  client_wait pool
  server_wait s closed 7
  traffic_end old-connections-held
  same old "$(caller_sum true connections.old)" 7
  same open "$(caller_sum true connections.open)" 0
}

@test "opened in the window and left idle, with --allow-idle: TRAFFIC" {
  server_start s
  client_prepare mute c --to 100.96.0.2 --mode hold --connections 3 --hold-until "$T/end"
  verify_start "${TARGET[@]}" --allow-idle --for 1h
  touch "$T/go.mute"
  server_wait s accepted 3
  traffic_end connections-opened
  caller_is mute opened=3 idle=3
}

# Probes ----------------------------------------------------------------------------------------------

# bats test_tags=short
@test "only probes: QUIET" {
  server_start s
  host_kubelet kubelet node --to 100.96.0.2 --connections 12
  verify_start "${TARGET[@]}" --for 3s
  client_go kubelet
  server_wait s accepted 12
  verify_wait 0 QUIET
  same opened "$(total opened)" 12
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 12
}

@test "only probes, by a kubelet of another name: QUIET" {
  server_start s
  host_kubelet k3s-agent node --to 100.96.0.2 --connections 12
  verify_start "${TARGET[@]}" --for 3s
  client_go k3s-agent
  server_wait s accepted 12
  verify_wait 0 QUIET
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 12
}

# bats test_tags=short
@test "only probes with --count-probes: TRAFFIC" {
  server_start s
  host_kubelet kubelet node --to 100.96.0.2 --connections 12
  verify_start "${TARGET[@]}" --count-probes --for 1h
  client_go kubelet
  server_wait s accepted 12
  traffic_end connections-opened
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 12
}

@test "probes, and one call of somebody else: TRAFFIC" {
  server_start s
  host_kubelet kubelet node --to 100.96.0.2 --connections 12
  client_prepare one c --to 100.96.0.2
  verify_start "${TARGET[@]}" --for 1h
  client_go kubelet
  client_go one
  server_wait s accepted 13
  traffic_end connections-opened
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 12
  caller_is one opened=1 class=process
}

@test "a process of the node that calls as a probe does, and isn't the kubelet: TRAFFIC" {
  server_start s --mode http
  host_kubelet kubelet node --to 100.96.0.2 --connections 12 --mode http
  client_prepare health node --to 100.96.0.2 --connections 5 --mode http
  verify_start "${TARGET[@]}" --for 1h
  client_go kubelet
  client_go health
  server_wait s accepted 17
  traffic_end connections-opened
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 12
  caller_is health opened=5 class=process
}

# bats test_tags=short
@test "a process of the node whose name is kubelet, and nothing else of it: TRAFFIC" {
  server_start s
  client_prepare kubelet node --to 100.96.0.2 --connections 7
  verify_start "${TARGET[@]}" --for 1h
  client_go kubelet
  server_wait s accepted 7
  traffic_end connections-opened
  caller_is kubelet opened=7 class=process
}

@test "a pod's process whose name is kubelet, with the kubelet's port in its pod: TRAFFIC" {
  server_start s
  host_kubelet kubelet c --to 100.96.0.2 --connections 7
  verify_start "${TARGET[@]}" --for 1h
  client_go kubelet
  server_wait s accepted 7
  traffic_end connections-opened
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 0
}

# It goes through the node, which gives it its own address.
@test "a pod behind the node's own address, beside the kubelet: TRAFFIC" {
  pod_add far 100.96.7.9
  in_pod far ip route add 100.96.0.2/32 via 100.96.0.1
  in_pod node bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/br0/send_redirects'
  in_pod node nft -f - <<<"table ip nat {
    chain post { type nat hook postrouting priority 100; ip saddr 100.96.7.9 snat to 100.96.0.1; }; }" ||
    node_skip "no NAT by nft here"
  server_start s
  host_kubelet kubelet node --to 100.96.0.2 --connections 4
  client_prepare far far --to 100.96.0.2 --connections 9
  verify_start "${TARGET[@]}" --for 1h
  client_go kubelet
  client_go far
  server_wait s accepted 13
  traffic_end connections-opened
  same addresses "$(jq -r '[.callers[].addresses[]] | unique | join(",")' "$T/out.json")" 100.96.0.1
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 4
  same others "$(caller_sum '.class != "probe"' connections.opened)" 9
}

# The edges of the window ------------------------------------------------------------------------------

# The moment is in the caller's own times; what the window says of itself must hold them.
# bats test_tags=short
@test "one single connection in the first millisecond: TRAFFIC" {
  server_start s
  client_line first c --to 100.96.0.2
  verify_start "${TARGET[@]}" --for 1s
  client_wait first
  verify_wait 1 TRAFFIC connections-opened
  caller_is first opened=1
  called_within
}

@test "one single connection in the last second: TRAFFIC" {
  server_start s
  client_line last c --to 100.96.0.2 --after 1500
  verify_start "${TARGET[@]}" --for 3s
  client_wait last
  verify_wait 1 TRAFFIC connections-opened
  caller_is last opened=1
  called_within
}

# What was done by the end that the window gives itself is counted; what began after it may be, for as long as it takes
# to stop.
@test "a call each millisecond, across the end of the window: TRAFFIC, with those of the window" {
  server_start s
  client_line ticks c --to 100.96.0.2 --every 1 --connections 1400
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 1 TRAFFIC connections-opened
  client_wait ticks
  called "$T/times.ticks" | jq -s -c --slurpfile out "$T/out.json" "$JQ_TIME"'
    ($out[0].window | [.start, .end] | map(us)) as [$open, $close]
    | {within: map(select(.begun >= $open and .done + 2000 <= $close)) | length,
       opened: $out[0].totals.opened, in_all: length}' >"$T/ticks"
  jq -e '.within <= .opened' "$T/ticks" || {
    cat "$T/ticks" >&2
    return 1
  }
}

# called_within: by the callers' own times all of it lies in the window.
called_within() {
  called "$T"/times.* | jq -e -s --slurpfile out "$T/out.json" "$JQ_TIME"'
    ($out[0].window | [.start, .end] | map(us)) as [$open, $close]
    | all(.[]; .begun >= $open and .done <= $close)'
}

# Interrupted, stopped, starved ------------------------------------------------------------------------

# bats test_tags=short
@test "SIGINT in mid-window, nothing seen: UNPROVEN" {
  server_start s
  verify_start "${TARGET[@]}" --for 1h
  kill -INT "${TRACERS[$T]}"
  verify_wait 2 UNPROVEN ended-early
  reasons_are ended-early
}

@test "SIGTERM in mid-window, nothing seen: UNPROVEN" {
  server_start s
  verify_start "${TARGET[@]}" --for 1h
  kill -TERM "${TRACERS[$T]}"
  verify_wait 2 UNPROVEN ended-early
}

@test "SIGINT in mid-window, only probes seen: UNPROVEN" {
  server_start s
  host_kubelet kubelet node --to 100.96.0.2
  verify_start "${TARGET[@]}" --for 1h
  client_go kubelet
  server_wait s accepted 1
  kill -INT "${TRACERS[$T]}"
  verify_wait 2 UNPROVEN ended-early
}

@test "SIGKILL: no verdict" {
  server_start s
  verify_start "${TARGET[@]}" --for 1h
  kill -KILL "${TRACERS[$T]}"
  verify_ended
  same status "$VERIFY_STATUS" 137
  [[ ! -s $T/out.json ]]
}

# bats test_tags=short
@test "stopped for two seconds, with calls: TRAFFIC" {
  server_start s
  client_prepare calls c --to 100.96.0.2 --connections 300 --mode close --send 10
  verify_start "${TARGET[@]}" --for 1h
  kill -STOP "${TRACERS[$T]}"
  client_go calls
  server_wait s closed 300
  sleep 2 # the fault itself
  kill -CONT "${TRACERS[$T]}"
  traffic_end connections-opened
  caller_is calls opened=300 accepted=300 bytes_received=3000
  gap_listed 2
}

@test "stopped for two seconds, no calls: QUIET only with proof, and the gap is told" {
  server_start s
  verify_start "${TARGET[@]}" --for 4s
  kill -STOP "${TRACERS[$T]}"
  sleep 2 # the fault itself
  kill -CONT "${TRACERS[$T]}"
  no_traffic
  gap_listed 2
}

@test "stopped beyond the end of the window, no calls: QUIET only with proof, and the gap is told" {
  server_start s
  verify_start "${TARGET[@]}" --for 3s
  kill -STOP "${TRACERS[$T]}"
  sleep 4 # the fault itself
  kill -CONT "${TRACERS[$T]}"
  no_traffic
  gap_listed 1
}

@test "stopped beyond the end of the window, and called within it: TRAFFIC" {
  server_start s
  client_prepare calls c --to 100.96.0.2 --connections 30
  verify_start "${TARGET[@]}" --for 3s
  kill -STOP "${TRACERS[$T]}"
  client_go calls
  sleep 4 # the fault itself
  kill -CONT "${TRACERS[$T]}"
  verify_wait 1 TRAFFIC connections-opened
  caller_is calls opened=30
}

# gap_listed SECONDS: the evidence has a gap of at least so long.
gap_listed() {
  jq -e --argjson seconds "$1" 'any(.coverage.gaps[]; .seconds >= $seconds)' "$T/out.json" || {
    jq -c .coverage.gaps "$T/out.json" >&2
    return 1
  }
}

# Everything full --------------------------------------------------------------------------------------

@test "the smallest ring under a burst: TRAFFIC, with exact totals" {
  server_start s
  client_prepare burst c --to 100.96.0.2 --connections "${BURST:-20000}" --concurrency 200
  verify_start "${TARGET[@]}" --ring-size 4096 --for 1h
  kill -STOP "${TRACERS[$T]}"
  client_go burst
  kill -CONT "${TRACERS[$T]}"
  traffic_end connections-opened
  same opened "$(total opened)" "${BURST:-20000}"
  same accepted "$(total accepted)" "${BURST:-20000}"
  caller_is burst "opened=${BURST:-20000}"
}

@test "the smallest ring, full, nobody but probes: QUIET only with proof" {
  server_start s
  host_kubelet kubelet node --to 100.96.0.2 --connections 5000
  verify_start "${TARGET[@]}" --ring-size 4096 --for 3s
  kill -STOP "${TRACERS[$T]}"
  client_go kubelet
  server_wait s closed 5000
  kill -CONT "${TRACERS[$T]}"
  no_traffic
  same opened "$(total opened)" 5000
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 5000
}

# bats test_tags=short
@test "the map of callers full, and the smallest ring: TRAFFIC, with exact totals" {
  pod_address c 100.96.16.0/24
  server_start s
  client_prepare many c --to 100.96.0.2 --from-base 100.96.16.1 --from-count 20 --connections 200 --concurrency 2
  verify_start "${TARGET[@]}" --ring-size 4096 --max-callers 8 --for 1h
  client_go many
  traffic_end connections-opened
  same opened "$(total opened)" 200
  same "attributed + unattributed" "$(($(total attributed) + $(total unattributed)))" 200
  (($(total unattributed) > 0))
}

@test "the map of callers full of probes, then another caller: TRAFFIC" {
  server_start s
  in_pod node ip route add local 100.96.16.0/24 dev lo
  in_pod s ip route add 100.96.16.0/24 via 100.96.0.1
  host_kubelet kubelet node --to 100.96.0.2 --from-base 100.96.16.1 --from-count 20 --connections 200
  client_prepare one c --to 100.96.0.2
  verify_start "${TARGET[@]}" --max-callers 8 --for 1h
  client_go kubelet
  client_go one
  server_wait s accepted 201
  traffic_end connections-opened
  same opened "$(total opened)" 201
}

@test "the map of connections full of idle ones, then a call: TRAFFIC" {
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 50 --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 50
  client_prepare one c --to 100.96.0.2
  verify_start "${TARGET[@]}" --allow-idle --max-connections 8 --for 1h
  client_go one
  traffic_end connections-opened
  same opened "$(total opened)" 1
}

@test "the map of connections full of idle ones, data on all of them: never QUIET" {
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 50 --send-on "$T/go" --send 10 --sent "$T/sent" \
    --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 50
  verify_start "${TARGET[@]}" --allow-idle --max-connections 8 --for 4s
  touch "$T/go"
  wait_for '[[ -e $T/sent ]]'
  verify_ended
  ((VERIFY_STATUS == 1 || VERIFY_STATUS == 2))
  verdict_check "$T/out.json"
}

# What never becomes a connection that is served ----------------------------------------------------------

# bats test_tags=short
@test "never accepted: TRAFFIC" {
  server_start s --accept no
  client_prepare wait c --to 100.96.0.2 --mode hold --connections 7 --hold-until "$T/end"
  verify_start "${TARGET[@]}" --for 1h
  touch "$T/go.wait"
  client_ready wait
  wait_for '(($(established s) == 7))'
  traffic_end connections-opened
  caller_is wait opened=7 accepted=0 open=7 waiting=7
}

# bats test_tags=short
@test "reset before it is accepted: TRAFFIC" {
  server_start s --accept no
  client_prepare reset c --to 100.96.0.2 --mode reset --connections 20
  verify_start "${TARGET[@]}" --for 1h
  client_go reset
  wait_for '(($(established s) == 0))'
  traffic_end connections-opened
  caller_is reset opened=20 accepted=0 open=0
}

# bats test_tags=short
@test "a port where nobody listens: TRAFFIC, by each attempt" {
  client_prepare refused c --to 100.96.0.2 --connections 15
  verify_start "${TARGET[@]}" --address 100.96.0.2 --for 1h
  client_go refused || true
  same "refused to the client" "$(client_count refused refused)" 15
  traffic_end attempts-refused
  same opened "$(total opened)" 0
  same refused "$(caller_sum true connections.refused)" 15
}

@test "a port where nobody listens, on IPv6: TRAFFIC" {
  need_ipv6
  client_prepare refused c --to fd00:96::2 --connections 15
  verify_start "${TARGET[@]}" --address fd00:96::2 --for 1h
  client_go refused || true
  same "refused to the client" "$(client_count refused refused)" 15
  traffic_end attempts-refused
  same refused "$(caller_sum true connections.refused)" 15
}

@test "attempts at another pod's closed port: QUIET" {
  pod_add other 100.96.0.4
  server_start s
  client_prepare refused c --to 100.96.0.4 --connections 15
  verify_start "${TARGET[@]}" --address 100.96.0.2 --for 1s
  client_go refused || true
  same "refused to the client" "$(client_count refused refused)" 15
  verify_wait 0 QUIET
}

@test "the kubelet's probes are refused: QUIET" {
  host_kubelet kubelet node --to 100.96.0.2 --connections 5
  verify_start "${TARGET[@]}" --address 100.96.0.2 --for 1s
  client_go kubelet || true
  same "refused to the client" "$(client_count kubelet refused)" 5
  verify_wait 0 QUIET
}

# bats test_tags=short
@test "the queue is full: TRAFFIC" {
  server_start s --accept no --backlog 8
  client_prepare many c --to 100.96.0.2 --mode hold --connections 40 --timeout 300 --hold-until "$T/end"
  verify_start "${TARGET[@]}" --for 1h
  touch "$T/go.many"
  client_ready many
  same "completed by the kernel" "$(established s)" 9
  traffic_end connections-opened handshakes-dropped
  caller_is many opened=9 accepted=0 waiting=9
}

@test "the queue was full before, with --allow-idle, then one SYN more: TRAFFIC" {
  server_start s --accept no --backlog 8
  client_start old c --to 100.96.0.2 --mode hold --connections 40 --timeout 300 --hold-until "$T/end"
  client_ready old
  wait_for '[[ -z $(in_pod s ss -tnH state syn-recv) ]]' 90
  client_prepare one c --to 100.96.0.2 --timeout 300
  verify_start "${TARGET[@]}" --allow-idle --for 1h
  client_go one || true
  traffic_end handshakes-dropped
}

@test "TCP_DEFER_ACCEPT, with data: TRAFFIC" {
  server_start s --defer-accept 30
  client_prepare calls c --to 100.96.0.2 --connections 11 --mode close --send 100
  verify_start "${TARGET[@]}" --for 1h
  client_go calls
  server_wait s closed 11
  traffic_end connections-opened
  caller_is calls opened=11 accepted=11 bytes_received=1100
}

# The client takes it for made; the server's kernel waits for data, or for its last retransmission.
# bats test_tags=short
@test "TCP_DEFER_ACCEPT, without data: TRAFFIC" {
  server_start s --defer-accept 30
  client_prepare mute c --to 100.96.0.2 --connections 5 --mode hold --hold-until "$T/end"
  verify_start "${TARGET[@]}" --for 1h
  touch "$T/go.mute"
  client_ready mute
  same "made, as the client sees it" "$(in_pod c ss -tnH state established "dport = :$PORT" | wc -l)" 5
  same "of that, as the server sees it" "$(established s)" 0
  traffic_end attempts-pending
  same opened "$(total opened)" 0
}

# Kinds of TCP ---------------------------------------------------------------------------------------------

# bats test_tags=short
@test "IPv6 only: TRAFFIC" {
  need_ipv6
  server_start s --family 6
  client_prepare six c --to fd00:96::2 --connections 12
  verify_start "${TARGET[@]}" --for 1h
  client_go six
  traffic_end connections-opened
  caller_is six opened=12 accepted=12 addresses=fd00:96::3
}

@test "IPv6 only, nobody: QUIET" {
  need_ipv6
  server_start s --family 6
  verify_start "${TARGET[@]}" --address fd00:96::2 --for 1s
  verify_wait 0 QUIET
}

@test "IPv4 on an IPv6 socket, idle: TRAFFIC" {
  need_ipv6
  server_start s --family 46
  client_start pool c --to 100.96.0.2 --mode hold --connections 3 --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 3
  verify_start "${TARGET[@]}" --address 100.96.0.2 --for 1s
  verify_wait 1 TRAFFIC old-connections-held
  same old "$(caller_sum true connections.old)" 3
}

# bats test_tags=short
@test "MPTCP: TRAFFIC" {
  need_mptcp
  server_start s --mptcp
  client_prepare multi c --to 100.96.0.2 --connections 12 --mptcp
  verify_start "${TARGET[@]}" --for 1h
  client_go multi
  wait_for '(($(established s) == 0))'
  traffic_end connections-opened
  same opened "$(total opened)" 12
}

@test "MPTCP, old and idle: TRAFFIC" {
  need_mptcp
  server_start s --mptcp
  client_start pool c --to 100.96.0.2 --mptcp --mode hold --connections 3 --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 3
  verify_start "${TARGET[@]}" --for 1s
  verify_wait 1 TRAFFIC old-connections-held
  same old "$(caller_sum true connections.old)" 3
}

@test "MPTCP, data on an old connection: TRAFFIC" {
  need_mptcp
  server_start s --mptcp
  client_start pool c --to 100.96.0.2 --mptcp --mode hold --connections 3 --send-on "$T/go" --send 100 --sent "$T/sent" \
    --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 3
  verify_start "${TARGET[@]}" --allow-idle --for 1h
  touch "$T/go"
  wait_for '[[ -e $T/sent ]]'
  server_wait s bytes_received 300
  traffic_end old-connections-active
}

# bats test_tags=short
@test "TCP Fast Open: TRAFFIC" {
  in_pod s bash -c 'echo 519 >/proc/sys/net/ipv4/tcp_fastopen'
  in_pod c bash -c 'echo 519 >/proc/sys/net/ipv4/tcp_fastopen'
  server_start s --fastopen
  client_prepare fast c --to 100.96.0.2 --connections 12 --mode close --send 100 --fastopen
  verify_start "${TARGET[@]}" --for 1h
  client_go fast
  server_wait s closed 12
  same "data with the SYN" "$(in_pod s nstat -asz TcpExtTCPFastOpenPassive | awk '/FastOpenPassive/ { print $2 }')" 12
  traffic_end connections-opened
  same opened "$(total opened)" 12
  same accepted "$(total accepted)" 12
  same addresses "$(jq -r '[.callers[].addresses[]] | unique | join(",")' "$T/out.json")" 100.96.0.3
  same bytes "$(caller_sum true bytes_received)" 1200
}

@test "a sidecar that calls on loopback: TRAFFIC" {
  server_start s
  client_prepare sidecar s --to 127.0.0.1 --connections 9
  verify_start "${TARGET[@]}" --for 1h
  client_go sidecar
  traffic_end connections-opened
  same opened "$(total opened)" 9
  same loopback "$(caller_sum '.class == "loopback"' connections.opened)" 9
}

# bats test_tags=short
@test "a sidecar that calls on loopback, of a pod that is the target by name: TRAFFIC" {
  echo "buffer session-aaaaa 100.96.0.2" | pods_file >"$T/pods.json"
  server_start s
  client_prepare sidecar s --to 127.0.0.1 --connections 9
  verify_start -n buffer pod/session-aaaaa --pods "$T/pods.json" --for 1h
  client_go sidecar
  traffic_end connections-opened
  same loopback "$(caller_sum '.class == "loopback"' connections.opened)" 9
}

# Listeners that change --------------------------------------------------------------------------------------

@test "the listener goes to another process, nobody calls: QUIET" {
  server_start s --hand-over "$T/hand"
  verify_start "${TARGET[@]}" --for 1s
  take_over
  verify_wait 0 QUIET
}

@test "the listener goes to another process, then calls: TRAFFIC" {
  server_start s --hand-over "$T/hand"
  client_prepare calls c --to 100.96.0.2 --connections 8
  verify_start "${TARGET[@]}" --for 1h
  take_over
  client_go calls
  traffic_end connections-opened
  caller_is calls opened=8
  server_stop s
  kill -TERM "$TAKER"
  wait "$TAKER"
  same "accepted by both" "$(jq -s 'map(.accepted) | add' "$T/server.s.json" "$T/taker.json")" 8
}

# take_over: another process has the listener then, and both live.
take_over() {
  background_in s "$T/taker.json" "$T/taker.log" "$LOAD" server --port "$PORT" --take-over "$T/hand" \
    --ready "$T/taker.ready"
  TAKER=$!
  wait_for '[[ -e $T/taker.ready ]]'
}

@test "the program of the target is restarted, nobody calls: QUIET" {
  server_start s
  verify_start "${TARGET[@]}" --for 2s
  server_restart
  verify_wait 0 QUIET
}

# bats test_tags=short
@test "the program of the target is restarted, an attempt meets the closed port: TRAFFIC" {
  server_start s
  client_prepare refused c --to 100.96.0.2
  verify_start "${TARGET[@]}" --for 1h
  server_stop s
  client_go refused || true
  same "refused to the client" "$(client_count refused refused)" 1
  server_start s
  traffic_end attempts-refused
  same refused "$(caller_sum true connections.refused)" 1
}

@test "the program of the target is restarted, then called: TRAFFIC" {
  server_start s
  client_prepare calls c --to 100.96.0.2 --connections 6
  verify_start "${TARGET[@]}" --for 1h
  server_restart
  client_go calls
  traffic_end connections-opened
  caller_is calls opened=6 accepted=6
}

server_restart() {
  server_stop s
  server_start s
}

# Another pod has its address, and answers with a reset.
# bats test_tags=short
@test "the pod of a connection was replaced, and its caller still sends: TRAFFIC" {
  # What the dead program leaves behind would hold the namespace for minutes.
  in_pod s bash -c 'echo 1 >/proc/sys/net/ipv4/tcp_orphan_retries'
  server_start s
  client_start stale c --to 100.96.0.2 --mode hold --send-on "$T/go" --send 10 --hold-until "$T/go"
  client_ready stale
  server_wait s accepted 1
  in_pod node ip -n s link set eth0 down
  kill -KILL "${SERVERS[s]}"
  pod_del s
  wait_for '! in_pod node ip link show veth-s'
  pod_add s 100.96.0.2 fd00:96::2
  server_start s
  verify_start "${TARGET[@]}" --for 1h
  touch "$T/go"
  client_wait stale || true
  traffic_end stray-segments
  same opened "$(total opened)" 0
}

@test "a server that starts in mid-window, and is called: TRAFFIC" {
  client_prepare calls c --to 100.96.0.2 --connections 6
  verify_start "${TARGET[@]}" --for 1h
  server_start s
  client_go calls
  traffic_end connections-opened
  caller_is calls opened=6
}

# Who is taken out ---------------------------------------------------------------------------------------------

# bats test_tags=short
@test "--ignore by CIDR: QUIET, with the count of what was ignored" {
  server_start s
  client_prepare calls c --to 100.96.0.2 --connections 21
  verify_start "${TARGET[@]}" --ignore 100.96.0.3/32 --for 3s
  client_go calls
  server_wait s accepted 21
  verify_wait 0 QUIET
  same opened "$(total opened)" 21
  same ignored "$(caller_sum .ignored connections.opened)" 21
}

@test "--ignore by CIDR, and one call from beside it: TRAFFIC" {
  pod_add d 100.96.0.4
  server_start s
  client_prepare calls c --to 100.96.0.2 --connections 21
  client_prepare one d --to 100.96.0.2
  verify_start "${TARGET[@]}" --ignore 100.96.0.3/32 --for 1h
  client_go calls
  client_go one
  traffic_end connections-opened
  same ignored "$(caller_sum .ignored connections.opened)" 21
  same others "$(caller_sum '.ignored | not' connections.opened)" 1
}

@test "--ignore by namespace: QUIET; a call from another: TRAFFIC" {
  pod_add d 100.96.0.4
  pods_file >"$T/pods.json" <<'LIST'
monitoring prometheus-5d4f8c7b9-aaaaa 100.96.0.3 prometheus
dev login-5d4f8c7b9-aaaaa 100.96.0.4 login
LIST
  server_start s
  client_prepare scrape c --to 100.96.0.2 --connections 21
  client_prepare login d --to 100.96.0.2 --connections 2
  verify_start "${TARGET[@]}" --pods "$T/pods.json" --ignore monitoring --for 3s
  client_go scrape
  server_wait s accepted 21
  verify_wait 0 QUIET
  same ignored "$(caller_sum .ignored connections.opened)" 21
  verify_start "${TARGET[@]}" --pods "$T/pods.json" --ignore monitoring --for 1h
  client_go login
  traffic_end connections-opened
}

@test "--ignore by selector: QUIET" {
  pods_file >"$T/pods.json" <<'LIST'
dev prometheus-5d4f8c7b9-aaaaa 100.96.0.3 prometheus
LIST
  server_start s
  client_prepare scrape c --to 100.96.0.2 --connections 21
  verify_start "${TARGET[@]}" --pods "$T/pods.json" --ignore app=prometheus --for 3s
  client_go scrape
  server_wait s accepted 21
  verify_wait 0 QUIET
  same ignored "$(caller_sum .ignored connections.opened)" 21
}

@test "--ignore takes attempts and idle connections out, too: QUIET" {
  pod_add t 100.96.0.5
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 3 --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 3
  client_prepare refused c --to 100.96.0.5 --connections 4
  verify_start "${TARGET[@]}" --ignore 100.96.0.0/29 --for 1s
  client_go refused || true
  same "refused to the client" "$(client_count refused refused)" 4
  verify_wait 0 QUIET
}

# Output, and the end --------------------------------------------------------------------------------------------

# bats test_tags=short
@test "--fail-fast ends with the first call: TRAFFIC" {
  server_start s
  client_prepare one c --to 100.96.0.2
  verify_start "${TARGET[@]}" --fail-fast --for 1h
  client_go one
  verify_wait 1 TRAFFIC connections-opened
  same opened "$(total opened)" 1
}

@test "--fail-fast ends with data on an old connection: TRAFFIC" {
  server_start s
  client_start old c --to 100.96.0.2 --mode hold --send-on "$T/go" --send 10 --sent "$T/sent" --hold-until "$T/end"
  client_ready old
  server_wait s accepted 1
  verify_start "${TARGET[@]}" --allow-idle --fail-fast --for 1h
  touch "$T/go"
  verify_wait 1 TRAFFIC old-connections-active
}

@test "--fail-fast ends with an idle pool, at once: TRAFFIC" {
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 7 --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 7
  verify_start "${TARGET[@]}" --fail-fast --for 1h
  verify_wait 1 TRAFFIC old-connections-held
}

@test "--evidence writes the whole document, whatever the output is" {
  server_start s
  client_prepare one c --to 100.96.0.2
  OUTPUT=table verify_start "${TARGET[@]}" --evidence "$T/evidence.json" --for 1h
  client_go one
  kill -INT "${TRACERS[$T]}"
  verify_ended
  same status "$VERIFY_STATUS" 1
  verdict_check "$T/evidence.json"
  same opened "$(total opened "$T/evidence.json")" 1
  same verdict "$(jq -r .verdict.verdict "$T/evidence.json")" TRAFFIC
  grep -q TRAFFIC "$T/out.json"
}

# bats test_tags=short
@test "a full disk under --evidence: status 74, and no half file" {
  server_start s
  mkdir "$T/disk"
  in_pod node mount -t tmpfs -o size=8k wc-disk "$T/disk"
  in_pod node sh -c 'dd if=/dev/zero of="$1/fill" bs=4096 2>/dev/null; true' fill "$T/disk"
  verify_start "${TARGET[@]}" --evidence "$T/disk/evidence.json" --for 1s
  verify_ended
  same status "$VERIFY_STATUS" 74
  same "what is on the disk" "$(in_pod node ls -A "$T/disk")" fill
  grep -q "No space left" "$T/err"
}

@test "a full disk under --evidence leaves the old file as it was" {
  server_start s
  mkdir "$T/disk"
  in_pod node mount -t tmpfs -o size=8k wc-disk "$T/disk"
  in_pod node sh -c 'echo old >"$1/evidence.json"; dd if=/dev/zero of="$1/fill" bs=4096 2>/dev/null; true' fill "$T/disk"
  verify_start "${TARGET[@]}" --evidence "$T/disk/evidence.json" --for 1s
  verify_ended
  same status "$VERIFY_STATUS" 74
  same "the old file" "$(in_pod node cat "$T/disk/evidence.json")" old
}

# bats test_tags=short
@test "bad input is refused, with a status that is no verdict" {
  verify_refused 64 'evidence' "${TARGET[@]}" --evidence ''
  verify_refused 64 '30 days|30d' "${TARGET[@]}" --for 31d
  verify_refused 64 'for' "${TARGET[@]}" --for 0
  verify_refused 64 'for' "${TARGET[@]}" --for 0s
  verify_refused 64 'for' "${TARGET[@]}" --for -5s
  verify_refused 64 'for' "${TARGET[@]}" --for soon
  verify_refused 64 'ignore' "${TARGET[@]}" --ignore 100.96.0.0/99 --for 1s
  verify_refused 64 . --for 1s
  echo "buffer session-aaaaa 100.96.0.2" | pods_file >"$T/pods.json"
  verify_refused 64 'pod/nobody' -n buffer pod/nobody --pods "$T/pods.json" --for 1s
  verify_refused 64 'deploy/nobody' -n buffer deploy/nobody --pods "$T/pods.json" --for 1s
}

@test "not root: a status that is no verdict" {
  local status=0
  in_pod node setpriv --reuid 65534 --regid 65534 --clear-groups "$WHOCALLS" verify "${TARGET[@]}" --for 1s \
    >"$T/refused.out" 2>"$T/refused.err" || status=$?
  ((status >= 64 && status <= 78)) || [[ $status == 126 ]]
  [[ ! -s $T/refused.out ]]
}

# By name, with a list of pods ---------------------------------------------------------------------------------

@test "a pod by name, from a list, nobody calls: UNPROVEN, since a list may be out of date" {
  echo "buffer session-aaaaa 100.96.0.2" | pods_file >"$T/pods.json"
  server_start s
  verify_start -n buffer pod/session-aaaaa --pods "$T/pods.json" --node node-a --for 1s
  verify_wait 2 UNPROVEN endpoints-not-followed
  reasons_are endpoints-not-followed
}

@test "a pod by name, its twin in another namespace is called: not TRAFFIC" {
  pod_add twin 100.96.0.5
  pods_file >"$T/pods.json" <<'LIST'
buffer session-aaaaa 100.96.0.2
core session-aaaaa 100.96.0.5
LIST
  server_start s
  server_start twin
  client_prepare wrong c --to 100.96.0.5 --connections 50
  verify_start -n buffer pod/session-aaaaa --pods "$T/pods.json" --node node-a --for 1s
  client_go wrong
  no_traffic
  same opened "$(total opened)" 0
}

@test "a pod by name whose address is nowhere on this node: UNPROVEN" {
  pods_file >"$T/pods.json" <<'LIST'
buffer session-5d4f8c7b9-aaaaa 100.96.0.2 session
buffer session-5d4f8c7b9-bbbbb 100.99.0.2 session
LIST
  server_start s
  verify_start -n buffer deploy/session --pods "$T/pods.json" --node node-a --for 1s
  verify_wait 2 UNPROVEN endpoint-not-found
  jq -e 'any(.verdict.reasons[]; .text | test("session-5d4f8c7b9-bbbbb"))' "$T/out.json"
}
