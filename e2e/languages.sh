# What the suites of several languages share; sourced by their run.sh, in their folder.

# Names the emulator in MOCK_SLS_BIN; where it is not named, the debug build is made and used.
emulator_binary() {
    if [ -z "${MOCK_SLS_BIN:-}" ]; then
        (cd ../.. && cargo build --quiet --package e2e --package mock-sls --bin mock-sls) || exit 1
        MOCK_SLS_BIN=$(cd ../.. && pwd)/target/debug/mock-sls
    fi
    export MOCK_SLS_BIN
}

# each SUITE "DEFAULT…" [NAME…]: runs SUITE_NAME for each name, or for each default. Sets passed and failed; a
# name that there is not ends with exit code 2.
each() {
    local suite=$1 known=$2 name start
    shift 2
    # The defaults are words.
    # shellcheck disable=SC2086
    [ $# -gt 0 ] || set -- $known
    passed=0
    failed=0
    for name in "$@"; do
        case " $known " in
            *" $name "*) ;;
            *) echo "no $suite called $name; there are: $known" >&2; exit 2 ;;
        esac
        echo "=== $name"
        start=$SECONDS
        if ("${suite}_$name"); then
            passed=$((passed + 1))
            echo "--- $name passed after $((SECONDS - start)) s"
        else
            failed=$((failed + 1))
            echo "--- $name FAILED after $((SECONDS - start)) s"
        fi
    done
}
