# shellcheck shell=bash disable=SC2016 # conditions in single quotes are evaluated later
# lib.sh: what bench.sh and requests.sh share. Whoever sources it goes on as root, in namespaces of its own.

: "${WHOCALLS:?}" "${LOAD:?}" "${BENCH:?}"

if [ "${1-}" != inside ]; then
  sudo=
  [ "$(id -u)" = 0 ] || sudo="sudo --preserve-env=WHOCALLS,LOAD,BENCH,ROUNDS,COUNT,CALLERS,REQUESTS"
  exec $sudo unshare --net --mount --propagation private "$0" inside
fi

ip link set lo up
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
sysctl -qw net.ipv4.tcp_tw_reuse=1 2>/dev/null
CGROUP=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
D=$(mktemp -d)
PIDS=()
# shellcheck disable=SC2317 # called by the trap
end() {
  [ ${#PIDS[@]} -eq 0 ] || kill -KILL "${PIDS[@]}" 2>/dev/null
  rm -rf "$D"
}
trap end EXIT
trap 'exit 130' INT TERM

wait_for() { # CONDITION, at most 20 s
  local i
  for ((i = 0; i < 1000; i++)); do
    eval "$1" && return 0
    sleep 0.02
  done
  echo "bench: waited in vain: $1" >&2
  return 1
}

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# --- starting and ending what is measured ---

background() { # COMMAND... its output in $D/out and $D/err
  : >"$D/out" && : >"$D/err"
  exec 7> >(exec setpriv --pdeathsig KILL -- "$@" >"$D/out" 2>"$D/err")
  PID=$!
  PIDS+=("$PID")
}

stop() {
  exec 7>&-
  kill -INT "$PID" 2>/dev/null
  wait_for '! kill -0 $PID 2>/dev/null' || kill -KILL "$PID"
}

request_hooks=(tcp_rcv_space_adjust sock_send_length) # the second from 6.3 on
begin() { # NAME: what is attached in this configuration
  case $1 in
  untraced) PID= ;;
  empty) background "$BENCH/empty" inet_sock_set_state sockops="$CGROUP" sys_exit && wait_for 'grep -q ready $D/out' ;;
  'empty, of requests') background "$BENCH/empty" "${request_hooks[@]}" && wait_for 'grep -q ready $D/out' ;;
  whocalls) trace --port 3000 ;;
  'whocalls, no accept hook') trace --port 3000 --accept-hook none ;;
  'whocalls, jsonl') trace --port 3000 -o jsonl ;;
  'whocalls, another port') trace --port 4000 ;;
  'another port, no accept hook') trace --port 4000 --accept-hook none ;;
  tcplife) background stdbuf -oL tcplife -L 3000 && wait_for 'grep -q PID $D/out' ;;
  tcpaccept.bt) background tcpaccept.bt && wait_for 'grep -q TIME $D/out' ;;
  esac
}

trace() {
  background "$WHOCALLS" trace "$@"
  wait_for 'grep -q "^tracing" $D/err'
}

have() { # can this configuration run here?
  case $1 in
  tcplife | tcpaccept.bt) command -v "$1" >/dev/null || return 1 ;;
  esac
  begin "$1" 2>/dev/null || { stop 2>/dev/null; return 1; }
  [ -z "$PID" ] || stop
}

# Those of a list that can run here.
have_of() { # NAME...
  local name
  running=()
  for name; do
    if have "$name"; then running+=("$name"); else echo "  $name: skipped: does not run here"; fi
  done
}

# --- the kernel's own statistics ---

stats_begin() {
  stats=$(sysctl -n kernel.bpf_stats_enabled)
  sysctl -qw kernel.bpf_stats_enabled=1
}

stats_end() { sysctl -qw "kernel.bpf_stats_enabled=$stats"; }

run_ns() { # name and ns of a run of this process's programs that ran
  awk '/^prog_id/ { print $2 }' "/proc/$PID"/fdinfo/* 2>/dev/null | sort -un | while read -r id; do
    bpftool prog show id "$id" -j
  done | jq -r 'select(.run_cnt > 1000) | "\(.name) \(.run_time_ns / .run_cnt)"'
}
