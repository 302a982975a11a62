#!/usr/bin/env bash
# Puts the collectors that ours is compared with into target/peers, for `just bench-collector --peers all`:
# rsyslog and syslog-ng as Debian has them, unpacked beside each other since they may not be installed together, and the
# OpenTelemetry Collector built from its Go modules. Nothing outside of target/peers changes, and no root is needed.
# Needs apt with package lists, dpkg, and Go 1.25 or newer. Arguments: which (rsyslog, syslog-ng, otelcol); all without.
set -euo pipefail
cd "$(dirname "$0")"
peers=$(cd ../../.. && pwd)/target/peers
mkdir -p "$peers"

# unpack NAME PACKAGE…: these and what they need and this machine has not.
unpack() {
    local name=$1 dir=$peers/$1 packages
    shift
    packages=$(apt-get install --simulate --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
    if [ -z "$packages" ]; then
        echo "peers: $name is installed already"
        return
    fi
    rm -rf "$dir.new"
    mkdir -p "$dir.new/packages"
    # shellcheck disable=SC2086 # a list
    (cd "$dir.new/packages" && apt-get download -qq $packages)
    for package in "$dir.new"/packages/*.deb; do dpkg --extract "$package" "$dir.new"; done
    rm -rf "$dir.new/packages" "$dir"
    mv "$dir.new" "$dir"
    echo "peers: $name is in $dir"
}

[ $# -gt 0 ] || set -- rsyslog syslog-ng otelcol
for peer in "$@"; do
    case "$peer" in
        rsyslog) unpack rsyslog rsyslog rsyslog-elasticsearch ;;
        syslog-ng) unpack syslog-ng syslog-ng-core syslog-ng-mod-http ;;
        otelcol)
            (cd otel && go build -trimpath -ldflags="-s -w" -o "$peers/otelcol" .)
            echo "peers: otelcol is in $peers"
            ;;
        *) echo "peers: $peer is none of rsyslog, syslog-ng, otelcol" >&2; exit 2 ;;
    esac
done
