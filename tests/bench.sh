#!/usr/bin/env bash
# All measurements. A measurement is an example `bench_*` of a crate, or a tests/bench/*/run.sh,
# which starts a browser or compiles what is compared with; each prints its figures, and the limits
# or contenders it compares them with.
set -euo pipefail
. "$(dirname "$0")/step.sh"
. "$WIREMIN_ROOT/tests/node.sh"
. "$WIREMIN_ROOT/tests/chromium.sh"
cd "$WIREMIN_ROOT"

machine() {
    printf 'machine: %s, %d cores, %s\n' \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)" \
        "$(getconf _NPROCESSORS_ONLN)" "$(uname -sm)"
    if command -v openssl >/dev/null; then
        printf 'limits: '
        openssl speed -mr -seconds 1 -bytes 80 -evp sha256 2>/dev/null |
            awk -F: '/^\+F/ { printf "SHA-256 of 80 bytes %.1f M/s", $NF / 80 / 1e6 }'
        openssl speed -mr -seconds 1 -bytes 16384 -evp aes-256-gcm 2>/dev/null |
            awk -F: '/^\+F/ { printf ", AES-256-GCM %.2f GB/s", $NF / 1e9 }'
        printf ' (openssl, one core)\n'
    fi
    printf 'load: %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null)"
}

native_benches() {
    local source package name
    for source in */examples/bench_*.rs */*/examples/bench_*.rs; do
        [ -f "$source" ] || continue
        package=$(sed -n 's/^name = "\(.*\)"/\1/p' "$(dirname "$source")/../Cargo.toml" | head -n 1)
        name=$(basename "$source" .rs)
        step "$name" "building $name" cargo build --locked --release -p "$package" --example "$name"
        printf '\n'
        "$TARGET_DIR/release/examples/$name"
        printf '\n'
    done
}

other_benches() {
    local script
    for script in tests/bench/*/run.sh; do
        [ -f "$script" ] || continue
        printf '\n'
        "$script"
    done
}

need_rust
need_node
machine
native_benches
npm_install tests tests
need_chromium tests
other_benches
