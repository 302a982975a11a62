#!/usr/bin/env bash
# Checks the images: builds them twice from nothing out of the same binaries, compares what came out,
# and looks into one of the two. `just images-check` makes the binaries first.
#
# Settings: build.sh's, without IMAGE_PREFIX and IMAGE_TAG: the images built here have names of their
# own and are removed; the base stays. Needs Docker; ends with a line `N passed, N failed`.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
address=${SLS_ADDRESS:-mock-sls.sls-bed.svc:8080}
prefix=sls-bed-check-$$
images=(mock-sls operator collector mock_log)
passed=0 failed=0

# Whatever ended the run: images that are left are named, and are a failure.
built() { docker image ls --filter "reference=$prefix/*" --format '{{.Repository}}:{{.Tag}}'; }
remove() {
    local status=$? image left
    for image in $(built); do docker image rm "$image" >/dev/null; done
    if ! left=$(built | xargs); then
        echo "images-check: Docker does not say which images of $prefix are left" >&2
        status=1
    elif [ -n "$left" ]; then
        echo "images-check: not removed: $left; run by hand: docker image rm --force $left" >&2
        status=1
    fi
    exit "$status"
}
trap remove EXIT

for tag in 1 2; do
    IMAGE_PREFIX=$prefix IMAGE_TAG=$tag BUILD_OPTIONS="${BUILD_OPTIONS:-} --no-cache" "$here/build.sh" ||
        { echo "0 passed, 1 failed"; exit 1; }
done

# check NAME EXPECTED FOUND
check() {
    if [ "$2" = "$3" ]; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        printf 'FAIL  %s\n      expected: %s\n      found:    %s\n' "$1" "$2" "$3"
        failed=$((failed + 1))
    fi
}
about() { docker image inspect --format "$2" "$prefix/$1"; }
# inside IMAGE COMMAND: what a shell in it says.
inside() { docker run --rm --network none --entrypoint sh "$prefix/$1:1" -c "$2" 2>&1; }

for image in "${images[@]}"; do
    check "$image: the layers of two builds are equal" \
        "$(about "$image:1" '{{json .RootFS.Layers}}')" "$(about "$image:2" '{{json .RootFS.Layers}}')"
    check "$image: user, entry point and the like of two builds are equal" \
        "$(about "$image:1" '{{json .Config.User}}{{json .Config.Entrypoint}}{{json .Config.Cmd}}{{json .Config.Env}}')" \
        "$(about "$image:2" '{{json .Config.User}}{{json .Config.Entrypoint}}{{json .Config.Cmd}}{{json .Config.Env}}')"
done
for image in mock-sls operator mock_log; do
    check "$image: runs without privileges" 65532 "$(inside "$image" 'id -u')"
done
check "mock-sls: its user can write where its database lies" yes \
    "$(inside mock-sls 'touch /var/lib/mock-sls/probe && echo yes')"
check "mock_log: lies where the document's manifest calls it" yes "$(inside mock_log 'test -x /bin/mock_log && echo yes')"
check "collector: has a shell and coreutils" "sh cat ls tail" \
    "$(inside collector 'for tool in sh cat ls tail; do command -v $tool >/dev/null && echo $tool; done | tr "\n" " " | sed "s/ $//"')"
check "collector: its entry point is the agent, in the foreground" '["/usr/local/ilogtail/ilogtail"]null' \
    "$(about collector:1 '{{json .Config.Entrypoint}}{{json .Config.Cmd}}')"
for script in ilogtaild loongcollectord; do
    check "collector: /etc/init.d/$script says that nothing runs" 3 \
        "$(inside collector "/etc/init.d/$script status >/dev/null; echo \$?")"
done
# shellcheck disable=SC2016  # the shell inside expands them
leads='for directory in $(/usr/local/ilogtail/ilogtail directories); do
           grep -lF "\"$0\"" "/etc/ilogtail/conf/$directory/ilogtail_config.json"
       done | wc -l'
known=$(inside collector '/usr/local/ilogtail/ilogtail directories | wc -l')
check "collector: the directory of each of $((known)) regions and networks leads to $address" "$known" \
    "$(docker run --rm --network none --entrypoint sh "$prefix/collector:1" -c "$leads" "$address" 2>&1)"
check "collector: it knows regions" yes "$([ "$known" -gt 0 ] && echo yes)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
