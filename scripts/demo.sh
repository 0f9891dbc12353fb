#!/bin/bash
# demo.sh: the story of the README on this machine, with network namespaces as pods: session-service in `buffer` and in
# `core`, on the same node and the same port; whocalls traces the one in `buffer`, and its table must name every caller
# exactly and nobody who only called the other. Needs root (asks sudo). Everything runs in a network and a mount namespace
# of its own, and every process ends with this script, however it ends; with the last of them the namespaces go.
set -eu

: "${WHOCALLS:?}" "${LOAD:?}"
SECONDS_TRACED=${SECONDS_TRACED:-15}

if [ "${1-}" != inside ]; then
  sudo=
  [ "$(id -u)" = 0 ] || sudo="sudo --preserve-env=WHOCALLS,LOAD,SECONDS_TRACED,NO_COLOR"
  exec $sudo unshare --net --mount --uts --propagation private "$0" inside
fi

hostname node-1
mount -t tmpfs demo /run
mkdir /run/netns /run/demo
D=/run/demo
STARTED=()
# shellcheck disable=SC2317 # called by the trap
end() {
  [ ${#STARTED[@]} -eq 0 ] || kill -KILL "${STARTED[@]}" 2>/dev/null || true
}
trap end EXIT
trap 'exit 130' INT TERM HUP

# Starts a process that dies with this shell, even if that is killed.
start() {
  setpriv --pdeathsig KILL -- "$@" &
  STARTED+=($!)
}

# The node: a bridge that holds the pods' network, as a CNI plugin makes it.
ip link set lo up
ip link add cni0 type bridge
ip addr add 100.96.0.1/16 dev cni0
ip link set cni0 up

pod() { # NAMESPACE POD ADDRESS WORKLOAD HASH: a pod that Kubernetes would list so
  local id
  id=p$(wc -l <"$D/pods")
  ip netns add "$id"
  ip link add "$id" type veth peer name eth0 netns "$id"
  ip link set "$id" master cni0 up
  ip -n "$id" link set lo up
  ip -n "$id" addr add "$3/16" dev eth0
  ip -n "$id" link set eth0 up
  echo "$1 $2 $3 $4 $5 $id" >>"$D/pods"
}

namespace() { # POD
  awk -v pod="$1" '$2 == pod { print $6 }' "$D/pods"
}

wait_for() { # FILE
  local tries=500
  until [ -e "$1" ]; do
    [ $((tries -= 1)) -gt 0 ] || { echo "demo: waited in vain for $1" >&2; exit 1; }
    sleep 0.02
  done
}

: >"$D/pods"
H=55559c8d4b M=57d7d67dd6
pod buffer session-service-v1-$H-c2xxf 100.96.11.21 session-service-v1 $H
pod buffer session-service-v1-$H-h2mh2 100.96.12.34 session-service-v1 $H
pod buffer session-service-v1-$H-z85vq 100.96.14.7 session-service-v1 $H
pod core session-service-v1-master-$M-rtj8r 100.96.21.5 session-service-v1-master $M
pod core session-service-v1-master-$M-t2vgr 100.96.22.6 session-service-v1-master $M
pod core session-service-v1-master-$M-w6wmk 100.96.23.7 session-service-v1-master $M
# development deployments whose own health check calls session-service
pod dev buffer-login-task-acc-203-add-clientside-validation-s-buff95cnm 100.96.31.125 login-task-acc-203 6b8f9c7d54
pod dev buffer-login-task-acc-187-reset-password-7f6c9d5b48-k2v5p 100.96.14.170 login-task-acc-187 7f6c9d5b48
pod dev login-main-5c6d7f8b94-x7xqz 100.96.32.18 login-main 5c6d7f8b94
pod dev publish-main-6d5f7b9c88-8hj4s 100.96.33.9 publish-main 6d5f7b9c88
pod dev analyze-main-74c9d8b6f5-m4wqd 100.96.34.77 analyze-main 74c9d8b6f5
pod core account-v2-8694fd7b5d-lq9zr 100.96.24.40 account-v2 8694fd7b5d

# What `kubectl get pods -A -o json` would say.
jq -R -s '{apiVersion: "v1", kind: "List", items: [split("\n")[] | select(. != "") | split(" ") |
  {apiVersion: "v1", kind: "Pod",
   metadata: {namespace: .[0], name: .[1], uid: ("00000000-0000-4000-8000-00000000000" + .[5][1:])[-36:],
     labels: {"pod-template-hash": .[4]},
     ownerReferences: [{apiVersion: "apps/v1", kind: "ReplicaSet", name: (.[3] + "-" + .[4]), controller: true, uid: "x"}]},
   spec: {nodeName: "node-1", containers: [{name: "main", ports: [{containerPort: 3000}]}]},
   status: {phase: "Running", podIP: .[2], podIPs: [{ip: .[2]}], hostIP: "100.96.0.1", startTime: "2024-01-01T00:00:00Z"}}]}' \
  "$D/pods" >"$D/pods.json"

# Six servers on the same port.
mapfile -t servers < <(awk '$4 ~ /^session-service/ { print $2 }' "$D/pods")
for server in "${servers[@]}"; do
  start ip netns exec "$(namespace "$server")" "$LOAD" server --port 3000 --mode http --ready "$D/$server.ready" \
    >"$D/$server.server"
done
for server in "${servers[@]}"; do wait_for "$D/$server.ready"; done

client() { # NAME POD ADDRESS ARGS...: calls; its exact count goes to NAME.json
  local name=$1 pod=$2 to=$3
  shift 3
  start ip netns exec "$(namespace "$pod")" "$LOAD" client --to "$to" --port 3000 --pid-name node "$@" >"$D/$name.json"
  CLIENTS+=($!)
}
CLIENTS=()
B1=100.96.11.21 B2=100.96.12.34 B3=100.96.14.7 C1=100.96.21.5

# Before the trace: publish holds a connection open, on keep-alive, and will call over it again.
client publish publish-main-6d5f7b9c88-8hj4s $B1 --mode hold --send-first 120 --ready "$D/publish.ready" \
  --send-on "$D/go" --send 360 --hold-until "$D/end"
wait_for "$D/publish.ready"

# The kubelet of this node: it owns the kubelet's port, and probes.
start "$LOAD" client --to $B2 --port 3000 --pid-name kubelet --mode http --every 2000 \
  --connections $((SECONDS_TRACED / 2 - 1)) --own-port 10250 --listening "$D/kubelet.ready" --go "$D/go" >"$D/kubelet.json"
CLIENTS+=($!)
wait_for "$D/kubelet.ready"

# A little over one request a second in all, with Connection: close.
n=$((SECONDS_TRACED - 4))
client login-203 buffer-login-task-acc-203-add-clientside-validation-s-buff95cnm $B1 --mode http --every 1700 --connections $((n * 10 / 17)) --go "$D/go"
client login-187 buffer-login-task-acc-187-reset-password-7f6c9d5b48-k2v5p $B2 --mode http --every 2500 --connections $((n * 10 / 25)) --go "$D/go"
client login-main login-main-5c6d7f8b94-x7xqz $B3 --mode http --every 3500 --connections $((n * 10 / 35)) --go "$D/go"
# analyze only opens the connection
client analyze analyze-main-74c9d8b6f5-m4wqd $B3 --mode open --every 4000 --connections $((n * 10 / 40 + 1)) --go "$D/go"
# account has moved to the new address already: it calls core only
client account account-v2-8694fd7b5d-lq9zr $C1 --mode http --every 1000 --connections "$n" --go "$D/go"

echo
echo "\$ kubectl get pods -A -o json | sudo whocalls trace -n buffer deploy/session-service-v1 --pods - --for ${SECONDS_TRACED}s"
echo
# The same trace a second time, for the comparison with what the clients did.
start "$WHOCALLS" trace -n buffer deploy/session-service-v1 --pods "$D/pods.json" --for "${SECONDS_TRACED}s" -o json \
  >"$D/trace.json" 2>"$D/trace.err"
traced=$!
until grep -q '^tracing' "$D/trace.err"; do kill -0 $traced || { cat "$D/trace.err"; exit 1; }; sleep 0.02; done
(sleep 0.5 && touch "$D/go") &
"$WHOCALLS" trace -n buffer deploy/session-service-v1 --pods - --for "${SECONDS_TRACED}s" <"$D/pods.json"
wait $traced
touch "$D/end"
wait "${CLIENTS[@]}" || true

# Ground truth: what each client counted itself, against what whocalls says.
status=0
expect() { # CLIENT JQ-CONDITION
  local made counted
  made=$(jq .connections "$D/$1.json")
  counted=$(jq "[.callers[] | select($2) | .connections.opened] | add // 0" "$D/trace.json")
  if [ "$made" = "$counted" ]; then
    printf '  %-12s made %3s connections, whocalls counted %3s\n' "$1" "$made" "$counted"
  else
    printf '  %-12s made %3s connections, whocalls counted %3s: WRONG\n' "$1" "$made" "$counted"
    status=1
  fi
}
echo
echo "Checked against what the clients counted themselves:"
for login in login-203:login-task-acc-203 login-187:login-task-acc-187 login-main:login-main analyze:analyze-main; do
  expect "${login%%:*}" ".class == \"workload\" and .name == \"${login#*:}\""
done
expect kubelet '.class == "probe"'
old=$(jq '[.callers[] | select(.name == "publish-main") | .connections | .opened, .open, .old_active] | join(" ")' -r "$D/trace.json")
[ "$old" = "0 1 1" ] || { status=1; echo "  publish      should be 0 opened, 1 open, 1 active, is: $old: WRONG"; }
[ "$old" != "0 1 1" ] || echo "  publish      opened none: its old connection is listed, and that it carried data"
others=$(jq '[.callers[] | select(.name == "account-v2")] | length' "$D/trace.json")
[ "$others" = 0 ] || { status=1; echo "  account      called only core, and is listed: WRONG"; }
[ "$others" != 0 ] || echo "  account      made $(jq .connections "$D/account.json") connections to core only, and is not listed"
exit $status
