#!/usr/bin/env bash
# The table of expected tags for 500 contacts, in WASM as it ships: time and memory.
set -euo pipefail
. "$(dirname "$0")/../../step.sh"
. "$WIREMIN_ROOT/web-node/toolchain.sh"
. "$WIREMIN_ROOT/tests/node.sh"
cd "$WIREMIN_ROOT"

build_kernel() {
    TARGET_RUSTFLAGS=(-C target-feature=+simd128)
    CARGO_TARGET_DIR=$TARGET_DIR/bench-tags cargo_for_target build --locked --release \
        --manifest-path tests/bench/tags/kernel/Cargo.toml
}

need_rust
need_node
use_target wasm32-unknown-unknown std,panic_abort
step tags "building the table of expected tags (WASM)" build_kernel
node tests/bench/tags/bench.mjs \
    "$TARGET_DIR/bench-tags/$TARGET/release/tags_bench_kernel.wasm"
