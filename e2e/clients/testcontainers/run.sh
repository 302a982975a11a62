#!/usr/bin/env bash
# Runs the Python, Go and Java tests of this folder, or those named: run.sh [python|go|java]…
# Needs Docker with the emulator's image (`just images`), and python3 with venv, go, and mvn with a JDK.
set -euo pipefail
cd "$(dirname "$0")"
fail() { echo "testcontainers: $*" >&2; exit 1; }

image=${MOCK_SLS_IMAGE:-sls-bed/mock-sls:dev}
docker info >/dev/null 2>&1 || fail "no Docker engine answers; start it, or add yourself to its group (docker info says why)"
docker image inspect "$image" >/dev/null 2>&1 || fail "Docker has no image $image; make it with: just images"

# The reaper is a second container, from an image of its own, that removes what a killed test leaves.
# Where no registry can be reached it cannot be had; the tests remove their containers themselves, and
# this script checks that they did.
export TESTCONTAINERS_RYUK_DISABLED=${TESTCONTAINERS_RYUK_DISABLED:-true}

# A container that runs a Docker engine of its own (the engine then has the container's host name):
# testcontainers takes it for a container beside the engine and looks for published ports at a gateway,
# but they are on its own loopback.
if [ -e /.dockerenv ] && [ "$(docker info --format '{{.Name}}')" = "$(uname -n)" ]; then
    export TESTCONTAINERS_HOST_OVERRIDE=${TESTCONTAINERS_HOST_OVERRIDE:-127.0.0.1}
fi

needs() { command -v "$1" >/dev/null || fail "$1 is missing; install it, or name the languages to run: run.sh [python|go|java]…"; }
python() {
    needs python3
    [ -x python/.venv/bin/pytest ] || { python3 -m venv python/.venv && python/.venv/bin/pip install -q -r python/requirements.txt; }
    python/.venv/bin/python -m pytest -q -p no:cacheprovider python
}
go_() { needs go; (cd go && go test -count=1 ./...); }
java() { needs mvn; (cd java && mvn --batch-mode --no-transfer-progress test); }

label() { docker ps --all --quiet --no-trunc --filter "ancestor=$image" --filter label=org.testcontainers=true | sort; }
before=$(label)
for language in "${@:-python go java}"; do
    for one in $language; do
        echo "--- $one"
        case $one in
            python) python ;;
            go) go_ ;;
            java) java ;;
            *) fail "no test for $one; there are python, go and java" ;;
        esac
    done
done
left=$(comm -13 <(echo "$before") <(label))
[ -z "$left" ] || fail "containers were left behind; remove them with: docker rm --force $(echo $left)"
echo "testcontainers: all passed, no container left behind"
