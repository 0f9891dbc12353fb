#!/bin/bash
# requests.sh: what whocalls adds to one request of a connection that is kept, on a target and on any other socket, and
# the throughput of nginx under wrk. COUNT is the requests of a run, REQUESTS the rounds of them, ROUNDS those of wrk.
# Both ends are on this machine: a request to the target is one on a target's socket and one on another, the client's.
set -u

# shellcheck source=tests/bench/lib.sh
. "${0%/*}/lib.sh"
ROUNDS=${ROUNDS:-15} REQUESTS=${REQUESTS:-40} COUNT=${COUNT:-10000}

# Without accept hook: the one of system calls, where it has to be, is no part of this (bench.sh has it).
target='whocalls, no accept hook' other='another port, no accept hook' empty='empty, of requests'

# --- one request ---

echo "A request and its answer on one connection, both ends on one CPU ($REQUESTS rounds of $COUNT, interleaved)"
have_of untraced "$empty" "$target" "$other" whocalls
for ((round = 0; round < REQUESTS; round++)); do
  for name in "${running[@]}"; do
    begin "$name" || exit 1
    "$BENCH/requests" 3000 "$COUNT" >>"$D/ns.$name"
    [ -z "$PID" ] || stop
  done
done
added() { # NAME: ns to a request; of the rounds' own differences
  paste "$D/ns.untraced" "$D/ns.$1" | awk '{ print $2 - $1 }' | median
}
fast() { sort -g "$D/ns.$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 9) / 10)] }'; } # NAME: of the fastest tenth
printf '  %-30s %12s %10s %14s %10s\n' '' 'ns/request' 'added' 'fastest tenth' 'added'
for name in "${running[@]}"; do
  printf '  %-30s %12.0f %10.0f %14.0f %10.0f\n' "$name" "$(median <"$D/ns.$name")" "$(added "$name")" \
    "$(fast "$name")" "$(awk -v a="$(fast "$name")" -v b="$(fast untraced)" 'BEGIN { print a - b }')"
done
awk -v both="$(added "$target")" -v others="$(added "$other")" 'BEGIN {
  printf "  a socket of a target %.0f ns, any other %.0f ns (asked for: at most 300 and 30)\n", both - others / 2, others / 2 }'

# --- the programs alone ---

echo "The same of the programs alone: by the kernel's own statistics, less what they show of empty ones"
programs='turn_read|turn_sent'
programs_ns() { # CONFIGURATION PROGRAMS: ns of a run of each
  begin "$1"
  for _ in 1 2 3 4 5; do "$BENCH/requests" 3000 "$COUNT" >/dev/null; done
  run_ns | grep -E "^($2) "
  stop
}
stats_begin
empty_ns=$(programs_ns "$empty" empty | awk '{ print $2 }' | median)
programs_ns "$other" "$programs" | sort >"$D/other"
programs_ns "$target" "$programs" | sort >"$D/both"
stats_end
# of the runs of a trace of the target, half are for the client's end
join "$D/other" "$D/both" | awk -v empty="${empty_ns:-0}" '{
  other = $2 - empty; target = 2 * $3 - $2 - empty; others += other; targets += target
  printf "  %-30s a target %6.0f ns a run, any other %6.0f ns\n", $1, target, other
} END {
  if (NR) printf "  %-30s a target %6.0f ns, any other %6.0f ns\n", "both, so of a request", targets, others
  else print "  skipped: no program of requests ran" }'

# --- throughput ---

echo "Throughput: nginx under wrk, 16 connections, both on one CPU ($ROUNDS rounds of a second, interleaved)"
for program in nginx wrk; do
  PATH=$PATH:/usr/sbin command -v $program >/dev/null || { echo "  skipped: there is no $program here" && exit; }
done
cat >"$D/nginx.conf" <<END
daemon off; master_process off; pid $D/nginx.pid; error_log $D/nginx.log; user root;
events { worker_connections 64; }
http {
  access_log off; keepalive_requests 1000000000; client_body_temp_path $D; proxy_temp_path $D; fastcgi_temp_path $D;
  uwsgi_temp_path $D; scgi_temp_path $D;
  server { listen 127.0.0.1:3000; location / { return 200 "an answer\n"; } }
}
END
cpu=$(($(nproc --all) - 1))
exec 6> >(PATH=$PATH:/usr/sbin exec setpriv --pdeathsig KILL -- taskset -c $cpu nginx -p "$D" -c "$D/nginx.conf" -e "$D/nginx.log")
PIDS+=($!)
wait_for 'ss -Hltn "sport = :3000" | grep -q .' || { cat "$D/nginx.log" >&2 && exit 1; }
nginx=$(cat "$D/nginx.pid") # one process: nothing of it outlives this

nginx_ns() { awk '{ print $1 }' "/proc/$nginx/schedstat"; }
wrk_once() { # requests a second, and CPU ns of a request
  local before
  TIMEFORMAT='%U %S'
  before=$(nginx_ns)
  { time taskset -c $cpu wrk -t 1 -c 16 -d 1s http://127.0.0.1:3000/ >"$D/wrk" 2>&1; } 2>"$D/time"
  awk -v nginx=$(($(nginx_ns) - before)) -v wrk="$(awk '{ print ($1 + $2) * 1e9 }' "$D/time")" '
    / requests in / { n = $1 } /^Requests\/sec/ { rate = $2 } END { print rate, (nginx + wrk) / n }' "$D/wrk"
}
have_of untraced "$empty" "$target" "$other" whocalls
for ((round = 0; round < ROUNDS; round++)); do
  for name in "${running[@]}"; do
    begin "$name" || exit 1
    wrk_once >>"$D/wrk.$name"
    [ -z "$PID" ] || stop
  done
done
printf '  %-30s %12s %12s %12s %12s\n' '' 'requests/s' 'to untraced' 'CPU ns each' 'to untraced'
for name in "${running[@]}"; do
  printf '  %-30s %12.0f %12.3f %12.0f %12.3f\n' "$name" "$(awk '{ print $1 }' "$D/wrk.$name" | median)" \
    "$(paste "$D/wrk.untraced" "$D/wrk.$name" | awk '{ print $3 / $1 }' | median)" \
    "$(awk '{ print $2 }' "$D/wrk.$name" | median)" \
    "$(paste "$D/wrk.untraced" "$D/wrk.$name" | awk '{ print $2 / $4 }' | median)"
done
