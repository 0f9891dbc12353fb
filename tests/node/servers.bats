# SPDX-License-Identifier: MIT
# bats file_tags=kernel-side
# Requests at servers that others wrote, against their own logs.
# shellcheck disable=SC2016

load lib.sh

setup() {
  node_up
  pod_add s 100.96.0.2
  pod_add c 100.96.0.3
}

teardown() {
  node_down
}

need() {
  local program
  for program; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || node_skip "no $program here"
  done
}

# nginx_start [LISTEN [DIRECTIVES]]: one process, so that nothing of it outlives the test. Its log has a line for each
# request that it began to answer: the bytes that it sent, 0 where the client was gone already.
nginx_start() {
  mkdir "$T/www"
  head -c 300000 /dev/zero >"$T/www/large"
  echo small >"$T/www/small"
  cat >"$T/nginx.conf" <<EOF
daemon off;
master_process off;
user root;
pid $T/nginx.pid;
events { worker_connections 256; }
http {
  log_format sent '\$bytes_sent \$status';
  access_log $T/access.log sent;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path $T/nginx-body;
  proxy_temp_path $T/nginx-proxy;
  fastcgi_temp_path $T/nginx-fastcgi;
  uwsgi_temp_path $T/nginx-uwsgi;
  scgi_temp_path $T/nginx-scgi;
  server {
    listen $PORT ${1:-};
    root $T/www;
    ${2:-}
  }
}
EOF
  background_in s "$T/nginx.log" "$T/nginx.log" env "PATH=$PATH:/usr/sbin" nginx -e stderr -c "$T/nginx.conf"
  listening $!
}

# listening PID: waits for it.
listening() {
  wait_for '[[ -n $(in_pod s ss -tlnH "sport = :$PORT") ]]'" || ! kill -0 $1"
  kill -0 "$1"
}

# client cmd…: ends with this shell at the latest.
client() {
  in_pod c setpriv --pdeathsig KILL "$@"
}

# All connections have ended at the server, and so all is logged.
ended() {
  wait_for '(($(established s) == 0)) && [[ -z $(in_pod s ss -tnH state close-wait "sport = :$PORT") ]]'
}

answered() {
  grep -c '^[1-9]' "$T/access.log"
}

@test "nginx, files by sendfile: curl, 200 requests on one connection" {
  need nginx curl
  nginx_start
  trace_start --port "$PORT"
  client curl -s -S -m 30 -o /dev/null "http://100.96.0.2:$PORT/large?[1-200]"
  ended
  trace_stop
  same answered "$(answered)" 200
  caller_is curl opened=1 requests=200 requests_are=requests
  same "requests in all" "$(total requests)" 200
  same "service times" "$(jq '.callers[0].service_time.count' "$T/out.json")" 200
}

@test "nginx: curl, with bodies that it has to read" {
  need nginx curl
  # 405, once the body has come
  nginx_start "" "client_max_body_size 0;"
  trace_start --port "$PORT"
  client curl -s -S -m 30 -o /dev/null -H Expect: --data-binary "@$T/www/small" \
    "http://100.96.0.2:$PORT/small?[1-50]"
  ended
  trace_stop
  same answered "$(answered)" 50
  caller_is curl requests=50 requests_are=requests
}

# It asks for a second, and leaves in the middle of an answer.
@test "nginx: wrk, as many requests as nginx answered" {
  need nginx wrk
  nginx_start
  trace_start --port "$PORT"
  client wrk -t 1 -c 8 -d 1s "http://100.96.0.2:$PORT/small" >"$T/wrk.log"
  ended
  trace_stop
  same requests "$(caller_sum true requests)" "$(answered)"
  same "requests in all" "$(total requests)" "$(answered)"
  same label "$(jq -r '.callers[0].requests_are' "$T/out.json")" requests
}

tls_start() {
  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=s -days 2 -keyout "$T/key.pem" -out "$T/cert.pem" \
    >"$T/openssl.log" 2>&1
  nginx_start ssl "ssl_certificate $T/cert.pem; ssl_certificate_key $T/key.pem; $1"
}

# Its handshake has two turns: the client's hello, and its key and Finished.
@test "nginx with TLS 1.2: a request is a turn, and the handshake is two" {
  need nginx curl openssl
  tls_start "ssl_protocols TLSv1.2;"
  trace_start --port "$PORT"
  client curl -s -S -k -m 30 -o /dev/null "https://100.96.0.2:$PORT/large?[1-50]"
  ended
  trace_stop
  same answered "$(answered)" 50
  caller_is curl opened=1 requests=52 requests_are=requests
}

# The client's Finished comes with its first request. Where the server sends tickets, they answer a turn of their own if
# it has not read both at once; so none here.
@test "nginx with TLS 1.3: a request is a turn, and the handshake is one" {
  need nginx curl openssl
  tls_start "ssl_protocols TLSv1.3; ssl_conf_command NumTickets 0;"
  trace_start --port "$PORT"
  client curl -s -S -k -m 30 -o /dev/null "https://100.96.0.2:$PORT/large?[1-50]"
  ended
  trace_stop
  same answered "$(answered)" 50
  caller_is curl opened=1 requests=51 requests_are=requests
}

@test "HTTP/2, ten streams at a time: turns, and told to be" {
  need nghttpd h2load
  mkdir "$T/www"
  echo small >"$T/www/small"
  background_in s "$T/nghttpd.log" "$T/nghttpd.log" env "PATH=$PATH:/usr/sbin" nghttpd --no-tls -d "$T/www" "$PORT"
  listening $!
  trace_start --port "$PORT"
  client h2load -n 500 -c 2 -m 10 "http://100.96.0.2:$PORT/small" >"$T/h2load.log"
  ended
  trace_stop
  grep -q '500 succeeded' "$T/h2load.log"
  caller_is h2load opened=2 requests_are=turns
  (($(caller_count h2load overlaps) > 0 && $(caller_count h2load requests) > 0))
}
