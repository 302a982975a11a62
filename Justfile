# Every habit of the project as one word. CI calls these.
#
# Where a package is built or tested by itself, e2e is named beside it: with it, dependencies have the features that
# they have in `cargo test --workspace`, and nothing is built a second time with fewer.

# What there is.
default:
    @just --list --unsorted

# The nginx sidecar example on the embedded bed: no cluster, no Docker, no network.
e2e *args:
    cargo e2e {{args}}

# All scenarios on the embedded bed.
e2e-all *args:
    cargo e2e --scenario all {{args}}

# Keep the bed running; prints endpoint, kubeconfig and how to query.
up *args:
    cargo e2e up {{args}}

# All tests.
test *args:
    cargo test --workspace {{args}}

# What must hold before a commit: format, lints, tests.
check: fmt-check clippy test

fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml

fmt-check:
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check

clippy:
    cargo clippy --workspace --all-targets --features testcontainers-mock-sls/docker-tests,e2e/docker-tests -- -D warnings

# The emulator by itself, on the port SDKs are pointed at.
serve *args:
    cargo run --release --package mock-sls --bin mock-sls -- serve --listen 127.0.0.1:8080 {{args}}

# Write the CRDs from the operator's types, for kubectl and for the chart; tests compare.
crd:
    cargo build --quiet --package e2e --package operator --bin operator
    for kind in aliyunlogconfig clusteraliyunpipelineconfig; do \
        target/debug/operator crd --kind $kind | tee operator/crd/$kind.yaml > deploy/helm/sls-bed/crds/$kind.yaml; \
    done

# Write docs/api.md and docs/openapi.json from the table of operations; a test compares.
api-table:
    UPDATE_EXPECT=1 cargo test --quiet --package mock-sls --test ops reference::

# The collector killed N times while its file is rotated at full speed, with exactly-once delivery.
kills n="100":
    COLLECTOR_KILLS={{n}} cargo test --package e2e --package collector --test data_kill -- --nocapture

# The operator killed N times while objects change.
operator-kills n="200":
    OPERATOR_KILLS={{n}} cargo test --package e2e --package operator --test kills -- --nocapture

# The example N times in a row; stops at the first run that is not green.
e2e-repeat n="20":
    cargo build --package e2e
    for i in $(seq {{n}}); do echo "run $i of {{n}}"; cargo --quiet e2e -o json || exit 1; done

# The example as a user without privileges: root becomes one, anyone else already is.
e2e-user *args:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --package e2e
    if [ "$(id -u)" != 0 ]; then exec target/debug/e2e {{args}}; fi
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    install -m 755 target/debug/e2e "$home/e2e"
    chown -R 65534:65534 "$home"
    env -i PATH="$PATH" HOME="$home" TMPDIR="$home" \
        setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$home/e2e" {{args}}

# A running bed, asked with the real kubectl (which must be installed).
e2e-kubectl:
    cargo build --package e2e
    e2e/kubectl.sh target/debug/e2e

# Consumer groups, proven with the consumer libraries of the Python, Go and Java SDKs (the languages
# named, or all; needs Python 3, Go, a JDK, Maven and their registries).
consumers *languages:
    e2e/consumers/run.sh {{languages}}

# Operator and kube-sim held against the API server of $KUBECONFIG, or of `--context NAME`; never of another.
test-apiserver *args:
    #!/usr/bin/env bash
    set -euo pipefail
    set -- {{args}}
    case "$#:${1-}" in
        0:) ;;
        2:--context) export SLS_TEST_CONTEXT=$2 ;;
        *) echo "usage: just test-apiserver [--context NAME]" >&2; exit 2 ;;
    esac
    if [ -z "${KUBECONFIG-}${SLS_TEST_CONTEXT-}" ]; then
        echo "just test-apiserver: set KUBECONFIG, or name a context with --context; it makes a namespace per test" \
            "and installs the CRD for the time of the tests" >&2
        exit 2
    fi
    targets=()
    for file in operator/tests/*.rs; do
        case "$file" in
            */kubernetes_faults.rs | */kubernetes_outages.rs | */pipeline_controller.rs | */webhook.rs) ;;
            *) name=${file##*/}; targets+=(--test "${name%.rs}") ;;
        esac
    done
    echo "NOT RUN on the real server: operator's kubernetes_faults and kubernetes_outages, which make the API server" \
        "refuse requests, cut watches, forget its history and restart, as only kube-sim does when asked; its" \
        "pipeline_controller, whose objects are the cluster's and not a namespace's; its webhook, which a cluster does" \
        "not reach here (the scenario injected-webhook has it in one); kube-sim's hand-written script, recorded from a" \
        "server without controllers. \`just test\` runs all of these."
    SLS_TEST_APISERVER=kubeconfig cargo test --package e2e --package operator --no-fail-fast "${targets[@]}"
    cargo build --package e2e --package kube-sim --example serve
    crates/kube-sim/kubectl-alike.sh target/debug/examples/serve

# Record again what the operator asks of Kubernetes and what the API server of $KUBECONFIG answers.
record-apiserver:
    SLS_TEST_APISERVER=kubeconfig SLS_TEST_RECORD=1 cargo test --package e2e --package operator --test session

# The four programs as they are released.
programs:
    cargo build --release --package mock-sls --package operator --package collector --package fixtures --bins

# Container images of the four programs; settings: deploy/images/build.sh, deploy/README.md.
images: programs
    deploy/images/build.sh

# Are the images small, reproducible and what the document's manifests expect? (needs docker)
images-check: images
    deploy/images/check.sh

# Chart and kustomize base: do they render, and give the same objects? (needs helm and kubectl)
deploy-check:
    deploy/check.sh

# All scenarios on a real cluster, made for it by kind or named with --context (needs docker, kind, kubectl).
e2e-kind *args: images
    cargo e2e --bed kind {{args}}

# What the kind bed refuses and how it cleans up, with the real docker, kind and kubectl.
e2e-kind-checks: images
    cargo build --package e2e
    e2e/kind-checks.sh target/debug/e2e

# The example in containers without a cluster (needs Docker).
e2e-docker *args: images
    cargo e2e --bed docker {{args}}

# What needs Docker: the crate testcontainers-mock-sls, the Docker bed, and docs/testcontainers.md's
# Python, Go and Java (the languages named, or all).
testcontainers *languages: images
    cargo test --package e2e --package testcontainers-mock-sls --test docker \
        --features testcontainers-mock-sls/docker-tests,e2e/docker-tests
    e2e/clients/testcontainers/run.sh {{languages}}

# 64 clients that create, delete and write the same names, for a minute.
contention seconds="60":
    MOCK_SLS_CONTENTION_SECONDS={{seconds}} cargo test --package e2e --package mock-sls --test contention -- --nocapture

# 100,000 searches at random, eight a case, find what a naive evaluator finds: a minute of CPU time.
differential cases="12500":
    PROPTEST_CASES={{cases}} cargo test --package e2e --package mock-sls --lib the_matcher_finds_what_the_model_finds

# Every fuzz target for so many seconds, from seeds made of the fixtures (needs cargo-fuzz and a C++ compiler).
# No sanitizer: that asks for a nightly compiler and finds faults of unsafe code, of which there is hardly any.
# A development build takes half the time of a release build, and has the checks of debug builds too.
fuzz seconds="20":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo fuzz build --dev --sanitizer none
    cargo build --quiet --package e2e --package fixtures --example fuzz_seeds
    target/debug/examples/fuzz_seeds fuzz/seeds
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    failed=0
    for target in $(cargo fuzz list); do
        mkdir -p "fuzz/corpus/$target"
        status=0
        # An input has 10 s, its memory 2 GiB.
        cargo fuzz run --dev --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" \
            -- -max_total_time={{seconds}} -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1 || status=$?
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        if [ "$status" = 0 ] && [ "${runs:-0}" -gt 0 ]; then
            echo "fuzz: $target: $runs inputs in {{seconds}} s, no fault"
        else
            failed=1
            tail -n 60 "$log"
            echo "fuzz: $target: FAILED after ${runs:-?} inputs; the input lies in fuzz/artifacts/$target"
        fi
    done
    exit "$failed"

# Figures: ingest, start, memory, listings, search, accounting (of so many logs), collector speed and memory, the
# operator with so many objects. One call of the packages that the images are made of: what those built is used.
bench accounted="10000000" objects="1000":
    BENCH_ACCOUNTED={{accounted}} BENCH_OBJECTS={{objects}} cargo bench {{measured}} --bench account --bench ingest \
        --bench search --bench expect --bench data_path --bench idle --bench objects

measured := "--package sls-expect --package mock-sls --package collector --package operator --package fixtures"

# The whole collector, with everything on, beside the peers that are installed, against a sink that counts every line:
# CPU time, rates, memory, wake-ups, delays, and what the project wants of them. `--quick` is one short run of each;
# `--peers all` says what is missing; `-o json`; see `--help` and docs/collector-performance.md.
bench-collector *args:
    cargo bench --quiet {{measured}} --bench compare -- {{args}}

# Put the peers into target/peers: rsyslog and syslog-ng of Debian, the OpenTelemetry Collector built from its modules.
bench-peers *names:
    collector/benches/peers/install.sh {{names}}

# Licences and sources of the dependencies (needs cargo-deny).
deny:
    cargo deny check licenses bans sources

# The official SDKs against the emulator (needs their toolchains and package registries).
clients *args:
    e2e/clients/run.sh {{args}}

# The console walked through in a browser (the tests named, or all; needs Node 20, its registry and Chromium).
console-test *tests:
    e2e/console/run.sh {{tests}}

# The pictures of docs/console taken again (needs the same).
console-screenshots:
    e2e/console/run.sh --screenshots

# Assertions on what the emulator received, from tests in the shell, Python, Go, Java and Node (the languages
# named, or all; needs their toolchains, curl and package registries).
assertions *languages:
    e2e/assertions/run.sh {{languages}}
