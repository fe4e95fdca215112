#!/bin/sh
# Fuzzes what strangers and old files can send us: tests/fuzz/run.sh [SECONDS each, default 600] [TARGET...]
# Ends with 1 if a target found something; the input is then in tests/fuzz/artifacts/TARGET.
# CARGO_TARGET_DIR and JOBS (targets at a time, default 2) are respected.
set -u
cd "$(dirname "$0")/../.." || exit 1

seconds=600
case ${1-} in
'' | *[!0-9]*) ;;
*) seconds=$1 && shift ;;
esac
[ $# -gt 0 ] || set -- datagrams text_session database_file view_file peers_file frames messages rows knock reply \
    ledger_entries ledger_file meetings joining letters

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "The nightly compiler is missing; get it with: rustup toolchain install nightly" >&2
    exit 1
fi
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is missing; get it with: cargo install cargo-fuzz" >&2
    exit 1
fi

# Runs one target; its log is kept, since it holds the finding.
run() {
    target=$1
    corpus=tests/fuzz/corpus/$target
    mkdir -p "$corpus" tests/fuzz/artifacts
    log=tests/fuzz/artifacts/$target.log
    cargo +nightly fuzz run --fuzz-dir tests/fuzz "$target" "$corpus" "tests/fuzz/seeds/$target" -- \
        -dict=tests/fuzz/words.dict -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
        -max_total_time="$seconds" -print_final_stats=1 >"$log" 2>&1
    result=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    coverage=$(sed -n 's/.* cov: \([0-9]*\) ft: \([0-9]*\).*/\1 edges, \2 features/p' "$log" | tail -n 1)
    if [ "$result" -eq 0 ]; then
        echo "$target: nothing found in $executions executions; $coverage"
    else
        echo "$target: FOUND SOMETHING (or could not run); see $log" >&2
    fi
    return "$result"
}

for target; do
    cargo +nightly fuzz build --fuzz-dir tests/fuzz "$target" || exit 1
done
jobs=${JOBS:-2}
failed=0
while [ $# -gt 0 ]; do
    pids=
    started=0
    while [ $# -gt 0 ] && [ "$started" -lt "$jobs" ]; do
        run "$1" &
        pids="$pids $!"
        started=$((started + 1))
        shift
    done
    for pid in $pids; do
        wait "$pid" || failed=1
    done
done
exit "$failed"
