#!/usr/bin/env bash
# Rules about files that no compiler knows: what a reader can hold in mind, nothing left for later, nothing of one machine.
set -euo pipefail
cd "$(dirname "$0")/.."
MAX_LINES=600
failed=0
complain() {
    failed=1
    echo "$1:"
    sed 's/^/    /'
}

mapfile -t code < <(git ls-files '*.rs' '*.ts' '*.js' '*.css' '*.html' '*.py' '*.sh' Makefile .ci/run)
mapfile -t text < <(git ls-files '*.md' '*.toml' '*.json' | grep -v package-lock.json)

long=$(wc -l "${code[@]}" | awk -v max=$MAX_LINES '$2 != "total" && $1 > max')
[ -z "$long" ] || complain "over $MAX_LINES lines; split them" <<<"$long"

# This file has to name what it forbids.
later=$(grep -nwE 'TODO|FIXME|XXX|HACK|todo!|unimplemented!' "${code[@]}" | grep -v '^scripts/check-tree.sh' || true)
[ -z "$later" ] || complain "left for later; do it, or write an issue" <<<"$later"

paths=$(grep -nE '(^|[^[:alnum:]/.])/(root|home|work|Users)/' "${code[@]}" "${text[@]}" | grep -v '^scripts/check-tree.sh' || true)
[ -z "$paths" ] || complain "paths of one machine" <<<"$paths"

exit $failed
