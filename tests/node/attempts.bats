# SPDX-License-Identifier: MIT
# Attempts that come to nothing: refused, dropped from a full queue, half-open. Each is counted, and whose it was.
# shellcheck disable=SC2016

load lib.sh

setup() {
  node_up
  pod_add s 100.96.0.2 fd00:96::2
  pod_add c 100.96.0.3 fd00:96::3
}

teardown() {
  node_down
}

need_refused() {
  jq -e '.coverage.hooks[] | select(.program == "refused") | .hook' "$T/out.json" >/dev/null ||
    node_skip "this kernel has no hook for refused attempts"
}

# A client that is refused N times.
refuse() {
  local name=$1 pod=$2 number=$3
  client_start "$name" "$pod" --connections "$number" "${@:4}"
  client_wait "$name" || true
  same "refused, as $name saw it" "$(client_count "$name" refused)" "$number"
}

@test "a port where nobody listens: refused, exactly, by IPv4, IPv6 and IPv4-mapped, and opened is none" {
  need_ipv6
  trace_start --port "$PORT"
  refuse four c 7 --to 100.96.0.2
  refuse six c 5 --to fd00:96::2
  refuse mapped c 3 --to ::ffff:100.96.0.2
  refuse self s 4 --to 127.0.0.1
  refuse host node 6 --to 100.96.0.2
  trace_stop
  need_refused
  same refused "$(total refused)" 25
  same opened "$(total opened)" 0
  caller_is four refused=7 opened=0 class=process addresses=100.96.0.3
  caller_is six refused=5 addresses=fd00:96::3
  caller_is mapped refused=3 addresses=100.96.0.3
  caller_is self refused=4 class=loopback
  caller_is host refused=6 class=process
  same unattributed "$(jq .others.connections.refused "$T/out.json")" 0
}

@test "a pod as target: refused there and on its own loopback, not in its twin" {
  pod_add twin 100.96.0.5
  pods_file >"$T/pods.json" <<'LIST'
buffer session-service-v1-5d4f8c7b9-aaaaa 100.96.0.2 session-service-v1
core session-service-v1-5d4f8c7b9-bbbbb 100.96.0.5 session-service-v1
dev login-5d4f8c7b9-aaaaa 100.96.0.3 login
LIST
  trace_start -n buffer deploy/session-service-v1 --port "$PORT" --pods "$T/pods.json"
  refuse one c 7 --to 100.96.0.2
  refuse other c 5 --to 100.96.0.5
  refuse self s 4 --to 127.0.0.1
  refuse twin twin 3 --to 127.0.0.1
  trace_stop
  need_refused
  same refused "$(total refused)" 11
  caller_is login refused=7 opened=0 namespace=dev
  same loopback "$(caller_sum '.class == "loopback"' connections.refused)" 4
}

@test "a caller that is served, then refused, then served again is one caller" {
  server_start s
  trace_start --port "$PORT"
  client_run again c --to 100.96.0.2 --connections 4
  server_stop s
  refuse again c 3 --to 100.96.0.2
  server_start s
  client_run again c --to 100.96.0.2 --connections 5
  trace_stop
  need_refused
  caller_is again opened=9 accepted=9 refused=3
}

@test "a caller that was refused first is news when it is served" {
  background_in node "$T/lines" "$T/err" "$WHOCALLS" trace --port "$PORT" -o jsonl
  local tracer=$!
  wait_for 'grep -q "^tracing " "$T/err"'
  refuse again c 3 --to 100.96.0.2
  server_start s
  client_run again c --to 100.96.0.2 --connections 4
  kill -INT "$tracer"
  wait "$tracer"
  same "callers that are news" "$(jq -c 'select(.event == "caller") | .process' "$T/lines")" '"again"'
}

@test "refused probes of the kubelet are its probes, those of a process of its name are not" {
  local kubelet
  background_in node "$T/kubelet.json" "$T/kubelet.log" "$LOAD" client --pid-name kubelet --port "$PORT" \
    --to 100.96.0.2 --connections 12 --own-port 10250 --listening "$T/kubelet.up" --go "$T/go"
  kubelet=$!
  wait_for "[[ -e $T/kubelet.up ]]"
  trace_start --port "$PORT"
  touch "$T/go"
  wait "$kubelet" || true
  refuse kubelet node 7 --to 100.96.0.2
  trace_stop
  need_refused
  same probes "$(caller_sum '.class == "probe"' connections.refused)" 12
  same processes "$(caller_sum '.class == "process" and .process == "kubelet"' connections.refused)" 7
  same refused "$(total refused)" 19
}

@test "data on a connection that the server no longer has is stray" {
  server_start s --mode hold
  client_start held c --to 100.96.0.2 --mode hold --send-first 10 --send 100 --send-on "$T/send" --hold-until "$T/end"
  client_ready held
  server_wait s accepted 1
  # Killed with data unread, the server's end is gone at once, and the client must not hear of that.
  in_pod node ip -n s link set eth0 down
  kill -KILL "${SERVERS[s]}"
  wait "${SERVERS[s]}" || true
  wait_for '[[ -z $(in_pod s ss -tnaH "sport = :$PORT") ]]'
  trace_start --port "$PORT"
  in_pod node ip -n s link set eth0 up
  touch "$T/send"
  wait_for '[[ -z $(in_pod c ss -tnH state established "dport = :$PORT") ]]'
  touch "$T/end"
  client_wait held || true
  trace_stop
  need_refused
  same opened "$(total opened)" 0
  same stray "$(total stray)" 1
  same "stray by address" "$(caller_sum '.addresses == ["100.96.0.3"]' connections.stray)" 1
}

@test "more callers than --max-callers are refused: attributed and unattributed add up" {
  pod_address c 100.96.16.0/24
  trace_start --port "$PORT" --max-callers 8
  client_start many c --to 100.96.0.2 --from-base 100.96.16.1 --from-count 20 --connections 200
  client_wait many || true
  trace_stop
  need_refused
  same refused "$(total refused)" 200
  same sum "$(jq '[.callers[].connections.refused, .others.connections.refused] | add' "$T/out.json")" 200
  (($(jq .others.connections.refused "$T/out.json") > 0))
}

# The kernel's own count of handshakes that were dropped in this pod.
listen_drops() {
  in_pod "$1" nstat -asz TcpExtListenDrops | awk '/ListenDrops/ { print $2 }'
}

# Fills the accept queue of a server that does not accept, and has callers dropped: by POD ADDRESS PORT.
overflow() {
  local before
  before=$(listen_drops "$1")
  client_start "many$3" c --to "$2" --port "$3" --mode hold --connections 20 --timeout 300 --hold-until "$T/end"
  client_ready "many$3"
  wait_for "((\$(listen_drops $1) > $before))"
}

@test "a full accept queue: dropped is what the kernel counted, not what it dropped before" {
  server_start s --accept no --backlog 4
  overflow s 100.96.0.2 "$PORT"
  trace_start --port "$PORT"
  overflow s 100.96.0.2 "$PORT"
  # Clients of before try again meanwhile, so the kernel's count is taken where nothing moves.
  kill "${CLIENTS[@]}"
  wait_for '[[ -z $(in_pod c ss -tnH state syn-sent) && -z $(in_pod s ss -tnH state syn-recv) ]]'
  trace_stop
  (($(total dropped) > 0))
  same dropped "$(total dropped)" "$(jq '[.coverage.endpoints[].listening[].drops] | add' "$T/out.json")"
  same unattributed "$(total unattributed_drops)" 0
}

@test "what another listener of the same namespace drops is not the target's" {
  server_start s
  background_in s "$T/other.json" "$T/other.log" "$LOAD" server --port $((PORT + 1)) --accept no --backlog 4 \
    --ready "$T/other.ready"
  wait_for "[[ -e $T/other.ready ]]"
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --connections 5
  overflow s 100.96.0.2 $((PORT + 1))
  trace_stop
  (($(jq '.coverage.endpoints[0].listening[0].drops' "$T/out.json") > 0))
  same dropped "$(total dropped)" 0
  same unattributed "$(total unattributed_drops)" 0
}

@test "a listener that drops and ends: what its namespace dropped can be its own" {
  server_start s --accept no --backlog 4
  trace_start --port "$PORT"
  overflow s 100.96.0.2 "$PORT"
  kill -KILL "${SERVERS[s]}"
  wait "${SERVERS[s]}" || true
  trace_stop
  same "dropped and unattributed" "$(($(total dropped) + $(total unattributed_drops)))" "$(listen_drops s)"
  (($(total unattributed_drops) > 0))
}

@test "a listener that came later: all that it dropped" {
  trace_start --port "$PORT"
  server_start s --accept no --backlog 4
  overflow s 100.96.0.2 "$PORT"
  kill "${CLIENTS[@]}"
  wait_for '[[ -z $(in_pod c ss -tnH state syn-sent) && -z $(in_pod s ss -tnH state syn-recv) ]]'
  trace_stop
  same dropped "$(total dropped)" "$(listen_drops s)"
}

half_open() {
  in_pod s ss -tnH state syn-recv "sport = :$PORT" | wc -l
}

@test "half-open connections: pending at the end, opened once they complete" {
  server_start s
  # What the server answers goes nowhere.
  in_pod node ip -n s neigh replace 100.96.0.3 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
  trace_start_as first --port "$PORT"
  trace_start --port "$PORT"
  client_start slow c --to 100.96.0.2 --connections 3 --timeout 120000
  wait_for '[[ $(half_open) == 3 ]]'
  trace_stop first
  same "first, pending" "$(total pending "$T/first/out.json")" 3
  same "first, by address" \
    "$(caller_sum '.addresses == ["100.96.0.3"]' connections.pending "$T/first/out.json")" 3
  same "first, opened" "$(total opened "$T/first/out.json")" 0
  in_pod node ip -n s neigh del 100.96.0.3 dev eth0
  client_wait slow
  trace_stop
  same pending "$(total pending)" 0
  caller_is slow opened=3 pending=0
}

@test "TCP_DEFER_ACCEPT: connections without data are pending, and whose they are is known" {
  "$LOAD" --help 2>&1 | grep -q -e --defer-accept || node_skip "whocalls-load has no --defer-accept"
  server_start s --defer-accept 30
  trace_start --port "$PORT"
  client_start mute c --to 100.96.0.2 --mode hold --connections 4 --hold-until "$T/end"
  client_start talks c --to 100.96.0.2 --mode hold --connections 2 --send 10 --hold-until "$T/end"
  client_ready mute
  client_ready talks
  server_wait s accepted 2
  wait_for '[[ $(half_open) == 4 ]]'
  trace_stop
  caller_is mute pending=4 opened=0
  caller_is talks pending=0 opened=2 accepted=2
  # The bare ACKs that were dropped are no handshakes that were.
  same dropped "$(total dropped)" 0
}

@test "20,000 attempts from 256 addresses are refused while the tracer is stopped" {
  local number=$((${BURST:-200000} / 10))
  pod_address c 100.96.16.0/24
  trace_start --port "$PORT"
  kill -STOP "${TRACERS[$T]}"
  client_start burst c --to 100.96.0.2 --from-base 100.96.16.0 --from-count 256 --connections "$number" \
    --timeout 60000
  client_wait burst || true
  same "refused, as the client saw it" "$(client_count burst refused)" "$number"
  kill -CONT "${TRACERS[$T]}"
  trace_stop
  need_refused
  same refused "$(total refused)" "$number"
  same "refused to callers" "$(caller_sum true connections.refused)" "$number"
  same "callers' addresses" "$(jq '[.callers[].addresses[]] | unique | length' "$T/out.json")" 256
}
