#!/usr/bin/env bash
# Checks what deploy/ installs, without a cluster and without Docker: the kustomize base and the chart
# render, are the same objects, and the chart's values do what their comments say.
#
# Needs helm 3 and a kustomize that knows `labels` (kubectl 1.22 or newer has one inside). A tool that
# is missing is a failure. Ends with a line `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
chart=helm/sls-bed
namespace=sls-bed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

missing() { echo "deploy-check: $*" >&2; echo "0 passed, 1 failed"; exit 1; }

command -v helm >/dev/null ||
    missing "helm is missing; install Helm 3, for example: go install helm.sh/helm/v3/cmd/helm@v3.19.0"
case $(helm version --short 2>&1) in v3.* | v4.*) ;; *) missing "helm is too old ($(helm version --short 2>&1 | head -n 1)); this chart needs 3" ;; esac

# The first that renders `labels`: kustomize itself, or the one inside kubectl.
kustomize=()
mkdir "$work/probe"
printf 'labels:\n- pairs: {probe: "yes"}\nconfigMapGenerator:\n- name: probe\n' >"$work/probe/kustomization.yaml"
for candidate in "kustomize build" "kubectl kustomize"; do
    command -v "${candidate%% *}" >/dev/null || continue
    if $candidate "$work/probe" 2>/dev/null | grep -q 'probe: "yes"'; then
        read -ra kustomize <<<"$candidate"
        break
    fi
done
[ ${#kustomize[@]} -gt 0 ] || missing "neither kustomize nor a kubectl with one that knows \`labels\` is there" \
    "($(kubectl version --client 2>/dev/null | head -n 1)); install kubectl 1.22 or newer, or:" \
    "go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
echo "with $(helm version --short) and ${kustomize[*]}"

# check NAME COMMAND…: counts it; what it said is shown if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "ok    $name"
        passed=$((passed + 1))
    else
        echo "FAIL  $name"
        sed 's/^/        /' "$work/said"
        failed=$((failed + 1))
    fi
}

# normal FILE FOLDER: the objects of FILE, one file each, keys and lists in one form.
normal() {
    local source
    source=$(mktemp -d "$work/normal.XXXX")
    cp "$1" "$source/all.yaml"
    printf 'resources: [all.yaml]\n' >"$source/kustomization.yaml"
    "${kustomize[@]}" "$source" >"$source/normal.yaml" || return 1
    mkdir -p "$2"
    awk -v folder="$2" '
        function flush() { if (text != "") printf "%s", text >(folder "/" kind "." name ".yaml"); text = kind = name = "" }
        /^---$/ { flush(); next }
        { text = text $0 "\n" }
        /^kind: / { kind = $2 }
        /^metadata:$/ { inside = 1; next }
        /^[^ ]/ { inside = 0 }
        inside && /^  name: / { name = $2 }
        END { flush() }' "$source/normal.yaml"
}

# template HELM-ARGUMENT…: for a cluster of today; a Helm built from source takes it for an old one.
# Without what is there for the time of an uninstallation only, unless `hooks` is set to nothing.
hooks=--no-hooks
template() { helm template bed "$chart" --kube-version 1.34.0 --namespace "$namespace" ${hooks:+"$hooks"} "$@"; }
with_hooks() { local hooks=; rendered "$@"; }

# rendered NAME HELM-ARGUMENT…: what the chart gives with these, normal, in $work/NAME.
rendered() {
    local name=$1
    shift
    template "$@" >"$work/$name.yaml" && normal "$work/$name.yaml" "$work/$name"
}

has() { grep -qF -- "$2" "$work/$1.yaml" || { echo "there is no: $2"; return 1; }; }
has_not() { [ -s "$work/$1.yaml" ] && ! grep -nF -- "$2" "$work/$1.yaml"; }
object() { [ -e "$work/$1/$2.yaml" ] || { echo "no $2, but: $(ls "$work/$1")"; return 1; }; }
no_object() { [ -d "$work/$1" ] && [ ! -e "$work/$1/$2.yaml" ]; }

# refused WORDS HELM-ARGUMENT…: the chart does not render, and says why.
refused() {
    local words=$1
    shift
    if template "$@" >"$work/refused" 2>&1; then
        echo "it was accepted"
        return 1
    fi
    grep -q -- "$words" "$work/refused" || { cat "$work/refused"; return 1; }
}

same() { diff -u "$1" "$2"; }
# differs A B OBJECT: it is in both, and not the same.
differs() { object "$1" "$3" && object "$2" "$3" && ! cmp --silent "$work/$1/$3.yaml" "$work/$2/$3.yaml"; }

# --- The kustomize base and the chart.

check "the kustomize base renders" eval '"${kustomize[@]}" kustomize >"$work/base.yaml" && normal "$work/base.yaml" "$work/base"'
check "helm finds nothing to complain about" helm lint --strict --quiet "$chart" --namespace "$namespace"
check "the chart renders" rendered chart --include-crds

# What differs, and why. Helm makes the namespace itself (--create-namespace), and installs what lies
# in crds/ as it is, while kustomize's label reaches everything.
rm -f "$work/base/Namespace.$namespace.yaml"
for definition in aliyunlogconfigs.log clusteraliyunpipelineconfigs.telemetry; do
    sed -i '/^  labels:$/,/part-of: sls-bed$/d' "$work/base/CustomResourceDefinition.$definition.alibabacloud.com.yaml"
done

check "chart and kustomize have objects of the same names" same <(ls "$work/base") <(ls "$work/chart")
for object in "$work/base"/*; do
    name=$(basename "$object" .yaml)
    check "chart and kustomize agree on $name" same "$object" "$work/chart/$name.yaml"
done
helm package "$chart" --destination "$work" >/dev/null
for kind in aliyunlogconfig clusteraliyunpipelineconfig; do
    check "the chart's definition of $kind is the operator's" cmp "$chart/crds/$kind.yaml" "../operator/crd/$kind.yaml"
    check "a packaged chart holds the definition of $kind" eval 'tar --extract --to-stdout --file "$work"/sls-bed-*.tgz \
        "sls-bed/crds/$kind.yaml" | cmp - "../operator/crd/$kind.yaml"'
done

# --- The chart's values.

check "another namespace renders" rendered elsewhere --namespace elsewhere
check "another namespace changes every address" has_not elsewhere .sls-bed.svc
check "another namespace is that of all objects" has_not elsewhere "namespace: sls-bed"

check "the operator by itself renders" rendered operator-only \
    --set mockSls.enabled=false --set operator.endpoint=https://cn-shanghai.log.aliyuncs.com --set region=cn-shanghai
check "the operator by itself has no emulator" no_object operator-only Deployment.mock-sls
check "the operator by itself has its endpoint" has operator-only 'value: "https://cn-shanghai.log.aliyuncs.com"'
check "the operator by itself must be told its endpoint" refused "operator.endpoint" --set mockSls.enabled=false

check "the emulator by itself renders" rendered mock-only --set operator.enabled=false --set userRoles=false
check "the emulator by itself needs no roles" has_not mock-only rbac.authorization.k8s.io
check "the emulator by itself needs no service account" no_object mock-only ServiceAccount.sls-operator

check "one watched namespace renders" rendered watched --set operator.watchNamespace=team-a
check "one watched namespace has a role" object watched Role.sls-operator
check "one watched namespace has a binding" object watched RoleBinding.sls-operator
check "one watched namespace gives no right elsewhere" no_object watched ClusterRole.sls-operator
check "one watched namespace is told the operator" has watched "- --namespace=team-a"

check "operators that share the work render" rendered several --set operator.replicas=2
check "operators that share the work are as many as asked for" has several "replicas: 2"
check "a cluster's id renders" rendered cluster --set operator.clusterId=c0ffee
check "a cluster's id reaches the operator" has cluster "- --cluster-id=c0ffee"
check "a cluster's id needs no further right" no_object cluster ClusterRole.sls-operator-cluster-id
check "a cluster's id that is to be found renders" rendered detected --set operator.clusterId=auto
check "a cluster's id that is to be found is asked for" has detected "- --detect-cluster-id"
check "a cluster's id that is to be found may be seen" object detected ClusterRole.sls-operator-cluster-id

check "an uninstallation renders" with_hooks uninstalled
check "an uninstallation lets go of objects" has uninstalled "- --orphan"
check "an uninstallation stops the operator first" has uninstalled "- --stop-deployment=sls-operator"
check "an uninstallation with cleaning up renders" with_hooks cleaned --set operator.drain=Cleanup
check "an uninstallation with cleaning up deletes configs" has cleaned "- --cleanup"
check "an uninstallation in one namespace renders" with_hooks cleaned-one --set operator.watchNamespace=team-a
check "an uninstallation in one namespace drains that" has cleaned-one "- --namespace=team-a"
check "an uninstallation without draining renders" with_hooks undrained --set operator.drain=None
check "an uninstallation without draining does nothing" no_object undrained Job.sls-operator-drain

check "one watched namespace has no webhook" has_not watched webhook
check "no webhook renders" rendered hookless --set operator.webhook.enabled=false
check "no webhook has no configuration" no_object hookless MutatingWebhookConfiguration.sls-operator
check "no webhook gives no right to Secrets" has_not hookless "resources: [secrets]"
check "no webhook has no port" has_not hookless webhook-listen
check "a webhook that must answer renders" rendered strict --set operator.webhook.failurePolicy=Fail \
    --set operator.webhook.sidecarImage=registry.example.com/logtail:v1
check "a webhook that must answer says so" has strict "failurePolicy: Fail"
check "a webhook that must answer lets AliyunLogConfigs through" has strict "failurePolicy: Ignore"
check "sidecars have the image that was asked for" has strict "- --sidecar-image=registry.example.com/logtail:v1"
check "a failure policy that is none is refused" refused "failurePolicy" --set operator.webhook.failurePolicy=Maybe

check "an emulator without storage renders" rendered volatile --set mockSls.storage.persistent=false
check "an emulator without storage claims none" no_object volatile PersistentVolumeClaim.mock-sls
check "an emulator without storage needs no root" has_not volatile "runAsUser: 0"
check "a storage class renders" rendered stored --set mockSls.storage.storageClass=fast --set mockSls.storage.size=20Gi
check "a storage class is named" has stored "storageClassName: fast"

check "a Secret of the user's renders" rendered own-secret --set credentials.existingSecret=mine
check "a Secret of the user's takes the place of ours" no_object own-secret Secret.sls-credentials
check "a Secret of the user's is used by the emulator" has own-secret "name: mine"
check "a Secret of the user's is used by the operator" has own-secret "secretName: mine"
check "a key with quotes renders" rendered quoted --set-literal 'credentials.accessKeySecret=a"b\c#: d' --skip-schema-validation
check "a key with quotes stays whole" has quoted 'a\\\"b\\\\c#: d'

check "the default key pair has no mark" has_not chart checksum/
check "a key pair renders" rendered pair-1 --set credentials.accessKeySecret=one
check "another key pair renders" rendered pair-2 --set credentials.accessKeySecret=two
check "another key pair starts the emulator anew" differs pair-1 pair-2 Deployment.mock-sls
check "another key pair does not start the operator anew" same \
    "$work/pair-1/Deployment.sls-operator.yaml" "$work/pair-2/Deployment.sls-operator.yaml"
check "a Secret of the user's has no mark" has_not own-secret checksum/

check "images of a registry render" rendered registry --set images.prefix=registry.example.com/bed \
    --set images.tag=v1 --set 'images.pullSecrets={one}' --set images.pullPolicy=Always
check "images of a registry are named" has registry "image: registry.example.com/bed/mock-sls:v1"
check "images of a registry are pulled with a Secret" has registry "- name: one"
check "further arguments render" rendered arguments --set 'mockSls.extraArgs={--auth=lenient}' \
    --set 'operator.extraArgs={--resync=1m}' --set-string mockSls.accountId=1234567890123456
check "further arguments reach the emulator" has arguments '- "--auth=lenient"'
check "further arguments reach the operator" has arguments '- "--resync=1m"'
check "an account id stays a whole number" has arguments "--account-id=1234567890123456"

check "a misspelt value is refused" refused "images.*tags\|tags" --set images.tags=v1
check "a value of the wrong type is refused" refused "enabled" --set mockSls.enabled=maybe
check "a region that is none is refused" refused "region" --set region=Hangzhou

# Paths of all values, by their indentation.
leaves() {
    awk '/^ *(#|$)/ { next }
        { depth = (match($0, /[^ ]/) - 1) / 2; line = $0; sub(/^ */, "", line)
          key = line; sub(/:.*/, "", key); path[depth] = key
          if (line !~ /: ./) next
          full = path[0]; for (i = 1; i <= depth; i++) full = full "." path[i]
          print full }' "$chart/values.yaml"
}
documented() {
    local leaf status=0
    for leaf in $(leaves); do
        grep -q "^| \`${leaf%.requests.*}\` " helm/README.md || { echo "helm/README.md does not say what $leaf is"; status=1; }
    done
    return $status
}
check "every value is documented" documented

# --- The scripts.

for script in check.sh images/*.sh; do
    check "$script is a script" bash -n "$script"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
