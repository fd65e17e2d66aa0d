#!/usr/bin/env bash
# The relay beside gossipsub: `race` (one hop), `swarm` (bytes among a hundred), or both.
set -euo pipefail
. "$(dirname "$0")/../../step.sh"
cd "$WIREMIN_ROOT"

need_rust
export CARGO_TARGET_DIR=$TARGET_DIR/bench-gossip
# The page is not served here.
mkdir -p www/dist
step bench-gossip "building the comparison with gossipsub (some minutes the first time)" \
    cargo build --locked --release --manifest-path tests/bench/gossip/Cargo.toml
"$CARGO_TARGET_DIR/release/gossip-bench" "$@"
