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

probes() { # of the tracers that run, by the kernel's own list
  grep -c '^r4096:whocalls/whocalls_inet_csk_accept_' /sys/kernel/tracing/kprobe_events || true
}

@test "kretprobe: threads that wait in accept() have an instance each" {
  [[ $HOOK == kretprobe ]] || skip "skipped: of kretprobe only"
  pod_add s 100.96.0.2
  pod_add c 100.96.0.3
  trace_start --port "$PORT"
  same "probes" "$(probes)" 1
  server_start s --mode http --blocking --threads 200
  client_run many c --to 100.96.0.2 --mode http --connections 400 --concurrency 100
  trace_stop
  caller_is many opened=400 accepted=400 open=0
  # nmissed is what there was no instance for. The program itself can be passed over on a kernel that preempts: what
  # trace_call_bpf() goes by, bpf_prog_active, is the CPU's, and who raised it can be preempted. That is told as missed.
  same "seen or missed, nmissed" "$(jq -c '.coverage.hooks[] | select(.program == "inet_csk_accept")
    | [.seen + .missed, .nmissed]' "$T/out.json")" '[400,0]'
  same "probes afterwards" "$(probes)" 0
}

@test "kretprobe: what a killed tracer left is removed by the next one" {
  [[ $HOOK == kretprobe ]] || skip "skipped: of kretprobe only"
  trace_start_as killed --port "$PORT"
  kill -KILL "${TRACERS[$T/killed]}"
  wait "${TRACERS[$T/killed]}" || true
  same "probes of the killed one" "$(probes)" 1
  trace_start --port "$PORT"
  trace_start_as other --port "$PORT"
  same "probes of two" "$(probes)" 2
  trace_stop
  trace_stop other
  same "probes afterwards" "$(probes)" 0
}
