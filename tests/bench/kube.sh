#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016 # conditions in single quotes are evaluated later
#
# kube.sh: what names from a large cluster cost: tests/api/ plays its API server, in pages of 500. Nothing is asserted;
# machines differ. PODS, NODES, RATE and SECONDS_LONG
# change the sizes, SHORT=1 leaves the packed list out, LIMIT is how long it waits for anything.
set -eu -o pipefail
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/api/lib.sh
. "$here/../api/lib.sh"
PODS=${PODS:-100000} NODES=${NODES:-2000} RATE=${RATE:-10000} SECONDS_LONG=${SECONDS_LONG:-10}

node_up
pod_add s 100.96.0.2
# the last one of the list calls
last=$((PODS - 1))
address=100.$((96 + (last + 2) / 65536)).$(((last + 2) / 256 % 256)).$(((last + 2) % 256))
pod_add c 100.96.0.3
pod_address c "$address"
in_pod s ip route add 100.97.0.0/16 via 100.96.0.3
server_start s

measure() { # WHAT ARGS...: of the API server
  local what=$1 named
  shift
  api_start --pods "$PODS" --nodes "$NODES" --events $((RATE * SECONDS_LONG)) --rate "$RATE" "$@"
  client_start calls c --to 100.96.0.2 --connections 100000 --every 20 --from "$address"
  background_in node "$T/events" "$T/err" "$WHOCALLS" trace --port "$PORT" "${NAMED[@]}" -v -o jsonl
  tracer=$!
  wait_for 'grep -q "\"name\": \"app-" "$T/events"' "${LIMIT:-120}"
  named=$(date +%s%N)
  wait_for '(($(api_told sent) == RATE * SECONDS_LONG))' "${LIMIT:-120}"
  peak=$(awk '/VmHWM/ { print $2 }' "/proc/$tracer/status")
  used=$(awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$tracer/stat")
  kill -INT "$tracer"
  wait "$tracer"
  kill "${CLIENTS[calls]}"
  wait "${CLIENTS[calls]}" 2>/dev/null || true
  echo "$what: $PODS pods on $NODES nodes, $(($(api_told bytes) / 1000000)) MB of answers"
  awk -v peak="$peak" -v ns="$((named - $(api_told last_byte_ns)))" -v used="$used" 'BEGIN {
    printf "  peak %.1f MiB; the first name %.2f s after the last byte of the list; %.1f s of CPU in all\n", peak / 1024, ns / 1e9, used }'
  jq -r --argjson rate "$RATE" '"  watch: \(.sent) events of \(.due) at \(.sent / .events_ns * 1e9 | round) a second of \($rate), \(.behind) behind at most"' "$T/api.status"
  sed -n 's/^longest/  longest/p' "$T/err"
  api_stop
}

measure 'Plain'
[[ -n ${SHORT:-} ]] || measure 'Packed (gzip)' --odd list-gzip
