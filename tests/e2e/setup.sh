#!/bin/sh
# Installs what the end-to-end tests need and isn't there yet. Quick when all is there.
set -eu
cd "$(dirname "$0")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/spillway"

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=""
for pair in chromium:chromium firefox-esr:firefox-esr turnserver:coturn ip:iproute2 node:nodejs npm:npm python3:python3 \
    pocketsphinx_continuous:pocketsphinx espeak-ng:espeak-ng; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
# The model of English that pocketsphinx doesn't depend on.
[ -e /usr/share/pocketsphinx/model/en-us ] || missing="$missing pocketsphinx-en-us"
# Debian keeps venv's pip in a package of its own.
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    as_root apt-get update -q
    # shellcheck disable=SC2086 # a list of packages
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
    # The package starts a relay, on all addresses; the tests start their own.
    case "$missing" in
    *coturn*) [ ! -d /run/systemd/system ] || as_root systemctl disable -q --now coturn ;;
    esac
fi

# A stamp of what was installed keeps the second run short.
stamp="$cache/e2e-venv.stamp"
if ! cmp -s aiortc/requirements.txt "$stamp"; then
    mkdir -p "$cache"
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install -q --disable-pip-version-check -r aiortc/requirements.txt
    cp aiortc/requirements.txt "$stamp"
fi

if ! cmp -s package-lock.json node_modules/.installed; then
    npm ci --no-audit --no-fund
    cp package-lock.json node_modules/.installed
fi
