#!/usr/bin/env bash
# Networks that double, on a virtual clock, and the report on what that costs: docs/growth.md.
# SIZES="625 1250" takes others than usual. Each size is a process of its own.
set -euo pipefail
. "$(dirname "$0")/step.sh"
. "$WIREMIN_ROOT/tests/node.sh"
cd "$WIREMIN_ROOT"

need_rust
need_node
cargo build --locked --release -p tests --example sim_large
found=$TARGET_DIR/logs/growth.jsonl
mkdir -p "$TARGET_DIR/logs" docs
: > "$found"
for nodes in ${SIZES:-625 1250 2500 5000 10000}; do
    "$TARGET_DIR/release/examples/sim_large" "$nodes" >> "$found"
done
node tests/growth.mjs "$found"
cat docs/growth.md
