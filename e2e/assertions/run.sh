#!/usr/bin/env bash
# Assertions on what the emulator received, from tests in several languages: each writes with the official
# client of its language and asks POST /_mock/v1/expect with the language's own HTTP library.
#
#   e2e/assertions/run.sh [LANGUAGE…]      shell, python, go, java, node
#
# MOCK_SLS_BIN names the emulator; without it the debug build is made and used. One emulator serves all of
# them. Clients are those of e2e/clients: Python's and Node's are installed there. A language whose toolchain
# is missing fails. Exit code 0 only if every language passed.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
clients=$(cd ../clients && pwd)

. ../languages.sh
emulator_binary

# Prints one line when it answers, and nothing after it.
exec 3< <(exec "$MOCK_SLS_BIN" serve --listen 127.0.0.1:0 -o json --endpoint-host sls.test)
emulator=$!
trap 'kill "$emulator"' EXIT
read -r started <&3 || { echo "assertions: the emulator ended before it answered" >&2; exit 1; }
MOCK_SLS_ENDPOINT=$(sed -E 's/.*"endpoint":"([^"]+)".*/\1/' <<<"$started")
export MOCK_SLS_ENDPOINT

# The tests reach any plain-http name through the emulator, and the emulator itself directly.
tested() {
    env HTTP_PROXY="$MOCK_SLS_ENDPOINT" http_proxy="$MOCK_SLS_ENDPOINT" NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 "$@"
}
python_client() {
    python3 -m venv "$clients/python/.venv" &&
        "$clients/python/.venv/bin/pip" install --quiet --requirement "$clients/python/requirements.txt"
}

assertions_shell() { python_client && PATH=$clients/python/.venv/bin:$PATH tested shell/orders.sh; }
assertions_python() { python_client && cd python && tested "$clients/python/.venv/bin/python" -m pytest; }
assertions_go() { cd go && go mod download && tested go test -count=1 ./...; }
assertions_java() { cd java && mvn --batch-mode --no-transfer-progress test; }
assertions_node() {
    (cd "$clients/node" && npm ci --silent) && cd node && NODE_PATH=$clients/node/node_modules tested node --test .
}

each assertions "shell python go java node" "$@"

echo "assertions: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
