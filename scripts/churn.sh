#!/usr/bin/env bash
# 300 viewers who stay for 6 s each, for MINUTES (default 30), against a node of its own; fails if anything of the node
# grows: memory, descriptors, threads, sessions, tasks. Needs nothing of npm, and no browser. What was sampled is kept in
# tests/e2e/artifacts/churn.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${MINUTES:-30}

if [ -z "${SPILLWAY_BIN:-}" ] || [ -z "${SPILLWAY_LOADTEST_BIN:-}" ]; then
    cargo build --profile quick --locked -p spillway -p spillway-loadtest
    built=${CARGO_TARGET_DIR:-$PWD/target}/quick
    export SPILLWAY_BIN=$built/spillway SPILLWAY_LOADTEST_BIN=$built/spillway-loadtest
fi
echo "── $minutes minutes of viewers who come and go"
node tests/e2e/churn.js "$minutes"
