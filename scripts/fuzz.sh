#!/usr/bin/env bash
# Fuzzes the parsers of network input, one target after the other, FUZZ_SECONDS each (default 600). What is found
# lands in fuzz/artifacts of sfu, hls-fallback and signaling/chat. Names of targets as arguments: only these. See docs/fuzzing.md.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-600}

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz: installing cargo-fuzz: a few minutes, once"
    cargo install --locked cargo-fuzz
fi
# The sanitizers are options of nightly compilers; a stable one knows them too if told to pose as one.
if cargo +nightly --version >/dev/null 2>&1; then
    fuzz() { cargo +nightly fuzz "$@"; }
else
    fuzz() { RUSTC_BOOTSTRAP=1 cargo fuzz "$@"; }
fi

is_wanted() { # is_wanted TARGET NAME...: it is named, or none is
    local target=$1 name
    shift
    [ $# -gt 0 ] || return 0
    for name in "$@"; do
        [ "$name" != "$target" ] || return 0
    done
    return 1
}

for crate in sfu hls-fallback signaling/chat; do
    pushd "$crate" >/dev/null
    mapfile -t targets < <(fuzz list)
    for target in "${targets[@]}"; do
        is_wanted "$target" "$@" || continue
        echo "── $crate: $target, $seconds s"
        # New inputs go to a folder of their own: what is worth keeping is moved to the corpus by hand (`cargo fuzz cmin`).
        mkdir -p "fuzz/found/$target"
        fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
            -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
    done
    popd >/dev/null
done
echo "Fuzzing found nothing."
