#!/usr/bin/env bash
# The sidecar's origin beside nginx, which serves the same bytes from memory (tmpfs): requests a second of CPU time of the server,
# alternating. nginx and wrk are needed: `apt-get install nginx-light wrk`. CPU 0 serves, CPU 1 asks.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-4} connections=${CONNECTIONS:-64}

for command in nginx wrk curl taskset; do
    command -v $command >/dev/null || { echo "$command is missing: apt-get install nginx-light wrk curl util-linux" >&2; exit 1; }
done
binary=${ORIGIN_BENCH_BIN:-$(cargo bench --profile quick -p spillway-hls --locked --bench origin --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*origin-[^"]*\)".*/\1/p')}
[[ -x $binary ]] || { echo "the benchmark wasn't built" >&2; exit 1; }

work=$(mktemp -d -p /dev/shm spillway-origin-XXXXXX)
chmod 755 "$work" # for the workers of an nginx that root starts
pids=()
# shellcheck disable=SC2329
clean() {
    [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

taskset -c 0 "$binary" serve >"$work/address" &
origin=$!
pids+=("$origin")
for _ in $(seq 50); do
    [[ ! -s $work/address ]] || break
    sleep 0.1
done
address=$(cat "$work/address")
port=$((28000 + RANDOM % 900))
mkdir -p "$work/root/hls/bench/720p" "$work/temp"
# A playlist without directives, one of its last parts, and a segment: nginx gets the same bytes.
curl -fsS "$address/hls/bench/720p/index.m3u8" -o "$work/root/hls/bench/720p/index.m3u8"
part=$(sed -n 's/^#EXT-X-PART:.*URI="\([^"]*\)".*/\1/p' "$work/root/hls/bench/720p/index.m3u8" | tail -2 | head -1)
segment=$(grep -v '^#' "$work/root/hls/bench/720p/index.m3u8" | tail -1)
for file in "$part" "$segment"; do
    curl -fsS "$address/hls/bench/720p/$file" -o "$work/root/hls/bench/720p/$file"
done
cat >"$work/nginx.conf" <<EOF
daemon off;
worker_processes 1;
worker_cpu_affinity 01;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $work/temp; proxy_temp_path $work/temp; fastcgi_temp_path $work/temp; uwsgi_temp_path $work/temp; scgi_temp_path $work/temp;
    sendfile on; tcp_nopush on; tcp_nodelay on;
    keepalive_requests 100000000;
    open_file_cache max=1000 inactive=60s;
    types { application/vnd.apple.mpegurl m3u8; video/mp4 m4s mp4; }
    server { listen 127.0.0.1:$port; root $work/root; }
}
EOF
taskset -c 0 nginx -c "$work/nginx.conf" -e "$work/nginx.log" &
pids+=($!)
for _ in $(seq 50); do
    ! curl -fsS -o /dev/null "http://127.0.0.1:$port/hls/bench/720p/index.m3u8" 2>/dev/null || break
    sleep 0.1
done
nginx=$(pgrep -P "$(cat "$work/nginx.pid")")

ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
# Requests a second of CPU of process $1 for URL $2.
rate() {
    local before after requests
    before=$(ticks "$1")
    requests=$(taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" "$2" | awk '/requests in/ { print $1 } /Non-2xx/ { print "x" }')
    after=$(ticks "$1")
    [[ $requests =~ ^[0-9]+$ ]] || { echo "answers weren't 200: $requests" >&2; exit 1; }
    awk -v r="$requests" -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN { print r * hz / t }'
}
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for file in index.m3u8 "$part" "$segment"; do
    size=$(stat -c %s "$work/root/hls/bench/720p/$file")
    : >"$work/ours"
    : >"$work/theirs"
    for _ in $(seq "$rounds"); do
        rate "$origin" "$address/hls/bench/720p/$file" >>"$work/ours"
        rate "$nginx" "http://127.0.0.1:$port/hls/bench/720p/$file" >>"$work/theirs"
    done
    awk -v name="$file" -v size="$size" -v ours="$(median <"$work/ours")" -v theirs="$(median <"$work/theirs")" \
        'BEGIN { printf "%-12s %8d bytes: %.0f requests a second of CPU, nginx %.0f: %.2f\n", name, size, ours, theirs, ours / theirs }'
done
