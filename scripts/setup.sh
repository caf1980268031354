#!/usr/bin/env bash
# Installs what building Spillway needs and isn't there yet, and says so. Instant when all is there.
# With `test`, `check` or `bench-check`: what that target of make needs on top.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "setup: $*"; }
fail() {
    echo "setup: $*" >&2
    exit 1
}
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root, and there is no sudo: run as root: $*"
    fi
}

command -v cargo >/dev/null || fail "Rust is missing: install it from https://rustup.rs"
command -v npm >/dev/null || fail "Node.js is missing: install version 20.19 or newer, with npm, from https://nodejs.org"
node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
    fail "Node.js $(node --version) is too old for the build of the pages: install version 20.19 or newer from https://nodejs.org"

packages=()
needs() { # needs PACKAGE COMMAND...: installs the package if the command fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || packages+=("$package")
}
needs gcc command -v cc
needs g++ command -v c++ # openh264
needs libc6-dev test -e /usr/include/stdlib.h
needs cmake command -v cmake # opus
needs make command -v make   # opus, too
needs nasm command -v nasm   # openh264 encodes the demo several times as fast with its assembly
needs pkg-config command -v pkg-config
needs libssl-dev pkg-config --exists openssl # DTLS
# The sidecar's decoders and encoders, and the bindings to them.
for library in libavcodec libavformat libavutil libavfilter libswscale libswresample; do
    needs $library-dev pkg-config --exists $library
done
# Not libclang-cpp.so, which other packages bring.
needs libclang-dev sh -c 'ls /usr/lib/llvm-*/lib/libclang.so* /usr/lib/llvm-*/lib/clang/*/include/stddef.h'
# Some of the sidecar's tests have FFmpeg play what it makes.
[ "${1:-}" != test ] || needs ffmpeg sh -c 'ffmpeg -version && ffprobe -version'
[ "${1:-}" != bench-check ] || needs valgrind command -v valgrind
if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || fail "these are missing, and there is no apt-get to install them with: ${packages[*]}"
    say "installing ${packages[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${packages[@]}"
fi

[ "${1:-}" = check ] || exit 0

cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
if ! cargo deny --version >/dev/null 2>&1; then
    say "installing cargo-deny: a few minutes, once"
    # Unoptimised: it runs for a second, and compiles in a third of the time.
    cargo install --locked --debug cargo-deny
fi
