# SPDX-License-Identifier: MIT
# What the agent may do once it counts, when who started it may do all.
# shellcheck disable=SC2016

load lib.sh
load agent.sh

setup() {
  node_up
  pod_add s 100.96.0.2
  pod_add c 100.96.0.14
}

teardown() {
  agent_explain
  node_down
}

@test "agent: it keeps the capabilities that it needs as long as it runs, and sees pods that come later" {
  local kept=(SYS_ADMIN SYS_PTRACE DAC_READ_SEARCH SETUID SETGID KILL DAC_OVERRIDE) name set=0
  for name in "${kept[@]}"; do
    set=$((set | 1 << $(grep -oP "^#define CAP_$name\s+\K\d+" /usr/include/linux/capability.h)))
  done
  one_service
  agent_start
  for name in CapPrm CapEff CapBnd; do
    same "$name" "$(awk -v name="$name:" '$1 == name { print $2 }' "/proc/$AGENT/status")" "$(printf %016x "$set")"
  done
  pod_add late 100.96.0.4
  server_start late
  client_start old c --to 100.96.0.4 --mode hold --hold-until "$T/end"
  client_ready old
  server_wait late accepted 1
  api_slice core web "$PORT" 0 2
  agent_wait '.targets[0].endpoints.watched == 2'
  client_run new c --to 100.96.0.4 --connections 9
  agent_callers core/web
  same opened "$(total opened)" 9
  same "open before" "$(total old)" 1
  caller_is app-1 opened=9 old=1 class=workload
  agent_stop
}
