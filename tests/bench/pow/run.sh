#!/usr/bin/env bash
# Proof-of-work in the browser, against the plain `sha2` crate and hash-wasm. Arguments go to
# bench.mjs, see there. Our kernel is built as it ships (for size, with SIMD128), `sha2` for speed.
set -euo pipefail
. "$(dirname "$0")/../../step.sh"
. "$WIREMIN_ROOT/web-node/toolchain.sh"
. "$WIREMIN_ROOT/tests/node.sh"
. "$WIREMIN_ROOT/tests/chromium.sh"
cd "$WIREMIN_ROOT"

# build_kernel NAME PROFILE FLAG...
build_kernel() {
    local name=$1 profile=$2
    shift 2
    TARGET_RUSTFLAGS=("$@")
    CARGO_TARGET_DIR=$TARGET_DIR/bench-pow-$name cargo_for_target build --locked \
        --profile "$profile" --manifest-path tests/bench/pow/kernel/Cargo.toml
}

need_rust
need_node
npm_install tests tests
need_chromium tests
use_target wasm32-unknown-unknown std,panic_abort

step pow-simd "building the proof-of-work kernel (WASM)" \
    build_kernel simd shipped -C target-feature=+simd128
step pow-plain "building the plain sha2 crate (WASM)" build_kernel plain release

file=$TARGET/%s/pow_bench_kernel.wasm
# shellcheck disable=SC2059
node tests/bench/pow/bench.mjs \
    --simd "$TARGET_DIR/bench-pow-simd/$(printf "$file" shipped)" \
    --plain "$TARGET_DIR/bench-pow-plain/$(printf "$file" release)" "$@"
