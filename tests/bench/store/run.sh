#!/usr/bin/env bash
# redb against fjall, with the relay's key layout.
set -euo pipefail
. "$(dirname "$0")/../../step.sh"
cd "$WIREMIN_ROOT"

need_rust
export CARGO_TARGET_DIR=$TARGET_DIR/bench-store
step bench-store "building the comparison of databases" \
    cargo build --locked --release --manifest-path tests/bench/store/Cargo.toml
"$CARGO_TARGET_DIR/release/store-bench"
