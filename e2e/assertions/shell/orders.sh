#!/usr/bin/env bash
# Orders as a page writes them (web tracking), expected of the emulator at MOCK_SLS_ENDPOINT with curl and
# with the program MOCK_SLS_BIN. http_proxy leads there too; aliyunlog must be in PATH.
set -euo pipefail

store=orders
project=shell-$(date +%s)-$$
verdict=$(mktemp)
export HOME
HOME=$(mktemp -d) # where aliyunlog would keep its configuration
trap 'aliyunlog_ delete_project || echo "left in the emulator: project $project" >&2; rm -rf "$verdict" "$HOME"' EXIT

mock-sls() { "$MOCK_SLS_BIN" "$@"; }
fail() { echo "FAIL: $*" >&2; exit 1; }
aliyunlog_() {
    local method=$1
    shift
    aliyunlog log "$method" --project_name="$project" "$@" --access-id=mockAccessKeyId \
        --access-key=mockAccessKeySecret --region-endpoint=http://sls.test >/dev/null
}
put() { # ORDER STATUS
    curl -sS --fail "http://$project.sls.test/logstores/$store/track?APIVersion=0.6.0&order=$1&status=$2"
}

key='{"type": "text", "token": [" "], "doc_value": true}'
aliyunlog_ create_project --project_des=orders
aliyunlog_ create_logstore --logstore_name=$store --ttl=1 --shard_count=2 --enable_tracking=true
aliyunlog_ create_index --logstore_name=$store --index_detail="{\"keys\": {\"order\": $key, \"status\": $key}}"

every_paid_order_arrives_once() {
    put 1000 paid # before this test's scope
    scope=$(mock-sls scope)
    mock-sls expect -p "$project" -l $store status:paid --scope "$scope" --exactly 2 --each 'order~^100[12]$' &
    asked=$!
    put 1001 paid
    put 1002 paid
    put 1003 refused
    wait $asked || fail "exit code $?"
}

the_same_with_curl() {
    curl -sS --fail-with-body -o "$verdict" -H 'content-type: application/json' -d @- \
        "$MOCK_SLS_ENDPOINT/_mock/v1/expect" <<EOF ||
{"project": "$project", "logstore": "$store", "query": "status:paid", "scope": "$scope",
 "count": {"op": "exactly", "n": 2}, "each": [{"field": "order", "matches": "^100[12]\$"}]}
EOF
        fail "$(cat "$verdict")"
}

a_missing_order_is_named() {
    local code=0
    mock-sls expect -p "$project" -l $store 'order:1004 and status:paid' --within 100ms >"$verdict" || code=$?
    [ $code -eq 1 ] || fail "exit code $code, expected 1"
    grep -q '1 log is missing' "$verdict" || fail "$(cat "$verdict")"
    grep -q 'does not hold: order:1004 (it is "100[012]")' "$verdict" || fail "$(cat "$verdict")"
}

for name in every_paid_order_arrives_once the_same_with_curl a_missing_order_is_named; do
    "$name"
    echo "ok - ${name//_/ }"
done
