#!/usr/bin/env bash
# Builds the four images out of the workspace's release binaries (`just images` makes those first).
#
#   IMAGE_PREFIX   names are $IMAGE_PREFIX/{mock-sls,operator,collector,mock_log}   (sls-bed)
#   IMAGE_TAG      their tag                                                         (dev)
#   BASE_IMAGE     what they stand on: a Debian or Ubuntu with a C library not older than the one
#                  the binaries were linked with   (debian:bookworm-slim; where that cannot be
#                  pulled, a root made of Debian packages, see debian-root.sh)
#   SLS_ADDRESS    host:port of the Log Service for the collector   (mock-sls.sls-bed.svc:8080)
#   SLS_REGION     region whose config directories the collector's image has        (cn-hangzhou)
#   PROFILE        Cargo profile that made the binaries                          (release)
#   PLATFORM       of binaries and images, for example linux/arm64                  (this machine's)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binaries=${CARGO_TARGET_DIR:-$here/../../target}/${PROFILE:-release}
prefix=${IMAGE_PREFIX:-sls-bed} tag=${IMAGE_TAG:-dev}
address=${SLS_ADDRESS:-mock-sls.sls-bed.svc:8080} region=${SLS_REGION:-cn-hangzhou}
platform=${PLATFORM:+--platform=$PLATFORM}

fail() { echo "images: $*" >&2; exit 1; }
docker info >/dev/null 2>&1 || fail "no Docker engine answers; start it, or add yourself to its group (docker info says why)"
for binary in mock-sls operator collector mock_log; do
    [ -x "$binaries/$binary" ] || fail "$binaries/$binary is missing; run: just images"
done

base=${BASE_IMAGE:-}
if [ -z "$base" ]; then
    base=debian:bookworm-slim
    if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull -q "$base" >/dev/null 2>&1; then
        base=$prefix/debian-root:bookworm
        echo "images: debian:bookworm-slim cannot be pulled; standing on $base" >&2
        docker image inspect "$base" >/dev/null 2>&1 || "$here/debian-root.sh" "$base"
    fi
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# build NAME: the image of the context that lies in $stage/NAME, by NAME.Dockerfile.
build() {
    # A fixed time in the context, so that equal binaries give equal layers.
    find "$stage/$1" -exec touch --no-dereference --date=@"${SOURCE_DATE_EPOCH:-0}" {} +
    docker build --quiet $platform --build-arg "BASE_IMAGE=$base" \
        --file "$here/$1.Dockerfile" --tag "$prefix/$1:$tag" "$stage/$1" >"$stage/log" 2>&1 ||
        { cat "$stage/log" >&2; fail "$prefix/$1:$tag cannot be built"; }
}

# put BINARY TARGET: without its symbols, which are most of it.
put() {
    mkdir -p "$(dirname "$2")"
    install -m 755 "$binaries/$1" "$2"
    strip "$2" 2>/dev/null || echo "images: strip cannot be run on $1; the image is larger" >&2
}

put mock-sls "$stage/mock-sls/mock-sls"
mkdir "$stage/mock-sls/empty"
put operator "$stage/operator/operator"
put mock_log "$stage/mock_log/mock_log"
put collector "$stage/collector/ilogtail"
mkdir -p "$stage/collector/init.d"
for script in ilogtaild loongcollectord; do
    ln -s /usr/local/ilogtail/ilogtail "$stage/collector/init.d/$script"
done
for network in "" -internet; do
    directory=$stage/collector/conf/$region$network
    mkdir -p "$directory"
    sed "s/@ADDRESS@/$address/; s/@REGION@/$region/" "$here/ilogtail_config.json" >"$directory/ilogtail_config.json"
done

for image in mock-sls operator collector mock_log; do
    build "$image"
    # A binary whose C library is newer than the base's starts nowhere; better known here than in a
    # crash loop.
    [ -n "$platform" ] || docker run --rm --network none "$prefix/$image:$tag" --help >/dev/null ||
        fail "$prefix/$image:$tag does not start; give BASE_IMAGE a system at least as new as this one"
    docker image inspect --format '{{index .RepoTags 0}}  {{.Size}} bytes' "$prefix/$image:$tag"
done
