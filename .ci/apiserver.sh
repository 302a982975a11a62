#!/usr/bin/env bash
# just test-apiserver against a cluster made for it and taken away again.
set -euo pipefail
name=sls-ci-$$
KUBECONFIG=$(mktemp)
export KUBECONFIG
trap 'kind delete cluster --quiet --name "$name"; rm -f "$KUBECONFIG"' EXIT
kind create cluster --quiet --name "$name" ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} \
    ${KIND_CONFIG:+--config "$KIND_CONFIG"} --wait 180s
just test-apiserver --context "kind-$name"
