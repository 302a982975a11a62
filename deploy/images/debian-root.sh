#!/usr/bin/env bash
# Makes a base image out of Debian packages, where no registry can be reached: debian-root.sh NAME
# Needs root, Debian's package server, and mmdebstrap (which it installs where apt-get is there).
set -euo pipefail
name=${1:?usage: debian-root.sh NAME}
suite=bookworm
if ! command -v mmdebstrap >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null ||
        { echo "debian-root: mmdebstrap is missing and cannot be installed; install it, or set BASE_IMAGE" >&2; exit 1; }
fi
# One time for all files, so that the same packages give the same image.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} mmdebstrap --quiet --variant=essential --format=tar \
    --include=ca-certificates \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    "$suite" - | docker import --message "Debian $suite from packages" - "$name" >/dev/null
