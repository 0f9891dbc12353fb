# SPDX-License-Identifier: MIT
# In a kernel guest, whose clock is nobody else's: `whocalls verify` while the time of day is set.
# shellcheck disable=SC2016

load ../verdict/lib.sh

setup() {
  # This machine's clock is for others, too.
  [[ -n ${HOOK:-} ]] || skip "skipped: not in a kernel guest"
  node_up
  pod_add s 100.96.0.2
  pod_add c 100.96.0.3
}

teardown() {
  node_down
}

# clock_step SECONDS
clock_step() {
  date -s "@$((EPOCHSECONDS + $1))"
}

# in_bounds LOW HIGH: seconds of the window, which the clock has nothing to do with.
in_bounds() {
  jq -e --argjson low "$1" --argjson high "$2" '.window.seconds | . >= $low and . < $high' "$T/out.json"
}

@test "verify: the clock is set an hour ahead, nobody calls: QUIET" {
  server_start s
  verify_start --port "$PORT" --for 3s
  clock_step 3600
  verify_wait 0 QUIET
  in_bounds 3 1000
}

@test "verify: the clock is set an hour back, nobody calls: QUIET" {
  server_start s
  verify_start --port "$PORT" --for 3s
  clock_step -3600
  verify_wait 0 QUIET
  in_bounds 3 1000
}

@test "verify: the clock is set an hour ahead, and back, with calls: TRAFFIC" {
  server_start s
  client_prepare ahead c --to 100.96.0.2 --connections 5
  client_prepare back c --to 100.96.0.2 --connections 7
  verify_start --port "$PORT" --for 1h
  clock_step 3600
  client_go ahead
  clock_step -7200
  client_go back
  traffic_end connections-opened
  caller_is ahead opened=5
  caller_is back opened=7
  same opened "$(total opened)" 12
  in_bounds 0 1000
}

@test "verify: an idle pool, and the clock is set an hour ahead: TRAFFIC" {
  server_start s
  client_start pool c --to 100.96.0.2 --mode hold --connections 7 --hold-until "$T/end"
  client_ready pool
  server_wait s accepted 7
  verify_start --port "$PORT" --for 2s
  clock_step 3600
  verify_wait 1 TRAFFIC old-connections-held
  in_bounds 2 1000
}
