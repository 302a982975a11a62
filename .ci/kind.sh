# Docker, kind, kubectl and a node image for the suites that need a real cluster. Sourced by run.
#
# A machine that has docker and kind (an ordinary CI runner) is used as it is. Elsewhere the kit
# beside the checkout makes both without an image registry; nothing of the project depends on it.

kit=../shared/kind-kit
kit_work=${LOCALKIND_WORK:-/var/tmp/localkind}
kit_copy=
kit_engine=
# Longest wait for the engine's end, in seconds. Guess: it gives containers 15 s to stop.
engine_stop_s_max=60

# Sets PATH, KIND_NODE_IMAGE, KIND_CONFIG and KIND_ARGS. Fails with a message if there is no way to a cluster.
cluster_tools() {
    KIND_ARGS=()
    if docker info >/dev/null 2>&1 && command -v kind >/dev/null; then return 0; fi
    if [ ! -d "$kit" ]; then
        echo "kind.sh: neither docker and kind nor $kit is here; install both, or run the other suites by hand" >&2
        return 1
    fi
    kit_copy=$(mktemp -d)
    cp -a "$kit/." "$kit_copy" && chmod -R u+w "$kit_copy" || return 1
    # Links that were copied as files holding their targets become links again.
    local wanted target
    for wanted in "$kit_copy"/node/files/etc/systemd/system/*.wants/*; do
        [ -L "$wanted" ] && continue
        target=$(cat "$wanted") && ln -sf "$target" "$wanted" || return 1
    done
    if ! docker info >/dev/null 2>&1; then
        kit_engine=ours
        # Left by an engine that was killed, it would keep the next from starting.
        pgrep -x dockerd >/dev/null || rm -f /var/run/docker.pid
    fi
    export LOCALKIND_WORK=$kit_work DOCKER_BUILDKIT=0
    "$kit_copy/host-setup.sh" || return 1
    if [ ! -x "$kit_work/bin/kind" ]; then
        "$kit_copy/bundle.sh" unpack "$kit_copy/bundle.tar.zst" || return 1
    fi
    KIND_NODE_IMAGE=$(. "$kit_copy/versions.env" && echo "localkind/node:v$KUBE_VERSION")
    export KIND_NODE_IMAGE
    docker image inspect "$KIND_NODE_IMAGE" >/dev/null 2>&1 || "$kit_copy/build-node-image.sh" || return 1
    # Nodes and pods reach this machine and each other, and nobody else. kind uses this network if it
    # is there.
    docker network inspect kind >/dev/null 2>&1 ||
        docker network create -o com.docker.network.bridge.name=kind0 kind >/dev/null || return 1
    local rule=(DOCKER-USER -i kind0 '!' -o kind0 -j REJECT)
    iptables -C "${rule[@]}" 2>/dev/null || iptables -I "${rule[@]}" || return 1
    export PATH=$kit_work/bin:$PATH
    # This machine's kernel may offer cgroup v1 only, which Kubernetes refuses unless told otherwise.
    export KIND_CONFIG=$PWD/.ci/kind-node.yaml
    KIND_ARGS=(--kind-config "$KIND_CONFIG")
}

# is_engine PID: the process runs, and is no other that has got the number since. One that has ended and that
# nobody has waited for keeps its name, but has no command line.
is_engine() {
    [ "$(cat "/proc/$1/comm" 2>/dev/null)" = dockerd ] && [ -n "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]
}

# Ends the engine if it was started here, and forgets the copy of the kit.
cluster_tools_end() {
    local pid second
    if [ -n "$kit_engine" ] && pid=$(cat "$kit_work/dockerd.pid" 2>/dev/null); then
        if is_engine "$pid"; then
            kill "$pid"
            for ((second = 0; second < engine_stop_s_max; second++)); do
                is_engine "$pid" || break
                sleep 1
            done
        fi
        if is_engine "$pid"; then
            echo "kind.sh: dockerd ($pid) still runs $engine_stop_s_max s after it was told to end" >&2
        else
            rm -f "$kit_work/dockerd.pid"
        fi
    fi
    [ -z "$kit_copy" ] || rm -rf "$kit_copy"
}
