#!/usr/bin/env bash
# Builds the four images out of the workspace's release binaries (`just images` makes those first),
# says how much each adds to its base, and fails where that is more than its goal.
#
#   IMAGE_PREFIX   names are $IMAGE_PREFIX/{mock-sls,operator,collector,mock_log}   (sls-bed)
#   IMAGE_TAG      their tag                                                         (dev)
#   BASE_IMAGE     what they stand on: a Debian or Ubuntu with a C library not older than the one
#                  the binaries were linked with   (debian:bookworm-slim; where that cannot be
#                  pulled, a root made of Debian packages, see debian-root.sh)
#   SLS_ADDRESS    host:port of the Log Service that every region's directory in the collector's
#                  image leads to   (mock-sls.sls-bed.svc:8080)
#   PLATFORM       of binaries and images, for example linux/arm64                (this machine's)
#   BINARIES       folder of the binaries     (target/release; with PLATFORM, say which)
#   STRIP          program that takes the symbols off binaries of that platform   (strip)
#   BUILD_OPTIONS  further options of docker build, for example --no-cache
#
# Equal binaries give equal layers: what is added comes from an archive whose order, owners and times
# are fixed. check.sh beside this proves it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binaries=${BINARIES:-${CARGO_TARGET_DIR:-$here/../../target}/release}
prefix=${IMAGE_PREFIX:-sls-bed} tag=${IMAGE_TAG:-dev}
address=${SLS_ADDRESS:-mock-sls.sls-bed.svc:8080}
epoch=${SOURCE_DATE_EPOCH:-0}

# Most that an image may add to its base, in MB of 10^6 bytes. Source: the project's goals; mock_log is
# a writer of lines and gets what is left of them.
declare -A size_max=([mock-sls]=30 [operator]=30 [collector]=25 [mock_log]=10)

fail() { echo "images: $*" >&2; exit 1; }
docker info >/dev/null 2>&1 || fail "no Docker engine answers; start it, or add yourself to its group (docker info says why)"
[[ $address =~ ^[A-Za-z0-9.-]+:[0-9]+$ ]] || fail "SLS_ADDRESS is $address; give host:port"
[ -z "${PLATFORM:-}" ] || [ -n "${BINARIES:-}" ] ||
    fail "PLATFORM is $PLATFORM; say in BINARIES where binaries of that platform lie"
for binary in mock-sls operator collector mock_log; do
    [ -x "$binaries/$binary" ] || fail "$binaries/$binary is missing; run: just images"
done

options=(--build-arg "SOURCE_DATE_EPOCH=$epoch")
if docker buildx version >/dev/null 2>&1; then
    # Provenance holds the time of the build, and a builder in a container keeps what it builds.
    options+=(--load --provenance=false)
else
    # A command line without buildx refuses BuildKit instead of building without it.
    export DOCKER_BUILDKIT=0
fi
[ -z "${PLATFORM:-}" ] || options+=(--platform "$PLATFORM")
# shellcheck disable=SC2206  # words, as on a command line
options+=(${BUILD_OPTIONS:-})

base=${BASE_IMAGE:-}
if [ -z "$base" ]; then
    base=debian:bookworm-slim
    pull=(docker pull --quiet ${PLATFORM:+--platform "$PLATFORM"} "$base")
    if ! docker image inspect "$base" >/dev/null 2>&1 && ! said=$("${pull[@]}" 2>&1); then
        why="$base cannot be pulled (${said##*$'\n'})"
        [ -z "${PLATFORM:-}" ] || fail "$why; give BASE_IMAGE an image of $PLATFORM"
        base=sls-bed/debian-root:bookworm
        echo "images: $why; standing on $base" >&2
        docker image inspect "$base" >/dev/null 2>&1 || "$here/debian-root.sh" "$base"
    fi
elif ! docker image inspect "$base" >/dev/null 2>&1; then
    docker pull --quiet ${PLATFORM:+--platform "$PLATFORM"} "$base" >/dev/null ||
        fail "BASE_IMAGE $base is neither here nor can it be pulled"
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# put BINARY IMAGE PATH: into the root of the image, without its symbols, which are most of it.
put() {
    local target=$stage/$2/root$3
    mkdir -p "$(dirname "$target")"
    install -m 755 "$binaries/$1" "$target"
    "${STRIP:-strip}" "$target" ||
        echo "images: ${STRIP:-strip} cannot be run on $1; the image is larger" >&2
}

# pack IMAGE [PATH]: its root as an archive, PATH (an empty folder) belonging to the images' user. Every
# folder on the way is in it, since one that Docker must make gets the time of the build. Modes are fixed
# too: the umask of who builds is nobody's business.
pack() {
    local image=$1 owned=${2:-} root=$stage/$1/root archive=$stage/$1/context/root.tar
    local fixed=(--format=gnu --sort=name --numeric-owner --mtime="@$epoch" --mode=u=rwX,go=rX --directory="$root")
    mkdir "$stage/$image/context"
    [ -z "$owned" ] || mkdir -p "$root/$owned"
    # shellcheck disable=SC2046  # the names at the top of a root have no blanks
    tar "${fixed[@]}" --owner=0 --group=0 ${owned:+--exclude="$owned"} --create --file="$archive" $(ls "$root")
    [ -z "$owned" ] || tar "${fixed[@]}" --owner=65532 --group=65532 --append --file="$archive" "$owned"
}

# One config file with the address, and a link to it in each directory that the collector knows.
region_directories() {
    local conf=$stage/collector/root/etc/ilogtail/conf directory list=$stage/directories
    if [ -z "${PLATFORM:-}" ]; then
        "$binaries/collector" directories >"$list" || fail "$binaries/collector cannot list its regions"
    elif ! "$binaries/collector" directories >"$list" 2>/dev/null; then
        # Its binary is for another platform.
        cargo run --quiet --package collector --bin collector -- directories >"$list" ||
            fail "the collector cannot list its regions"
    fi
    [ -s "$list" ] || fail "the collector lists no regions"
    mkdir -p "$conf"
    sed "s/@ADDRESS@/$address/" "$here/ilogtail_config.json" >"$conf/ilogtail_config.json"
    while read -r directory; do
        mkdir "$conf/$directory"
        ln -s ../ilogtail_config.json "$conf/$directory/ilogtail_config.json"
    done <"$list"
}

# build IMAGE: by IMAGE.Dockerfile, out of its archive.
build() {
    local image=$1 name=$prefix/$1:$tag
    docker build "${options[@]}" --build-arg "BASE_IMAGE=$base" --file "$here/$image.Dockerfile" \
        --tag "$name" "$stage/$image/context" >"$stage/log" 2>&1 ||
        { cat "$stage/log" >&2; fail "$name cannot be built"; }
    # A binary whose C library is newer than the base's starts nowhere; better known here than in a
    # crash loop.
    [ -n "${PLATFORM:-}" ] || docker run --rm --network none "$name" --help >/dev/null ||
        fail "$name does not start; give BASE_IMAGE a system at least as new as this one"
}

# measure IMAGE: says what it adds to its base; fails if that is more than the goal.
measure() {
    local image=$1 whole below added
    whole=$(docker image inspect --format '{{.Size}}' "$prefix/$image:$tag")
    below=$(docker image inspect --format '{{.Size}}' "$base")
    added=$((whole - below))
    printf 'figure: image %s %d.%d MB above its base\n' \
        "$image" $((added / 1000000)) $((added % 1000000 / 100000))
    [ "$added" -le $((size_max[$image] * 1000000)) ] ||
        fail "$prefix/$image:$tag adds $added bytes to its base; the goal is ${size_max[$image]} MB"
}

put mock-sls mock-sls /usr/local/bin/mock-sls
pack mock-sls var/lib/mock-sls
put operator operator /usr/local/bin/operator
pack operator
# /bin is a link to it.
put mock_log mock_log /usr/bin/mock_log
pack mock_log
put collector collector /usr/local/ilogtail/ilogtail
mkdir -p "$stage/collector/root/etc/init.d"
for script in ilogtaild loongcollectord; do
    ln -s /usr/local/ilogtail/ilogtail "$stage/collector/root/etc/init.d/$script"
done
region_directories
pack collector

for image in mock-sls operator collector mock_log; do
    build "$image"
    measure "$image"
done
