# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions and scripts in single quotes are evaluated later
#
# A node of its own for each test: a network namespace with a bridge, pods on it, a server, clients
# with exact counts, and the tracer.
#
# The node is a process that holds a network and a mount namespace; everything else is started inside
# them with nsenter, and hangs by PR_SET_PDEATHSIG on the test's own shell. So even SIGKILL of the
# test leaves nothing: the processes go, and with the last of them the namespaces, veths and bridge.
#
# All functions run in the test's own shell, not in `run` or $(…), because the processes that they
# start live as long as the shell that started them.
#
# After node_up:
#   T      directory of this test      PORT   a port that no other test uses at the same time
#   $T/out.json, $T/err of trace_start; $T/server.POD.json, $T/client.NAME.json: exact counts

TESTS_NODE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WHOCALLS=${WHOCALLS:-$TESTS_NODE/../../build/whocalls}
LOAD=${LOAD:-$TESTS_NODE/../../build/whocalls-load}

# -g: bats loads this file from within a function.
declare -gA SERVERS=() CLIENTS=() TRACERS=()
STARTED=()

# The node ------------------------------------------------------------------------------------------

node_up() {
  if ((EUID != 0)); then
    node_skip "needs root"
  fi
  T=$(mktemp -d "${BATS_TEST_TMPDIR:-${TMPDIR:-/tmp}}/wc-$$-XXXXXX")
  # Below the range of ephemeral ports, so that no client's own port is ever taken for the target.
  PORT=$((20000 + $$ % 10000))
  NODE=
  if [[ -z ${BATS_TEST_NAME:-} ]]; then
    trap node_down EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  fi
  load_build
  background "$T/node.log" "$T/node.log" unshare -n -m --propagation private bash -euc '
    # Private, so that "ip netns add" is seen by nobody else. All of /run: /run/netns may not exist.
    mount -t tmpfs wc-run /run
    mkdir /run/netns
    ip link set lo up
    if [[ -d /proc/sys/net/ipv6 ]]; then
      echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
      echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
    fi
    ip link add br0 address 02:00:64:60:00:01 type bridge mcast_snooping 0
    ip addr add 100.96.0.1/16 dev br0
    [[ ! -d /proc/sys/net/ipv6 ]] || ip addr add fd00:96::1/64 dev br0 nodad
    ip link set br0 up
    echo up >"$1"
    exec sleep infinity' node "$T/node.up"
  NODE=$!
  wait_for '[[ -s $T/node.up ]] || ! kill -0 "$NODE"'
  [[ -s $T/node.up ]] || {
    cat "$T/node.log"
    return 1
  }
}

# Ends everything that was started here. May run twice.
node_down() {
  local i
  if [[ -n ${BATS_TEST_NAME:-} && -z ${BATS_TEST_COMPLETED:-} ]]; then
    node_explain
  fi
  for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do
    kill -KILL "${STARTED[i]}" 2>/dev/null || true
    wait "${STARTED[i]}" 2>/dev/null || true
  done
  STARTED=()
  if [[ -n ${T:-} && -d $T && -z ${KEEP:-} ]]; then
    rm -rf "$T"
  fi
}

# What one wants to see of a test that failed.
node_explain() {
  local file
  for file in "$T"/err "$T"/*/err "$T"/*.log "$T"/out.json "$T"/*/out.json "$T"/client.*.json \
    "$T"/server.*.json; do
    if [[ -s $file ]]; then
      echo "--- ${file#"$T"/}"
      head -c 4000 "$file"
    fi
  done
}

node_skip() {
  if [[ -n ${BATS_TEST_NAME:-} ]]; then
    skip "skipped: $1"
  fi
  echo "skipped: $1"
  exit 0
}

need_ipv6() {
  [[ -e /proc/sys/net/ipv6 ]] || node_skip "no IPv6 in this kernel"
}

need_mptcp() {
  [[ $(in_pod node cat /proc/sys/net/mptcp/enabled 2>/dev/null) == 1 ]] ||
    node_skip "no MPTCP in this kernel"
}

load_build() {
  [[ ! -x $LOAD ]] || return 0
  LOAD=${BATS_RUN_TMPDIR:-$T}/whocalls-load
  [[ -x $LOAD ]] ||
    ${CC:-cc} -O2 -std=gnu11 -pthread -o "$LOAD" "$TESTS_NODE"/../load/*.c
}

# Processes -----------------------------------------------------------------------------------------

# background OUT ERR cmd…: starts it, to end with this shell at the latest. $! is its own id, since
# every step in between execs. A shell without job control would have it ignore SIGINT.
background() {
  local out=$1 err=$2
  shift 2
  setpriv --pdeathsig KILL env --default-signal=INT,QUIT "$@" \
    </dev/null >"$out" 2>"$err" 3>&- 4>&- &
  STARTED+=($!)
}

pod_net() {
  if [[ $1 == node ]]; then
    echo "/proc/$NODE/ns/net"
  else
    echo "/proc/$NODE/root/run/netns/$1"
  fi
}

# in_pod POD|node cmd…: in this pod's namespaces; the working directory becomes /.
in_pod() {
  local net
  net=$(pod_net "$1")
  shift
  nsenter -t "$NODE" -m "--net=$net" -- "$@"
}

# background_in POD|node OUT ERR cmd…: both.
background_in() {
  local net out=$2 err=$3
  net=$(pod_net "$1")
  shift 3
  background "$out" "$err" nsenter -t "$NODE" -m "--net=$net" -- "$@"
}

# wait_for 'condition' [seconds]: until the condition, which is evaluated, holds.
wait_for() {
  local condition=$1 limit=$((${2:-15} * ${PATIENCE:-1})) start=${EPOCHREALTIME//[^0-9]/}
  until eval "$condition" >/dev/null 2>&1; do
    if ((${EPOCHREALTIME//[^0-9]/} - start > limit * 1000000)); then
      echo "not within $limit s: $condition" >&2
      return 1
    fi
    sleep 0.02
  done
}

# Pods ----------------------------------------------------------------------------------------------

# pod_add NAME ADDR4 [ADDR6]. The MAC address follows from ADDR4, so that an address that goes to
# another pod needs no wait for neighbour tables.
pod_add() {
  local mac
  # shellcheck disable=SC2046,SC2183 # four numbers
  mac=$(printf '02:00:%02x:%02x:%02x:%02x' $(tr . ' ' <<<"$2"))
  in_pod node bash -euc '
    name=$1 addr4=$2 addr6=$3 mac=$4
    ip netns add "$name"
    ip link add "veth-${name:0:10}" type veth peer name eth0 address "$mac" netns "$name"
    ip link set "veth-${name:0:10}" master br0 up
    ip -n "$name" link set lo up
    ip -n "$name" addr add "$addr4/16" dev eth0
    [[ -z $addr6 ]] || ip -n "$name" addr add "$addr6/64" dev eth0 nodad
    ip -n "$name" link set eth0 up
    ip -n "$name" route add default via 100.96.0.1
    [[ -z $addr6 ]] || ip -n "$name" route add default via fd00:96::1' pod "$1" "$2" "${3:-}" "$mac"
}

# pod_address NAME ADDR[/PREFIX]…: more addresses; a whole prefix at once with a local route.
pod_address() {
  local pod=$1 address
  shift
  for address; do
    in_pod node ip -n "$pod" route add local "$address" dev lo
  done
}

pod_exec() {
  in_pod "$@"
}

pod_del() {
  in_pod node ip netns del "$1"
}

# Connections that the kernel of this pod has completed on the server's side and that stand open,
# those in the accept queue too.
established() {
  in_pod "$1" ss -tnH state established "sport = :$PORT" | wc -l
}

# Servers and clients -------------------------------------------------------------------------------

# server_start POD|node args…: one for each pod; returns when it listens.
server_start() {
  local pod=$1
  shift
  rm -f "$T/server.$pod.ready"
  background_in "$pod" "$T/server.$pod.json" "$T/server.$pod.log" "$LOAD" server --port "$PORT" \
    --ready "$T/server.$pod.ready" --status "$T/server.$pod.status" "$@"
  SERVERS[$pod]=$!
  wait_for "[[ -e $T/server.$pod.ready ]] || ! kill -0 ${SERVERS[$pod]}"
  [[ -e $T/server.$pod.ready ]] || {
    cat "$T/server.$pod.log"
    return 1
  }
}

# server_count POD FIELD: as of a few milliseconds ago; exact after server_stop.
server_count() {
  jq ".$2" "$T/server.$1.status"
}

server_wait() {
  wait_for "[[ \$(server_count $1 $2) == $3 ]]" "${4:-15}"
}

server_stop() {
  kill -TERM "${SERVERS[$1]}"
  wait "${SERVERS[$1]}"
  server_wait "$1" accepted "$(jq .accepted "$T/server.$1.json")"
}

# client_start NAME POD|node args…: NAME is the process's name, too.
client_start() {
  local name=$1 pod=$2
  shift 2
  background_in "$pod" "$T/client.$name.json" "$T/client.$name.log" "$LOAD" client \
    --pid-name "$name" --port "$PORT" --ready "$T/client.$name.ready" "$@"
  CLIENTS[$name]=$!
}

# Returns the client's status: 0 if each connection was made and ended as asked.
client_wait() {
  wait "${CLIENTS[$1]}"
}

client_run() {
  client_start "$@"
  client_wait "$1"
}

client_ready() {
  wait_for "[[ -e $T/client.$1.ready ]]"
}

client_count() {
  jq ".$2" "$T/client.$1.json"
}

# The tracer ----------------------------------------------------------------------------------------

# trace_start args…: into $T/out.json and $T/err; trace_start_as NAME args…: into $T/NAME/.
trace_start() {
  trace_start_in "$T" "$@"
}

trace_start_as() {
  local name=$1
  shift
  mkdir -p "$T/$name"
  trace_start_in "$T/$name" "$@"
}

trace_start_in() {
  local dir=$1
  shift
  rm -f "$dir/out.json" "$dir/err"
  background_in node "$dir/out.json" "$dir/err" "$WHOCALLS" trace "$@" -o json
  TRACERS[$dir]=$!
  wait_for "grep -q '^tracing ' $dir/err || ! kill -0 ${TRACERS[$dir]}" 30
  grep -q '^tracing ' "$dir/err" || {
    echo "the tracer did not start" >&2
    return 1
  }
}

# trace_stop [NAME]: SIGINT; TRACE_STATUS must be 0 and the document in order.
trace_stop() {
  local dir=$T${1:+/$1}
  TRACE_STATUS=0
  kill -INT "${TRACERS[$dir]}"
  wait "${TRACERS[$dir]}" || TRACE_STATUS=$?
  same "status of the tracer" "$TRACE_STATUS" 0
  document_check "$dir/out.json"
}

# document_now FILE COMMAND…: what it prints, into FILE, once its window ends after this moment: what an agent answers may
# be older.
document_now() {
  local file=$1 now
  shift
  now=$(date -u +%Y-%m-%dT%H:%M:%S.%N)
  wait_for "$(printf '%q ' "$@") >$file && [[ \$(jq -r .window.end $file) > $now ]]"
}

# What holds for every document. One jq for all of it: where the processor is emulated, each start of one takes long.
document_check() {
  local rules=(
    '.schema == "whocalls/v1"'
    '.totals.opened == .totals.attributed + .totals.unattributed'
    '([.callers[].connections.opened] | add // 0) == .totals.attributed'
    'all(.callers[]; .connections.idle <= .connections.open)'
    '([.coverage.hooks[] | select(.program == "refused" and .hook)] | length > 0) as $known
      | all(.callers[], .; ((.connections // .totals).refused != null) == $known)'
    '([.callers[].connections.refused, .others.connections.refused] | add) == .totals.refused'
    '([.callers[].connections.stray, .others.connections.stray] | add) == .totals.stray'
    '([.callers[].connections.pending, .others.connections.pending] | add) == .totals.pending'
    '([.coverage.hooks[] | select(.program == "requests" and .hook)] | length > 0) as $known
      | all(.callers[], .others, .totals; (.requests != null) == $known)'
    'all(.callers[], .others; (.requests_are != null) == (.requests != null))'
    '([.callers[].requests, .others.requests] | add) == .totals.requests'
    'all(.callers[]; (.process == null) == (.pid == null))'
    '.coverage.hooks | length > 0'
  )
  local all broken
  printf -v all '(%s), ' "${rules[@]}"
  [[ -s $1 ]]
  broken=$(jq -r "[${all%, }] | to_entries[] | select(.value | not) | \"not so: \" + \$ARGS.positional[.key]" \
    "$1" --args "${rules[@]}")
  [[ -z $broken ]] || {
    echo "$broken" >&2
    return 1
  }
}

# Looking at what came out --------------------------------------------------------------------------

# caller_sum CONDITION FIELD [FILE]: sum of the field over the callers for which it holds (jq).
caller_sum() {
  jq "[.callers[] | select($1) | .$2] | add // 0" "${3:-$T/out.json}"
}

# caller_number CONDITION [FILE]: how many callers it holds for.
caller_number() {
  jq "[.callers[] | select($1)] | length" "${2:-$T/out.json}"
}

# caller_count NAME FIELD [FILE]: of the caller whose process or workload has this name; .connections
# may be left out. Fails if that isn't one caller.
caller_count() {
  jq --arg name "$1" --arg field "$2" -e -r '
    [.callers[] | select(.name == $name or .process == $name)]
    | if length != 1 then error("\(length) callers are named \($name)") else .[0] end
    | if .connections | has($field) then .connections[$field] else .[$field] end
    | if type == "array" then join(",") else tostring end' "${3:-$T/out.json}"
}

total() {
  jq ".totals.$1" "${2:-$T/out.json}"
}

# Whether there was an accept hook.
accept_hook() {
  jq -e '.coverage.hooks[] | select(.program == "inet_csk_accept") | .hook' "$T/out.json" >/dev/null
}

# listening_is FIELD WANTED: of the one listening socket that was found.
listening_is() {
  same "listening: $1" "$(jq "[.coverage.endpoints[].listening[].$1] | join(\",\")" "$T/out.json")" "\"$2\""
}

# same WHAT GOT WANTED
same() {
  [[ $2 == "$3" ]] || {
    echo "$1: got $2, want $3" >&2
    return 1
  }
}

# caller_is NAME FIELD=WANTED…: the caller whose process or workload has this name; fails if that isn't one.
caller_is() {
  local name=$1 wrong
  shift
  wrong=$(jq --arg name "$name" -r '
    [.callers[] | select(.name == $name or .process == $name)]
    | if length != 1 then error("\(length) callers are named \($name)") else .[0] end
    | . as $caller | $ARGS.positional[] | index("=") as $at | .[:$at] as $field | .[$at + 1:] as $wanted
    | $caller
    | if .connections | has($field) then .connections[$field] else .[$field] end
    | if type == "array" then join(",") else tostring end
    | select(. != $wanted) | "\($name): \($field): got \(.), want \($wanted)"' "$T/out.json" --args "$@")
  [[ -z $wrong ]] || {
    echo "$wrong" >&2
    return 1
  }
}

# pods_file: lines of "NAMESPACE POD ADDRESS [WORKLOAD [PHASE [STARTTIME]]]" into what `kubectl get
# pods -A -o json` prints. WORKLOAD is a Deployment's name, or - for a bare pod.
pods_file() {
  jq -R -n --argjson port "$PORT" '
    {apiVersion: "v1", kind: "List", metadata: {resourceVersion: ""},
     items: [inputs | split(" ") | select(length > 2) | {
       apiVersion: "v1", kind: "Pod",
       metadata: ({
           name: .[1], namespace: .[0], uid: "00000000-0000-4000-8000-\(input_line_number + 100000000000)",
           creationTimestamp: (.[5] // "2024-01-01T00:00:00Z")}
         + if (.[3] // "-") == "-" then {} else {
             labels: {app: .[3], "pod-template-hash": "5d4f8c7b9"},
             ownerReferences: [{apiVersion: "apps/v1", kind: "ReplicaSet", name: "\(.[3])-5d4f8c7b9",
               uid: "11111111-0000-4000-8000-000000000000", controller: true}]} end),
       spec: {nodeName: "node-a", hostNetwork: false, containers: [
         {name: "main", image: "x", ports: [{name: "web", containerPort: $port, protocol: "TCP"}]}]},
       status: {phase: (.[4] // "Running"), podIP: .[2], podIPs: [{ip: .[2]}],
         hostIP: "192.0.2.1", hostIPs: [{ip: "192.0.2.1"}],
         startTime: (.[5] // "2024-01-01T00:00:00Z")}}]}'
}
