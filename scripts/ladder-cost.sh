#!/usr/bin/env bash
# What the sidecar's ladder costs: processor time of its transcoder over a file of 720p30 in real time, beside that of the `ffmpeg`
# command that does the same (one decoding, three x264 and one AAC encoding, one thread each), turn about in one run; and with
# openh264 instead of x264. On an idle machine: one that can't keep up leaves pictures out.
# TURNS=3 SECONDS_EACH=30 [LADDER_BIN=…] scripts/ladder-cost.sh [FILE.h264]
set -euo pipefail
cd "$(dirname "$0")/.."
turns=${TURNS:-3}
seconds=${SECONDS_EACH:-30}
most=1.1 # times ffmpeg
ffmpeg=${FFMPEG:-ffmpeg}
"$ffmpeg" -hide_banner -encoders 2>/dev/null | grep -w libx264 >/dev/null || {
    echo "ladder-cost: no ffmpeg with libx264 at '$ffmpeg': install Debian's (scripts/setup.sh test does), or name one with FFMPEG=…" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ -z ${LADDER_BIN:-} ]]; then
    cargo build --profile quick --locked -p spillway-hls --example ladder
    LADDER_BIN=${CARGO_TARGET_DIR:-target}/quick/examples/ladder
fi

# quiet COMMAND...: ffmpeg says nothing unless it fails, and reads no keys.
quiet() { "$ffmpeg" -nostdin -hide_banner -loglevel error -y "$@"; }

# Detail that moves, of several kinds, with noise: neither so still nor so wild that an encoder has it easy.
source=$work/source.h264
if [[ -n ${1:-} ]]; then
    quiet -i "$1" -an -c:v copy -frames:v $((seconds * 30)) -f h264 "$source"
else
    quiet -f lavfi -i "testsrc2=s=1280x720:r=30:d=$seconds" -f lavfi -i "mandelbrot=s=640x720:r=30:maxiter=800" \
        -filter_complex "[0:v]noise=alls=6:allf=t[a];[a][1:v]overlay=x=640:shortest=1,format=yuv420p" \
        -c:v libx264 -preset veryfast -bf 0 -g 60 -b:v 6M -f h264 "$source"
fi
quiet -f lavfi -i "anullsrc=r=48000:cl=stereo" -t "$seconds" "$work/silence.wav"

# spent COMMAND...: user and system seconds that it took, as one number.
spent() {
    local TIMEFORMAT='%U %S'
    { time "$@" >"$work/log" 2>&1; } 2>"$work/time" || {
        cat "$work/log" >&2
        return 1
    }
    awk '{print $1 + $2}' "$work/time"
}
x264() { # x264 RATE: as the sidecar has it
    echo -c:v libx264 -preset veryfast -tune zerolatency -threads 1 -bf 0 -b:v "$1" -maxrate $(($1 * 6 / 5)) -bufsize $(($1 / 2)) \
        -x264-params scenecut=0:keyint=60:min-keyint=60 -f null /dev/null
}
theirs() {
    # shellcheck disable=SC2046 # words are what is wanted
    quiet -threads 1 -re -r 30 -i "$source" -re -i "$work/silence.wav" -filter_threads 1 -filter_complex_threads 1 \
        -filter_complex "[0:v]split=3[a][b][c];[b]scale=854:480:flags=bicubic[d];[c]scale=640:360:flags=bicubic[e]" \
        -map "[a]" $(x264 2800000) -map "[d]" $(x264 1300000) -map "[e]" $(x264 700000) \
        -map 1:a -c:a aac -b:a 128k -f null /dev/null
}
ours() { # ours ENCODER
    mkdir -p "$work/$1"
    "$LADDER_BIN" --encoder "$1" --to "$work/$1" "$source"
}

sums=(0 0 0)
for turn in $(seq "$turns"); do
    taken=("$(spent theirs)" "$(spent ours x264)" "$(spent ours openh264)")
    echo "turn $turn: ffmpeg ${taken[0]} s, sidecar with x264 ${taken[1]} s, with openh264 ${taken[2]} s of processor time"
    for i in 0 1 2; do
        sums[i]=$(awk -v a="${sums[i]}" -v b="${taken[i]}" 'BEGIN { print a + b }')
    done
done

awk -v theirs="${sums[0]}" -v x264="${sums[1]}" -v openh264="${sums[2]}" -v most=$most 'BEGIN {
    printf "openh264 takes %.2f times what x264 takes\n", openh264 / x264
    printf "the sidecar takes %.2f times what ffmpeg takes, of %.1f at most\n", x264 / theirs, most
    exit x264 > theirs * most
}'
