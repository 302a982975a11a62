#!/usr/bin/env bash
# just test-apiserver against a cluster made for it and taken away again.
set -euo pipefail
name=sls-ci-$$
KUBECONFIG=$(mktemp)
export KUBECONFIG
end() {
    local status=$?
    if ! kind delete cluster --quiet --name "$name"; then
        echo "apiserver.sh: the cluster $name is not removed; run by hand: kind delete cluster --name $name" >&2
        status=1
    fi
    rm -f "$KUBECONFIG"
    exit "$status"
}
trap end EXIT
kind create cluster --quiet --name "$name" ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} \
    ${KIND_CONFIG:+--config "$KIND_CONFIG"} --wait 180s
just test-apiserver --context "kind-$name"
