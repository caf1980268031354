#!/usr/bin/env bash
# All tests, one kind after the other; a kind that fails doesn't keep the others from running. Ends with what ran,
# for how long, and one line that says whether all is well.
set -uo pipefail
cd "$(dirname "$0")/.."
summary=()
failed=0

# step NAME COMMAND...: runs it and notes how it went.
step() {
    local name=$1 start=$SECONDS result=ok
    shift
    echo "── $name"
    "$@" || {
        result=FAILED
        failed=1
    }
    summary+=("$(printf '%-6s %5d s  %s' "$result" $((SECONDS - start)) "$name")")
}

rust() {
    # Binaries, tests and benchmarks of all crates in one build, so that no dependency is compiled twice, and the
    # end-to-end tests find the binaries.
    cargo build --workspace --all-targets --locked &&
        SPILLWAY_BIN=${CARGO_TARGET_DIR:-$PWD/target}/debug/spillway cargo test --workspace --locked
}

# What the sidecar's feature adds: that it links and runs without NVIDIA's libraries too. Of the whole workspace, so that its
# dependencies aren't compiled again with other features.
nvidia() {
    cargo test --workspace --locked --features spillway-hls/nvidia-sdk --lib -- transcode::encoder
}

web() {
    npm --prefix web-client test
}

end_to_end() {
    local bin=${CARGO_TARGET_DIR:-$PWD/target}/debug
    tests/e2e/setup.sh &&
        SPILLWAY_BIN=$bin/spillway SPILLWAY_HLS_BIN=$bin/spillway-hls SPILLWAY_LOADTEST_BIN=$bin/spillway-loadtest npm --prefix tests/e2e test
}

step "Rust: units, behaviour, replayed fuzz corpus" rust
step "the sidecar with NVIDIA's SDK" nvidia
step "pages: units" web
step "end to end: real browsers, encoders and relays" end_to_end

echo
printf '%s\n' "${summary[@]}"
if [ $failed = 0 ]; then
    echo "All tests passed."
else
    echo "Tests FAILED: see above."
fi
exit $failed
