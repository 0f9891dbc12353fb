#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119 # conditions in single quotes are evaluated later; agent_start has none of our arguments
#
# agent.sh: what an agent costs on its node: memory, CPU at rest, and answers, with TARGETS Services (500) that CALLERS
# workloads each (10) call; then so many SECONDS_LONG (60) of calls at RATE a second (2,000), after which all that was
# counted must be what was accepted. tests/api/ plays the API server. No figure is asserted; machines differ.
set -eu -o pipefail
here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/api/lib.sh
. "$here/../api/lib.sh"
# shellcheck source=tests/api/agent.sh
. "$here/../api/agent.sh"
TARGETS=${TARGETS:-500} CALLERS=${CALLERS:-10} RATE=${RATE:-2000} SECONDS_LONG=${SECONDS_LONG:-60}

# The API server's pods with even numbers are on this node; ten are a Deployment's.
address_of() { # POD
  echo "100.$((96 + ($1 + 2) / 65536)).$((($1 + 2) / 256 % 256)).$((($1 + 2) % 256))"
}

# Figures -------------------------------------------------------------------------------------------

memory() { # WHAT
  awk -v what="$1" '/^(VmRSS|RssAnon|VmHWM)/ { v[$1] = $2 / 1024 } END {
    printf "%s: %.1f MiB resident, %.1f of it its own, peak %.1f MiB\n", what, v["VmRSS:"], v["RssAnon:"], v["VmHWM:"] }' \
    "/proc/$AGENT/status"
}

used() { # seconds of CPU until now
  awk '{ print $1 / 1e9 }' "/proc/$AGENT/schedstat"
}

at_rest() { # WHAT: nobody calls, nobody asks
  local before
  before=$(used)
  sleep 30
  awk -v what="$1" -v a="$before" -v b="$(used)" 'BEGIN { printf "%s: %.3f %% of a core\n", what, (b - a) / 30 * 100 }'
}

scrape() {
  in_pod node curl -sS -o "$T/metrics" -w '%{time_total} s for %{size_download} bytes' "http://$AGENT_AT/metrics"
  echo ", $(grep -vc '^#' "$T/metrics") samples"
}

files() {
  find "/proc/$AGENT/fd" -mindepth 1 | wc -l
}

# The node -------------------------------------------------------------------------------------------

node_up
pod_add s "$(address_of 0)"
for ((i = 1; i < TARGETS; i++)); do
  echo "address add $(address_of $((2 * i)))/32 dev lo"
done | in_pod s ip -batch -
froms=()
for ((i = 0; i < CALLERS; i++)); do
  froms+=("$(address_of $((2 * TARGETS + 10 * i)))")
done
pod_add c "${froms[0]}"
pod_address c "${froms[@]:1}"
server_start s
# shellcheck disable=SC2046 # words
api_start $(api_objects) --pods $((2 * TARGETS + 10 * CALLERS))

begun=$(date +%s%N)
agent_start
echo "ready after $((($(date +%s%N) - begun) / 1000000)) ms"
memory "no target"
at_rest "no target"
agent_stop

for ((i = 0; i < TARGETS; i++)); do
  api_slice load "web-$i" "$PORT" $((2 * i))
  api_service load "web-$i" "uid-$i" 80 true
done
begun=$(date +%s%N)
agent_start
echo "ready after $((($(date +%s%N) - begun) / 1000000)) ms, with $(agent_targets | jq length) targets"
from=$(IFS=,; echo "${froms[*]}")
for ((i = 0; i < TARGETS; i++)); do
  in_pod c "$LOAD" client --to "$(address_of $((2 * i)))" --port "$PORT" --connections "$CALLERS" --from "$from" >/dev/null
done
echo "scrape: $(scrape)"
echo "scrape: $(scrape)"
memory "$TARGETS targets, $((TARGETS * CALLERS)) callers"
at_rest "$TARGETS targets, $((TARGETS * CALLERS)) callers"
before=$(files)

client_start calls c --to "$(address_of 0)" --port "$PORT" --connections $((RATE * SECONDS_LONG)) --rate "$RATE" --from "$from"
start=$(used) since=$SECONDS
for half in first second; do
  for ((i = 0; i < SECONDS_LONG / 2; i++)); do
    sleep 1
    ((i % 15)) || scrape >/dev/null
  done
  memory "$half half"
done
client_wait calls
awk -v a="$start" -v b="$(used)" -v s=$((SECONDS - since)) 'BEGIN { printf "while called: %.1f %% of a core\n", (b - a) / s * 100 }'
scrape
echo "files open: $before before, $(files) after"
counted=$(awk '/^whocalls_connections_total\{/ { n += $NF } END { print n }' "$T/metrics")
server_stop s
echo "counted $counted, accepted $(jq .accepted "$T/server.s.json"), made $((TARGETS * CALLERS + $(client_count calls connections)))"
agent_stop
same counted "$counted" "$(jq .accepted "$T/server.s.json")"
