#!/usr/bin/env bash
# CLIENTS (500) players of the demo's LL-HLS behind Varnish, which collapses equal requests: how often the origin is asked for
# the same, and what players see; then DIRECT (300) of them without it. Ends with 1 if the origin was asked for a part or a blocking
# reload more than twice. `apt-get install varnish` first.
# Needs SPILLWAY_BIN, SPILLWAY_HLS_BIN and SPILLWAY_LOADTEST_BIN, or builds them.
set -euo pipefail
cd "$(dirname "$0")/.."
clients=${CLIENTS:-500} direct=${DIRECT:-300} duration=${DURATION:-30s} rendition=${RENDITION:-360p}

for command in varnishd varnishncsa varnishadm curl; do
    command -v $command >/dev/null || { echo "$command is missing: apt-get install varnish curl" >&2; exit 1; }
done
if [ -z "${SPILLWAY_BIN:-}" ] || [ -z "${SPILLWAY_HLS_BIN:-}" ] || [ -z "${SPILLWAY_LOADTEST_BIN:-}" ]; then
    cargo build --profile quick --locked -p spillway -p spillway-hls -p spillway-loadtest
    built=${CARGO_TARGET_DIR:-$PWD/target}/quick
    SPILLWAY_BIN=$built/spillway SPILLWAY_HLS_BIN=$built/spillway-hls SPILLWAY_LOADTEST_BIN=$built/spillway-loadtest
fi

work=$(mktemp -d)
pids=()
# shellcheck disable=SC2329
clean() {
    [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

port=$((27000 + RANDOM % 900))
"$SPILLWAY_BIN" serve --no-hls --demo --http 127.0.0.1:$port --media-port $((port + 1)) --data-dir "$work/data" 2>"$work/node.log" &
pids+=($!)
for _ in $(seq 100); do
    ! curl -fsS -o /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null || break
    sleep 0.1
done
SPILLWAY_TOKEN=$("$SPILLWAY_BIN" token service --data-dir "$work/data")
export SPILLWAY_TOKEN
origin=$((port + 10))
"$SPILLWAY_HLS_BIN" --node "http://127.0.0.1:$port" --listen 127.0.0.1:$origin --id cached 2>"$work/hls.log" &
sidecar=$!
pids+=("$sidecar")
path=/hls/demo/index.m3u8
for _ in $(seq 100); do
    ! curl -fsS -o /dev/null "http://127.0.0.1:$origin$path" 2>/dev/null || break
    sleep 0.2
done

cache=$((port + 20))
varnishd -F -n "$work/varnish" -a 127.0.0.1:$cache -b 127.0.0.1:$origin -s malloc,256m -T none \
    -p thread_pool_min=200 -p thread_pool_max=4000 >"$work/varnish.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do
    ! curl -fsS -o /dev/null "http://127.0.0.1:$cache$path" 2>/dev/null || break
    sleep 0.1
done
varnishncsa -n "$work/varnish" -b -F '%s %U%q' >"$work/asked" &
log=$!
pids+=("$log")

echo "── $clients players behind the cache"
"$SPILLWAY_LOADTEST_BIN" hls --url "http://127.0.0.1:$cache$path" --clients "$clients" --rate 50 --rendition "$rendition" \
    --duration "$duration" --server-pid "$sidecar"
sleep 1
kill "$log"
wait "$log" 2>/dev/null || true
# Parts and blocking reloads are what all ask for at once; the first playlists, which aren't, are left out.
often=0
awk -v most=2 '
    $2 ~ /\/[0-9]+\.[0-9]+\.m4s$/ || $2 ~ /[?&]_HLS_msn=/ {
        n[$2]++; all++
        if (index(" " statuses[$2] " ", " " $1 " ") == 0) statuses[$2] = statuses[$2] (statuses[$2] ? " " : "") $1
    }
    END {
        for (url in n) count[n[url]]++
        printf "  the origin was asked %d times for %d parts and playlists that were waited for:", all, length(n)
        for (times in count) printf " %d of them %s", count[times], times == 1 ? "once;" : times " times;"
        printf "\n"
        if (!all) { print "  it was asked for none: nothing was measured"; exit 1 }
        for (url in n) if (n[url] > most) { often++; printf "  %d times, answered with %s: %s\n", n[url], statuses[url], url }
        exit often > 0
    }' "$work/asked" || often=1

echo "── $direct players without it"
"$SPILLWAY_LOADTEST_BIN" hls --url "http://127.0.0.1:$origin$path" --clients "$direct" --rate 50 --rendition "$rendition" \
    --duration "$duration" --server-pid "$sidecar"
exit $often
