#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernels.sh: what a trace costs, in a kernel guest that counts instructions (ICOUNT=1 of scripts/kernel-run.sh: there
# a nanosecond is an instruction, and to wait takes none). The first process of the guest starts it; COUNT and ROUNDS
# come from the kernel's command line. Its last lines, from "=== table" on, are the table of CONTRIBUTING.md.
#
# Each row makes ROUNDS runs of the same COUNT connections. Of the caller, in whose system calls the hooks run, it takes
# the fewest instructions; of the tool itself, the most, less what it takes in the same time when nothing happens. (A
# timer of its that comes late because of the caller can fall out of the time that is looked at, never into it.)
# Between runs TIME_WAIT is let pass. Then the same for requests of one connection, of the hooks alone: the server, the
# client and what runs in their system calls. ONLY=requests leaves out the rest.
set -u
COUNT=${COUNT:-2000} ROUNDS=${ROUNDS:-3}
WARM=300 # connections before that: so that the callers are known
W=/whocalls/bin T=/tmp/bench
PID=
mkdir -p $T
exec 9<> <(:) # nothing ever comes here: to wait without a process

pause() { # SECONDS
  read -rt "$1" -u 9
}

# To so many seconds after $zero. Windows of whole seconds, so that a timer of a tool fires as often in each.
pause_until() { # SECONDS
  local us=$((zero + $1 * 1000000 - ${EPOCHREALTIME/./})) seconds
  printf -v seconds '%d.%06d' $((us / 1000000)) $((us % 1000000))
  pause "$seconds"
}

# What is measured: started with its output in $T/out and $T/err, and ended --------------------------------------------

begin() { # COMMAND...
  : >$T/out && : >$T/err
  began=${EPOCHREALTIME/./}
  exec 7> >(exec "$@" >$T/out 2>$T/err)
  PID=$!
}

stop() {
  [ -n "$PID" ] || return 0
  exec 7>&-
  kill -INT "$PID" 2>/dev/null
  until_true 60 gone || kill -KILL "$PID"
  PID=
}

gone() { ! kill -0 "$PID" 2>/dev/null; }

until_true() { # SECONDS COMMAND...: false if it doesn't become true, or what is measured ends before
  local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
  while ! "${@:2}"; do
    if [ "$2" != gone ] && gone; then return 1; fi
    [ "${EPOCHREALTIME/./}" -lt $end ] || return 1
    pause 0.01
  done
  return 0
}

says() { # FILE TEXT
  local line
  while read -r line; do
    [[ $line != *"$2"* ]] || return 0
  done <"$1"
  return 1
}

# A caller of another port than the one that is measured, which is called as long as a tool starts.
called() { # TEXT: what a tool shows of a connection to it
  exec 5<>/dev/tcp/127.0.0.1/3001
  exec 5>&-
  says $T/out "$1"
}

own() { # instructions that the tool has taken
  local file ns
  own=0
  [ -n "$PID" ] || return 0
  for file in /proc/"$PID"/task/*/schedstat; do
    read -r ns _ <"$file"
    own=$((own + ns))
  done
}

why() { # what a tool said before it ended
  local said
  said=$(grep -aE -m 1 '[Ee]rror: ' $T/err || grep -aiE -m 1 'error|fail|cannot|could not|not found|unable' $T/err ||
    grep -ahv '^ *$' $T/err $T/out | tail -n 1)
  echo "${said:-nothing comes}" | tr -s '[:space:]' ' ' | cut -c 1-150
}

# Rows -----------------------------------------------------------------------------------------------------------------

rows=()
declare -A instructions own_part idle lost start memory skipped

skip() { # NAME WHY
  rows+=("$1")
  skipped[$1]=$2
  stop
  echo "$1: skipped: $2"
}

# Of what runs: COUNTED prints how many connections to port 3000 it has shown by its end.
measure() { # NAME [COUNTED]
  local name=$1 counted=${2-} round before quiet made reported
  rows+=("$name")
  $W/connections 3000 $WARM 128 256 >/dev/null
  for ((round = 0; round < ROUNDS; round++)); do
    pause "0.$(((round * 3 + 1) % 10))" # so that not each round has a timer at its edge
    zero=${EPOCHREALTIME/./}
    pause_until 2
    own && before=$own
    pause_until 62
    own && quiet=$((own - before)) before=$own
    $W/connections 3000 "$COUNT" 128 256 >$T/caller
    pause_until 65 # what it shows late, and as many of its timers as in the same time before
    own
    echo "$(<$T/caller) $(((own - before - quiet / 20) / COUNT)) $((quiet / 60000))"
  done >$T/rounds
  sed "s/^/$name: /" $T/rounds
  instructions[$name]=$(awk '{ print $1 }' $T/rounds | sort -g | head -n 1)
  own_part[$name]=$(awk '{ print $2 }' $T/rounds | sort -g | tail -n 1)
  instructions[$name]=$(awk -v a="${instructions[$name]}" -v b="${own_part[$name]}" 'BEGIN { printf "%.0f", a + b }')
  [ -n "$counted" ] || { stop && return; }
  idle[$name]=$(awk '{ print $3 / 1000 }' $T/rounds | median)
  pause 5
  memory[$name]=$(awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$PID/status")
  stop
  made=$((WARM + ROUNDS * COUNT)) reported=$($counted)
  lost[$name]="$((made - reported)) of $made"
  grep -ahiE 'lost|drop|miss' $T/err | tail -n 2
}

median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

empty() { # NAME HOOK...
  begin $W/empty "${@:2}"
  if until_true 60 says $T/out ready; then measure "$1"; else skip "$1" "$(why)"; fi
}

seconds() { awk -v us=$((${EPOCHREALTIME/./} - began)) 'BEGIN { printf "%.2f", us / 1e6 }'; }

# To start it has a trace of its own, so that the one that is measured has one port.
whocalls() { # NAME PORT COUNTED OPTION...
  local name=$1 port=$2 counted=$3 took=''
  begin $W/whocalls trace --port 3001 "${@:4}"
  until_true 60 called '(pid ' && took=$(seconds)
  stop
  begin $W/whocalls trace --port "$port" "${@:4}"
  if [ -n "$took" ] && until_true 60 says $T/err tracing; then
    measure "$name" "$counted"
    start[$name]=$took
  else
    skip "$name" "$(why)"
  fi
}
whocalls_count() { sed -n 's/^opened \([0-9]*\) .*/\1/p' $T/out; }

peer() { # NAME COUNTED COMMAND...: it writes line by line, as it does to a terminal
  local name=$1 counted=$2
  command -v "$3" >/dev/null || { skip "$name" "this machine has no $3" && return; }
  begin stdbuf -oL "${@:3}"
  if until_true 900 called 3001; then
    start[$name]=$(seconds)
    measure "$name" "$counted"
  else
    skip "$name" "$(why)"
  fi
}
column_count() { awk -v column="$1" '$column == 3000 { n++ } END { print n + 0 }' $T/out; }
tcpaccept_count() { column_count 7; }
tcplife_count() { column_count 4; }
tcptracer_count() { awk '$1 == "A" && ($7 == 3000 || $8 == 3000) { n++ } END { print n + 0 }' $T/out; }
conntrack_count() { grep -c 'NEW.* dport=3000 ' $T/out; }

# The measurement ------------------------------------------------------------------------------------------------------

echo "Linux $(uname -r), up after $(cut -d ' ' -f 1 /proc/uptime) s"
cat /sys/devices/system/clocksource/clocksource0/current_clocksource
exec 6> >(exec $W/whocalls-load server --port 3001 --mode sink --ready $T/ready >/dev/null 2>&1)
while [ ! -e $T/ready ]; do pause 0.01; done
cgroup=/sys/fs/cgroup

connections() {
  measure untraced
  empty 'empty, two hooks' inet_sock_set_state sockops=$cgroup
  empty 'empty, with fexit' inet_sock_set_state sockops=$cgroup fexit=inet_csk_accept
  for hook in fexit kretprobe syscall none; do
    whocalls "whocalls, $hook" 3000 whocalls_count --accept-hook $hook
  done
  whocalls 'whocalls, another port' 3002 whocalls_count
  lost['whocalls, another port']=-
  peer 'tcpaccept (bcc)' tcpaccept_count tcpaccept-bpfcc
  peer tcpaccept.bt tcpaccept_count bpftrace -B line /usr/sbin/tcpaccept.bt
  peer 'tcplife (libbpf-tools)' tcplife_count tcplife -L 3000,3001
  peer 'tcptracer (libbpf-tools)' tcptracer_count tcptracer
  # A rule that asks for the state of a connection is what switches connection tracking on.
  for module in /modules/bench/*.ko; do insmod "$module"; done
  if nft -f - <<<'table inet t { chain c { type filter hook input priority 0; ct state new counter; }; }' 2>$T/err; then
    measure 'connection tracking, no tool'
    peer 'conntrack -E' conntrack_count conntrack -E -e NEW -p tcp
  else
    skip 'conntrack -E' "$(why)"
  fi
}

# One request: the fewest instructions of ROUNDS runs. -------------------------------------------------------------

requests() { # NAME TEXT [COMMAND...]: TEXT is what it says when it is ready
  local round name=$1
  if [ $# -gt 2 ]; then
    begin "${@:3}"
    until_true 60 says "$T/${2%%:*}" "${2#*:}" || { stop && return 1; }
  fi
  for ((round = 0; round < ROUNDS; round++)); do
    pause 2
    $W/requests 3000 "$COUNT"
  done >$T/rounds
  sed "s/^/$name: /" $T/rounds
  request_rows+=("$name")
  request_instructions[$name]=$(sort -g $T/rounds | head -n 1)
  stop
}
request_rows=()
declare -A request_instructions

all_requests() {
  local sent
  requests untraced -
  for sent in sock_send_length fexit=tcp_sendmsg; do
    requests "empty, $sent" out:ready $W/empty tcp_rcv_space_adjust $sent && break
  done
  requests whocalls err:tracing $W/whocalls trace --port 3000
  requests 'whocalls, kretprobe' err:tracing $W/whocalls trace --port 3000 --accept-hook kretprobe
  requests 'whocalls, another port' err:tracing $W/whocalls trace --port 3002
}

[ "${ONLY-}" = requests ] || connections
all_requests

echo '=== table'
request_table() {
  local name added
  printf '%-28s %12s %12s\n' "$(uname -r)" 'of a request' 'to untraced'
  for name in "${request_rows[@]}"; do
    added=$(awk -v a="${request_instructions[$name]}" -v b="${request_instructions[untraced]}" 'BEGIN { print a - b }')
    printf '%-28s %12.0f %+12.0f\n' "$name" "${request_instructions[$name]}" "$added"
  done
}
request_table
[ "${ONLY-}" != requests ] || exit 0
echo
printf '%-28s %12s %10s %11s %8s %12s %7s %10s %8s\n' "$(uname -r)" instructions "tool's own" 'to untraced' 'to empty' \
  'events lost' 'start s' 'memory MiB' 'idle M/s'
ratio() { awk -v a="${instructions[$1]}" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
reference='empty, with fexit'
[ -n "${instructions[$reference]-}" ] || reference='empty, two hooks'
for name in "${rows[@]}"; do
  if [ -n "${skipped[$name]-}" ]; then
    printf '%-28s skipped: %s\n' "$name" "${skipped[$name]}"
    continue
  fi
  printf '%-28s %12s %10s %11s %8s %12s %7s %10s %8s\n' "$name" "${instructions[$name]}" "${own_part[$name]}" \
    "$(ratio untraced "${instructions[$name]}")" "$(ratio "$reference" "${instructions[$name]}")" "${lost[$name]--}" \
    "${start[$name]--}" "${memory[$name]--}" "${idle[$name]--}"
done
