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

. ../languages.sh
emulator_binary

consumers_python() {
    local environment=$root/target/consumers-python
    cd python && python3 -m venv "$environment" &&
        "$environment/bin/pip" install --quiet --requirement requirements.txt && "$environment/bin/pytest"
}
consumers_go() { cd go && go test -count=1 ./...; }
consumers_java() { cd java && mvn --batch-mode --no-transfer-progress test; }

each consumers "python go java" "$@"

echo "consumers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
