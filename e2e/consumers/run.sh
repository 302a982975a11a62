#!/usr/bin/env bash
# Consumer groups of the emulator, proven with the consumer libraries of the official SDKs, at their
# pinned versions.
#
#   e2e/consumers/run.sh [LANGUAGE…]      python, go, java
#
# MOCK_SLS_BIN names the emulator; without it the debug build is made and used. A language whose
# toolchain is missing fails. Exit code 0 only if every language passed.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
root=$(cd ../.. && pwd)

if [ -z "${MOCK_SLS_BIN:-}" ]; then
    (cd "$root" && cargo build --quiet --package mock-sls) || exit 1
    MOCK_SLS_BIN=$root/target/debug/mock-sls
fi
export MOCK_SLS_BIN

consumers_python() {
    local environment=$root/target/consumers-python
    cd python && python3 -m venv "$environment" &&
        "$environment/bin/pip" install --quiet --requirement requirements.txt && "$environment/bin/pytest"
}
consumers_go() { cd go && go test -count=1 ./...; }
consumers_java() { cd java && mvn --batch-mode --no-transfer-progress test; }

[ $# -gt 0 ] || set -- python go java
passed=0
failed=0
for language in "$@"; do
    if ! declare -F "consumers_$language" >/dev/null; then
        echo "no such language: $language; there are python, go and java" >&2
        exit 2
    fi
    echo "=== $language"
    if ("consumers_$language"); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "--- $language FAILED"
    fi
done

echo "consumers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
