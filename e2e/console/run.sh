#!/usr/bin/env bash
# The console in a browser: makes the programs, installs the test's packages and walks.
#
#   e2e/console/run.sh [TEST…]        names of tests/NAME.test.mjs, or all
#   e2e/console/run.sh --screenshots  takes the pictures of docs/console again
#
# MOCK_SLS_BIN and COLLECTOR_BIN name the programs; without them the debug builds are made and used. CHROMIUM names
# the browser. Whatever is missing fails.
set -euo pipefail
cd "$(dirname "$0")"

. ../languages.sh
emulator_binary
if [ -z "${COLLECTOR_BIN:-}" ]; then
    (cd ../.. && cargo build --quiet --package e2e --package collector --bin collector)
    COLLECTOR_BIN=$(cd ../.. && pwd)/target/debug/collector
fi
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null; then
        CHROMIUM=$(command -v "$name")
        break
    fi
done
[ -n "${CHROMIUM:-}" ] || { echo "console: no Chromium: install it, or name it in CHROMIUM" >&2; exit 1; }
export COLLECTOR_BIN CHROMIUM

npm ci --silent
if [ "${1:-}" = --screenshots ]; then
    exec node screenshots.mjs
fi
files=()
for name in "$@"; do files+=("tests/$name.test.mjs"); done
[ ${#files[@]} -gt 0 ] || files=(tests/*.test.mjs)
# One after the other: each file has its own emulator and browser, and measures.
node --test --test-concurrency=1 --test-reporter=spec "${files[@]}"
