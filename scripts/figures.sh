#!/usr/bin/env bash
# The load test's figures of docs/benchmarks.md, one after the other: `scripts/figures.sh` makes all, `scripts/figures.sh 500 storm`
# those. The node has one worker on CPU 0 unless it says otherwise, the load test CPU 1, and nothing else should run. Results
# go to OUT (figures/), as tables and JSON. Takes twenty minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-figures}
all=(200 500 1000 no-gro idle storm many two-workers chat floor)
[ "$(nproc)" -ge 2 ] || {
    echo "two cores are needed: one for the node, one for the load test" >&2
    exit 1
}
if [ -z "${SPILLWAY_BIN:-}" ] || [ -z "${SPILLWAY_LOADTEST_BIN:-}" ]; then
    cargo build --profile quick --locked -p spillway -p spillway-loadtest
    built=${CARGO_TARGET_DIR:-$PWD/target}/quick
    SPILLWAY_BIN=$built/spillway SPILLWAY_LOADTEST_BIN=$built/spillway-loadtest
fi
mkdir -p "$out"
out=$(realpath "$out")
port=$((26000 + RANDOM % 900))

work=$(mktemp -d)
node=
# shellcheck disable=SC2329 # the trap calls it
clean() {
    stop_node
    rm -rf "$work"
}
stop_node() {
    [ -z "$node" ] || kill "$node" 2>/dev/null || true
    wait 2>/dev/null || true
    node=
}
trap clean EXIT

# start_node WORKERS: a node of its own, with room for what is asked of it.
start_node() {
    cat >"$work/spillway.toml" <<EOF
[limits]
publishers = 1000
[chat]
author_rate = 100
author_burst = 200
room_rate = 5000
shown_rate = 5000
EOF
    rm -rf "$work/data"
    taskset -c 0 "$SPILLWAY_BIN" serve --no-hls --config "$work/spillway.toml" --workers "$1" --data-dir "$work/data" \
        --http "127.0.0.1:$port" --media-port "$((port + 1))" >"$work/node.log" 2>&1 &
    node=$!
    for _ in $(seq 100); do
        ! curl -fsS -o /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null || break
        sleep 0.1
    done
    SPILLWAY_LOADTEST_TOKEN=$("$SPILLWAY_BIN" token admin --data-dir "$work/data")
    export SPILLWAY_LOADTEST_TOKEN
}

# load NAME OPTION...: a run of the load test against that node.
load() {
    local name=$1
    shift
    taskset -c 1 "$SPILLWAY_LOADTEST_BIN" run --server "http://127.0.0.1:$port" --server-pid "$node" \
        --json "$out/$name.json" --plot "$out/$name.svg" "$@" >"$out/$name.txt" 2>"$work/progress" ||
        { cat "$work/progress" >&2; return 1; }
    echo "── $name: $*"
    cat "$out/$name.txt"
}

# alone NAME WORKERS OPTION...: with a node of its own.
alone() {
    local name=$1 workers=$2
    shift 2
    start_node "$workers"
    load "$name" "$@"
    stop_node
}

hundreds=(--rate 100 --settle 3s --data-channel --linger 15s --floor)
small=(--bitrate 300kbit --fps 15 --audio 0 --rate 200 --settle 3s --duration 20s)

# The picture alone: those who chat take the sound, if there is any.
beside_chat=(--viewers 500 --audio 0 --rate 100 --settle 5s --duration 20s)

# chat NAME: 500 chat by data channels, with 200 messages a second, while 500 others watch. Clients of the chat come second on their
# core: what is late there is the load test's own doing, and pictures are stamped by the kernel.
chat() {
    local name=$1
    start_node 1
    load "$name" "${beside_chat[@]}" &
    local watching=$!
    sleep 1
    env -u SPILLWAY_LOADTEST_TOKEN taskset -c 1 nice "$SPILLWAY_LOADTEST_BIN" chat --url "http://127.0.0.1:$port" --channel load \
        --transport datachannel --viewers 500 --settle 4s --writers 50 --rate 200 --duration 25s --json "$out/$name-chat.json" \
        >"$out/$name-chat.txt" 2>"$work/chat" || { cat "$work/chat" >&2; return 1; }
    wait $watching
    echo "── $name: the chat"
    cat "$out/$name-chat.txt"
    stop_node
}

figure() {
    case $1 in
    200 | 500) alone "$1" 1 --viewers "$1" --duration 20s "${hundreds[@]}" ;;
    1000) alone 1000 1 --viewers 1000 --duration 60s "${hundreds[@]}" ;;
    no-gro) alone no-gro 1 --viewers 200 --duration 20s --no-gro "${hundreds[@]}" ;;
    idle) # as little as can be published: one small picture a second, no sound
        alone idle 1 --viewers 1000 --bitrate 10kbit --fps 1 --audio 0 --rate 100 --settle 5s --duration 30s --data-channel
        ;;
    storm) # 1,000 come to where 100 watch
        start_node 1
        taskset -c 1 "$SPILLWAY_LOADTEST_BIN" run --server "http://127.0.0.1:$port" --channel storm --viewers 100 --bitrate 1mbit --data-channel \
            --rate 100 --settle 3s --duration 30s --plot "$out/storm.svg" --server-pid "$node" --json "$out/storm.json" >"$out/storm.txt" 2>"$work/progress" &
        local watching=$!
        sleep 12
        taskset -c 1 "$SPILLWAY_LOADTEST_BIN" run --server "http://127.0.0.1:$port" --channel storm --only-watch --viewers 1000 --data-channel \
            --rate 100 --settle 1s --duration 5s --sources 127.2.0.0/16 --json "$out/storm-joins.json" >"$out/storm-joins.txt" 2>"$work/joins" ||
            { cat "$work/joins" >&2; return 1; }
        wait $watching
        echo "── storm: those who watch"
        cat "$out/storm.txt"
        echo "── storm: those who come"
        cat "$out/storm-joins.txt"
        stop_node
        ;;
    many)
        alone many-channels 1 --channels 500 --viewers 2 "${small[@]}"
        alone many-publishers 1 --channels 500 --viewers 0 "${small[@]}"
        alone many-one 1 --channels 1 --viewers 1000 "${small[@]}"
        ;;
    two-workers) # both on one core: the CPU of a datagram
        for turn in 1 2; do
            alone "workers-1-$turn" 1 --viewers 400 --rate 100 --settle 3s --duration 15s
            alone "workers-2-$turn" 2 --viewers 400 --rate 100 --settle 3s --duration 15s
        done
        ;;
    chat) # beside 500 who watch, and without
        for turn in 1 2 3; do
            chat "chat-$turn"
            alone "chat-$turn-without" 1 "${beside_chat[@]}"
        done
        ;;
    floor)
        echo "── floor"
        taskset -c 0 "$SPILLWAY_LOADTEST_BIN" floor | tee "$out/floor.txt"
        ;;
    *)
        echo "no such figure: $1; there are: ${all[*]}" >&2
        exit 2
        ;;
    esac
}

[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do figure "$name"; done
