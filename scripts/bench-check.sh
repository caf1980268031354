#!/usr/bin/env bash
# Counts the instructions that forwarding a packet to a viewer takes, and compares with sfu/benches/instructions.txt.
# Valgrind counts the same on a busy machine as on an idle one. `--update` writes what it counted.
set -euo pipefail
cd "$(dirname "$0")/.."
baseline=sfu/benches/instructions.txt
# Percent that a figure may differ: what compilers and address layouts change.
tolerance=3

binary=$(cargo bench -p spillway-sfu --locked --bench egress --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*egress-[^"]*\)".*/\1/p')
[[ -x $binary ]] || { echo "the benchmark wasn't built" >&2; exit 1; }

# Instructions for each packet, with this many viewers.
count() {
    local log instructions packets
    log=$(mktemp)
    packets=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*counted_flush*' \
        --log-file="$log" "$binary" --count "$1" | sed -n 's/^packets: //p')
    instructions=$(sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' "$log")
    rm -f "$log"
    [[ -n $instructions && $instructions -gt 0 && -n $packets ]] ||
        { echo "valgrind counted nothing" >&2; exit 1; }
    echo $((instructions / packets))
}

failed=0
counted=()
for viewers in 1 100; do
    now=$(count $viewers)
    before=
    [[ ! -f $baseline ]] || before=$(sed -n "s/^$viewers viewers*: //p" "$baseline")
    counted+=("$viewers viewers: $now")
    if [[ -z $before ]]; then
        echo "$viewers viewers: $now instructions a packet; there is nothing to compare with"
        [[ ${1:-} == --update ]] || failed=1
        continue
    fi
    verdict=ok
    if ((now * 100 > before * (100 + tolerance))); then
        verdict="MORE than $tolerance % above"
        failed=1
    elif ((now * 100 < before * (100 - tolerance))); then
        verdict="less; run $0 --update to keep it so"
    fi
    echo "$viewers viewers: $now instructions a packet, $before before: $verdict"
done
if [[ ${1:-} == --update ]]; then
    printf '%s\n' "${counted[@]}" >"$baseline"
    failed=0
fi
exit $failed
