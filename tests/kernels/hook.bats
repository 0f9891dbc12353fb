# SPDX-License-Identifier: MIT
# In a kernel guest: that the accept hook of this run is what the program uses, so that no test passes with another.
# shellcheck disable=SC2016

load ../node/lib.sh

setup() {
  node_up
}

teardown() {
  node_down
}

# What the report says the accept hook is.
accept_hook() {
  jq -r '[.coverage.hooks[] | select(.program == "inet_csk_accept" and .hook != null).hook] | join(" ")' "$T/out.json"
}

wanted() {
  case $HOOK in
  fexit | kretprobe) echo "$HOOK/inet_csk_accept" ;;
  syscall) echo tp_btf/sys_exit ;;
  esac
}

@test "doctor: tracing is possible" {
  "$WHOCALLS" doctor
}

@test "the accept hook is the one that is asked for" {
  trace_start --port "$PORT"
  trace_stop
  same "accept hook" "$(accept_hook)" "$(wanted)"
}

@test "not asked, the program chooses the best hook" {
  [[ -n $BEST ]] || skip "skipped: a better one is there"
  WHOCALLS=${WHOCALLS%/*}/whocalls trace_start --port "$PORT"
  trace_stop
  same "accept hook" "$(accept_hook)" "$(wanted)"
}
