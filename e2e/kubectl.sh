#!/usr/bin/env bash
# Starts the bed and asks it with the real kubectl what a user would ask. Usage: kubectl.sh E2E_EXE
set -euo pipefail
command -v kubectl >/dev/null || { echo "kubectl.sh: kubectl is not installed" >&2; exit 1; }

work=$(mktemp -d)
"$1" up -o json --root "$work/bed" >"$work/up.json" &
bed=$!
trap 'kill "$bed" 2>/dev/null; wait "$bed" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 300); do
    [ -s "$work/up.json" ] && break
    kill -0 "$bed" || { echo "kubectl.sh: the bed ended" >&2; exit 1; }
    sleep 0.2
done
kubectl() { command kubectl --kubeconfig "$work/bed/kubeconfig" "$@"; }
passed=0

# expect WHAT PATTERN COMMAND…: the command succeeds and prints the pattern, within 30 s.
expect() {
    local what=$1 pattern=$2 output
    shift 2
    for _ in $(seq 60); do
        if output=$("$@" 2>&1) && grep -Eq -- "$pattern" <<<"$output"; then
            echo "ok    $what"
            passed=$((passed + 1))
            return
        fi
        sleep 0.5
    done
    printf 'FAIL  %s: no %s in:\n%s\n' "$what" "$pattern" "$output"
    echo "$passed passed, 1 failed"
    exit 1
}

here=$(cd "$(dirname "$0")/.." && pwd)
expect "get lists configs, pods, jobs" "aliyunlogconfig.*/nginx-log-access-example" \
    kubectl get aliyunlogconfigs,pods,jobs
expect "get prints the CRD's columns" "READY" kubectl get aliyunlogconfigs
expect "the short name works" "nginx-log-error-example +.*True" kubectl get alc
expect "a Deployment's pod runs" "2/2 +Running" kubectl get pods
expect "describe shows conditions and events" "Type:? .*|Conditions" kubectl describe alc nginx-log-access-example
expect "the writer's log is readable" "\[error\]" kubectl logs deployment/nginx-log-sidecar-deployment -c nginx-log-demo --tail=5
expect "apply creates the published Job" "created|configured|unchanged" kubectl apply -f "$here/fixtures/k8s/repaired/sidecar-job.yaml"
expect "the Job's pod runs" "nginx-log-sidecar-demo.* 2/2 +Running" kubectl get pods
expect "scale works" "scaled" kubectl scale deployment/nginx-log-sidecar-deployment --replicas=2
expect "two replicas run" "2/2 +2 +2" kubectl get deployments
expect "delete works" "deleted" kubectl delete job nginx-log-sidecar-demo --wait=true
expect "a published config is refused where the webhook judges it" "logBeginRegex: contains" \
    bash -c "command kubectl --kubeconfig '$work/bed/kubeconfig' apply -f '$here/fixtures/k8s/published/crd-access.yaml' 2>&1; [ \$? = 1 ]"
expect "the repaired one stays" "nginx-log-access-example +.*True" kubectl get alc
expect "a namespace without the webhook's judgement is made" "created|labeled" \
    kubectl apply -f - <<'NAMESPACE'
apiVersion: v1
kind: Namespace
metadata:
  name: unjudged
  labels: { sls.testbed/validation: disabled }
NAMESPACE
expect "a published config is accepted there" "configured|created|serverside-applied|unchanged" \
    kubectl --namespace unjudged apply -f "$here/fixtures/k8s/published/crd-access.yaml"
expect "its columns say what is wrong" "nginx-log-access-example +.*False +InvalidSpec" kubectl --namespace unjudged get alc
expect "a field that does not exist is refused" "unknown field|field not declared in schema" \
    bash -c "command kubectl --kubeconfig '$work/bed/kubeconfig' apply --server-side -f - <<<'{\"apiVersion\":\"log.alibabacloud.com/v1alpha1\",\"kind\":\"AliyunLogConfig\",\"metadata\":{\"name\":\"x\",\"namespace\":\"default\"},\"spec\":{\"ttl\":7,\"logstore\":\"l-l\",\"logtailConfig\":{\"configName\":\"x-x\",\"inputType\":\"file\",\"inputDetail\":{\"logType\":\"common_reg_log\",\"logPath\":\"/a\",\"filePattern\":\"b\"}}}}' ; true"
echo "$passed passed, 0 failed"
