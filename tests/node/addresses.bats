# SPDX-License-Identifier: MIT
# Who is counted, under which address: each count must equal what the clients themselves counted.
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

@test "IPv4: 500 connections from three addresses, each counted exactly" {
  pod_address c 100.96.1.1 100.96.1.2 100.96.1.3
  server_start s
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --from 100.96.1.1 --connections 250
  client_run two c --to 100.96.0.2 --from 100.96.1.2 --connections 150
  client_run three c --to 100.96.0.2 --from 100.96.1.3 --connections 100
  trace_stop
  server_stop s
  same "server accepted" "$(jq .accepted "$T/server.s.json")" 500
  same opened "$(total opened)" 500
  same accepted "$(total accepted)" 500
  same closed "$(total closed)" 500
  same unattributed "$(total unattributed)" 0
  same callers "$(caller_number true)" 3
  caller_is one opened=250 accepted=250 open=0 addresses=100.96.1.1 class=process
  caller_is two opened=150 accepted=150 open=0 addresses=100.96.1.2 class=process
  caller_is three opened=100 accepted=100 open=0 addresses=100.96.1.3 class=process
}

@test "IPv4: one process that calls from three addresses is one caller with three addresses" {
  pod_address c 100.96.1.1 100.96.1.2 100.96.1.3
  server_start s
  trace_start --port "$PORT"
  client_run one c --to 100.96.0.2 --from 100.96.1.1,100.96.1.2,100.96.1.3 --connections 300
  trace_stop
  same callers "$(caller_number true)" 1
  caller_is one opened=300 accepted=300 addresses=100.96.1.1,100.96.1.2,100.96.1.3
}

@test "two pods listen on the same port: only the one asked for is counted" {
  pod_add other 100.96.0.4
  server_start s
  server_start other
  trace_start --port "$PORT" --address 100.96.0.2
  client_run right c --to 100.96.0.2 --connections 70
  client_run wrong c --to 100.96.0.4 --connections 130
  trace_stop
  same opened "$(total opened)" 70
  same callers "$(caller_number true)" 1
  caller_is right opened=70 accepted=70 addresses=100.96.0.3
}

@test "two addresses asked for, the third is not counted" {
  pod_add other 100.96.0.4
  pod_add third 100.96.0.5
  server_start s
  server_start other
  server_start third
  trace_start --port "$PORT" --address 100.96.0.2 --address 100.96.0.4
  client_run one c --to 100.96.0.2 --connections 20
  client_run two c --to 100.96.0.4 --connections 30
  client_run wrong c --to 100.96.0.5 --connections 40
  trace_stop
  same opened "$(total opened)" 50
  caller_is one opened=20
  caller_is two opened=30
}

@test "another port is not counted" {
  server_start s
  trace_start --port "$((PORT + 1))"
  client_run one c --to 100.96.0.2 --connections 20
  trace_stop
  same opened "$(total opened)" 0
  same callers "$(caller_number true)" 0
}

@test "IPv4-mapped: an IPv4 client of a dual-stack server is shown as plain IPv4" {
  need_ipv6
  server_start s --family 46
  trace_start --port "$PORT"
  client_run four c --to 100.96.0.2 --connections 60
  client_run six c --to fd00:96::2 --connections 40
  trace_stop
  same opened "$(total opened)" 100
  caller_is four opened=60 accepted=60 addresses=100.96.0.3
  caller_is six opened=40 accepted=40 addresses=fd00:96::3
  same mapped "$(grep -c '::ffff' "$T/out.json")" 0
}

@test "IPv4-mapped: --address in IPv4 finds the dual-stack server" {
  need_ipv6
  server_start s --family 46
  trace_start --port "$PORT" --address 100.96.0.2
  client_run four c --to 100.96.0.2 --connections 60
  client_run six c --to fd00:96::2 --connections 40
  trace_stop
  same opened "$(total opened)" 60
  caller_is four opened=60 addresses=100.96.0.3
}

@test "IPv6" {
  need_ipv6
  server_start s --family 6
  trace_start --port "$PORT" --address fd00:96::2
  client_run six c --to fd00:96::2 --connections 120
  trace_stop
  same opened "$(total opened)" 120
  caller_is six opened=120 accepted=120 open=0 addresses=fd00:96::3
}

@test "MPTCP listener, TCP client" {
  need_mptcp
  server_start s --mptcp
  trace_start --port "$PORT"
  client_run plain c --to 100.96.0.2 --connections 80
  trace_stop
  same opened "$(total opened)" 80
  same accepted "$(total accepted)" 80
  caller_is plain opened=80 accepted=80 open=0 addresses=100.96.0.3
}

@test "MPTCP listener, MPTCP client" {
  need_mptcp
  server_start s --mptcp
  trace_start --port "$PORT"
  client_run multi c --to 100.96.0.2 --connections 80 --mptcp
  wait_for '(($(established s) == 0))'
  trace_stop
  # Proof that it was MPTCP on the wire.
  wait_for 'in_pod s nstat -asz MPTcpExtMPCapableSYNRX | grep -q "MPCapableSYNRX  *80 "'
  same opened "$(total opened)" 80
  ! accept_hook || same accepted "$(total accepted)" 80
  same addresses "$(jq -r '[.callers[].addresses[]] | unique | join(",")' "$T/out.json")" 100.96.0.3
}

@test "loopback: a client in the pod itself" {
  server_start s
  trace_start --port "$PORT"
  client_run self s --to 127.0.0.1 --connections 30
  client_run own s --to 100.96.0.2 --connections 20
  client_run foreign c --to 100.96.0.2 --connections 10
  trace_stop
  same opened "$(total opened)" 60
  same "opened by loopback" "$(caller_sum '.class == "loopback"' connections.opened)" 50
  caller_is foreign opened=10 class=process
}

@test "a client on the node itself is shown as a process, by its name" {
  server_start s
  trace_start --port "$PORT"
  client_run curlish node --to 100.96.0.2 --connections 40
  trace_stop
  same callers "$(caller_number true)" 1
  caller_is curlish opened=40 accepted=40 class=process addresses=100.96.0.1
  same pid "$(jq .callers[0].pid "$T/out.json")" "${CLIENTS[curlish]}"
}

@test "a server and a client in the node's own namespace" {
  server_start node
  trace_start --port "$PORT"
  client_run local node --to 127.0.0.1 --connections 25
  trace_stop
  same opened "$(total opened)" 25
  same attributed "$(total attributed)" 25
}

@test "an address that changes hands: two callers, each with its own count" {
  pod_add first 100.96.0.9
  server_start s
  trace_start --port "$PORT"
  client_run before first --to 100.96.0.2 --connections 30
  pod_del first
  pod_add second 100.96.0.9
  client_run after second --to 100.96.0.2 --connections 50
  trace_stop
  same opened "$(total opened)" 80
  same callers "$(caller_number true)" 2
  caller_is before opened=30 accepted=30 addresses=100.96.0.9
  caller_is after opened=50 accepted=50 addresses=100.96.0.9
}

@test "an MPTCP connection with a second subflow is one connection" {
  need_mptcp
  pod_address s 100.96.9.2
  in_pod node ip -n s addr add 100.96.9.2/32 dev eth0
  in_pod node ip -n c addr add 100.96.9.3/32 dev eth0
  in_pod s ip mptcp limits set subflow 2 add_addr_accepted 2
  in_pod c ip mptcp limits set subflow 2 add_addr_accepted 2
  in_pod c ip mptcp endpoint add 100.96.9.3 dev eth0 subflow
  server_start s --mptcp
  trace_start --port "$PORT"
  client_start joined c --to 100.96.0.2 --mptcp --mode hold --send 100 --hold-until "$T/end"
  client_ready joined
  wait_for '(($(established s) == 2))'
  touch "$T/end"
  client_wait joined
  trace_stop
  same opened "$(total opened)" 1
  caller_is joined opened=1 addresses=100.96.0.3
  ! accept_hook || caller_is joined accepted=1
}

@test "a client whose own port is the watched one is no connection to it" {
  server_start s
  client_start before c --to 100.96.0.2 --from-port 3999 --mode hold --hold-until "$T/end"
  client_ready before
  trace_start --port 3999
  client_start within s --to 100.96.0.2 --from-port 3999 --mode hold --hold-until "$T/end"
  client_ready within
  trace_stop
  same opened "$(total opened)" 0
  same old "$(total old)" 0
}

@test "the process that owns the kubelet's port is a probe, one of its name is not" {
  server_start s
  background_in node "$T/kubelet.json" "$T/kubelet.log" "$LOAD" client --pid-name kubelet --port "$PORT" \
    --to 100.96.0.2 --connections 12 --own-port 10250 --listening "$T/kubelet.up" --go "$T/go"
  kubelet=$!
  wait_for "[[ -e $T/kubelet.up ]]"
  trace_start --port "$PORT"
  touch "$T/go"
  wait "$kubelet"
  client_run kubelet node --to 100.96.0.2 --connections 7
  trace_stop
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 12
  same processes "$(caller_sum '.class == "process" and .process == "kubelet"' connections.opened)" 7
}

@test "a kubelet that starts again is a probe again" {
  local first second
  server_start s
  background_in node "$T/first.json" "$T/first.log" "$LOAD" client --pid-name kubelet --port "$PORT" \
    --to 100.96.0.2 --connections 5 --own-port 10250 --listening "$T/first.up" --go "$T/first.go"
  first=$!
  wait_for "[[ -e $T/first.up ]]"
  trace_start --port "$PORT" -v
  touch "$T/first.go"
  wait "$first"
  background_in node "$T/second.json" "$T/second.log" "$LOAD" client --pid-name kubelet --port "$PORT" \
    --to 100.96.0.2 --connections 6 --own-port 10250 --listening "$T/second.up" --go "$T/second.go"
  second=$!
  wait_for "[[ -e $T/second.up ]]"
  # whoever begins to listen there is looked at within the next refresh
  wait_for "[[ \$(grep '^kubelet: ' $T/err | tail -n 1) == \"kubelet: process \"* &&
    \$(grep -c '^kubelet: process' $T/err) == 2 ]]" 60
  touch "$T/second.go"
  wait "$second"
  trace_stop
  same probes "$(caller_sum '.class == "probe"' connections.opened)" 11
  same opened "$(total opened)" 11
}

@test "an endpoint's address is here, or it is not, or it comes while the trace runs" {
  trace_start_as here --port "$PORT" --address 100.96.0.2
  trace_start_as not --port "$PORT" --address 100.96.0.77
  trace_start_as any --port "$PORT"
  trace_start_as comes --port "$PORT" --address 100.96.0.78
  pod_add late 100.96.0.78
  trace_stop here
  trace_stop not
  trace_stop any
  trace_stop comes
  same here "$(jq -c '.coverage.endpoints[0].here' "$T"/{here,not,any,comes}/out.json | tr '\n' ' ')" \
    "true false true true "
}
