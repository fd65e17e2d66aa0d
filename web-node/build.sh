#!/usr/bin/env bash
# Builds the browser peer: web-node to WASM, then to the ES module www/src/wasm/web_node.js.
set -euo pipefail
. "$(dirname "$0")/../tests/step.sh"
. "$WIREMIN_ROOT/web-node/toolchain.sh"
cd "$WIREMIN_ROOT"

build_wasm() {
    CARGO_TARGET_DIR=$WASM_DIR cargo_for_target build --locked --profile web -p web-node
}

build_module() {
    cargo run -q --locked --profile tool -p bindgen -- \
        "$WASM_DIR/$TARGET/web/web_node.wasm" www/src/wasm
}

need_rust
use_target wasm32-unknown-unknown std,panic_abort

# Paths of this machine stay out of the file that everybody downloads.
WASM_DIR=$TARGET_DIR/web
TARGET_RUSTFLAGS=(
    -C target-feature=+simd128
    "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates"
    "--remap-path-prefix=/usr/src=/rustc"
    "--remap-path-prefix=$WIREMIN_ROOT=/wiremin"
)
step wasm "building the browser peer (WASM)" build_wasm
# The module is made again only from a newer file, so that what is built from it stays as it is.
wasm=$WASM_DIR/$TARGET/web/web_node.wasm module=www/src/wasm/web_node.js
if [ ! "$module" -nt "$wasm" ] || [ web-node/bindgen/src/main.rs -nt "$module" ]; then
    step module "making its ES module" build_module
    touch "$module"
fi
