#!/usr/bin/env bash
# Says the same words with the real kubectl to kube-sim and to a real API server, and compares what is
# printed. Usage: KUBECONFIG=… [SLS_TEST_CONTEXT=…] kubectl-alike.sh SERVE_EXE, where SERVE_EXE is kube-sim's
# example `serve`. Called by `just test-apiserver`.
set -euo pipefail
command -v kubectl >/dev/null || { echo "kubectl-alike.sh: kubectl is not installed" >&2; exit 1; }
here=$(cd "$(dirname "$0")/../.." && pwd)
crd=aliyunlogconfigs.log.alibabacloud.com
object=nginx-log-access-example
namespace=kubectl-alike
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
simulator=

kubectl config view --raw --minify --flatten ${SLS_TEST_CONTEXT:+--context "$SLS_TEST_CONTEXT"} >"$work/real"
for there in "crd/$crd" "namespace/$namespace"; do
    found=$(kubectl --kubeconfig "$work/real" get "$there" --ignore-not-found -o name)
    if [ -n "$found" ]; then
        echo "kubectl-alike.sh: the cluster has $there already; delete it if nobody needs it, or name another cluster" >&2
        exit 1
    fi
done
# Whatever ended the run: what is left on the cluster is named, and is a failure.
clean() {
    local status=$? left=()
    set +e
    if [ -n "$simulator" ] && kill -0 "$simulator" 2>/dev/null; then kill "$simulator"; fi
    for there in "crd/$crd" "namespace/$namespace"; do
        kubectl --kubeconfig "$work/real" delete "$there" --ignore-not-found --timeout=60s \
            >>"$work/clean.log" 2>&1 || left+=("$there")
    done
    if [ ${#left[@]} -gt 0 ]; then
        echo "kubectl-alike.sh: not removed: ${left[*]} ($(tail -n 1 "$work/clean.log")); run by hand:" \
            "kubectl delete ${left[*]}" >&2
        status=1
    fi
    rm -rf "$work"
    exit "$status"
}
trap clean EXIT
"$1" "$work/simulated" >"$work/serve.log" 2>&1 &
simulator=$!
for _ in $(seq 100); do
    grep -q serving "$work/serve.log" && break
    kill -0 "$simulator" || { cat "$work/serve.log" >&2; exit 1; }
    sleep 0.1
done
grep -q serving "$work/serve.log" || {
    echo "kubectl-alike.sh: kube-sim did not begin to serve within 10 s; it said:" >&2
    cat "$work/serve.log" >&2
    exit 1
}

for kind in repaired published; do
    sed "s/namespace: default/namespace: $namespace/" "$here/fixtures/k8s/$kind/crd-access.yaml" >"$work/$kind.yaml"
done
spec='"logstore":"l-l","logtailConfig":{"configName":"x-x","inputType":"file","inputDetail":{"logType":"common_reg_log","logPath":"/a","filePattern":"b"}}'
head='"apiVersion":"log.alibabacloud.com/v1alpha1","kind":"AliyunLogConfig","metadata":{"name":"x"}'
echo "{$head,\"spec\":{\"ttl\":7,$spec}}" >"$work/unknown-field.json"
echo "{$head,\"spec\":{\"logstore\":\"l-l\"}}" >"$work/incomplete.json"
ready='{"type":"Ready","status":"True","reason":"Synced","message":"m","lastTransitionTime":"2020-01-01T00:00:00Z"}'

# say ARGUMENTS…: the words, what kubectl prints, how it ends.
say() {
    local status=0
    printf '\n$ kubectl %s\n' "$*"
    timeout 60 kubectl "$@" 2>&1 || status=$?
    echo "exit $status"
}

# Everything that is said; KUBECONFIG tells to whom.
words() {
    say create -f - <<<"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"$namespace\"}}"
    kubectl config set-context --current --namespace="$namespace" >/dev/null
    say get alc
    say apply -f "$work/repaired.yaml"
    say apply -f "$here/operator/crd/aliyunlogconfig.yaml"
    say wait --for=condition=Established "crd/$crd" --timeout=30s
    say api-resources --api-group=log.alibabacloud.com
    say apply -f "$work/repaired.yaml"
    say apply -f "$work/repaired.yaml"
    say get alc
    say get "$crd" -o wide
    say get alc "$object" -o name
    say get alc "$object" -o yaml --show-managed-fields
    say describe alc "$object"
    say explain alc.spec.logtailConfig.inputDetail
    say explain alc.spec --recursive
    say explain alc.spec.nothing
    say get alc missing
    say get alc -o 'jsonpath={.items[*].spec.project}'
    say get alc -o custom-columns=A:.metadata.name,B:.spec.logstore
    say get alc --show-labels
    say diff -f "$work/published.yaml"
    say apply -f "$work/published.yaml"
    say apply -f "$work/published.yaml" --server-side
    say apply -f "$work/published.yaml" --server-side --force-conflicts
    say apply --dry-run=server -f "$work/repaired.yaml"
    say label alc "$object" a=b
    say label alc "$object" a=c
    say annotate alc "$object" x=y
    say patch alc "$object" --type merge -p '{"spec":{"logstore":"N_"}}'
    # One mistake at a time: the real server names several in any order.
    say patch alc "$object" --type merge -p '{"spec":{"lifeCycle":"x"}}'
    say patch alc "$object" --type merge -p '{"spec":{"shardCount":0}}'
    say patch alc "$object" --type strategic -p '{"spec":{}}'
    say patch alc "$object" --type json -p '[{"op":"replace","path":"/spec/lifeCycle","value":3}]'
    say patch alc "$object" --subresource status --type merge -p "{\"status\":{\"status\":\"OK\",\"statusCode\":200,\"conditions\":[$ready]}}"
    say get alc
    say wait --for=condition=Ready "alc/$object" --timeout=5s
    say apply --server-side -f "$work/unknown-field.json"
    say create -f "$work/unknown-field.json"
    say create -f "$work/incomplete.json"
    say create -f "$work/repaired.yaml"
    say replace -f "$work/repaired.yaml"
    say get events
    say scale "alc/$object" --replicas=2
    say rollout status "alc/$object"
    say logs "alc/$object"
    say delete alc "$object"
    say delete alc "$object"
    say delete alc "$object" --ignore-not-found
    say get alc
    say get nothing
    say get crd "$crd"
    say delete crd "$crd"
    say get alc
    say delete namespace "$namespace"
    say get namespace "$namespace"
}

# What no two servers, or no two moments, have in common.
normal() {
    sed -E -e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/<uid>/g' \
        -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+( [+-][0-9]{4}|Z)?/<time>/g' \
        -e 's/(resourceVersion:|Resource Version:).*/\1 <version>/' \
        -e 's/ +[0-9]+(s|m[0-9]*s?)( |$)/  <age>\2/' -e 's/ {2,}/  /g' -e 's/ +$//' \
        -e "s#(/tmp/|$work/)[^ ]*#<file>#g" -e '/^WARNING: version difference/d' "$1"
}

for server in real simulated; do
    KUBECONFIG=$work/$server KUBECACHEDIR=$work/cache-$server words >"$work/$server.txt"
    normal "$work/$server.txt" >"$work/$server.normal"
done
said=$(grep -c '^\$ kubectl' "$work/real.txt")
if ! diff -U 3 --label real --label simulated "$work/real.normal" "$work/simulated.normal"; then
    echo "kubectl prints other things for kube-sim than for the real server" >&2
    exit 1
fi
echo "$said passed, 0 failed: kubectl prints the same for kube-sim and for the real server"
