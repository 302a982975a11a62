#!/usr/bin/env bash
# The official clients of the Log Service against the emulator: installs each client at its pinned
# version, runs its tests and prints which operation was called how often by which client.
#
#   e2e/clients/run.sh [CLIENT…]      python (with OpenAPI and the command line), go, node, java, rust
#
# MOCK_SLS_BIN names the emulator; without it the debug build is made and used. A client whose
# toolchain is missing fails. Exit code 0 only if every client passed.
set -uo pipefail
cd "$(dirname "$0")"

. ../languages.sh
emulator_binary
MOCK_SLS_OPERATIONS_DIR=$(mktemp -d)
export MOCK_SLS_OPERATIONS_DIR
trap 'rm -rf "$MOCK_SLS_OPERATIONS_DIR"' EXIT

client_python() {
    cd python && python3 -m venv .venv && .venv/bin/pip install --quiet --requirement requirements.txt &&
        .venv/bin/python -m pytest
}
client_go() { cd go && go test -count=1 ./...; }
client_node() { cd node && npm ci --silent && node --test test/; }
client_java() { cd java && mvn --batch-mode --no-transfer-progress test; }
client_rust() { cd rust && cargo test --quiet; }

each client "python go node java rust" "$@"

python3 table.py "$MOCK_SLS_OPERATIONS_DIR"
echo "clients: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
