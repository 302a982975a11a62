#!/usr/bin/env bash
# Checks the kind bed against the real docker, kind and kubectl: what it refuses, that it removes what
# it made after a signal, that it leaves alone what it did not make. Usage: kind-checks.sh E2E_EXE
# Needs the images (just images) and room for one cluster at a time; takes a few minutes.
#
#   KIND_NODE_IMAGE   image of the nodes   (kind's own choice)
#   KIND_CONFIG       kind configuration   (one node)
#   KIND_CHECKS_NAME  what the names of its clusters begin with
set -uo pipefail
e2e=$(realpath "$1")
for tool in docker kind kubectl; do
    command -v "$tool" >/dev/null || { echo "kind-checks.sh: $tool is not installed" >&2; exit 1; }
done
work=$(mktemp -d)
name=${KIND_CHECKS_NAME:-sls-checks-$$}
there=$name-there new=$name-new
# Not the user's: whatever the bed writes into a kubeconfig of the user would be written into this.
export KUBECONFIG=$work/kubeconfig TMPDIR=$work
config=${KIND_CONFIG:+--config=$KIND_CONFIG}
bed_config=${KIND_CONFIG:+--kind-config=$KIND_CONFIG}
passed=0 failed=0 bed=

clean() {
    [ -z "$bed" ] || kill -KILL "$bed" 2>/dev/null
    # No error where there is none of the name.
    kind delete cluster --quiet --name "$there"
    kind delete cluster --quiet --name "$new"
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

# check WHAT COMMAND…: the command succeeds.
check() {
    local what=$1
    shift
    if "$@" >"$work/check" 2>&1; then
        echo "ok    $what"
        passed=$((passed + 1))
    else
        echo "FAIL  $what"
        sed 's/^/      /' "$work/check"
        failed=$((failed + 1))
    fi
}
# refuses WHAT PATTERN COMMAND…: the command fails with 1 and says the pattern.
refuses() { check "refused: $1" refused "${@:2}"; }
refused() {
    local pattern=$1 status
    shift
    "$@" >"$work/said" 2>&1
    status=$?
    cat "$work/said"
    [ "$status" -eq 1 ] && grep -Eq -- "$pattern" "$work/said"
}
run() { "$e2e" --bed kind "$@"; }
says() { cat "$work/out"; grep -Eq -- "$1" "$work/out"; }
is_gone() { ! listed "$1" && [ -z "$(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$1")" ]; }
listed() { kind get clusters 2>/dev/null | grep -qx "$1"; }
kubectl_there() { kubectl --context "kind-$there" "$@"; }
nothing_installed() {
    local left
    left=$(kubectl_there get -k "$here/deploy/kustomize" --ignore-not-found -o name &&
        kubectl_there get namespaces -o name | grep sls-e2e)
    echo "$left"
    [ -z "$left" ]
}
same_kubeconfig() { diff "$KUBECONFIG" "$work/before"; }
here=$(cd "$(dirname "$0")/.." && pwd)

# start ARGS…: the bed in the background, in a process group of its own as a shell's job, and obeying
# SIGHUP also where this script was started with nohup.
start() {
    set -m
    env --default-signal=HUP "$e2e" --bed kind "$@" >"$work/out" 2>&1 &
    bed=$!
    set +m
}
# until_true COMMAND…: waits for it, as long as the bed runs.
until_true() {
    until "$@"; do
        kill -0 "$bed" 2>/dev/null || { cat "$work/out"; return 1; }
        sleep 0.2
    done
}
said() { grep -q -- "$1" "$work/out"; }
node_is_there() { [ -n "$(docker ps -q --filter "label=io.x-k8s.kind.cluster=$new")" ]; }
# Both as a terminal does: to the whole group.
signal() { kill "-$1" -- "-$bed"; }
ended_with() {
    wait "$bed"
    local status=$?
    bed=
    cat "$work/out"
    [ "$status" -eq "$1" ]
}

# path_without TOOL: a PATH that has the others.
path_without() {
    mkdir -p "$work/without-$1"
    local tool
    for tool in docker kind kubectl; do
        [ "$tool" = "$1" ] || ln -sf "$(command -v "$tool")" "$work/without-$1/$tool"
    done
    echo "$work/without-$1"
}

for tool in docker kind kubectl; do
    refuses "no $tool" "$tool cannot be run" env PATH="$(path_without "$tool")" "$e2e" --bed kind
done
refuses "no engine" "no Docker engine answers" env DOCKER_HOST=unix://"$work"/none "$e2e" --bed kind
if [ "$(id -u)" = 0 ]; then
    install -m 755 "$e2e" "$work/e2e"
    chmod 711 "$work"
    mkdir -m 777 "$work/nobody"
    refuses "a user who may not use Docker" "you may not use Docker's socket" \
        env TMPDIR="$work/nobody" HOME="$work/nobody" setpriv --reuid=65534 --regid=65534 --clear-groups "$work/e2e" --bed kind
else
    echo "not checked, for want of root: a user who may not use Docker"
fi
check "Docker says that an image is missing as the bed expects" \
    bash -c '! said=$(docker image inspect sls-checks/no-such-image 2>&1) && grep -qi "no such image" <<<"$said"'
refuses "another engine" "KIND_EXPERIMENTAL_PROVIDER=docker" env KIND_EXPERIMENTAL_PROVIDER=podman "$e2e" --bed kind
refuses "no kubeconfig" "the kubeconfig has no context" run --context nowhere
refuses "no such node image" "KIND_NODE_IMAGE" run --cluster "$new" --node-image localhost:1/no-such:v1
check "nothing is left of it" is_gone "$new"
check "but the folder that explains it" bash -c 'ls "$0"/sls-bed-*/cluster.txt && rm -r "$0"/sls-bed-*' "$work"

kind create cluster --name "$there" $config ${KIND_NODE_IMAGE:+--image="$KIND_NODE_IMAGE"} --wait 180s >"$work/out" 2>&1 ||
    { cat "$work/out"; echo "kind-checks.sh: kind makes no cluster" >&2; exit 1; }
cp "$KUBECONFIG" "$work/before"
refuses "a cluster of that name" "a kind cluster $there already" run --cluster "$there"
check "it is left alone" listed "$there"
port=$(docker port "$there-control-plane" 6443 | head -n 1 | sed 's/.*://')
printf 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnetworking: {apiServerPort: %s}\n' "$port" >"$work/port.yaml"
refuses "a port in use" "port $port of 127.0.0.1" run --cluster "$new" --kind-config "$work/port.yaml"
refuses "no such context" "no context nowhere; it has: kind-$there" run --context nowhere

kubectl config set-cluster silent --server=https://127.0.0.1:1 >/dev/null
kubectl config set-context silent --cluster=silent >/dev/null
refuses "a cluster that does not answer" "context silent does not answer" run --context silent
kubectl config set-context kind-none --cluster="kind-$there" --user="kind-$there" >/dev/null
refuses "a context named after no cluster" "kind has no cluster none" run --context kind-none
kubectl_there create serviceaccount reader >/dev/null
kubectl_there create clusterrolebinding reader --clusterrole=view --serviceaccount=default:reader >/dev/null
kubectl config set-credentials reader --token="$(kubectl_there create token reader)" >/dev/null
kubectl config set-context reader --cluster="kind-$there" --user=reader >/dev/null
refuses "a user who may only look" "may not do what the bed does there: create namespaces" run --context reader
kubectl_there create namespace sls-bed >/dev/null
refuses "an installation that is there" "has namespace/sls-bed already" run --context "kind-$there"
kubectl_there delete namespace sls-bed >/dev/null
class=$(kubectl_there get storageclasses -o name | head -n 1)
kubectl_there annotate "$class" storageclass.kubernetes.io/is-default-class=false --overwrite >/dev/null
refuses "no default StorageClass" "no default StorageClass" run --context "kind-$there"
kubectl_there annotate "$class" storageclass.kubernetes.io/is-default-class=true --overwrite >/dev/null
cp "$work/before" "$KUBECONFIG"
check "nothing was installed meanwhile" nothing_installed

start --context "kind-$there"
check "the images are loaded" until_true said "4 images loaded"
check "the scenarios begin" until_true said "the scenarios run in"
signal INT
check "Ctrl-C ends a run on a named context" ended_with 130
check "what it installed is gone" nothing_installed
check "the cluster is not" listed "$there"
start --context "kind-$there"
check "the images are not loaded again" until_true said "the nodes have these images already"
signal TERM
check "SIGTERM ends it too" ended_with 130
check "what it installed is gone" nothing_installed
docker exec "$there-control-plane" ctr --namespace=k8s.io images tag --force \
    docker.io/sls-bed/mock_log:dev docker.io/sls-bed/operator:dev >/dev/null
start --context "kind-$there"
check "another image of the same name is replaced" until_true said "1 images loaded"
check "the scenarios begin with it" until_true said "the scenarios run in"
signal HUP
check "SIGHUP ends it too" ended_with 130
check "what it installed is gone" nothing_installed
check "the kubeconfig is as it was" same_kubeconfig
kind delete cluster --quiet --name "$there"
cp "$KUBECONFIG" "$work/before"

start --cluster "$new" $bed_config
check "a node of a new cluster is there" until_true node_is_there
signal INT
check "Ctrl-C ends a run that makes a cluster" ended_with 130
check "the cluster is gone" is_gone "$new"
start --cluster "$new" $bed_config
check "a new cluster is complete" until_true said "the scenarios run in"
signal INT
check "the clean-up begins" until_true said "removing what was made"
signal INT
check "a second Ctrl-C ends the clean-up" ended_with 130
check "it says how to remove what is left" says "To remove what is left, run: kind delete cluster --name $new\$"
kind delete cluster --quiet --name "$new"
check "the kubeconfig is as it was" same_kubeconfig
check "no folder is left but that of the cluster that was" bash -c 'ls -d "$0"/sls-bed-*; set -- "$0"/sls-bed-*; [ $# = 1 ]' "$work"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
