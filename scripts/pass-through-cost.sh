#!/usr/bin/env bash
# What a broadcast costs the sidecar whose source is passed through, which is recorded, and which nobody watches: the demo's, 720p30 at
# 2.5 Mbit/s. Ends with 1 where that is over 5 % of a core. On an idle machine.
# Needs SPILLWAY_BIN and SPILLWAY_HLS_BIN, or builds them.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
most=5 # percent of a core
command -v curl >/dev/null || { echo "curl is missing: apt-get install curl" >&2; exit 1; }
if [ -z "${SPILLWAY_BIN:-}" ] || [ -z "${SPILLWAY_HLS_BIN:-}" ]; then
    cargo build --profile quick --locked -p spillway -p spillway-hls
    built=${CARGO_TARGET_DIR:-$PWD/target}/quick
    SPILLWAY_BIN=$built/spillway SPILLWAY_HLS_BIN=$built/spillway-hls
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

port=$((26000 + RANDOM % 900))
"$SPILLWAY_BIN" serve --no-hls --demo --http 127.0.0.1:$port --media-port $((port + 1)) --data-dir "$work/data" 2>"$work/node.log" &
pids+=($!)
for _ in $(seq 100); do
    ! curl -fsS -o /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null || break
    sleep 0.1
done
SPILLWAY_TOKEN=$("$SPILLWAY_BIN" token service --data-dir "$work/data")
export SPILLWAY_TOKEN
mkdir "$work/vod"
"$SPILLWAY_HLS_BIN" --node "http://127.0.0.1:$port" --listen "127.0.0.1:$((port + 10))" --id alone \
    --storage "file://$work/vod" --spool "$work/spool" 2>"$work/hls.log" &
sidecar=$!
pids+=("$sidecar")
path=/hls/demo/index.m3u8
for _ in $(seq 100); do
    ! curl -fsS -o /dev/null "http://127.0.0.1:$((port + 10))$path" 2>/dev/null || break
    sleep 0.2
done
# Whoever asked for it counts as a viewer of renditions for a while.
sleep 35

# spent PID: processor time in hundredths of a second, of all threads.
spent() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

ticks=$(getconf CLK_TCK)
before=$(spent "$sidecar") began=$(date +%s%N)
sleep "$seconds"
after=$(spent "$sidecar") ended=$(date +%s%N)
if grep -q 'encoded' "$work/hls.log"; then
    echo "the source was encoded meanwhile, so this isn't what passing it through takes:" >&2
    grep 'encoded' "$work/hls.log" >&2
    exit 1
fi
awk -v ticks=$((after - before)) -v hz="$ticks" -v ns=$((ended - began)) -v most=$most 'BEGIN {
    share = 100 * ticks / hz / (ns / 1e9)
    printf "the sidecar took %.1f %% of a core for %.0f s (%d %% at most)\n", share, ns / 1e9, most
    exit share > most
}'
